#!/usr/bin/env python3
"""Make the samples of pipelines/ again: interactions to train on, events to play.

    python3 tests/tools/make_samples.py              writes the CSV and JSONL files
    python3 tests/e2e/test_pipelines.py --update     trains the models, writes the lists

Everything is drawn from a seed; nothing is taken from a data set.
"""

import csv
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import data  # noqa: E402

PIPELINES = os.path.join(HERE, "..", "..", "pipelines")
BEGIN_MS = 1_767_225_600_000  # 2026-01-01


def clickstream():
    folder = os.path.join(PIPELINES, "clickstream")
    things = ["lamp", "chair", "desk", "shelf", "rug", "mug", "kettle", "bowl", "pan",
              "knife", "tent", "stove", "torch", "boots", "rope", "novel", "atlas",
              "diary", "comic", "globe"]
    kinds = ["oak", "steel", "blue", "small"]
    items = [f"{kind}-{thing}" for thing in things for kind in kinds]
    rows = data.generated(1600, users=70, items=len(items), seed=11, begin_ms=BEGIN_MS)
    with open(os.path.join(folder, "interactions.csv"), "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE"])
        for user, item, at, kind in rows:
            out.writerow([user, items[int(item[5:])], at // 1000, kind,
                          19.9 if kind == "purchase" else ""])
    with open(os.path.join(folder, "items.csv"), "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["ITEM_ID", "NAME", "CATEGORY_L1"])
        for number, item in enumerate(items):
            out.writerow([item, item.replace("-", " ").capitalize(),
                          ["home", "kitchen", "outdoors", "books"][number // 20]])
    with open(os.path.join(folder, "events.jsonl"), "w") as file:
        at = BEGIN_MS + 4 * 86400 * 1000
        draw = random.Random(12)
        names = ["ada", "ben", "cleo", "dan", "eve", "finn"]
        for turn in range(60):
            name = names[turn % 6] if turn < 36 else draw.choice(names)
            at += draw.randrange(1_000, 40_000)
            place = (names.index(name) * 13 + turn // 6) % len(items)
            event = {"user": name, "item": items[place], "ts": at, "type": "click",
                     "session": f"{name}-{turn // 24}", "id": f"event-{turn}"}
            if turn % 9 == 8:
                event.update(type="purchase", value=19.9)
            if turn % 7 == 6:
                event["impression"] = [items[(place + i) % len(items)] for i in range(4)]
            file.write(json.dumps(event, separators=(",", ":")) + "\n")
            if turn % 20 == 19:  # a client that sends again: same id, dropped
                file.write(json.dumps(event, separators=(",", ":")) + "\n")


def movielens():
    """Ids and times in the shape of MovieLens: numbers, seconds, ratings 1 to 5."""
    folder = os.path.join(PIPELINES, "movielens")
    draw = random.Random(21)
    rows = []
    for user in range(1, 81):
        at = BEGIN_MS // 1000 + draw.randrange(30 * 86400)
        taste, seen = user % 5, set()
        for _ in range(20 + draw.randrange(10)):
            shelf = taste if draw.random() < 0.85 else draw.randrange(5)
            movie = 1 + shelf * 24 + min(23, int(draw.expovariate(0.12)))
            if movie in seen:
                continue
            seen.add(movie)
            rows.append((user, movie, at, 3 + (shelf == taste) + draw.randrange(2)))
            at += draw.choice((12, 25, 40, 70, 86400))
    rows.sort(key=lambda row: row[2])
    head = ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE"]
    for name, chosen in (("interactions.csv", [r for r in rows if r[0] <= 72]),
                         ("events.csv", [r for r in rows if r[0] > 72])):
        with open(os.path.join(folder, name), "w", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(head)
            for user, movie, at, rating in chosen:
                out.writerow([user, movie, at, "rating", rating])


clickstream()
movielens()
