/* A table of images. */
#include "data/csv.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_source *source;
    if (cnn_csv_read(&source, fuzz_file(data, size)) == CNN_OK)
        cnn_source_destroy(source);
    return 0;
}
