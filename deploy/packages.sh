#!/usr/bin/env bash
# The Debian packages that eddy needs: one list for building, running and testing it.
#
#   bash deploy/packages.sh build run          install what is missing of these groups
#   bash deploy/packages.sh --list test        print the names, one a line
#
# Other scripts source this file and call eddy_packages_install. Nothing is asked of the
# network while every package is there.

eddy_packages_build="cmake ninja-build gcc g++ pkg-config
  librdkafka-dev libuv1-dev libmsgpack-dev libhiredis-dev libopenblas-pthread-dev
  libmicrohttpd-dev libyaml-dev libjansson-dev libsimdjson-dev nettle-dev"

# eddy demo starts a redis-server of its own.
eddy_packages_run="redis-server"

# Training by several processes: cmake --preset mpi.
eddy_packages_mpi="libopenmpi-dev openmpi-bin"

# Java and Maven: the Kafka broker of the end-to-end tests is fetched as jars. boto3: the AWS
# client that they use.
eddy_packages_test="python3 pyflakes3 zstd clang-format openjdk-17-jre-headless maven
  python3-boto3"

# Names of the packages of the groups given, one a line. 64: no such group.
eddy_packages_list() {
    local group
    for group in "$@"; do
        case "$group" in
        build) printf '%s\n' $eddy_packages_build ;;
        run) printf '%s\n' $eddy_packages_run ;;
        mpi) printf '%s\n' $eddy_packages_mpi ;;
        test) printf '%s\n' $eddy_packages_test ;;
        *)
            echo "packages: no group '$group' (build, run, mpi, test)" >&2
            return 64
            ;;
        esac
    done
}

# Those of the names given that dpkg does not have installed, one a line.
eddy_packages_missing() {
    local name status
    for name in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)
        [ "$status" = installed ] || echo "$name"
    done
}

# Install what is missing of the groups given: as root, or through sudo. Says in one line
# what to do where neither works. Returns 0, or 69 when packages stay missing.
eddy_packages_install() {
    local names missing log sudo=()
    names=$(eddy_packages_list "$@") || return
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "packages: not a Debian system; going on with what is here (needed:" \
            "$(echo $names))" >&2
        return 0
    fi
    missing=$(eddy_packages_missing $names)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null ||
            { [ -t 0 ] && sudo true; }; }; then
            echo "packages: missing and neither root nor sudo; ask an administrator for:" \
                "apt-get install $(echo $missing)" >&2
            return 69
        fi
        sudo=(sudo)
    fi
    echo "packages: installing $(echo $missing)"
    log=$(mktemp)
    # env behind sudo: sudo drops the variables of its caller.
    if ! { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y \
            --no-install-recommends -o DPkg::Lock::Timeout=300 $missing; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        echo "packages: apt-get could not install $(echo $missing) (its last lines are" \
            "above)" >&2
        return 69
    fi
    rm -f "$log"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    if [ $# = 0 ]; then
        echo "usage: bash deploy/packages.sh [--list] build|run|mpi|test..." >&2
        exit 64
    fi
    if [ "$1" = --list ]; then
        shift
        eddy_packages_list "$@"
    else
        eddy_packages_install "$@"
    fi
fi
