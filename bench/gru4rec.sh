#!/usr/bin/env bash
# Speed of training in GRU4Rec's RetailRocket configuration (224 units, one GRU layer, shared
# item table, BPR-max over 2,048 drawn items, ELU 0.5, score regularisation 1.95), one thread,
# beside the official PyTorch port on the same sessions in the same run.
#
#     bench/gru4rec.sh [--port FOLDER] [--python PYTHON] [-e EDDY] [--share SHARE]
#                      [--epochs N] [--rounds N]
#
# FOLDER: a checkout of github.com/hidasib/GRU4Rec_PyTorch_Official (its licence is not a free
# one: get it yourself); PYTHON: one with torch and pandas (default python3). Without --port,
# or without torch, eddy runs alone and that is said. SHARE of RetailRocket's sessions
# (default 0.25), each of them N times over (--epochs, default 3: start values are made once);
# programs take turns --rounds times (default 2), the medians are shown.
#
# Equal: sessions, every event but the first of a session predicted once per epoch, the GRU
# cell, width, number of drawn items, loss and its constants, 32-bit floats, one thread.
# Not equal: eddy's mini-batch is 80 whole sessions (some 220 predictions) and its gradient
# crosses events, the port's is 80 sessions times one event and its gradient does not; the
# port also counts the other 79 targets as negatives (4 % more products); eddy's optimiser
# is Adam on touched rows, the port's Adagrad with momentum on touched rows; eddy's input
# also has event type, time gap and a layer norm. --block adds a run of eddy with its own
# block around the cell (cell=gru), which is 1.6 times the products per event.
set -euo pipefail
cd "$(dirname "$0")/.."

port= python=python3 eddy=build/release/eddy share=0.25 epochs=3 rounds=2 cells=plain_gru
while [ $# -gt 0 ]; do
    case $1 in
    --port) port=$2; shift 2 ;;
    --python) python=$2; shift 2 ;;
    -e) eddy=$2; shift 2 ;;
    --share) share=$2; shift 2 ;;
    --epochs) epochs=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --block) cells="plain_gru gru"; shift ;;
    *) sed -n '2,22p' "$0" >&2; exit 64 ;;
    esac
done
[ -x "$eddy" ] || { echo "gru4rec.sh: no program $eddy: build release, or give -e" >&2; exit 66; }
if [ -n "$port" ] && [ ! -f "$port/gru4rec_pytorch.py" ]; then
    echo "gru4rec.sh: $port is no checkout of GRU4Rec_PyTorch_Official" >&2
    exit 66
fi
if [ -z "$port" ]; then
    echo "gru4rec.sh: no --port FOLDER given: eddy runs alone"
elif ! "$python" -c 'import torch, pandas' 2>/dev/null; then
    echo "gru4rec.sh: $python has no torch and pandas: eddy runs alone (give --python)"
    port=
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
python3 bench/gru4rec_sessions.py "$work" --share "$share" | tee "$work/shape.json"
for round in $(seq "$rounds"); do
    for cell in $cells; do
        "$eddy" train -i "$work/sessions.csv" -o "$work/model" --recipe aws-hrnn -q --json \
            --threads 1 --checkpoint -1 --set cell="$cell" --set layers=1 \
            --set hidden_dimension=224 --set loss=bpr_max --set bpreg=1.95 \
            --set elu_param=0.5 --set negatives=2048 --set batch_users=80 --set epochs="$epochs" \
            --set patience="$epochs" \
            --set average=0 --set validation_fraction=0 --set refit=false \
            --set max_user_history_length_percentile=1 >"$work/eddy.$cell.$round.json"
    done
    if [ -n "$port" ]; then
        OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 "$python" bench/gru4rec_port.py "$port" \
            "$work/sessions.tsv" "$epochs" >"$work/port.$round.txt"
    fi
done

python3 - "$work" "$rounds" "$epochs" $cells <<'PYTHON'
import json, os, statistics, sys
work, rounds, epochs, cells = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
shape = json.load(open(os.path.join(work, "shape.json")))
predictions = shape["predictions"] * epochs
rates = {}
for cell in cells:
    runs = [json.load(open(os.path.join(work, "eddy.%s.%d.json" % (cell, r + 1))))
            for r in range(rounds)]
    for run in runs:
        assert run["events"] == shape["events"] and run["users"] == shape["sessions"], run
    rates["eddy, " + cell] = [(predictions / run["seconds"],
                               predictions / run["cpu_seconds"]) for run in runs]
    print("eddy, %-10s %.0f GFLOP/s, %.0f %% of cblas_sgemm's %.0f (%s)" % (
          cell, statistics.median(run["gflops"] for run in runs),
          100 * statistics.median(run["share_of_sgemm"] for run in runs),
          statistics.median(run["sgemm_gflops"] for run in runs), runs[0]["blas_core"]))
paths = [os.path.join(work, "port.%d.txt" % (r + 1)) for r in range(rounds)]
if os.path.exists(paths[0]):
    rates["the port"] = []
    for path in paths:
        last = open(path).read().split("\n")[-2].split()
        assert last[0] == "port" and int(last[1]) == predictions, last
        rates["the port"].append(tuple(int(last[1]) / float(x) for x in last[2:4]))
print("%-16s %18s %18s" % ("", "events/s of wall", "events/s of CPU"))
medians = {}
for name, runs in rates.items():
    medians[name] = [statistics.median(run[i] for run in runs) for i in (0, 1)]
    print("%-16s %18.0f %18.0f" % (name, *medians[name]))
if "the port" in medians:
    for cell in cells:
        ours, theirs = medians["eddy, " + cell], medians["the port"]
        print("%s: %.2f x the port by wall, %.2f x by CPU time (aim: 3)" % (
              cell, ours[0] / theirs[0], ours[1] / theirs[1]))
PYTHON
