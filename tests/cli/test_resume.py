#!/usr/bin/env python3
"""A training that is killed goes on where it was and gives the same model, byte for byte."""

import hashlib
import json
import os
import random
import re
import signal
import time

import support
from support import Folder, eddy, manifest

SETTINGS = ["--threads", "1", "--seed", "3", "--checkpoint", "0", "--quiet"]
for setting in ("hidden_dimension=32", "epochs=60", "patience=60", "layers=1",
                "history_events=20"):
    SETTINGS += ["--set", setting]


def write_log(path):
    draw = random.Random(5)
    with open(path, "w") as out:
        out.write("USER_ID,ITEM_ID,TIMESTAMP\n")
        for user in range(150):
            item, when = draw.randrange(60), 1000000000 + user * 50
            for _ in range(20):
                out.write(f"u{user},i{item},{when}\n")
                item, when = (item + 1 + user % 3) % 60, when + 60


def command(log, model, *more):
    return ["train", "-i", log, "-o", model, *SETTINGS, *more]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def digests(model):
    return {name: digest(os.path.join(model, name))
            for name in ("model.safetensors", "catalog.csv")}


class Resume(Folder):
    def setUp(self):
        super().setUp()
        self.log = self.path("log.csv")
        write_log(self.log)

    def train(self, model, *more):
        return eddy(*command(self.log, model, *more))

    def learning(self, model):
        return manifest(model)["metrics"]["learning_curve"]

    def kill_after_a_checkpoint(self, model, size_before, *more):
        """Start, wait for a new checkpoint, kill -9. False: it was done before that."""
        process = support.start(*command(self.log, model, *more))
        checkpoint = model + ".checkpoint"
        deadline = time.monotonic() + 60
        try:
            while time.monotonic() < deadline and process.poll() is None:
                if os.path.exists(checkpoint) and \
                        os.stat(checkpoint).st_mtime_ns != size_before:
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.005)
        finally:
            code = process.wait(timeout=60)
        return code == -signal.SIGKILL

    def test_killed_training_gives_the_same_model(self):
        whole, cut = self.path("whole"), self.path("cut")
        done = self.train(whole)
        self.assertEqual(done.code, 0, done.err)
        self.assertFalse(os.path.exists(whole + ".checkpoint"))
        kills, stamp = 0, None
        for _ in range(3):
            if not self.kill_after_a_checkpoint(cut, stamp):
                break
            kills += 1
            stamp = os.stat(cut + ".checkpoint").st_mtime_ns
            self.assertFalse(os.path.exists(cut), "no model before the end")
        self.assertGreaterEqual(kills, 1)
        done = self.train(cut)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(digests(cut), digests(whole))
        self.assertFalse(os.path.exists(cut + ".checkpoint"))
        self.assertEqual(self.learning(cut), self.learning(whole))  # from epoch 1 on

    def test_more_epochs_give_the_longer_run(self):
        long = ("--set", "epochs=70", "--set", "patience=70")
        whole, cut = self.path("whole"), self.path("cut")
        done = self.train(whole, *long)
        self.assertEqual(done.code, 0, done.err)
        self.assertTrue(self.kill_after_a_checkpoint(cut, None))
        done = eddy(*[word for word in command(self.log, cut, *long) if word != "--quiet"])
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("going on after epoch", done.err)
        self.assertEqual(digests(cut), digests(whole))

    def test_another_option_is_refused_with_both_values(self):
        model = self.path("model")
        more = ("--hold-out", "loo", "--set", "dropout=0.3")
        self.assertTrue(self.kill_after_a_checkpoint(model, None, *more))
        before = digest(model + ".checkpoint")
        for words, sentence in [
                (("--set", "dropout=0.4"), "dropout is 0.4 here, but 0.3 in the run"),
                (("--set", "layers=2"), "layers is 2 here, but 1 in the run"),
                (("--seed", 4), "seed is 4 here, but 3 in the run"),
                (("--hold-out", "successive"), "hold-out is successive here, but loo in"),
                (("--event-value-threshold", 3), "event-value-threshold is 3 here, but none"),
                (("--event-value-threshold", "click=3"),
                 "event-value-threshold click is 3 here, but none"),
                (("--recipe", "aws-hrnn", "--set", "dropout=0.3"), "recipe is aws-hrnn")]:
            with self.subTest(words=words):
                if "--event-value-threshold" in words:
                    log = self.path("valued.csv")
                    with open(self.log) as old, open(log, "w") as new:
                        new.write(old.readline().strip() + ",EVENT_VALUE,EVENT_TYPE\n")
                        new.writelines(line.strip() + ",5,click\n" for line in old)
                else:
                    log = self.log
                code, out, err = eddy(*command(log, model, *more, *words))
                self.assertEqual((code, out), (64, ""), err)
                self.assertIn(sentence, err)
                self.assertIn(f"remove {model}.checkpoint to start anew", err)
                self.assertEqual(digest(model + ".checkpoint"), before)
        done = self.train(model, *more)  # as it was: goes on
        self.assertEqual(done.code, 0, done.err)

    def test_warm_start_goes_on_from_a_model(self):
        """One epoch from an older model knows more than one epoch from nothing."""
        old, warm, cold = self.path("old"), self.path("warm"), self.path("cold")
        settings = [*SETTINGS, "--json", "--set", "validation_fraction=0.1"]
        one = [*settings, "--set", "epochs=1", "--set", "refit=false"]

        def run(model, *more):
            out = support.succeed("train", "-i", self.log, "-o", model, *more)
            return json.loads(out)["validation_ndcg_at_10"]

        run(old, *settings)
        with open(self.log, "a") as out:  # two items that the old model does not know
            for user in range(150):
                out.write(f"u{user},new{user % 2},1100000000\n")
        self.assertGreater(run(warm, *one, "--warm-start", old), 2 * run(cold, *one))
        done = eddy("train", "-i", self.log, "-o", cold, "--warm-start",
                    self.path("nothing"))
        self.assertNotEqual(done.code, 0)
        self.assertIn("nothing", done.err)

    def test_another_shape_than_that_of_the_older_model_is_refused(self):
        old, new = self.path("old"), self.path("new")
        few = ["--set", "epochs=1", "--set", "layers=2"]
        self.assertEqual(self.train(old, *few).code, 0)
        base = ["train", "-i", self.log, "-o", new, "--quiet", "--warm-start", old, "--set",
                "epochs=1"]
        for setting, has in (("hidden_dimension=64", "hidden_dimension=32"),
                             ("layers=1", "layers=2"), ("cell=gru", "cell=mingru"),
                             ("mode=all", "mode=flat")):
            code, out, err = eddy(*base, "--set", setting)
            self.assertEqual((code, out), (64, ""), err)
            self.assertIn(f"--set {setting}: the model of --warm-start {old} has {has}; leave "
                          "that --set out", err)
            self.assertFalse(os.path.exists(new))
        # What it has may be said, what a recipe has by default was not said.
        for more in (["--set", "layers=2", "--set", "hidden_dimension=32"],
                     ["--recipe", "aws-hrnn"]):
            done = eddy(*base, *more)
            self.assertEqual(done.code, 0, done.err)
            self.assertEqual(manifest(new)["hyper_parameters"]["hidden_dimension"], 32)

    def test_damaged_checkpoint_starts_anew(self):
        model = self.path("model")
        with open(model + ".checkpoint", "wb") as out:
            out.write(b"eddyckpt" + bytes(1000))
        done = self.train(model)
        self.assertEqual(done.code, 0, done.err)
        self.assertFalse(os.path.exists(model + ".checkpoint"))

    def test_a_checkpoint_of_another_program_starts_anew_and_says_so(self):
        whole, cut = self.path("whole"), self.path("cut")
        self.assertEqual(self.train(whole).code, 0)
        self.assertTrue(self.kill_after_a_checkpoint(cut, None))
        with open(cut + ".checkpoint", "rb") as file:
            kept = file.read()[:-32]  # a digest of all before it stands at the end
        build = re.search(rb"program=\S+ build ([0-9a-f]{16})\n", kept)[1]
        kept = kept.replace(b"build " + build, b"build " + build[::-1], 1)
        with open(cut + ".checkpoint", "wb") as file:
            file.write(kept + hashlib.sha256(kept).digest())
        done = eddy(*[word for word in command(self.log, cut) if word != "--quiet"])
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("made by another version or build", done.err)
        self.assertNotIn("going on after", done.err)
        self.assertEqual(digests(cut), digests(whole))

    def test_checkpoint_that_cannot_be_written_is_said_once(self):
        model = self.path("model")
        os.mkdir(model + ".checkpoint")
        os.mkdir(os.path.join(model + ".checkpoint", "full"))
        done = self.train(model)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(done.err.count("no checkpoint"), 1)
        self.assertTrue(os.path.exists(os.path.join(model, "manifest.json")))


if __name__ == "__main__":
    support.main()
