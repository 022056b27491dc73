#!/usr/bin/env python3
"""A snapshot as Python sees it: model.safetensors read by the format's description with
struct alone, and by the safetensors package too where it is installed.

    test_safetensors.py TEST_SNAPSHOT      (the unit test's program, which writes one)
"""
import csv
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

ITEMS, HIDDEN, LAYERS = 50, 16, 2  # tiny_default of tests/tiny_model.h
EXPECTED = {
    "item_embedding": [ITEMS, HIDDEN], "item_bias": [ITEMS], "type_embedding": [3, HIDDEN],
    "gap_embedding": [32, HIDDEN], "begin_of_session": [HIDDEN],
    "user.wi": [3 * HIDDEN, HIDDEN], "user.bh": [3 * HIDDEN], "popularity": [ITEMS],
    "layers.0.wz": [HIDDEN, HIDDEN], "layers.1.w1": [4 * HIDDEN, HIDDEN],
    "layers.1.norm2.bias": [HIDDEN],
}


def read_safetensors(path):
    with open(path, "rb") as file:
        raw = file.read()
    (size,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8:8 + size])
    data = raw[8 + size:]
    assert (8 + size) % 64 == 0, "data do not begin at a multiple of 64 bytes"
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values())
    tensors, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"]):
        begin, stop = entry["data_offsets"]
        count = 1
        for dimension in entry["shape"]:
            count *= dimension
        assert entry["dtype"] == "F32" and begin == end and stop - begin == 4 * count, name
        tensors[name] = (entry["shape"], struct.unpack_from("<%df" % count, data, begin))
        end = stop
    assert end == len(data), "bytes behind the last tensor"
    return tensors


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        snapshot = os.path.join(folder, "model")
        subprocess.run([program, "--write", snapshot], check=True)
        with open(os.path.join(snapshot, "manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        for name, entry in manifest["files"].items():
            with open(os.path.join(snapshot, name), "rb") as file:
                raw = file.read()
            assert len(raw) == entry["size"], name
            assert hashlib.sha256(raw).hexdigest() == entry["sha256"], name
        canonical = {key: manifest[key] for key in ("hyper_parameters", "recent_events",
                                                    "recipe", "session_gap_s", "shape",
                                                    "types")}
        lines = [manifest["files"][name]["sha256"] for name in sorted(manifest["files"])]
        lines.append(json.dumps(canonical, sort_keys=True, separators=(",", ":"))
                     .replace("0.1", "0.10000000000000001"))  # 17 digits, as C writes them
        version = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
        assert version == manifest["version"], (version, manifest["version"])

        path = os.path.join(snapshot, "model.safetensors")
        tensors = read_safetensors(path)
        for name, shape in EXPECTED.items():
            assert tensors[name][0] == shape, (name, tensors[name][0])
        want = [struct.unpack("<f", struct.pack("<f", i * 7 % ITEMS / ITEMS))[0]
                for i in range(ITEMS)]
        assert list(tensors["popularity"][1]) == want
        assert len(set(tensors["item_embedding"][1])) > 700  # random weights, not zeros

        with open(os.path.join(snapshot, "catalog.csv"), encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["ITEM_ID", "TITLE"]
        assert rows[1:] == [["i%d" % i, "A, \"Title\""] for i in range(ITEMS)]

        try:
            import safetensors
        except ImportError:
            print("the safetensors package is not installed: read by struct alone")
        else:
            with safetensors.safe_open(path, framework="numpy") as file:
                for name, (shape, values) in tensors.items():
                    array = file.get_tensor(name)
                    assert list(array.shape) == shape
                    assert tuple(array.ravel().tolist()) == values
    print("%d tensors" % len(tensors))


if __name__ == "__main__":
    main()
