/* A saved model: the archive's header, the network's options in it, the values. */
#include <cnncl/model.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_model *model;
    if (cnn_model_load(&model, fuzz_file(data, size)) == CNN_OK)
        cnn_model_destroy(model);
    return 0;
}
