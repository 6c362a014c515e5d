#!/usr/bin/env bash
# Installs the system packages that ./quick_test.sh --full needs, where it can: as root on
# Debian and Ubuntu. Elsewhere it names what is missing and fails.
#
#   scripts/install-packages.sh
set -euo pipefail

missing=()
# need COMMAND PACKAGE...
need() {
    local command=$1
    shift
    command -v "$command" >/dev/null || missing+=("$@")
}

need python3 python3 python3-venv
need curl curl
need node nodejs
need npm npm
need cmake cmake
need c++ g++
need redis-server redis-server
command -v make >/dev/null || need ninja ninja-build
! command -v python3 >/dev/null || python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -eq 0 ]; then
    exit
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing packages (by their names in Debian): ${missing[*]}" >&2
    exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends ca-certificates "${missing[@]}" >/dev/null
