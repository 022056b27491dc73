#!/usr/bin/env bash
# Style check of what a compiler does not see:
#   - functions that are banned, and why (table below); exit() outside app
#   - functions over 70 lines (src), files over 800 lines (over 600: a remark)
#   - // comments and TODO, FIXME, XXX: debugging leftovers and debts are not committed
#   - every header begins with its layer, every function in it stands below a contract
#   - shell scripts parse, nothing tracked is an editor's back-up
#
#   bash tests/tools/check_style.sh [ROOT]       prints FILE:LINE: what; exit 1 if any
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${1:-$(cd "$here/../.." && pwd)}
cd "$root"

folders=()
for folder in include src tests bench; do
    [ ! -d "$folder" ] || folders+=("$folder")
done
bad=0

mapfile -t sources < <(find "${folders[@]}" -name '*.[ch]' -o -name '*.cc' | LC_ALL=C sort)
if [ ${#sources[@]} -gt 0 ]; then
    awk -f "$here/style.awk" "${sources[@]}" || bad=1
fi
while IFS= read -r script; do
    bash -n "$script" || bad=1
done < <(find . -path ./build -prune -o -name '*.sh' -print)

[ "$bad" = 0 ] && echo "style: ${#sources[@]} files"
exit "$bad"
