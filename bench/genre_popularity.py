#!/usr/bin/env python3
"""Genre popularity: the baseline for items that nobody has touched (protocol cold-items).

    genre_popularity.py TRAIN COLD ITEMS [--column GENRES] [--k 25] [--seeds 3]

TRAIN: interactions on warm items; COLD: the events to be found, on items that TRAIN does not
have; ITEMS: all items with a column of categories split at '|'. Every user of both files gets
one list of K from all items but those he has had, ranked by what their categories are worth;
printed is the share of his events in COLD that the list holds, mean over users (Recall@K),
and over events, for each reading of "genre popularity":

    mean      mean over an item's genres of how often the average item of the genre is taken
    share     sum over its genres of the genre's share of all events
    set       events per item of the items with exactly its set of genres
    profile   mean over its genres of the user's share of events in the genre
    profile*  the same, times `mean` of the genre
    random    any order

Items of one score are in random order, mean over SEEDS orders; whole-number ties would favour
whoever sorts the file. Standard library only; nothing is drawn but the orders of ties.
"""
import argparse
import collections
import csv
import random


def read_pairs(path):
    pairs = collections.defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            pairs[row["USER_ID"]].append(row["ITEM_ID"])
    return pairs


def read_genres(path, column):
    with open(path, newline="", encoding="utf-8") as file:
        return {row["ITEM_ID"]: tuple(sorted(filter(None, row[column].split("|"))))
                for row in csv.DictReader(file)}


class World:
    def __init__(self, warm, genres):
        taken = collections.Counter(item for items in warm.values() for item in items)
        self.groups = collections.defaultdict(list)  # set of genres -> items
        for item, mine in genres.items():
            self.groups[mine].append(item)
        known = collections.Counter(g for item in taken for g in genres.get(item, ()))
        events = collections.Counter()
        set_events, set_items = collections.Counter(), collections.Counter()
        for item, count in taken.items():
            for genre in genres.get(item, ()):
                events[genre] += count
            set_events[genres.get(item, ())] += count
            set_items[genres.get(item, ())] += 1
        total = sum(taken.values())
        self.mean = {g: events[g] / known[g] for g in known}
        self.share = {g: events[g] / total for g in known}
        self.set = {s: set_events[s] / set_items[s] for s in set_items}

    def order(self, score, draw):
        """Groups by falling score, equal ones in random order."""
        keyed = [(-score(group), draw.random(), group) for group in self.groups]
        return [group for _, _, group in sorted(keyed)]


def average(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def readings(world, profile):
    mean, share = world.mean, world.share
    return {
        "mean": lambda s: average(mean.get(g, 0) for g in s),
        "share": lambda s: sum(share.get(g, 0) for g in s),
        "set": lambda s: world.set.get(s, 0),
        "profile": lambda s: average(profile[g] for g in s),
        "profile*": lambda s: average(profile[g] * mean.get(g, 0) for g in s),
        "random": lambda s: 0,
    }


def top(world, order, seen, k, draw):
    found = []
    for group in order:
        items = [item for item in world.groups[group] if item not in seen]
        draw.shuffle(items)
        found += items[:k - len(found)]
        if len(found) == k:
            break
    return found


def random_top(world, everything, seen, k, draw):
    found = []
    while len(found) < k:
        item = everything[int(draw.random() * len(everything))]
        if item not in seen and item not in found:
            found.append(item)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("cold")
    parser.add_argument("items")
    parser.add_argument("--column", default="GENRES")
    parser.add_argument("--k", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warm, cold = read_pairs(options.train), read_pairs(options.cold)
    genres = read_genres(options.items, options.column)
    world = World(warm, genres)
    everything = sorted(genres)
    users = [user for user in cold if user in warm]
    recall, hits = collections.Counter(), collections.Counter()
    events = sum(len(cold[user]) for user in users) * options.seeds
    for seed in range(options.seeds):
        draw = random.Random(seed)
        fixed = {}
        for user in users:
            seen, answers = set(warm[user]), set(cold[user])
            profile = collections.Counter()
            for item in warm[user]:
                for genre in genres.get(item, ()):
                    profile[genre] += 1 / len(warm[user])
            for name, score in readings(world, profile).items():
                if name == "random":
                    found = random_top(world, everything, seen, options.k, draw)
                else:
                    if name.startswith("profile") or name not in fixed:
                        fixed[name] = world.order(score, draw)
                    found = top(world, fixed[name], seen, options.k, draw)
                count = sum(item in answers for item in found)
                recall[name] += count / len(cold[user])
                hits[name] += count
    print("%-10s %10s %10s" % ("reading", "Recall@%d" % options.k, "per event"))
    for name in recall:
        print("%-10s %10.4f %10.4f" % (name, recall[name] / len(users) / options.seeds,
                                       hits[name] / events))


if __name__ == "__main__":
    main()
