#!/usr/bin/env python3
"""The network of session-based recommendation (GRU4Rec: one GRU layer of 100 units, one item
table for input and output, cross-entropy over drawn items) on Yoochoose 1/64, against what is
published for it there: the paper's protocol, every event of a test session after its first,
all items ranked, seen ones kept.

Minutes, and data that is not here: part of the long programme (tests/run.sh --long), with
yoochoose/ in $EDDY_DATA or in ../shared/data beside the checkout (bench/README.md)."""

import json
import os
import subprocess
import sys

import published  # puts support in the path
from support import SharedFolder, succeed

# The best of what is published for it on this set: .6064 / .2289 in the SR-GNN paper's table,
# these in the session-rec benchmark's (Ludewig et al.), single split.
PUBLISHED = {"hr@20": 0.6528, "mrr@20": 0.2752}
QUESTIONS = 55898  # of the papers
SHAPE = ("cell=plain_gru", "layers=1", "hidden_dimension=100", "negatives=2048", "epochs=10",
         "max_user_history_length_percentile=1")


class Gru4Rec(SharedFolder):
    def test_it_is_within_the_published_figures_of_yoochoose(self):
        prepared = self.path("yoochoose")
        subprocess.run([sys.executable, os.path.join(published.ROOT, "bench", "data.py"),
                        "yoochoose", published.data_folder(), prepared], check=True,
                       timeout=300)
        model = self.path("model")
        settings = [word for setting in SHAPE for word in ("--set", setting)]
        summary = json.loads(succeed(
            "train", "-i", os.path.join(prepared, "train.csv"), "-o", model, "--recipe",
            "aws-hrnn", "--threads", 1, "--checkpoint", -1, "--quiet", "--json", *settings,
            timeout=1000))
        figures = json.loads(succeed(
            "eval", "-m", model, "-i", os.path.join(prepared, "test.csv"), "--protocol",
            "sessions", "--resamples", 0, "--quiet", "--json", timeout=280))
        self.assertEqual(figures["queries"], QUESTIONS)
        print("%d CPU-s; " % summary["cpu_seconds"] + ", ".join(
            "%s %.4f (published %.4f)" % (name, figures[name]["mean"], least)
            for name, least in PUBLISHED.items()))
        for name, least in PUBLISHED.items():
            self.assertGreaterEqual(figures[name]["mean"], least, name)


if __name__ == "__main__":
    published.main("yoochoose")
