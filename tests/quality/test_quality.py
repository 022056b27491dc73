#!/usr/bin/env python3
"""The quality table's rows that rest on MovieLens-1M: the AWS workshop's hold-out, items that
training never saw, and the recipes beside Amazon's figures (MISSION rows 56, 75, 94, 95, 96).
bench/quality.py trains, asks and judges; here its word counts.

An hour, and data that is not here: part of the long programme (tests/run.sh --long), with
ml-1m/ in $EDDY_DATA or in ../shared/data beside the checkout (bench/README.md)."""

import os
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))

import support  # noqa: E402: found by the line above

ROWS = ("ml-1m-workshop", "ml-1m-cold", "recipes")


def data_folder():
    return os.environ.get("EDDY_DATA") or os.path.join(ROOT, "..", "shared", "data")


class Quality(unittest.TestCase):
    def test_rows_of_movielens_reach_their_numbers(self):
        quality = [sys.executable, os.path.join(ROOT, "bench", "quality.py"), "--eddy",
                   support.EDDY, "--data", data_folder(), "--seeds", "1"]
        for row in ROWS:
            with self.subTest(row=row):
                done = subprocess.run([*quality, "--rows", row], text=True, timeout=7000,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                print(done.stdout, flush=True)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertNotIn("not measured", done.stdout)


if __name__ == "__main__":
    if os.environ.get("EDDY_LONG") != "1":
        print("only in the long programme: EDDY_LONG=1, or tests/run.sh --long")
        sys.exit(77)
    if not os.path.isdir(os.path.join(data_folder(), "ml-1m")):
        print("no data: %s/ml-1m is not there; EDDY_DATA names the folder" % data_folder())
        sys.exit(77)
    support.main()
