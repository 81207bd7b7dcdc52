/* An IDX file, plain or gzipped, as it comes: images and labels. */
#include "image/idx.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_idx idx;
    const char *path = fuzz_file(data, size);
    if (cnn_idx_read(&idx, path, 1, 2) == CNN_OK) {
        (void)cnn_idx_label(&idx, idx.shape[0] - 1);
        cnn_idx_finish(&idx);
    }
    if (cnn_idx_read(&idx, path, 3, 4) == CNN_OK)
        cnn_idx_finish(&idx);
    return 0;
}
