#!/bin/sh
# Fetches MNIST's four files: fetch_mnist.sh [DIR]   (data/mnist of this repository without DIR)
# Takes them from the mirrors in turn, checks the SHA-256 of what is inside, and gives a file its
# name only when it is right. Files that are already right are left alone.
# Where neither curl nor wget is there, setup.sh --fetch installs what is missing.
# CNN_CL_MNIST_MIRRORS: base addresses to use instead, separated by blanks.
set -eu
# shellcheck source-path=SCRIPTDIR source=fetch.sh
. "$(dirname -- "$0")/fetch.sh"

names='train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte'
mirrors=${CNN_CL_MNIST_MIRRORS:-https://ossci-datasets.s3.amazonaws.com/mnist/ https://storage.googleapis.com/cvdf-datasets/mnist/}

[ $# -le 1 ] || fail "expected one folder, found $# arguments" 2
directory=${1:-$root/data/mnist}

# Of the decompressed files.
expected_sum() {
    case $1 in
        train-images-idx3-ubyte) echo ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db ;;
        train-labels-idx1-ubyte) echo 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 ;;
        t10k-images-idx3-ubyte) echo 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 ;;
        t10k-labels-idx1-ubyte) echo ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 ;;
    esac
}

# is_right NAME FILE.gz: a complete gzip file with the bytes of NAME.
# (A word behind what gzip could not read to its end spoils the sum.)
is_right() {
    [ -f "$2" ] && { gzip -dc <"$2" 2>/dev/null || echo broken; } | has_sum "$(expected_sum "$1")"
}

# A file that was unpacked by hand counts too: cnn-cl reads it before the packed one.
missing_files() {
    for name in $names; do
        if [ -f "$directory/$name" ]; then
            has_sum "$(expected_sum "$name")" <"$directory/$name" && continue
            fail "$directory/$name is there but is not MNIST's; move it away" 1
        fi
        is_right "$name" "$directory/$name.gz" || printf '%s ' "$name"
    done
}

# Takes the missing files from one mirror; stops at the first that is not right.
fetch_from() {
    echo "Fetching MNIST from $1" >&2
    for name in $missing; do
        take "$1" "$name.gz" "$directory/$name.gz" 300 50000000 is_right "$name" || return 1
    done
}

missing=$(missing_files) || exit 1
if [ -z "$missing" ]; then
    echo "MNIST is already in $directory."
    exit 0
fi

begin
for mirror in $mirrors; do
    if fetch_from "$mirror"; then
        echo "MNIST is in $directory."
        exit 0
    fi
    missing=$(missing_files)
done
fail "MNIST is not complete: no mirror gave $missing- tried: $mirrors; see the network, or set CNN_CL_MNIST_MIRRORS" 1
