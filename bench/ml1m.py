#!/usr/bin/env python3
"""MovieLens-1M leave-one-out, the outside of it: interactions for `eddy train`, and HR@10
and NDCG@10 of a LISTS file, computed without eddy.

    ml1m.py csv FOLDER OUT          ml-1m_sas.txt and ratings.csv of FOLDER -> Amazon's CSV
    ml1m.py score FOLDER LISTS      LISTS of `eddy recommend` -> metrics as JSON

Items and their order are those of ml-1m_sas.txt (git blob 9ab8e3ed..., the file of
SASRec and BERT4Rec); times are those of ratings.csv, which never decrease along it. The
last event of each user is the answer. Files may be zstd-compressed (needs `zstd`).
"""
import csv
import hashlib
import io
import json
import math
import os
import subprocess
import sys

BLOB = "9ab8e3edb8742f8d8cc4911e3dee25e82a6fcc24"


def read(folder, name):
    plain = os.path.join(folder, name)
    if os.path.exists(plain):
        with open(plain, "rb") as file:
            return file.read()
    return subprocess.run(["zstd", "-dcq", plain + ".zst"], check=True,
                          stdout=subprocess.PIPE).stdout


def official(folder):
    """[(user, item)] in file order; refuses another file."""
    data = read(folder, "ml-1m_sas.txt")
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    if blob != BLOB:
        sys.exit(f"ml1m.py: ml-1m_sas.txt has blob {blob}, the official file {BLOB}")
    return [tuple(line.split()) for line in data.decode().splitlines()]


def id_map(folder, name):
    rows = csv.reader(io.StringIO(read(folder, name).decode()))
    next(rows)
    return {ours: theirs for ours, theirs in rows}


def write_csv(folder, out):
    users = id_map(folder, "sas_user_map.csv")
    items = id_map(folder, "sas_item_map.csv")
    times = {}
    for row in csv.DictReader(io.StringIO(read(folder, "ratings.csv").decode())):
        times[row["user_id"], row["movie_id"]] = int(row["timestamp"])
    last = {}
    with open(out, "w", encoding="utf-8") as file:
        file.write("USER_ID,ITEM_ID,TIMESTAMP\n")
        for user, item in official(folder):
            time = times[users[user], items[item]]
            if time < last.get(user, 0):
                sys.exit(f"ml1m.py: time of user {user} decreases at item {item}")
            last[user] = time
            file.write(f"{user},{item},{time}\n")


def score(folder, lists):
    answers, history = {}, {}
    for user, item in official(folder):
        history.setdefault(user, []).append(item)
    for user, items in history.items():
        answers[user] = items.pop()
    hits = gain = seen = rows = 0
    with open(lists, encoding="utf-8") as file:
        for line in file:
            user, rank, item, _ = line.rstrip("\n").split("\t")
            rows += 1
            seen += item in history[user]
            if item == answers[user] and int(rank) <= 10:
                hits += 1
                gain += 1 / math.log2(int(rank) + 1)
    count = len(answers)
    print(json.dumps({"users": count, "rows": rows, "seen_in_lists": seen,
                      "hr@10": round(hits / count, 4), "ndcg@10": round(gain / count, 4)}))


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "csv":
        write_csv(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 4 and sys.argv[1] == "score":
        score(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)
