#!/usr/bin/env python3
"""Lists of `eddy recommend` against those of read_snapshot.py, which shares no code with it.

    test_read_snapshot.py EDDY

A made-up shop: users of five sizes take things of their size, mostly the neighbour of what
they took last, on devices at hours. Models: the whole recipe with tables and head, and a
network with a user level and metadata, asked also with the context of a request. Scores have to agree within TOLERANCE; items nearer to each other than
that may change places.
"""
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import read_snapshot

SIZES, TOLERANCE, K = ["XS", "S", "M", "L", "XL"], 2e-3, 10


def write_shop(folder):
    draw = random.Random(5)
    pick = lambda choices: choices[int(draw.random() * len(choices))]
    with open(os.path.join(folder, "items.csv"), "w", encoding="utf-8") as file:
        print("ITEM_ID,SIZE,TITLE,PRICE", file=file)
        for i in range(120):
            title = pick(["Shirt", "셔츠", "Kleid & Schuh", "帽子"])
            print("i%d,%s,%s %d,%.2f" % (i, SIZES[i % 5], title, i, 5 + 100 * draw.random()),
                  file=file)
    events = open(os.path.join(folder, "events.csv"), "w", encoding="utf-8")
    asked = open(os.path.join(folder, "asked.csv"), "w", encoding="utf-8")
    users = open(os.path.join(folder, "users.csv"), "w", encoding="utf-8")
    print("USER_ID,SIZE,AGE,CITY", file=users)
    for file in (events, asked):
        print("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE,DEVICE_TYPE,HOUR", file=file)
    now = 1600000000
    for u in range(300):
        size = int(draw.random() * 5)
        print("u%d,%s,%d,%s" % (u, SIZES[size], 15 + int(draw.random() * 60),
                                pick(["Ulm", "Seoul", "Bonn|Ulm", ""])), file=users)
        item = int(draw.random() * 22) * 5 + size  # the last ten items are never taken
        for _ in range(4 + int(draw.random() * 12)):
            now += int(draw.random() * 4000)
            row = "u%d,i%d,%d,%s,%s,%s,%s" % (
                u, item, now, pick(["view", "buy", ""]), pick(["", "1", "19.5"]),
                pick(["phone", "TV", "", "watch %d" % now]), pick(["", "%.3f" % (now / 3600 % 24)]))
            print(row, file=events)
            if u < 25:
                print(row, file=asked)
            step = 5 if draw.random() < 0.7 else 5 * int(draw.random() * 22)
            item = (item + step) % 110
    for n, size in enumerate(SIZES):
        print("new%d,%s,%d,Ulm" % (n, size, 20 + n), file=users)
    print("u1,unknown-item,%d,view,,TV," % (now + 9), file=asked)
    print("stranger,unknown-item,%d,view,,TV," % (now + 9), file=asked)
    for file in (events, asked, users):
        file.close()


def show(folder):
    """events.csv and asked.csv with a column IMPRESSION: one event in two has the list that it
    was taken from; two of three next items are from the list before."""
    draw = random.Random(6)
    for name in ("events.csv", "asked.csv"):
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as file:
            header, *lines = file.read().splitlines()
        last = {}  # of a user
        with open(path, "w", encoding="utf-8") as file:
            print(header + ",IMPRESSION", file=file)
            for line in lines:
                user, item, rest = line.split(",", 2)
                if user in last and draw.random() < 0.67:
                    item = last[user][int(draw.random() * len(last[user]))]
                others = ["i%d" % int(draw.random() * 125) for _ in range(2 + len(line) % 8)]
                shown = others + [item] if draw.random() < 0.5 else []
                if shown:
                    last[user] = others
                print(user, item, rest, "|".join(shown), sep=",", file=file)


def read_lists(path):
    lists = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            user, rank, item, score = line.rstrip("\n").split("\t")
            lists.setdefault(user, []).append((item, float(score)))
            assert len(lists[user]) == int(rank)
    return lists


def compare(user, got, want, scores):
    """scores: of all items, by Python."""
    problems = []
    if len(got) != len(want):
        return ["%s: %d items, not %d" % (user, len(got), len(want))]
    for rank, ((item, score), (_, other)) in enumerate(zip(got, want), 1):
        if abs(score - other) > TOLERANCE * (1 + abs(other)):
            problems.append("%s rank %d: score %g, not %g" % (user, rank, score, other))
        if abs(scores[item] - score) > TOLERANCE * (1 + abs(score)):
            problems.append("%s rank %d: %s has %g by Python, not %g"
                            % (user, rank, item, scores[item], score))
    return problems


def check_model(eddy, folder, name, settings, shown=False, request={}, cold=False):
    path = lambda file: os.path.join(folder, file)
    model, lists = path(name), path(name + ".tsv")
    subprocess.run([eddy, "train", "-q", "-i", path("events.csv"), "-I", path("items.csv"),
                    "-U", path("users.csv"), "-o", model, "--threads", "1",
                    "--set", "hidden_dimension=32", "--set", "epochs=4"] + settings,
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run([eddy, "recommend", "-q", "-m", model, "-i", path("asked.csv"), "-U",
                    path("users.csv"), "-k", str(K), "--exclude-seen", "--threads", "1",
                    "-o", lists] + [word for pair in request.items()
                                    for word in ("--context", "=".join(pair))], check=True)
    snapshot = read_snapshot.Snapshot(model)
    histories = read_snapshot.read_histories(path("asked.csv"))
    users = read_snapshot.read_users(path("users.csv"))
    eddys, problems, places, equal = read_lists(lists), [], 0, 0
    assert len(eddys) == len(set(histories) | set(users))
    for user in list(histories) + ["new%d" % n for n in range(5)]:
        everything = snapshot.list(histories.get(user, []), users.get(user), 10 ** 6, True, request)
        problems += compare(user, eddys[user], everything[:K], dict(everything))
        places += K
        equal += sum(a == b for (a, _), (b, _) in zip(eddys[user], everything))
    used = sorted(key for key in snapshot.tensors if "." in key and "layers" not in key)
    print("%s: %d of %d places equal; head tensors %s"
          % (name, equal, places, [key for key in used if not key.startswith(("input", "user"))]))
    print("\n".join(problems[:20]))
    has_shown = any(len(row) > 4 and row[4] != 0 for row in snapshot.head["weight"])
    if has_shown != shown:
        print("the head %s at what was shown" % ("looks" if has_shown else "does not look"))
    if cold and "cold.place" not in snapshot.tensors:
        print("new items have no place of their own")
    return (not problems and equal > 0.9 * places and has_shown == shown and
            (not cold or "cold.place" in snapshot.tensors))


def main():
    (eddy,) = sys.argv[1:]
    eddy = os.path.abspath(eddy)
    with tempfile.TemporaryDirectory() as folder:
        write_shop(folder)
        good = check_model(eddy, folder, "whole", ["--set", "validation_fraction=0.2"], cold=True)
        good &= check_model(eddy, folder, "network",
                            ["--recipe", "aws-hrnn-metadata", "--set", "mode=init",
                             "--set", "cell=gru"],
                            request={"deviceType": "TV", "hour": "12.5"})
        show(folder)
        good &= check_model(eddy, folder, "shown", ["--set", "validation_fraction=0.2"], True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
