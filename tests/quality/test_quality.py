#!/usr/bin/env python3
"""The quality table's rows that rest on MovieLens-1M: the AWS workshop's hold-out, items that
training never saw, the recipes beside Amazon's figures, and lists that follow clicks.
bench/quality.py trains, asks and judges; here its word counts.

An hour, and data that is not here: part of the long programme (tests/run.sh --long), with
ml-1m/ in $EDDY_DATA or in ../shared/data beside the checkout (bench/README.md)."""

import os
import subprocess
import sys
import unittest

import published  # puts support in the path
import support

ROWS = ("ml-1m-workshop", "ml-1m-cold", "recipes", "clicks")


class Quality(unittest.TestCase):
    def test_rows_of_movielens_reach_their_numbers(self):
        quality = [sys.executable, os.path.join(published.ROOT, "bench", "quality.py"), "--eddy",
                   support.EDDY, "--data", published.data_folder(), "--seeds", "1"]
        for row in ROWS:
            with self.subTest(row=row):
                done = subprocess.run([*quality, "--rows", row], text=True, timeout=2300,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                print(done.stdout, flush=True)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertNotIn("not measured", done.stdout)


if __name__ == "__main__":
    published.main("ml-1m")
