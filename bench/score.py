#!/usr/bin/env python3
"""Metrics of LISTS, computed without eddy: what `eddy recommend` wrote against what users did.

    score.py once LISTS ANSWERS.csv [--history FILE.csv] [--as-listed]
    score.py events LISTS INTERACTIONS.csv [--from SECONDS] [--as-listed]

once: LISTS has one list per user, ANSWERS all events that were asked (aws-workshop, loo,
cold-items). With --history, lists that hold an item of the user's history are an error.
events: LISTS has the query USER:n for the n-th event (n >= 2) of each user, as --every-event
names them; its answer is that event (sessions, successive, prequential); --from: those at or
after that time.

LISTS is TSV: query, rank, item, score. Ties of the printed scores count against the list: of
items of one score the hits stand last, and a score that reaches the end of a list of 26 may go
on behind it, so its hits are misses. Every query has to have a list: without one it is a miss.
--as-listed: ranks are believed where scores are printed alike (a score of 3e-9 is 0.000000).
Printed is one line of JSON with the keys of `eddy eval --json`:

    hr mrr        a hit in the first K, 1 / rank of the first hit
    recall        hits / answers;  precision: hits / K
    ndcg          gains 1 / log2(1 + rank), ideal: min(K, answers) hits at the top
    ndcg_aws      the same gains, ideal: the hits of the list of 25 moved to the top
    ndcg_workshop gains 1, 1, 1 / log2(rank), the same ideal (metrics.py of AWS' workshop)

Standard library only.
"""
import argparse
import collections
import csv
import functools
import json
import math
import sys

CUTOFFS = (1, 5, 10, 20, 25)
CERTAIN = 26  # a list of that length may have been cut inside a tie


def textbook(rank):
    return 1 / math.log2(1 + rank)


def workshop(rank):
    return 1.0 if rank <= 2 else 1 / math.log2(rank)


@functools.lru_cache(maxsize=None)
def ideal(gain, hits):
    return sum(gain(rank) for rank in range(1, hits + 1))


def ranks_of(items, answers, as_listed=False):
    """Ranks of the hits of a list [(item, score)], ties against it."""
    if as_listed:
        return [rank for rank, (item, _) in enumerate(items, 1) if item in answers]
    ranks, start = [], 0
    while start < len(items):
        end = start
        while end < len(items) and items[end][1] == items[start][1]:
            end += 1
        hits = sum(item in answers for item, _ in items[start:end])
        if not (end == len(items) == CERTAIN and end - start > 1):
            ranks += range(end - hits + 1, end + 1)
        start = end
    return ranks


def metrics(ranks, answers):
    values = {}
    in_list = sum(rank <= 25 for rank in ranks)
    for k in CUTOFFS:
        hits = [rank for rank in ranks if rank <= k]
        gains = sum(map(textbook, hits))
        values[f"hr@{k}"] = float(bool(hits))
        values[f"mrr@{k}"] = 1 / hits[0] if hits else 0.0
        values[f"recall@{k}"] = len(hits) / answers
        values[f"precision@{k}"] = len(hits) / k
        values[f"ndcg@{k}"] = gains / ideal(textbook, min(k, answers))
        values[f"ndcg_aws@{k}"] = gains / ideal(textbook, min(k, in_list)) if hits else 0.0
        values[f"ndcg_workshop@{k}"] = (
            sum(map(workshop, hits)) / ideal(workshop, min(k, in_list)) if hits else 0.0)
    return values


def lists_in(path):
    """(query, [(item, score text)]) in the order of the file, ranks checked."""
    query, items = None, []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            name, rank, item, score = line.rstrip("\n").split("\t")
            if name != query:
                if items:
                    yield query, items
                query, items = name, []
            items.append((item, score))
            if int(rank) != len(items):
                sys.exit(f"{path}:{number}: rank {rank} is number {len(items)} of its list")
    if items:
        yield query, items


def read_events(path):
    """user -> [(seconds, row, item)] in order of time, then of the file."""
    users = collections.defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for row, event in enumerate(csv.DictReader(file)):
            users[event["USER_ID"]].append((seconds(event["TIMESTAMP"]), row, event["ITEM_ID"]))
    for events in users.values():
        events.sort()
    return users


def seconds(text):
    value = float(text)
    return value / 1000 if value >= 1e11 else value


def queries_of(options):
    """query -> set of answers"""
    users = read_events(options.answers)
    if options.what == "once":
        return {user: {item for _, _, item in events} for user, events in users.items()}
    return {f"{user}:{n}": {events[n - 1][2]} for user, events in users.items()
            for n in range(2, len(events) + 1) if events[n - 1][0] >= options.start}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("once", "events"))
    parser.add_argument("lists")
    parser.add_argument("answers")
    parser.add_argument("--history")
    parser.add_argument("--as-listed", action="store_true")
    parser.add_argument("--from", dest="start", type=float, default=-math.inf)
    options = parser.parse_args()
    queries = queries_of(options)
    count, listed, sums = len(queries), set(), collections.Counter()
    history = {user: {item for _, _, item in events} for user, events in
               (read_events(options.history) if options.history else {}).items()}
    for query, items in lists_in(options.lists):
        if any(item in history.get(query, ()) for item, _ in items):
            sys.exit(f"{options.lists}: user {query} is shown an item of his history")
        answers = queries.pop(query, None)
        if answers is None:
            continue  # a user who has no answer
        listed.update(item for item, _ in items[:25])
        ranks = ranks_of(items, answers, options.as_listed)
        if ranks:  # a miss adds nothing
            for key, value in metrics(ranks, len(answers)).items():
                sums[key] += value
    print(json.dumps({"queries": count, "without_list": len(queries),
                      "items_listed": len(listed),
                      **{key: round(sums[key] / max(count, 1), 6) for key in metrics([], 1)}}))


if __name__ == "__main__":
    main()
