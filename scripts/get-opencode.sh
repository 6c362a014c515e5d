#!/usr/bin/env bash
# Prints the path of the OpenCode command that the tests use; installs it first where it is missing.
#
#   scripts/get-opencode.sh
#
# The version is pinned: the tests rely on what this one sends and accepts. It goes into a
# folder of its own below ~/.cache/localcode, never into the system.
set -euo pipefail

VERSION=1.18.33
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/localcode
HOME_OF_IT=$CACHE/opencode-$VERSION
COMMAND=$HOME_OF_IT/node_modules/.bin/opencode

# shellcheck source=scripts/lock.sh
. "$(dirname "${BASH_SOURCE[0]}")/lock.sh"

need() {
    command -v "$1" >/dev/null 2>&1 && return
    echo "get-opencode: '$1' is missing. Debian and Ubuntu: apt-get install $2; macOS: brew install $3" >&2
    exit 1
}

install_it() {
    [ -x "$COMMAND" ] && return               # another run was faster
    local fresh
    rm -rf "$CACHE"/opencode-new.??????  # of runs that were killed
    fresh=$(mktemp -d "$CACHE/opencode-new.XXXXXX")
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$fresh'" EXIT
    echo "get-opencode: installing opencode-ai $VERSION into $HOME_OF_IT" >&2
    echo '{"private": true}' >"$fresh/package.json"
    npm install --prefix "$fresh" --no-audit --no-fund --loglevel=error "opencode-ai@$VERSION" >&2
    # Seen to work before it is given its final name: a folder of that name is a whole one.
    [ "$(version_of "$fresh")" = "$VERSION" ] || {
        echo "get-opencode: the installed command does not say that it is $VERSION" >&2
        exit 1
    }
    rm -rf "${fresh:?}/home" "$HOME_OF_IT"
    mv "$fresh" "$HOME_OF_IT"
}

# With a home of its own, for it makes folders there whatever it is asked.
version_of() {
    mkdir "$1/home"
    env -u XDG_CACHE_HOME -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u XDG_STATE_HOME HOME="$1/home" \
        OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1 \
        "$1/node_modules/.bin/opencode" --version </dev/null
}

if [ ! -x "$COMMAND" ]; then
    need node nodejs node
    need npm npm node
    mkdir -p "$CACHE"
    with_lock "$CACHE/.opencode.lock" install_it
fi
echo "$COMMAND"
