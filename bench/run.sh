#!/usr/bin/env bash
# Measures this gateway beside LiteLLM Proxy, nginx and no proxy, and writes the tables of
# bench/README.md. `bench/run.sh --help` names the other runs.
#
# The gateway runs in the project's own .venv; LiteLLM Proxy (700 MB) gets an environment in
# LOCALCODE_BENCH_CACHE, ~/.cache/localcode/bench by default. nginx comes from the system.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$ROOT"
# shellcheck source=scripts/venv.sh
. scripts/venv.sh
export LOCALCODE_BENCH_CACHE=${LOCALCODE_BENCH_CACHE:-$HOME/.cache/localcode/bench}
PY_SPY=py-spy==0.4.3

main() {
    mkdir -p "$LOCALCODE_BENCH_CACHE"
    ensure_venv requirements.txt
    case " $* " in
        *" -h "* | *" --help "*) ;;
        *" --profile"*) with_lock "$LOCALCODE_BENCH_CACHE/lock" ensure_profiler ;;
        *" --worker-classes "* | *" --dialects "*) with_lock "$LOCALCODE_BENCH_CACHE/lock" ensure_litellm ;;
        *" --start "* | *" --soak "* | *" --many "* | *" --count "*) ;;
        *) with_lock "$LOCALCODE_BENCH_CACHE/lock" ensure_litellm ;;
    esac
    exec "$VENV/bin/python" -m bench "$@"
}

# Another version, another lock file: another environment.
ensure_litellm() {
    local place=$LOCALCODE_BENCH_CACHE/litellm lock=bench/requirements-litellm.txt
    ! cmp -s "$lock" "$place/installed.txt" || return 0
    say "installing LiteLLM Proxy into $place (some minutes, 700 MB)"
    "$VENV/bin/python" -m venv --clear "$place"
    # The lock is whole. Were dependencies looked for, pip would want the newest of those that are
    # asked for with an extra, pydantic[email], and stumble over its missing hash.
    "$place/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes -r "$lock" >&2
    cp "$lock" "$place/installed.txt"
}

ensure_profiler() {
    local place=$LOCALCODE_BENCH_CACHE/profiler
    [ "$(cat "$place/installed.txt" 2>/dev/null)" != "$PY_SPY" ] || return 0
    "$VENV/bin/python" -m venv --clear "$place"
    "$place/bin/python" -m pip install -qq --disable-pip-version-check --no-input "$PY_SPY" >&2
    echo "$PY_SPY" >"$place/installed.txt"
}

main "$@"
