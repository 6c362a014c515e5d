#!/usr/bin/env bash
# Makes requirements*.txt anew from requirements*.in: exact versions with hashes, for Python 3.11
# and later on Linux and macOS.
#
#   scripts/relock.sh            keeps what is locked already, as far as it fits
#   scripts/relock.sh --upgrade  takes the newest of everything that is not pinned
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=.venv/bin/uv
[ -x "$uv" ] || uv=uv
for name in requirements requirements-dev requirements-llama; do
    "$uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 \
        --custom-compile-command scripts/relock.sh "$@" "$name.in" -o "$name.txt"
done
