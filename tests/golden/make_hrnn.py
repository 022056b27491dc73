#!/usr/bin/env python3
"""Golden vectors of the HRNN's forward pass, in double precision.

Written from the formulas in src/core/params.h and step.h, not from the C code: plain
lists, one user at a time, math.exp and math.tanh. Cells: mingru and gru with the block
around them, plain_gru (GRU4Rec) without.

    python3 make_hrnn.py        writes hrnn_<cell>_<mode>_<hidden>.txt, always the same, and
                                metadata_, context_<cell>_<mode>_<hidden>.txt beside itself
    python3 make_hrnn.py --check    writes none, says which of them differ; exit 1 if any

Format, a line each, words separated by blanks, # comments:
    shape items hidden layers types cell mode session_gap_s
    tensor NAME ROWS COLS       then ROWS lines of COLS numbers
    event USER ITEM TYPE PREVIOUS_S NOW_S VALUE|-
    step GAP BEGIN FIRST PHI    what the network sees of the event
    hidden ...                  the user's state afterwards: layers, user level, query
    scores ...                  of all items, for that query

With metadata (M features of items, Mu of users), item_embedding and item_bias are those of
the items themselves, and there is besides:
    metadata M Mu               behind the shape
    item KNOWN COUNT (INDEX WEIGHT)...      behind the tensors, for every item; KNOWN 0: it
                                            was never in training
    user COUNT (INDEX WEIGHT)...            for every user
    start USER, scores ...      before any event
and scores are of queries with the user's metadata in.

With context (Mc features): `context Mc` behind the shape, and for every event, behind it,
    context FEATURE...          its features, a column each; -1: none
    request FEATURE...          of the next request; scores are of queries with them in
and behind the tensors `start USER`, its request and scores, before any event.
"""
import glob
import math
import os
import random
import sys
import tempfile

GAPS = 32
SESSION_GAP_S = 1800


def pick(draw, choices):
    """One of choices; by random() alone, whose sequence Python promises to keep."""
    return choices[int(draw.random() * len(choices))]


def matvec(matrix, x):
    return [math.fsum(w * v for w, v in zip(row, x)) for row in matrix]


def add(*vectors):
    return [math.fsum(values) for values in zip(*vectors)]


def times(a, b):
    return [x * y for x, y in zip(a, b)]


def sigmoid(x):
    return [1.0 / (1.0 + math.exp(-v)) for v in x]


def tanh(x):
    return [math.tanh(v) for v in x]


def gelu(x):
    inner = math.sqrt(2.0 / math.pi)
    return [0.5 * v * (1.0 + math.tanh(inner * (v + 0.044715 * v ** 3))) for v in x]


def layer_norm(x, gain, bias):
    mean = math.fsum(x) / len(x)
    variance = math.fsum((v - mean) ** 2 for v in x) / len(x)
    return [(v - mean) / math.sqrt(variance + 1e-5) * g + b
            for v, g, b in zip(x, gain, bias)]


def mix(z, old, new):
    """(1 - z) old + z new"""
    return [(1.0 - k) * o + k * n for k, o, n in zip(z, old, new)]


def gru(wi, bi, wh, bh, x, h, gates=None):
    """PyTorch's GRUCell; gates: added to the pre-activations of r and z."""
    n_units = len(h)
    from_x, from_h = add(matvec(wi, x), bi), add(matvec(wh, h), bh)
    gates = gates or [0.0] * (2 * n_units)
    part = lambda v, i: v[i * n_units:(i + 1) * n_units]
    r = sigmoid(add(part(from_x, 0), part(from_h, 0), part(gates, 0)))
    z = sigmoid(add(part(from_x, 1), part(from_h, 1), part(gates, 1)))
    n = tanh(add(part(from_x, 2), times(r, part(from_h, 2))))
    return mix(z, n, h)


def tensor_table(V, H, L, T, cell, mode, M=0, Mu=0, Mc=0):
    """(name, rows, cols) of all tensors, in the order of params.h."""
    user = mode != "flat"
    table = [("item_embedding", V, H), ("item_bias", V, 1), ("type_embedding", T, H),
             ("gap_embedding", GAPS, H), ("begin_of_session", 1, H), ("value_weight", 1, H),
             ("input_norm.gain", 1, H), ("input_norm.bias", 1, H)]
    if user:
        table += [("user.wi", 3 * H, H), ("user.bi", 1, 3 * H), ("user.wh", 3 * H, H),
                  ("user.bh", 1, 3 * H)]
    if M:
        table += [("item_features", M, H), ("item_feature_bias", M, 1), ("item_cold_bias", 1, 1)]
    if Mu:
        table += [("user_features", Mu, H)]
    if Mu or Mc:
        table += [("user_start", 1, H)]
    if Mc:
        table += [("context_features", Mc, H), ("context_query", Mc, H)]
    for l in range(L):
        rows = []
        if cell == "mingru":
            rows += [("wz", H, H), ("bz", 1, H), ("wc", H, H), ("bc", 1, H)]
        else:
            rows += [("wi", 3 * H, H), ("bi", 1, 3 * H), ("wh", 3 * H, H), ("bh", 1, 3 * H)]
        if mode == "all":
            rows += [("uz", H if cell == "mingru" else 2 * H, H)]
        if user:
            rows += [("winit", H, H), ("binit", 1, H)]
        if cell != "plain_gru":
            rows += [("wo", H, H), ("bo", 1, H), ("norm1.gain", 1, H), ("norm1.bias", 1, H),
                     ("w1", 4 * H, H), ("b1", 1, 4 * H), ("w2", H, 4 * H), ("b2", 1, H),
                     ("norm2.gain", 1, H), ("norm2.bias", 1, H)]
        table += [("layers.%d.%s" % (l, name), r, c) for name, r, c in rows]
    return table


class Network:
    def __init__(self, V, H, L, T, cell, mode, draw, M=0, Mu=0, Mc=0):
        self.H, self.L, self.V, self.T = H, L, V, T
        self.cell, self.mode = cell, mode
        self.tensors = {}
        for name, rows, cols in tensor_table(V, H, L, T, cell, mode, M, Mu, Mc):
            center = 1.0 if name.endswith(".gain") else 0.0
            self.tensors[name] = [[round(center + 1.2 * draw.random() - 0.6, 3)
                                   for _ in range(cols)] for _ in range(rows)]

    def vector(self, name):
        return self.tensors[name][0]

    def new_state(self):
        zeros = [0.0] * self.H
        return {"layers": [zeros[:] for _ in range(self.L)], "user": zeros[:],
                "query": zeros[:]}

    def layer_state(self, l, x, s, c):
        p = "layers.%d." % l
        t = self.tensors
        context = matvec(t[p + "uz"], c) if self.mode == "all" else None
        if self.cell != "mingru":
            return gru(t[p + "wi"], self.vector(p + "bi"), t[p + "wh"],
                       self.vector(p + "bh"), x, s, context)
        z = add(matvec(t[p + "wz"], x), self.vector(p + "bz"))
        if context:
            z = add(z, context)
        return mix(sigmoid(z), s, add(matvec(t[p + "wc"], x), self.vector(p + "bc")))

    def move(self, state, item, kind, gap, begin, first, phi, context=()):
        t = self.tensors
        if begin and not first and self.mode != "flat":
            state["user"] = gru(t["user.wi"], self.vector("user.bi"), t["user.wh"],
                                self.vector("user.bh"), state["query"], state["user"])
            for l in range(self.L):
                p = "layers.%d." % l
                state["layers"][l] = tanh(add(matvec(t[p + "winit"], state["user"]),
                                              self.vector(p + "binit")))
        e = add(t["item_embedding"][item], t["type_embedding"][kind],
                t["gap_embedding"][gap], [phi * w for w in self.vector("value_weight")])
        if begin:
            e = add(e, self.vector("begin_of_session"))
        e = add(e, *(t["context_features"][f] for f in context if f >= 0))
        x = layer_norm(e, self.vector("input_norm.gain"), self.vector("input_norm.bias"))
        for l in range(self.L):
            p = "layers.%d." % l
            s = self.layer_state(l, x, state["layers"][l], state["user"])
            state["layers"][l] = s
            if self.cell == "plain_gru":
                x = s
                continue
            y = add(x, matvec(t[p + "wo"], s), self.vector(p + "bo"))
            x = layer_norm(y, self.vector(p + "norm1.gain"), self.vector(p + "norm1.bias"))
            inner = gelu(add(matvec(t[p + "w1"], x), self.vector(p + "b1")))
            y = add(x, matvec(t[p + "w2"], inner), self.vector(p + "b2"))
            x = layer_norm(y, self.vector(p + "norm2.gain"), self.vector(p + "norm2.bias"))
        state["query"] = x

    def scores(self, query):
        return add(matvec(self.tensors["item_embedding"], query),
                   [row[0] for row in self.tensors["item_bias"]])


def draw_events(draw, V, T, users, count):
    """(user, item, type, previous_s, now_s, value or None), users interleaved."""
    last = {}
    for _ in range(count):
        user = pick(draw, range(users))
        previous = last.get(user, -1)
        pause = pick(draw, [0, 1, 5, 60, 600, SESSION_GAP_S, SESSION_GAP_S + 1, 90000,
                            10 ** 7])
        now = 1000 * user if previous < 0 else previous + pause
        last[user] = now
        value = pick(draw, [None, None, 1.0, -2.5, 0.125, 300.0])
        yield user, pick(draw, range(V)), pick(draw, range(T)), previous, now, value


def step_of(previous, now, value):
    """(gap bucket, begin, first, phi) as step.h says."""
    first = previous < 0
    gap_s = 0 if first else max(0, now - previous)
    bucket = min(GAPS - 1, int(math.floor(math.log2(1 + gap_s))))
    phi = 0.0 if value is None else math.copysign(math.log1p(abs(value)), value)
    return bucket, first or gap_s > SESSION_GAP_S, first, phi


def numbers(values):
    return " ".join("%.7g" % v for v in values)


def weighted(features, table, start):
    """start + the sum of weight * table row."""
    return add(start, *([weight * v for v in table[index]] for index, weight in features))


def effective(network, items):
    """A network whose item tensors have the metadata of items = (known, features) in."""
    t = network.tensors
    rows, biases = [], []
    for (known, features), e, b in zip(items, t["item_embedding"], t["item_bias"]):
        zero = [0.0] * network.H
        rows.append(weighted(features, t["item_features"], e if known else zero))
        biases.append(weighted(features, t["item_feature_bias"],
                               b if known else t["item_cold_bias"][0]))
    t["item_embedding"], t["item_bias"] = rows, biases


def draw_features(draw, size):
    count = pick(draw, [0, 1, 2, 3])
    chosen = sorted({pick(draw, range(size)) for _ in range(count)})
    return [(index, round(0.2 + 0.8 * draw.random(), 3)) for index in chosen]


def feature_words(features):
    return " ".join("%d %g" % pair for pair in features)


def write_metadata_case(cell, mode, V, H, L, T, M, Mu, users, events):
    draw = random.Random("metadata %s %s %d" % (cell, mode, H))
    network = Network(V, H, L, T, cell, mode, draw, M, Mu)
    items = [(item % 4 != 3, draw_features(draw, M)) for item in range(V)]
    people = [draw_features(draw, Mu) for _ in range(users)]
    states = [network.new_state() for _ in range(users)]
    with open("metadata_%s_%s_%d.txt" % (cell, mode, H), "w", encoding="ascii") as out:
        print("# written by make_hrnn.py", file=out)
        print("shape", V, H, L, T, cell, mode, SESSION_GAP_S, file=out)
        print("metadata", M, Mu, file=out)
        for name, rows, cols in tensor_table(V, H, L, T, cell, mode, M, Mu):
            print("tensor", name, rows, cols, file=out)
            for row in network.tensors[name]:
                print(numbers(row), file=out)
        for known, features in items:
            print("item", int(known), len(features), feature_words(features), file=out)
        for features in people:
            print("user", len(features), feature_words(features), file=out)
        effective(network, items)
        table = network.tensors["user_features"]
        for user in range(users):
            query = weighted(people[user], table, network.vector("user_start"))
            print("start", user, file=out)
            print("scores", numbers(network.scores(query)), file=out)
        for user, item, kind, previous, now, value in draw_events(draw, V, T, users, events):
            gap, begin, first, phi = step_of(previous, now, value)
            state = states[user]
            network.move(state, item, kind, gap, begin, first, phi)
            print("event", user, item, kind, previous, now,
                  "-" if value is None else "%g" % value, file=out)
            print("step", gap, int(begin), int(first), "%.9g" % phi, file=out)
            hidden = sum(state["layers"], [])
            if mode != "flat":
                hidden = hidden + state["user"]
            print("hidden", numbers(hidden + state["query"]), file=out)
            query = weighted(people[user], table, state["query"])
            print("scores", numbers(network.scores(query)), file=out)


def draw_context(draw, Mc):
    """A feature of each of two columns, the first with Mc - 3 values, or none."""
    return [pick(draw, range(-1, Mc - 3)), pick(draw, [-1] + list(range(Mc - 3, Mc)))]


def write_context_case(cell, mode, V, H, L, T, Mc, users, events):
    draw = random.Random("context %s %s %d" % (cell, mode, H))
    network = Network(V, H, L, T, cell, mode, draw, Mc=Mc)
    states = [network.new_state() for _ in range(users)]
    words = lambda features: " ".join(map(str, features))
    with open("context_%s_%s_%d.txt" % (cell, mode, H), "w", encoding="ascii") as out:
        def ask(x):
            request = draw_context(draw, Mc)
            query = add(x, *(network.tensors["context_query"][f] for f in request if f >= 0))
            print("request", words(request), file=out)
            print("scores", numbers(network.scores(query)), file=out)

        print("# written by make_hrnn.py", file=out)
        print("shape", V, H, L, T, cell, mode, SESSION_GAP_S, file=out)
        print("context", Mc, file=out)
        for name, rows, cols in tensor_table(V, H, L, T, cell, mode, Mc=Mc):
            print("tensor", name, rows, cols, file=out)
            for row in network.tensors[name]:
                print(numbers(row), file=out)
        for user in range(users):
            print("start", user, file=out)
            ask(network.vector("user_start"))
        for user, item, kind, previous, now, value in draw_events(draw, V, T, users, events):
            gap, begin, first, phi = step_of(previous, now, value)
            context, state = draw_context(draw, Mc), states[user]
            network.move(state, item, kind, gap, begin, first, phi, context)
            print("event", user, item, kind, previous, now,
                  "-" if value is None else "%g" % value, file=out)
            print("context", words(context), file=out)
            print("step", gap, int(begin), int(first), "%.9g" % phi, file=out)
            hidden = sum(state["layers"], [])
            if mode != "flat":
                hidden = hidden + state["user"]
            print("hidden", numbers(hidden + state["query"]), file=out)
            ask(state["query"])


def write_case(cell, mode, V, H, L, T, users, events):
    draw = random.Random("%s %s %d" % (cell, mode, H))
    network = Network(V, H, L, T, cell, mode, draw)
    states = {}
    with open("hrnn_%s_%s_%d.txt" % (cell, mode, H), "w", encoding="ascii") as out:
        print("# written by make_hrnn.py", file=out)
        print("shape", V, H, L, T, cell, mode, SESSION_GAP_S, file=out)
        for name, rows, cols in tensor_table(V, H, L, T, cell, mode):
            print("tensor", name, rows, cols, file=out)
            for row in network.tensors[name]:
                print(numbers(row), file=out)
        for user, item, kind, previous, now, value in draw_events(draw, V, T, users, events):
            gap, begin, first, phi = step_of(previous, now, value)
            state = states.setdefault(user, network.new_state())
            network.move(state, item, kind, gap, begin, first, phi)
            print("event", user, item, kind, previous, now,
                  "-" if value is None else "%g" % value, file=out)
            print("step", gap, int(begin), int(first), "%.9g" % phi, file=out)
            hidden = sum(state["layers"], [])
            if mode != "flat":
                hidden = hidden + state["user"]
            print("hidden", numbers(hidden + state["query"]), file=out)
            print("scores", numbers(network.scores(state["query"])), file=out)


def write_all():
    """Every file, into the working directory."""
    for cell in ("mingru", "gru", "plain_gru"):
        for mode in ("flat", "init", "all"):
            write_case(cell, mode, V=9, H=5, L=2, T=3, users=3, events=24)
        write_case(cell, "all", V=19, H=17, L=1, T=2, users=2, events=20)
    write_metadata_case("mingru", "flat", V=12, H=6, L=2, T=2, M=5, Mu=4, users=3, events=24)
    write_metadata_case("gru", "init", V=12, H=6, L=1, T=2, M=5, Mu=4, users=3, events=24)
    write_context_case("mingru", "flat", V=12, H=6, L=2, T=2, Mc=7, users=3, events=24)
    write_context_case("gru", "all", V=12, H=6, L=1, T=2, Mc=7, users=3, events=24)


DIGITS = 1e-6  # the files keep seven digits, of which mathematics libraries may differ in one


def same_words(mine, kept):
    """Lines of words: equal texts, or numbers that are."""
    for line, other in zip(mine, kept):
        if line == other:
            continue
        words, others = line.split(), other.split()
        if len(words) != len(others):
            return False
        for a, b in zip(words, others):
            try:
                if a != b and not abs(float(a) - float(b)) <= DIGITS * (1 + abs(float(a))):
                    return False
            except ValueError:
                return False
    return len(mine) == len(kept)


def check_all(folder):
    """Whether the files of folder are those that write_all would write, and no others."""
    def lines(path):
        with open(path, encoding="ascii") as file:
            return file.read().splitlines()

    here, good = os.getcwd(), True
    with tempfile.TemporaryDirectory() as made:
        os.chdir(made)
        write_all()
        os.chdir(here)
        written = {os.path.basename(path) for path in glob.glob(os.path.join(made, "*.txt"))}
        kept = {os.path.basename(path) for path in glob.glob(os.path.join(folder, "*.txt"))}
        for name in sorted(written | kept):
            if name in written and name in kept and same_words(
                    lines(os.path.join(made, name)), lines(os.path.join(folder, name))):
                continue
            good = False
            print("%s: %s" % (name, "not here" if name not in kept else
                              "not written by make_hrnn.py" if name not in written else
                              "differs from what make_hrnn.py writes"))
    print("%d files %s" % (len(written), "as written" if good else "expected"))
    return good


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if check_all(folder) else 1)
    if sys.argv[1:]:
        sys.exit(__doc__)
    os.chdir(folder)
    write_all()


if __name__ == "__main__":
    main()
