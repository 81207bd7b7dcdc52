#include "cli/network.h"

#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/session.h"

/* A file that cannot be read is a wrong command line, too. */
static int check(cnn_status status)
{
    if (status == CNN_OK)
        return 0;
    return cli_fail(status == CNN_ERROR_MEMORY ? CLI_EXIT_FAILURE : CLI_EXIT_USAGE, "%s",
                    cnn_error_message());
}

/* Options win over data: --size over the file's height and width. Its channels stay. */
static cnn_network_given find_given(const cli_options *options, const cnn_dataset *dataset)
{
    cnn_network_given given = {0};
    const int *shape = dataset ? cnn_dataset_shape(dataset) : NULL;
    int fixed[3];
    if (options->xdim_given) {
        memcpy(given.input, options->config.xdim, sizeof given.input);
    } else if (shape && cli_option_is_given(options, "size") && cli_network_input(fixed, options)) {
        given.input[0] = fixed[0];
        memcpy(given.input + 1, shape + 1, 2 * sizeof *shape);
    } else if (shape) {
        memcpy(given.open, shape, sizeof given.open);
    }
    if (cli_option_is_given(options, "ydim"))
        given.classes = options->config.ydim;
    else if (dataset)
        given.classes = cnn_dataset_class_count(dataset);
    return given;
}

static cnn_status read_file(cnn_network **network, const cli_options *options,
                            const cnn_network_given *given)
{
    char *preset = NULL;
    cnn_status status = CNN_OK;
    if (!cli_net_is_path(options->net))
        status = cnn_network_preset(&preset, options->net);
    if (status == CNN_OK)
        status = cnn_network_from_file(network, options->config.name, preset ? preset : options->net,
                                       given);
    cnn_string_free(preset);
    return status;
}

static int create_from_file(cnn_network **network, const cli_options *options,
                            const cnn_dataset *dataset)
{
    cnn_network_given given = find_given(options, dataset);
    int code = 0;
    CLI_TRY(check(read_file(network, options, &given)));
    if (cli_option_is_given(options, "ydim") && cnn_network_classes(*network) != given.classes)
        code = cli_fail(CLI_EXIT_USAGE,
                        "--ydim: expected %d, the width of the network's output, found %d: write "
                        "Linear(classes) in %s, or leave --ydim out",
                        cnn_network_classes(*network), given.classes, options->net);
out:
    return code;
}

/* What is wrong with a file with one number of classes alone, the data's may mend: told by another
 * number, with which the same is said of what is wrong in any case. */
static bool hangs_on_classes(const cli_options *options, const char *message)
{
    enum { OTHER_CLASSES = 11 }; /* than the usual 10 */
    cnn_network_given given = find_given(options, NULL);
    cnn_network *network = NULL;
    given.classes = OTHER_CLASSES;
    cnn_status status = read_file(&network, options, &given);
    cnn_network_destroy(network);
    return status == CNN_OK || strcmp(message, cnn_error_message()) != 0;
}

int cli_network_check(const cli_options *options)
{
    cnn_network *network = NULL;
    char *message = NULL;
    int code = 0;
    if (!options->net)
        return 0;
    if (cli_option_is_given(options, "ydim")) {
        code = create_from_file(&network, options, NULL);
        goto out;
    }
    cnn_network_given given = find_given(options, NULL);
    cnn_status status = read_file(&network, options, &given);
    if (status == CNN_OK)
        goto out;
    message = cli_concatenate((const char *[]){cnn_error_message(), NULL});
    if (!message)
        code = CLI_EXIT_FAILURE;
    else if (!hangs_on_classes(options, message))
        code = check(status);
out:
    free(message);
    cnn_network_destroy(network);
    return code;
}

bool cli_network_input(int input[3], const cli_options *options)
{
    cnn_network *network = NULL;
    bool fixed = false;
    if (options->xdim_given) {
        memcpy(input, options->config.xdim, sizeof options->config.xdim);
    } else if (options->net) {
        cnn_network_given given = find_given(options, NULL);
        bool made = read_file(&network, options, &given) == CNN_OK;
        fixed = made && !cnn_network_takes_any_input(network);
        if (made)
            memcpy(input, cnn_network_input(network), 3 * sizeof *input);
    }
    cnn_network_destroy(network);
    return options->xdim_given || fixed;
}

int cli_network_create(cnn_network **network, const cli_options *options,
                       const cnn_dataset *dataset)
{
    cnn_config config = options->config;
    *network = NULL;
    if (options->net)
        return create_from_file(network, options, dataset);
    if (dataset && !options->xdim_given)
        memcpy(config.xdim, cnn_dataset_shape(dataset), sizeof config.xdim);
    return cli_check(cnn_network_create(network, &config));
}

int cli_network_find(char **path, const cli_options *options)
{
    *path = NULL;
    if (!options->net)
        return 0;
    if (!cli_net_is_path(options->net))
        return check(cnn_network_preset(path, options->net));
    *path = cli_concatenate((const char *[]){options->net, NULL});
    return *path ? 0 : CLI_EXIT_FAILURE;
}
