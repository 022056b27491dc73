#!/usr/bin/env bash
# Python check: pyflakes finds nothing (names that are not there, shadowed or unused).
#
#   bash tests/tools/check_python.sh [ROOT]      exit 1 if it does, 77 without the tool
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

if ! command -v pyflakes3 >/dev/null; then
    echo "python: no pyflakes here; apt-get install pyflakes3"
    exit 77
fi
folders=()
for folder in src tests bench deploy pipelines; do
    [ ! -d "$folder" ] || folders+=("$folder")
done
if ! find "${folders[@]}" -name '*.py' -print0 | xargs -0 -r pyflakes3; then
    echo "python: see above"
    exit 1
fi
echo "python: nothing found by pyflakes3"
