#!/usr/bin/env python3
"""Sessions of the shape of RetailRocket after Hidasi's preprocessing, drawn from a seed.

    gru4rec_sessions.py OUT [--share SHARE] [--seed N]

The set has 750,832 events in 196,234 sessions over 36,824 items; SHARE (default 0.25) of the
sessions are drawn, over all of the items. Lengths are 2 + geometric with the set's mean of
3.83; the first item follows a power law, a next item is near the one before with probability
0.6 (so that there is something to learn) and drawn afresh otherwise.

OUT/sessions.tsv   SessionId ItemId Time, as the official GRU4Rec ports read it
OUT/sessions.csv   USER_ID,ITEM_ID,TIMESTAMP: a session is a user to eddy
Prints events, sessions, items and predictions (events - sessions) as JSON.
"""
import argparse
import bisect
import itertools
import json
import os
import random

SESSIONS, ITEMS, MEAN = 196234, 36824, 3.826
START, SPAN = 1_430_000_000, 137 * 86400


def lengths(rng, count):
    stop = 1 / (MEAN - 1)  # geometric on 1, 2, ... with the mean MEAN - 1
    for _ in range(count):
        n = 2
        while rng.random() > stop:
            n += 1
        yield min(n, 200)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    count = int(SESSIONS * args.share)
    power = list(itertools.accumulate((i + 10) ** -0.8 for i in range(ITEMS)))
    starts = sorted(rng.randrange(SPAN) for _ in range(count))

    def draw():
        return bisect.bisect(power, rng.random() * power[-1])

    # Every item is there once, so that both sides have the same catalogue.
    unseen = list(range(ITEMS))
    rng.shuffle(unseen)
    events = 0
    used = set()
    with open(os.path.join(args.out, "sessions.tsv"), "w") as tsv, \
            open(os.path.join(args.out, "sessions.csv"), "w") as csv:
        tsv.write("SessionId\tItemId\tTime\n")
        csv.write("USER_ID,ITEM_ID,TIMESTAMP\n")
        for session, (start, length) in enumerate(zip(starts, lengths(rng, count))):
            item, time = draw(), START + start
            for _ in range(length):
                if rng.random() < 0.02 and unseen:
                    item = unseen.pop()
                elif rng.random() < 0.6:
                    item = (item + rng.choice((1, 2, 3, 5, 8))) % ITEMS
                else:
                    item = draw()
                used.add(item)
                tsv.write("%d\t%d\t%d\n" % (session, item, time))
                csv.write("s%d,%d,%d\n" % (session, item, time))
                time += 1 + int(rng.expovariate(1 / 60))
                events += 1
    print(json.dumps({"events": events, "sessions": count, "items": len(used),
                      "predictions": events - count}))


if __name__ == "__main__":
    main()
