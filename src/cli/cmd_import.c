/* import: a state_dict that PyTorch saved becomes a saved model. */
#include <stdlib.h>
#include <string.h>

#include <cnncl/exchange.h>

#include "cli/commands.h"
#include "cli/conversion.h"
#include "cli/output.h"
#include "cli/session.h"

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
    char *normalization = NULL;
    cnn_import_options import;
    cli_conversion conversion;
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
    if (options->mean || options->std) {
        normalization = cli_concatenate((const char *[]){options->mean ? options->mean : "0", ":",
                                                         options->std ? options->std : "1", NULL});
        if (!normalization)
            return CLI_EXIT_FAILURE;
        import.normalization = normalization;
    }
    CLI_TRY(cli_check(cnn_model_import(&model, source, &import)));
    if (options->digits)
        cnn_model_set_digits(model, true);
    CLI_TRY(cli_check(cnn_model_save(model, path)));
    print_network(cnn_network_config(cnn_model_network(model)));
    if (strcmp(cnn_model_normalization(model), "none") != 0)
        cli_info("pixels are normalised, (pixel - mean) / deviation: %s",
                 cnn_model_normalization(model));
    conversion = cli_conversion_choose(model, &(cli_options){0});
    if (conversion.digits || conversion.may_be_digits)
        cli_conversion_say(&conversion);
    cli_info("model saved in %s", path);
out:
    free(normalization);
    cnn_model_destroy(model);
    return code;
}
