/* import: a state_dict that PyTorch saved becomes a saved model. */
#include <stdlib.h>
#include <string.h>

#include <cnncl/exchange.h>

#include "cli/commands.h"
#include "cli/conversion.h"
#include "cli/network.h"
#include "cli/out_file.h"
#include "cli/output.h"
#include "cli/session.h"

static void print_widths(const char *option, const int *widths, int count)
{
    cli_print("%s--%s ", strcmp(option, "xdim") ? " " : "", option);
    for (int i = 0; i < count; i++)
        cli_print("%s%d", i ? "," : "", widths[i]);
    if (count == 0)
        cli_print("none");
}

/* --net, or a preset that was found by itself; NULL where no network file is known. */
static const char *find_net(const cnn_network *network, const cli_options *options)
{
    const char *name = cnn_network_name(network), *net = options->net;
    char *preset = NULL;
    if (!net && !options->name_given && cnn_network_preset(&preset, name) == CNN_OK)
        net = name;
    cnn_string_free(preset);
    return net;
}

/* The network as the options that make it: of a graph that no option describes, the saved model. */
static void print_network(const cnn_network *network, const cli_options *options, const char *path)
{
    const cnn_config *config = cnn_network_config(network);
    const char *net = config ? NULL : find_net(network, options);
    if (!config && !net) {
        cli_print_line("--model %s\n", path);
        cli_info("the network is the file's own: 'cnn-cl params --model %s --print' shows it", path);
        return;
    }
    if (config || options->name_given)
        cli_print_line("--name %s ", cnn_network_name(network));
    if (net)
        cli_print_line("--net %s ", net);
    print_widths("xdim", cnn_network_input(network), 3);
    if (config) {
        cli_print(" --ksize %d", config->ksize);
        print_widths("cdims", config->cdims, config->cdim_count);
        print_widths("hdims", config->hdims, config->hdim_count);
    }
    cli_print(" --ydim %d", cnn_network_classes(network));
    if (config)
        cli_print("%s --dropout %g", config->batchnorm ? " --batchnorm" : "", config->dropout);
    cli_print("\n");
}

/* --normalize, or --mean and --std, as one text; NULL: the file's own. To be freed. */
static int find_normalization(char **text, const cli_options *options)
{
    const char *mean = options->mean, *std = options->std, *kind = options->normalize;
    *text = NULL;
    if (kind && (mean || std))
        return cli_fail(CLI_EXIT_USAGE, "--normalize and --%s exclude each other: leave one out",
                        mean ? "mean" : "std");
    if (kind && strcmp(kind, "data") == 0)
        return cli_fail(CLI_EXIT_USAGE, "--normalize data: there are no training images here: give "
                                        "the numbers, MEANS:STDS");
    if (kind)
        *text = cli_concatenate((const char *[]){kind, NULL});
    else if (mean || std)
        *text = cli_concatenate((const char *[]){mean ? mean : "0", ":", std ? std : "1", NULL});
    return *text || !(kind || mean || std) ? 0 : CLI_EXIT_FAILURE;
}

int cmd_import(cli_options *options)
{
    const char *source = options->words[0], *path = options->words[1];
    cnn_model *model = NULL;
    char *normalization = NULL, *network = NULL;
    cnn_import_options import;
    cli_conversion conversion;
    int code = 0;
    if (!cli_ends_with(path, ".safetensors"))
        return cli_fail(CLI_EXIT_USAGE,
                        "import: expected an output that ends in .safetensors, found '%s'", path);
    CLI_TRY(cli_out_file_check("import", path, CLI_FILE_SAFETENSORS, options));
    cnn_import_options_init(&import);
    CLI_TRY(cli_network_find(&network, options));
    import.network = network;
    if (options->name_given || options->net)
        import.name = options->config.name;
    if (options->xdim_given)
        import.xdim = options->config.xdim;
    if (options->ydim_given)
        import.ydim = options->config.ydim;
    if (options->dropout_given)
        import.dropout = options->config.dropout;
    CLI_TRY(find_normalization(&normalization, options));
    import.normalization = normalization;
    CLI_TRY(cli_check(cnn_model_import(&model, source, &import)));
    if (options->digits)
        cnn_model_set_digits(model, true);
    if (options->fit_given)
        cnn_model_set_fit(model, options->prepare.fit);
    CLI_TRY(cli_check(cnn_model_save(model, path)));
    print_network(cnn_model_network(model), options, path);
    if (strcmp(cnn_model_normalization(model), "none") != 0)
        cli_info("pixels are normalised, (pixel - mean) / deviation: %s",
                 cnn_model_normalization(model));
    conversion = cli_conversion_choose(model, &(cli_options){0});
    if (conversion.digits || conversion.may_be_digits)
        cli_conversion_say(&conversion);
    cli_info("model saved in %s", path);
out:
    cnn_string_free(network);
    free(normalization);
    cnn_model_destroy(model);
    return code;
}
