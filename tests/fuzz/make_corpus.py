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


def with_version(manifest):
    """The version as core/snapshot.h defines it."""
    import hashlib
    shape = {k: manifest[k] for k in ("hyper_parameters", "recent_events", "recipe",
                                      "session_gap_s", "shape", "types")}
    text = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    files = manifest["files"]
    whole = "\n".join([files["catalog.csv"]["sha256"], files["model.safetensors"]["sha256"],
                       text])
    return {**manifest, "version": hashlib.sha256(whole.encode()).hexdigest()[:16]}


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
    return 0


if __name__ == "__main__":
    sys.exit(main())
