# shellcheck shell=bash
# Sourced by run.sh and quick_test.sh: the virtual environment, made and kept as the lock files say.

# shellcheck source=scripts/lock.sh
. "$ROOT/scripts/lock.sh"

VENV=$ROOT/.venv

# ensure_venv LOCKFILE... installs what is locked; takes milliseconds when nothing has changed.
#
# A copy of each lock file stays below lib/pythonX.Y once all of it is installed, so another
# lock file or another Python is noticed. An installation that was interrupted is made anew.
ensure_venv() {
    all_installed "$@" && return
    PYTHON=$(find_python)
    export PYTHON
    with_lock "$ROOT/.venv.lock" install_all "$@"
}

all_installed() {
    local copies name
    copies=$(copies_folder)
    for name in "$@"; do
        cmp -s "$ROOT/$name" "$copies/$name" || return
    done
    [ ! -e "$VENV/interrupted" ]
}

# Asks the environment's Python only for its version, which is fast.
copies_folder() {
    local version
    version=$("$VENV/bin/python" -V 2>/dev/null || true)
    version=${version#Python }
    echo "$VENV/lib/python${version%.*}"
}

install_all() {
    local name
    if [ ! -e "$(copies_folder)/$1" ] || [ -e "$VENV/interrupted" ]; then
        make_venv
    fi
    for name in "$@"; do
        all_installed "$name" || install "$name"
    done
}

make_venv() {
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || fail_without_ensurepip
    say "making .venv with $("$PYTHON" -V)"
    "$PYTHON" -m venv --clear "$VENV"
}

install() {
    say "installing $1 (up to a minute or two)"
    touch "$VENV/interrupted"
    "$VENV/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes -r "$ROOT/$1" >&2
    cp "$ROOT/$1" "$(copies_folder)/$1"
    rm "$VENV/interrupted"
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    fail "no Python 3.11 or later was found (python3 is $(python3 -V 2>&1 || true))." \
        "Debian and Ubuntu: apt-get install python3 python3-venv; macOS: brew install python"
}

fail_without_ensurepip() {
    local version
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "$PYTHON cannot make virtual environments: its venv module is not installed." \
        "Debian and Ubuntu: apt-get install python$version-venv"
}

say() { echo "$(basename "$0"): $*" >&2; }

fail() {
    local line
    for line in "$@"; do say "$line"; done
    exit 1
}
