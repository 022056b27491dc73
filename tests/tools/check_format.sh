#!/usr/bin/env bash
# Format check: every C and C++ file is as clang-format (14 or newer) would write it.
#
#   bash tests/tools/check_format.sh [ROOT]      exit 1 if any differs, 77 without the tool
set -euo pipefail
root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
cd "$root"

tool=
for name in clang-format-14 clang-format; do
    if command -v "$name" >/dev/null; then
        tool=$name
        break
    fi
done
if [ -z "$tool" ]; then
    echo "format: no clang-format here; apt-get install clang-format"
    exit 77
fi
folders=()
for folder in include src tests bench; do
    [ ! -d "$folder" ] || folders+=("$folder")
done
differ=$(find "${folders[@]}" \( -name '*.[ch]' -o -name '*.cc' \) -print0 |
    xargs -0 -r "$tool" --dry-run --style=file 2>&1 |
    sed -n 's/^\([^ :]*\):[0-9]*:[0-9]*: warning: .*/\1/p' | LC_ALL=C sort -u)
if [ -n "$differ" ]; then
    echo "$differ"
    echo "format: not as $tool writes them: $tool -i on the files above"
    exit 1
fi
echo "format: all files as $tool writes them"
