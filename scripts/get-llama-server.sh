#!/usr/bin/env bash
# Prints the path of a llama-server; builds it first where it is missing (8 minutes on two cores).
#
#   scripts/get-llama-server.sh
#
# llama.cpp publishes no server through a package index, but the source package of
# llama-cpp-python holds its whole tree. The version and its hash are pinned: the tests rely
# on what this server does. Installs nothing outside of its cache folder.
#
#   LLAMA_SERVER_CACHE  the cache folder       (~/.cache/llama-server)
#   JOBS                parallel compilations  (one for each processor)
set -euo pipefail

VERSION=0.3.36
SHA256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
COMMIT=0c1e57098 # of llama.cpp, by that version's change log
LEVEL=-O2
CACHE=${LLAMA_SERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/llama-server}
BINARY=$CACHE/llama-server-$VERSION$LEVEL
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
PYTHON=${PYTHON:-python3}

# shellcheck source=scripts/lock.sh
. "$(dirname "${BASH_SOURCE[0]}")/lock.sh"

main() {
    if ! works; then
        check_tools
        mkdir -p "$CACHE"
        with_lock "$CACHE/.lock" build
    fi
    echo "$BINARY"
}

works() {
    [ -x "$BINARY" ] && "$BINARY" --version >/dev/null 2>&1
}

check_tools() {
    local missing=()
    command -v cmake >/dev/null || missing+=(cmake)
    command -v c++ >/dev/null || missing+=(g++)
    command -v ninja >/dev/null || command -v make >/dev/null || missing+=(make)
    "$PYTHON" -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
    [ ${#missing[@]} -eq 0 ] && return
    echo "get-llama-server: missing: ${missing[*]}" >&2
    echo "get-llama-server: Debian and Ubuntu: apt-get install ${missing[*]}; macOS: xcode-select --install, brew install cmake" >&2
    exit 1
}

build() {
    works && return # another run was faster
    local work generator=()
    rm -rf "$CACHE"/build.??????  # of runs that were killed
    work=$(mktemp -d "$CACHE/build.XXXXXX")
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$work'" EXIT
    echo "get-llama-server: building $BINARY with $JOBS jobs" >&2

    echo "llama-cpp-python==$VERSION --hash=sha256:$SHA256" >"$work/requirement.txt"
    "$PYTHON" -m pip download -qq --disable-pip-version-check --no-deps --no-binary llama-cpp-python \
        --require-hashes -d "$work" -r "$work/requirement.txt" >&2
    unpack "$work/llama_cpp_python-$VERSION.tar.gz" "$work/llama.cpp"
    ! command -v ninja >/dev/null || generator=(-G Ninja)
    cmake -S "$work/llama.cpp" -B "$work/b" ${generator[@]+"${generator[@]}"} -Wno-dev \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
        -DCMAKE_C_FLAGS_RELEASE="$LEVEL -DNDEBUG" -DCMAKE_CXX_FLAGS_RELEASE="$LEVEL -DNDEBUG" \
        -DLLAMA_BUILD_NUMBER=0 -DLLAMA_BUILD_COMMIT=$COMMIT \
        -DLLAMA_BUILD_SERVER=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
        -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_ALL_WARNINGS=OFF \
        -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DGGML_CCACHE=OFF -DGGML_METAL=OFF >&2
    nice cmake --build "$work/b" --target llama-server -j "$JOBS" >&2
    strip "$work/b/bin/llama-server"
    "$work/b/bin/llama-server" --version >&2
    mv "$work/b/bin/llama-server" "$BINARY"
}

# unpack ARCHIVE FOLDER: what the build reads, the part of it that is read. In Python, for tar is not the same everywhere.
unpack() {
    "$PYTHON" - "$1" "$2" <<'END'
import sys, tarfile

archive, folder = sys.argv[1:]
with tarfile.open(archive) as tar:
    for member in tar:
        path = member.name.partition("/vendor/llama.cpp/")[2]
        unused = path.startswith(("docs/", "benches/", "examples/", "tests/")) or path.endswith(".gguf")
        if member.isfile() and path and not unused:
            member.name = path
            tar.extract(member, folder)
END
}

main
