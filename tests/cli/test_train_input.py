#!/usr/bin/env python3
"""Bad input of `eddy train`: each fault is named with file, line and column, in Amazon's
words where Amazon has words, and nothing is written."""

import json
import os

import support
from support import Folder, eddy

HEAD = "USER_ID,ITEM_ID,TIMESTAMP\n"
ITEM_ID = {"name": "ITEM_ID", "type": "string"}


def good(rows=1000, users=25):
    """`rows` rows of `users` users, at least two each, in order of time."""
    return "".join(f"u{n % users},i{n % 37},{1600000000 + n}\n" for n in range(rows))


def schema(name, *fields):
    return json.dumps({"type": "record", "name": name,
                       "namespace": "com.amazonaws.personalize.schema",
                       "fields": list(fields), "version": "1.0"})


class Input(Folder):
    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def train(self, interactions, *more, recipe="aws-popularity-count"):
        self.write("f.csv", interactions)
        return eddy("train", "-i", self.path("f.csv"), "-o", self.path("model"),
                    "--recipe", recipe, *more)

    def refused(self, why, interactions, *more, exit_code=65, **others):
        code, out, err = self.train(interactions, *more, **others)
        self.assertEqual((code, out), (exit_code, ""), err)
        self.assertIn(why, err)
        self.assertFalse(os.path.exists(self.path("model")))

    def accepted(self, interactions, *more, **others):
        code, out, err = self.train(interactions, *more, "--json", **others)
        self.assertEqual(code, 0, err)
        return json.loads(out), err

    def test_too_little_data_is_refused_in_amazons_words_by_every_kind_of_recipe(self):
        for recipe in ("aws-popularity-count", "aws-hrnn", "aws-sims"):
            with self.subTest(recipe=recipe):
                whole = ("--set", "min_user_history_length_percentile=0", "--set",
                         "max_user_history_length_percentile=1", "--set",
                         "max_item_interaction_count_percentile=1", "--set",
                         "min_item_interaction_count_percentile=0")
                whole = {"aws-hrnn": whole[:4], "aws-sims": whole}.get(recipe, ())
                self.refused("Dataset has fewer than 1000 interactions after filtering by "
                             "event type: 999", HEAD + good(999), *whole, recipe=recipe)
                self.refused("Dataset has fewer than 25 users with at least 2 "
                             "interactions each: 24",
                             HEAD + good(1000, 24) + "single,i1,1600000000\n", *whole,
                             recipe=recipe)
                fast = ("--set", "epochs=1") if recipe == "aws-hrnn" else ()
                self.accepted(HEAD + good(1000, 25), *whole, *fast, recipe=recipe)
                os.rename(self.path("model"), self.path("model-" + recipe))

    def test_the_minimum_counts_after_the_event_type(self):
        rows = HEAD.strip() + ",EVENT_TYPE,EVENT_VALUE\n" + "".join(
            f"u{n % 30},i{n % 37},{1600000000 + n},{'buy' if n // 30 % 2 else 'click'},{n // 30 % 5}\n"
            for n in range(1998))
        self.refused("fewer than 1000 interactions after filtering by event type: 990", rows,
                     "--event-type", "buy")
        self.refused('no row has the event type "rent"; the file has click, buy', rows,
                     "--event-type", "rent", exit_code=78)
        self.refused("the file has click, buy, see", rows + "u1,i1,1600009999,see,1\n",
                     "--event-type", "rent", exit_code=78)
        low = sum(n // 30 % 5 < 2 for n in range(1998))
        summary, _ = self.accepted(rows, "--event-value-threshold", 2)
        self.assertEqual((summary["events"], summary["dropped_by_value"]), (1998 - low, low))
        summary, _ = self.accepted(rows + "u1,i1,1600009999,buy,1\n" * 10, "--event-type",
                                   "buy")
        self.assertEqual((summary["events"], summary["dropped_by_type"]), (1000, 1008))

    def test_faults_name_file_line_and_column(self):
        cases = [
            ("USER_ID,TIMESTAMP\n", "f.csv:1: Input CSV is missing the following columns:"
                                    "[ITEM_ID]"),
            ("A,B\n", "missing the following columns:[USER_ID, ITEM_ID, TIMESTAMP]"),
            (HEAD + good(3) + "u1,i1,soon\n", "f.csv:5: column TIMESTAMP: 'soon' is neither"),
            (HEAD + "u1,i1,5000000000000000000\n", "f.csv:2: column TIMESTAMP: '50000000"),
            (HEAD + "u1,i1,1600000000\nu1,i1,7\n", "f.csv:3: column TIMESTAMP: '7' is too "
                                                   "small"),
            (HEAD + ",i1,1600000000\n", "f.csv:2: column USER_ID: '' is empty"),
            (HEAD + "u,,1600000000\n", "f.csv:2: column ITEM_ID: '' is empty"),
            (HEAD + "u" * 257 + ",i,1600000000\n", "f.csv:2: column USER_ID: 'uuuu"),
            (HEAD + "u,i\n", "f.csv:2: 2 fields, the header has 3"),
            (HEAD + 'u,"i,1600000000\n', "f.csv:2: field 2 (ITEM_ID): the quote that opens"),
            (HEAD + 'u,i"x",1600000000\n', "f.csv:2: field 2 (ITEM_ID): a quote inside a field"),
            (HEAD.encode() + b"u1,i1,1600000000\nu2,\xc3\x28,1600000000\n",
             "f.csv:3: field 2 (ITEM_ID): not UTF-8"),
            ("USER_ID,ITEM_ID,TIMESTAMP,EVENT_VALUE\nu,i,1600000000,much\n",
             "f.csv:2: column EVENT_VALUE: 'much' is not a finite number"),
            ("USER_ID,ITEM_ID,TIMESTAMP,EVENT_VALUE\nu,i,1600000000,nan\n",
             "column EVENT_VALUE: 'nan'"),
            ("USER_ID,ITEM_ID,TIMESTAMP,ITEM_ID\n", "f.csv:1: column ITEM_ID is there twice"),
            ("", "f.csv: empty, a header"),
            (HEAD, "fewer than 1000 interactions"),
        ]
        for content, why in cases:
            with self.subTest(why=why):
                self.refused(why, content)

    def test_bad_rows_are_left_out_and_counted_when_asked(self):
        bad = HEAD + good() + "u1,i1,soon\n,i1,1600000000\nu1,i1\n"
        self.refused("f.csv:1002: column TIMESTAMP", bad)
        summary, _ = self.accepted(bad, "--skip-bad")
        self.assertEqual((summary["events"], summary["skipped"]), (1000, 3))

    def test_repeated_rows_and_rows_out_of_order_are_said(self):
        _, err = self.accepted(HEAD + good())
        self.assertNotIn("the row is", err)
        lines = good().splitlines()
        _, err = self.accepted(HEAD + "\n".join(lines[:50] + lines[40:]) + "\n")
        self.assertIn("f.csv:52: the row is there before, with the same user, item, time, "
                      "type and value (such rows: 10)", err)
        _, err = self.accepted(HEAD + '"u\n1",i1,1600000000\n' + "\n".join(
            [lines[29], *lines]) + "\n")
        self.assertIn("f.csv:9: the row is older than the row before", err)
        self.assertIn("sorted by time", err)

    def test_items_and_users_are_checked_alike(self):
        cases = [
            ("-I", "NAME\nx\n", "m.csv:1: Input CSV is missing the following columns:[ITEM_ID]"),
            ("-I", "ITEM_ID,A\n1,x\n1,y\n", "m.csv:3: column ITEM_ID: '1' is there twice"),
            ("-I", "ITEM_ID,A\n,x\n", "m.csv:2: column ITEM_ID: 0 bytes"),
            ("-I", "ITEM_ID,A\n1,x,y\n", "m.csv:2: 3 fields, the header has 2"),
            ("-U", "AGE\n3\n", "m.csv:1: Input CSV is missing the following columns:[USER_ID]"),
            ("-U", "USER_ID,AGE\nu,1\nu,2\n", "m.csv:3: column USER_ID: 'u' is there twice"),
        ]
        for option, content, why in cases:
            with self.subTest(why=why):
                self.write("m.csv", content)
                self.refused(why, HEAD + good(), option, self.path("m.csv"))
        self.write("m.csv", "ITEM_ID,GENRE,YEAR\ni1,,1999\ni2,,\n")
        _, err = self.accepted(HEAD + good(), "-I", self.path("m.csv"))
        self.assertIn("m.csv: column GENRE is empty in all 2 rows", err)
        self.assertNotIn("YEAR", err)
        self.write("m.csv", "ITEM_ID\ni1\n")
        _, err = self.accepted(HEAD + good(), "-I", self.path("m.csv"))
        self.assertIn("m.csv: no metadata column", err)

    def test_columns_beyond_those_that_are_read_are_named(self):
        self.write("m.csv", "ITEM_ID," + ",".join(f"C{c}" for c in range(40)) + "\n"
                   + "".join(f"i{n}" + ",x" * 40 + "\n" for n in range(37)))
        _, err = self.accepted(HEAD + good(), "-I", self.path("m.csv"))
        self.assertIn("m.csv: 8 columns beyond the first 32 of metadata are not used (C32, C33, "
                      "C34, C35, C36, C37, C38, C39): put those that matter first", err)
        done = eddy("stats", "-i", self.path("f.csv"), "-I", self.path("m.csv"))
        self.assertEqual(done.code, 0, done.err)
        words = " ".join(done.out.split())
        self.assertIn("m.csv: 8 columns beyond the first 32 of metadata are not learned from: "
                      "C32, C33, C34, C35, C36, C37, C38, C39.", words)
        self.write("m.csv", "ITEM_ID," + ",".join(f"C{c}" for c in range(32)) + "\n"
                   + "".join(f"i{n}" + ",x" * 32 + "\n" for n in range(37)))
        _, err = self.accepted(HEAD + good(), "-I", self.path("m.csv"))
        self.assertNotIn("beyond", err)
        self.assertNotIn("beyond the first", eddy("stats", "-i", self.path("f.csv"), "-I",
                                                  self.path("m.csv")).out)

    def test_a_field_without_type_is_refused_by_name(self):
        self.write("s.json", schema("Items", ITEM_ID, {"name": "BRAND", "type": "string",
                                                       "categorical": True},
                                    {"name": "BSW", "categorical": True}))
        self.refused("s.json:1: field BSW: it has no type", HEAD + good(), "--schema",
                     self.path("s.json"))

    def test_cells_are_checked_against_schemas(self):
        self.write("s.json", schema("Items", ITEM_ID, {"name": "YEAR", "type": "int"},
                                    {"name": "GENRE", "type": ["null", "string"],
                                     "categorical": True}))
        self.write("t.json", schema("Interactions", {"name": "USER_ID", "type": "string"},
                                    ITEM_ID, {"name": "TIMESTAMP", "type": "long"},
                                    {"name": "DEVICE", "type": "string"}))
        both = ("-I", self.path("m.csv"), "--schema", self.path("s.json"))
        for content, why in (
                ("ITEM_ID,GENRE\n1,x\n", "m.csv:1: Input CSV is missing the following "
                                         "columns:[YEAR]"),
                ("ITEM_ID,YEAR,GENRE\n1,1999,x\n2,MCM,x\n", "m.csv:3: column YEAR: 'MCM' is no "
                                                            "int"),
                ("ITEM_ID,YEAR,GENRE\n1,,x\n", "m.csv:2: column YEAR: '' is empty")):
            with self.subTest(why=why):
                self.write("m.csv", content)
                self.refused(why, HEAD + good(), *both)
        self.write("m.csv", "ITEM_ID,YEAR,GENRE\ni1,1999,\ni2,MCM,a|b\n")
        _, err = self.accepted(HEAD + good(), *both, "--skip-bad")
        self.assertIn("1 rows hold a cell that its schema does not allow", err)
        os.rename(self.path("model"), self.path("model-1"))
        self.refused("f.csv:1: Input CSV is missing the following columns:[DEVICE]",
                     HEAD + good(), "--schema", self.path("t.json"))
        self.write("m.csv", "ITEM_ID,YEAR,GENRE\ni1,1999,\n")
        self.refused("s.json: the second schema of its name", HEAD + good(), *both,
                     "--schema", self.path("s.json"))

    def test_what_cannot_be_read_or_written_is_said(self):
        code, _, err = eddy("train", "-i", self.path("none.csv"), "-o", self.path("model"))
        self.assertEqual(code, 74)
        self.assertIn("none.csv", err)
        self.write("file", "x")
        self.write("f.csv", HEAD + good())
        code, _, err = eddy("train", "-i", self.path("f.csv"), "-o",
                            self.path("file") + "/model", "--recipe", "aws-trending-now", "-q")
        self.assertEqual(code, 74, err)
        self.assertEqual(sorted(os.listdir(self.folder)), ["f.csv", "file"])

    def test_a_time_goes_with_what_is_held_out_by_time(self):
        self.refused("--from TIME goes with --hold-out successive", HEAD + good(),
                     "--hold-out", "loo", "--from", "2020-09-13", exit_code=64)
        self.refused("asks about a test file of its own", HEAD + good(), "--hold-out",
                     "sessions", exit_code=64)

    def test_a_model_that_is_not_there_is_a_mistyped_path(self):
        log = self.write("f.csv", HEAD + good())
        for words in (("recommend", "-o", "-", "-i", log, "-m"),
                      ("eval", "--protocol", "loo", "-i", log, "-m"),
                      ("segment", "-o", "-", "-i", log, "-H", log, "-m"),
                      ("train", "-o", self.path("m"), "-i", log, "--recipe", "aws-hrnn",
                       "--warm-start")):
            code, out, err = eddy(*words, self.path("typo"))
            self.assertEqual((code, out), (74, ""), err)
            self.assertIn("there is no such folder; give the one that eddy train wrote", err)

    def test_a_model_replaces_a_model_and_nothing_else(self):
        os.mkdir(self.path("data"))
        log = self.write("data/f.csv", HEAD + good())
        other = self.write("other", "mine")
        os.symlink("other", self.path("link"))
        recipe = ("--recipe", "aws-popularity-count")
        for place in ("data", "data/", "data/..", "data/f.csv", "other", "link"):
            for command in (("train", *recipe), ("tune", "--recipe", "aws-sims")):
                done = eddy(*command, "-i", log, "-o", self.path(place))
                self.assertEqual(done.code, 74, done.err)
                self.assertRegex(done.err, "give (a new|another|a) name")
        with open(log, encoding="utf-8") as file, open(other, encoding="utf-8") as kept:
            self.assertEqual((file.read(), kept.read()), (HEAD + good(), "mine"))
        self.assertEqual(sorted(os.listdir(self.folder)), ["data", "link", "other"])
        os.mkdir(self.path("empty"))
        for place in ("empty", "empty", "new/er", "new/er/"):
            support.succeed("train", "-q", "-i", log, "-o", self.path(place), *recipe)
        self.assertEqual(len(os.listdir(self.path("new/er"))), 3)
        self.assertEqual(sorted(os.listdir(self.folder)),
                         ["data", "empty", "link", "new", "other"])

    def test_answers_never_replace_a_question(self):
        log, model = self.write("f.csv", HEAD + good()), self.path("model")
        os.symlink("f.csv", self.path("same.csv"))
        for words in (("recommend", "-m", model, "-i", log, "-o"),
                      ("segment", "-m", model, "-i", "q", "-H", log, "-o"),
                      ("eval", "-m", model, "-i", log, "--protocol", "loo", "--report"),
                      ("stats", "-i", log, "--html")):
            for name in ("f.csv", "same.csv"):
                code, out, err = eddy(*words, self.path(name))
                self.assertEqual((code, out), (64, ""), err)
                self.assertIn("is read, too; give another name", err)
        with open(log, encoding="utf-8") as file:
            self.assertEqual(file.read(), HEAD + good())

    def test_lists_go_into_pipes_and_through_links(self):
        log, model = self.write("f.csv", HEAD + good()), self.path("model")
        support.succeed("train", "-q", "-i", log, "-o", model, "--recipe",
                        "aws-popularity-count")
        ask = ("recommend", "-q", "-m", model, "-i", log, "-k", 2, "-o")
        lists = support.succeed(*ask, "-")
        os.mkfifo(self.path("pipe"))
        reader = os.open(self.path("pipe"), os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        support.succeed(*ask, self.path("pipe"))
        self.assertEqual(os.read(reader, 1 << 16).decode(), lists)
        self.write("old.tsv", "old")
        os.symlink("old.tsv", self.path("link.tsv"))
        support.succeed(*ask, self.path("link.tsv"))
        self.assertTrue(os.path.islink(self.path("link.tsv")))
        with open(self.path("old.tsv"), encoding="utf-8") as file:
            self.assertEqual(file.read(), lists)
        self.assertEqual(sorted(os.listdir(self.folder)),
                         ["f.csv", "link.tsv", "model", "old.tsv", "pipe"])


if __name__ == "__main__":
    support.main()
