#!/usr/bin/env python3
"""Context columns from files to lists. The world: 120 films, short and long, of three colours.
On a PHONE short ones are watched, on TV long ones (DEVICE, known with the request); the mood
after a film decides the colour of the next (MOOD, known from the event before). A third
column names every row, a fourth gives the answer away: both must do no harm."""

import json
import random

import support
from support import eddy, manifest, succeed

DEVICES, MOODS = ("PHONE", "TV"), ("calm", "wild", "sad")
FAST = ("-q", "--threads", 1, "--set", "hidden_dimension=32", "--set", "epochs=12",
        "--set", "learning_rate=0.004")


def make_world():
    draw = random.Random(11)
    rows, now = [], 1_600_000_000
    for user in range(500):
        mood = int(draw.random() * 3)
        for _ in range(4 + int(draw.random() * 8)):
            device = int(draw.random() * 2)
            kind = device if draw.random() < 0.95 else 1 - device
            colour = mood if draw.random() < 0.9 else int(draw.random() * 3)
            film = 6 * int(draw.random() * 20) + 2 * colour + kind
            mood = int(draw.random() * 3)
            now += 500
            rows.append((f"u{user}", f"f{film}", now, DEVICES[device], MOODS[mood],
                         f"row{len(rows)}", f"film {film}"))
    return rows


class Context(support.SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        head = ("USER_ID", "ITEM_ID", "TIMESTAMP", "DEVICE", "MOOD", "ROW", "TITLE")
        rows = make_world()
        cls.log = support.write_csv(cls.path("log.csv"), [head, *rows])
        cls.clean = support.write_csv(cls.path("clean.csv"), [r[:5] for r in [head, *rows]])
        for name, log, more in (("with", cls.clean, ()), ("odd", cls.log, ()),
                                ("without", cls.clean, ("--set", "context=false"))):
            succeed("train", *FAST, "-i", log, "-o", cls.path(name), "--hold-out", "loo", *more)

    def ndcg(self, model, *more, log=None):
        report = json.loads(succeed("eval", "-q", "-m", self.path(model), "-i",
                                    log or self.clean, "--protocol", "loo", "--keep-seen",
                                    "--resamples", 0, "--json", *more))
        return report["ndcg@10"]["mean"]

    def kinds(self, model, *more):
        """Share of long films in the first ten of all lists."""
        found = support.items(succeed("recommend", "-q", "-m", self.path(model), "-i",
                                      self.clean, "-k", 10, "-o", "-", *more))
        long = [int(film[1:]) % 2 for films in found.values() for film in films]
        return sum(long) / len(long)

    def test_context_of_events_and_of_requests_make_better_lists(self):
        without = self.ndcg("without")
        of_events = self.ndcg("with")
        of_requests = self.ndcg("with", "--request-context")
        self.assertGreater(of_events, 1.4 * without)
        self.assertGreater(of_requests, 1.5 * of_events)
        self.assertEqual(self.ndcg("without", "--request-context"), without)

    def test_a_list_fits_the_device_that_the_request_tells(self):
        self.assertGreater(self.kinds("with", "--context", "DEVICE=TV"), 0.9)
        self.assertLess(self.kinds("with", "--context", "device=PHONE"), 0.1)
        middle = self.kinds("with")
        self.assertTrue(0.25 < middle < 0.75, middle)
        # A device never seen is an unknown one, not an error.
        self.assertTrue(0.1 < self.kinds("with", "--context", "DEVICE=WATCH") < 0.9)

    def test_names_of_rows_are_left_out_and_what_leaks_does_little_harm(self):
        columns = manifest(self.path("odd"))["features"]["context"]["columns"]
        self.assertEqual([(c["name"], c["kind"]) for c in columns],
                         [("DEVICE", "categorical"), ("MOOD", "categorical"),
                          ("ROW", "ignored"), ("TITLE", "categorical")])
        self.assertGreater(self.ndcg("odd", log=self.log), 0.85 * self.ndcg("with"))

    def test_what_is_wrong_is_said(self):
        for text, words in (("MOODY=x", "has not learned from a column MOODY"),
                            ("DEVICE", "write NAME=VALUE"), ("=TV", "write NAME=VALUE")):
            done = eddy("recommend", "-q", "-m", self.path("with"), "-i", self.clean, "-o", "-",
                        "--context", text)
            self.assertEqual(done.code, 64, done.err)
            self.assertIn(words, done.err)
        done = eddy("recommend", "-q", "-m", self.path("without"), "-i", self.clean, "-o", "-",
                    "--context", "DEVICE=TV")
        self.assertIn("has not learned from a column DEVICE", done.err)
        done = eddy("train", *FAST, "-i", self.clean, "-o", self.path("no"), "--column",
                    "DEVICE=text")
        self.assertIn("context is no text", done.err)

    def test_columns_beyond_five_are_named_and_kinds_can_be_told(self):
        with open(self.clean, encoding="utf-8") as file:
            lines = [line.rstrip("\n\r") for line in file]
        wide = self.path("wide.csv")
        with open(wide, "w", encoding="utf-8") as file:
            for n, line in enumerate(lines):
                more = ["c%d" % c if n == 0 else str((n * (c + 1)) % 40) for c in range(5)]
                print(line + "," + ",".join(more), file=file)
        done = eddy("train", *FAST[1:], "-i", wide, "-o", self.path("wide"), "--recipe",
                    "aws-hrnn-metadata", "--set", "epochs=1", "--column", "c0=ignored",
                    "--column", "INTERACTIONS.c1=categorical")
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("2 columns beyond the first 5 of context are not used", done.err)
        columns = manifest(self.path("wide"))["features"]["context"]["columns"]
        self.assertEqual([(c["name"], c["kind"]) for c in columns],
                         [("DEVICE", "categorical"), ("MOOD", "categorical"), ("c0", "ignored"),
                          ("c1", "categorical"), ("c2", "numeric")])
        done = eddy("train", *FAST, "-i", wide, "-o", self.path("hrnn"), "--recipe", "aws-hrnn",
                    "--set", "epochs=1")
        self.assertEqual(done.code, 0, done.err)
        self.assertNotIn("features", manifest(self.path("hrnn")))


if __name__ == "__main__":
    support.main()
