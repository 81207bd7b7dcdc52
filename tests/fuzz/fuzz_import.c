/* A state_dict from elsewhere: what the tensors' names and shapes tell of the network, their types,
 * and the same with options that say something else. */
#include <cnncl/exchange.h>

#include "fuzz.h"
#include "fuzz_archive.h"

static void ignore(cnn_log_level level, const char *line, void *user)
{
    (void)level;
    (void)line;
    (void)user;
}

static void import(const char *path, const cnn_import_options *options)
{
    cnn_model *model;
    if (cnn_model_import(&model, path, options) == CNN_OK)
        cnn_model_destroy(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_import_options options;
    cnn_import_options_init(&options);
    cnn_log_set_callback(ignore, NULL);
    const char *path = fuzz_archive(data, size, false);
    import(path, &options);
    options =
        (cnn_import_options){.name = "other", .xdim = (const int[]){1, 5, 4}, .dropout = 0.25};
    import(path, &options);
    return 0;
}
