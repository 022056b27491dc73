#!/usr/bin/env python3
"""Bad input goes to the dead letters, as it was, with a reason; its partition goes on."""

import json
import random
import struct

from harness import (Deployment, Failed, Kafka, Redis, check, data, kafka, main, metrics, say,
                     train, wait_until)

PARTITIONS = 3
NOW = 1_700_000_000_000


def pack(value):
    """msgpack, as far as these records need it."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        return (b"\xcf" + value.to_bytes(8, "big") if value >= 0
                else b"\xd3" + value.to_bytes(8, "big", signed=True))
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode()
        return b"\xda" + len(raw).to_bytes(2, "big") + raw
    if isinstance(value, list):
        return b"\xdc" + len(value).to_bytes(2, "big") + b"".join(map(pack, value))
    return (b"\xde" + len(value).to_bytes(2, "big")
            + b"".join(pack(k) + pack(v) for k, v in value.items()))


def event(**fields):
    return {"user": "anna", "item": "item-0001", "ts": NOW, **fields}


def text(**fields):
    return json.dumps(event(**fields)).encode()


def bad_records(picker):
    """[(what, payload, reason)]"""
    noise = bytes(picker.getrandbits(8) for _ in range(200))
    whole = pack(event())
    bad = [
        ("nothing at all", b"", "malformed"),
        ("a tombstone", None, "malformed"),
        ("a single byte", b"\x00", "malformed"),
        ("noise", b"\xc1" + noise, "malformed"),
        ("plain words", b"this is no event", "malformed"),
        ("JSON that ends early", text()[:-1], "malformed"),
        ("JSON with more behind it", text() + b"}", "malformed"),
        ("a JSON array", b"[1, 2, 3]", "malformed"),
        ("JSON of 100 000 open brackets", b'{"user":' + b"[" * 100_000, "malformed"),
        ("JSON that is no UTF-8", text().replace(b"anna", b"an\xff\xfea"), "malformed"),
        ("JSON with NaN", text().replace(b"}", b',"value":NaN}'), "malformed"),
        ("JSON with a huge number", text().replace(b"}", b',"value":1e400}'), "malformed"),
        ("a key twice", text().replace(b"}", b',"user":"bert"}'), "malformed"),
        ("user as a number", text(user=17), "malformed"),
        ("item as a list", text(item=["a"]), "malformed"),
        ("ts as text", text(ts="yesterday"), "malformed"),
        ("no user", json.dumps({"item": "a", "ts": NOW}).encode(), "malformed"),
        ("no item", json.dumps({"user": "anna", "ts": NOW}).encode(), "malformed"),
        ("empty item", text(item=""), "malformed"),
        ("unknown kind", text(kind="gossip"), "malformed"),
        ("no time", json.dumps({"user": "anna", "item": "a"}).encode(), "timestamp"),
        ("time zero", text(ts=0), "timestamp"),
        ("a negative time", text(ts=-5), "timestamp"),
        ("seconds instead of milliseconds", text(ts=NOW // 1000), "timestamp"),
        ("the year 33658", text(ts=NOW * 1000), "timestamp"),
        ("an item id of 257 bytes", text(item="x" * 257), "too_big"),
        ("a type of 65 bytes", text(type="x" * 65), "too_big"),
        ("26 items shown", text(impression=[f"i{n}" for n in range(26)]), "too_big"),
        ("a payload of 2 MB", text(note="x" * 2_000_000), "too_big"),
        ("a payload of 10 MB", b"\x83" + bytes(10_000_000), "too_big"),
        ("version 2", text(v=2), "version"),
        ("msgpack version 99", pack(event(v=99)), "version"),
        ("msgpack NaN", pack(event(value=float("nan"))), "malformed"),
        ("msgpack infinity", pack(event(value=float("inf"))), "malformed"),
        ("msgpack user nil", pack(event(user=None)), "malformed"),
        ("msgpack with more behind it", whole + b"\xc0", "malformed"),
        ("a msgpack string that claims 4 GB",
         b"\x83\xa4user\xdb\xff\xff\xff\xff" + b"x" * 20, "malformed"),
        ("a msgpack map that claims 4 G entries", b"\xdf\xff\xff\xff\xff", "malformed"),
        ("msgpack nested 1 000 deep", b"\x81\xa4deep" + b"\x91" * 1000 + b"\xc0",
         "malformed"),
        ("somebody else's event", None, "partition"),  # payload made below
    ]
    cuts = picker.sample(range(1, len(whole)), 8)
    bad += [(f"msgpack cut at byte {cut}", whole[:cut], "malformed") for cut in cuts]
    return bad


def badinput(scratch, arguments):
    picker = random.Random(arguments.seed)
    redis = Redis(scratch).start()
    server = Kafka(scratch, settings={"message.max.bytes": 30_000_000,
                                      "replica.fetch.max.bytes": 30_000_000,
                                      "socket.request.max.bytes": 60_000_000}).start()
    rows = data.generated(2000, users=50, items=50)
    model = train(scratch, "model", rows, "hidden_dimension=32", "layers=1", "epochs=1")
    group = Deployment(scratch, server, redis, PARTITIONS)
    group.create_topics()
    scratch.run("deploy", "-m", model, "-c", group.file)
    worker = group.start()
    say("a worker is ready")

    # Which partition the users live in: ask the partitioner.
    producer = kafka.Producer(server.brokers)
    homes = {}
    for user in ("anna", "bert", "cora", "dora", "emil", "fred"):
        before = dict(producer.offsets)
        producer.send("eddy.events", text(user=user), key=user.encode())
        producer.flush()
        homes[user] = next(p for p, offset in producer.offsets.items()
                           if before.get(p) != offset)
    home = homes["anna"]
    other = next(user for user, p in homes.items() if p != home)

    # Bad ones, each followed by a good event of the same partition.
    bad = bad_records(picker)
    picker.shuffle(bad)
    sent = []
    for number, (what, payload, reason) in enumerate(bad):
        if reason == "partition":
            payload = text(user=other)
        key = [b"anna", None, b"\x00\xff"][number % 3]
        headers = [("trace", b"%d" % number), ("trace", b"again"), ("binary", b"\x00\xff")]
        producer.send("eddy.events", payload, key=key, partition=home, headers=headers,
                      timestamp_ms=NOW + number)
        producer.flush()
        sent.append((what, payload, reason, key, headers, NOW + number,
                     producer.offsets[home] - 1))
        producer.send("eddy.events", text(ts=NOW + 1000 * (number + 1), item="item-0002"),
                      key=b"anna", partition=home)
    producer.flush()
    last = producer.offsets[home]
    producer.close()
    say(f"{len(sent)} bad records are in the topic, and as many good ones")
    group.wait_drained()

    state = json.loads(redis("GET", "eddy:list:anna"))
    check(state["rev"] == last, "the partition went on to its last good event",
          (state["rev"], last))
    check(worker.is_alive(), "the worker lives")

    topic = group.topic("dead_letters")
    partitions = kafka.partitions_of(server.brokers, topic)
    wait_until(lambda: sum(high - low for low, high in kafka.bounds(
        server.brokers, topic, partitions)) >= len(sent), f"{len(sent)} dead letters", 30)
    letters = {}
    for record in kafka.read(server.brokers, topic, partitions, headers=True):
        mine = {}
        for name, value in record.headers:
            mine.setdefault(name, []).append(value)
        place = int(mine["__connect.errors.offset"][0])
        if place in letters:
            raise Failed(f"offset {place} has more than one dead letter")
        letters[place] = (record, mine)
    check(len(letters) == len(sent), "every bad record has its dead letter, and no other",
          (len(letters), len(sent)))
    for what, payload, reason, key, headers, timestamp, offset in sent:
        record, mine = letters[offset]
        wrong = []
        # Kafka has no difference between absent and null that a client could keep here.
        if (record.value or None) != (payload or None) or \
                (payload is not None and record.value != payload):
            wrong.append(f"value of {len(record.value or b'')} bytes")
        if record.key != key:
            wrong.append(f"key {record.key}")
        if record.timestamp_ms != timestamp:
            wrong.append(f"timestamp {record.timestamp_ms}")
        if record.headers[:len(headers)] != headers:
            wrong.append(f"headers {record.headers}")
        if mine.get("eddy.reason") != [reason.encode()]:
            wrong.append(f"reason {mine.get('eddy.reason')}")
        if mine.get("__connect.errors.topic") != [b"eddy.events"] or \
                mine.get("__connect.errors.partition") != [str(home).encode()]:
            wrong.append(f"position {mine}")
        if not mine.get("__connect.errors.exception.message", [b""])[0]:
            wrong.append("no message")
        said = mine.get("__connect.errors.exception.message", [b"?"])[0].decode()
        check(not wrong, f"{what}: {reason}: \"{said[:90]}\"", wrong)

    values = metrics(worker.port)
    for reason in ("malformed", "too_big", "version", "timestamp", "partition"):
        want = sum(1 for record in sent if record[2] == reason)
        got = values[f'eddy_dead_letters_total{{reason="{reason}"}}']
        check(got == want, f"/metrics counts {want} dead letters for {reason}", got)
    scratch.run("replay", "-c", group.file, "--compare")
    say("replay agrees")
    check(worker.stop() == 0, "SIGTERM drains and exits with 0")


if __name__ == "__main__":
    main(badinput)
