#!/usr/bin/env python3
"""Every folder of pipelines/ runs as it is and gives the lists that it promises.

The configuration is the folder's own; only addresses come from the environment, as a user
would do it. The model is the folder's, so the lists are compared byte for byte: serving
gives the same bits on any x86-64 with AVX2 or AVX-512. Training goes through BLAS, whose
sums differ between CPUs, so of a new training only its success is looked at.

--update trains the folders' models anew and writes what comes out as expected.
"""

import glob
import json
import os
import shutil

from harness import (ROOT, Kafka, Redis, check, free_port, kafka, main, msgpack_map, say,
                     wait_ready, wait_until)

PARTITIONS = 4


def train_command(folder, out):
    arguments = ["train", "-i", os.path.join(folder, "interactions.csv"), "-o", out]
    items = os.path.join(folder, "items.csv")
    if os.path.exists(items):
        arguments += ["-I", items]
    for line in open(os.path.join(folder, "train.txt")):
        arguments += ["--set", line.strip()]
    return arguments


def run_folder(scratch, server, redis, folder, update):
    name = os.path.basename(folder)
    config = os.path.join(folder, "eddy.yaml")
    model = os.path.join(folder, "model")
    port = free_port()
    environment = {"EDDY_KAFKA_BROKERS": server.brokers,
                   "EDDY_REDIS_ADDRESS": redis.address,
                   "EDDY_MODEL_FOLDER": scratch.path("models"),
                   "EDDY_HTTP_LISTEN": f"127.0.0.1:{port}"}

    trained = scratch.path(name, "trained")
    os.makedirs(os.path.dirname(trained))
    scratch.run(*train_command(folder, trained))
    check(os.path.exists(os.path.join(trained, "manifest.json")),
          f"{name}: a model comes out of its interactions")
    if update:
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(trained, model)

    scratch.run("check", "-c", config, "--create-topics", "--partitions", PARTITIONS,
                environment=environment)
    scratch.run("deploy", "-m", model, "-c", config, environment=environment)
    worker = scratch.worker(f"{name}-worker", config, environment=environment)
    worker.port = port
    wait_ready(worker)
    events = glob.glob(os.path.join(glob.escape(folder), "events.*"))[0]
    scratch.run("load", "-c", config, "-i", events, "--quiet", environment=environment)
    ends = [high for _low, high in kafka.bounds(server.brokers, f"{name}.events",
                                                PARTITIONS)]

    def drained():
        values = [redis("GET", f"{{{name}:{p}}}:offset") for p in range(PARTITIONS)]
        return all(v and msgpack_map(v)["offset"] >= end for v, end in zip(values, ends))
    wait_until(drained, f"{name}: the worker to reach the end of the log")

    stem = f"{name}:list:".encode()
    found = {key[len(stem):].decode(): redis("GET", key).decode()
             for key in redis.scan(f"{name}:list:*")}
    lines = [found[user] for user in sorted(found)]
    expected = os.path.join(folder, "expected.jsonl")
    if update:
        with open(expected, "w") as file:
            file.write("".join(line + "\n" for line in lines))
    want = open(expected).read().splitlines()
    differ = [(w, g) for w, g in zip(want, lines) if w != g]
    check(lines == want, f"{name}: {len(lines)} lists are the expected ones, byte for byte",
          (len(lines), len(want), differ[:1]))
    first = json.loads(lines[0])
    recent = {json.loads(line)["item"] for line in open(events)
              if json.loads(line)["user"] == first["user"]} \
        if events.endswith(".jsonl") else set()
    check(not recent & {item["id"] for item in first["items"]},
          f"{name}: nothing that {first['user']} has just looked at is in the list")
    scratch.run("replay", "-c", config, "--compare", environment=environment)
    check(worker.stop() == 0, f"{name}: SIGTERM drains and exits with 0")


def pipelines(scratch, arguments):
    redis, server = Redis(scratch).start(), Kafka(scratch).start()
    say("servers are up")
    folders = sorted(glob.glob(os.path.join(glob.escape(ROOT), "pipelines", "*", "")))
    check(len(folders) >= 2, "there are pipelines")
    for folder in folders:
        run_folder(scratch, server, redis, folder.rstrip("/"), arguments.update)


if __name__ == "__main__":
    main(pipelines, lambda parser: parser.add_argument("--update", action="store_true"))
