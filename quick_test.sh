#!/usr/bin/env bash
# The one test command.
#
#   ./quick_test.sh          format, lint, types, tests, then a gateway asked with curl; no network, five minutes
#   ./quick_test.sh --full   also the real OpenCode, Claude Code, Codex and llama-server; installs what it needs
#   ./quick_test.sh URL      only asks the gateway that runs there (LOCALCODE_API_KEY: the key to ask with)
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$ROOT"
# shellcheck source=scripts/venv.sh
. scripts/venv.sh

if [ -t 1 ]; then
    BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
    BOLD='' RED='' GREEN='' PLAIN=''
fi
WORK=$(mktemp -d)
GATEWAY=
BUILD=

main() {
    trap clean_up EXIT
    case ${1:-} in
        "") quick ;;
        --full) full ;;
        http://* | https://*) step "asking $1" scripts/ask-with-curl.sh "$1" ;;
        *) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 2 ;;
    esac
    echo "${GREEN}All is well.$PLAIN"
}

quick() {
    step "virtual environment" ensure_venv requirements.txt requirements-dev.txt
    checks
    step "tests" .venv/bin/python -m pytest -n auto
    step "a gateway, asked with curl" ask_a_fresh_gateway
}

full() {
    step "system packages" scripts/install-packages.sh
    step "virtual environment" ensure_venv requirements.txt requirements-dev.txt requirements-llama.txt
    build_in_background
    checks
    step "OpenCode" scripts/get-opencode.sh
    step "Claude Code" scripts/get-claude.sh
    step "Codex" scripts/get-codex.sh
    step "llama-server" wait_for_build
    step "tests" .venv/bin/python -m pytest -n auto -m "full or not full"
    step "a gateway, asked with curl" ask_a_fresh_gateway
}

checks() {
    step "format" .venv/bin/ruff format --check --output-format concise
    step "lint" .venv/bin/ruff check --output-format concise
    step "types" .venv/bin/mypy
}

# step WHAT COMMAND... in the open, and the end of everything when it fails.
step() {
    local what=$1 began=$SECONDS
    shift
    echo "$BOLD== $what$PLAIN"
    # Not as a condition: that would switch `set -e` off inside of it.
    FAILED="${RED}== $what failed$PLAIN"
    "$@"
    FAILED=
    echo "   $((SECONDS - began)) s"
}

# The server takes minutes to compile where it is not in the cache yet: meanwhile, lint.
build_in_background() {
    PYTHON=$ROOT/.venv/bin/python scripts/get-llama-server.sh >"$WORK/llama.log" 2>&1 &
    BUILD=$!
}

wait_for_build() {
    local status=0
    wait "$BUILD" || status=$?
    BUILD=
    tail -n 20 "$WORK/llama.log"
    return "$status"
}

# The shipped configuration, no keys, nothing of the caller's.
ask_a_fresh_gateway() {
    local port
    port=$(.venv/bin/python -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    env -i PATH="$PATH" HOME="$WORK" LOCALCODE_HOST=127.0.0.1 LOCALCODE_API_KEYS= LOCALCODE_CONFIG=opencode.json \
        ./run.sh --port "$port" >"$WORK/gateway.log" 2>&1 &
    GATEWAY=$!
    wait_until_healthy "http://127.0.0.1:$port"
    scripts/ask-with-curl.sh "http://127.0.0.1:$port" || show_log
    kill -INT "$GATEWAY"
    wait "$GATEWAY"
    GATEWAY=
}

wait_until_healthy() {
    local try
    for try in $(seq 150); do
        curl -fs -o "$WORK/health" "$1/health" && return
        kill -0 "$GATEWAY" 2>/dev/null || break
        sleep 0.2
    done
    echo "The gateway did not become healthy (asked $try times)."
    show_log
}

show_log() {
    echo "--- its log"
    tail -n 60 "$WORK/gateway.log"
    exit 1
}

clean_up() {
    local status=$?
    [ -z "$GATEWAY" ] || kill "$GATEWAY" 2>/dev/null || true
    [ -z "$BUILD" ] || kill "$BUILD" 2>/dev/null || true
    rm -rf "$WORK"
    [ "$status" -eq 0 ] || echo "${FAILED:-}" >&2
    exit "$status"
}

main "$@"
