#!/bin/sh
# cnn-cl and PyTorch in turn on the same work and threads: bench.sh [options of bench.py]
# Prints a table with ratios and writes it into docs/benchmarks.md; --help lists the options.
#   bench.sh finetune DATA [options]    the recipe finetune on a folder of pictures, as bench_finetune.py has it
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

program=$root/scripts/bench.py
if [ "${1:-}" = finetune ]; then
    shift
    program=$root/scripts/bench_finetune.py
fi
case " $* " in
    *' --help '* | *' -h '*) exec python3 "$program" --help ;;
esac
"$root/scripts/setup.sh" --bench
"$root/scripts/build.sh" "$root/build" src/cli/cnn-cl tests/bench_step
exec python3 "$program" "$@"
