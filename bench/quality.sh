#!/usr/bin/env bash
# The quality table by one command: bench/quality.sh --help explains (bench/quality.py).
set -euo pipefail
exec python3 "$(dirname "$0")/quality.py" "$@"
