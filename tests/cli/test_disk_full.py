#!/usr/bin/env python3
"""A disk that fills up: what stood there before stays, byte for byte, nothing is left beside
it, and the exit code and the sentence say why. The disk of these tests ends at the n-th byte
of a file (RLIMIT_FSIZE), or at once (/dev/full)."""

import json
import os
import resource
import signal
import time

import small_logs as logs
import support
from support import Folder, SharedFolder, eddy, succeed, write_csv

SIZES = (0, 300, 1500)  # the middle of the model, of a line, of the manifest
IO = 74


def ends_at(size):
    """For preexec_fn: no file of the process grows beyond size bytes."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # write(2) fails, then: EFBIG
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


def read(path):
    with open(path, "rb") as file:
        return file.read()


def contents(folder):
    """{path: bytes} of all files below it, {path: None} of folders."""
    found = {}
    for where, folders, files in os.walk(folder):
        found.update({os.path.join(where, name): None for name in folders})
        found.update({os.path.join(where, name): read(os.path.join(where, name))
                      for name in files})
    return found


def world(path):
    """A log, items whose titles make the catalogue larger than the manifest, questions."""
    logs.write(path("log.csv"), logs.people(110))
    write_csv(path("items.csv"), [("ITEM_ID", "TITLE"), *(
        (f"i{n}", f"{n} bottles of beer on the wall, {n} bottles of beer " * 2)
        for n in range(60))])
    write_csv(path("shelves.csv"), [("USER_ID", "ITEM_IDS"), *(
        (f"u{n}", "|".join(f"i{i}" for i in range(n % 9 + 1))) for n in range(100))])
    with open(path("batch.jsonl"), "w") as file:
        file.writelines(json.dumps({"userId": f"u{n}"}) + "\n" for n in range(100))
    with open(path("items.jsonl"), "w") as file:
        file.writelines(json.dumps({"itemId": f"i{n}"}) + "\n" for n in range(60))
    succeed("train", "-q", "-i", path("log.csv"), "-o", path("model"), "--recipe",
            "aws-item-affinity", "--hold-out", "loo", "--threads", 1, "--set", "epochs=1",
            "--set", "hidden_dimension=32", "--set", "layers=1")


def writers(path):
    """Commands that write a file, but for its name."""
    asked = ("-q", "-m", path("model"), "-i")
    return {
        "recommend": ("recommend", *asked, path("log.csv"), "-o"),
        "recommend --every-event": ("recommend", *asked, path("log.csv"), "--every-event",
                                    "-k", 3, "-o"),
        "recommend --stream": ("recommend", *asked, path("log.csv"), "--every-event",
                               "--stream", "-k", 3, "-o"),
        "recommend --batch": ("recommend", *asked, path("log.csv"), "--batch",
                              path("batch.jsonl"), "-o"),
        "recommend --input-lists": ("recommend", *asked, path("log.csv"), "--input-lists",
                                    path("shelves.csv"), "-o"),
        "segment": ("segment", *asked, path("items.jsonl"), "-H", path("log.csv"), "-o"),
        "eval": ("eval", *asked, path("log.csv"), "--protocol", "loo", "--resamples", 0,
                 "--report"),
        "stats": ("stats", "-i", path("log.csv"), "--html"),
    }


class Files(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world(cls.path)

    def fails(self, size, *words):
        """The command as the disk ends at size bytes; all files are as before."""
        before = contents(self.folder)
        code, _, err = eddy(*words, preexec_fn=ends_at(size))
        self.assertEqual(code, IO, err)
        self.assertIn("File too large", err)
        after = contents(self.folder)
        self.assertEqual(sorted(after), sorted(before))
        self.assertTrue(after == before, "a file has changed")

    def test_answers_replace_older_ones_whole_or_not_at_all(self):
        for name, words in writers(self.path).items():
            succeed(*words, self.path("whole"))
            size = os.path.getsize(self.path("whole"))
            os.remove(self.path("whole"))
            self.assertGreater(size, max(SIZES), name)
            for old in ("old answers\n", None):
                if old:
                    with open(self.path("answers"), "w") as file:
                        file.write(old)
                for limit in (*SIZES, size // 2, size - 1):
                    with self.subTest(command=name, old=old, limit=limit):
                        self.fails(limit, *words, self.path("answers"))
                if old:
                    os.remove(self.path("answers"))

    def test_a_model_replaces_an_older_one_whole_or_not_at_all(self):
        train = ("train", "-q", "-i", self.path("log.csv"), "--recipe",
                 "aws-popularity-count")
        titles = ("-I", self.path("items.csv"))
        whole = self.path("new")
        succeed(*train, "-o", whole)
        model, manifest = (os.path.getsize(os.path.join(whole, name))
                           for name in ("model.safetensors", "manifest.json"))
        succeed(*train, *titles, "-o", whole)
        catalog = os.path.getsize(os.path.join(whole, "catalog.csv"))
        # Each limit cuts one file: those before it in this list are smaller.
        self.assertTrue(300 < model < 1500 < manifest - 100 < catalog - 1,
                        (model, manifest, catalog))
        for place in ("model", "nothing there"):
            for limit, more in ((0, ()), (300, ()), (model - 1, ()), (1500, ()),
                                (manifest - 100, ()), (catalog - 1, titles)):
                with self.subTest(place=place, limit=limit):
                    self.fails(limit, *train, *more, "-o", self.path(place))
        succeed("recommend", "-q", "-m", self.path("model"), "-i", self.path("log.csv"),
                "-o", "-")

    def test_what_has_no_room_at_all_is_said(self):
        for name, words in writers(self.path).items():
            with self.subTest(command=name):
                before = contents(self.folder)
                code, _, err = eddy(*words, "/dev/full")
                self.assertEqual(code, IO, err)
                self.assertIn("No space left on device", err)
                self.assertTrue(contents(self.folder) == before, "a file has changed")


class StandardOutput(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world(cls.path)

    def test_it_is_never_full_without_a_word(self):
        words = writers(self.path)
        report = [list(words[name][:-1]) for name in ("eval", "stats")]
        small = ("-i", self.path("log.csv"), "--recipe", "aws-sims", "-o",
                 self.path("other"))
        commands = [
            *((*command, "-") for name, command in words.items()
              if name not in ("eval", "stats")),
            *((*command, "--json") for command in report), *report,
            ("recommend", "-q", "-m", self.path("model"), "-i", self.path("log.csv"), "-k",
             1, "-o", "-"),
            ("train", *small, "--json"),
            ("tune", *small, "--jobs", 1, "--json"),
            ("check", "-i", self.path("log.csv")),
            ("recipes", "--json"), ("recipes",), ("--help",), ("--version",), (),
            ("help", "train"), ("train", "--help"),
        ]
        for command in commands:
            with self.subTest(command=command), open("/dev/full", "w") as full:
                done = support.start(*command, stdout=full, stderr=-1, text=True)
                _, err = done.communicate(timeout=100)
                self.assertEqual(done.returncode, IO if command else 64, err)
                self.assertIn("No space left on device", err)


class Checkpoint(Folder):
    def test_a_full_disk_leaves_the_checkpoint_as_it_was(self):
        log, model = logs.write(self.path("log.csv"), logs.people(110)), self.path("model")
        train = ("train", "-i", log, "-o", model, "--threads", 1, "--checkpoint", 0, "--set",
                 "hidden_dimension=32", "--set", "layers=1", "--set", "epochs=60", "--set",
                 "patience=60")
        first = support.start(*train)
        deadline = time.monotonic() + 60
        while not os.path.exists(model + ".checkpoint") and first.poll() is None:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(.005)
        first.send_signal(signal.SIGKILL)
        self.assertEqual(first.wait(), -signal.SIGKILL, "done before its first checkpoint")
        for name in os.listdir(self.folder):
            if ".tmp." in name:
                os.remove(self.path(name))  # what the kill cut off
        before = contents(self.folder)
        for limit in SIZES:
            with self.subTest(limit=limit):
                code, _, err = eddy(*train, preexec_fn=ends_at(limit))
                self.assertEqual(code, IO, err)
                self.assertIn("going on after epoch", err)
                self.assertIn("no checkpoint", err)
                self.assertIn("File too large", err)
                self.assertTrue(contents(self.folder) == before, os.listdir(self.folder))
        # Room for the model, none for a checkpoint: training is worth more than that.
        cut = len(before[model + ".checkpoint"]) - 1
        code, _, err = eddy(*train, preexec_fn=ends_at(cut))
        self.assertEqual((code, err.count("no checkpoint")), (0, 1), err)
        self.assertEqual(sorted(os.listdir(self.folder)), ["log.csv", "model"])


if __name__ == "__main__":
    support.main()
