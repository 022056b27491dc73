#!/usr/bin/env python3
"""eddy train with data on disk (--scratch), and started by mpirun without MPI in it."""

import os
import random
import resource
import time

import support
from support import Folder, SharedFolder, eddy, start, write_csv


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


def data_memory(process):
    """What RLIMIT_DATA counts, in bytes; 0 when the process has none any more."""
    with open("/proc/%d/status" % process.pid) as file:
        lines = [line.split() for line in file if line.startswith("VmData:")]
    return int(lines[0][1]) << 10 if lines else 0


class Memory(Folder):
    """With --scratch no memory of the default recipe grows with the number of events: a log
    of 800,000 gets 20 MB more than one of 20,000 needs. 10 MB of that are the sessions of
    the model, which are a million events at most; every 8 bytes per event more are 6 MB."""

    EVENTS, USERS, ITEMS, ASKED = 800_000, 2000, 20, 600
    SPARE = 20 << 20
    SANITIZED = 4 << 30  # address space that only a sanitizer asks for

    def log(self, events):
        rng = random.Random(4)
        path = self.path("%d.csv" % events)
        with open(path, "w") as file:
            file.write("USER_ID,ITEM_ID,TIMESTAMP\n")
            for row in range(events):
                user = rng.randrange(self.USERS)
                item = (user + row // 5000 + rng.randrange(3)) % self.ITEMS
                file.write("u%d,i%d,%d\n" % (user, item, 1_400_000_000 + row * 100))
        return path

    def arguments(self, events):
        return ("train", "-q", "-i", self.log(events), "-o", self.path("model%d" % events),
                "--threads", 1, "--checkpoint", -1, "--scratch", self.folder,
                "--set", "hidden_dimension=32", "--set", "epochs=1",
                "--set", "history_events=10",
                "--set", "validation_fraction=%g" % (self.ASKED / events))

    def test_the_default_recipe_takes_no_memory_per_event(self):
        process = start(*self.arguments(20_000))
        enough = 0
        while process.poll() is None:
            enough = max(enough, data_memory(process))
            time.sleep(0.002)
        self.assertEqual(process.returncode, 0)
        if enough > self.SANITIZED:
            self.skipTest("a sanitizer's own memory")
        limit = enough + self.SPARE
        done = eddy(*self.arguments(self.EVENTS), timeout=600, preexec_fn=lambda:
                    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)))
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("tables beside the network", done.out)


class Catalogue(Folder):
    def train(self, items, *more):
        write_csv(self.path("items.csv"),
                  [("ITEM_ID", "GENRE"), *(("i%d" % i, "g%d" % (i % 7))
                                           for i in range(items))])
        write_csv(self.path("events.csv"),
                  [("USER_ID", "ITEM_ID", "TIMESTAMP"),
                   *(("u%d" % (row % 100), "i%d" % (row * 7 % 300), 1_500_000_000 + row)
                     for row in range(1500))])
        done = eddy("train", "-i", self.path("events.csv"), "-I", self.path("items.csv"),
                    "-o", self.path("model"), "--threads", 1, "--checkpoint", -1,
                    "--recipe", "aws-hrnn-metadata", "--set", "hidden_dimension=32",
                    "--set", "epochs=1", *more)
        self.assertEqual(done.code, 0, done.err)
        return done.err

    def test_many_items_with_metadata_are_said_to_take_time(self):
        self.assertIn("walks over all 20001 items", self.train(20_001))
        self.assertNotIn("walks over all", self.train(20_000))
        self.assertNotIn("walks over all", self.train(20_001, "-q"))


if __name__ == "__main__":
    support.main()
