/* For check_saved_model.py: `save_model OUT [KEY=VALUE ...]` saves a fresh model of these network
 * options, `save_model --net FILE OUT` one of a network file, `save_model --copy IN OUT` loads a
 * model and saves it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnncl/model.h>

static cnn_status create_from_options(cnn_model **model, char **options, int count)
{
    cnn_config config;
    cnn_config_init(&config);
    for (int i = 0; i < count; i++) {
        char *value = strchr(options[i], '=');
        *value++ = '\0';
        cnn_status status = cnn_config_set(&config, options[i], value);
        if (status != CNN_OK)
            return status;
    }
    return cnn_model_create(model, &config, 1);
}

static cnn_status create_from_file(cnn_model **model, const char *path)
{
    cnn_network *network = NULL;
    cnn_status status = cnn_network_from_file(&network, "network", path, NULL);
    if (status == CNN_OK)
        status = cnn_model_create_network(model, network, 1);
    cnn_network_destroy(network);
    return status;
}

int main(int argc, char **argv)
{
    bool copy = argc == 4 && strcmp(argv[1], "--copy") == 0;
    bool net = argc == 4 && strcmp(argv[1], "--net") == 0;
    const char *path = copy || net ? argv[3] : argv[1];
    cnn_model *model = NULL;
    cnn_status status = copy  ? cnn_model_load(&model, argv[2])
                        : net ? create_from_file(&model, argv[2])
                              : create_from_options(&model, argv + 2, argc - 2);
    if (status == CNN_OK)
        status = cnn_model_save(model, path);
    if (status != CNN_OK)
        fprintf(stderr, "save_model: %s\n", cnn_error_message());
    cnn_model_destroy(model);
    return status == CNN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
