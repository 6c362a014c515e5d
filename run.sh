#!/usr/bin/env bash
# Starts LocalCode. The first start makes .venv and installs what requirements.txt locks; every
# later one goes straight on. Everything after that is `python -m app serve`.
set -euo pipefail

usage() {
    cat <<'END'
Usage: ./run.sh [options]

  --host ADDRESS     where to listen               (LOCALCODE_HOST, 127.0.0.1)
  --port NUMBER      on which port                 (LOCALCODE_PORT, 4242)
  --config FILE      opencode.json or config.yaml  (LOCALCODE_CONFIG, opencode.json)
  --workers NUMBER   processes                     (LOCALCODE_WORKERS, 1)
  --log-level LEVEL  DEBUG, INFO, WARNING, ERROR   (LOCALCODE_LOG_LEVEL, INFO)
  --insecure         listen beyond this machine although no key is asked for
  --help             this text

Settings are also read from .env beside this script. Ctrl-C stops; SIGHUP reads the
configuration again.
END
}

# The folder of this script, also when it was called through a symbolic link.
own_folder() {
    local file=$1 link
    while [ -L "$file" ]; do
        link=$(readlink "$file")
        case $link in
            /*) file=$link ;;
            *) file=$(dirname "$file")/$link ;;
        esac
    done
    cd "$(dirname "$file")" && pwd -P
}

# A file as the caller names it, from wherever we go.
from_here() {
    case $1 in
        /*) echo "$1" ;;
        *) echo "$PWD/$1" ;;
    esac
}

for argument in "$@"; do
    shift
    case $argument in
        -h | --help) usage && exit ;;
        --config=*) argument=--config=$(from_here "${argument#--config=}") ;;
        *) [ "${previous:-}" != --config ] || argument=$(from_here "$argument") ;;
    esac
    previous=$argument
    set -- "$@" "$argument"
done
[ -z "${LOCALCODE_CONFIG:-}" ] || LOCALCODE_CONFIG=$(from_here "$LOCALCODE_CONFIG")

ROOT=$(own_folder "${BASH_SOURCE[0]}")
# shellcheck source=scripts/venv.sh
. "$ROOT/scripts/venv.sh"
ensure_venv requirements.txt

cd "$ROOT"
exec "$VENV/bin/python" -m app serve "$@"
