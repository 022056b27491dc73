#!/usr/bin/env python3
"""`eddy tune`: Amazon's hpoConfig, what may be tuned, and a search that is killed and goes on.
Also what training leaves out: users below and above the percentiles of history length."""

import json
import os
import random
import signal
import subprocess
import time

import small_logs as logs
import support
from support import Folder, eddy, manifest

QUICK = ("--set", "epochs=2")


def jobs_left(model):
    """Processes that train for a search; those of a killed one end on their own."""
    deadline = time.monotonic() + 20
    while True:
        left = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline") as file:
                    words = file.read().split("\0")
            except OSError:
                continue
            if "train" in words and any(w.startswith(model + ".tune/") for w in words):
                left.append(pid)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(.05)


class Tune(Folder):
    def run_json(self, *arguments):
        code, out, err = eddy(*arguments, "--json", "--quiet")
        self.assertEqual(code, 0, err)
        return json.loads(out)


class Search(Tune):
    def setUp(self):
        super().setUp()
        self.log = logs.write(self.path("log.csv"), logs.people(100))
        self.common = ("-i", self.log, "--recipe", "aws-hrnn", "--threads", 1)

    def config(self, **hpo):
        path = self.path("hpo.json")
        with open(path, "w") as file:
            json.dump({"hpoConfig": hpo}, file)
        return path

    def trials(self, model):
        with open(model + ".tune/trials.jsonl") as file:
            return [json.loads(line) for line in file if line.endswith("\n")][1:]

    def test_four_jobs_two_parallel_give_tuned_params(self):
        hpo = self.config(
            algorithmHyperParameterRanges={
                "integerHyperParameterRanges": [
                    {"name": "hidden_dimension", "minValue": "32", "maxValue": "64"}],
                "continuousHyperParameterRanges": [],
                "categoricalHyperParameterRanges": [
                    {"name": "recency_mask", "values": ["true", "false"]}]},
            hpoResourceConfig={"maxNumberOfTrainingJobs": "4",
                               "maxParallelTrainingJobs": "2"},
            hpoObjective={"metricName": "x", "type": "Maximize"})
        model = self.path("model")
        code, out, err = eddy("tune", *self.common, "-o", model, "--hpo-config", hpo,
                              "--json", "--quiet", "--", *QUICK)
        self.assertEqual(code, 0, err)
        self.assertIn("hpoObjective is not used", err)
        found = json.loads(out)
        tuned = found["tunedHPOParams"]["algorithmHyperParameters"]
        self.assertEqual(set(tuned), {"hidden_dimension", "recency_mask"})
        self.assertTrue(32 <= int(tuned["hidden_dimension"]) <= 64)
        self.assertIn(tuned["recency_mask"], ("true", "false"))
        self.assertEqual((found["jobs"], found["failed"]), (4, 0))
        values = [t["value"] for t in found["trials"]]
        self.assertEqual(found["value"], max(values))
        self.assertEqual(found["trials"][found["best_job"] - 1]["hyperParameters"], tuned)
        # The first job takes the defaults of the recipe.
        self.assertEqual(found["trials"][0]["hyperParameters"],
                         {"hidden_dimension": "43", "recency_mask": "true"})
        # The model is the best job's, and trains to the same again.
        made = manifest(model)
        self.assertEqual(made["version"], found["model"])
        curve = made["metrics"]["learning_curve"]
        self.assertGreaterEqual(len(curve), 2)
        self.assertEqual([point["epoch"] for point in curve][:2], [1, 2])
        self.assertEqual(found["value"], max(p.get("ndcg_at_10", 0) for p in curve))
        again = self.run_json("train", *self.common, "-o", self.path("again"), *QUICK,
                              *(w for k, v in tuned.items() for w in ("--set", f"{k}={v}")))
        self.assertEqual(again["model"], found["model"])
        self.assertEqual([f for f in os.listdir(model + ".tune")
                          if os.path.isdir(os.path.join(model + ".tune", f))], [])

    def test_what_may_not_be_tuned_is_refused(self):
        def numbers(kind, name, low, high):
            return {"algorithmHyperParameterRanges": {
                kind + "HyperParameterRanges": [
                    {"name": name, "minValue": low, "maxValue": high}]}}
        up = "aws-user-personalization"
        cases = [
            (up, numbers("continuous", "exploration_weight", "0", "1"),
             "exploration_weight of aws-user-personalization cannot be tuned: it belongs "
             "to the campaign; can be: hidden_dimension, bptt, recency_mask"),
            (up, numbers("continuous", "max_user_history_length_percentile", ".9", "1"),
             "cannot be tuned"),
            (up, numbers("integer", "hidden_dimension", "16", "64"), "within 32 to 256"),
            (up, numbers("integer", "hidden_dimension", "64", "32"), "is not a range"),
            (up, numbers("integer", "hidden_dimension", "32.5", "64"), "whole numbers"),
            (up, numbers("continuous", "bptt", 2, 32), "an integer hyper-parameter"),
            (up, numbers("integer", "epochs", 2, 32), "epochs is no hyper-parameter"),
            (up, numbers("integer", "hidden_dimension", "x", "64"), "needs name"),
            ("aws-sims", numbers("integer", "hidden_dimension", 32, 64),
             "can be: popularity_discount_factor, min_cointeraction_count"),
            ("aws-popularity-count", {}, "no hyper-parameter that can be tuned"),
            (up, {"hpoResourceConfig": {"maxNumberOfTrainingJobs": "41"}}, "1 to 40"),
            (up, {"hpoResourceConfig": {"maxParallelTrainingJobs": "11"}}, "1 to 10"),
            (up, {"hpoResourceConfig": {"maxNumberOfTrainingJob": "4"}},
             'hpoResourceConfig has no "maxNumberOfTrainingJob"; it has '
             "maxNumberOfTrainingJobs and maxParallelTrainingJobs"),
            (up, {"hpoResourceConfig": ["4"]}, "hpoResourceConfig is an object"),
            (up, {"ranges": []}, 'hpoConfig has no "ranges"'),
            (up, {"algorithmHyperParameterRanges": {"categoricalHyperParameterRanges": [
                {"name": "recency_mask", "values": ["maybe"]}]}},
             'recency_mask does not take "maybe"'),
        ]
        for recipe, hpo, sentence in cases:
            with self.subTest(sentence=sentence):
                code, out, err = eddy("tune", "-i", self.log, "-o", self.path("m"),
                                      "--recipe", recipe, "--hpo-config",
                                      self.config(**hpo))
                self.assertEqual((code, out), (64, ""))
                self.assertIn(sentence, err)
        for words, sentence in [(("--range", "hidden_dimension=32"), "MIN..MAX"),
                                (("--range", "bptt=2..8", "--range", "bptt=2..9"),
                                 "two ranges"),
                                (("--jobs", 41), "range 1 to 40"),
                                (("--", "-o", "elsewhere"), "-o goes before --"),
                                (("--", "--items=x"), "--items goes before --")]:
            code, _, err = eddy("tune", *self.common, "-o", self.path("m"), *words)
            self.assertEqual(code, 64)
            self.assertIn(sentence, err)
        self.assertEqual(os.listdir(self.folder).count("m.tune"), 0)

    def test_a_killed_search_goes_on_with_the_same_points(self):
        def command(model, *more):
            return ("tune", *self.common, "-o", self.path(model), "--jobs", 6,
                    "--parallel", 2, "--range", "hidden_dimension=32..96",
                    "--range", "learning_rate=1e-4..1e-2", "--json", "--quiet", *more,
                    "--", *QUICK)
        whole = json.loads(eddy(*command("whole"))[1])
        model, file = self.path("cut"), self.path("cut.tune/trials.jsonl")
        search = support.start(*command("cut"))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and search.poll() is None:
            if os.path.exists(file) and len(self.trials(model)) >= 2:
                break
            time.sleep(.02)
        search.send_signal(signal.SIGKILL)
        search.wait()
        self.assertEqual(jobs_left(model), [], "jobs outlive their search")
        before = self.trials(model)
        self.assertTrue(2 <= len(before) < 6, before)
        with open(file, "a") as out:
            out.write('{"job":6,"point":{"hidden_di')  # as a kill in a write leaves it
        # Not without being asked to, and not as another search.
        code, _, err = eddy(*command("cut"))
        self.assertEqual(code, 64)
        self.assertIn("--resume", err)
        code, _, err = eddy(*command("cut", "--resume", "--seed", 2))
        self.assertEqual(code, 64)
        self.assertIn("another search", err)
        found = json.loads(eddy(*command("cut", "--resume"))[1])
        self.assertEqual(found["resumed"], len(before))
        after = self.trials(model)
        self.assertEqual(after[:len(before)], before)
        self.assertEqual(sorted(t["job"] for t in after if "value" in t)[-1], 6)
        for one, other in zip(whole["trials"], found["trials"]):
            self.assertEqual(one["hyperParameters"], other["hyperParameters"])
            self.assertEqual(one["value"], other["value"])
        self.assertEqual(found["model"], whole["model"])
        # A finished one trains nothing more, and may be made longer.
        once_more = json.loads(eddy(*command("cut", "--resume"))[1])
        self.assertEqual((once_more["resumed"], once_more["model"]), (6, whole["model"]))
        self.assertEqual(self.trials(model), after)
        longer = command("cut", "--resume")
        longer = [8 if w == 6 else w for w in longer]
        found = json.loads(eddy(*longer)[1])
        self.assertEqual((found["jobs"], found["resumed"]), (8, 6))

    def test_an_interrupted_search_ends_its_jobs_and_says_how_to_go_on(self):
        model = self.path("m")
        search = support.start(
            "tune", *self.common, "-o", model, "--jobs", 4, "--parallel", 2, "--", "--set",
            "epochs=5000", "--set", "patience=5000", stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not os.path.exists(model + ".tune/job-02.log"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(.02)
        search.send_signal(signal.SIGINT)
        out, err = search.communicate(timeout=60)
        self.assertEqual((search.returncode, out), (70, ""))
        self.assertIn("interrupted; the same command with --resume goes on", err)
        self.assertEqual(jobs_left(model), [])
        self.assertEqual(self.trials(model), [])

    def test_recipes_without_a_network_are_asked_by_eval(self):
        model = self.path("model")
        logs.write(self.log, logs.people(200))
        found = self.run_json("tune", "-i", self.log, "-o", model, "--recipe", "aws-sims",
                              "--jobs", 5, "--parallel", 2)
        self.assertEqual((found["objective"], found["failed"]),
                         ("successive_ndcg_at_10", 0))
        tuned = found["tunedHPOParams"]["algorithmHyperParameters"]
        self.assertEqual(set(tuned),
                         {"popularity_discount_factor", "min_cointeraction_count"})
        again = self.run_json("train", "-i", self.log, "-o", self.path("again"),
                              "--recipe", "aws-sims",
                              *(w for k, v in tuned.items() for w in ("--set", f"{k}={v}")))
        self.assertEqual(again["model"], found["model"])
        self.assertEqual(again["held_out"], 0)
        code, _, err = eddy("tune", "-i", self.log, "-o", model, "--recipe", "aws-sims",
                            "--resume", "--", "--hold-out", "loo")
        self.assertEqual(code, 64)
        self.assertIn("holds out itself", err)

    def test_a_job_that_fails_is_told_and_the_search_goes_on(self):
        code, _, err = eddy("tune", *self.common, "-o", self.path("m"), "--jobs", 2, "--",
                            "--no-such-option")
        self.assertEqual(code, 70)
        self.assertIn("no job gave a value", err)
        self.assertIn("unknown option --no-such-option", err)
        self.assertFalse(os.path.exists(self.path("m")))


class Percentiles(Tune):
    def quality(self, train, ask, *settings):
        model = self.path("model")
        summary = self.run_json(
            "train", "-i", train, "-o", model, "--recipe", "aws-hrnn", "--threads", 1,
            "--set", "history_events=2000", "--set", "learning_rate=0.005",
            "--set", "epochs=12", "--set", "patience=12", *settings)
        code, out, err = eddy("eval", "-m", model, "-i", ask, "--protocol", "loo",
                              "--keep-seen", "--json")
        self.assertEqual(code, 0, err)
        return summary, json.loads(out)["hr@1"]["mean"]

    def test_robots_dropped_the_rest_get_better_lists(self):
        key = "max_user_history_length_percentile"
        polluted, rest = [], []
        for seed in (1, 2):
            draw = random.Random(seed * 10)
            histories = logs.people(300, seed=seed)
            robots = [logs.robot(draw, f"r{r}") for r in range(3)]
            train = logs.write(self.path("train.csv"), [h[:-1] for h in histories], robots)
            ask = logs.write(self.path("ask.csv"), histories)
            kept, quality = self.quality(train, ask, "--set", f"{key}=1")
            self.assertEqual(kept["long_users"], 0)
            polluted.append(quality)
            dropped, quality = self.quality(train, ask)  # 0.99 is the default
            self.assertEqual(dropped["long_users"], 3)
            rest.append(quality)
        self.assertGreater(sum(rest), sum(polluted) + .06, (rest, polluted))

    def test_users_below_the_percentile_are_served_but_not_trained_on(self):
        long = logs.people(200, least=10, most=16)
        draw = random.Random(9)
        short = [logs.person(draw, f"s{u}", least=2, most=3) for u in range(100)]
        # By the type of their events the short ones can be left out in another way; users
        # and items have the same numbers, then.
        train = support.write_csv(self.path("train.csv"), [
            ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"),
            *((user, f"i{item}", int(at), "few" if user[0] == "s" else "many")
              for at, user, item in sorted(row for h in long + short for row in h))])

        def trained(name, *more):
            summary = self.run_json(
                "train", "-i", train, "-o", self.path(name), "--recipe", "aws-hrnn",
                "--threads", 1, *QUICK, "--set", "max_user_history_length_percentile=1",
                *more)
            with open(self.path(name) + "/model.safetensors", "rb") as file:
                return summary, file.read()
        everybody, model_of_all = trained("all")
        without, wanted = trained("without", "--event-type", "many")
        summary, model = trained("model", "--set", "min_user_history_length_percentile=0.4")
        of_long = sum(map(len, long))
        self.assertEqual([s["short_users"] for s in (everybody, without, summary)],
                         [0, 0, 100])
        self.assertEqual([s["events"] for s in (everybody, without, summary)],
                         [of_long + sum(map(len, short)), of_long, of_long])
        self.assertTrue(model == wanted, "trained on something else than the long histories")
        self.assertFalse(model == model_of_all)
        lists = self.path("lists.tsv")
        self.assertEqual(eddy("recommend", "-m", self.path("model"), "-i", train, "-k", 5,
                              "-o", lists, "-q")[0], 0)
        with open(lists) as file:
            served = {line.split("\t")[0] for line in file}
        self.assertLessEqual({f"s{u}" for u in range(100)}, served)


if __name__ == "__main__":
    support.main()
