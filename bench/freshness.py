#!/usr/bin/env python3
"""Freshness: from an event's scheduled send time to its list readable in Redis.

    python3 bench/freshness.py [--rate 1000] [--seconds 60] [--items 10000] [--hidden 128]

Starts a real Kafka and a real Redis on this machine, trains a model of the given size,
runs one `eddy run` and sends events at a fixed rate. Latency counts from the time at which
an event *should* have been sent, so a stall of the sender or the broker is not hidden. The
end is the moment at which another process has been told by Redis that the key of the list
was written: at that moment a GET returns it. Everything shares the cores of this machine,
the measuring processes included; their CPU time is printed.

Exit code 1 when --p50 or --p99 (ms) are given and not kept.
"""

import argparse
import json
import os
import platform
import re
import resource
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))

from harness import (Deployment, Failed, Kafka, Redis, Scratch, data, kafka,  # noqa: E402
                     metrics, say, train)

USERS = 20000  # one event of a user every USERS / rate seconds: never two in flight


def send(brokers, rate, seconds, path, items):
    """Child: send on schedule; note (scheduled time, user) of every event."""
    producer = kafka.Producer(brokers, {"linger.ms": 0})
    count = rate * seconds
    begun = time.monotonic() + 0.5
    behind = 0.0
    schedule = []
    for i in range(count):
        due = begun + i / rate
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
        else:
            behind = max(behind, now - due)
        user = i % USERS
        event = {"user": f"user-{user}", "item": items[i * 7919 % len(items)],
                 "ts": 1_700_000_000_000 + i}
        producer.send("eddy.events", json.dumps(event).encode(),
                      key=event["user"].encode())
        schedule.append((due, user))
    producer.flush()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with open(path, "w") as file:
        json.dump({"schedule": schedule, "behind": behind,
                   "cpu": usage.ru_utime + usage.ru_stime}, file)


def listen(port, path):
    """Child: note when the key of a list was written, until told to stop."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"PSUBSCRIBE __keyspace@0__:eddy:list:user-*\r\n")
    seen, rest = [], b""
    pattern = re.compile(rb"\r\n__keyspace@0__:eddy:list:user-(\d+)\r\n")
    print("listening", flush=True)
    while True:
        chunk = connection.recv(1 << 20)
        now = time.monotonic()
        if not chunk:
            break
        rest += chunk
        end = 0
        for match in pattern.finditer(rest):
            seen.append((now, int(match.group(1))))
            end = match.end()
        rest = rest[end:]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with open(path, "w") as file:
        json.dump({"seen": seen, "cpu": usage.ru_utime + usage.ru_stime}, file)


def latencies(schedule, seen):
    """Seconds from schedule to list, for every event that got one, and how many did not."""
    written = {}
    for at, user in seen:
        written.setdefault(user, []).append(at)
    out, missing = [], 0
    follower = {}
    for due, user in reversed(schedule):
        limit = follower.get(user, float("inf"))
        first = next((at for at in written.get(user, ()) if due <= at < limit), None)
        if first is None:
            missing += 1
        else:
            out.append(first - due)
        follower[user] = due
    return sorted(out), missing


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine():
    model = "unknown CPU"
    with open("/proc/cpuinfo") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
        if found:
            model = found.group(1)
    commit = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return f"{model}, {os.cpu_count()} cores, {platform.release()}; " \
           f"commit {commit.stdout.decode().strip() or 'unknown'}"


def measure(scratch, arguments):
    redis = Redis(scratch, settings=["notify-keyspace-events K$"]).start()
    server = Kafka(scratch).start()
    rows = data.generated(60000, items=arguments.items)
    items = sorted({row[1] for row in rows})
    model = train(scratch, "model", rows, f"hidden_dimension={arguments.hidden}",
                  "layers=2", "epochs=1")
    version = json.load(open(f"{model}/manifest.json"))["version"]
    group = Deployment(scratch, server, redis, 8, model__initial=version)
    group.create_topics()
    scratch.run("deploy", "-m", model, "-c", group.file)
    worker = group.start()
    say(f"{len(items)} items, H={arguments.hidden}, 2 layers; a worker is ready")

    ears = scratch.start("listen", [sys.executable, os.path.abspath(__file__), "--listen",
                                    str(redis.port), scratch.path("seen.json")])
    ears.wait_line("listening")
    # A second of warm-up that is not counted.
    for seconds, path in ((2, "warm.json"), (arguments.seconds, "sent.json")):
        before = {p.name: cpu_of(p.pid) for p in (worker, server.process, redis.process)}
        sender = scratch.start(path, [
            sys.executable, os.path.abspath(__file__), "--send", server.brokers,
            str(arguments.rate), str(seconds), scratch.path(path),
            scratch.write("items.json", json.dumps(items))])
        if sender.wait(seconds + 120) != 0:
            raise Failed(sender.text()[-500:])
        group.wait_drained()
    after = {p.name: cpu_of(p.pid) for p in (worker, server.process, redis.process)}
    values = metrics(worker.port)
    redis.process.stop()
    ears.wait()
    sent = json.load(open(scratch.path("sent.json")))
    seen = json.load(open(scratch.path("seen.json")))
    found, missing = latencies(sent["schedule"], seen["seen"])

    def at(share):
        return found[min(len(found) - 1, int(share * len(found)))] * 1e3
    print(f"freshness: {machine()}")
    print(f"freshness: events={len(found)} missing={missing} rate={arguments.rate}/s "
          f"items={len(items)} hidden={arguments.hidden} p50={at(.5):.1f}ms "
          f"p90={at(.9):.1f}ms p99={at(.99):.1f}ms p99.9={at(.999):.1f}ms "
          f"max={found[-1] * 1e3:.1f}ms")
    for name, begun in before.items():
        print(f"freshness: cpu of {name}: {(after[name] - begun) / arguments.seconds:.2f} "
              "cores")
    print(f"freshness: cpu of sender {sent['cpu'] / arguments.seconds:.2f}, of listener "
          f"{seen['cpu'] / arguments.seconds:.2f} cores; sender behind its schedule by at "
          f"most {sent['behind'] * 1e3:.1f}ms; turns {values['eddy_turns_total']:.0f}")
    bad = missing > 0
    for name, share, limit in (("p50", .5, arguments.p50), ("p99", .99, arguments.p99)):
        if limit and at(share) > limit:
            print(f"freshness: {name} is over {limit} ms")
            bad = True
    return 1 if bad else 0


def main():
    if sys.argv[1:2] == ["--send"]:
        brokers, rate, seconds, path, items = sys.argv[2:7]
        return send(brokers, int(rate), int(seconds), path, json.load(open(items)))
    if sys.argv[1:2] == ["--listen"]:
        return listen(int(sys.argv[2]), sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--eddy", default=os.path.join(HERE, "..", "build", "release",
                                                       "eddy"))
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--items", type=int, default=10000)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--p50", type=float, help="fail above this many ms")
    parser.add_argument("--p99", type=float, help="fail above this many ms")
    arguments = parser.parse_args()
    scratch = Scratch(os.path.abspath(arguments.eddy))
    failed = True
    try:
        code = measure(scratch, arguments)
        failed = False
        return code
    finally:
        scratch.end(failed)


if __name__ == "__main__":
    sys.exit(main())
