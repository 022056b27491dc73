#!/usr/bin/env python3
"""eddy eval from end to end on a small log: hold-outs of training are what is asked, figures
are those of an independent scorer (bench/score.py), baselines and pages are there. Needs no
server."""

import json
import os
import random
import re
import subprocess
import sys

import support
from support import SharedFolder, eddy

SCORE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench/score.py")
ITEMS, USERS, DAY = 120, 200, 86400


def score(*arguments):
    done = subprocess.run([sys.executable, SCORE, *map(str, arguments)], text=True,
                          capture_output=True, timeout=120, check=True)
    return json.loads(done.stdout)


def make_log():
    """Chains i -> 7 i + 3 with noise; times of users overlap."""
    draw, rows = random.Random(5), []
    for user in range(USERS):
        time, item = 1600000000 + draw.randrange(60 * DAY), draw.randrange(ITEMS)
        for _ in range(draw.randint(4, 40)):
            rows.append((time, user, item, draw.randint(1, 5)))
            time += draw.randint(60, DAY)
            item = (item * 7 + 3) % ITEMS if draw.random() < .6 else draw.randrange(ITEMS)
    rows.sort()
    return rows


class Eval(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rows = make_log()
        cls.log = cls.write("log.csv", cls.rows)
        cls.models = {}

    @classmethod
    def write(cls, name, rows):
        with open(cls.path(name), "w", encoding="utf-8") as file:
            file.write("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n")
            for time, user, item, value in rows:
                file.write(f"u{user},i{item},{time},click,{value}\n")
        return cls.path(name)

    def model(self, hold_out, seed=1):
        key = (hold_out, seed)
        if key not in self.models:
            folder = self.path(f"model{len(self.models)}")
            words = [hold_out] if isinstance(hold_out, str) else hold_out
            held = ["--hold-out", *words] if hold_out else []
            code, _, err = eddy("train", "-i", self.log, "-o", folder, "--quiet",
                                "--set", "hidden_dimension=32", "--set", "epochs=3",
                                "--seed", seed, *held)
            self.assertEqual(code, 0, err)
            self.models[key] = folder
        return self.models[key]

    def evaluate(self, model, protocol, *more, warns=False):
        code, out, err = eddy("eval", "-m", model, "-i", self.log, "--protocol", protocol,
                              "--json", "--quiet", "--resamples", 50, *more)
        self.assertEqual(code, 0, err)
        self.assertEqual("warning" in err, warns, err)
        return json.loads(out)

    def agrees(self, evaluation, scored):
        self.assertEqual(evaluation["queries"], scored["queries"])
        for key, value in scored.items():
            if "@" in key:
                self.assertAlmostEqual(evaluation[key]["mean"], value, delta=1e-5, msg=key)

    def recommend(self, model, log, *more, k=26):
        lists = self.path("lists.tsv")
        code, _, err = eddy("recommend", "-m", model, "-i", log, "-o", lists, "-k", k,
                            "--quiet", *more)
        self.assertEqual(code, 0, err)
        return lists

    def by_user(self):
        users = {}
        for row in self.rows:
            users.setdefault(row[1], []).append(row)
        return users.values()

    def test_leave_one_out_is_what_lists_and_answers_give(self):
        train = self.write("loo_train.csv", [row for rows in self.by_user()
                                             for row in rows[:-1]])
        test = self.write("loo_test.csv", [rows[-1] for rows in self.by_user()])
        model = self.model("loo")
        lists = self.recommend(model, train, "--exclude-seen")
        evaluation = self.evaluate(model, "loo")
        self.assertEqual(evaluation["seen"], "excluded")
        self.agrees(evaluation, score("once", lists, test, "--history", train))

    def test_the_workshop_is_what_lists_and_answers_give(self):
        late = [[(n + 1) / len(rows) > .9 for n in range(len(rows))]
                for rows in self.by_user()]
        pairs = [(row, flag) for rows, flags in zip(self.by_user(), late)
                 for row, flag in zip(rows, flags)]
        train = self.write("ws_train.csv", [row for row, flag in pairs if not flag])
        test = self.write("ws_test.csv", [row for row, flag in pairs if flag])
        model = self.model("aws-workshop")
        evaluation = self.evaluate(model, "aws-workshop", "--reward", "EVENT_VALUE")
        scored = score("once", self.recommend(model, train), test)
        self.assertEqual(evaluation["answers"], sum(flag for _, flag in pairs))
        self.agrees(evaluation, scored)
        self.assertEqual(evaluation["coverage"]["items_in_lists_of_25"],
                         scored["items_listed"])
        amazon = evaluation["amazon"]
        self.assertAlmostEqual(amazon["mean_reciprocal_rank_at_25"], scored["mrr@25"], 5)
        for k in (5, 10, 25):
            self.assertAlmostEqual(amazon[f"precision_at_{k}"], scored[f"precision@{k}"], 5)
            self.assertAlmostEqual(amazon[f"normalized_discounted_cumulative_gain_at_{k}"],
                                   scored[f"ndcg_aws@{k}"], 5)
        shown = support.items_of(self.recommend(model, train, k=500))
        taken = {}
        for row, flag in pairs:
            if flag:
                mine = taken.setdefault(f"u{row[1]}", {})
                mine[f"i{row[2]}"] = mine.get(f"i{row[2]}", 0) + row[3]
        textbook = sum(sum(mine.get(i, 0) for i in shown[user][:25]) / sum(mine.values())
                       for user, mine in taken.items()) / len(taken)
        self.assertAlmostEqual(evaluation["average_rewards@25"]["mean"], textbook, 5)
        literal = sum(self.amazons_reward(shown[user], mine, mine)
                      for user, mine in taken.items()) / len(taken)
        self.assertAlmostEqual(amazon["average_rewards_at_k"], literal, 5)
        self.assertEqual(amazon["average_rewards_at_k"],
                         evaluation["average_rewards_aws@25"]["mean"])

    @staticmethod
    def amazons_reward(shown, taken, worth):
        """Of the reward of all that was shown and taken the share that is among the 25 of it
        that are worth most; of equals what was taken comes last."""
        dearest = sorted(shown, key=lambda i: (-worth.get(i, 0), taken.get(i, 0)))[:25]
        every = sum(taken.get(i, 0) for i in shown)
        return sum(taken.get(i, 0) for i in dearest) / every if every else 0

    def split_in_python(self, rows, share=.9):
        """Rows of the oldest nine tenths of each user, and the rest."""
        users, train, test = {}, [], []
        for row in rows:
            users.setdefault(row[1], []).append(row)
        for mine in users.values():
            for n, row in enumerate(mine):
                (test if (n + 1) / len(mine) > share else train).append(row)
        return train, test

    def test_coverage_and_rewards_by_the_prices_of_items(self):
        """Popularity gives 25 / items of the training events. Ten items occur in
        newest events alone, so that there are more items than those."""
        rows = list(self.rows)
        for n, mine in enumerate(list(self.by_user())[:10]):
            rows.append((mine[-1][0] + 60, mine[-1][1], 500 + n, 3))
        rows.sort()
        train, test = self.split_in_python(rows)
        log, price = self.write("late.csv", rows), {}
        with open(self.path("prices.csv"), "w", encoding="utf-8") as file:
            file.write("ITEM_ID,PRICE\n")
            for item in sorted({row[2] for row in rows}):
                price[f"i{item}"] = 1 + item * 37 % 50
                file.write(f"i{item},{price[f'i{item}']}\n")
        support.succeed("train", "-q", "-i", log, "-I", self.path("prices.csv"), "-o",
                        self.path("priced"), "--hold-out", "aws-workshop", "--recipe",
                        "aws-popularity-count")
        out = json.loads(support.succeed(
            "eval", "-q", "--json", "--resamples", 0, "-m", self.path("priced"), "-i", log,
            "--protocol", "aws-workshop", "--reward", "PRICE"))
        items = len({row[2] for row in train})
        self.assertLess(items, len(price))
        self.assertEqual(out["coverage"]["training_items"], items)
        self.assertEqual(out["coverage"]["items_in_lists_of_25"], 25)
        self.assertAlmostEqual(out["amazon"]["coverage"], 25 / items, 6)
        shown = support.items_of(self.recommend(self.path("priced"), self.write("early.csv", train),
                                          k=500))
        taken = {}
        for _, user, item, _ in test:
            mine = taken.setdefault(f"u{user}", {})
            mine[f"i{item}"] = mine.get(f"i{item}", 0) + price[f"i{item}"]
        literal = sum(self.amazons_reward(shown[user], mine, price)
                      for user, mine in taken.items()) / len(taken)
        self.assertAlmostEqual(out["amazon"]["average_rewards_at_k"], literal, 5)
        self.assertNotAlmostEqual(out["average_rewards@25"]["mean"], literal, 2)

    def test_successive_and_sessions_are_asked_event_by_event(self):
        model = self.model("successive")
        evaluation = self.evaluate(model, "successive")
        start = evaluation["from_ms"] / 1000
        times = sorted(row[0] for row in self.rows)
        self.assertEqual(start, times[int(.9 * (len(times) - 1))])
        lists = self.recommend(model, self.log, "--every-event", "--stream", "--from",
                               int(start))
        self.agrees(evaluation, score("events", lists, self.log, "--from", start))
        self.assertIn(evaluation["time_unit"], ("day", "week"))
        self.assertEqual(sum(time["queries"] for time in evaluation["by_time"]),
                         evaluation["queries"])
        self.assertEqual([age["state_age"] for age in evaluation["by_state_age"]],
                         ["0", "1", "5", "20", "1 day"])
        sessions = self.evaluate(model, "sessions", warns=True)
        self.assertEqual(sessions["queries"], len(self.rows) - USERS)
        self.agrees(sessions, score("events", self.recommend(model, self.log,
                                                             "--every-event"), self.log))

    def test_the_age_of_a_model_counts_from_what_it_has_learned(self):
        """Trained with nothing newer than half of the log, asked about its last tenth."""
        times = sorted(row[0] for row in self.rows)
        begin, ask = times[len(times) // 2], times[len(times) * 9 // 10]
        model = self.model(("successive", "--from", begin))
        newest = max(t for t in times if t < begin)
        evaluation = self.evaluate(model, "successive", "--from", ask)
        self.assertEqual(evaluation["time_counts_from_ms"], newest * 1000)
        self.assertEqual(evaluation["time_unit"], "week")
        users = {}
        for row in self.rows:
            users.setdefault(row[1], []).append(row[0])
        want = {}
        for mine in users.values():
            for time in mine[1:]:
                if time >= ask:
                    week = (time - newest) // (7 * DAY) + 1
                    want[str(week)] = want.get(str(week), 0) + 1
        self.assertNotIn("1", want)
        self.assertEqual({at["time"]: at["queries"] for at in evaluation["by_time"]}, want)
        out = support.succeed("eval", "-q", "-m", model, "-i", self.log, "--protocol",
                              "successive", "--from", ask, "--resamples", 0)
        self.assertIn("by week after the newest event learned, of 2020-", out)

    def test_a_stream_asks_before_it_learns(self):
        model = self.model("successive")
        start = self.evaluate(model, "successive")["from_ms"] // 1000
        one = self.evaluate(model, "prequential", "--from", start)
        two = self.evaluate(model, "prequential", "--from", start, "--refresh", "1d")
        self.assertEqual(one["queries"], two["queries"])
        self.assertEqual(one["training_events"],
                         sum(row[0] < start for row in self.rows))
        lists = self.recommend(model, self.log, "--every-event", "--stream", "--from", start,
                               "--refresh", "1d")
        self.agrees(two, score("events", lists, self.log, "--from", start))

    def test_cold_items_are_never_trained_on(self):
        model = self.model("cold-items")
        evaluation = self.evaluate(model, "cold-items")
        self.assertEqual(evaluation["answers"] + evaluation["training_events"],
                         len(self.rows))
        self.assertEqual(evaluation["coverage"]["training_items"], ITEMS // 2)

    def test_solution_metrics_ask_a_tenth_of_the_users(self):
        evaluation = self.evaluate(self.model("solution-metrics"), "solution-metrics")
        self.assertLessEqual(evaluation["users"], USERS // 10)
        self.assertGreater(evaluation["users"], USERS // 20)

    def held_out_fifth(self):
        """What protocol segments trains on, and who had which item in the rest."""
        train, had = [], {}
        for mine in self.by_user():
            end = len(mine) - len(mine) // 5
            train += mine[:end]
            for _, user, item, _ in mine[end:]:
                had.setdefault(item, set()).add(f"u{user}")
        return sorted(train), had

    def segment(self, model, queries, train):
        """eddy segment's users for each query, two each: a hundredth of 200."""
        found = []
        for first in range(0, len(queries), 10):
            with open(self.path("queries.jsonl"), "w", encoding="utf-8") as file:
                file.write("".join(json.dumps(q) + "\n" for q in queries[first:first + 10]))
            out = support.succeed("segment", "-q", "-m", model, "-i",
                                  self.path("queries.jsonl"), "-H", train, "-n", USERS // 100,
                                  "-o", "-")
            found += [json.loads(line)["output"]["recommendedUsers"]
                      for line in out.splitlines()]
        return found

    def segments_are(self, figures, segments, wanted):
        hits = [len(wanted[q] & set(users)) for q, users in segments.items()]
        recall = [len(wanted[q] & set(users)) / len(wanted[q])
                  for q, users in segments.items()]
        for key, values in (("hits", hits), ("recall", recall)):
            self.assertAlmostEqual(figures[f"{key}_at_1_percent"]["mean"],
                                   sum(values) / len(values), delta=1e-6, msg=key)
        users = {user for one in segments.values() for user in one}
        self.assertEqual(figures["coverage"]["users_in_segments"], len(users))
        self.assertAlmostEqual(figures["coverage"]["of_users"], len(users) / USERS, 6)

    def without_a_model(self, wanted, items_of, train):
        """The two baselines: most active users, and those who had most of it before."""
        order = {}
        for _, user, _, _ in self.rows:
            order.setdefault(f"u{user}", len(order))
        events, on = dict.fromkeys(order, 0), {}
        for _, user, item, _ in train:
            events[f"u{user}"] += 1
            on[f"u{user}", item] = on.get((f"u{user}", item), 0) + 1
        active, had = {}, {}
        for q in wanted:
            own = {u: sum(on.get((u, item), 0) for item in items_of(q)) for u in order}
            active[q] = sorted(order, key=lambda u: (-events[u], order[u]))[:USERS // 100]
            had[q] = sorted(order, key=lambda u: (-own[u], -events[u], order[u]))
            had[q] = had[q][:USERS // 100]
        return {"most-active": active, "had-most": had}

    def test_segments_are_judged_as_a_count_in_python_says(self):
        """Hits and recall at 1 % of users, for items and for attributes."""
        with open(self.path("items.csv"), "w", encoding="utf-8") as file:
            file.write("ITEM_ID,GENRE,COLOUR\n")
            for item in range(ITEMS):
                file.write(f"i{item},g{item % 11}|h{item % 4},c{item % 5}\n")
        train, had = self.held_out_fifth()
        histories = self.write("segments_train.csv", train)
        values = {}
        for item, users in had.items():
            for query in (("GENRE", f"g{item % 11}"), ("GENRE", f"h{item % 4}"),
                          ("COLOUR", f"c{item % 5}")):
                values.setdefault(query, set()).update(users)
        cells = {i: {("GENRE", f"g{i % 11}"), ("GENRE", f"h{i % 4}"), ("COLOUR", f"c{i % 5}")}
                 for i in range(ITEMS)}
        for recipe, wanted, ask, items_of in (
                ("aws-item-affinity", had, lambda q: {"itemId": f"i{q}"}, lambda q: [q]),
                ("aws-item-attribute-affinity", values,
                 lambda q: {"itemAttributes": f'ITEMS.{q[0]} = "{q[1]}"'},
                 lambda q: [i for i in cells if q in cells[i]])):
            with self.subTest(recipe=recipe):
                model = self.path(recipe)
                support.succeed("train", "-q", "-i", self.log, "-I", self.path("items.csv"),
                                "-o", model, "--recipe", recipe, "--hold-out", "segments",
                                "--set", "hidden_dimension=32", "--set", "epochs=3")
                out = self.evaluate(model, "segments", "--baselines")
                self.assertEqual(out["queries"], len(wanted))
                self.assertEqual(out["users_per_segment"], USERS // 100)
                self.assertEqual(out["users_to_be_found"], sum(map(len, wanted.values())))
                self.assertEqual(out["answers"], len(self.rows) - len(train))
                queries = list(wanted)
                segments = dict(zip(queries, self.segment(model, [ask(q) for q in queries],
                                                          histories)))
                self.segments_are(out, segments, wanted)
                self.assertEqual(out["amazon"], {
                    "coverage": out["coverage"]["of_users"],
                    "hits_at_1_percent": out["hits_at_1_percent"]["mean"],
                    "recall_at_1_percent": out["recall_at_1_percent"]["mean"]})
                rivals = {rival["name"]: rival for rival in out["compared"]}
                for name, users in self.without_a_model(wanted, items_of, train).items():
                    self.segments_are(rivals[name], users, wanted)
                text = support.succeed("eval", "-q", "-m", model, "-i", self.log,
                                       "--protocol", "segments", "--resamples", 20)
                self.assertRegex(text, r"(?m)^model +%.4f ±" %
                                 out["hits_at_1_percent"]["mean"])
        for protocol in ("loo", "aws-workshop"):
            other = self.evaluate(self.path("aws-item-affinity"), protocol, warns=True)
            self.assertIn("aws-item-affinity finds users for items, and is asked for items "
                          "here; --protocol segments asks", other["warning"])

    def test_users_who_are_alike_are_nobody_s_segment(self):
        """All have had the same ten things: who comes first among equals is no finding."""
        log = self.write("alike.csv", sorted((1600000000 + 100 * user + 3600 * n, user, n, 1)
                                             for user in range(300) for n in range(10)))
        support.succeed("train", "-q", "-i", log, "-o", self.path("alike"), "--recipe",
                        "aws-item-affinity", "--hold-out", "segments", "--set", "epochs=1",
                        "--set", "hidden_dimension=32")
        out = json.loads(support.succeed("eval", "-q", "--json", "-m", self.path("alike"),
                                         "-i", log, "--protocol", "segments", "--resamples",
                                         10))
        self.assertEqual((out["queries"], out["users_to_be_found"]), (2, 600))
        self.assertEqual(out["hits_at_1_percent"]["mean"], 0)
        self.assertEqual(out["coverage"]["users_in_segments"], 0)

    def test_segments_need_a_model_that_knows_users(self):
        support.succeed("train", "-q", "-i", self.log, "-o", self.path("counted"), "--recipe",
                        "aws-popularity-count", "--hold-out", "segments")
        for code, words, model, arguments in (
                (64, "knows no users; evaluate aws-item-affinity", self.path("counted"), []),
                (64, "asks for users: without --against", self.model("loo"),
                 ["--report", self.path("x.html")])):
            got, _, err = eddy("eval", "-m", model, "-i", self.log, "--protocol", "segments",
                               *arguments)
            self.assertEqual(got, code, err)
            self.assertIn(words, err)

    def test_baselines_are_asked_the_same(self):
        model = self.model("aws-workshop")
        evaluation = self.evaluate(model, "aws-workshop", "--baselines")
        rivals = {rival["name"]: rival for rival in evaluation["compared"]}
        self.assertEqual(set(rivals), {"popularity", "recent-popularity", "markov", "rules",
                                       "neighbours", "closed-form"})
        popularity = rivals["popularity"]
        self.assertEqual(popularity["coverage"]["items_in_lists_of_25"], 25)
        items = {row[2] for row in self.split_in_python(self.rows)[0]}
        self.assertAlmostEqual(popularity["coverage"]["of_training_items"], 25 / len(items),
                               5)
        for rival in rivals.values():
            difference = rival["model_minus_it"]["mrr@25"]
            self.assertAlmostEqual(difference["mean"], evaluation["mrr@25"]["mean"] -
                                   rival["mrr@25"]["mean"], delta=2e-6)
            self.assertLessEqual(difference["low"], difference["mean"] + 1e-9)
        self.assertGreater(rivals["markov"]["mrr@25"]["mean"],
                           2 * popularity["mrr@25"]["mean"])
        chosen = {name: rival["chosen"] for name, rival in rivals.items() if "chosen" in rival}
        self.assertEqual(set(chosen), {"neighbours", "closed-form"})
        self.assertGreater(chosen["neighbours"]["on_events"], 50)
        self.assertIn("age_decay_days", chosen["neighbours"])
        # Nobody is asked for what he has just had, and lists may hold it.
        self.assertTrue(chosen["closed-form"]["zero_diagonal"])
        text = support.succeed("eval", "-q", "-m", model, "-i", self.log, "--protocol",
                               "aws-workshop", "--baselines", "--resamples", 10)
        self.assertRegex(text, r"(?m)^neighbours: sessions (do not age|age by exp\(-days / .*"
                               r"\)); chosen on the newest \d+ events of the training part$")
        self.assertRegex(text, r"(?m)^closed-form: sessions .*, no item speaks for itself; ch")

    def test_a_baseline_that_finds_nothing_to_learn_is_named_and_left_out(self):
        """Users of two events: what loo leaves holds no session to be anybody's neighbour."""
        pairs = self.write("pairs.csv", [(1600000000 + 60 * n, n // 2, n % 7, 1)
                                         for n in range(400)])
        model = self.path("popular")
        support.succeed("train", "-q", "-i", pairs, "-o", model, "--hold-out", "loo",
                        "--recipe", "aws-popularity-count", "--set", "allow_small=true")
        out = support.succeed("eval", "-q", "-m", model, "-i", pairs, "--protocol", "loo",
                              "--baselines", "--json", "--resamples", 10)
        evaluation = json.loads(out)
        self.assertNotIn("neighbours", {one["name"] for one in evaluation["compared"]})
        self.assertIn("neighbours (no session has two events)",
                      support.succeed("eval", "-q", "-m", model, "-i", pairs, "--protocol",
                                      "loo", "--baselines", "--resamples", 10))

    def test_models_are_compared_with_models(self):
        model, other = self.model("aws-workshop"), self.model("aws-workshop", seed=2)
        evaluation = self.evaluate(model, "aws-workshop", "--against", other, "--against",
                                   model)
        second, same = evaluation["compared"]
        alone = self.evaluate(other, "aws-workshop")
        self.assertEqual(second["ndcg@10"], alone["ndcg@10"])
        self.assertEqual(same["model_minus_it"]["ndcg@10"],
                         {"mean": 0, "low": 0, "high": 0})

    def test_the_page_is_complete_in_itself(self):
        page = self.path("page.html")
        self.evaluate(self.model("successive"), "successive", "--baselines", "--report", page)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertNotRegex(text, r"<script|https?://|url\((?!#)|<link|<img")
        for title in ("Against others", "not up to date", "By length of the history",
                      "By age of the model", "Learning curve", "closed-form"):
            self.assertIn(title, text)
        self.assertGreaterEqual(text.count("<svg"), 5)
        self.assertNotIn("nan", re.sub(r"<[^>]*title[^>]*>", "", text).lower())
        self.assertLess(len(text), 200000)

    def test_training_on_the_answers_is_noticed(self):
        code, out, err = eddy("eval", "-m", self.model(None), "-i", self.log, "--protocol",
                              "loo", "--quiet", "--json")
        self.assertEqual(code, 0)
        self.assertIn("has seen answers; train with --hold-out loo", err)
        self.assertIn("has seen answers", json.loads(out)["warning"])

    def test_a_leak_in_time_is_noticed_whatever_was_held_out(self):
        times = sorted(row[0] for row in self.rows)
        begin, early, late = (times[len(times) * n // 10] for n in (9, 8, 9))

        def warning(hold_out, protocol, *more):
            code, out, err = eddy("eval", "-m", self.model(hold_out), "-i", self.log,
                                  "--protocol", protocol, "--resamples", 0, "--quiet",
                                  "--json", *more)
            self.assertEqual(code, 0, err)
            self.assertEqual("warning: " in err, json.loads(out).get("warning") is not None)
            return err

        held = ("successive", "--from", begin)
        for protocol in ("successive", "prequential"):
            for since, leaks in ((begin, False), (late + 86400, False), (early, True)):
                err = warning(held, protocol, "--from", since)
                self.assertEqual("has seen answers" in err, leaks, err)
                if leaks:
                    self.assertIn("has learned from events up to 20", err)
            # A model that kept something else back has still seen newer events.
            self.assertIn("has seen answers", warning("loo", protocol, "--from", begin))
        # Prequential asks about the whole file, unless told from when on.
        self.assertIn("has seen answers", warning(held, "prequential"))
        # An older file of the same log: other bytes, the same events.
        older = self.write("older.csv", self.rows[:-50])
        code, _, err = eddy("eval", "-m", self.model(None), "-i", older, "--protocol",
                            "successive", "--quiet")
        self.assertEqual(code, 0, err)
        self.assertIn("has seen answers", err)

    def test_other_leaks_are_noticed(self):
        for held, protocol, more, words in (
                ("cold-items", "cold-items", (), None),
                ("cold-items", "cold-items", ("--split-seed", 7), "leave --split-seed out"),
                ("loo", "aws-workshop", (), "train with --hold-out aws-workshop"),
                (None, "sessions", (), "asks about a file of its own")):
            code, _, err = eddy("eval", "-m", self.model(held), "-i", self.log, "--protocol",
                                protocol, "--quiet", *more)
            self.assertEqual(code, 0, err)
            self.assertIn(words or "", err)
            self.assertEqual("warning" in err, words is not None, err)

    def test_threads_do_not_change_a_figure(self):
        model = self.model("successive")
        one, four = (self.evaluate(model, "successive", "--threads", threads)
                     for threads in (1, 4))
        del one["seconds"], four["seconds"]
        self.assertEqual(one, four)

    def test_mistakes_are_explained(self):
        model = self.model("loo")
        for code, words, arguments in (
                (64, "goes with --protocol", ["--protocol", "loo", "--from", "2020-01-01"]),
                (64, "--half-life goes with --refresh", ["--protocol", "prequential", "--from",
                                                         "2020-01-01", "--half-life", "1d"]),
                (65, "all of them are asked about; give --train", [
                    "--protocol", "successive", "--from", "2020-01-01", "--baselines"]),
                (64, "--baselines need --train", ["--protocol", "sessions", "--baselines"]),
                (64, "aws-workshop", ["--protocol", "workshop"]),
                (64, "--train is what --baselines", ["--protocol", "loo", "--train", "x"]),
                (64, "--reward goes with", ["--protocol", "successive", "--reward",
                                            "EVENT_VALUE"]),
                (78, "no such column", ["--protocol", "aws-workshop", "--reward", "PRICE"]),
                (65, "nothing to ask", ["--protocol", "successive", "--from",
                                        "2030-01-01"])):
            got, _, err = eddy("eval", "-m", model, "-i", self.log, *arguments)
            self.assertEqual(got, code, err)
            self.assertIn(words, err)

    def test_a_request_that_tells_the_model_nothing_is_noticed(self):
        _, _, err = eddy("eval", "-q", "-m", self.model("loo"), "-i", self.log, "--protocol",
                         "loo", "--request-context", "--resamples", 0)
        self.assertIn("it has not learned from context columns", err)


if __name__ == "__main__":
    support.main()
