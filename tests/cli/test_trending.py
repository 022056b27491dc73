#!/usr/bin/env python3
"""aws-trending-now on a stream: the list that a refresh makes is counted again in Python, event
by event. PERSONALIZE 3.1 and 3.3: the service makes it anew every interval."""

import json
import random
from collections import Counter

import support
from support import succeed

BEGIN, HOUR = 1_700_000_000, 3600
OLD = [f"i{n}" for n in range(12)]
NEW, STRANGE = "brandnew", "nobodyknowsit"


def make_stream():
    """Two days in which what is taken moves on every few hours, with a night in between; the
    new item has its hour, and so has one that no catalogue holds."""
    draw, rows = random.Random(8), []
    for hour in [*range(0, 14), *range(31, 48)]:
        liked = OLD[hour // 3 % len(OLD)]
        for _ in range(draw.randint(10, 30)):
            item = liked if draw.random() < .5 else draw.choice(OLD)
            if 8 <= hour < 10 and draw.random() < .6:
                item = NEW
            if hour in (9, 40) and draw.random() < .3:
                item = STRANGE
            at = BEGIN + HOUR * hour + draw.randrange(HOUR)
            rows.append((f"u{draw.randrange(15)}", item, at))
    return sorted(rows, key=lambda row: row[2])


class Trending(support.SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        draw = random.Random(2)
        past = [(f"u{n % 50}", draw.choice(OLD[:6] + OLD), BEGIN - 86400 * 3 + 200 * n)
                for n in range(1200)]
        cls.stream = make_stream()
        head = ("USER_ID", "ITEM_ID", "TIMESTAMP")
        support.write_csv(cls.path("past.csv"), [head, *past])
        support.write_csv(cls.path("stream.csv"), [head, *cls.stream])
        support.write_csv(cls.path("items.csv"), [("ITEM_ID", "GENRE"),
                                                  *((i, "g") for i in OLD + [NEW])])

    def train(self, frequency):
        succeed("train", "-q", "-i", self.path("past.csv"), "-I", self.path("items.csv"), "-o",
                self.path("model"), "--recipe", "aws-trending-now", "--set",
                f"trend_discovery_frequency={frequency}")

    def lists(self, *more):
        """(user, number of his event) -> [(item, score), ...]."""
        lists = support.lists(succeed("recommend", "-q", "-m", self.path("model"), "-i",
                                      self.path("stream.csv"), "--stream", "--every-event",
                                      "-k", 50, "-o", "-", *more))
        return {(query.rpartition(":")[0], int(query.rpartition(":")[2])): found
                for query, found in lists.items()}

    def wanted(self, refresh, interval):
        """(user, number) -> how much each item rose at the last refresh before it; None: the
        list of training stands."""
        rise, count, want = None, Counter(), {}
        first, due = self.stream[0][2], self.stream[0][2] + refresh
        for user, _, at in self.stream:
            if at >= due:
                now = due + (at - due) // refresh * refresh
                due = now + refresh
                if now - first >= interval:
                    rise = Counter()
                    for _, item, then in self.stream:
                        if now - interval <= then < now:
                            rise[item] += 1
                        elif now - 2 * interval <= then < now - interval:
                            rise[item] -= 1
            count[user] += 1
            want[user, count[user]] = rise
        return want

    def is_as_counted(self, found, want):
        started = 0
        for query, rise in want.items():
            if query[1] < 2:
                continue
            items = dict(found[query])
            self.assertEqual(set(items), {*OLD, NEW})
            if rise is None:
                self.assertEqual(found[query], self.trained, query)
                continue
            started += 1
            self.assertEqual({i: int(score) for i, score in items.items()},
                             {i: max(0, rise[i]) for i in items}, query)
            scores = [score for _, score in found[query]]
            self.assertEqual(scores, sorted(scores, reverse=True))
            still = [i for i, _ in self.trained if rise[i] <= 0]
            by_users = {i: round(score % 1, 4) for i, score in self.trained}
            self.assertEqual([by_users[i] for i, _ in found[query] if rise[i] <= 0],
                             sorted((by_users[i] for i in still), reverse=True))
        return started

    def test_a_refresh_makes_the_list_anew(self):
        for frequency, interval, refresh in (("1 hour", HOUR, HOUR),
                                             ("3 hours", 3 * HOUR, HOUR),
                                             ("30 minutes", HOUR // 2, 2 * HOUR)):
            with self.subTest(frequency=frequency, refresh=refresh):
                self.train(frequency)
                frozen = self.lists()
                self.trained = next(iter(frozen.values()))
                for items in frozen.values():
                    self.assertEqual(items, self.trained)
                want = self.wanted(refresh, interval)
                found = self.lists("--refresh", f"{refresh}s", "--threads", 3)
                self.assertGreater(self.is_as_counted(found, want), 400)

    def test_a_new_item_of_the_catalogue_trends_and_a_stranger_does_not(self):
        self.train("1 hour")
        tops = Counter(items[0][0] for items in self.lists("--refresh", "1h").values())
        self.assertGreater(tops[NEW], 10)
        self.assertGreater(len(tops), 5)
        self.assertNotIn(NEW, {items[0][0] for items in self.lists().values()})

    def test_evaluation_sees_what_a_refresh_gains(self):
        self.train("1 hour")
        hits = {}
        for more in ((), ("--refresh", "1h")):
            out = json.loads(succeed("eval", "-q", "--json", "--resamples", 0, "-m",
                                     self.path("model"), "-i", self.path("stream.csv"),
                                     "--protocol", "prequential", *more))
            hits[more] = out["hr@1"]["mean"]
        self.assertGreater(hits["--refresh", "1h"], 1.5 * hits[()])


if __name__ == "__main__":
    support.main()
