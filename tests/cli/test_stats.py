#!/usr/bin/env python3
"""`eddy stats` and `eddy check -i`: figures of a log, what is unsuitable about it (few
events, anonymous users, fixed rules), JSON that says what its documentation promises."""

import json
import os
import random
import re

import small_logs as logs
import support
from support import Folder, eddy


class Stats(Folder):
    def stats(self, *arguments):
        code, out, err = eddy("stats", *arguments, "--json")
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)

    def codes(self, *arguments):
        return {f["code"] for f in self.stats(*arguments)["findings"]}

    def test_figures_are_those_of_the_log(self):
        histories = logs.people(300)
        log = logs.write(self.path("log.csv"), histories)
        figures = self.stats("-i", log)
        lengths = sorted(map(len, histories))
        self.assertEqual(figures["events"], sum(lengths))
        self.assertEqual((figures["users"], figures["items"]), (300, 60))
        self.assertEqual(figures["per_user"]["p50"], lengths[149])
        self.assertEqual(figures["per_user"]["max"], lengths[-1])
        pairs = {(u, i) for h in histories for _, u, i in h}
        self.assertEqual(figures["pairs"], len(pairs))
        self.assertEqual(figures["repeats"], sum(lengths) - len(pairs))
        self.assertEqual(sum(figures["time"]["series"]), sum(lengths))
        self.assertEqual(figures["robots"]["users"], 0)
        self.assertGreater(figures["order"]["hit_at_1"],
                           2 * figures["order"]["shuffled_hit_at_1"])
        self.assertEqual(eddy("stats", "-i", log, "--json"),
                         eddy("stats", "-i", log, "--json"))
        self.assertNotEqual(self.stats("-i", log)["order"],
                            self.stats("-i", log, "--seed", 2)["order"])

    def test_every_field_is_documented_and_every_documented_field_is_there(self):
        log = logs.write(self.path("log.csv"), logs.people(100))
        code, out, _ = eddy("stats", "--fields")
        self.assertEqual(code, 0)
        documented = {line.split()[0] for line in out.splitlines()}
        found = set()
        for key, value in self.stats("-i", log).items():
            if isinstance(value, dict) and key not in ("columns", "retraining"):
                found |= {f"{key}.{inner}" for inner in value}
            else:
                found.add(key)
        self.assertEqual(found, documented)

    def test_unsuitable_logs_are_said_openly(self):
        draw = random.Random(2)
        guests = [[(logs.BEGIN + g * 300 + k, f"g{g}", draw.randrange(60))
                   for k in range(2)] for g in range(2000)]
        rule = [[(logs.BEGIN + u * 900 + k * 9, f"u{u}", (u + k) % 60)
                 for k in range(20)] for u in range(200)]
        wide = [[(logs.BEGIN + u * 900 + k * 90, f"u{u}", u * 20 + k)
                 for k in range(20)] for u in range(200)]
        cases = [
            ("few_events", [logs.people(20)], 65, "FAILED"),
            ("few_users", [logs.people(20)], 65, "FAILED"),
            ("anonymous", [guests], 0, "warn"),
            ("fixed_rules", [rule], 0, "warn"),
            ("few_users_per_item", [wide], 0, "warn"),
        ]
        for code, histories, status, word in cases:
            with self.subTest(code=code):
                log = logs.write(self.path("log.csv"), *histories)
                self.assertIn(code, self.codes("-i", log))
                done, out, err = eddy("check", "-i", log)
                self.assertEqual((done, err), (status, ""))
                self.assertRegex(out, rf"(?m)^{word} +{code} ")
        log = logs.write(self.path("log.csv"), logs.people(300))
        done, out, _ = eddy("check", "-i", log)
        self.assertEqual(done, 0)
        for code, *_ in cases:
            self.assertNotIn(f" {code} ", out)

    def test_robots_are_listed_with_the_setting_that_drops_them(self):
        draw = random.Random(1)
        log = logs.write(self.path("log.csv"), logs.people(300),
                         [logs.robot(draw, f"r{r}", 2500 + 10 * r) for r in range(6)])
        figures = self.stats("-i", log)
        self.assertEqual(figures["robots"]["users"], 6)
        self.assertEqual({r["user"] for r in figures["robots"]["list"]},
                         {f"r{r}" for r in range(6)})
        advice = [f["advice"] for f in figures["findings"] if f["code"] == "robots"][0]
        share = re.search(r"max_user_history_length_percentile=(0\.\d+)", advice)[1]
        self.assertLessEqual(float(share), 1 - 6 / 306 + 1e-4)
        # What it says of the defaults holds: plain training keeps robots.
        self.assertIn("plain eddy train keeps all, a network trained with --recipe has 0.99",
                      advice)
        for words, most in (((), 0), (("--recipe", "aws-hrnn"), 4), (
                ("--set", f"max_user_history_length_percentile={share}"), 6)):
            summary = json.loads(support.succeed(
                "train", "-i", log, "-o", self.path("model"), "--set", "epochs=1", "--set",
                "hidden_dimension=32", "--threads", 1, "--json", "-q", *words))
            self.assertEqual(summary["long_users"], most, words)

    def test_advice_names_what_can_be_done(self):
        histories = logs.people(120)
        crowd = [[(at, user, 0 if n % 3 else item + 100 * n)
                  for n, (at, user, item) in enumerate(history)] for history in histories]
        log = logs.write(self.path("log.csv"), crowd)
        items = support.write_csv(self.path("items.csv"), [
            ("ITEM_ID", "GENRE"), *((f"i{n}", f"g{n % 3}") for n in range(4000))])
        advice = {f["code"]: f["advice"]
                  for f in self.stats("-i", log, "-I", items)["findings"]}
        self.assertLessEqual({"concentrated", "cold_items"}, set(advice))
        for text in advice.values():
            self.assertNotIn("exploration_weight", text)  # serving does not have it yet
        # The commands that it names, as it names them.
        for code, recipe in (("concentrated", "aws-sims"),
                             ("cold_items", "aws-hrnn-coldstart")):
            self.assertIn("--recipe " + recipe, advice[code])
            settings = re.findall(r"--set (\S+=[\d.]+)", advice[code])
            support.succeed("train", "-i", log, "-I", items, "-o", self.path(recipe),
                            "--recipe", recipe, "-q", "--threads", 1,
                            *(word for one in settings for word in ("--set", one)),
                            *(() if recipe == "aws-sims" else ("--set", "epochs=1")))

    def test_metadata_columns(self):
        log = logs.write(self.path("log.csv"), logs.people(100))
        items = self.path("items.csv")
        with open(items, "w") as file:
            file.write("ITEM_ID,GENRE,PRICE,DESCRIPTION,RARE\n")
            for i in range(100):
                file.write(f"i{i},g{i % 5},{i * 1.5},a tale of {i} words,"
                           f"{'x' if i < 50 else ''}\n")
        figures = self.stats("-i", log, "-I", items)
        table = figures["columns"]["items"]
        self.assertEqual((table["rows"], table["without_events"]), (100, 40))
        self.assertEqual({c["name"]: c["kind"] for c in table["columns"]},
                         {"ITEM_ID": "id or time", "GENRE": "categorical",
                          "PRICE": "numeric", "DESCRIPTION": "text",
                          "RARE": "categorical"})
        codes = {f["code"] for f in figures["findings"]}
        self.assertLessEqual({"incomplete_column", "cold_items"}, codes)
        code, _, err = eddy("stats", "-i", log, "-U", items)
        self.assertEqual(code, 65)
        self.assertIn("missing the following columns:[USER_ID]", err)

    def test_bad_rows_are_counted_and_the_first_is_told(self):
        log = logs.write(self.path("log.csv"), logs.people(100))
        with open(log, "a") as file:
            file.write("u1,,1700000000\nu1,i1,yesterday\n")
        figures = self.stats("-i", log)
        self.assertEqual(figures["bad_rows"], 2)
        self.assertRegex(figures["first_bad_row"], r"log\.csv:\d+: column ITEM_ID")
        self.assertIn("bad_rows", {f["code"] for f in figures["findings"]})
        self.assertEqual(eddy("stats", "-i", self.path("none.csv"))[0], 74)

    def test_text_is_narrow_and_plain_without_a_terminal(self):
        log = logs.write(self.path("l.csv"), logs.people(300))
        code, out, _ = eddy("stats", "-i", "l.csv", cwd=self.folder)
        self.assertEqual(code, 0)
        self.assertTrue(out.isascii())
        self.assertNotIn("\033", out)
        self.assertLessEqual(max(map(len, out.splitlines())), 100)
        for heading in ("Events per user and per item", "Does order matter?",
                        "Drift of popularity", "What to do"):
            self.assertIn(heading, out)
        self.assertTrue(os.path.exists(log))

    def test_html_is_one_page_without_script(self):
        log = logs.write(self.path("a<b.csv"), logs.people(100))
        page = self.path("page.html")
        self.assertEqual(eddy("stats", "-i", log, "--html", page)[0], 0)
        with open(page) as file:
            text = file.read()
        self.assertIn("a&lt;b.csv", text)
        self.assertNotIn("a<b", text)
        self.assertNotIn("<script", text)
        self.assertNotIn("http", text)
        self.assertGreaterEqual(text.count("<svg"), 4)
        self.assertNotRegex(text, r"\b(nan|inf)\b")


if __name__ == "__main__":
    support.main()
