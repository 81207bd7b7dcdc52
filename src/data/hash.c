#include "data/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { BYTE_LABELS = 256, SPLITS = 2 };

static size_t label_size(const cnn_dataset *dataset)
{
    return cnn_dataset_class_count(dataset) <= BYTE_LABELS ? 1 : 2;
}

/* A split's labels as they are hashed. */
static cnn_status pack_labels(uint8_t **packed, const cnn_dataset *dataset, cnn_split split)
{
    size_t count = cnn_dataset_count(dataset, split), size = label_size(dataset);
    const uint16_t *labels = cnn_dataset_labels(dataset, split);
    cnn_status status = cnn_allocate(packed, count, size, "the labels");
    for (size_t i = 0; status == CNN_OK && i < count; i++)
        for (size_t byte = 0; byte < size; byte++)
            (*packed)[i * size + byte] = (uint8_t)(labels[i] >> 8 * byte);
    return status;
}

cnn_status cnn_dataset_hash(char text[CNN_HASH_SIZE], const cnn_dataset *dataset)
{
    char sizes[128];
    uint8_t *labels[SPLITS] = {NULL, NULL};
    const int *shape = cnn_dataset_shape(dataset);
    size_t image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    size_t train = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN);
    size_t test = cnn_dataset_count(dataset, CNN_SPLIT_TEST);
    size_t size = label_size(dataset);
    cnn_status status = CNN_OK;
    text[0] = '\0';
    snprintf(sizes, sizeof sizes, "%d,%d,%d %zu %zu\n", shape[0], shape[1], shape[2], train, test);
    CNN_TRY(pack_labels(&labels[0], dataset, CNN_SPLIT_TRAIN));
    CNN_TRY(pack_labels(&labels[1], dataset, CNN_SPLIT_TEST));
    const cnn_piece pieces[] = {
        {sizes, strlen(sizes)},    {cnn_dataset_images(dataset, CNN_SPLIT_TRAIN), train * image},
        {labels[0], train * size}, {cnn_dataset_images(dataset, CNN_SPLIT_TEST), test * image},
        {labels[1], test * size},
    };
    cnn_hash(text, pieces, sizeof pieces / sizeof pieces[0]);
out:
    free(labels[0]);
    free(labels[1]);
    return status;
}
