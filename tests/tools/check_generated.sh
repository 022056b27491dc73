#!/usr/bin/env bash
# Documents that are made from the option tables: deploy/eddy.yaml.example as a whole, and
# the reference between the marks in pipelines/README.md.
#
#   bash tests/tools/check_generated.sh EDDY            compares; exit 1 if one is behind
#   bash tests/tools/check_generated.sh EDDY --write    writes them anew
set -euo pipefail
eddy=$(realpath "$1")
write=${2:-}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
begin='<!-- begin: eddy run --print-reference -->'
end='<!-- end -->'

# A clean environment: EDDY_* variables must not show in documents.
env -i PATH="$PATH" "$eddy" run --print-example >"$folder/eddy.yaml.example"
env -i PATH="$PATH" "$eddy" run --print-reference >"$folder/reference"
grep -qxF "$begin" pipelines/README.md || {
    echo "pipelines/README.md: the line '$begin' is missing"
    exit 1
}
awk -v begin="$begin" -v end="$end" -v reference="$folder/reference" '
    $0 == begin { print; print ""; while ((getline line < reference) > 0) print line; skip = 1 }
    $0 == end { skip = 0 }
    !skip { print }
' pipelines/README.md >"$folder/README.md"

bad=0
for pair in eddy.yaml.example:deploy/eddy.yaml.example README.md:pipelines/README.md; do
    made=$folder/${pair%%:*} kept=${pair#*:}
    if [ "$write" = --write ]; then
        cmp -s "$made" "$kept" || cp "$made" "$kept"
    elif ! diff -u "$kept" "$made"; then
        echo "$kept is behind the option tables: bash tests/tools/check_generated.sh EDDY --write"
        bad=1
    fi
done
# The runbook's table of metrics is written by hand around the names and help texts of
# src/base/metric_table.h: every one of them has to be there, as it is there.
while IFS=$'\t' read -r name help; do
    grep -qF "| \`$name\` |" deploy/README.md && grep -qF "$help" deploy/README.md || {
        echo "deploy/README.md: metric $name is missing or described otherwise: $help"
        bad=1
    }
done < <(sed -n 's/^ *XX([A-Z_]*, *EDDY_[A-Z]*, *"\([^"]*\)", *".*", "\([^"]*\)").*$/\1\t\2/p' \
    src/base/metric_table.h | sort -u)
exit "$bad"
