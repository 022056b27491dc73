#!/usr/bin/env python3
"""Training by several processes: mpirun -n 2 and 4 have the loss curve and the bytes of one
process, one that dies ends all, and a program built without MPI refuses to be several.

    python3 tests/mpi/test_group.py --eddy build/mpi/eddy        (cmake --preset mpi)
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

import support  # noqa: E402: found by the line above
from support import SharedFolder  # noqa: E402

FLAGS = ["--set", "hidden_dimension=32", "--set", "epochs=3", "--threads", "1"]


def made(path, users=400, seed=5):
    rng = random.Random(seed)
    with open(path, "w") as file:
        file.write("USER_ID,ITEM_ID,TIMESTAMP\n")
        for user in range(users):
            item, at = rng.randrange(300), 1_600_000_000 + rng.randrange(10**6)
            for _ in range(rng.randrange(5, 60)):
                file.write("u%d,i%d,%d\n" % (user, item, at))
                item = (item + rng.choice((1, 2, 7))) % 300
                at += rng.randrange(60, 90000)


def command(processes, *arguments):
    start = support.command("train", *arguments)
    if processes == 1:
        return start
    return ["mpirun", "-n", str(processes), "--oversubscribe", "--bind-to", "none",
            *(["--allow-run-as-root"] if os.geteuid() == 0 else []), *start]


def losses(text):
    return re.findall(r"epoch +(\d+)  loss ([0-9.]+)", text)


class Group(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.csv = cls.path("events.csv")
        made(cls.csv)

    def model(self, name):
        return self.path(name)

    def train(self, processes, *more):
        name = "model %d %d" % (processes, len(more))
        done = subprocess.run(
            command(processes, "-i", self.csv, "-o", self.model(name), *FLAGS, *more),
            capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(self.model(name), "model.safetensors"), "rb") as file:
            return losses(done.stderr), file.read(), done

    def test_several_processes_have_the_curve_and_the_bytes_of_one(self):
        for more in ([], ["--set", "negatives=64"]):
            curve, model, _ = self.train(1, *more)
            self.assertGreaterEqual(len(curve), 3)
            for processes in (2, 4):
                with self.subTest(processes=processes, more=more):
                    other = self.train(processes, *more)
                    self.assertEqual(other[0], curve)  # and printed once
                    self.assertEqual(other[1], model)
                    self.assertEqual(len(re.findall("(?m)^model ", other[2].stdout)), 1)

    def test_a_process_that_dies_ends_all_and_no_model_appears(self):
        run = subprocess.Popen(
            command(2, "-i", self.csv, "-o", self.model("dead"), *FLAGS, "--set",
                    "epochs=10000", "--set", "patience=10000"),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in run.stderr:
            if losses(line):
                break
        members = self.members_of(run)
        self.assertEqual(len(members), 2)
        os.kill(max(members), signal.SIGKILL)
        run.stderr.read()
        run.stderr.close()
        self.assertNotEqual(run.wait(timeout=60), 0)
        deadline = time.monotonic() + 60  # mpirun may be gone before them
        while any(map(self.is_alive, members)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertFalse(any(map(self.is_alive, members)))
        self.assertFalse(os.path.exists(self.model("dead")))

    def members_of(self, run):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()
                and self.is_member(int(name), run.pid)]

    def test_a_killed_group_goes_on_with_the_same_bytes(self):
        flags = ["--set", "epochs=40", "--set", "patience=40", "--checkpoint", "0"]
        whole = self.train(1, *flags)[1]
        for name, processes in (("by two", 2), ("by one", 1)):
            with self.subTest(goes_on=name):
                arguments = ["-i", self.csv, "-o", self.model(name), *FLAGS, *flags]
                run = subprocess.Popen(command(2, *arguments), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True)
                for line in run.stderr:
                    if losses(line) and os.path.exists(self.model(name) + ".checkpoint"):
                        break
                os.kill(max(self.members_of(run)), signal.SIGKILL)
                run.stderr.read()
                run.stderr.close()
                self.assertNotEqual(run.wait(timeout=60), 0)
                refused = subprocess.run(command(2, *arguments, "--set", "dropout=0.4"),
                                         capture_output=True, text=True, timeout=60)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn("dropout is 0.4 here, but", refused.stderr)
                done = subprocess.run(command(processes, *arguments), capture_output=True,
                                      text=True, timeout=120)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("going on after epoch", done.stderr)
                with open(os.path.join(self.model(name), "model.safetensors"), "rb") as file:
                    self.assertEqual(file.read(), whole)

    def is_member(self, pid, parent):
        try:
            with open("/proc/%d/stat" % pid) as file:
                return int(file.read().rsplit(")", 1)[1].split()[1]) == parent
        except OSError:
            return False

    def is_alive(self, pid):
        try:
            with open("/proc/%d/stat" % pid) as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def test_a_failure_of_all_is_said_and_ends_all(self):
        done = subprocess.run(
            command(2, "-i", self.path("none.csv"), "-o",
                    self.model("none")), capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("none.csv: No such file", done.stderr)

    def test_standard_input_is_one_processs_own(self):
        done = subprocess.run(command(2, "-i", "-", "-o", self.model("stdin")),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("give a file", done.stderr)


if __name__ == "__main__":
    if shutil.which("mpirun") is None:
        print("mpirun is not installed")
        sys.exit(77)
    support.main()
