#include "data/hash.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

enum { BYTE_LABELS = 256, SPLITS = CNN_SPLIT_VAL + 1 };

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

/* A validation split is named only where there is one: the hashes of other data are older. */
static int describe(char *text, size_t size, const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    size_t counts[SPLITS];
    for (int i = 0; i < SPLITS; i++)
        counts[i] = cnn_dataset_count(dataset, (cnn_split)i);
    int length = snprintf(text, size, "%d,%d,%d %zu %zu", shape[0], shape[1], shape[2],
                          counts[CNN_SPLIT_TRAIN], counts[CNN_SPLIT_TEST]);
    if (counts[CNN_SPLIT_VAL] > 0)
        length += snprintf(text + length, size - (size_t)length, " %zu", counts[CNN_SPLIT_VAL]);
    return length + snprintf(text + length, size - (size_t)length, "\n");
}

/* Image by image where they are not in memory. */
static cnn_status add_images(cnn_hasher *hasher, uint8_t *buffer, const cnn_dataset *dataset,
                             cnn_split split, size_t image)
{
    size_t count = cnn_dataset_count(dataset, split);
    const uint8_t *images = cnn_dataset_images(dataset, split);
    cnn_status status = CNN_OK;
    if (images)
        cnn_hasher_add(hasher, images, count * image);
    for (size_t i = 0; !images && i < count; i++) {
        CNN_TRY(cnn_dataset_read(buffer, dataset, split, i));
        cnn_hasher_add(hasher, buffer, image);
    }
out:
    return status;
}

cnn_status cnn_dataset_hash(char text[CNN_HASH_SIZE], const cnn_dataset *dataset)
{
    char head[160];
    uint8_t *labels = NULL, *buffer = NULL;
    cnn_hasher *hasher = NULL;
    const int *shape = cnn_dataset_shape(dataset);
    size_t image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    cnn_status status = CNN_OK;
    text[0] = '\0';
    CNN_TRY(cnn_hasher_create(&hasher));
    CNN_TRY(cnn_allocate(&buffer, image, 1, "an image"));
    cnn_hasher_add(hasher, head, (size_t)describe(head, sizeof head, dataset));
    for (int i = 0; i < SPLITS; i++) {
        cnn_split split = (cnn_split)i;
        CNN_TRY(add_images(hasher, buffer, dataset, split, image));
        CNN_TRY(pack_labels(&labels, dataset, split));
        cnn_hasher_add(hasher, labels, cnn_dataset_count(dataset, split) * label_size(dataset));
        free(labels);
        labels = NULL;
    }
out:
    free(labels);
    free(buffer);
    cnn_hasher_end(status == CNN_OK ? text : NULL, hasher);
    return status;
}
