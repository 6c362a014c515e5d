# shellcheck shell=bash
# Sourced by the scripts that get a client's command from npm, at the version that the tests rely on:
# they know what this one sends and accepts.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/localcode

# shellcheck source=scripts/lock.sh
. "$(dirname "${BASH_SOURCE[0]}")/lock.sh"

# npm_command COMMAND PACKAGE VERSION [VARIABLE=VALUE...]
#
# Prints the path of the command; installs the package first where it is missing, into a folder
# of its own below ~/.cache/localcode, never into the system. The variables keep the command from
# looking for anything when it is asked for its version.
npm_command() {
    COMMAND=$1 PACKAGE=$2 VERSION=$3
    HOME_OF_IT=$CACHE/$COMMAND-$VERSION
    shift 3
    if [ ! -x "$(command_in "$HOME_OF_IT")" ]; then
        need node nodejs node
        need npm npm node
        mkdir -p "$CACHE"
        with_lock "$CACHE/.$COMMAND.lock" install_it "$@"
    fi
    command_in "$HOME_OF_IT"
}

command_in() { echo "$1/node_modules/.bin/$COMMAND"; }

need() {
    command -v "$1" >/dev/null 2>&1 && return
    echo "get-$COMMAND: '$1' is missing. Debian and Ubuntu: apt-get install $2; macOS: brew install $3" >&2
    exit 1
}

install_it() {
    [ -x "$(command_in "$HOME_OF_IT")" ] && return  # another run was faster
    local fresh
    rm -rf "$CACHE/$COMMAND"-new.??????  # of runs that were killed
    fresh=$(mktemp -d "$CACHE/$COMMAND-new.XXXXXX")
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$fresh'" EXIT
    echo "get-$COMMAND: installing $PACKAGE $VERSION into $HOME_OF_IT" >&2
    echo '{"private": true}' >"$fresh/package.json"
    npm install --prefix "$fresh" --no-audit --no-fund --loglevel=error "$PACKAGE@$VERSION" >&2
    # Seen to work before it is given its final name: a folder of that name is a whole one.
    case " $(version_of "$fresh" "$@") " in
        *" $VERSION "*) ;;
        *)
            echo "get-$COMMAND: the installed command does not say that it is $VERSION" >&2
            exit 1
            ;;
    esac
    rm -rf "${fresh:?}/home" "$HOME_OF_IT"
    mv "$fresh" "$HOME_OF_IT"
}

# With a home of its own, for some make folders there whatever they are asked.
version_of() {
    local folder=$1
    shift
    mkdir "$folder/home"
    env -u XDG_CACHE_HOME -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u XDG_STATE_HOME HOME="$folder/home" "$@" \
        "$(command_in "$folder")" --version </dev/null
}
