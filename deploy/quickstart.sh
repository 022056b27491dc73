#!/usr/bin/env bash
# From nothing to lists that follow clicks: install what is missing, build, run the demo.
#
#   bash deploy/quickstart.sh [ARGUMENTS OF eddy demo]
#
# Works as root and as a user with sudo; running it again is cheap. The binary it leaves is
# build/release/eddy.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/deploy/packages.sh"
. "$root/deploy/build.sh"

eddy_packages_install build run
eddy_build "$root" release eddy
exec "$root/build/release/eddy" demo "$@"
