#!/usr/bin/env bash
# Quality and cost of training on MovieLens-1M: leave one out, the official file (MODELS:
# git blob 9ab8e3ed...), the whole catalogue ranked, seen items excluded.
#
#     bench/quality.sh [-d FOLDER] [-e EDDY] [-w WORK] [-- OPTIONS OF eddy train]
#
# FOLDER holds ml-1m_sas.txt and ratings.csv (or .zst) with the two id maps; default
# $EDDY_DATA/ml-1m, else ../shared/data/ml-1m. The last event of every user is held out of
# training (--set holdout=1); lists come from `eddy recommend` on histories without it.
# HR@10 and NDCG@10 are computed twice: by `eddy eval`, and from LISTS by bench/ml1m.py.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${EDDY_DATA:-../shared/data}/ml-1m
eddy=build/release/eddy
work=
while getopts d:e:w: option; do
    case $option in
    d) folder=$OPTARG ;;
    e) eddy=$OPTARG ;;
    w) work=$OPTARG ;;
    *) sed -n '2,13p' "$0" >&2; exit 64 ;;
    esac
done
shift $((OPTIND - 1))
[ "${1:-}" != -- ] || shift
[ -d "$folder" ] || { echo "quality.sh: no folder $folder: give -d FOLDER" >&2; exit 66; }
[ -x "$eddy" ] || { echo "quality.sh: no program $eddy: build release, or give -e" >&2; exit 66; }
if [ -z "$work" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work"

echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) CPUs; commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
python3 bench/ml1m.py csv "$folder" "$work/all.csv"
# Histories without each user's last event: what recommend may see.
awk -F, 'NR > 1 && $1 == user { print line } { user = $1; line = $0 } NR == 1 { print }' \
    "$work/all.csv" > "$work/histories.csv"
"$eddy" train -i "$work/all.csv" -o "$work/model" --set holdout=1 --json "$@" > "$work/train.json"
"$eddy" recommend -m "$work/model" -i "$work/histories.csv" -k 10 --exclude-seen -o "$work/lists.tsv"
"$eddy" eval -m "$work/model" -i "$work/all.csv" --protocol loo --json > "$work/eval.json"
python3 bench/ml1m.py score "$folder" "$work/lists.tsv" > "$work/score.json"
python3 - "$work" <<'PYTHON'
import json, os, sys
work = sys.argv[1]
train, result, score = (json.load(open(os.path.join(work, name + ".json")))
                        for name in ("train", "eval", "score"))
print("training: %d epochs (best %d), %.1f CPU-s per epoch, %.0f s, %.0f GFLOP/s (%s), "
      "peak memory %.0f MiB" % (train["epochs"], train["best_epoch"],
      train["cpu_seconds_per_epoch"], train["seconds"], train["gflops"],
      train["blas_core"], train["peak_resident_mib"]))
print("validation (newest %d events): NDCG@10 %.4f HR@10 %.4f" % (
      train["validation_events"], train["validation_ndcg_at_10"],
      train["validation_hr_at_10"]))
for name in ("hr@10", "ndcg@10"):
    print("test %-8s eddy eval %.4f [%.4f, %.4f]   from LISTS %.4f" % (
          name.upper(), result[name]["mean"], result[name]["low"], result[name]["high"],
          score[name]))
if score["seen_in_lists"]:
    sys.exit("seen items in the lists")
PYTHON
