# shellcheck shell=bash
# Sourced by the scripts that fill a folder which several runs may want at once.

# with_lock FILE COMMAND... runs COMMAND while no other process holds FILE.
#
# flock(1) does not exist on macOS and a lock made of mkdir outlives a killed process. The
# lock of a file descriptor belongs to whoever has it open: Python takes it, this subshell
# keeps it, and the kernel gives it back however the subshell ends.
with_lock() {
    local file=$1
    shift
    (
        set -e
        "${PYTHON:-python3}" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
        "$@"
    ) 9>>"$file"
}
