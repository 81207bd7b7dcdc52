#!/bin/sh
# The tests that take too long for every change: slow_tests.sh [NAME]...
#   kill      training is killed at 200 random moments and goes on, and one of several ranks at 100
#   torture   every OpenCL call of training, evaluation and prediction fails, once and for good; one of several of the
#             second of two ranks
#   files     every call on the files of each command fails, or is the last before kill -9
#   long      thousands of epochs and models, a million predictions: memory and objects stay as they were
#   networks  200 random networks pass the doctor and the check before training, on each driver; wrong kernels do not
#   graphs    100 random networks and the larger presets: a training step on the device beside PyTorch's, and
#             their ONNX files in onnxruntime; files of PyTorch's exporters
#   sweeps    each shape and network of the tests of kernels and plans, where scripts/test.sh has some; kernels
#             for GPUs optimised, too
#   exact     the published bits of --exact, on each driver, with kernels of both classes
#   lint      clang-tidy, whose analyzer follows paths as far as it does by itself; each program of kernels in clang
#   sanitize  all tests of modules, devices and commands under AddressSanitizer and UBSan, on pocl
# Without names: all. BUILD_DIR is the build folder, build/ without it.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BUILD_DIR:-$root/build}
names=${*:-kill torture files long networks graphs sweeps exact lint sanitize}

"$root/scripts/setup.sh" --tests
"$root/scripts/build.sh" --tests "$build"
build=$(CDPATH='' cd -- "$build" && pwd)
export CNN_CL_KERNEL_DIR="$root/cl"

# run_sweeps CLASS TEST...: with kernels of the class, optimised, and the loops that ask sweep() at their length.
run_sweeps() {
    class=$1
    shift
    CNN_CL_KERNEL_CLASS=$class CNN_TEST_SWEEP=all meson test -C "$build" --no-rebuild --print-errorlogs \
        --timeout-multiplier 5 "$@"
}

for name in $names; do
    echo "== $name"
    case $name in
        kill)
            CNN_TEST_COMMAND="$build/src/cli/cnn-cl" python3 "$root/tests/cli/kill_rounds.py" 200
            CNN_TEST_COMMAND="$build/src/cli/cnn-cl" python3 "$root/tests/cli/kill_rounds.py" 100 --ranks || [ $? = 77 ]
            ;;
        torture)
            python3 "$root/tests/fault/torture.py" "$build/src/cli/cnn-cl" \
                "$build/tests/fault/cnn_cl_fault.so"
            python3 "$root/tests/fault/ranks.py" "$build/src/cli/cnn-cl" "$build/tests/fault/cnn_cl_fault.so" 40 ||
                [ $? = 77 ]
            ;;
        files)
            python3 "$root/tests/fault/files.py" "$build/src/cli/cnn-cl" \
                "$build/tests/fault/cnn_cl_files.so"
            ;;
        long)
            for run in "epochs 2000" "epochs 1000 batchnorm" "epochs 1000 plain" "models 1000" \
                "models 200 reopen" "predictions 1000000"; do
                # shellcheck disable=SC2086  # words
                OPENCL_LAYERS="$build/tests/fault/cnn_cl_fault.so" "$build/tests/long/long_runs" $run
            done
            python3 "$root/tests/long/command.py" "$build/src/cli/cnn-cl" 2000
            ;;
        networks)
            NETWORKS=200 CNN_TEST_COMMAND="$build/src/cli/cnn-cl" python3 "$root/tests/cli/test_networks.py"
            ;;
        graphs)
            python3 "$root/tests/check_graphs.py" "$build/tests/graph_step" "$root/data/nets" 100
            python3 "$root/tests/check_onnx.py" "$build/src/cli/cnn-cl" "$build/tests/save_model" \
                "$build/tests/plain_network" "$root/data/nets" 100 \
                lenet5,mnist_example,resnet20,mobilenet_v2,efficientnet_lite0,resnet18 || [ $? = 77 ]
            python3 "$root/tests/check_onnx_in.py" "$build/src/cli/cnn-cl" "$build/tests/import_files" \
                "$build/tests/plain_network" all || [ $? = 77 ]
            python3 "$root/tests/check_import.py" "$build/src/cli/cnn-cl" "$build/tests/model_logits" \
                "$build/tests/network_tensors" "$root/data/nets" || [ $? = 77 ]
            ;;
        sweeps)
            run_sweeps cpu ops plan plan_rules graphs norm_block conv_evaluation gpu_blocks tuning tune_search shared frozen bench \
                micro_batch sentinel ref_points
            run_sweeps gpu program ops ops_golden ops_training optimizer plan plan_kernels plan_rules trainer resume \
                micro_batch augmented exact_training sentinel
            ;;
        exact)
            for class in cpu gpu; do
                CNN_CL_KERNEL_CLASS=$class "$build/src/cli/cnn-cl" doctor --exact --all
            done
            CNN_TEST_SWEEP=all meson test -C "$build" --no-rebuild --print-errorlogs \
                --timeout-multiplier 5 exact cli-ranks cli-doctor
            ;;
        lint)
            "$root/scripts/lint.sh" --deep "$build"
            CNN_TEST_SWEEP=all meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier 5 \
                'kernels as OpenCL C 1.2'
            ;;
        sanitize)
            "$root/tests/sanitize.sh" "$root" "$build/tests/sanitize" all
            ;;
        *)
            echo "slow_tests.sh: expected kill, torture, files, long, networks, graphs, sweeps, exact, lint or sanitize, found '$name'" >&2
            exit 2
            ;;
    esac
done
