#!/usr/bin/env python3
"""The programs of bench/ that say whether eddy's quality is what was published: they say no
where it is not."""

import contextlib
import io
import os
import subprocess
import sys
import unittest

import support
from support import Folder, write_csv

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench")
sys.path.insert(0, BENCH)

import quality  # noqa: E402: found by the line above


class Data(Folder):
    def test_another_split_than_the_workshops_is_refused(self):
        """Its notebooks print how many rows they train on and hold out."""
        os.makedirs(self.path("data/ml-1m"))
        write_csv(self.path("data/ml-1m/ratings.csv"), [
            ("user_id", "movie_id", "rating", "timestamp"),
            *((user, movie, 4, 956703932 + 60 * movie)
              for user in range(30) for movie in range(40))])
        done = subprocess.run(
            [sys.executable, os.path.join(BENCH, "data.py"), "ml-1m-workshop",
             self.path("data"), self.path("out")], text=True, capture_output=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("540 rows to train on and 60 to test; the workshop has 433180 and "
                      "51166", done.stderr)
        self.assertEqual(os.listdir(self.path("out")), [])


class Recipes(unittest.TestCase):
    """The verdict on the table of recipes, of made-up figures."""

    def verdict(self, popularity=25 / 1847, worst=0.0, **ndcg):
        ndcg = {"user_personalization": .36, "hrnn_metadata": .31, "hrnn": .30,
                "similar_items": .22, **ndcg}
        row, result = quality.Recipes(), quality.Result()
        for recipe in row.amazon:
            figure = ndcg.get(recipe[len("aws-"):].replace("-", "_"), .1)
            for key in row.shown:
                result.values[f"{recipe} {key}"] = [figure]
            result.values[f"{recipe} coverage"] = [.5]
        for key in row.solution:
            result.values[f"aws-sims solution-metrics {key}"] = [.18]
        result.values["training items"] = [1847]
        result.values["aws-popularity-count coverage"] = [round(popularity, 6)]
        result.worst = worst
        with contextlib.redirect_stdout(io.StringIO()) as out:
            reached = row.report(result)
        return reached, out.getvalue()

    def test_eval_lies_between_what_rounded_scores_allow(self):
        for value, worst in ((.5, .1), (.6, 0), (.65, 0), (.7, 0), (.75, .05)):
            result = quality.Result()
            result.add({"hr@10": {"mean": value}}, {"hr@10": .6}, ["hr@10"], {"hr@10": .7})
            self.assertAlmostEqual(result.worst, worst)
            result.add({"hr@10": {"mean": value}}, {"hr@10": .6}, ["hr@10"])
            self.assertAlmostEqual(result.worst, max(abs(value - .6), worst))

    def test_the_order_is_told_and_what_amazon_says_of_it_has_to_hold(self):
        reached, said = self.verdict()
        self.assertTrue(reached, said)
        self.assertIn("differs: aws-hrnn before aws-similar-items\n", said)
        self.assertIn("mrr@25 0.1800 (Amazon 0.1609 to 0.1809)", said)
        self.assertNotIn("    NO ", said)
        reached, said = self.verdict(similar_items=.305, personalized_ranking=.36)
        self.assertTrue(reached, said)
        self.assertIn("    the same order\n", said)
        for fault, changes in (
                ("aws-user-personalization is the best", {"similar_items": .37}),
                ("aws-user-personalization is the best", {"personalized_ranking": .37}),
                ("aws-hrnn-metadata is not below aws-hrnn", {"hrnn_metadata": .299}),
                ("popularity covers", {"popularity": 26 / 1847}),
                ("popularity covers", {"popularity": 25 / 1853}),
                ("score.py says the same", {"worst": .001})):
            with self.subTest(changes=changes):
                reached, said = self.verdict(**changes)
                self.assertFalse(reached, said)
                self.assertIn("    NO   " + fault, said)


if __name__ == "__main__":
    support.main()
