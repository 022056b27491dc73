#!/usr/bin/env python3
"""Seeds of the fuzz corpora: one small file per feature of a format.

    tests/fuzz/make_corpus.py            writes tests/fuzz/corpus/<target>/seed-*

Files that a fuzzer found stand beside them under their hash, and every crash becomes one.
"""
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def pack(value):
    """msgpack of None, bool, int, float, str, bytes, list, dict, smallest form."""
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if 0 <= value < 128:
            return bytes([value])
        if -32 <= value < 0:
            return struct.pack("b", value)
        for code, form, low, high in ((0xcc, ">B", 0, 2**8), (0xcd, ">H", 0, 2**16),
                                      (0xce, ">I", 0, 2**32), (0xcf, ">Q", 0, 2**64),
                                      (0xd3, ">q", -2**63, 0)):
            if low <= value < high:
                return bytes([code]) + struct.pack(form, value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        head = bytes([0xa0 | len(text)]) if len(text) < 32 else b"\xd9" + bytes([len(text)])
        return head + text
    if isinstance(value, bytes):
        return b"\xc5" + struct.pack(">H", len(value)) + value
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(pack, value)) if len(value) < 16 \
            else b"\xdc" + struct.pack(">H", len(value)) + b"".join(map(pack, value))
    return bytes([0x80 | len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())


BASE = {"user": "u1", "item": "i1", "ts": 1600000000123}
EVENTS = [
    BASE,
    {**BASE, "type": "buy", "value": 2.5, "id": "e1", "session": "s1"},
    {**BASE, "value": 7, "id": None, "other": [1, {"a": [None, True, -5, 1e300]}]},
    {**BASE, "kind": "impression", "impression": ["i1", "i2", "\u20ac\U0001f3ac"],
     "recommendationId": "0123456789abcdef"},
    {"kind": "snapshot", "snapshot": "0123456789abcdef",
     "policy": {"list_size": 50, "exclude_recent": True, "lateness_s": 60}},
    {**BASE, "v": 2},
    {**BASE, "kind": "refund"},
    {**BASE, "id": ""},
    {**BASE, "ts": 2**63},
    {**BASE, "ts": -1},
    {**BASE, "impression": ["x"] * 25},
    {**BASE, "context": {"DEVICE": "TV", "hour": 7.5, "new": True, "none": None}},
    {**BASE, "context": {"c%d" % i: i for i in range(6)}},
    {**BASE, "session": "quote\" back\\ \n \x01"},
]

JSONS = ["{}", "[]", "", "{\"user\":\"u\",\"user\":\"u\"}", "{\"id\":\"\\ud800\"}",
         "{\"user\":\"\\ud83c\\udfac\",\"item\":\"i\",\"ts\":1600000000123}",
         "{\"value\":1e400}", "{\"ts\":18446744073709551616}", "[" * 40 + "]" * 40]


def recent(count, contexts=0):
    return b"".join(struct.pack("<QIIfI", 7 + i, 1600000000 + i, 5, 1.5,
                                1 | (2 * contexts if i == 0 else 0))
                    for i in range(count))


def blob(revision=9, snapshot="0123456789abcdef", first=1600000000, newest=1600000500,
         stepped=1600000100, events=3, sessions=1, steps=2, ids=2, kept=3, hidden=64,
         contexts=0, shown=0, version=2):
    more = [struct.pack("<IIf", 1, 2, 0.5) * contexts,
            struct.pack("<QII", 7, 1600000000, 1) * shown] if version == 2 else []
    return b"ES" + bytes([version]) + pack(
        [revision, snapshot, first, newest, stepped, events, sessions, steps,
         b"\x01\x02\x03\x04" * ids, recent(kept, contexts), b"\x00\x00\x80\x3f" * hidden]
        + more)


STATES = [
    blob(), blob(0, "", -1, -1, -1, 0, 0, 0, 0, 0, 0),
    blob(4, "0123456789abcdef", -1, -1, -1, 0, 0, 0, 0, 0, 64),
    blob(hidden=4096), blob(kept=200, events=1000), blob(kept=201, events=1000),
    blob(ids=32, events=40), blob(ids=33, events=40), blob(events=1), blob(stepped=-1),
    blob(newest=2**33), blob(snapshot="short"), b"ES\x03", b"ES\x02\x9d", blob() + b"x",
    blob()[:-1], blob(version=1), blob(contexts=5), blob(contexts=6), blob(shown=50),
    blob(shown=51), blob(contexts=3, shown=2),
]

HEAD = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n"
CSVS = [
    HEAD + "u,i,1600000000,click,\nu,j,1500000000,buy,2.5\nv,i,1600000000,,-1e3\n",
    HEAD + "u,\"i,1\",2020-09-13T12:26:40Z,\"a \"\"b\"\"\",\n",
    "\ufeff" + HEAD.replace("\n", "\r\n") + "u,i,1600000000123,click,1\r\n\r\n",
    HEAD + "u,i,0,,\nu,j,1,,\nu,k,1600000000,,\n",
    HEAD + "u,i\n", HEAD + "u,\"i\n", HEAD + "u,i\"x\",1,,\n", "ITEM_ID,TITLE\ni,A\nj,B\ni,C\n",
    "USER_ID\n", "", "\n\n", HEAD + "u,i,2020-09-13 14:26:40+02:00,,inf\n",
    HEAD + "u,i,1600000000,click,1", "a,\"b\nc\"\r\nd", "," * 300,
]


def tensor(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def tensors(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b"\x00" + struct.pack("<Q", len(text)) + text + data


MANIFEST = {
    "format": 1, "version": "0123456789abcdef", "recipe": "hrnn",
    "shape": {"items": 1, "hidden": 16, "layers": 1, "types": 2, "cell": "gru",
              "mode": "flat"},
    "types": ["", "click"], "session_gap_s": 1800, "recent_events": 10,
    "hyper_parameters": {"a": 0.5}, "data": {}, "metrics": {}, "seed": 1,
    "created": "2020-09-13T12:26:40Z",
    "files": {"catalog.csv": {"sha256": "a" * 64, "size": 3},
              "model.safetensors": {"sha256": "b" * 64, "size": 3}},
}


BUCKETS, HALF_LIVES = 6, [3600.0, 86400.0, 0.0]


def head(features=5, **but):
    """A head as manifest.json has it; by default one that uses every table."""
    return {"network": [True] * BUCKETS, "weight": [[0.5] * features] * BUCKETS,
            "prior": [[0.25, -0.5, 0.0]] * BUCKETS, "scale": [1.0] * features,
            "decay": [3.0] * features, "half_life_s": HALF_LIVES, "recent": 4,
            "neighbours": {"candidates": 100, "neighbours": 20, "position_decay": 3.0,
                           "age_decay_days": 20.0, "distance_decay": 2.0, "idf": True},
            **but}


STREAM = {"head": head(), "refresh_s": 300, "width": 20, "window": 3, "distance_decay": 2.0,
          "rules_half_life_s": 86400.0, "shrink": 1.0, "reverse": 0.25}

FEATURES = {
    "items": {"columns": [
        {"name": "GENRE", "kind": "categorical", "values": ["war", "love"]},
        {"name": "YEAR", "kind": "numeric", "knots": [1950, 1980.5, 1999]},
        {"name": "TITLE", "kind": "text", "buckets": [0, 12, 4095]},
        {"name": "CREATION_TIMESTAMP", "kind": "ignored"}]},
    "users": {"columns": [{"name": "SIZE", "kind": "categorical", "values": ["\ube68"]}]},
    "context": {"columns": [
        {"name": "device", "kind": "categorical", "values": ["phone", "TV"]},
        {"name": "hour", "kind": "numeric", "knots": [0, 6, 12.25, 18]}]},
}


def with_version(manifest):
    """The version as core/snapshot.h defines it."""
    import hashlib
    shape = {k: manifest[k] for k in ("hyper_parameters", "recent_events", "recipe",
                                      "session_gap_s", "shape", "types", "features", "head",
                                      "stream") if k in manifest}
    text = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    files = manifest["files"]
    whole = "\n".join([files["catalog.csv"]["sha256"], files["model.safetensors"]["sha256"],
                       text])
    return {**manifest, "version": hashlib.sha256(whole.encode()).hexdigest()[:16]}


RICH = {**MANIFEST, "recipe": "aws-user-personalization", "features": FEATURES,
        "head": head(), "stream": STREAM,
        "shape": {**MANIFEST["shape"], "item_features": 10, "user_features": 2,
                  "context_features": 7}}

SNAPSHOTS = [
    tensors({"t": tensor([4, 16], 0, 256), "__metadata__": {"a": "b"}}, b"\x00" * 256),
    tensors({"u": tensor([3], 0, 12)}, struct.pack("<fff", 1, float("nan"), 2)),
    tensors({"t": tensor([4, 16], 8, 264)}, b"\x00" * 256),
    tensors({"t": tensor([4, 16], 0, 128, "F16")}, b"\x00" * 128),
    tensors(b"[]", b""), b"\x00" + struct.pack("<Q", 2**63),
    b"\x01ITEM_ID,TITLE\ni,\"A, b\"\n\"j\n\",\n", b"\x01ITEM_ID\ni\ni\n",
    b"\x02" + json.dumps(with_version(MANIFEST)).encode(),
    b"\x02" + json.dumps(MANIFEST).encode(), b"\x03" + json.dumps(MANIFEST).encode(),
    b"\x02{\"format\":2}", b"\x02{}", b"\x02[",
    b"\x02" + json.dumps(with_version(RICH)).encode(), b"\x03" + json.dumps(RICH).encode(),
    b"\x02" + json.dumps(with_version({**MANIFEST, "head": head(4)})).encode(),
]


def numbers(form, *values):
    return struct.pack("<%d%s" % (len(values), form), *values)


# Four items; rows of 2, 1, 0 and 2 entries; sessions of 3 and 2 events.
TABLE = {"begin": ("U64", numbers("Q", 0, 2, 3, 3, 5)),
         "index": ("U32", numbers("I", 1, 3, 0, 0, 2)),
         "weight": ("F32", numbers("f", 2, 1, 0.5, 3, 3))}
SESSIONS = {"begin": ("U64", numbers("Q", 0, 3, 5)),
            "entries": ("U32", numbers("I", 0, 1, 3, 2, 1)),
            "age": ("F32", numbers("f", 1.5, 0))}
WIDTH = {"U64": 8, "U32": 4, "F32": 4}


def tables(json_head, but=None, items=4):
    """One input of fuzz_tables.c: head and tensors, some of them others than usual."""
    all_of = {**{"related." + k: v for k, v in TABLE.items()},
              **{"rules." + k: v for k, v in TABLE.items()},
              **{"sessions." + k: v for k, v in SESSIONS.items()},
              **{"prior.%d" % h: ("F32", numbers("f", -1, -2, -3, -4)) for h in range(2)},
              **(but or {})}
    header, data = {}, b""
    for name, (dtype, values) in all_of.items():
        header[name] = tensor([len(values) // WIDTH[dtype]], len(data),
                              len(data) + len(values), dtype)
        data += values
    text = json_head if isinstance(json_head, bytes) else json.dumps(json_head).encode()
    return (b"\x00" + bytes([items - 1]) + struct.pack("<H", len(text)) + text +
            tensors(header, data)[1:])


PLAIN = head(4, weight=[[0.0] * 4] * BUCKETS, prior=[[0.0] * 3] * BUCKETS)
TABLES = [
    tables(head()), tables(head(4)), tables(PLAIN), tables(head(), items=5),
    tables(head(), {"related.index": ("U32", numbers("I", 1, 4, 0, 0, 2))}),
    tables(head(), {"related.index": ("U32", numbers("I", 3, 1, 0, 2, 0))}),
    tables(head(), {"related.begin": ("U64", numbers("Q", 0, 2, 1, 3, 5))}),
    tables(head(), {"rules.begin": ("U64", numbers("Q", 0, 2, 3, 3, 6))}),
    tables(head(), {"rules.begin": ("U64", numbers("Q", 0, 2**63, 3, 3, 5))}),
    tables(head(), {"rules.weight": ("F32", numbers("f", 2, 1, float("nan"), 3, 3))}),
    tables(head(), {"rules.weight": ("F32", numbers("f", 2, 1, 0, 3, 3))}),
    tables(head(), {"sessions.begin": ("U64", numbers("Q", 0, 5, 5))}),
    tables(head(), {"sessions.entries": ("U32", numbers("I", 0, 1, 3, 2, 9))}),
    tables(head(), {"sessions.age": ("F32", numbers("f", -1, float("inf")))}),
    tables(head(), {"sessions.begin": ("U64", numbers("Q", 0)),
                    "sessions.entries": ("U32", b""), "sessions.age": ("F32", b"")}),
    tables(head(), {"prior.1": ("F32", numbers("f", 1, 2, 3))}),
    tables(head(half_life_s=HALF_LIVES * 3)), tables(head(recent=21)),
    tables(head(scale=[0.0] * 5)), tables(head(network=[1] * BUCKETS)),
    tables(head(weight=[[-0.5] * 5] * BUCKETS)), tables(b"{}"), tables(b"["), b"\x00\x01",
    b"\x01" + json.dumps(STREAM).encode(), b"\x01{}",
    b"\x01" + json.dumps({**STREAM, "width": 0}).encode(),
    b"\x01" + json.dumps({**STREAM, "head": PLAIN, "reverse": 1.5}).encode(),
    b"\x01" + json.dumps({**STREAM, "refresh_s": 2**40}).encode(),
    b"\x02" + json.dumps(FEATURES).encode(), b"\x02{}", b"\x02{\"items\":{}}",
    b"\x02" + json.dumps({"context": FEATURES["items"]}).encode(),
    b"\x02" + json.dumps({"items": {"columns": [{"name": "YEAR", "kind": "numeric",
                                                "knots": [2, 1]}]}}).encode(),
    b"\x02" + json.dumps({"items": {"columns": [{"name": "TITLE", "kind": "text",
                                                "buckets": [4096]}]}}).encode(),
    b"\x02" + json.dumps({"users": {"columns": [{"name": "GENRE", "kind": "categorical",
                                                "values": ["a", "a"]}] * 40}}).encode(),
]


def write(target, seeds):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    for number, seed in enumerate(seeds):
        with open(os.path.join(folder, "seed-%02d" % number), "wb") as file:
            file.write(seed if isinstance(seed, bytes) else seed.encode("utf-8", "surrogatepass"))


def main():
    write("event", [pack(event) for event in EVENTS])
    write("json", [json.dumps(event) for event in EVENTS] + JSONS)
    write("state", STATES)
    write("csv", CSVS)
    write("snapshot", SNAPSHOTS)
    write("tables", TABLES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
