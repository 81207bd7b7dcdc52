/* cnn-cl: the command. The table of its commands, and how one is chosen and run. */
#include <limits.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/session.h"

const cli_command cli_commands[] = {
    {.name = "train",
     .summary = "train on a data set; one line per epoch",
     .notes = "",
     .groups = CLI_DATA | CLI_PREPARE | CLI_TRAIN | CLI_BATCH | CLI_FUSE | CLI_MODEL | CLI_NETWORK,
     .run = cmd_train},
    {.name = "eval",
     .summary = "loss and accuracy of a model on a data set",
     .notes = "JSON keys: model, data, split, tta, loss, accuracy, hits, count; confusion\n"
              "(a row for each true class), classes, precision, recall.\n",
     .groups = CLI_MODEL | CLI_NETWORK | CLI_DATA | CLI_PREPARE | CLI_SPLIT | CLI_TTA | CLI_BATCH |
               CLI_FUSE | CLI_JSON,
     .run = cmd_eval},
    {.name = "predict",
     .summary = "label pictures, or random test images; draw them",
     .notes = "IMAGE: PNG, JPEG, WebP, TIFF, GIF, BMP, PBM, PGM, PPM or IDX; - is stdin. JSON:\n"
              "model, digits, images: path, index, label, name, probability, top, error;\n"
              "without IMAGE: model, data, hits, count, samples.\n",
     .groups = CLI_MODEL | CLI_NETWORK | CLI_DATA | CLI_PREPARE | CLI_SAMPLES | CLI_PICTURES |
               CLI_CONVERT | CLI_TTA | CLI_FUSE | CLI_JSON,
     .words = "[IMAGE...]",
     .max_words = INT_MAX,
     .run = cmd_predict},
    {.name = "params",
     .summary = "every parameter: index, name, shape, first values; the total",
     .notes = "--batch, --micro-batch, --slices and --no-fuse need --plan (a device's).\n",
     .groups = CLI_MODEL | CLI_NETWORK | CLI_PLAN | CLI_BATCH | CLI_FUSE,
     .run = cmd_params},
    {.name = "forward",
     .summary = "two random images through the network: input and logits",
     .notes = "",
     .groups = CLI_MODEL | CLI_NETWORK | CLI_FUSE,
     .run = cmd_forward},
    {.name = "bench",
     .summary = "each step of the plan: milliseconds, GFLOP/s, GB/s; the peak",
     .notes = "On random images. JSON keys: device, platform, driver, and those of\n"
              "cnncl/bench.h (--tune: cnncl/tuning.h): of the summary, and of the rows.\n"
              "Over several ranks, or with --slices: a training step, and how much of it is\n"
              "communication that nothing hides (cnncl/rank_bench.h).\n",
     .groups = CLI_MODEL | CLI_NETWORK | CLI_BENCH | CLI_BATCH | CLI_FUSE | CLI_JSON,
     .run = cmd_bench},
    {.name = "export",
     .summary = "a saved model as ONNX or npz, for other programs",
     .notes = "ONNX: input 'image' (batch, C, H, W), pixels in 0..1; output 'logits'.\n"
              "npz: every tensor under PyTorch's name, for numpy.load().\n",
     .groups = CLI_EXPORT | CLI_MODEL | CLI_NETWORK,
     .run = cmd_export,
     .words = "OUT",
     .min_words = 1,
     .max_words = 1},
    {.name = "import",
     .summary = "a state_dict of PyTorch's (safetensors, .pt) as a saved model",
     .notes = "Prints the network that names and shapes tell, as the options that make it\n"
              "(--model OUT, where none do); what was assumed is said on stderr, and\n"
              "these options settle it:\n",
     .groups = CLI_IMPORT,
     .run = cmd_import,
     .words = "FILE OUT",
     .min_words = 2,
     .max_words = 2},
    {.name = "report",
     .summary = "a page about a run: curves, confusion, mistakes, filters, time",
     .notes = "Writes RUN_DIR/report.html, and its curves.svg, confusion.png, filters.png.\n"
              "Without --name, --data or --model: those of the run in the folder.\n",
     .groups = CLI_DATA | CLI_PREPARE | CLI_REPORT,
     .run = cmd_report,
     .words = "RUN_DIR",
     .min_words = 1,
     .max_words = 1},
    {.name = "serve",
     .summary = "a page to draw on or drop pictures on; images labelled over HTTP",
     .notes = "Needs --model. / is the page; POST /predict takes a picture (PNG, JPEG, WebP,\n"
              "TIFF, GIF, BMP, PBM, PGM or PPM), alone or as a form's file, and answers JSON:\n"
              "label, name, probability, probabilities, and with ?seen=1 seen: shape, pixels;\n"
              "or error. /model: name, digits, shape, classes. /healthz: status, images,\n"
              "batches, largest_batch.\n",
     .groups = CLI_MODEL | CLI_SERVE | CLI_CONVERT | CLI_FUSE,
     .run = cmd_serve},
    {.name = "doctor",
     .summary = "is OpenCL here, and right? every kernel against plain C",
     .notes = "First what the loader sees, and what mends it. Exit code 0: right; 1: a device\n"
              "computes wrong or fails; 3: there is none. --batch: of the matrix products.\n"
              "JSON keys: see cnncl/doctor.h.\n",
     .groups = CLI_DOCTOR | CLI_NETWORK | CLI_BATCH | CLI_UPDATE | CLI_JSON,
     .run = cmd_doctor},
    {0},
};

static int run(cli_options *options)
{
    if (options->help) {
        cli_help_print(options->command);
        return 0;
    }
    if (options->version) {
        const char *mpi = cnn_comm_library();
        cli_print("cnn-cl %s\nMPI: %s\n", cnn_version(), *mpi ? mpi : "built without it");
        return 0;
    }
    if (options->list_devices)
        return cmd_list_devices(options);
    int begun = cli_ranks_begin(options);
    if (begun != 0)
        return begun;
    /* The doctor asks the drivers itself, from a process of its own: one may crash. */
    bool asks_itself = options->command->groups & CLI_DOCTOR;
    int code = asks_itself ? 0 : cli_session_find_device(options);
    return code != 0 ? code : options->command->run(options);
}

int main(int argc, char **argv)
{
    cli_options options;
    /* Else some drivers print how many warnings there are. CLBlast puts the next option directly
     * behind. */
    (void)setenv("CLBLAST_BUILD_OPTIONS", "-w ", 0);
    cli_output_init();
    cli_interrupt_init();
    cli_ranks_init();
    int code = cli_options_parse(&options, argc, argv);
    if (code == 0) {
        cli_output_set_level(options.quiet, options.verbose);
        code = run(&options);
    }
    cli_options_finish(&options);
    int flushed = cli_flush();
    return cli_ranks_end(code != 0 ? code : flushed);
}
