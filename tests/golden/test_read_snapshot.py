#!/usr/bin/env python3
"""Lists of `eddy recommend` against those of read_snapshot.py, which shares no code with it.

    test_read_snapshot.py EDDY

A made-up shop: users of five sizes take things of their size, mostly the neighbour of what
they took last, on devices at hours. Models: one of every shape that a recipe has: tables and
head, networks of each cell and mode with metadata, texts and context of requests, cold items
alone, counts. Scores have to agree within TOLERANCE; items nearer to each other than that may
change places.
"""
import collections
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


def write_texts(folder):
    """texts.csv: users.csv with what the users say of themselves, which tells their size."""
    words = {"XS": "Très petite! <b>mini</b> 소형 小さい", "S": "klein &amp; FEIN 작은옷을 좋아함 小",
             "M": "Ma\u00dfvoll (1995) 보통 사이즈 ＭＩＤＤＬＥ", "L": "Großes ČERNÉ 큰옷 ВЕЛИКИЙ 大きい服",
             "XL": "ΜΕΓΆΛΟ robots & <unclosed 아주큰옷만삽니다 特大サイズの服"}
    with open(os.path.join(folder, "users.csv"), encoding="utf-8") as file:
        header, *lines = file.read().splitlines()
    with open(os.path.join(folder, "texts.csv"), "w", encoding="utf-8") as file:
        print(header.replace("SIZE", "SAYS"), file=file)
        for n, line in enumerate(lines):
            user, size, rest = line.split(",", 2)
            says = words[size] + " %d " % (n % 40) + words[size][:n % 9]
            print(user, '"%s"' % says, rest, sep=",", file=file)


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


SMALL = ["--set", "hidden_dimension=32", "--set", "epochs=4"]


def check_model(eddy, folder, name, settings, shown=False, request={}, cold=False,
                users_file="users.csv", hides=0):
    """hides: at least so many items are in no list."""
    path = lambda file: os.path.join(folder, file)
    model, lists = path(name), path(name + ".tsv")
    subprocess.run([eddy, "train", "-q", "-i", path("events.csv"), "-I", path("items.csv"),
                    "-U", path(users_file), "-o", model, "--threads", "1"] + settings,
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run([eddy, "recommend", "-q", "-m", model, "-i", path("asked.csv"), "-U",
                    path(users_file), "-k", str(K), "--exclude-seen", "--threads", "1",
                    "-o", lists] + [word for pair in request.items()
                                    for word in ("--context", "=".join(pair))], check=True)
    snapshot = read_snapshot.Snapshot(model)
    histories = read_snapshot.read_histories(path("asked.csv"))
    users = read_snapshot.read_users(path(users_file))
    eddys, problems, places, equal = read_lists(lists), [], 0, 0
    assert len(eddys) == len(set(histories) | set(users))
    for user in list(histories) + ["new%d" % n for n in range(5)]:
        everything = snapshot.list(histories.get(user, []), users.get(user), 10 ** 6, True, request)
        problems += compare(user, eddys[user], everything[:K], dict(everything))
        places += len(eddys[user])
        equal += sum(a == b for (a, _), (b, _) in zip(eddys[user], everything))
    used = sorted(key for key in snapshot.tensors if "." in key and "layers" not in key)
    print("%s: %d of %d places equal; head tensors %s"
          % (name, equal, places, [key for key in used if not key.startswith(("input", "user"))]))
    has_shown = any(len(row) > 4 and row[4] != 0 for row in snapshot.head["weight"])
    if has_shown != shown:
        problems.append("the head %s at what was shown"
                        % ("looks" if has_shown else "does not look"))
    if cold and "cold.place" not in snapshot.tensors:
        problems.append("new items have no place of their own")
    if not hides <= len(snapshot.hidden) <= 120 * hides:
        problems.append("%d items are hidden" % len(snapshot.hidden))
    if equal <= 0.9 * places or places < 100:
        problems.append("%d of %d places are equal" % (equal, places))
    print("\n".join(problems[:20]))
    return not problems


def same_hashes(folder, model):
    """The manifest's hashes of texts are those that two users and more have by Python."""
    manifest = read_snapshot.Snapshot(os.path.join(folder, model)).manifest
    (column,) = [column for column in manifest["features"]["users"]["columns"]
                 if column["kind"] == "text"]
    users = read_snapshot.read_users(os.path.join(folder, "texts.csv")).values()
    counts = collections.Counter(bucket for row in users
                                 for bucket in read_snapshot.buckets_of(row[column["name"]]))
    wanted = sorted(bucket for bucket, count in counts.items() if count > 1)
    if column["buckets"] != wanted:
        print("texts: %d hashes, by Python %d, %d of both"
              % (len(column["buckets"]), len(wanted), len(set(wanted) & set(column["buckets"]))))
    return column["buckets"] == wanted


def main():
    (eddy,) = sys.argv[1:]
    eddy = os.path.abspath(eddy)
    with tempfile.TemporaryDirectory() as folder:
        write_shop(folder)
        write_texts(folder)
        check = lambda *args, **rest: check_model(eddy, folder, *args, **rest)
        good = check("whole", SMALL + ["--set", "validation_fraction=0.2"], cold=True)
        good &= check("network", SMALL + ["--recipe", "aws-hrnn-metadata", "--set", "mode=init",
                                          "--set", "cell=gru"],
                      request={"deviceType": "TV", "hour": "12.5"})
        good &= check("plain", SMALL + ["--recipe", "aws-hrnn", "--set", "mode=all",
                                        "--set", "cell=plain_gru"])
        good &= check("texts", SMALL + ["--recipe", "aws-hrnn-metadata", "--set", "mode=all",
                                        "--column", "USERS.SAYS=text"], users_file="texts.csv")
        good &= same_hashes(folder, "texts")
        good &= check("coldstart", SMALL + ["--recipe", "aws-hrnn-coldstart"], hides=50)
        for recipe in ("aws-sims", "aws-similar-items", "aws-popularity-count",
                       "aws-trending-now"):
            good &= check(recipe, ["--recipe", recipe])
        show(folder)
        good &= check("shown", SMALL + ["--set", "validation_fraction=0.2"], True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
