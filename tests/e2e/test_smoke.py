#!/usr/bin/env python3
"""The straight path once, command by command, as the README tells a newcomer to do it."""

import json

from harness import (Deployment, Kafka, Redis, check, data, http, main, metrics, say, train,
                     version_of)

PARTITIONS = 4


def smoke(scratch, _arguments):
    redis = Redis(scratch).start()
    kafka = Kafka(scratch).start()
    say("servers are up")

    rows = data.generated(6000, users=400, items=100)
    model = train(scratch, "model", rows, "hidden_dimension=32", "layers=1", "epochs=2")
    version = version_of(model)
    group = Deployment(scratch, kafka, redis, PARTITIONS)

    before = scratch.run("check", "-c", group.file, expect=None)
    check(before.code == 69 and "eddy.events" in before.out + before.err,
          "check names the missing topics and exits with 69", before.out + before.err)
    made = group.create_topics()
    check("FAILED" not in made.out, "check --create-topics makes them", made.out)
    again = scratch.run("check", "-c", group.file)
    check("FAILED" not in again.out, "a second check finds all well", again.out)

    scratch.run("deploy", "-m", model, "-c", group.file)
    worker = group.start()
    events = data.write_csv(scratch.path("events.csv"), rows)
    loaded = scratch.run("load", "-c", group.file, "-i", events)
    say(loaded.out.strip().splitlines()[-1] if loaded.out.strip() else "loaded")
    group.wait_drained()

    lists = group.check_lists("smoke")
    users = {row[0].encode() for row in rows}
    check(set(lists) == users, "every user has a list", len(lists))
    some = json.loads(lists[rows[0][0].encode()])
    check(some["user"] == rows[0][0] and some["model"] == version
          and len(some["items"]) == 25 and some["recommendationId"],
          "a list names its user, its model and 25 items", some)
    newest = max(row[2] for row in rows if row[0] == some["user"])
    check(some["ts"] == newest - newest % 1000 or some["ts"] == newest,
          "a list carries the time of the user's newest event", (some["ts"], newest))
    default = redis("GET", "eddy:list-default")
    check(default and json.loads(default)["items"], "there is a default list", default)

    ready, body = http(worker.port, "/readyz?verbose")
    check(ready == 200 and "[+]kafka" in body, "/readyz says yes, check by check", body)
    check(http(worker.port, "/livez")[0] == 200, "/livez answers")
    check("librdkafka" in http(worker.port, "/version")[1], "/version names the libraries",
          http(worker.port, "/version")[1])
    check("kafka.brokers" in http(worker.port, "/config")[1]
          or "brokers" in http(worker.port, "/config")[1], "/config shows the options")
    check(http(worker.port, "/nothing")[0] == 404, "an unknown path is 404")
    values = metrics(worker.port)
    received = sum(v for k, v in values.items() if "events_received" in k)
    check(received >= len(rows), "/metrics counts the events", received)

    user = rows[-1][0]
    shown = scratch.run("inspect", "user", user, "-c", group.file)
    check(user in shown.out, "inspect user shows the state", shown.out[:300])
    shown = scratch.run("inspect", "offset", "-c", group.file)
    check(version in shown.out, "inspect offset shows the snapshot", shown.out[:300])

    live = scratch.run("replay", "-c", group.file, "--compare")
    check("digest" in live.out, "replay --compare: the log folded from the beginning equals "
          "the live Redis", live.out[-500:])

    code = worker.stop()
    check(code == 0, "SIGTERM drains and exits with 0", code)
    check(http(worker.port, "/livez")[0] == 0, "nobody listens any more")

    # What was confirmed stays: a new process goes on where the old one stopped.
    group.start("second")
    scratch.run("load", "-c", group.file, "-i", events, "--limit", 100)
    group.wait_drained()
    group.check_lists("after a restart")
    scratch.run("replay", "-c", group.file, "--compare")

    # A difference is found: one byte of one list.
    key = b"eddy:list:" + user.encode()
    value = redis("GET", key)
    redis("SET", key, value.replace(b'"rev":', b'"rev" :', 1))
    found = scratch.run("replay", "-c", group.file, "--compare", expect=None)
    check(found.code == 1, "replay --compare exits with 1 when a list differs",
          (found.code, found.out[-500:], found.err[-500:]))


if __name__ == "__main__":
    main(smoke)
