#!/bin/sh
# Builds the tests that need no device with AddressSanitizer and UndefinedBehaviorSanitizer in a
# build folder of their own, and runs them: sanitize.sh SOURCE BUILD
set -eu
source=$1
build=$2

# Warnings are the plain build's business: the sanitizers' instrumentation causes false ones.
if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" "$source" -Db_sanitize=address,undefined -Db_lundef=false \
        -Dbuildtype=debug -Doptimization=1 -Dwerror=false >/dev/null
fi
ninja -C "$build" host-tests
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1
export LSAN_OPTIONS=suppressions=$source/tests/lsan.supp:print_suppressions=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
exec meson test -C "$build" --no-rebuild --suite host --print-errorlogs
