#!/usr/bin/env python3
"""A snapshot of any recipe read by plain Python: lists for histories, by the published
mathematics alone.

    read_snapshot.py MODEL HISTORIES [--users USERS] [--k 10] [--exclude-seen]
                     [--context NAME=VALUE]...

Prints what `eddy recommend` writes: user, rank, item, score. Standard library only; the
network's formulas are those of make_hrnn.py beside it (src/core/params.h), the head's are
written from src/core/head.h and neighbours.h, texts are cut as src/core/features_text.c says.
Slow, and in double precision: scores differ from eddy's in the sixth digit, and items whose
scores differ less may change places.
"""
import argparse
import collections
import csv
import json
import math
import os
import re
import struct

from make_hrnn import Network, add, step_of, tensor_table
import make_hrnn

FORMATS = {"F32": ("f", 4), "U32": ("I", 4), "U64": ("Q", 8)}
QUERY_MAX, REACH, AT_OR_BEFORE, LEAST = 20, 30, 0.5, 1e-3  # of neighbours.c


def read_safetensors(path):
    """name -> (shape, flat list)"""
    with open(path, "rb") as file:
        raw = file.read()
    (size,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        code, width = FORMATS[entry["dtype"]]
        begin, end = entry["data_offsets"]
        values = struct.unpack_from("<%d%s" % ((end - begin) // width, code), raw,
                                    8 + size + begin)
        tensors[name] = (entry["shape"], list(values))
    return tensors


def make_network(shape, tensors):
    """A Network of make_hrnn.py with the snapshot's tensors."""
    network = Network.__new__(Network)
    network.V, network.H, network.L = shape["items"], shape["hidden"], shape["layers"]
    network.T, network.cell, network.mode = shape["types"], shape["cell"], shape["mode"]
    network.tensors = {}
    if network.H == 0:  # a recipe that counts: it has no network
        return network
    for name, rows, cols in tensor_table(network.V, network.H, network.L, network.T,
                                         network.cell, network.mode,
                                         shape.get("item_features", 0),
                                         shape.get("user_features", 0),
                                         shape.get("context_features", 0)):
        flat = tensors[name][1]
        assert len(flat) == rows * cols, name
        network.tensors[name] = [flat[r * cols:(r + 1) * cols] for r in range(rows)]
    return network


# ---- texts ---------------------------------------------------------------------------------

BUCKETS, TEXT_ROW, RUN_MAX, TEXT_LENGTH = 4096, 128, 64, 0.05
MASK = (1 << 64) - 1
BEGIN, END, WORD, GRAM = 2, 3, 1, 2
MARKUP = re.compile(r"<[A-Za-z/!][^>]*>|&[A-Za-z0-9#]{1,10};")
# Scripts without blanks between words: Hangul, Han, Kana. What is no letter or digit.
PAIR_SCRIPT = re.compile("[\u1100-\u11ff\u3005-\u3007\u3040-\u30fa\u30fc-\u318f\u31f0-\u31ff"
                         "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9d"
                         "\U00020000-\U0002fa1f]")
NO_LETTER = re.compile("[\x00-/:-`{-\xbf\xd7\xf7\u2000-\u2bff\u2e00-\u303f\u30fb\ue000-\uf8ff"
                       "\ufe10-\ufe6f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
                       "\ufff0-\uffff\U0001f000-\U0001faff]")


def mix64(a, b):
    """splitmix64's finaliser of a + golden ratio * b."""
    z = (a + 0x9E3779B97F4A7C15 * b) & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def bucket(kind, codes):
    value = kind
    for code in codes:
        value = mix64(value, code)
    return value % BUCKETS


def small(letter):
    """Small letters of Latin (with Extended-A), Greek, Cyrillic; full-width forms as ASCII."""
    if "\uff01" <= letter <= "\uff5e":
        letter = chr(ord(letter) - 0xfee0)
    code = ord(letter)
    if 0x100 <= code <= 0x137 or 0x14a <= code <= 0x177:  # pairs, the large one even
        return chr(code | 1)
    if 0x139 <= code <= 0x148 or 0x179 <= code <= 0x17e:  # odd
        return chr(code + (code & 1))
    is_large = ("A" <= letter <= "Z" or 0xc0 <= code <= 0xde or 0x391 <= code <= 0x3a9 or
                0x400 <= code <= 0x42f)
    return letter.lower() if is_large else letter


def runs_of(text):
    """(letters, whether of a script without blanks between words)"""
    run, run_pairs, at = "", False, 0
    while at < len(text):
        markup = MARKUP.match(text, at)
        letter = " " if markup else small(text[at])
        at = markup.end() if markup else at + 1
        pairs = bool(PAIR_SCRIPT.match(letter))
        is_letter = pairs or not NO_LETTER.match(letter)
        if run and (not is_letter or pairs != run_pairs or len(run) == RUN_MAX):
            yield run, run_pairs
            run = ""
        if is_letter:
            run, run_pairs = run + letter, pairs
    if run:
        yield run, run_pairs


def buckets_of(text):
    """Hashes of words and of what they consist of, each once."""
    found = {}
    for run, pairs in runs_of(text):
        codes = [ord(letter) for letter in run]
        found.setdefault(bucket(WORD, codes))
        size = 2 if pairs else 3
        if not pairs:
            codes = [BEGIN] + codes + [END] if len(codes) > 3 else []
        for i in range(len(codes) - size + 1):
            found.setdefault(bucket(GRAM, codes[i:i + size]))
    return list(found)[:TEXT_ROW]


# ---- metadata of users -------------------------------------------------------------------

def scaled(pairs, to=1.0):
    length = math.sqrt(sum(weight * weight for _, weight in pairs))
    return [(index, to * weight / length) for index, weight in pairs]


def textual(column, cell):
    place = {bucket: i for i, bucket in enumerate(column["buckets"])}
    return ([(place[found], 1.0) for found in buckets_of(cell) if found in place],
            len(place))


def categorical(column, cell):
    known = {value: i for i, value in enumerate(column["values"])}
    found = []
    for value in (part.strip(" \t") for part in cell.split("|")):
        index = known.get(value, len(known))
        if value and index not in found:
            found.append(index)
    return [(index, 1.0) for index in found], len(known) + 1 if known else 0


def numeric(column, cell):
    knots = column["knots"]
    try:
        number = float(cell)
    except ValueError:
        return [], len(knots)
    k = max([i for i, knot in enumerate(knots) if number >= knot], default=0)
    if k == len(knots) - 1 or number <= knots[k]:
        return [(k, 1.0)], len(knots)
    t = (number - knots[k]) / (knots[k + 1] - knots[k])
    return [(k, 1 - t), (k + 1, t)], len(knots)


def features_of(vocabulary, row):
    """(index, weight) pairs of a row of metadata."""
    pairs, first = [], 0
    for column in vocabulary["columns"]:
        if column["kind"] == "ignored":
            continue
        read, length = {"categorical": (categorical, 1.0), "numeric": (numeric, 1.0),
                        "text": (textual, TEXT_LENGTH)}[column["kind"]]
        mine, size = read(column, row.get(column["name"]) or "")
        if size:
            pairs += [(first + index, weight) for index, weight in scaled(mine, length)]
        first += size
    return pairs


# ---- context -----------------------------------------------------------------------------

def fold(name):
    return name.replace("_", "").lower()


def context_of(vocabulary, row):
    """Features of a row's context columns, in their order; row: folded name -> text."""
    features, first = [], 0
    for column in (vocabulary or {"columns": []})["columns"]:
        text = row.get(fold(column["name"])) or ""
        if column["kind"] == "categorical" and column["values"]:
            known = {value: i for i, value in enumerate(column["values"])}
            if text:
                features.append(first + known.get(text, len(known)))
            first += len(known) + 1
        elif column["kind"] == "numeric":
            try:
                number = struct.unpack("<f", struct.pack("<f", float(text)))[0]
                below = [i for i, knot in enumerate(column["knots"]) if knot <= number]
                features.append(first + max(below, default=0))
            except ValueError:
                pass
            first += len(column["knots"])
    return features


# ---- the head ------------------------------------------------------------------------------

def bucket_of(count):
    return count if count < 3 else 3 if count < 6 else 4 if count < 20 else 5


def fade(x, decay):
    return math.exp(-x / decay) if decay > 0 else 1.0


def from_table(tensors, name, recent, newest, decay):
    sums = collections.Counter()
    begin, index, weight = (tensors[name + part][1] for part in (".begin", ".index", ".weight"))
    for p, row in enumerate(reversed(recent[-newest:] if newest else [])):
        for i in range(begin[row], begin[row + 1]):
            sums[index[i]] += math.exp(-p / decay) * weight[i]
    return sums


def votes(tensors, options, recent):
    """Nearest sessions: see neighbours.c for the formulas."""
    begin, entries, age = (tensors["sessions." + part][1] for part in ("begin", "entries", "age"))
    count = len(age)
    holders = collections.defaultdict(list)  # item -> sessions, newest first
    for s in reversed(range(count)):
        for item in set(entries[begin[s]:begin[s + 1]]):
            holders[item].append(s)
    weights = {}
    for p, item in enumerate(reversed(recent[-2 * QUERY_MAX:])):
        if item in weights or not holders[item] or len(weights) == QUERY_MAX:
            continue
        weights[item] = fade(p, options["position_decay"])
        if options["idf"]:
            weights[item] *= math.log((count + 1) / len(holders[item]))
    heaviest = max(weights.values(), default=0)
    weights = {item: w for item, w in weights.items() if w >= heaviest * LEAST}
    reach = max((d for d in range(1, REACH + 1)
                 if fade(d - 1, options["distance_decay"]) >= LEAST), default=1)
    found = sorted({s for item in weights for s in holders[item]}, reverse=True)
    candidates = []
    for s in found[:options["candidates"]]:
        mine = entries[begin[s]:begin[s + 1]]
        shared = [item for item in weights if item in mine]  # newest of the query first
        similarity = (sum(weights[item] for item in shared) / math.sqrt(len(mine))
                      * fade(age[s], options["age_decay_days"]))
        candidates.append((-similarity, len(candidates), mine, shared[0]))
    sums = collections.Counter()
    for minus, _, mine, shared in sorted(candidates)[:options["neighbours"]]:
        middle = len(mine) - 1 - mine[::-1].index(shared)
        for e in range(max(0, middle - reach), min(len(mine), middle + reach + 1)):
            near = fade(max(0, abs(e - middle) - 1), options["distance_decay"])
            sums[mine[e]] += -minus * near * (AT_OR_BEFORE if e <= middle else 1.0)
    total = sum(sums.values())
    return collections.Counter({item: 0.9999 * vote / total for item, vote in sums.items()})


def additions(head, tensors, recent, shown):
    """Item -> what the features add. shown: (item, times, later lists)."""
    weights = head["weight"][bucket_of(len(recent))]
    result = collections.Counter()
    for f, name in enumerate(("related", "rules", "neighbours", "seen", "shown")):
        if f >= len(weights) or weights[f] == 0:
            continue
        decay = head["decay"][f]
        if name == "neighbours":
            sums = votes(tensors, head["neighbours"], recent)
        elif name == "seen":
            sums = collections.Counter()
            for p, item in enumerate(reversed(recent)):
                sums[item] += math.exp(-p / decay)
        elif name == "shown":
            sums = collections.Counter()
            for item, times, age in shown:
                sums[item] += times * math.exp(-age / decay)
        else:
            sums = from_table(tensors, name, recent, head["recent"], decay)
        for item, value in sums.items():
            result[item] += weights[f] * math.log1p(head["scale"][f] * value)
    return result


SHOWN_MAX = 50
HIDDEN = -1e30  # a bias up to this: the item is in no list


def note(shown, chosen, now, impression):
    """shown: item -> (time, times), the newest last, without what was chosen (shown.h)."""
    shown.pop(chosen, None)
    for item in dict.fromkeys(impression):
        if item == chosen:
            continue
        time, times = shown.pop(item, (0, 0))
        if len(shown) == SHOWN_MAX:
            del shown[next(iter(shown))]
        shown[item] = (max(time, now), times + 1)


PLAIN = {"network": [True] * 6, "weight": [[0.0] * 4] * 6, "prior": [[]] * 6}


# ---- lists ---------------------------------------------------------------------------------

class Snapshot:
    def __init__(self, folder):
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
            self.manifest = json.load(file)
        self.tensors = read_safetensors(os.path.join(folder, "model.safetensors"))
        with open(os.path.join(folder, "catalog.csv"), newline="", encoding="utf-8") as file:
            self.items = [row["ITEM_ID"] for row in csv.DictReader(file)]
        self.index = {item: i for i, item in enumerate(self.items)}
        self.network = make_network(self.manifest["shape"], self.tensors)
        self.head = self.manifest.get("head") or PLAIN
        self.hidden = {i for i, bias in enumerate(self.tensors["item_bias"][1])
                       if bias <= HIDDEN}
        make_hrnn.SESSION_GAP_S = self.manifest["session_gap_s"]

    def play(self, events):
        """(state or None, known recent items, all known items, what was shown) after (item, s,
        type, value, impression, context)."""
        state, previous, recent, seen, shown = None, -1, [], set(), {}
        types = {name: i for i, name in enumerate(self.manifest["types"])}
        vocabulary = (self.manifest.get("features") or {}).get("context")
        for item, now, kind, value, impression, context in events:
            known = self.index.get(item)
            note(shown, item, now, impression)
            recent.append(known)
            if known is None:
                continue
            seen.add(known)
            if self.network.H == 0:
                continue
            state = state or self.network.new_state()
            gap, begin, first, phi = step_of(previous, now, value)
            self.network.move(state, known, types.get(kind, 0), gap, begin, first, phi,
                              context_of(vocabulary, context))
            previous = max(previous, now)
        recent = recent[-self.manifest["recent_events"]:]
        return state, [item for item in recent if item is not None], seen, self.ages(shown)

    def ages(self, shown):
        """(item, times, lists that were shown later) of what the catalogue knows."""
        result, age, after = [], 0, None
        for item, (now, times) in reversed(shown.items()):
            age += after not in (None, now)
            after = now
            if item in self.index:
                result.append((self.index[item], times, age))
        return result

    def query(self, state, metadata, request):
        x = state["query"] if state else None
        features, tensors = self.manifest.get("features") or {}, self.network.tensors
        users = features.get("users")
        pairs = features_of(users, metadata) if users and metadata else []
        asked = context_of(features.get("context"), request)
        if pairs:
            x = make_hrnn.weighted(pairs, tensors["user_features"],
                                   x or tensors["user_start"][0])
        if asked:
            x = add(x or tensors["user_start"][0],
                    *(tensors["context_query"][f] for f in asked))
        return x

    def scores(self, query, recent, shown):
        bucket = bucket_of(len(recent))
        own = query is not None and self.head["network"][bucket]
        priors = self.head["prior"][bucket]
        scores = self.network.scores(query) if own else [0.0] * len(self.items)
        if own and "cold.items" in self.tensors:
            spread, shift, *level = self.tensors["cold.place"][1]
            of_list = shift + sum(a * b for a, b in zip(query, level))
            for item in self.tensors["cold.items"][1]:
                scores[item] = spread * scores[item] + of_list
        for h, weight in enumerate(priors):
            if weight != 0:
                scores = add(scores, [weight * v for v in self.tensors["prior.%d" % h][1]])
        if query is None and not any(priors):
            return self.tensors["popularity"][1]
        for item, value in additions(self.head, self.tensors, recent, shown).items():
            scores[item] += value
        return scores

    def list(self, events, metadata, k, exclude_seen, request=None):
        """(item id, score), best first; request: its context, name -> text."""
        state, recent, seen, shown = self.play(events)
        request = {fold(name): text for name, text in (request or {}).items()}
        scores = self.scores(self.query(state, metadata, request), recent, shown)
        out = self.hidden | seen if exclude_seen else self.hidden
        allowed = [i for i in range(len(scores)) if i not in out]
        allowed.sort(key=lambda i: (-scores[i], i))
        return [(self.items[i], scores[i]) for i in allowed[:k]]


def read_histories(path):
    """user -> events in order of (time, row)"""
    users = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            value = row.get("EVENT_VALUE")
            users.setdefault(row["USER_ID"], []).append(
                (row["ITEM_ID"], int(row["TIMESTAMP"]), row.get("EVENT_TYPE") or "click",
                 float(value) if value else None,
                 [item for item in (row.get("IMPRESSION") or "").split("|") if item],
                 {fold(name): text for name, text in row.items()}))
    for events in users.values():
        events.sort(key=lambda event: event[1])
    return users


def read_users(path):
    if not path:
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {row["USER_ID"]: row for row in csv.DictReader(file)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("histories")
    parser.add_argument("--users")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--exclude-seen", action="store_true")
    parser.add_argument("--context", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    snapshot = Snapshot(options.model)
    histories, users = read_histories(options.histories), read_users(options.users)
    for user in list(histories) + [user for user in users if user not in histories]:
        found = snapshot.list(histories.get(user, []), users.get(user), options.k,
                              options.exclude_seen,
                              dict(text.split("=", 1) for text in options.context))
        for rank, (item, score) in enumerate(found, 1):
            print("%s\t%d\t%s\t%.6f" % (user, rank, item, score))


if __name__ == "__main__":
    main()
