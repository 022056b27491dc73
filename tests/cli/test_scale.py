#!/usr/bin/env python3
"""eddy train with data on disk (--scratch), and started by mpirun without MPI in it."""

import os
import random

import support
from support import SharedFolder, eddy


class Scale(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.csv = cls.path("events.csv")
        rng = random.Random(4)
        with open(cls.csv, "w") as file:
            file.write("USER_ID,ITEM_ID,TIMESTAMP\n")
            for row in range(6000):  # users interleaved, times out of order
                user = rng.randrange(150)
                file.write("u%d,i%d,%d\n" % (user, (user + row // 200) % 90,
                                             1_600_000_000 + rng.randrange(10**7)))

    def train(self, name, *more, **options):
        model = self.path(name)
        done = eddy("train", "-q", "-i", self.csv, "-o", model, "--recipe", "aws-hrnn",
                    "--set", "hidden_dimension=32", "--set", "epochs=2", *more, **options)
        return done, os.path.join(model, "model.safetensors")

    def test_a_model_from_disk_is_the_model_from_memory(self):
        scratch = self.path("scratch")
        os.mkdir(scratch)
        bytes_of = []
        for name, more in (("memory", ()), ("disk", ("--scratch", scratch))):
            done, path = self.train(name, *more)
            self.assertEqual(done.code, 0, done.err)
            with open(path, "rb") as file:
                bytes_of.append(file.read())
        self.assertEqual(bytes_of[0], bytes_of[1])
        self.assertEqual(os.listdir(scratch), [])

    def test_a_scratch_folder_that_is_not_there_is_named(self):
        done, path = self.train("none", "--scratch", "/nonexistent/scratch")
        self.assertNotEqual(done.code, 0)
        self.assertIn("/nonexistent/scratch", done.err)
        self.assertFalse(os.path.exists(path))

    def test_several_processes_without_mpi_are_refused(self):
        done, path = self.train("several", more_environment={"OMPI_COMM_WORLD_SIZE": "2"})
        self.assertEqual(done.code, 64)
        self.assertIn("EDDY_MPI=ON", done.err)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    support.main()
