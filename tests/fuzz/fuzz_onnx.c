/* An ONNX file: its messages, constants, shapes and formulas; as it is, and for an input that the
 * caller settles. */
#include <stdlib.h>

#include "exchange/onnx_in.h"
#include "fuzz.h"

static void ignore(cnn_log_level level, const char *line, void *user)
{
    (void)level;
    (void)line;
    (void)user;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_model *model;
    cnn_import_options options;
    cnn_import_options_init(&options);
    cnn_log_set_callback(ignore, NULL);
    const char *path = fuzz_file(data, size);
    if (cnn_onnx_import(&model, path, &options) == CNN_OK)
        cnn_model_destroy(model);
    options.xdim = (const int[]){3, 9, 8};
    options.normalization = "0.5:0.25";
    if (cnn_onnx_import(&model, path, &options) == CNN_OK)
        cnn_model_destroy(model);
    return 0;
}
