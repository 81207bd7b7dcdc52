#!/bin/sh
# cnn-cl and PyTorch in turn on the same work and threads: bench.sh [options of bench.py]
# Prints a table with ratios and writes it into docs/benchmarks.md; --help lists the options.
#   bench.sh finetune DATA [options]    the recipe finetune on a folder of pictures, as bench_finetune.py has it
#   bench.sh ranks [options]            two ranks beside one, two programs, and one of two threads: bench_ranks.py
#   bench.sh hosts [options]            hosts with a slow link between them, beside the model; as root: bench_hosts.py
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

program=$root/scripts/bench.py
if [ "${1:-}" = finetune ]; then
    shift
    program=$root/scripts/bench_finetune.py
elif [ "${1:-}" = ranks ]; then
    shift
    program=$root/scripts/bench_ranks.py
elif [ "${1:-}" = hosts ]; then
    shift
    program=$root/scripts/bench_hosts.py
fi
case " $* " in
    *' --help '* | *' -h '*) exec python3 "$program" --help ;;
esac
case $program in
    *bench_ranks.py | *bench_hosts.py) "$root/scripts/setup.sh" --mpi ;;
    *) "$root/scripts/setup.sh" --bench ;;
esac
case $program in
    *bench_hosts.py) "$root/scripts/build.sh" "$root/build" src/cli/cnn-cl tests/rank_sums tests/slow_link ;;
    *) "$root/scripts/build.sh" "$root/build" src/cli/cnn-cl tests/bench_step ;;
esac
exec python3 "$program" "$@"
