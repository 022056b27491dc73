#!/usr/bin/env python3
"""aws-hrnn-coldstart with fewer or more cold items than the service wants (PERSONALIZE 3.3: 100
to 80 000): trained, and said. Which items are cold is in test_recipes.py."""

import small_logs
import support
from support import eddy


class Coldstart(support.Folder):
    def train(self, new):
        """Sixty old items and so many that nobody has had -> what training says."""
        log = small_logs.write(self.path("log.csv"), small_logs.people(120, seed=4))
        items = [(f"i{n}", f"g{n % 5}") for n in range(60)]
        items += [(f"new{n}", f"g{n % 5}") for n in range(new)]
        support.write_csv(self.path("items.csv"), [("ITEM_ID", "GENRE"), *items])
        done = eddy("train", "-q", "-i", log, "-I", self.path("items.csv"), "-o",
                    self.path("model"), "--recipe", "aws-hrnn-coldstart", "--set", "epochs=1",
                    "--set", "hidden_dimension=32")
        self.assertEqual(done.code, 0, done.err)
        return done.err

    def longest_list(self):
        out = support.succeed("recommend", "-q", "-m", self.path("model"), "-i",
                              self.path("log.csv"), "-o", "-", "-k", 200)
        return max(int(line.split("\t")[1]) for line in out.splitlines())

    def test_a_single_cold_item_is_a_list_of_one_and_a_warning(self):
        err = self.train(1)
        self.assertIn("warning: lists will hold 1 item, as so many are cold", err)
        self.assertIn("with 100 to 80000", err)
        self.assertIn("cold_start_max_interactions", err)
        self.assertEqual(self.longest_list(), 1)

    def test_ninety_nine_are_too_few_and_a_hundred_are_not(self):
        self.assertIn("lists will hold 99 items", self.train(99))
        self.assertNotIn("warning", self.train(100))
        self.assertEqual(self.longest_list(), 100)

    def test_too_many_are_told_of_as_well(self):
        self.assertIn("lists will hold 80001 items", self.train(80001))


if __name__ == "__main__":
    support.main()
