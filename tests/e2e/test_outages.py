#!/usr/bin/env python3
"""Bad days: servers away at start and later, a second owner, a damaged snapshot, a topic
that grew. Each ends in a clear line, and none in a lost or wrong list."""

import os
import shutil
import time

from harness import (Deployment, Failed, Kafka, Redis, check, data, http, kafka, main, metrics,
                     say, train, version_of, wait_ready, wait_until)

PARTITIONS = 4


def load(scratch, group, rows, name):
    path = data.write_csv(scratch.path(f"{name}.csv"), rows)
    scratch.run("load", "-c", group.file, "-i", path, "--quiet")


def compare(scratch, group, what):
    found = scratch.run("replay", "-c", group.file, "--compare", expect=None)
    check(found.code == 0, f"{what}: replay and Redis agree", found.out + found.err)


def wait_unready(worker, word, what):
    """/readyz says 503 and names what is missing, while /livez goes on saying 200."""
    last = [None]

    def unready():
        last[0] = http(worker.port, "/readyz?verbose")
        return last[0][0] == 503 and f"[-]{word}" in last[0][1]
    try:
        wait_until(unready, f"/readyz to be 503 for {word}", 60)
    except Failed as failure:
        raise Failed(f"{failure}: {last[0]}") from None
    line = next(line for line in last[0][1].splitlines() if line.startswith(f"[-]{word}"))
    check(http(worker.port, "/livez")[0] == 200, f"{what}: alive, not ready: {line}")
    return line


def troubles(worker):
    return [line for line in worker.text().splitlines()
            if " warn " in line or " error " in line or "level=warn" in line
            or "level=error" in line]


def outages(scratch, _arguments):
    rows = data.generated(12000, users=300, items=80)
    parts = [rows[i::6] for i in range(6)]
    model = train(scratch, "model", rows, "hidden_dimension=32", "layers=1", "epochs=1")
    version = version_of(model)
    redis, server = Redis(scratch), Kafka(scratch)
    group = Deployment(scratch, server, redis, PARTITIONS, model__initial=version)
    os.makedirs(scratch.path("models"))
    shutil.copytree(model, scratch.path("models", version))

    # Both away at start; then only one; then a topic is missing.
    worker = group.start(ready=False)
    wait_until(lambda: http(worker.port, "/livez")[0] == 200, "the HTTP port")
    wait_unready(worker, "kafka", "no broker at start")
    wait_unready(worker, "redis", "no Redis at start")
    time.sleep(3)
    check(worker.is_alive() and 1 <= len(troubles(worker)) <= 12,
          "no server at start: a few clear lines, no flood", troubles(worker)[:15])
    for line in troubles(worker)[:4]:
        print(f"     {line[:160]}")
    away = scratch.run("check", "-c", group.file, expect=None)
    check(away.code == 69, "check exits with 69 when servers are away", away.out)
    redis.start()
    server.start()
    say("servers are up, topics are missing")
    wait_until(lambda: "eddy.events" in http(worker.port, "/readyz?verbose")[1]
               or "eddy.events" in worker.text(), "a word about the missing topic")
    check(http(worker.port, "/readyz")[0] == 503, "not ready without its topic")
    group.create_topics()
    wait_ready(worker, 90)
    load(scratch, group, parts[0], "first")
    group.wait_drained()
    compare(scratch, group, "after a start without servers")

    # Redis goes away under load, and comes back.
    redis.kill()
    load(scratch, group, parts[1], "second")
    wait_unready(worker, "redis", "Redis away")
    redis.start()
    wait_ready(worker)
    group.wait_drained()
    compare(scratch, group, "after Redis was away")

    # Redis comes back empty: everything is replayed.
    redis.kill()
    shutil.rmtree(os.path.join(redis.folder, "appendonlydir"))
    redis.start()
    load(scratch, group, parts[2], "third")
    wait_until(lambda: redis("GET", "eddy:meta"), "eddy:meta to be written again")
    group.wait_drained()
    compare(scratch, group, "after Redis lost everything")
    group.check_lists("after Redis lost everything")

    # The broker goes away, and comes back.
    server.kill()
    wait_unready(worker, "kafka", "the broker away")
    server.begin()
    server.wait()
    wait_ready(worker, 90)
    load(scratch, group, parts[3], "fourth")
    group.wait_drained()
    compare(scratch, group, "after the broker was away")
    check(worker.stop() == 0, "SIGTERM drains and exits with 0")

    # Two processes forced onto the same partitions: whoever is older is fenced, each time.
    twins = [group.start(f"twin-{i}", ready=False, kafka__assignment="all")
             for i in range(2)]
    for part in (parts[4][::2], parts[4][1::2]):
        load(scratch, group, part, "fifth")
    group.wait_drained()
    acquired = [metrics(twin.port)["eddy_partition_acquires_total"] for twin in twins]
    check(sum(acquired) > PARTITIONS, "two owners: partitions changed hands", acquired)
    compare(scratch, group, "two owners")
    group.check_lists("two owners")
    for twin in twins:
        check(twin.stop() == 0, f"{twin.name} drains and exits with 0")

    # A damaged snapshot is refused by its checksum.
    path = scratch.path("models", version, "model.safetensors")
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    refused = scratch.run("deploy", "-m", os.path.dirname(path), "-c", group.file,
                          expect=None)
    check(refused.code not in (0, 1) and "sha256" in refused.err,
          "deploy refuses a damaged snapshot by its checksum", refused.err)
    worker = group.start("damaged", ready=False)
    load(scratch, group, parts[5], "sixth")

    def said():
        return "sha256" in worker.text() or not worker.is_alive()
    wait_until(said, "a word about the damaged snapshot")
    check("sha256" in worker.text() and "model.safetensors" in worker.text(),
          "run names the damaged file", worker.text()[-500:])
    check(http(worker.port, "/readyz")[0] in (0, 503), "and is not ready")
    worker.stop()
    os.remove(path)
    shutil.copy(os.path.join(model, "model.safetensors"), path)
    worker = group.start("mended")
    group.wait_drained()
    compare(scratch, group, "after the snapshot was mended")
    check(worker.stop() == 0, "SIGTERM drains and exits with 0")

    # The partition count is part of the state.
    kafka.grow_topic(server.brokers, "eddy.events", PARTITIONS + 1)
    wait_until(lambda: kafka.partitions_of(server.brokers, "eddy.events") > PARTITIONS,
               "the topic to grow")
    grown = group.start("grown", ready=False)
    code = grown.wait(60)
    check(code == 78, "run refuses a topic that grew with 78", (code, grown.text()[-300:]))
    line = next((line for line in grown.text().splitlines() if "partition" in line
                 and str(PARTITIONS + 1) in line), None)
    check(line is not None, f"and says why: {line}", grown.text()[-500:])
    grown = scratch.run("check", "-c", group.file, expect=None)
    check(grown.code == 78, "so does check", (grown.code, grown.out))


if __name__ == "__main__":
    main(outages)
