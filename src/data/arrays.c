/* A data set from the caller's arrays. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "data/source.h"
#include "image/idx.h"

static cnn_status check_split(const char *name, const uint8_t *images, const uint16_t *labels,
                              size_t count)
{
    if (count > UINT32_MAX)
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s images: expected at most %u, found %zu", name,
                        UINT32_MAX, count);
    if (count > 0 && (!images || !labels))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "%s split: expected arrays of %zu images and labels, "
                        "found none",
                        name, count);
    return CNN_OK;
}

static cnn_status check_arguments(const int shape[3], size_t train_count)
{
    for (int axis = 0; axis < 3; axis++)
        if (shape[axis] < 1 || shape[axis] > CNN_IDX_MAX_SIDE)
            return cnn_fail(CNN_ERROR_ARGUMENT,
                            "images: expected sizes of 1 to %d, found %d x %d x %d",
                            CNN_IDX_MAX_SIDE, shape[0], shape[1], shape[2]);
    if (train_count == 0)
        return cnn_fail(CNN_ERROR_ARGUMENT, "training images: expected at least 1, found none");
    return CNN_OK;
}

static cnn_status copy_split(cnn_source **source, const int shape[3], const uint8_t *images,
                             const uint16_t *labels, size_t count)
{
    uint8_t *own_images = NULL;
    uint16_t *own_labels = NULL;
    cnn_status status = CNN_OK;
    size_t size = count;
    if (count == 0)
        return CNN_OK;
    for (int axis = 0; axis < 3; axis++)
        if (!cnn_multiply_size(&size, size, (size_t)shape[axis]))
            return cnn_fail_memory(SIZE_MAX, "images");
    CNN_TRY(cnn_allocate(&own_images, size, 1, "images"));
    CNN_TRY(cnn_allocate(&own_labels, count, sizeof *labels, "labels"));
    memcpy(own_images, images, size);
    memcpy(own_labels, labels, count * sizeof *labels);
    return cnn_source_from_memory(source, shape, count, own_images, own_labels);
out:
    free(own_images);
    free(own_labels);
    return status;
}

cnn_status cnn_dataset_create(cnn_dataset **dataset, const int shape[3],
                              const uint8_t *train_images, const uint16_t *train_labels,
                              size_t train_count, const uint8_t *test_images,
                              const uint16_t *test_labels, size_t test_count)
{
    CNN_NEED(dataset, shape);
    *dataset = NULL;
    cnn_sources sources = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(check_arguments(shape, train_count));
    CNN_TRY(check_split("training", train_images, train_labels, train_count));
    CNN_TRY(check_split("test", test_images, test_labels, test_count));
    CNN_TRY(copy_split(&sources.splits[CNN_SPLIT_TRAIN], shape, train_images, train_labels,
                       train_count));
    CNN_TRY(
        copy_split(&sources.splits[CNN_SPLIT_TEST], shape, test_images, test_labels, test_count));
    status = cnn_dataset_from_sources(dataset, &sources, NULL, NULL);
out:
    cnn_sources_finish(&sources);
    return status;
}
