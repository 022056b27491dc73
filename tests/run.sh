#!/usr/bin/env bash
# Every test of eddy, from nothing: installs what tests need, builds, runs all with ctest.
#
#   bash tests/run.sh [--long] [ARGUMENTS OF ctest]
#
# Three builds: release (what ships; all tiers), asan and tsan (the tiers that run C code in
# the test's own process). One ctest run over the three, so that its closing line counts
# everything. --long adds the long programme of the end-to-end tests, the tier quality, and the
# tier mpi (a fourth build, with Debian's Open MPI). For example
#
#   bash tests/run.sh -L unit            one tier
#   bash tests/run.sh -R e2e.exact       one test (and EDDY_SEED=7 for other fault times)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/deploy/packages.sh"
. "$root/deploy/build.sh"

if [ "${1:-}" = --long ]; then
    export EDDY_LONG=1
    shift
fi
case "${1:-}" in
-h | --help)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac

eddy_packages_install build run test
bash "$root/tests/e2e/kafka/fetch.sh" >/dev/null

presets="release asan tsan"
if [ "${EDDY_LONG:-}" = 1 ]; then
    eddy_packages_install mpi
    presets="$presets mpi"
fi
for preset in $presets; do
    eddy_build "$root" "$preset"
done

# A test folder of the three builds' test folders: ctest reads it like any other.
all=$root/build/all
mkdir -p "$all"
for preset in $presets; do
    printf 'subdirs("%s")\n' "$root/build/$preset"
done >"$all/CTestTestfile.cmake"

exec ctest --test-dir "$all" --output-on-failure --no-tests=error \
    --parallel "$(nproc)" "$@"
