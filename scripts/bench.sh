#!/bin/sh
# cnn-cl and PyTorch in turn on the same work and threads: bench.sh [options of bench.py]
# Prints a table with ratios and writes it into docs/benchmarks.md; --help lists the options.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

case " $* " in
    *' --help '* | *' -h '*) exec python3 "$root/scripts/bench.py" --help ;;
esac
"$root/scripts/setup.sh" --bench
"$root/scripts/build.sh" "$root/build" src/cli/cnn-cl tests/bench_step
exec python3 "$root/scripts/bench.py" "$@"
