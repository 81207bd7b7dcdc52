/* cnn-cl: the command. The table of its commands, and how one is chosen and run. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"

const cli_command cli_commands[] = {
    {.name = "train",
     .summary = "train on a data set; one line per epoch",
     .notes = "Leaves in its folder NAME.safetensors, NAME.best.safetensors (the best by\n"
              "validation, else test accuracy), the checkpoint, metrics and predictions.png.\n",
     .groups = CLI_DATA | CLI_TRAIN | CLI_BATCH | CLI_FUSE | CLI_MODEL | CLI_NETWORK,
     .run = cmd_train},
    {.name = "eval",
     .summary = "loss and accuracy of a model on a data set",
     .notes = "JSON keys: model, data, split, loss, accuracy, hits, count.\n",
     .groups = CLI_MODEL | CLI_NETWORK | CLI_DATA | CLI_SPLIT | CLI_BATCH | CLI_FUSE | CLI_JSON,
     .run = cmd_eval},
    {.name = "predict",
     .summary = "label random test images; draw them",
     .notes = "JSON keys: model, data, hits, count, samples: index, predicted, label,\n"
              "predicted_name, label_name.\n",
     .groups = CLI_MODEL | CLI_NETWORK | CLI_DATA | CLI_SAMPLES | CLI_FUSE | CLI_JSON,
     .run = cmd_predict},
    {.name = "params",
     .summary = "every parameter: index, name, shape, first values; the total",
     .notes = "--batch and --no-fuse matter to --plan, which needs a device.\n",
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
              "cnncl/bench.h: of cnn_bench_summary, and of cnn_bench_row in rows.\n",
     .groups = CLI_MODEL | CLI_NETWORK | CLI_BENCH | CLI_BATCH | CLI_FUSE | CLI_JSON,
     .run = cmd_bench},
    {0},
};

static int run(cli_options *options)
{
    if (options->help) {
        cli_help_print(options->command);
        return 0;
    }
    if (options->version) {
        cli_print("cnn-cl %s\n", cnn_version());
        return 0;
    }
    return options->list_devices ? cmd_list_devices(options) : options->command->run(options);
}

int main(int argc, char **argv)
{
    cli_options options;
    cli_output_init();
    int code = cli_options_parse(&options, argc, argv);
    if (code != 0)
        return code;
    cli_output_set_level(options.quiet, options.verbose);
    code = run(&options);
    int flushed = cli_flush();
    return code != 0 ? code : flushed;
}
