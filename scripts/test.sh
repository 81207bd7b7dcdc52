#!/bin/sh
# Installs what the tests need, builds, runs every test: test.sh [options of meson test]
# BUILD_DIR is the build folder, build/ without it. The last line counts the single tests.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build}

"$root/scripts/setup.sh" --tests
"$root/scripts/build.sh" --tests "$build"

# An old log must not be counted as this run's.
rm -f "$build"/meson-logs/testlog*.json
status=0
# One more than there are processors, as some tests mostly wait; the others take longer then.
meson test -C "$build" --no-rebuild --print-errorlogs --num-processes=$(($(nproc) + 1)) --timeout-multiplier=2 "$@" || status=$?
python3 "$root/scripts/count_tests.py" "$build"/meson-logs/testlog*.json || status=1
exit "$status"
