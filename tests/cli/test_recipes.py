#!/usr/bin/env python3
"""Every recipe by Amazon's name: trains, evaluates and recommends from small CSV files, and
means what its name says. The world: three genres of twenty items, users who like one of
them; some new items without or with few interactions."""

import json
import os
import random
import unittest
from collections import Counter, defaultdict

import support
from support import eddy, manifest

DAY = 86400
END = 1_700_000_000
GENRES = ("war", "love", "space")
RECIPES = ("aws-user-personalization", "aws-hrnn", "aws-hrnn-metadata", "aws-hrnn-coldstart",
           "aws-popularity-count", "aws-trending-now", "aws-personalized-ranking", "aws-sims",
           "aws-similar-items", "aws-item-affinity", "aws-item-attribute-affinity")
COUNTING = ("aws-popularity-count", "aws-trending-now", "aws-sims", "aws-similar-items")


def path(name):
    return os.path.join(FOLDER, name)


def write(name, rows):
    return support.write_csv(path(name), rows)


class World:
    """120 users of 16 events over 30 days; item gN is of genre g."""

    def __init__(self):
        rng = random.Random(7)
        self.items = [f"{g}{n}" for g in GENRES for n in range(20)]
        self.genre = {i: i.rstrip("0123456789") for i in self.items}
        self.rows = []
        for user in range(120):
            own = GENRES[user % 3]
            begin = END - rng.randrange(2 * DAY, 30 * DAY)
            for e in range(16):
                genre = own if rng.random() < 0.85 else rng.choice(GENRES)
                item = f"{genre}{min(int(rng.expovariate(0.15)), 19)}"
                self.rows.append((f"u{user}", item, begin + 600 * e))
        # Trends: the last three hours, and the three before.
        for n in range(6):
            self.rows.append((f"u{n}", "war7", END - 60 * n))
            self.rows.append((f"u{n}", "love7", END - 4 * 3600 - 60 * n))
        self.rows.append(("u9", "space7", END - 100))
        # New items: three with a few interactions, three with none.
        self.new = [f"{g}{n}" for g in GENRES for n in (90, 91)]
        for i in self.new:
            self.genre[i] = i.rstrip("0123456789")
        for user in range(6):
            self.rows.append((f"u{user}", f"{GENRES[user % 3]}90", END - DAY + user))
        self.rows.sort(key=lambda row: row[2])
        write("interactions.csv", [("USER_ID", "ITEM_ID", "TIMESTAMP"), *self.rows])
        write("items.csv", [("ITEM_ID", "GENRE", "CREATION_TIMESTAMP")] + [
            (i, self.genre[i], END - (DAY if i in self.new else 100 * DAY))
            for i in self.items + self.new])
        write("users.csv", [("USER_ID", "LIKES")] + [
            (f"u{u}", GENRES[u % 3]) for u in range(120)])

    def distinct_users(self):
        return Counter(item for _, item in {(u, i) for u, i, _ in self.rows})


def setUpModule():
    global FOLDER, WORLD
    FOLDER = support.temporary_folder(unittest.addModuleCleanup)
    WORLD = World()


def train(model, recipe, *more, ok=True, log="interactions.csv", items="items.csv"):
    fast = () if recipe in COUNTING else ("--set", "epochs=4", "--set", "layers=1")
    code, out, err = eddy("train", "-i", path(log), "-I", path(items),
                          "-U", path("users.csv"), "-o", path(model), "--recipe", recipe,
                          "--json", "-q", *fast, *more)
    if not ok:
        return code, err
    assert code == 0, err
    return json.loads(out)


def lists(model, *more):
    code, out, err = eddy("recommend", "-m", path(model), "-o", "-", "-q", *more)
    assert code == 0, err
    return support.lists(out)


class Recipes(unittest.TestCase):
    def test_every_recipe_trains_evaluates_and_recommends(self):
        for recipe in RECIPES:
            with self.subTest(recipe=recipe):
                summary = train(f"every-{recipe}", recipe, "--hold-out", "loo")
                self.assertEqual(summary["recipe"], recipe)
                self.assertEqual(summary["held_out"], 120)
                made = manifest(path(f"every-{recipe}"))
                self.assertEqual(made["recipe"], recipe)
                self.assertEqual(made["data"]["hold_out"], "loo")
                found = lists(f"every-{recipe}", "-i", path("interactions.csv"), "-k", 4)
                self.assertEqual(len(found), 120)
                for items in found.values():
                    self.assertEqual(len(items), 4)
                    self.assertEqual(len({i for i, _ in items}), 4)
                    self.assertEqual([s for _, s in items],
                                     sorted((s for _, s in items), reverse=True))
                code, out, err = eddy("eval", "-m", path(f"every-{recipe}"), "-i",
                                      path("interactions.csv"), "--protocol", "loo",
                                      "--json", "-q")
                self.assertEqual(code, 0, err)
                self.assertEqual(json.loads(out)["queries"], 120)

    def test_personal_lists_are_of_the_users_genre(self):
        for recipe in ("aws-user-personalization", "aws-hrnn", "aws-hrnn-metadata"):
            with self.subTest(recipe=recipe):
                train(f"taste-{recipe}", recipe, "--set", "epochs=30", "--set",
                      "learning_rate=0.005")
                found = lists(f"taste-{recipe}", "-i", path("interactions.csv"), "-k", 5)
                own = sum(WORLD.genre[i] == GENRES[int(u[1:]) % 3]
                          for u, items in found.items() for i, _ in items)
                self.assertGreater(own, 0.7 * 5 * len(found))

    def test_popularity_is_the_count_of_distinct_users(self):
        train("popular", "aws-popularity-count")
        want = WORLD.distinct_users()
        found = lists("popular", "-i", path("interactions.csv"), "-k", 60)
        one = found["u0"]
        self.assertEqual([int(s) for _, s in one],
                         sorted(want.values(), reverse=True)[:60] +
                         [0] * (60 - min(60, len(want))))
        for item, score in one:
            self.assertEqual(want.get(item, 0), score)
        for items in found.values():
            self.assertEqual(items, one)

    def test_trending_is_the_rise_against_the_interval_before(self):
        for frequency, seconds in (("3 hours", 10800), ("30 minutes", 1800), ("1 day", DAY)):
            with self.subTest(frequency=frequency):
                train("trend", "aws-trending-now", "--set",
                      f"trend_discovery_frequency={frequency}")
                end = max(t for _, _, t in WORLD.rows)
                rise = Counter()
                for _, item, t in WORLD.rows:
                    rise[item] += (1 if end - t < seconds else
                                   -1 if end - t < 2 * seconds else 0)
                one = lists("trend", "-i", path("interactions.csv"), "-k", 66)["u0"]
                for item, score in one:
                    self.assertEqual(int(score), max(0, rise[item]), item)
        train("trend", "aws-trending-now")
        self.assertEqual(lists("trend", "-i", path("interactions.csv"), "-k",
                               1)["u0"][0][0], "war7")

    def test_sims_discount_0_is_raw_counts_and_1_is_fully_discounted(self):
        items = defaultdict(set)
        for user, item, _ in WORLD.rows:
            items[user].add(item)
        together = Counter((a, b) for s in items.values() for a in s for b in s if a != b)
        users = WORLD.distinct_users()
        everything = ("min_user_history_length_percentile=0",
                      "max_user_history_length_percentile=1",
                      "min_item_interaction_count_percentile=0",
                      "max_item_interaction_count_percentile=1")
        write("seeds.csv", [("ITEM_ID",), ("war0",), ("love3",), ("space1",)])
        for discount in (0, 0.5, 1):
            for least in (1, 5):
                with self.subTest(discount=discount, least=least):
                    train("sims", "aws-sims", *[x for s in everything for x in ("--set", s)],
                          "--set", f"popularity_discount_factor={discount}",
                          "--set", f"min_cointeraction_count={least}")
                    for seed, found in lists("sims", "--for-items", path("seeds.csv"),
                                             "-k", 10).items():
                        def weight(item):
                            n = together[seed, item]
                            return n / users[item] ** discount if n >= least else 0
                        got = [weight(i) for i, _ in found]
                        best = sorted(map(weight, WORLD.items + WORLD.new), reverse=True)[:10]
                        for a, b in zip(got, best):
                            self.assertAlmostEqual(a, b, places=5)
                        self.assertNotIn(seed, [i for i, _ in found])

    def test_sims_takes_the_last_item_of_a_user(self):
        train("sims-last", "aws-sims")
        last = {u: i for u, i, _ in WORLD.rows}
        write("lasts.csv", [("ITEM_ID",)] + [(i,) for i in sorted(set(last.values()))])
        of_item = lists("sims-last", "--for-items", path("lasts.csv"), "-k", 5)
        for user, found in lists("sims-last", "-i", path("interactions.csv"),
                                 "-k", 5).items():
            self.assertEqual([s for _, s in found], [s for _, s in of_item[last[user]]])

    def test_similar_items_know_new_items_and_answer_unknown_ones_with_popular(self):
        train("similar", "aws-similar-items")
        write("seeds.csv", [("ITEM_ID",), ("nobody knows it",)] +
              [(i,) for i in WORLD.new + ["war2"]])
        found = lists("similar", "--for-items", path("seeds.csv"), "-k", 5)
        for seed in WORLD.new + ["war2"]:
            own = [WORLD.genre[i] == WORLD.genre[seed] for i, _ in found[seed]]
            self.assertGreaterEqual(sum(own), 4, (seed, found[seed]))
            self.assertNotIn(seed, [i for i, _ in found[seed]])
        want = WORLD.distinct_users()
        self.assertEqual([want[i] for i, _ in found["nobody knows it"]],
                         sorted(want.values(), reverse=True)[:5])

    def test_coldstart_recommends_only_cold_items(self):
        first = {}
        for _, item, t in WORLD.rows:
            first.setdefault(item, t)
        count = Counter(i for _, i, _ in WORLD.rows)
        for most in (1, 15):
            with self.subTest(cold_start_max_interactions=most):
                train("cold", "aws-hrnn-coldstart", "--set",
                      f"cold_start_max_interactions={most}")
                cold = {i for i in WORLD.new if count[i] <= most}
                write("some.csv", [("USER_ID", "ITEM_ID", "TIMESTAMP"), *WORLD.rows[-80:],
                                   ("stranger", "nobody knows it", END)])
                found = lists("cold", "-i", path("some.csv"), "-k", 25)
                for user, items in found.items():
                    self.assertEqual({i for i, _ in items}, cold, user)
        code, err = train("cold", "aws-hrnn-coldstart", "--set",
                          "cold_start_relative_from=currentTime", ok=False)
        self.assertEqual(code, 65)
        self.assertIn("no item is cold", err)

    def test_an_item_is_cold_up_to_15_events_and_5_days_before_the_newest_item(self):
        ages = {"newest": 0, "four": 4, "five": 5, "over five": 5 + 1 / DAY, "six": 6,
                "fifteen": 1, "sixteen": 1}
        events = {**dict.fromkeys(ages, 3), "newest": 0, "fifteen": 15, "sixteen": 16}
        first = {"seen four": 4, "seen six": 6}  # no date of their own: that of an event
        rows = [(f"u{n}", item, END - 600 + n) for item, count in events.items()
                for n in range(count)]
        rows += [(f"u{n}", item, END - days * DAY + n) for item, days in first.items()
                 for n in range(3)]
        write("young.csv", [("USER_ID", "ITEM_ID", "TIMESTAMP"),
                            *sorted(WORLD.rows + rows, key=lambda row: row[2])])
        write("young-items.csv", [("ITEM_ID", "GENRE", "CREATION_TIMESTAMP")] + [
            (item, "war", round(END - days * DAY)) for item, days in ages.items()] + [
            (item, "war", "") for item in first] + [
            (item, "love", END - 100 * DAY) for item in WORLD.items + WORLD.new])
        cold = {"newest", "four", "five", "fifteen", "seen four"}
        for settings, want in (
                ((), cold),
                (("cold_start_max_duration=10",), cold | {"over five", "six", "seen six"}),
                (("cold_start_max_interactions=16",), cold | {"sixteen"})):
            with self.subTest(settings=settings):
                train("young", "aws-hrnn-coldstart",
                      *[word for one in settings for word in ("--set", one)],
                      log="young.csv", items="young-items.csv")
                for user, found in lists("young", "-i", path("young.csv"), "-k",
                                         25).items():
                    self.assertEqual({item for item, _ in found}, want, user)

    def test_ranking_scores_add_up_to_one_and_unknown_items_come_last(self):
        train("rank", "aws-personalized-ranking")
        write("shelf.csv", [("USER_ID", "ITEM_IDS"),
                            ("u0", "love1|mystery|war1|space1|riddle|war3"),
                            ("stranger", "love1|war1|mystery"), ("u1", "war1")])
        found = lists("rank", "-i", path("interactions.csv"), "--input-lists",
                      path("shelf.csv"))
        self.assertEqual(list(found), ["u0", "stranger", "u1"])
        self.assertEqual({i for i, _ in found["u0"]},
                         {"love1", "mystery", "war1", "space1", "riddle", "war3"})
        self.assertEqual([i for i, s in found["u0"] if s is None], ["mystery", "riddle"])
        self.assertEqual([i for i, _ in found["u0"][-2:]], ["mystery", "riddle"])
        for items in found.values():
            scores = [s for _, s in items if s is not None]
            self.assertAlmostEqual(sum(scores), 1, places=5)
            self.assertEqual(scores, sorted(scores, reverse=True))
        # The order is that of the user's whole list.
        whole = [i for i, _ in lists("rank", "-i", path("interactions.csv"), "-k",
                                     66)["u0"]]
        ranked = [i for i, s in found["u0"] if s is not None]
        self.assertEqual(ranked, sorted(ranked, key=whole.index))
        for bad, why in (("USER_ID\nu0\n", "following columns:[ITEM_IDS]"),
                         ("USER_ID,ITEM_IDS\nu0,\n", "shelf.csv:2: column ITEM_IDS"),
                         ("USER_ID,ITEM_IDS\nu0,a||b\n", "shelf.csv:2: column ITEM_IDS")):
            with open(path("shelf.csv"), "w") as file:
                file.write(bad)
            code, _, err = eddy("recommend", "-m", path("rank"), "-i",
                                path("interactions.csv"), "--input-lists",
                                path("shelf.csv"), "-o", "-")
            self.assertEqual(code, 65, err)
            self.assertIn(why, err)


class Segments(unittest.TestCase):
    def segment(self, model, queries, *more, log="interactions.csv"):
        with open(path("queries.jsonl"), "w") as file:
            file.write("".join(json.dumps(q) + "\n" for q in queries))
        code, out, err = eddy("segment", "-m", path(model), "-i", path("queries.jsonl"), "-H",
                              path(log), "-o", path("answers.jsonl"), "-q", *more)
        if code == 0:
            with open(path("answers.jsonl")) as file:
                return [json.loads(line) for line in file]
        self.assertEqual((code, out), (65, ""), err)
        return err

    def test_users_for_items_and_attributes(self):
        train("item-affinity", "aws-item-affinity", "--set", "epochs=12")
        train("attribute-affinity", "aws-item-attribute-affinity", "--set", "epochs=12")
        answers = self.segment("item-affinity",
                               [{"itemId": f"{g}1"} for g in GENRES] + [{"itemId": "?"}],
                               "-n", 20)
        self.assertEqual([a["input"]["itemId"] for a in answers],
                         ["war1", "love1", "space1", "?"])
        self.assertEqual(answers[3]["output"], {"recommendedUsers": []})
        attributes = self.segment(
            "attribute-affinity",
            [{"itemAttributes": f'ITEMS.genre = "{g}"'} for g in GENRES] +
            [{"itemAttributes": 'ITEMS.GENRE = "war" AND ITEMS.GENRE = "love"'}], "-n", 20)
        self.assertEqual(attributes[3]["output"], {"recommendedUsers": []})
        for found in (answers, attributes):
            for number, answer in enumerate(found[:3]):
                users = answer["output"]["recommendedUsers"]
                self.assertEqual(len(set(users)), 20)
                own = sum(int(u[1:]) % 3 == number for u in users)
                self.assertGreaterEqual(own, 16, answer)
        few = self.segment("item-affinity", [{"itemId": "war1"}], "-n", 5)
        self.assertEqual(few[0]["output"]["recommendedUsers"],
                         answers[0]["output"]["recommendedUsers"][:5])

        # A user without events is found by his metadata.
        write("newcomers.csv", [("USER_ID", "LIKES"), ("newcomer", "space")])
        code, out, err = eddy("segment", "-m", path("item-affinity"), "-i",
                              path("queries.jsonl"), "-H", path("interactions.csv"), "-U",
                              path("newcomers.csv"), "-o", "-", "-q", "-n", 121)
        self.assertEqual(code, 0, err)
        self.assertIn("newcomer", json.loads(out)["output"]["recommendedUsers"])

        refused = [
            ("item-affinity", [{"itemAttributes": 'ITEMS.genre = "war"'}],
             "takes itemId"),
            ("attribute-affinity", [{"itemId": "war1"}], "takes itemAttributes"),
            ("attribute-affinity", [{"itemAttributes": 'ITEMS.genre != "war"'}],
             "queries.jsonl:1: itemAttributes: at '!= \"war\"': only = compares here"),
            ("attribute-affinity", [{"itemAttributes": 'ITEMS.genre IN ("war")'}],
             "only = compares here"),
            ("attribute-affinity",
             [{"itemAttributes": 'ITEMS.genre = "war" OR ITEMS.genre = "love"'}],
             "only AND joins"),
            ("attribute-affinity", [{"itemAttributes": 'ITEMS.price = 3'}],
             "no such column"),
            ("attribute-affinity", [{"itemAttributes": 'ITEMS.genre = "war"'}] * 11,
             "queries.jsonl:11: more than 10"),
            ("item-affinity", [{"itemId": "war1"}] * 501, "queries.jsonl:501: more than 500"),
            ("item-affinity", [{"itemId": 3}], 'write {"itemId":"ID"}'),
            ("item-affinity", [], "no query in it"),
        ]
        for model, queries, why in refused:
            with self.subTest(why=why):
                self.assertIn(why, self.segment(model, queries))

    def test_who_will_have_an_item_next_is_in_its_segment(self):
        """Each user's last event is held out; the segment of its item is a tenth of all."""
        last = {}
        for row in WORLD.rows:
            last[row[0]] = row
        held = set(last.values())
        write("before.csv", [("USER_ID", "ITEM_ID", "TIMESTAMP"),
                             *(row for row in WORLD.rows if row not in held)])
        train("held-affinity", "aws-item-affinity", "--set", "epochs=12", log="before.csv")
        size = len(last) // 10
        asked = sorted({item for _, item, _ in held})
        answers = self.segment("held-affinity", [{"itemId": item} for item in asked], "-n",
                               size, log="before.csv")
        segment = {answer["input"]["itemId"]: answer["output"]["recommendedUsers"]
                   for answer in answers}
        self.assertEqual({len(users) for users in segment.values()}, {size})
        hits = sum(user in segment[item] for user, item, _ in held)
        self.assertGreater(hits, 2 * len(held) * size / len(last))

    def test_a_model_without_users_is_refused(self):
        train("popular", "aws-popularity-count")
        code, _, err = eddy("segment", "-m", path("popular"), "-i", path("items.csv"), "-H",
                            path("interactions.csv"), "-o", "-")
        self.assertEqual(code, 64)
        self.assertIn("aws-popularity-count, which knows no users", err)


class HyperParameters(unittest.TestCase):
    def test_defaults_ranges_and_what_may_be_tuned_are_amazons(self):
        code, out, err = eddy("recipes", "--json")
        self.assertEqual(code, 0, err)
        recipes = {r["name"]: r for r in map(json.loads, out.splitlines())}
        self.assertEqual(tuple(recipes), RECIPES)
        for recipe, name, default, low, high, tunable in (
                ("aws-user-personalization", "hidden_dimension", "149", 32, 256, True),
                ("aws-user-personalization", "bptt", "32", 2, 32, True),
                ("aws-user-personalization", "max_user_history_length_percentile", "0.99", 0,
                 1, False),
                ("aws-user-personalization", "exploration_weight", "0.3", 0, 1, False),
                ("aws-hrnn", "hidden_dimension", "43", 32, 256, True),
                ("aws-hrnn-metadata", "hidden_dimension", "43", 32, 256, True),
                ("aws-sims", "popularity_discount_factor", "0.5", 0, 1, True),
                ("aws-sims", "min_cointeraction_count", "3", 0, 10, True),
                ("aws-sims", "max_item_interaction_count_percentile", "0.9", 0, 1, False),
                ("aws-similar-items", "item_id_hidden_dim", "100", 30, 200, True),
                ("aws-item-affinity", "hidden_dimension", "149", 32, 256, False)):
            hyper = {h["name"]: h for h in recipes[recipe]["hyper_parameters"]}[name]
            self.assertEqual((hyper["default"], hyper["min"], hyper["max"],
                              hyper["tunable"]), (default, low, high, tunable), name)
        self.assertEqual(
            {h["name"]: h["default"] for h in recipes["aws-hrnn-coldstart"][
                "hyper_parameters"] if h["name"].startswith("cold_start_")},
            {"cold_start_max_interactions": "15", "cold_start_max_duration": "5.0",
             "cold_start_relative_from": "latestItem"})
        self.assertEqual(recipes["aws-popularity-count"]["hyper_parameters"], [])
        self.assertIn("149", eddy("recipes", "user-personalization")[1])

    def test_values_out_of_range_say_the_range(self):
        cases = [
            ("aws-hrnn", "hidden_dimension=31", "takes an integer from 32 to 256"),
            ("aws-hrnn", "hidden_dimension=257", "takes an integer from 32 to 256"),
            ("aws-hrnn", "hidden_dimension=64.5", "takes an integer"),
            ("aws-hrnn", "bptt=1", "takes an integer from 2 to 32"),
            ("aws-hrnn", "recency_mask=maybe", "takes true or false"),
            ("aws-sims", "popularity_discount_factor=1.5", "takes a number from 0 to 1"),
            ("aws-sims", "hidden_dimension=64", "aws-sims has no such setting"),
            ("aws-sims", "min_cointeraction_cuont=2",
             "did you mean min_cointeraction_count?"),
            ("aws-sims", "min_user_history_length_percentile=0.999", "above its max_"),
            ("aws-trending-now", "trend_discovery_frequency=2 hours",
             "takes one of 30 minutes, 1 hour, 3 hours, 1 day"),
            ("aws-hrnn-coldstart", "cold_start_relative_from=now",
             "takes one of currentTime, latestItem"),
            ("aws-hrnn-coldstart", "cold_start_max_interactions=0", "above 0"),
            ("aws-user-personalization", "exploration_weight=0.5", "belongs to serving"),
            ("aws-hrnn", "dropout", "write NAME=VALUE"),
        ]
        for recipe, setting, why in cases:
            with self.subTest(setting=setting):
                code, err = train("none", recipe, "--set", setting, ok=False)
                self.assertEqual(code, 64, err)
                self.assertIn(why, err)
        code, err = train("none", "aws-sim", ok=False)
        self.assertEqual(code, 64)
        self.assertIn('there is no recipe "aws-sim"; known: aws-user-personalization', err)
        self.assertEqual(eddy("recipes", "aws-sim")[0], 64)

    def test_gradients_go_further_than_amazons_without_a_recipe(self):
        base = ("train", "-i", path("interactions.csv"), "-q", "--set",
                "hidden_dimension=32", "--set", "epochs=1")
        shown = [row for row in eddy("train", "--set", "help")[1].splitlines()
                 if "bptt" in row]
        self.assertIn("0..1000", " ".join(shown))
        for bptt in ("0", "64", "1000"):
            code, _, err = eddy(*base, "-o", path("far"), "--set", f"bptt={bptt}")
            self.assertEqual(code, 0, err)
            self.assertEqual(manifest(path("far"))["hyper_parameters"]["bptt"], int(bptt))
            code, err = train("none", "aws-hrnn", "--set", f"bptt={bptt}", ok=False)
            self.assertEqual(code, 64, err)
            self.assertIn("takes an integer from 2 to 32", err)
        code, _, err = eddy(*base, "-o", path("none"), "--set", "bptt=1001")
        self.assertEqual(code, 64, err)
        self.assertIn("bptt", err)
        self.assertIn("1000", err)

    def test_defaults_of_the_recipe_reach_the_model(self):
        for recipe, hidden in (("aws-hrnn", 43), ("aws-user-personalization", 149)):
            train("defaults", recipe, "--set", "epochs=1")
            made = manifest(path("defaults"))
            self.assertEqual(made["shape"]["hidden"], hidden)
            self.assertEqual(made["hyper_parameters"]["hidden_dimension"], hidden)
            self.assertAlmostEqual(
                made["hyper_parameters"]["max_user_history_length_percentile"], 0.99)

    def test_users_beyond_the_percentiles_are_not_trained_on_but_served(self):
        robot = [("robot", f"space{n % 20}", END - 20 * DAY + n) for n in range(400)]
        rows = sorted(WORLD.rows + robot, key=lambda row: row[2])
        write("robots.csv", [("USER_ID", "ITEM_ID", "TIMESTAMP"), *rows])
        code, out, err = eddy("train", "-i", path("robots.csv"), "-o", path("robots"),
                              "--recipe", "aws-hrnn", "--set", "epochs=1", "--json", "-q")
        self.assertEqual(code, 0, err)
        summary = json.loads(out)
        self.assertGreaterEqual(summary["long_users"], 1)
        self.assertLessEqual(summary["events"], len(WORLD.rows))
        self.assertEqual(len(lists("robots", "-i", path("robots.csv"), "-k", 3)["robot"]), 3)


class Ids(unittest.TestCase):
    def test_ids_with_commas_quotes_tabs_and_lines_come_out_whole(self):
        odd = ['a,b', 'say "x"', "tab\there", "two\nlines", "back\\slash", "여우"]
        rows = [(f"u{u}", odd[(u + e) % 6], END + 60 * e) for u in range(30)
                for e in range(5)]
        write("odd.csv", [("USER_ID", "ITEM_ID", "TIMESTAMP"), *rows,
                          ("user\twith tab", odd[0], END)])
        code, _, err = eddy("train", "-i", path("odd.csv"), "-o", path("odd"), "-q",
                            "--recipe", "aws-popularity-count", "--set", "allow_small=true")
        self.assertEqual(code, 0, err)
        found = lists("odd", "-i", path("odd.csv"), "-k", 10)
        def unescape(text):
            return (text.replace("\\\\", "\0").replace("\\t", "\t").replace("\\n", "\n")
                    .replace("\0", "\\"))
        self.assertEqual({unescape(i) for i, _ in found["u0"]}, set(odd))
        self.assertIn("user\\twith tab", found)


if __name__ == "__main__":
    support.main()
