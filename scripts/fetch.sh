#!/bin/sh
# What fetch_mnist.sh and fetch_weights.sh share: both read it, and it does nothing by itself.
# They set `directory`, where files go. What was begun is removed when the script ends, however it does.
script=${0##*/}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
directory=
temporary=
created=

# fail MESSAGE CODE
fail() {
    echo "$script: $1" >&2
    exit "$2"
}

# has_sum DIGITS: does the SHA-256 of what comes in begin with them?
has_sum() {
    case $(if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi) in
        "$1"*) ;;
        *) return 1 ;;
    esac
}

discard() {
    [ -z "$temporary" ] || rm -f "$temporary" "$temporary.zip"
}

# shellcheck disable=SC2317  # the trap calls it
finish() {
    discard
    # Leave no empty folder behind: it would look like a data set.
    [ -z "$created" ] || rmdir "$directory" 2>/dev/null || true
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Something to fetch with, and a folder to put it in.
begin() {
    command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || "$root/scripts/setup.sh" --fetch ||
        fail 'expected curl or wget, found neither; install one' 1
    [ -d "$directory" ] || created=yes
    mkdir -p "$directory" || fail "cannot make the folder $directory" 1
}

# download ADDRESS FILE SECONDS BYTES. The time is bounded thrice: to connect, without progress, and in all.
download() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --connect-timeout 5 --speed-limit 1000 --speed-time 10 --max-time "$3" \
            --max-filesize "$4" -o "$2" "$1"
    else
        bound=
        ! command -v timeout >/dev/null 2>&1 || bound="timeout $3"
        $bound wget -q -t 1 -T 5 -O "$2" "$1"
    fi
}

# take MIRROR FILE TARGET SECONDS BYTES CHECK...: fetches a mirror's file, and gives it its name where
# `CHECK... PATH` says that it is right.
take() {
    mirror=$1 file=$2 target=$3 seconds=$4 bytes=$5 why=
    shift 5
    temporary=$directory/.${target##*/}.$$
    if ! download "${mirror%/}/$file" "$temporary" "$seconds" "$bytes"; then
        why="no answer, or a broken one, for $file from $mirror"
    elif ! "$@" "$temporary"; then
        why="the $file of $mirror is truncated, corrupt or another file (SHA-256)"
    fi
    if [ -z "$why" ]; then
        mv -f "$temporary" "$target"
        return
    fi
    echo "$script: $why" >&2
    discard
    return 1
}
