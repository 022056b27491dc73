#!/usr/bin/env python3
"""eddy train, recommend and eval as a user types them: bad files and settings, the form of
lists, what must not change an answer. Needs no Kafka and no Redis."""

import argparse
import json
import math
import os
import subprocess
import tempfile

USERS, ITEMS, EVENTS = 60, 40, 24
failures = 0


def check(held, what, more=""):
    global failures
    if not held:
        failures += 1
        print("FAILED", what, more)


def run(*arguments, **keywords):
    return subprocess.run([EDDY, *arguments], capture_output=True, text=True,
                          timeout=120, check=False, **keywords)


def walks():
    """Users on a ring of items; who has stride s moves by s. [(user, item, time)], in time
    order over all users."""
    rows = []
    for event in range(EVENTS):
        for user in range(USERS):
            item = (user * 7 + event * (1 + user % 3)) % ITEMS
            rows.append((f"u{user}", f"i{item}", 1_600_000_000 + event * 10_000 + user))
    return rows


def write(path, rows, header="USER_ID,ITEM_ID,TIMESTAMP"):
    with open(path, "w", encoding="utf-8") as file:
        file.write(header + "\n")
        for row in rows:
            file.write(",".join(map(str, row)) + "\n")
    return path


def lists_of(path):
    lists = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            query, rank, item, score = line.rstrip("\n").split("\t")
            entries = lists.setdefault(query, [])
            check(int(rank) == len(entries) + 1, "ranks count from 1", line)
            check(not entries or float(score) <= entries[-1][1], "scores fall", line)
            entries.append((item, float(score)))
    return lists


QUICK = ["--set", "hidden_dimension=32", "--set", "epochs=60", "--set", "patience=60",
         "--set", "learning_rate=0.01", "--set", "dropout=0", "-q"]


def bad_command_lines(all_csv):
    for arguments, code, words in (
            (["train", "-i", all_csv], 64, "--model"),
            (["train", "-i", all_csv, "-o", "m", "--set", "hidden_dimension=31"], 64,
             "32 to 256"),
            (["train", "-i", all_csv, "-o", "m", "--set", "hiden_dimension=64"], 64,
             "hidden_dimension"),
            (["train", "-i", all_csv, "-o", "m", "--set", "dropout"], 64, "NAME=VALUE"),
            (["train", "-i", all_csv, "-o", "m", "--recipe", "aws-magic"], 64, "aws-hrnn"),
            (["train", "-i", "absent.csv", "-o", "m"], 74, "absent.csv"),
            (["recommend", "-m", "absent", "-i", all_csv, "-o", "-"], 74, "absent"),
            (["recommend", "-m", "m", "-i", all_csv, "-o", "-", "--refresh", "60"], 64,
             "--stream"),
            (["eval", "-m", "m", "-i", all_csv, "--protocol", "oracle"], 64, "loo"),
            (["eval", "-m", "m", "-i", all_csv, "--protocol", "loo", "--from",
              "2021-07-01"], 64, "successive")):
        done = run(*arguments)
        check(done.returncode == code, arguments, (done.returncode, done.stderr))
        check(words in done.stderr, arguments, done.stderr)


def bad_files(folder, rows):
    head = "USER_ID,ITEM_ID,TIMESTAMP"
    for name, header, lines, words in (
            ("time.csv", head, rows[:5] + [("u1", "i1", "yesterday")],
             "time.csv:7: column TIMESTAMP"),
            ("item.csv", head, rows[:2] + [("u1", "", 1600000000)],
             "item.csv:4: column ITEM_ID"),
            ("column.csv", "USER_ID,TIMESTAMP", [("u1", 1600000000)], "ITEM_ID")):
        path = write(os.path.join(folder, name), lines, header)
        done = run("train", "-i", path, "-o", os.path.join(folder, "m"))
        check(done.returncode == 65, name, done.returncode)
        check(words in done.stderr, name, done.stderr)
    broken = write(os.path.join(folder, "broken.csv"),
                   rows + [("u1", "i1", "yesterday"), ("u2", "", 1600000000)])
    done = run("train", "-i", broken, "-o", os.path.join(folder, "m"), "--skip-bad",
               "--json", "--set", "epochs=1", "-q")
    check(done.returncode == 0, "--skip-bad", done.stderr)
    check(json.loads(done.stdout)["skipped"] == 2, "--skip-bad counts", done.stdout)
    few = write(os.path.join(folder, "few.csv"), rows[:999])
    done = run("train", "-i", few, "-o", os.path.join(folder, "m"), "-q")
    check(done.returncode == 65 and "fewer than 1000 interactions" in done.stderr,
          "999 interactions", done.stderr)
    users = write(os.path.join(folder, "users.csv"), [("u1", 30)], "USER,AGE")
    done = run("train", "-i", broken, "-U", users, "-o", os.path.join(folder, "m"))
    check(done.returncode == 65 and "[USER_ID]" in done.stderr, "users file", done.stderr)


def items_and_users(folder, rows):
    """Items of a file come first, those that only interactions know behind them."""
    items = write(os.path.join(folder, "items.csv"),
                  [("unsold", '"A, title"', "x|y"), ("i3", "Three", "z")],
                  "ITEM_ID,TITLE,GENRES")
    users = write(os.path.join(folder, "people.csv"), [("u1", 30), ("u2", 40)],
                  "USER_ID,AGE")
    all_csv = write(os.path.join(folder, "rows.csv"), rows)
    model = os.path.join(folder, "with-items")
    done = run("train", "-i", all_csv, "-I", items, "-U", users, "-o", model, "-q",
               "--set", "epochs=1", "--set", "hidden_dimension=32")
    check(done.returncode == 0, "items and users", done.stderr)
    check("2 users with metadata" in done.stdout, "users are reported", done.stdout)
    with open(os.path.join(model, "catalog.csv"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    check(lines[0] == "ITEM_ID,TITLE,GENRES", "columns of the catalogue", lines[0])
    check(lines[1] == 'unsold,"A, title",x|y' and lines[2] == "i3,Three,z",
          "items of the file", lines[1:3])
    check(len(lines) == 1 + ITEMS + 1, "items of the interactions", len(lines))


def kernels_of_openblas(all_csv):
    """A core type older than the CPU does not stay."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        if "avx2" not in file.read():
            return
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Prescott"}
    arguments = ("train", "-i", all_csv, "-o",
                 os.path.join(os.path.dirname(all_csv), "kernels"), "--set", "epochs=1",
                 "--set", "hidden_dimension=32")
    done = run(*arguments, env=environment)
    check("Prescott" not in done.stderr, "OpenBLAS' kernels", done.stderr)
    environment["EDDY_KEEP_BLAS_CORE"] = "1"
    done = run(*arguments, env=environment)
    check("warning" in done.stderr and "Prescott" in done.stderr, "poor kernels",
          done.stderr)


def one_seed_one_model(folder, all_csv):
    versions = {}
    for name, more in (("a", ["--threads", "1"]), ("b", ["--threads", "3"]),
                       ("c", ["--seed", "2"])):
        done = run("train", "-i", all_csv, "-o", os.path.join(folder, name), "--json",
                   "--set", "epochs=2", "--set", "hidden_dimension=32", "-q", *more)
        check(done.returncode == 0, name, done.stderr)
        versions[name] = json.loads(done.stdout)["model"]
    check(versions["a"] == versions["b"], "threads do not change the model", versions)
    check(versions["a"] != versions["c"], "seeds do", versions)


def recommend(folder, model, csv, name, *more):
    path = os.path.join(folder, name)
    done = run("recommend", "-m", model, "-i", csv, "-o", path, "-k", "5", "-q", *more)
    check(done.returncode == 0, name, done.stderr)
    return path


def forms_of_lists(folder, model, all_csv, rows):
    ends = lists_of(recommend(folder, model, all_csv, "ends.tsv", "--exclude-seen"))
    check(len(ends) == USERS, "one query per user", len(ends))
    seen = {}
    for user, item, _ in rows:
        seen.setdefault(user, set()).add(item)
    check(not any(item in seen[user] for user, entries in ends.items()
                  for item, _ in entries), "--exclude-seen")
    every = recommend(folder, model, all_csv, "every.tsv", "--every-event")
    wanted = {f"u{u}:{n}" for u in range(USERS) for n in range(2, EVENTS + 1)}
    check(set(lists_of(every)) == wanted, "--every-event")
    one = recommend(folder, model, all_csv, "one.tsv", "--every-event", "--threads", "1")
    with open(every, "rb") as a, open(one, "rb") as b:
        check(a.read() == b.read(), "threads do not change lists")
    stream = lists_of(recommend(folder, model, all_csv, "stream.tsv", "--every-event",
                                "--stream", "--refresh", "3600"))
    check(stream == lists_of(every), "a stream in time order answers as histories do")
    cut = len(rows) // 2
    half = write(os.path.join(folder, "half.csv"), rows[:cut])
    start = rows[cut // 2][2]
    part = lists_of(recommend(folder, model, half, "part.tsv", "--every-event", "--stream",
                              "--refresh", "3600", "--from", str(start)))
    check(part and all(stream[query] == entries for query, entries in part.items()),
          "no answer depends on a later row")
    late = {f"{user}:{1 + sum(r[0] == user for r in rows[:at])}"
            for at, (user, _, time) in enumerate(rows[:cut]) if time >= start}
    check(set(part) == {query for query in late if not query.endswith(":1")}, "--from")
    cold = write(os.path.join(folder, "cold.csv"), [("new", "unheard-of", 1600000000)])
    entries = lists_of(recommend(folder, model, cold, "cold.tsv"))["new"]
    check(len(entries) == 5, "popular items for a user without a known item", entries)


def evaluation(folder, model, all_csv, rows):
    done = run("eval", "-m", model, "-i", all_csv, "--protocol", "loo", "--json", "-q",
               "--keep-seen")
    check(done.returncode == 0, "eval", done.stderr)
    result = json.loads(done.stdout)
    check(result["queries"] == USERS, "loo asks once per user", result)
    histories = {}
    for user, item, time in rows:
        histories.setdefault(user, []).append((user, item, time))
    shorter = write(os.path.join(folder, "shorter.csv"),
                    [row for events in histories.values() for row in events[:-1]])
    lists = lists_of(recommend(folder, model, shorter, "loo.tsv", "-k", "10"))
    hits = gain = 0
    for user, events in histories.items():
        items = [item for item, _ in lists[user]]
        if events[-1][1] in items:
            hits += 1
            gain += 1 / math.log2(2 + items.index(events[-1][1]))
    check(abs(result["hr@10"]["mean"] - hits / USERS) < 1e-6, "HR@10", result["hr@10"])
    check(abs(result["ndcg@10"]["mean"] - gain / USERS) < 1e-6, "NDCG@10",
          (result["ndcg@10"], gain / USERS))
    check(result["hr@10"]["mean"] > 0.9, "the walks were learned", result["hr@10"])
    done = run("eval", "-m", model, "-i", all_csv, "--protocol", "sessions", "--json", "-q")
    check(json.loads(done.stdout)["queries"] == USERS * (EVENTS - 1), "sessions")
    start = rows[len(rows) // 2][2]
    done = run("eval", "-m", model, "-i", all_csv, "--protocol", "successive", "--from",
               str(start), "--json", "-q")
    check(json.loads(done.stdout)["queries"] == sum(r[2] >= start for r in rows),
          "successive", done.stdout)


def main():
    rows = walks()
    with tempfile.TemporaryDirectory() as folder:
        all_csv = write(os.path.join(folder, "all.csv"), rows)
        model = os.path.join(folder, "model")
        bad_command_lines(all_csv)
        bad_files(folder, rows)
        items_and_users(folder, rows)
        kernels_of_openblas(all_csv)
        one_seed_one_model(folder, all_csv)
        done = run("train", "-i", all_csv, "-o", model, "--recipe", "hrnn",
                   "--hold-out", "loo", *QUICK)
        check(done.returncode == 0, "train", done.stderr)
        forms_of_lists(folder, model, all_csv, rows)
        evaluation(folder, model, all_csv, rows)
    print("models:", "FAILED" if failures else "passed")
    return 1 if failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eddy", default="build/dev/eddy")
    EDDY = os.path.abspath(parser.parse_args().eddy)
    raise SystemExit(main())
