#!/usr/bin/env python3
"""How lists follow clicks: users of MovieLens-1M who like one genre click three films of another
on the day after their last event, and each time the list is asked for. The AWS workshop does this
with one user at a time (a notebook each).

    clicks.py histories TRAIN.csv ITEMS.csv OUT.csv
    clicks.py score LISTS TRAIN.csv ITEMS.csv

histories: for each user and each number of clicks from 0 to 3 a user CASE:USER:CLICKS with the
user's history and that many clicks. score: LISTS of `eddy recommend` for OUT.csv; per case the
mean number of items in 25 that are of the clicked genre, and of those that stood in the list
before the first click, after 0 to 3 clicks, as one line of JSON. ITEMS has a column GENRE, several
joined by |. Standard library only.
"""
import collections
import csv
import json
import random
import sys

# Liked genre, clicked genres; the workshop's three runs, and what they gave.
CASES = {
    "documentary": ("Sci-Fi", {"Documentary"}),
    "animation-action": ("Animation", {"Action", "Thriller"}),
    "comedy-action": ("Comedy", {"Action", "Thriller"}),
}
USERS, CLICKS, K, KNOWN_FILMS, EVENTS_MIN, DAY = 100, 3, 25, 40, 20, 86400


def read(train, items):
    """Genres by item, and [(time, item)] by user."""
    with open(items, encoding="utf-8", newline="") as file:
        genres = {row["ITEM_ID"]: set(row["GENRE"].split("|")) for row in csv.DictReader(file)}
    histories = collections.defaultdict(list)
    with open(train, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            histories[row["USER_ID"]].append((int(row["TIMESTAMP"]), row["ITEM_ID"]))
    for history in histories.values():
        history.sort(key=lambda event: event[0])
    return genres, histories


def fans(genres, histories, liked, clicked):
    """Users by how much more they like one genre than the other, the first of them."""
    def lead(user):
        films = [genres[item] for _, item in histories[user]]
        return sum((liked in film) - bool(clicked & film) for film in films) / len(films)
    able = [user for user in histories if len(histories[user]) >= EVENTS_MIN]
    return sorted(able, key=lambda user: (-lead(user), user))[:USERS]


def known_films(genres, histories, clicked):
    """Films of the genre that most users have had."""
    count = collections.Counter(item for history in histories.values() for _, item in history)
    return [item for item, _ in count.most_common() if clicked & genres[item]][:KNOWN_FILMS]


def clicks(films, history, user):
    """Three films that the user has not had."""
    had = {item for _, item in history}
    return random.Random(user).sample([film for film in films if film not in had], CLICKS)


def write_histories(train, items, out):
    genres, histories = read(train, items)
    with open(out, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["USER_ID", "ITEM_ID", "TIMESTAMP"])
        for case, (liked, clicked) in CASES.items():
            films = known_films(genres, histories, clicked)
            for user in fans(genres, histories, liked, clicked):
                more = clicks(films, histories[user], user)
                start = histories[user][-1][0] + DAY
                for count in range(CLICKS + 1):
                    events = histories[user] + [(start + 60 * n, film)
                                                for n, film in enumerate(more[:count])]
                    for time, item in events:
                        writer.writerow([f"{case}:{user}:{count}", item, time])


def score(lists, train, items):
    genres, _ = read(train, items)
    found = collections.defaultdict(list)
    with open(lists, encoding="utf-8") as file:
        for line in file:
            query, rank, item = line.split("\t")[:3]
            if int(rank) <= K:
                found[query].append(item)
    answer = {}
    for case, (_, clicked) in CASES.items():
        users = [query.rsplit(":", 1)[0] for query in found
                 if query.startswith(case + ":") and query.endswith(":0")]
        by_count = [[found[f"{user}:{count}"] for user in users] for count in range(CLICKS + 1)]
        answer[case] = {
            "users": len(users),
            "of_genre": [sum(bool(clicked & genres[item]) for one in lists for item in one)
                         / len(users) for lists in by_count],
            "left": [sum(len(set(one) & set(first)) for one, first in zip(lists, by_count[0]))
                     / len(users) for lists in by_count]}
    print(json.dumps(answer))


def main(arguments):
    if len(arguments) == 4 and arguments[0] == "histories":
        write_histories(*arguments[1:])
    elif len(arguments) == 4 and arguments[0] == "score":
        score(*arguments[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
