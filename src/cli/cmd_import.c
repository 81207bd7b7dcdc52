/* import: a state_dict that PyTorch saved becomes a saved model. */
#include <cnncl/exchange.h>

#include "cli/commands.h"
#include "cli/output.h"

static void print_widths(const char *option, const int *widths, int count)
{
    cli_print(" --%s ", option);
    for (int i = 0; i < count; i++)
        cli_print("%s%d", i ? "," : "", widths[i]);
    if (count == 0)
        cli_print("none");
}

/* The network as the options that make it. */
static void print_network(const cnn_config *config)
{
    cli_print("--name %s", config->name);
    print_widths("xdim", config->xdim, 3);
    cli_print(" --ksize %d", config->ksize);
    print_widths("cdims", config->cdims, config->cdim_count);
    print_widths("hdims", config->hdims, config->hdim_count);
    cli_print(" --ydim %d%s --dropout %g\n", config->ydim, config->batchnorm ? " --batchnorm" : "",
              config->dropout);
}

int cmd_import(cli_options *options)
{
    const char *source = options->words[0], *path = options->words[1];
    cnn_model *model = NULL;
    cnn_import_options import;
    int code = 0;
    if (!cli_ends_with(path, ".safetensors"))
        return cli_fail(CLI_EXIT_USAGE,
                        "import: expected an output that ends in .safetensors, found '%s'", path);
    cnn_import_options_init(&import);
    if (options->name_given)
        import.name = options->config.name;
    if (options->xdim_given)
        import.xdim = options->config.xdim;
    if (options->dropout_given)
        import.dropout = options->config.dropout;
    CLI_TRY(cli_check(cnn_model_import(&model, source, &import)));
    CLI_TRY(cli_check(cnn_model_save(model, path)));
    print_network(cnn_network_config(cnn_model_network(model)));
    cli_info("model saved in %s", path);
out:
    cnn_model_destroy(model);
    return code;
}
