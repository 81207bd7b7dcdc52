/* One of CIFAR's binary files. */
#include "data/cifar.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    for (int labels = CNN_CIFAR10; labels <= CNN_CIFAR100_FINE; labels++) {
        cnn_source *source;
        if (cnn_cifar_read(&source, path, (cnn_cifar_labels)labels) == CNN_OK)
            cnn_source_destroy(source);
    }
    return 0;
}
