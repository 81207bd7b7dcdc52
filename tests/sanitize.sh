#!/bin/sh
# Builds the tests with AddressSanitizer and UndefinedBehaviorSanitizer in a build folder of their
# own, and runs them on pocl (Mesa's drivers lose memory when they are loaded):
# sanitize.sh SOURCE BUILD [all]
# BUILD is tests/sanitize in the plain build. Without "all": those that need no device, and a choice
# of the others; with it also a sample of the torture. A report of a sanitizer
# fails, also one of a command that was expected to fail.
set -eu
source=$1
build=$2
all=${3-}

# Warnings are the plain build's business: the sanitizers' instrumentation causes false ones. Reports name lines
# with -g1 as with -g, which takes longer to compile.
if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" "$source" -Db_sanitize=address,undefined -Db_lundef=false \
        -Dbuildtype=debug -Doptimization=1 -Dc_args=-g1 -Dwerror=false
fi
# Kernels are those of the plain build: what it has compiled need not be compiled again.
plain=$(dirname "$(dirname "$build")")
mkdir -p "$plain/pocl-cache"
ln -sfn "$plain/pocl-cache" "$build/pocl-cache"

reports=$build/reports
rm -rf "$reports"
mkdir "$reports"
export ASAN_OPTIONS="detect_leaks=1:exitcode=99:log_path=$reports/address"
export LSAN_OPTIONS="suppressions=$source/tests/lsan.supp:print_suppressions=0"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:exitcode=99:log_path=$reports/undefined"
export OCL_ICD_VENDORS=pocl.icd

# LeakSanitizer's search itself can die, on a thread that is just ending. Its report then says nothing
# about the program, and is taken away.
search_died() {
    dead=$(grep -l 'LeakSanitizer has encountered a fatal error' "$reports"/* 2>/dev/null) || return 1
    echo "LeakSanitizer's own search died, the tests run again: $*"
    echo "$dead" | xargs -d '\n' rm
}

run() {
    for try in 1 2 3; do
        passed=yes
        meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier 5 "$@" || passed=no
        search_died "$@" || break
        passed="no: the search for leaks died $try times"
    done
    [ "$passed" = yes ] || status=1
}

status=0
if [ -n "$all" ]; then
    ninja -C "$build"
    run --suite host --suite device
    # Drivers that crash are in there, in child processes. A command that crashes fails its test.
    ASAN_OPTIONS=$ASAN_OPTIONS:handle_segv=0 run --suite cli
    POCL_CACHE_DIR=$build/pocl-cache python3 "$source/tests/fault/torture.py" \
        "$build/src/cli/cnn-cl" "$plain/tests/fault/cnn_cl_fault.so" --every 500 || status=1
else
    device_tests="device program guard trainer checkpoint predictor"
    # shellcheck disable=SC2046,SC2086  # words
    ninja -C "$build" host-tests src/cli/cnn-cl tests/careless $(printf 'tests/test_%s ' $device_tests)
    run --suite host
    # shellcheck disable=SC2086  # words
    run $device_tests careless
    run cli-train --test-args Run.test_lines_and_files
fi
if [ -n "$(ls "$reports")" ]; then
    cat "$reports"/*
    status=1
fi
exit "$status"
