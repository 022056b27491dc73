#!/usr/bin/env python3
"""`--event-value-threshold TYPE=N`: explicit ratings beside clicks, which have no value. What is
left out, that training, a warm start and a resumed run leave out the same, and that what asks
afterwards (eval, recommend) looks at every row as it does with the plain form."""

import hashlib
import json
import os
import random

import support
from support import SharedFolder, eddy, manifest, succeed

USERS, ITEMS = 120, 40
SMALL = ["--threads", 1, "--json", "--quiet"]
for setting in ("hidden_dimension=32", "layers=1", "epochs=3",
                "allow_small=true", "max_user_history_length_percentile=1"):
    SMALL += ["--set", setting]
RATING = ["--event-value-threshold", "rating=4"]


def write_log(path, low, from_user=0, days=0):
    """Clicks and high ratings, then `low` ratings if asked for: last in the file, not in time."""
    draw = random.Random(9)
    high, rest = [], []
    for user in range(from_user, USERS):
        item, now = draw.randrange(ITEMS), 1600000000 + 86400 * days + 1000 * user
        for _ in range(12):
            now += 60
            item = (item + 1 + (draw.random() < 0.2)) % ITEMS
            kind = "click" if draw.random() < 0.5 else "rating"
            high.append((f"u{user}", f"i{item}", now, kind, "" if kind == "click" else
                         draw.choice(("4", "4.5", "5"))))
            if draw.random() < 0.3:
                rest.append((f"u{user}", f"i{draw.randrange(ITEMS)}", now + 30, "rating",
                             draw.choice(("1", "3.5", ""))))
    rows = high + (rest if low else [])
    support.write_csv(path, [("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE")] +
                      rows)
    return len(high), len(rest)


class EventValues(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.high, cls.low = write_log(cls.path("log.csv"), True)
        write_log(cls.path("high.csv"), False)
        cls.summary = cls.train("model", "log.csv", *RATING)
        cls.train("of-high", "high.csv")

    @classmethod
    def train(cls, model, log, *more):
        return json.loads(succeed("train", "-i", cls.path(log), "-o", cls.path(model), *SMALL,
                                  *more))

    def digest(self, model):
        with open(os.path.join(self.path(model), "model.safetensors"), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def data(self, model):
        return manifest(self.path(model))["data"]

    def test_clicks_stay_and_low_ratings_go(self):
        self.assertEqual((self.summary["events"], self.summary["dropped_by_value"]),
                         (self.high, self.low))
        self.assertEqual(self.digest("model"), self.digest("of-high"))

    def test_the_plain_form_beside_it_is_for_the_other_types(self):
        plain = self.train("plain", "log.csv", "--recipe", "aws-hrnn",
                           "--event-value-threshold", "4")
        both = self.train("both", "log.csv", "--recipe", "aws-hrnn", *RATING,
                          "--event-value-threshold", "-1")
        self.assertLess(plain["events"], self.high)  # clicks have no value
        self.assertEqual(self.digest("plain"), self.digest("both"))
        self.assertEqual((both["events"], both["dropped_by_value"]),
                         (plain["events"], plain["dropped_by_value"]))
        self.assertEqual(self.data("both")["event_value_threshold"], -1)
        self.assertNotIn("event_value_threshold", self.data("plain"))

    def test_the_manifest_names_the_thresholds_of_types(self):
        self.assertEqual(self.data("model")["event_value_thresholds"], {"rating": 4})
        self.assertNotIn("event_value_thresholds", self.data("of-high"))
        shown = json.loads(succeed("inspect", "model", self.path("model"), "--json"))
        self.assertEqual(shown["data"]["event_value_thresholds"], {"rating": 4})

    def test_a_warm_start_leaves_out_the_same_rows(self):
        write_log(self.path("newer.csv"), True, days=30)
        write_log(self.path("newer-high.csv"), False, days=30)
        self.train("warm", "newer.csv", *RATING, "--warm-start", self.path("model"))
        self.train("warm-of-high", "newer-high.csv", "--warm-start", self.path("of-high"))
        self.assertEqual(self.digest("warm"), self.digest("warm-of-high"))
        self.train("warm-of-all", "newer.csv", "--warm-start", self.path("model"))
        self.assertNotEqual(self.digest("warm"), self.digest("warm-of-all"))

    def test_eval_and_hold_out_look_at_every_row(self):
        held = self.train("held", "log.csv", *RATING, "--hold-out", "loo")
        plain = self.train("held-plain", "log.csv", "--hold-out", "loo")
        self.assertEqual(held["held_out"], plain["held_out"])
        asked = [json.loads(succeed("eval", "-q", "-m", self.path(model), "-i",
                                    self.path("log.csv"), "--protocol", "loo", "--resamples", 0,
                                    "--json")) for model in ("held", "held-plain")]
        self.assertEqual([a["queries"] for a in asked], [USERS] * 2)
        self.assertNotIn("warning", json.dumps(asked[0]))

    def test_recommend_looks_at_every_row(self):
        lists = [succeed("recommend", "-q", "-m", self.path("model"), "-i", self.path(log),
                         "--exclude-seen", "-o", "-") for log in ("log.csv", "high.csv")]
        self.assertNotEqual(*lists)  # what was rated low was seen

    def test_what_cannot_be_meant_is_refused(self):
        for words, code, sentence in [
                (["rating=much"], 64, '"rating=much" is not a number and not TYPE=N'),
                (["=4"], 64, '"=4" is not a number and not TYPE=N'),
                (["rating=inf"], 64, '"rating=inf" is not a number'),
                (["nan"], 64, '"nan" is not a number'),
                (["rating=4", "rating=5"], 64, "two thresholds of type rating"),
                ([f"t{i}=1" for i in range(11)], 64, "at most 10 types"),
                (["rent=4"], 78, 'no row has the event type "rent"; the file has '),
                (["rating=4", "--event-type", "click"], 64, "which leaves no row of type "
                                                           "rating")]:
            with self.subTest(words=words):
                options = []
                for word in words:
                    options += [word] if word in ("--event-type", "click") else [
                        "--event-value-threshold", word]
                done = eddy("train", "-i", self.path("log.csv"), "-o", self.path("none"),
                            *SMALL, *options)
                self.assertEqual((done.code, done.out), (code, ""), done.err)
                self.assertIn(sentence, done.err)
                self.assertFalse(os.path.exists(self.path("none")))


if __name__ == "__main__":
    support.main()
