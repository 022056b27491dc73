#!/usr/bin/env python3
"""Research data sets as Amazon's CSV files, for bench/quality.sh and for experiments.

    data.py SET DATA OUT      SET's files below the folder DATA -> CSV files in folder OUT
    data.py                   the sets, and what OUT then holds

DATA has one folder per set, as bench/README.md lists them. Files may be zstd-compressed
(needs `zstd`). Nothing is drawn at random but the workshop's own permutation of items, which
is NumPy's RandomState(42) and is redone here without NumPy.
"""
import csv
import io
import json
import os
import sys

import ml1m

WORKSHOP_SEED = 42
WORKSHOP_ROWS = 433180, 51166  # train and test, as its notebooks print them


def rows_of(folder, name, delimiter=","):
    text = ml1m.read(folder, name).decode("utf-8")
    return csv.DictReader(io.StringIO(text), delimiter=delimiter)


class Writer:
    """A CSV file; ids never need quoting here but titles do."""

    def __init__(self, out, name, header):
        self.file = open(os.path.join(out, name), "w", encoding="utf-8", newline="")
        self.csv = csv.writer(self.file, lineterminator="\n")
        self.csv.writerow(header)
        self.row = self.csv.writerow


EVENTS = ["USER_ID", "ITEM_ID", "TIMESTAMP"]


# ---- NumPy's RandomState(seed).permutation, legacy generator (MT19937) ----------------

class MersenneTwister:
    """32-bit outputs of MT19937 seeded by one number (Matsumoto and Nishimura, 1998)."""

    def __init__(self, seed):
        state = [seed & 0xFFFFFFFF]
        for i in range(1, 624):
            state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xFFFFFFFF)
        self.state, self.at = state, 624

    def refill(self):
        s = self.state
        for i in range(624):
            y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7FFFFFFF)
            s[i] = s[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
        self.at = 0

    def next(self):
        if self.at == 624:
            self.refill()
        y = self.state[self.at]
        self.at += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)


def permuted(values, seed):
    """Fisher-Yates from the end, indices by masked rejection, as RandomState does."""
    twister, values = MersenneTwister(seed), list(values)
    for i in range(len(values) - 1, 0, -1):
        mask = (1 << i.bit_length()) - 1
        while (j := twister.next() & mask) > i:
            pass
        values[i], values[j] = values[j], values[i]
    return values


# ---- MovieLens-1M ----------------------------------------------------------------------

def movies(folder):
    """{movie: (title, year, genres)}"""
    text = ml1m.read(folder, "movies.dat").decode("latin-1")
    result = {}
    for line in text.splitlines():
        movie, title, genres = line.split("::")
        year = title[-5:-1] if title.endswith(")") else ""
        result[movie] = (title, year, genres)
    return result


def write_users(folder, out, names):
    users = Writer(out, "users.csv", ["USER_ID", "GENDER", "AGE", "OCCUPATION"])
    for line in ml1m.read(folder, "users.dat").decode("latin-1").splitlines():
        user, gender, age, occupation, _ = line.split("::")
        if user in names:
            users.row([names[user], gender, "age" + age, "job" + occupation])


def write_items(out, known, names, columns):
    items = Writer(out, "items.csv", ["ITEM_ID"] + columns)
    for movie, (title, year, genres) in known.items():
        if movie in names:
            fields = {"TITLE": title, "YEAR": year, "GENRES": genres, "GENRE": genres}
            items.row([names[movie]] + [fields[column] for column in columns])


def ml1m_loo(data, out):
    folder = os.path.join(data, "ml-1m")
    ml1m.write_csv(folder, os.path.join(out, "all.csv"))
    hold_out_last(out)
    items = {theirs: ours for ours, theirs in ml1m.id_map(folder, "sas_item_map.csv").items()}
    users = {theirs: ours for ours, theirs in ml1m.id_map(folder, "sas_user_map.csv").items()}
    write_items(out, movies(folder), items, ["TITLE", "YEAR", "GENRES"])
    write_users(folder, out, users)


def hold_out_last(out):
    """all.csv -> train.csv without each user's last row, test.csv with it."""
    last = {}
    with open(os.path.join(out, "all.csv"), encoding="utf-8") as file:
        lines = file.read().splitlines()[1:]
    for number, line in enumerate(lines):
        last[line.split(",", 1)[0]] = number
    held = set(last.values())
    for name, keep in (("train.csv", False), ("test.csv", True)):
        with open(os.path.join(out, name), "w", encoding="utf-8") as file:
            file.write(",".join(EVENTS) + "\n")
            file.writelines(line + "\n" for number, line in enumerate(lines)
                            if (number in held) == keep)


def workshop_items(ratings):
    """(cold, warm) halves of the items in file order, permuted."""
    order = permuted(dict.fromkeys(row["movie_id"] for row in ratings), WORKSHOP_SEED)
    half = len(order) // 2
    return set(order[:half]), set(order[half:])


def ranked_late(rows):
    """Indices of the rows with a per-user rank of time above 90 % (method "first")."""
    by_user, late = {}, set()
    for number, row in enumerate(rows):
        by_user.setdefault(row["user_id"], []).append((int(row["timestamp"]), number))
    for events in by_user.values():
        events.sort()
        late.update(number for rank, (_, number) in enumerate(events, 1)
                    if rank / len(events) > 0.9)
    return late


def write_ratings(out, name, rows):
    events = Writer(out, name, EVENTS + ["EVENT_TYPE", "EVENT_VALUE"])
    for row in rows:
        events.row([row["user_id"], row["movie_id"], row["timestamp"], "RATING",
                    row["rating"]])


def ml1m_workshop(data, out):
    folder = os.path.join(data, "ml-1m")
    ratings = list(rows_of(folder, "ratings.csv"))
    _, warm = workshop_items(ratings)
    rows = [row for row in ratings if row["movie_id"] in warm]
    late = ranked_late(rows)
    found = len(rows) - len(late), len(late)
    if found != WORKSHOP_ROWS:
        sys.exit("data.py: ml-1m-workshop: %d rows to train on and %d to test; the workshop "
                 "has %d and %d: is %s/ratings.csv whole and in its first order?" % (
                     *found, *WORKSHOP_ROWS, folder))
    write_ratings(out, "all.csv", rows)
    write_ratings(out, "train.csv", [row for n, row in enumerate(rows) if n not in late])
    write_ratings(out, "test.csv", [row for n, row in enumerate(rows) if n in late])
    every = {row["movie_id"]: row["movie_id"] for row in ratings}
    write_items(out, movies(folder), every, ["GENRE"])
    print("train %d rows, test %d: those of the workshop" % found)


def ml1m_cold(data, out):
    folder = os.path.join(data, "ml-1m")
    ratings = list(rows_of(folder, "ratings.csv"))
    cold, warm = workshop_items(ratings)
    write_ratings(out, "all.csv", ratings)
    write_ratings(out, "train.csv", [row for row in ratings if row["movie_id"] in warm])
    write_ratings(out, "cold.csv", [row for row in ratings if row["movie_id"] in cold])
    every = {row["movie_id"]: row["movie_id"] for row in ratings}
    write_items(out, movies(folder), every, ["TITLE", "YEAR", "GENRES"])


def ml1m_successive(data, out):
    ml1m.write_csv(os.path.join(data, "ml-1m"), os.path.join(out, "all.csv"))
    with open(os.path.join(out, "all.csv"), encoding="utf-8") as file:
        lines = file.read().splitlines()[1:]
    times = sorted(int(line.rsplit(",", 1)[1]) for line in lines)
    start = times[int(0.9 * (len(times) - 1))]
    with open(os.path.join(out, "train.csv"), "w", encoding="utf-8") as file:
        file.write(",".join(EVENTS) + "\n")
        file.writelines(line + "\n" for line in lines
                        if int(line.rsplit(",", 1)[1]) < start)
    print(f"test from {start} (the 90 % quantile of all times)")


# ---- Amazon reviews (no times: positions stand for them) --------------------------------

def amazon(name):
    def convert(data, out):
        folder = os.path.join(data, name)
        events = Writer(out, "all.csv", EVENTS)
        for line in ml1m.read(folder, "sequences.txt").decode().splitlines():
            user, *items = line.split()
            for position, item in enumerate(items):
                events.row([user, item, position])
        events.file.close()
        hold_out_last(out)
        attributes = json.loads(ml1m.read(folder, "item2attributes.json"))
        items = Writer(out, "items.csv", ["ITEM_ID", "ATTRIBUTES"])
        for item, values in attributes.items():
            items.row([item, "|".join(f"a{value}" for value in values)])
    return convert


# ---- sessions (no times: the order of the file stands for them) ------------------------

def put_session(events, number, items):
    """Sessions an hour apart, their events a minute apart."""
    for position, item in enumerate(items):
        events.row([f"s{number}", item, 1_000_000_000 + number * 3600 + position * 60])


def sessions(name):
    def convert(data, out):
        folder = os.path.join(data, name)
        number = 0
        events = Writer(out, "train.csv", EVENTS)
        for line in ml1m.read(folder, "train_sessions.txt").decode().splitlines():
            put_session(events, number, line.split())
            number += 1
        events = Writer(out, "test.csv", EVENTS)
        begins = True  # a session's longest prefix comes first, its shortest last
        for line in ml1m.read(folder, "test_prefixes.tsv").decode().splitlines():
            prefix, target = line.split("\t")
            if begins:
                put_session(events, number, prefix.split() + [target])
                number += 1
            begins = len(prefix.split()) == 1
    return convert


# ---- Globo -----------------------------------------------------------------------------

TEST_DAYS = 3


def globo(data, out):
    rows = []
    for row in rows_of(os.path.join(data, "globo"), "clicks_h000-287.csv"):
        rows.append((int(row["click_timestamp"]), len(rows), row["session_id"],
                     row["click_article_id"], int(row["session_start"]), row["user_id"]))
    start = max(row[4] for row in rows) - TEST_DAYS * 86400_000
    rows.sort()
    for name, who in (("", 2), ("user-", 5)):
        everything = Writer(out, name + "all.csv", EVENTS)
        train = Writer(out, name + "train.csv", EVENTS)
        for row in rows:
            everything.row([row[who], row[3], row[0]])
            if row[0] < start:
                train.row([row[who], row[3], row[0]])
    print(f"the last {TEST_DAYS} days begin at {start}")


# ---- trivago (RecSys Challenge 2019): clicks with what was on the screen ------------------

def trivago(data, out):
    """Events on an item in time order; a click-out has the list that it was taken from."""
    header = EVENTS + ["EVENT_TYPE", "IMPRESSION"]
    everything, clicks = Writer(out, "all.csv", header), Writer(out, "clicks.csv", header)
    rows = [row for row in rows_of(os.path.join(data, "trivago"), "events_20181107.csv")
            if row["reference"].isdigit()]
    rows.sort(key=lambda row: int(row["timestamp"]))  # equal times stay as they are
    last = {}
    for row in rows:
        user, item, shown = row["user_id"], row["reference"], row["impressions"]
        fields = [user, item, row["timestamp"], row["action_type"].replace(" ", "-"), shown]
        if shown:
            clicks.row(fields)
        if shown or last.get(user) != item:  # looking at five pictures is one event
            everything.row(fields)
        last[user] = item


SETS = {
    "ml-1m-loo": (ml1m_loo, "all.csv, train.csv without each user's last event, test.csv with "
                            "it, items.csv, users.csv (official leave-one-out file)"),
    "ml-1m-workshop": (ml1m_workshop, "train.csv and test.csv of the AWS workshop, all.csv of "
                                      "both, items.csv with genres"),
    "ml-1m-cold": (ml1m_cold, "all.csv; train.csv on the warm half, cold.csv on the cold half "
                              "of the items; items.csv of all"),
    "ml-1m-successive": (ml1m_successive, "all.csv, train.csv before the 90 % quantile"),
    "beauty": (amazon("amazon-beauty"), "all.csv, train.csv, test.csv (last events), items.csv"),
    "toys": (amazon("amazon-toys"), "the same"),
    "yoochoose": (sessions("yoochoose"), "train.csv, test.csv: sessions as users"),
    "nowplaying": (sessions("nowplaying"), "the same"),
    "tmall": (sessions("tmall"), "the same"),
    "globo": (globo, "all.csv in click order, train.csv before the last three days: sessions "
                     "as users; user-all.csv, user-train.csv: users as users"),
    "trivago": (trivago, "all.csv: events on hotels, IMPRESSION on click-outs; clicks.csv: "
                         "the click-outs alone"),
}


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in SETS:
        print(__doc__)
        for name, (_, holds) in SETS.items():
            print(f"    {name:18}{holds}")
        return 0 if len(sys.argv) == 1 else 64
    os.makedirs(sys.argv[3], exist_ok=True)
    SETS[sys.argv[1]][0](sys.argv[2], sys.argv[3])
    return 0


if __name__ == "__main__":
    sys.exit(main())
