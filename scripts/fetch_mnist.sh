#!/bin/sh
# Fetches MNIST's four files: fetch_mnist.sh [DIR]   (data/mnist of this repository without DIR)
# Takes them from the mirrors in turn, checks the SHA-256 of what is inside, and gives a file its
# name only when it is right. Files that are already right are left alone.
# Where neither curl nor wget is there, setup.sh --fetch installs what is missing.
# CNN_CL_MNIST_MIRRORS: base addresses to use instead, separated by blanks.
set -eu

names='train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte'
mirrors=${CNN_CL_MNIST_MIRRORS:-https://ossci-datasets.s3.amazonaws.com/mnist/ https://storage.googleapis.com/cvdf-datasets/mnist/}

if [ $# -gt 1 ]; then
    echo "fetch_mnist.sh: expected one folder, found $# arguments" >&2
    exit 2
fi
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
directory=${1:-$root/data/mnist}
temporary=
created=

# Of the decompressed files.
expected_sum() {
    case $1 in
        train-images-idx3-ubyte) echo ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db ;;
        train-labels-idx1-ubyte) echo 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 ;;
        t10k-images-idx3-ubyte) echo 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 ;;
        t10k-labels-idx1-ubyte) echo ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 ;;
    esac
}

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum
    else
        shasum -a 256
    fi | cut -d ' ' -f 1
}

# is_right FILE.gz NAME: a complete gzip file with the bytes of NAME.
# (A word behind what gzip could not read to its end spoils the sum.)
is_right() {
    [ -f "$1" ] &&
        [ "$({ gzip -dc <"$1" 2>/dev/null || echo broken; } | sha256)" = "$(expected_sum "$2")" ]
}

# The time is bounded thrice: to connect, without progress, and in all.
download() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --connect-timeout 5 --speed-limit 1000 --speed-time 10 --max-time 300 \
            --max-filesize 50000000 -o "$2" "$1"
    else
        bound=
        ! command -v timeout >/dev/null 2>&1 || bound='timeout 300'
        $bound wget -q -t 1 -T 5 -O "$2" "$1"
    fi
}

# shellcheck disable=SC2317  # the trap calls it
finish() {
    [ -z "$temporary" ] || rm -f "$temporary"
    # Leave no empty folder behind: it would look like a data set.
    [ -z "$created" ] || rmdir "$directory" 2>/dev/null || true
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A file that was unpacked by hand counts too: cnn-cl reads it before the packed one.
missing_files() {
    for name in $names; do
        if [ -f "$directory/$name" ]; then
            [ "$(sha256 <"$directory/$name")" = "$(expected_sum "$name")" ] && continue
            echo "fetch_mnist.sh: $directory/$name is there but is not MNIST's; move it away" >&2
            return 1
        fi
        is_right "$directory/$name.gz" "$name" || printf '%s ' "$name"
    done
}

# Takes the missing files from one mirror; stops at the first that is not right.
fetch_from() {
    echo "Fetching MNIST from $1" >&2
    for name in $missing; do
        temporary=$directory/.$name.$$
        if ! download "${1%/}/$name.gz" "$temporary"; then
            echo "fetch_mnist.sh: no answer, or a broken one, for $name.gz from $1" >&2
            return 1
        fi
        if ! is_right "$temporary" "$name"; then
            echo "fetch_mnist.sh: the $name.gz of $1 is truncated, corrupt or another file (SHA-256)" >&2
            return 1
        fi
        mv -f "$temporary" "$directory/$name.gz" || return 1
    done
}

missing=$(missing_files) || exit 1
if [ -z "$missing" ]; then
    echo "MNIST is already in $directory."
    exit 0
fi

command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || "$root/scripts/setup.sh" --fetch || {
    echo 'fetch_mnist.sh: expected curl or wget, found neither; install one' >&2
    exit 1
}
[ -d "$directory" ] || created=yes
if ! mkdir -p "$directory"; then
    echo "fetch_mnist.sh: cannot make the folder $directory" >&2
    exit 1
fi
for mirror in $mirrors; do
    if fetch_from "$mirror"; then
        echo "MNIST is in $directory."
        exit 0
    fi
    rm -f "$temporary"
    missing=$(missing_files)
done
echo "fetch_mnist.sh: MNIST is not complete: no mirror gave $missing- tried: $mirrors; see the network, or set CNN_CL_MNIST_MIRRORS" >&2
exit 1
