#!/usr/bin/env python3
"""The promise of DESIGN 2: faults do not change a single bit.

One log is folded three times: by workers that are killed, joined, left, whose Redis loses
the tail of its append-only file, whose broker is killed and whose model changes midway; by
one worker in peace, into another Redis; and by `eddy replay` in memory. All states, offsets
and lists must be equal byte for byte, and the last record of every key of both list topics
must be what stands in Redis. Fault times are drawn from the seed and printed.
"""

import json
import random
import time

from harness import (Deployment, Kafka, Redis, check, data, main, metrics, say, train,
                     wait_ready, wait_until)

PARTITIONS = 8


class Faults:
    """The unhappy life of the first deployment."""

    def __init__(self, scratch, group, kafka, redis, model, picker):
        self.scratch, self.group, self.kafka, self.redis = scratch, group, kafka, redis
        self.model, self.picker = model, picker
        self.guests = []
        self.ended = []
        self.rewinds = 0

    def kill_worker(self):
        worker = self.picker.choice(self.group.alive())
        worker.kill()
        self.ended.append(worker)
        say(f"   {worker.name} killed")
        time.sleep(self.picker.uniform(0.1, 1.5))
        say(f"   {self.group.start(ready=False).name} in its place")

    def pause_worker(self):
        """Longer than the session time-out: it wakes up as a zombie (--long)."""
        worker = self.picker.choice(self.group.alive())
        worker.pause()
        say(f"   {worker.name} stopped")
        time.sleep(9)
        worker.resume()
        say(f"   {worker.name} goes on")

    def cut_redis(self):
        # Not while a group is being formed: somebody has to have commits that he can lose.
        wait_until(lambda: self.total("eddy_partitions_owned") == PARTITIONS,
                   "an owner for every partition")
        enough = self.total("eddy_commits_total{result=\"ok\"}") + 8 * PARTITIONS
        wait_until(lambda: self.total("eddy_commits_total{result=\"ok\"}") > enough,
                   "commits of these owners")
        self.redis.kill()
        cut, size = self.redis.cut_tail(self.picker, at_most=4 << 20)
        say(f"   Redis killed, {cut} of the {size} bytes of its log cut off")
        time.sleep(self.picker.uniform(0, 2))
        self.redis.start()
        wait_until(self.count_rewinds, "a worker that finds an older Redis and goes back", 60)
        say(f"   Redis is back; partitions rewound: {self.rewinds:.0f}")

    def kill_broker(self):
        self.kafka.kill()
        say("   broker killed")
        time.sleep(self.picker.uniform(0, 2))
        self.kafka.begin()
        self.kafka.wait()
        say("   broker is back")

    def join(self):
        worker = self.group.start(ready=False)
        self.guests.append(worker)
        say(f"   {worker.name} joins")

    def leave(self):
        """SIGTERM for one that has joined and is still there: it drains and exits with 0."""
        alive = [worker for worker in self.guests if worker.is_alive()]
        worker = alive[0] if alive else self.group.start()
        wait_ready(worker)
        code = worker.stop(90)
        self.ended.append(worker)
        check(code == 0, f"{worker.name} leaves with 0", code)

    def deploy(self):
        self.scratch.run("deploy", "-m", self.model, "-c", self.group.file)
        say("   a new model for every partition")

    def count_rewinds(self):
        """Acquisitions that met a Redis older than what the same worker had committed."""
        self.rewinds = self.total("eddy_rewinds_total")
        return self.rewinds

    def vanished(self):
        return [worker for worker in self.group.workers
                if not worker.is_alive() and worker not in self.ended]

    def total(self, name):
        return sum(metrics(worker.port).get(name, 0) for worker in self.group.alive())


def schedule(picker, seconds, long):
    """[(time, name of the fault)] over the time of the load, one per slot."""
    faults = ["kill_worker"] * 3 + ["cut_redis", "kill_broker"]
    if long:
        faults = faults * 3 + ["pause_worker"] * 3
    picker.shuffle(faults)
    # Guests join and leave in this order, anywhere between the other faults.
    places = sorted(picker.randint(0, len(faults)) for _ in range(4))
    for place, name in reversed(list(zip(places, ["join", "join", "leave", "leave"]))):
        faults.insert(place, name)
    faults.insert(len(faults) // 2, "deploy")
    slot = seconds * 0.9 / len(faults)
    return [(seconds * 0.05 + slot * (i + picker.random() * 0.8), name)
            for i, name in enumerate(faults)]


def contents(redis):
    """Everything in Redis that is a function of the log: {key: value}."""
    keys = [key for pattern in ("{eddy:*}:s:*", "{eddy:*}:offset", "eddy:list:*",
                                "eddy:list-default", "eddy:meta")
            for key in redis.scan(pattern)]
    return dict(zip(keys, redis.mget(keys)))


def digest(text):
    """The digest over all partitions that replay --json prints, a line for each."""
    return next(line["digest"] for line in map(json.loads, text.splitlines())
                if line["partition"] == "all")


def exact(scratch, arguments):
    picker = random.Random(arguments.seed)
    count, rate = (1_000_000, 6000) if arguments.long else (arguments.events, 4000)
    name, rows = data.real(count) or ("generated events", data.generated(count, items=4000))
    say(f"{len(rows)} {name}, {len({row[0] for row in rows})} users, "
        f"{len({row[1] for row in rows})} items; seed {arguments.seed}")
    events = data.write_csv(scratch.path("events.csv"), rows, context=True)

    kafka = Kafka(scratch).start()
    redis, redis_clean = Redis(scratch, "redis").start(), Redis(scratch, "clean").start()
    first = train(scratch, "first", rows[:40000], "hidden_dimension=32", "layers=1",
                  "epochs=1", context=True)
    second = train(scratch, "second", rows[20000:70000], "hidden_dimension=32", "layers=1",
                   "epochs=1", "cell=gru", "mode=init", seed=2, context=True)
    say("servers are up, two models are trained")

    group = Deployment(scratch, kafka, redis, PARTITIONS)
    clean = Deployment(scratch, kafka, redis_clean, PARTITIONS, "clean.yaml",
                       kafka__lists="eddy.lists.clean",
                       kafka__consumer_group="clean")
    group.create_topics()
    clean.create_topics()
    # Puts the first model into model.folder; the records change nothing.
    scratch.run("deploy", "-m", first, "-c", group.file)
    group.start()
    group.start()

    plan = schedule(picker, count / rate, arguments.long)
    for at, fault in plan:
        say(f"plan: {at:6.2f} s {fault}")
    faults = Faults(scratch, group, kafka, redis, second, picker)
    load = scratch.start("load", [scratch.eddy, "load", "-c", group.file, "-i", events,
                                  "--rate", str(rate), "--quiet"])
    begun = time.monotonic()
    for at, fault in plan:
        time.sleep(max(0, begun + at - time.monotonic()))
        check(load.is_alive(), f"events are still flowing at {at:.2f} s; now {fault}",
              load.text()[-300:])
        getattr(faults, fault)()
    check(load.wait(600) == 0, "eddy load: the brokers have confirmed every event",
          load.text()[-500:])
    group.wait_drained(600)
    say(f"the faulty run is at the end of the log after {time.monotonic() - begun:.1f} s")
    check(not faults.vanished(), "no worker ended by itself",
          [(w.name, w.popen.returncode, w.text()[-600:]) for w in faults.vanished()])
    # A worker that was stopped may still hand old lists to the broker when it goes on; a
    # reader ignores what is not newer. States and lists in Redis know no such exception.
    group.check_lists("with faults", newest=arguments.long)
    for worker in group.alive():
        check(worker.stop(90) == 0, f"{worker.name} drains and exits with 0",
              worker.popen.returncode)

    begun = time.monotonic()
    worker = clean.start("clean-worker")
    clean.wait_drained(600)
    say(f"the clean run took {time.monotonic() - begun:.1f} s")
    clean.check_lists("without faults")
    check(metrics(worker.port)["eddy_rewinds_total"] == 0, "nothing was rewound in peace")
    check(worker.stop(90) == 0, "the clean worker exits with 0", worker.popen.returncode)

    ours, theirs = contents(redis), contents(redis_clean)
    differ = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
    check(not differ, f"all {len(ours)} states, offsets and lists of the faulty run equal "
          "those of the clean run byte for byte", (len(differ), sorted(differ)[:5]))
    applied = sum(1 for key in ours if b":s:" in key)
    check(applied == len({row[0] for row in rows}), f"all {applied} users have a state")

    log = digest(scratch.run("replay", "-c", group.file, "--json", timeout_s=900).out)
    live = digest(scratch.run("replay", "-c", group.file, "--live", "--json").out)
    peace = digest(scratch.run("replay", "-c", clean.file, "--live", "--json").out)
    say(f"digest of the log   {log}")
    check(live == log, "digest of the faulty run's Redis equals the log's", live)
    check(peace == log, "digest of the clean run's Redis equals the log's", peace)


if __name__ == "__main__":
    main(exact, lambda parser: parser.add_argument("--events", type=int, default=200_000))
