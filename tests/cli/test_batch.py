#!/usr/bin/env python3
"""eddy recommend --batch: JSON Lines as Amazon's batch inference jobs have them. The lists are
those of `eddy recommend`; what cannot be answered has an error, and no line is lost."""

import json
import math
import os
import signal
import time

import small_logs as logs
import support
from support import SharedFolder, eddy, succeed


class Batch(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.log = logs.write(cls.path("log.csv"), logs.people(120))
        for name, recipe in (("users", "aws-hrnn"), ("sims", "aws-sims"),
                             ("popular", "aws-popularity-count")):
            fast = ("--set", "epochs=3", "--set", "hidden_dimension=32") if name == "users" else ()
            succeed("train", "-q", "-i", cls.log, "-o", cls.path(name), "--recipe", recipe,
                    *fast)

    def batch(self, model, requests, *more):
        """Requests as objects, or as texts when they are broken -> answers."""
        with open(self.path("in.jsonl"), "w", encoding="utf-8") as file:
            for request in requests:
                text = request if isinstance(request, str) else json.dumps(
                    request, ensure_ascii=False)
                file.write(text + "\n")
        done = eddy("recommend", "-q", "-m", self.path(model), "--batch",
                    self.path("in.jsonl"), "-o", "-", *more)
        answers = [json.loads(line) for line in done.out.splitlines()]
        some = any(answer["error"] is None for answer in answers)
        self.assertEqual(done.code, 0 if some or not answers else 65, done.err)
        self.assertEqual(len(answers), len(requests))
        for request, answer in zip(requests, answers):
            self.assertEqual(set(answer), {"input", "output", "error"})
            self.assertEqual(answer["input"], request)
            self.assertEqual(answer["output"] is None, answer["error"] is not None)
        return answers, done.err

    def lists(self, model, *more):
        return support.lists(succeed("recommend", "-q", "-m", self.path(model), "-o", "-",
                                     *more))

    def test_users_get_the_lists_of_recommend_with_shares_of_the_catalogue(self):
        for more in ((), ("--exclude-seen", "-k", 7)):
            plain = self.lists("users", "-i", self.log, *more)
            everything = self.lists("users", "-i", self.log, "-k", 500)
            users = [f"u{n}" for n in (5, 3, 119, 3)]  # one twice, in this order
            answers, err = self.batch("users", [{"userId": u} for u in users], "-i", self.log,
                                      *more)
            self.assertEqual(err, "")
            for user, answer in zip(users, answers):
                output = answer["output"]
                self.assertEqual(output["recommendedItems"], [i for i, _ in plain[user]])
                if more:
                    continue
                best = max(s for _, s in everything[user])
                total = sum(math.exp(s - best) for _, s in everything[user])
                for (_, score), share in zip(plain[user], output["scores"]):
                    self.assertAlmostEqual(share, math.exp(score - best) / total, places=5)

    def test_numbers_of_threads_and_order_of_lines_change_no_answer(self):
        requests = [{"userId": f"u{n}"} for n in range(120)]
        one, _ = self.batch("users", requests, "-i", self.log, "--threads", 1)
        two, _ = self.batch("users", requests[::-1], "-i", self.log, "--threads", 2)
        self.assertEqual(one, two[::-1])

    def test_unknown_users_get_what_is_popular(self):
        popular = self.lists("popular", "-i", self.log, "-k", 10)["u0"]
        answers, _ = self.batch("users", [{"userId": "nobody"}, {"userId": "niemand, ü"}],
                                "-i", self.log, "-k", 10)
        for answer in answers:
            self.assertEqual(answer["output"]["recommendedItems"], [i for i, _ in popular])
            self.assertEqual(answer["output"]["scores"],
                             sorted(answer["output"]["scores"], reverse=True))
        answers, _ = self.batch("popular", [{"userId": "nobody"}], "-k", 10)  # needs no log
        self.assertEqual(answers[0]["output"],
                         {"recommendedItems": [i for i, _ in popular]})  # no scores

    def test_items_get_related_items(self):
        seeds = support.write_csv(self.path("seeds.csv"), [("ITEM_ID",), ("i3",), ("i40",), ("what",)])
        for model, more in (("sims", ()), ("users", ("-k", 5))):
            plain = self.lists(model, "--for-items", seeds, *more)
            answers, _ = self.batch(model, [{"itemId": i} for i in ("i40", "what", "i3")], *more)
            for seed, answer in zip(("i40", "what", "i3"), answers):
                self.assertEqual(answer["output"]["recommendedItems"],
                                 [i for i, _ in plain[seed]])
                self.assertEqual("scores" in answer["output"], model == "users")

    def test_lists_are_ranked_and_unknown_items_come_last_without_a_score(self):
        items = ["i7", "odd", "i1", "i30", "i7"]
        shelf = support.write_csv(self.path("shelf.csv"), [
            ("USER_ID", "ITEM_IDS"), ("u4", "|".join(items)), ("nobody", "i3|i2")])
        plain = self.lists("users", "-i", self.log, "--input-lists", shelf)
        answers, _ = self.batch("users", [{"userId": "u4", "itemList": items},
                                          {"userId": "nobody", "itemList": ["i3", "i2"]}],
                                "-i", self.log)
        for user, answer in zip(("u4", "nobody"), answers):
            output = answer["output"]
            self.assertEqual(output["recommendedItems"], [i for i, _ in plain[user]])
            self.assertEqual(output["scores"], [s for _, s in plain[user] if s is not None])
            self.assertAlmostEqual(sum(output["scores"]), 1, places=5)
        self.assertEqual(answers[0]["output"]["recommendedItems"][-1], "odd")

    def test_what_cannot_be_answered_has_an_error_and_the_others_are_answered(self):
        cases = [
            ('{"userId": "u1"', "no JSON object"),
            ("userId,u1", "no JSON object"),
            ('"u1"', "no JSON object"),
            ('{"userId": "u1", "userId": "u2"}', "duplicate"),
            ({}, "userId or itemId is missing"),
            ({"userId": 4638}, 'userId: an id is a text, e.g. "4638"'),
            ({"userId": ""}, "userId: 1 to 256 bytes"),
            ({"userId": "u" * 257}, "userId: 1 to 256 bytes"),
            ({"userId": "u1", "itemList": []}, "itemList: a list of 1 to 500"),
            ({"userId": "u1", "itemList": ["i1", 2]}, "itemList: an id is a text"),
            ({"userId": "u1", "itemList": [f"i{n}" for n in range(501)]}, "1 to 500"),
            ({"itemList": ["i1"]}, "userId: whose order"),
            ({"userId": "u1", "filterValues": {"A": "1"}}, "filterValues: not known here"),
        ]
        requests = [{"userId": "u1"}]
        for request, _ in cases:
            requests += [request, {"userId": "u1"}]
        with open(self.path("in.jsonl"), "w", encoding="utf-8") as file:
            for request in requests:
                file.write(request if isinstance(request, str) else json.dumps(request))
                file.write("\n\r\n")  # blank lines are no requests
        out = self.path("out.jsonl")
        done = eddy("recommend", "-q", "-m", self.path("users"), "-i", self.log, "--batch",
                    self.path("in.jsonl"), "-o", out)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn(f"{len(cases)} of {len(requests)} lines", done.err)
        with open(out, encoding="utf-8") as file:
            answers = [json.loads(line) for line in file]
        self.assertEqual(len(answers), len(requests))
        for (request, why), answer, good in zip(cases, answers[1::2], answers[2::2]):
            with self.subTest(request=str(request)[:60]):
                self.assertEqual(answer["input"], request)
                self.assertIsNone(answer["output"])
                self.assertIn(why, answer["error"])
                self.assertEqual(good, answers[0])
        answers, _ = self.batch("sims", [{"userId": "u1", "itemList": ["i1"]}], "-i", self.log)
        self.assertIn("needs a model of users", answers[0]["error"])
        _, err = self.batch("sims", [{"userId": "u1", "itemList": ["i1"]}, {}], "-i", self.log)
        self.assertIn("none of the 2 lines", err)
        self.assertEqual(self.batch("sims", [])[0], [])
        answers, _ = self.batch("users", [{"userId": "u1"}, {"itemId": "i1"}])
        self.assertIn("no histories are given", answers[0]["error"])
        self.assertIsNone(answers[1]["error"])

    def test_the_command_says_what_does_not_go_together(self):
        for words in (("--stream",), ("--for-items", "x.csv"), ("--every-event",)):
            code, _, err = eddy("recommend", "-m", self.path("users"), "-i", self.log,
                                "--batch", "in", "-o", "-", *words)
            self.assertEqual(code, 64)
            self.assertIn("--batch says itself what is asked", err)
        code, _, err = eddy("recommend", "-m", self.path("users"), "-i", self.log, "--batch",
                            self.path("none.jsonl"), "-o", self.path("never"))
        self.assertEqual(code, 74)
        self.assertIn("none.jsonl", err)

    def test_a_stopped_run_leaves_nothing_behind(self):
        os.mkfifo(self.path("slow.jsonl"))
        run = support.start("recommend", "-m", self.path("users"), "-i", self.log, "--batch",
                            self.path("slow.jsonl"), "-o", self.path("stopped"))
        with open(self.path("slow.jsonl"), "w", encoding="utf-8") as requests:
            while not os.path.exists(self.path("stopped.part")):
                self.assertIsNone(run.poll())
                time.sleep(0.01)
            run.send_signal(signal.SIGINT)
            self.assertEqual(run.wait(30), -signal.SIGINT)
            del requests
        self.assertFalse(os.path.exists(self.path("stopped.part")))
        self.assertFalse(os.path.exists(self.path("stopped")))

    def test_a_users_file_that_changes_nothing_is_said_to(self):
        with open(self.path("ages.csv"), "w", encoding="utf-8") as file:
            file.write("USER_ID,AGE\nu3,31\n")
        code, _, err = eddy("recommend", "-q", "-m", self.path("users"), "-i", self.log, "-U",
                            self.path("ages.csv"), "-o", self.path("lists"))
        self.assertEqual(code, 0)
        self.assertIn("has learned nothing of users", err)


if __name__ == "__main__":
    support.main()
