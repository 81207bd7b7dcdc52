#!/bin/sh
# Static analysis of src/: clang-tidy (.clang-tidy says which checks) and cppcheck. A finding fails.
#   lint.sh [--deep] [BUILD_DIR]    a folder that is built, as it is; without it, build/ is set up and built
# --deep: paths through functions are followed as far as clang-tidy does by itself (scripts/tidy.py).
# Files that passed and have not changed since are not looked at again: BUILD_DIR/lint-passed is the memory.
# Exits with 77, as a skipped test does, where neither program is installed.
set -eu

deep=
if [ "${1-}" = --deep ]; then
    deep=deep
    shift
fi
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${1:-$root/build}
if [ $# -eq 0 ]; then
    "$root/scripts/setup.sh" --tests
    "$root/scripts/build.sh" --tests "$build"
fi
cd "$root"

[ -f "$build/compile_commands.json" ] || {
    echo "lint.sh: expected compile_commands.json in $build, found none: run scripts/build.sh first" >&2
    exit 2
}
# cppcheck passes over every file of a project that is named relatively.
build=$(CDPATH='' cd -- "$build" && pwd)

status=0
tools=0

# Groups of checks grow from version to version: Debian 12's is the one that must be silent.
if clang-tidy --version 2>/dev/null | grep -q 'version 14\.'; then
    tools=$((tools + 1))
    # shellcheck disable=SC2086  # a word or nothing
    python3 scripts/tidy.py "$build" $deep || status=1
else
    echo 'lint.sh: clang-tidy 14 is not there: it was left out' >&2
fi

if command -v cppcheck >/dev/null 2>&1; then
    tools=$((tools + 1))
    # internalAstError: cppcheck 2.10 does not parse every compound literal.
    cppcheck --project="$build/compile_commands.json" --file-filter='*/src/*' --inline-suppr --quiet \
        --enable=warning,performance,portability --error-exitcode=1 -j "$(nproc)" \
        --suppressions-list=.cppcheck || status=1
else
    echo 'lint.sh: cppcheck is not there: it was left out' >&2
fi

if [ "$tools" -eq 0 ]; then
    echo 'lint.sh: neither clang-tidy 14 nor cppcheck is installed; scripts/setup.sh --tests installs them' >&2
    exit 77
fi
exit "$status"
