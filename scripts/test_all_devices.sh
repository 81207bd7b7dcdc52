#!/bin/sh
# The tests that need a device, on every OpenCL device of this machine:
#   test_all_devices.sh [options of test_all_devices.py]
# Prints a matrix, exits with 1 where a test failed; --help lists the options. BUILD_DIR is the
# build folder, build/ without it.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build}

case " $* " in
    *' --help '* | *' -h '*) exec python3 "$root/scripts/test_all_devices.py" --help ;;
esac
"$root/scripts/setup.sh" --tests
"$root/scripts/build.sh" --tests "$build"
exec python3 "$root/scripts/test_all_devices.py" --build "$build" "$@"
