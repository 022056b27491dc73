#!/usr/bin/env python3
"""Metadata from files to lists: a new user of known size gets what fits first, a new item is
ranked by what is known of it, and both work through train, recommend and eval. The world: 200
things of five sizes, 600 users who mostly take their own size."""

import json
import os
import random
import unittest
from collections import defaultdict

import support
from support import manifest, succeed

SIZES = ("XS", "S", "M", "L", "XL")
GENRES = ("war", "love", "space")
COLOURS = ("red", "green", "빨강", "blau")


def path(name):
    return os.path.join(FOLDER, name)


def write(name, rows):
    return support.write_csv(path(name), rows)


def lists(name):
    return support.items_of(path(name))


def setUpModule():
    global FOLDER
    FOLDER = support.temporary_folder(unittest.addModuleCleanup)


def make_world():
    draw = random.Random(3)
    pick = lambda choices: choices[int(draw.random() * len(choices))]
    size = {f"i{i}": SIZES[i % 5] for i in range(200)}
    # New ones: a fifth of the catalogue, nobody has taken them.
    new = {f"n{i}": SIZES[i % 5] for i in range(50)}
    write("items.csv", [("ITEM_ID", "SIZE", "COLOUR")] +
          [(item, s, pick(COLOURS)) for item, s in {**size, **new}.items()])
    of_size = {s: [item for item in size if size[item] == s] for s in SIZES}
    users, events, now = [("USER_ID", "SIZE", "CITY")], [], 1_600_000_000
    for u in range(600):
        own = pick(SIZES)
        users.append((f"u{u}", own, pick(("Ulm", "Bonn", ""))))
        for _ in range(3 + int(draw.random() * 6)):
            now += 100
            events.append((f"u{u}", pick(of_size[own if draw.random() < 0.9 else pick(SIZES)]),
                           now))
    users += [(f"new{s}", s, "Ulm") for s in SIZES] + [("newcomer", "", "")]
    write("users.csv", users)
    write("events.csv", [("USER_ID", "ITEM_ID", "TIMESTAMP")] + events)
    return {**size, **new}


class Metadata(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.size = make_world()
        cls.summary = succeed("train", "-q", "-i", path("events.csv"), "-I", path("items.csv"), "-U",
                           path("users.csv"), "-o", path("model"), "--threads", 1,
                           "--set", "hidden_dimension=32", "--set", "epochs=20",
                           "--set", "learning_rate=0.003")
        succeed("recommend", "-q", "-m", path("model"), "-i", path("events.csv"), "-U",
             path("users.csv"), "-k", 40, "-o", path("lists.tsv"))
        cls.lists = lists("lists.tsv")

    def fitting(self, user, wanted):
        mine = self.lists[user][:10]
        return sum(self.size[item] == wanted for item in mine)

    def test_a_new_user_of_known_size_gets_fitting_items_first(self):
        for size in SIZES:
            self.assertGreaterEqual(self.fitting("new" + size, size), 8, size)

    def explore(self, weight, *more):
        """Lists of all users and the propensities of their slots, at a weight."""
        text = succeed("recommend", "-q", "-m", path("model"), "-i", path("events.csv"),
                       "-o", "-", "--exploration-weight", weight, *more)
        rows = [line.split("\t") for line in text.splitlines()]
        return support.items(text), [float(row[4]) for row in rows if len(row) > 4]

    def share_of_new(self, lists):
        shown = [item for items in lists.values() for item in items]
        return sum(item.startswith("n") for item in shown) / len(shown)

    def test_the_share_of_new_items_grows_with_the_exploration_weight(self):
        share = -1
        for weight in (0, .3, .6, 1):
            found, propensities = self.explore(weight)
            self.assertGreater(self.share_of_new(found), share, weight)
            share = self.share_of_new(found)
            self.assertEqual(len(propensities), 0 if weight == 0 else 600 * 25)
            self.assertTrue(all(0 < p <= 1 for p in propensities))
        shown = {item for items in found.values() for item in items}
        # Nobody has clicked one of them, yet each has been shown.
        self.assertEqual(50, sum(item.startswith("n") for item in shown))

    def test_lists_drawn_again_are_the_same_and_another_seed_draws_others(self):
        first = self.explore(.5)
        self.assertEqual(first, self.explore(.5, "--threads", 1))
        self.assertNotEqual(first, self.explore(.5, "--seed", 2))

    def test_an_item_older_than_the_cut_off_gets_no_bonus(self):
        born = {item: 1_600_000_000 for item in self.size}
        write("dated.csv", [("ITEM_ID", "SIZE", "CREATION_TIMESTAMP")] +
              [(item, self.size[item], born[item]) for item in self.size])
        succeed("train", "-q", "-i", path("events.csv"), "-I", path("dated.csv"), "-o",
                path("dated"), "--threads", 1, "--set", "hidden_dimension=32",
                "--set", "epochs=2")

        def share(*more):
            return self.share_of_new(support.items(succeed(
                "recommend", "-q", "-m", path("dated"), "-i", path("events.csv"), "-o", "-",
                "--exploration-weight", 1, *more)))
        # The log covers less than five days.
        self.assertGreater(share("--exploration-item-age-cut-off", 5),
                           share("--exploration-item-age-cut-off", 1) + .1)

    def test_exploration_belongs_to_one_recipe(self):
        succeed("train", "-q", "-i", path("events.csv"), "-o", path("sims"), "--recipe",
                "aws-sims")
        for words, why in ((("-m", path("sims")), "goes with aws-user-personalization"),
                           (("-m", path("model"), "--stream"), "without --stream")):
            done = support.eddy("recommend", "-q", *words, "-i", path("events.csv"), "-o", "-",
                                "--exploration-weight", ".3")
            self.assertEqual(done.code, 64)
            self.assertIn(why, done.err)
        done = support.eddy("recommend", "-q", "-m", path("model"), "-i", path("events.csv"),
                            "-o", "-", "--exploration-weight", "1.2")
        self.assertEqual(done.code, 64)
        self.assertIn("0 to 1", done.err)

    def test_users_without_events_and_metadata_get_what_is_popular(self):
        succeed("recommend", "-q", "-m", path("model"), "-i", path("events.csv"), "-k", 20,
             "-o", path("plain.tsv"))
        plain = lists("plain.tsv")
        self.assertNotIn("newXS", plain)
        self.assertEqual(len(self.lists["newcomer"]), 40)
        self.assertLess(max(self.fitting("newcomer", size) for size in SIZES), 8)

    def test_new_items_are_ranked_by_their_metadata(self):
        seen = defaultdict(int)
        for size in SIZES:
            for item in self.lists["new" + size]:
                if item.startswith("n"):
                    seen[self.size[item] == size] += 1
        self.assertGreater(seen[True], 0, "no list has a new item")
        self.assertGreater(seen[True], 3 * seen[False])

    def test_known_items_do_not_pay_for_what_new_ones_learn(self):
        """Ids are hidden after the network has learned: among themselves known items stand as
        in a model that hides none."""
        succeed("train", "-q", "-i", path("events.csv"), "-I", path("items.csv"), "-U",
                path("users.csv"), "-o", path("open"), "--threads", 1,
                "--set", "hidden_dimension=32", "--set", "epochs=20",
                "--set", "learning_rate=0.003", "--set", "item_id_dropout=0")
        orders = []
        for model in ("model", "open"):
            succeed("recommend", "-q", "-m", path(model), "-i", path("events.csv"), "-U",
                    path("users.csv"), "-k", 300, "-o", path("all.tsv"))
            orders.append(lists("all.tsv"))
        known, new = ([{user: [item for item in ranked if item[0] == kind]
                        for user, ranked in order.items()} for order in orders]
                      for kind in "in")
        same = sum(a == b for user in known[0] for a, b in zip(known[0][user], known[1][user]))
        places = sum(len(ranked) for ranked in known[0].values())
        self.assertGreater(places, 100000)
        self.assertGreater(same, 0.99 * places)
        self.assertNotEqual(*new)

    def test_a_warm_start_ranks_items_it_has_not_seen_as_the_older_model_would(self):
        """At a rate that moves nothing: items that came since stand among each other as their
        twins, which the older model had in its catalogue."""
        with open(path("items.csv"), encoding="utf-8") as file:
            rows = [line.rstrip("\n").split(",") for line in file]
        looks = {row[0]: tuple(row[1:]) for row in rows}
        twins = {"t" + row[0][1:]: row[1:] for row in rows if row[0][0] == "n"}
        write("more.csv", [rows[0], *([i, *look] for i, look in twins.items()), *rows[1:]])
        succeed("train", "-q", "-i", path("events.csv"), "-I", path("more.csv"), "-U",
                path("users.csv"), "-o", path("warm"), "--threads", 1, "--recipe",
                "aws-hrnn-metadata", "--warm-start", path("model"), "--set", "epochs=1",
                "--set", "learning_rate=1e-8", "--set", "allow_small=true")
        succeed("recommend", "-q", "-m", path("warm"), "-i", path("events.csv"), "-U",
                path("users.csv"), "-k", 300, "-o", path("warm.tsv"))
        places = right = 0
        for ranked in lists("warm.tsv").values():
            old = [looks[item] for item in ranked if item[0] == "n"]
            new = [tuple(twins[item]) for item in ranked if item[0] == "t"]
            self.assertEqual((len(old), len(new)), (50, 50))
            places += len(old)
            right += sum(a == b for a, b in zip(old, new))
        self.assertGreater(places, 10000)
        self.assertGreater(right, 0.98 * places)

    def test_the_manifest_names_the_features(self):
        made = manifest(path("model"))
        features = made["features"]
        columns = {kind: [column["name"] for column in features[kind]["columns"]]
                   for kind in ("items", "users")}
        self.assertEqual(columns, {"items": ["SIZE", "COLOUR"], "users": ["SIZE", "CITY"]})
        self.assertEqual(made["hyper_parameters"]["item_id_dropout"], 0.1)
        self.assertEqual(made["shape"]["item_features"], 5 + 1 + 4 + 1)

    def test_eval_asks_with_metadata(self):
        def ndcg(*more):
            text = succeed("eval", "-q", "-m", path("model"), "-i", path("events.csv"),
                        "--protocol", "loo", "--resamples", 0, "--json", *more)
            return text
        self.assertNotEqual(ndcg(), ndcg("-U", path("users.csv")))


class Columns(support.Folder):
    """--column: what a column is, said by the user."""

    def setUp(self):
        super().setUp()
        draw = random.Random(5)
        self.items = support.write_csv(self.path("items.csv"), [
            ("ITEM_ID", "YEAR", "GENRE", "SIZE"),
            *((f"i{i}", 1950 + i, GENRES[i % 3], SIZES[i % 5]) for i in range(60))])
        self.users = support.write_csv(self.path("users.csv"), [
            ("USER_ID", "AGE", "SIZE"),
            *((f"u{u}", 20 + u, SIZES[u % 5]) for u in range(60))])
        self.log = support.write_csv(self.path("log.csv"), [
            ("USER_ID", "ITEM_ID", "TIMESTAMP"),
            *((f"u{n % 60}", f"i{draw.randrange(60)}", 1_600_000_000 + n)
              for n in range(1200))])
        self.arguments = ("train", "-q", "-i", self.log, "-I", self.items, "-U", self.users,
                          "-o", self.path("model"), "--set", "epochs=1", "--set",
                          "hidden_dimension=32")

    def kinds(self, *more):
        succeed(*self.arguments, *more)
        features = manifest(self.path("model"))["features"]
        return {f"{whose}.{column['name']}": column["kind"]
                for whose in ("items", "users") for column in features[whose]["columns"]}

    def test_a_kind_wins_over_values_and_schema(self):
        plain = self.kinds()
        self.assertEqual((plain["items.YEAR"], plain["items.GENRE"], plain["users.AGE"],
                          plain["items.SIZE"], plain["users.SIZE"]),
                         ("numeric", "categorical", "numeric", "categorical", "categorical"))
        schema = self.path("items.json")
        with open(schema, "w", encoding="utf-8") as file:
            json.dump({"type": "record", "name": "Items", "version": "1.0",
                       "namespace": "com.amazonaws.personalize.schema", "fields": [
                           {"name": "ITEM_ID", "type": "string"},
                           {"name": "YEAR", "type": "int"},
                           {"name": "GENRE", "type": "string", "textual": True}]}, file)
        told = self.kinds("--schema", schema)
        self.assertEqual((told["items.YEAR"], told["items.GENRE"]), ("numeric", "text"))
        told = self.kinds("--schema", schema, "--column", "YEAR=categorical", "--column",
                          "genre=categorical", "--column", "USERS.AGE=ignored")
        self.assertEqual(told, {**plain, "items.YEAR": "categorical",
                                "users.AGE": "ignored"})

    def test_a_name_means_the_column_of_both_files_or_of_one(self):
        plain = self.kinds()
        self.assertEqual(self.kinds("--column", "SIZE=text"),
                         {**plain, "items.SIZE": "text", "users.SIZE": "text"})
        self.assertEqual(self.kinds("--column", "USERS.SIZE=ignored"),
                         {**plain, "users.SIZE": "ignored"})

    def test_what_is_wrong_is_named_with_what_there_is(self):
        for wish, why in (("COLOUR=text", "items.csv has YEAR, GENRE, SIZE"),
                          ("USERS.YEAR=text", "users.csv has AGE, SIZE"),
                          ("GENRE=category", "write categorical, numeric, text or ignored"),
                          ("GENRE", "write NAME=KIND"),
                          ("GENRE=numeric", "is a number")):
            with self.subTest(wish=wish):
                code, out, err = support.eddy(*self.arguments, "--column", wish)
                self.assertEqual((code, out), (64, ""), err)
                self.assertIn(f"--column {wish}: ", err)
                self.assertIn(why, err)
        code, _, err = support.eddy(*self.arguments, "--column", "SIZE=text", "--column",
                                    "ITEMS.SIZE=categorical")
        self.assertEqual(code, 64)
        self.assertIn("the column's second kind", err)
        code, _, err = support.eddy("train", "-i", self.log, "-o", self.path("m"),
                                    "--column", "SIZE=text")
        self.assertEqual(code, 64)
        self.assertIn("log.csv has none; give -I ITEMS or -U USERS", err)


if __name__ == "__main__":
    support.main()
