#!/bin/sh
# Builds the project, quietly unless that fails: build.sh [--tests] DIR [TARGET...]
# DIR is configured once (release, as meson.build says) and kept as it is afterwards. In CI a warning is
# an error.
set -eu

tests=
if [ "${1-}" = --tests ]; then
    tests=yes
    shift
fi
if [ $# -eq 0 ]; then
    echo "build.sh: expected a build folder, found nothing; use: build.sh [--tests] DIR [TARGET...]" >&2
    exit 2
fi
build=$1
shift
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

for command in meson ninja python3; do
    command -v "$command" >/dev/null 2>&1 || {
        echo "build.sh: expected $command, found none: run scripts/setup.sh first" >&2
        exit 1
    }
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

quietly() {
    "$@" >"$log" 2>&1 && return
    cat "$log" >&2
    echo "build.sh: this failed: $*" >&2
    exit 1
}

has_tests_off() {
    python3 - "$build/meson-info/intro-buildoptions.json" <<'END'
import json, sys
options = {option["name"]: option["value"] for option in json.load(open(sys.argv[1]))}
sys.exit(options["tests"])
END
}

if [ ! -f "$build/build.ninja" ]; then
    echo "Building cnn-cl in $build." >&2
    wipe=
    # A configuration that was interrupted.
    [ ! -f "$build/meson-private/coredata.dat" ] || wipe=--wipe
    with_tests=true
    [ -n "$tests" ] || pkg-config --exists check || with_tests=false
    # shellcheck disable=SC2086  # an option or nothing
    quietly meson setup $wipe -Dtests="$with_tests" ${CI:+-Dwerror=true} "$build" "$root"
elif [ -n "$tests" ] && has_tests_off; then
    quietly meson configure "$build" -Dtests=true
fi
quietly ninja -C "$build" "$@"
