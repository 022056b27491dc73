#!/usr/bin/env python3
"""The tools against real servers: load with a rate, a stop and a resumption; deploy and
its waiting; inspect, dlq and replay in their machine-readable forms; the role api."""

import json
import signal

from harness import (Deployment, Kafka, Redis, check, data, http, kafka, main, train, version_of,
                     wait_until)

PARTITIONS = 3


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def stop_and_go_on(scratch, group, rows):
    """Ctrl-C says how many were confirmed, --skip-rows goes on there: nothing twice."""
    file = data.write_csv(scratch.path("events.csv"), rows)
    load = scratch.start("load", [scratch.eddy, "load", "-c", group.file, "-i", file,
                                  "--rate", "500", "--json", "--quiet"])
    wait_until(lambda: sum(high for _low, high in group.bounds()) > 100, "some events", 60)
    load.signal(signal.SIGINT)
    code = load.wait()
    said = load.text()
    check(code == 75, "a stopped load exits with 75", (code, said))
    result = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    stands = sum(high for _low, high in group.bounds())
    check(0 < result["confirmed"] == stands < len(rows),
          "what it says was confirmed stands in the topic", (result, stands))
    check(f"--skip-rows {stands}" in said, "it says how to go on", said)
    rest = scratch.run("load", "-c", group.file, "-i", file, "--skip-rows", stands,
                       "--json")
    check(json.loads(rest.out)["confirmed"] == len(rows) - stands, "and goes on there",
          rest.out)
    seen = {}
    for record in kafka.read(group.kafka.brokers, group.topic("events"), PARTITIONS):
        seen.setdefault(record.key.decode(), []).append(record)
    check(sum(map(len, seen.values())) == len(rows), "every row once")
    check(all(len({record.partition for record in records}) == 1
              for records in seen.values()), "a user's events stand in one partition")


def deploy_and_wait(scratch, group, model, version):
    away = scratch.run("deploy", "-m", model, "-c", group.file, "--wait", "--timeout", "1",
                       "--quiet", expect=75)
    check("are all workers running?" in away.err, "--wait without workers runs out of time",
          away.err)
    worker = group.start()
    again = scratch.run("deploy", "-m", model, "-c", group.file, "--wait", "--json",
                        "--timeout", "60")
    result = json.loads(again.out)
    check(result["version"] == version and not result["copied"],
          "a second deploy finds the folder there", result)
    rows = json.loads(scratch.run("inspect", "offset", "-c", group.file, "--json").out)
    check([row["snapshot"] for row in rows] == [version] * PARTITIONS,
          "--wait: every partition stands on it", rows)
    check(all(row["offset"] >= end for row, end in zip(rows, result["ends"])),
          "and is behind its record", (rows, result))
    return worker


def look(scratch, group, worker, rows, version):
    user = rows[-1][0]
    state = json.loads(scratch.run("inspect", "user", user, "-c", group.file, "--json").out)
    mine = [row for row in rows if row[0] == user]
    check(state["snapshot"] == version and state["events"] == len(mine)
          and state["recent"][0]["item"] == mine[-1][1] and state["hidden_norm"] > 0,
          "inspect user --json", state)
    status, body = http(worker.port, f"/v1/users/{user}")
    check(status == 200 and json.loads(body) == state, "GET /v1/users/USER says the same",
          (body, state))
    shown = scratch.run("inspect", "list", user, "-c", group.file, "--json").out
    status, body = http(worker.port, f"/v1/lists/{user}")
    check(status == 200 and body == shown, "GET /v1/lists/USER is what inspect list shows")
    status, body = http(worker.port, "/v1/lists/nobody%20knows")
    check(status == 200 and json.loads(body)["user"] == "",
          "a user not seen yet gets the default list", body)
    text = scratch.run("inspect", "list", "nobody knows", "-c", group.file)
    check("default list" in text.err, "and inspect says so", text.err)
    outbox = json.loads(scratch.run("inspect", "outbox", "-c", group.file, "--json").out)
    check(all(entry["user"] and entry["partition"] < PARTITIONS for entry in outbox),
          "inspect outbox names users", outbox)
    partition, offset = state["partition"], state["revision"] - 1
    record = json.loads(scratch.run("inspect", "event", f"{partition}:{offset}", "-c",
                                    group.file).out)
    check(record["key"] == user and record["event"]["item"] == mine[-1][1],
          "inspect event decodes a record", record)
    missing = scratch.run("inspect", "user", "nobody knows", "-c", group.file, expect=69)
    check("has no state" in missing.err, "a user without a state is said", missing.err)


def wait_no_lag(scratch, group):
    wait_until(lambda: all(
        row["lag"] == 0 for row in json.loads(
            scratch.run("inspect", "offset", "-c", group.file, "--json").out)), "no lag", 120)


def bury(scratch, group):
    producer = kafka.Producer(group.kafka.brokers)
    for payload in (b"not an event", b"\x81\xa1v\x63"):
        producer.send(group.topic("events"), payload, key=b"anna", partition=1)
    producer.flush()
    wait_no_lag(scratch, group)
    letters = lines(scratch.run("dlq", "list", "-c", group.file, "--json").out)
    check([letter["reason"] for letter in letters] == ["malformed", "version"]
          and letters[0]["payload_begins"] == "not an event"
          and letters[0]["from_topic"] == group.topic("events")
          and letters[0]["from_partition"] == "1" and letters[0]["message"],
          "dlq list names place, reason and payload", letters)
    text = scratch.run("dlq", "list", "-c", group.file, "--last", 1).out
    check("1 of 2 dead letters" in text and "version" in text, "--last keeps the newest", text)


def tools(scratch, _arguments):
    redis = Redis(scratch, unix=True).start()
    server = Kafka(scratch).start()
    rows = data.generated(1500, users=60, items=80)
    model = train(scratch, "model", rows, "hidden_dimension=32", "layers=1", "epochs=1")
    version = version_of(model)
    group = Deployment(scratch, server, redis, PARTITIONS)
    group.create_topics()
    warned = scratch.run("check", "-c", group.file)
    check("warn    snapshot" in warned.out and "eddy deploy" in warned.out,
          "check says that a model is still to be deployed", warned.out)

    check("eddy.lists: cleanup.policy compact" in warned.out
          and "eddy.events: cleanup.policy delete" in warned.out,
          "check shows the settings that matter", warned.out)
    kafka.create_topic(server.brokers, "plain.lists", PARTITIONS)
    wrong = scratch.run("check", "-c", group.file, "--set", "kafka.lists=plain.lists",
                        "--json")
    check(any(line["result"] == "warn" and "plain.lists" in line["text"]
              and "set compact" in line["text"] for line in json.loads(wrong.out)),
          "check warns of a list topic that is not compacted", wrong.out)

    stop_and_go_on(scratch, group, rows)
    # The log has to name a snapshot before its first event: begin anew, in other topics.
    group = Deployment(scratch, server, redis, PARTITIONS, file="second.yaml", group="second",
                       kafka__events="second.events", kafka__lists="second.lists",
                       kafka__dead_letters="second.dlq")
    group.create_topics()
    worker = deploy_and_wait(scratch, group, model, version)
    file = data.write_csv(scratch.path("events.csv"), rows)
    scratch.run("load", "-c", group.file, "-i", file, "--rate", 5000)
    wait_no_lag(scratch, group)
    look(scratch, group, worker, rows, version)
    bury(scratch, group)
    equal = lines(scratch.run("replay", "-c", group.file, "--compare", "--json").out)
    digests = {(row["source"], row["partition"]): row["digest"] for row in equal[:-1]}
    check(equal[-1] == {"differing": 0} and len(digests) == 2 * (PARTITIONS + 1)
          and digests["log", "all"] == digests["redis", "all"],
          "replay --compare --json: equal digests", equal)
    check(worker.stop() == 0, "SIGTERM drains and exits with 0")
    outbox = json.loads(scratch.run("inspect", "outbox", "-c", group.file, "--json").out)
    check(outbox == [], "and leaves no list unconfirmed", outbox)


if __name__ == "__main__":
    main(tools)
