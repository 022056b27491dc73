#!/usr/bin/env bash
# Python check: pyflakes finds nothing (names that are not there, shadowed or unused).
#
#   bash tests/tools/check_python.sh [ROOT]      exit 1 if it does, 77 without the tool
set -euo pipefail
root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
cd "$root"

if ! python3 -m pyflakes --version >/dev/null 2>&1 && ! command -v pyflakes3 >/dev/null; then
    echo "python: no pyflakes here; apt-get install pyflakes3"
    exit 77
fi
tool=pyflakes3
command -v "$tool" >/dev/null || tool="python3 -m pyflakes"
folders=()
for folder in src tests bench deploy pipelines; do
    [ ! -d "$folder" ] || folders+=("$folder")
done
if ! find "${folders[@]}" -name '*.py' -print0 | xargs -0 -r $tool; then
    echo "python: see above"
    exit 1
fi
echo "python: nothing found by $tool"
