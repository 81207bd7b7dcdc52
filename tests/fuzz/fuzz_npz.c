/* An npz file of images and labels. */
#include "data/npz.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_sources sources = {0};
    (void)cnn_npz_read(&sources, fuzz_file(data, size));
    cnn_sources_finish(&sources);
    return 0;
}
