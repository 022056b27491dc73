#!/usr/bin/env python3
"""eddy train with data on disk (--scratch), and started by mpirun without MPI in it."""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

EDDY = None


class Scale(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="eddy scale ")
        cls.csv = os.path.join(cls.folder, "events.csv")
        rng = random.Random(4)
        with open(cls.csv, "w") as file:
            file.write("USER_ID,ITEM_ID,TIMESTAMP\n")
            for row in range(6000):  # users interleaved, times out of order
                user = rng.randrange(150)
                file.write("u%d,i%d,%d\n" % (user, (user + row // 200) % 90,
                                             1_600_000_000 + rng.randrange(10**7)))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def train(self, name, *more, environment=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("EDDY_")}
        env.update(environment or {})
        model = os.path.join(self.folder, name)
        done = subprocess.run(
            [EDDY, "train", "-q", "-i", self.csv, "-o", model, "--recipe", "aws-hrnn",
             "--set", "hidden_dimension=32", "--set", "epochs=2", *more],
            capture_output=True, text=True, env=env, timeout=120)
        return done, os.path.join(model, "model.safetensors")

    def test_a_model_from_disk_is_the_model_from_memory(self):
        scratch = os.path.join(self.folder, "scratch")
        os.mkdir(scratch)
        bytes_of = []
        for name, more in (("memory", ()), ("disk", ("--scratch", scratch))):
            done, path = self.train(name, *more)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path, "rb") as file:
                bytes_of.append(file.read())
        self.assertEqual(bytes_of[0], bytes_of[1])
        self.assertEqual(os.listdir(scratch), [])

    def test_a_scratch_folder_that_is_not_there_is_named(self):
        done, path = self.train("none", "--scratch", "/nonexistent/scratch")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/nonexistent/scratch", done.stderr)
        self.assertFalse(os.path.exists(path))

    def test_several_processes_without_mpi_are_refused(self):
        done, path = self.train("several", environment={"OMPI_COMM_WORLD_SIZE": "2"})
        self.assertEqual(done.returncode, 64)
        self.assertIn("EDDY_MPI=ON", done.stderr)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--eddy", required=True)
    options, rest = parser.parse_known_args()
    EDDY = os.path.abspath(options.eddy)
    unittest.main(argv=[sys.argv[0], *rest])
