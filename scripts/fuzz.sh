#!/bin/sh
# Fuzzes each target with libFuzzer, AddressSanitizer and UBSan: fuzz.sh [SECONDS [TARGET]...]
# SECONDS for each target, 600 without it; without targets all of tests/fuzz/meson.build. What is found stays
# in BUILD_DIR (build/fuzz without it): found/TARGET holds new inputs, crashes/TARGET-* what broke. Prints one
# line for each target: inputs run, inputs a second, edges covered, files of the corpus. Fails when one broke.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build/fuzz}
seconds=${1:-600}
[ $# -eq 0 ] || shift

"$root/scripts/setup.sh" --tests
command -v clang >/dev/null 2>&1 || {
    echo 'fuzz.sh: expected clang with its runtime, found none; install clang and libclang-rt-dev' >&2
    exit 1
}

# The archive of the whole library is shared with the ordinary tests: every file is watched for coverage.
if [ ! -f "$build/build.ninja" ]; then
    wipe=
    # A configuration that was interrupted.
    [ ! -f "$build/meson-private/coredata.dat" ] || wipe=--wipe
    # shellcheck disable=SC2086  # an option or nothing
    CC=clang meson setup $wipe "$build" "$root" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
        -Dbuildtype=debugoptimized -Dc_args="-fsanitize=fuzzer-no-link -fno-omit-frame-pointer \
-fsanitize-coverage-ignorelist=$root/tests/fuzz/uncounted.txt" >&2
fi

names=${*:-$(sed -n "s/^  '\([a-z]*\)': .*,$/\1/p" "$root/tests/fuzz/meson.build")}
targets=
for name in $names; do
    targets="$targets tests/fuzz/fuzz_$name"
done
# shellcheck disable=SC2086  # a list of words
"$root/scripts/build.sh" --tests "$build" $targets

export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export LSAN_OPTIONS="suppressions=$root/tests/lsan.supp:print_suppressions=0"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
mkdir -p "$build/crashes"

status=0
for name in $names; do
    mkdir -p "$build/found/$name"
    log=$build/fuzz_$name.log
    words=$root/tests/fuzz/$name.dict # what the fuzzer is told of the format, where it is text
    # -close_fd_mask=3: what the target itself prints is of no interest.
    set -- # its dictionary
    [ ! -f "$words" ] || set -- "-dict=$words"
    "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=65536 "$@" \
        -print_final_stats=1 -close_fd_mask=3 -artifact_prefix="$build/crashes/$name-" \
        "$build/found/$name" "$root/tests/fuzz/corpus/$name" >"$log" 2>&1 || {
        status=1
        tail -n 30 "$log" >&2
        echo "fuzz.sh: $name broke; the input is below $build/crashes" >&2
    }
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    files=$(find "$build/found/$name" -type f | wc -l)
    echo "$name: ${runs:-0} inputs in $seconds s, ${rate:-0} a second, ${edges:-0} edges covered, $files files found"
done
exit "$status"
