"""What the tests of the command line have in common: running eddy, temporary folders, the
main block. Logs are made by small_logs.py."""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import unittest
from collections import defaultdict, namedtuple

Done = namedtuple("Done", "code out err")
EDDY = None  # path of the binary, from main()


def environment(more=None):
    """This one without EDDY_*, which would be configuration; with more."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EDDY_")}
    return {**kept, **(more or {})}


def command(*arguments):
    return [EDDY, *map(str, arguments)]


def eddy(*arguments, more_environment=None, **options):
    """Run it to its end -> exit code, standard output, standard error."""
    options = {"timeout": 150, "errors": "replace", **options}
    done = subprocess.run(command(*arguments), env=environment(more_environment), text=True,
                          capture_output=True, **options)
    return Done(done.returncode, done.stdout, done.stderr)


def succeed(*arguments, **options):
    """Standard output of a run that has to succeed."""
    done = eddy(*arguments, **options)
    assert done.code == 0, f"eddy {' '.join(map(str, arguments))}: {done.err}"
    return done.out


def lists(text):
    """{query: [(item, score or None), best first]} of what recommend writes."""
    found = defaultdict(list)
    for line in text.splitlines():
        query, rank, item, score = line.split("\t")[:4]  # a fifth is the propensity
        found[query].append((item, float(score) if score else None))
        assert int(rank) == len(found[query]), line
    return found


def items(text):
    """{query: [item, best first]}"""
    return {query: [item for item, _ in found] for query, found in lists(text).items()}


def items_of(path):
    with open(path, encoding="utf-8") as file:
        return items(file.read())


def manifest(model):
    """What a snapshot says of itself."""
    with open(os.path.join(model, "manifest.json"), encoding="utf-8") as file:
        return json.load(file)


def start(*arguments, **options):
    """A process that the test ends or waits for."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command(*arguments), env=environment(), **{**quiet, **options})


def temporary_folder(add_cleanup):
    """Path of a folder, with a blank in it, that goes when add_cleanup's test, class or
    module does."""
    folder = tempfile.TemporaryDirectory(prefix="eddy cli ")
    add_cleanup(folder.cleanup)
    return folder.name


class Folder(unittest.TestCase):
    """A test with an empty folder of its own."""

    def setUp(self):
        self.folder = temporary_folder(self.addCleanup)

    def path(self, name):
        return os.path.join(self.folder, name)


class SharedFolder(unittest.TestCase):
    """Tests with one folder, filled once by setUpClass."""

    @classmethod
    def setUpClass(cls):
        cls.folder = temporary_folder(cls.addClassCleanup)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def main():
    global EDDY
    parser = argparse.ArgumentParser()
    parser.add_argument("--eddy", required=True, help="the binary")
    options, rest = parser.parse_known_args()
    EDDY = os.path.abspath(options.eddy)
    unittest.main(module="__main__", argv=[sys.argv[0], *rest])
