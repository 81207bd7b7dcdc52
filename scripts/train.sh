#!/bin/sh
# From a fresh machine to a trained network: train.sh [options of cnn-cl train]
# Installs what is missing, builds, fetches MNIST, trains on the best OpenCL device (or --device,
# or CNN_CL_DEVICE). The run's folder, runs/NAME, is made below the working directory.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

"$root/scripts/setup.sh"
"$root/scripts/build.sh" "$root/build" src/cli/cnn-cl

# True where a folder has the four files, in any spelling that cnn-cl reads.
is_complete() {
    for name in train-images t10k-images train-labels t10k-labels; do
        set -- "$1" "$1/$name"[-.]idx[134]-ubyte "$1/$name"[-.]idx[134]-ubyte.gz
        found=
        for file; do
            [ ! -f "$file" ] || found=yes
        done
        [ -n "$found" ] || return 1
    done
}

# Prints the folder to train on, or nothing where cnn-cl finds it by itself.
find_data() {
    for argument; do
        case $argument in
            # getopt_long takes abbreviations, too.
            --da | --dat | --data | --da=* | --dat=* | --data=* | -h | --help) return 0 ;;
        esac
    done
    [ -z "${CNN_CL_DATA-}" ] || return 0
    ! is_complete data/mnist || return 0
    if is_complete "$root/data/mnist" || "$root/scripts/fetch_mnist.sh" "$root/data/mnist" >&2; then
        echo "$root/data/mnist"
        return
    fi
    echo "train.sh: MNIST could not be fetched; training on Fashion-MNIST (Debian's dataset-fashion-mnist) instead: clothes, not digits, and lower accuracies" >&2
    if ! "$root/scripts/setup.sh" --fashion-mnist; then
        echo "train.sh: no data; put MNIST's four files into $root/data/mnist, or give --data DIR" >&2
        return 1
    fi
    echo /usr/share/datasets/fashion-mnist
}

data=$(find_data "$@")
[ -z "$data" ] || set -- --data "$data" "$@"
exec "$root/build/src/cli/cnn-cl" --device "${CNN_CL_DEVICE:-0}" train "$@"
