/* cnn-cl: the command. The table of its commands, and how one is chosen and run. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"

const cli_command cli_commands[] = {
    {"train", "train on a data set; one line per epoch",
     "Leaves NAME.safetensors and predictions.png in the folder of the run.\n",
     CLI_DATA | CLI_TRAIN | CLI_BATCH | CLI_FUSE | CLI_NETWORK, cmd_train},
    {"eval", "loss and accuracy of a model on a data set",
     "JSON keys: model, data, split, loss, accuracy, hits, count.\n",
     CLI_MODEL | CLI_NETWORK | CLI_DATA | CLI_SPLIT | CLI_BATCH | CLI_FUSE | CLI_JSON, cmd_eval},
    {"predict", "label random test images; draw them",
     "JSON keys: model, data, hits, count, samples: index, predicted, label,\n"
     "predicted_name, label_name.\n",
     CLI_MODEL | CLI_NETWORK | CLI_DATA | CLI_SAMPLES | CLI_FUSE | CLI_JSON, cmd_predict},
    {"params", "every parameter: index, name, shape, first values; the total",
     "--batch and --no-fuse matter to --plan, which needs a device.\n",
     CLI_MODEL | CLI_NETWORK | CLI_PLAN | CLI_BATCH | CLI_FUSE, cmd_params},
    {"forward", "two random images through the network: input and logits", "",
     CLI_MODEL | CLI_NETWORK | CLI_FUSE, cmd_forward},
    {"bench", "each step of the plan: milliseconds, GFLOP/s, GB/s; the peak",
     "On random images. JSON keys: device, platform, driver, and those of\n"
     "cnncl/bench.h: of cnn_bench_summary, and of cnn_bench_row in rows.\n",
     CLI_MODEL | CLI_NETWORK | CLI_BENCH | CLI_BATCH | CLI_FUSE | CLI_JSON, cmd_bench},
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
