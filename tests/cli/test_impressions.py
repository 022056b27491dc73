#!/usr/bin/env python3
"""IMPRESSION from CSV to lists: what users pass over sinks or rises as the log says, files
without the column give the models that they gave before, bad cells are named. Needs no
server."""

import json
import os
import random

import support
from support import SharedFolder, eddy, manifest, succeed

ITEMS, USERS, EVENTS, LIST, BEGIN = 60, 260, 9, 6, 1_700_000_000
SMALL = ["--quiet", "--threads", "1", "--set", "hidden_dimension=32", "--set", "epochs=3",
         "--set", "validation_fraction=0.2"]


def histories(returns):
    """user -> [(time, item, shown)]. Who passes something over takes it next (returns), or
    never again; the rest is chance, so that nothing but impressions predicts."""
    draw, users = random.Random(3), {}
    for user in range(USERS):
        passed, last, rows = set(), [], []
        for step in range(EVENTS):
            if returns and last:
                item = draw.choice(last)
            else:
                item = draw.choice([i for i in range(ITEMS) if i not in passed])
            last = draw.sample([i for i in range(ITEMS) if i != item], LIST - 1)
            passed |= set(last)
            rows.append((BEGIN + user * 1000 + step * 60, item, last + [item]))
        users[f"u{user}"] = rows
    return users


def passed_over(rows):
    """Items that were shown and not taken since."""
    passed = set()
    for _, item, shown in rows:
        passed = (passed | set(shown)) - {item}
    return {f"i{item}" for item in passed}


class Impressions(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {name: histories(name == "returns") for name in ("returns", "never")}
        for name, users in cls.users.items():
            cls.write(name, users, True)
            cls.write(name + "-plain", users, False)
        cls.models = {}

    @classmethod
    def write(cls, name, users, shown):
        header = ["USER_ID", "ITEM_ID", "TIMESTAMP"] + ["IMPRESSION"] * shown
        rows = [[user, f"i{item}", at] + ["|".join(f"i{i}" for i in items)] * shown
                for user, events in users.items() for at, item, items in events]
        return support.write_csv(cls.path(name + ".csv"), [header] + rows)

    def model(self, name):
        if name not in self.models:
            self.models[name] = self.path(name)
            succeed("train", "-i", self.path(name + ".csv"), "-o", self.path(name),
                    "--hold-out", "loo", "--seed", "1", *SMALL)
        return self.models[name]

    def weights(self, name):
        """Of what was shown, per bucket; [] when the model does not look at it."""
        head = self.head(self.model(name)) or {"weight": []}
        return [row[4] for row in head["weight"] if len(row) > 4]

    def head(self, model):
        return manifest(model).get("head")

    def measure(self, name):
        out = succeed("eval", "-m", self.model(name), "-i", self.path(name + ".csv"),
                      "--protocol", "loo", "--keep-seen", "--json", "--quiet", "--resamples", "0")
        return json.loads(out)["hr@10"]["mean"]

    def lists(self, model, log, *more):
        return support.items(succeed("recommend", "-m", self.model(model), "-i",
                                     self.path(log + ".csv"), "-k", "10", "-o", "-", "--quiet",
                                     *more))

    def share(self, lists, users):
        """Of places on lists that hold what their user passed over lately."""
        lately = {user: passed_over(rows[-3:]) for user, rows in users.items()}
        held = sum(item in lately[user] for user, items in lists.items() for item in items)
        return held / sum(map(len, lists.values()))

    def test_what_is_never_taken_sinks(self):
        self.assertTrue(self.weights("never"))
        self.assertLess(max(self.weights("never")), 0)
        self.assertEqual(self.weights("never-plain"), [])
        users = self.users["never"]
        self.assertLess(self.share(self.lists("never", "never"), users), 0.02)
        # who does not say what was shown gets it again
        self.assertGreater(self.share(self.lists("never", "never-plain"), users), 0.1)
        self.assertGreater(self.share(self.lists("never-plain", "never"), users), 0.1)
        self.assertGreater(self.measure("never"), 1.3 * self.measure("never-plain"))

    def test_what_is_taken_later_rises(self):
        self.assertGreater(min(self.weights("returns")), 0)
        self.assertGreater(self.measure("returns"), 0.9)
        self.assertLess(self.measure("returns-plain"), 0.5)
        last = {user: passed_over(rows[-1:]) for user, rows in self.users["returns"].items()}
        for user, items in self.lists("returns", "returns").items():
            self.assertEqual(last[user] - set(items[:LIST]), set(), user)

    def test_a_stream_gives_the_lists_of_a_play(self):
        played = self.lists("never", "never")
        self.assertEqual(self.lists("never", "never", "--stream"), played)
        self.assertEqual(self.lists("never", "never", "--threads", "2"), played)

    def test_an_empty_column_changes_nothing(self):
        users = {user: [(at, item, []) for at, item, _ in rows]
                 for user, rows in self.users["never"].items()}
        self.write("empty", users, True)
        for name in ("model.safetensors", "catalog.csv"):
            with open(os.path.join(self.model("empty"), name), "rb") as a, \
                 open(os.path.join(self.model("never-plain"), name), "rb") as b:
                self.assertEqual(a.read(), b.read())

    def test_other_recipes_do_not_look_at_impressions(self):
        for recipe in ("aws-personalized-ranking", "aws-hrnn", "aws-sims"):
            models = []
            for name in ("never", "never-plain"):
                models.append(self.path(f"{recipe}-{name}"))
                network = SMALL if recipe != "aws-sims" else ["--quiet"]
                succeed("train", "-i", self.path(name + ".csv"), "-o", models[-1], "--recipe",
                        recipe, "--seed", "1", *network)
            files = [open(os.path.join(model, "model.safetensors"), "rb") for model in models]
            heads = [self.head(model) for model in models]
            for file in files:
                self.addCleanup(file.close)
            self.assertEqual(files[0].read(), files[1].read(), recipe)
            self.assertEqual(heads[0], heads[1], recipe)

    def test_stats_say_what_came_of_it(self):
        figures = json.loads(succeed("stats", "-i", self.path("never.csv"), "--json"))
        shown = figures["impressions"]
        self.assertEqual(shown["events"], USERS * EVENTS)
        self.assertEqual(shown["items"], USERS * EVENTS * LIST)
        self.assertEqual(shown["chosen_on_list"], shown["events"])
        self.assertEqual(shown["later_events"], USERS * (EVENTS - 1))
        self.assertEqual(shown["taken_later"], 0)
        self.assertIn("impressions", [finding["code"] for finding in figures["findings"]])
        plain = json.loads(succeed("stats", "-i", self.path("never-plain.csv"), "--json"))
        self.assertEqual(plain["impressions"]["events"], 0)

    def test_bad_cells_are_named_by_file_line_and_column(self):
        bad = self.path("bad.csv")
        for cell, why in (("a||b", "has an empty item id"), ("a|b|", "has an empty item id"),
                          ("|".join(["i"] * 26), "names more than 25 items"),
                          ("x" * 257, "has an item id longer than 256 bytes"),
                          ("|".join(["x" * 60] * 17), "is longer than 1000 characters")):
            support.write_csv(bad, [["USER_ID", "ITEM_ID", "TIMESTAMP", "IMPRESSION"],
                                    ["u", "a", BEGIN, "a|b"], ["u", "b", BEGIN + 1, cell]])
            for command in (["train", "-i", bad, "-o", self.path("none")],
                            ["recommend", "-m", self.model("never"), "-i", bad, "-o",
                             self.path("none.tsv")]):
                code, _, err = eddy(*command, "--quiet")
                self.assertEqual(code, 65, err)
                self.assertIn(f"{bad}:3: column IMPRESSION: '{cell[:40]}' {why}", err)


if __name__ == "__main__":
    support.main()
