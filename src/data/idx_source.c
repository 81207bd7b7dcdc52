#include "data/idx_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "data/idx.h"

/* expected: of the training images, NULL for those themselves. */
static cnn_status check_shape(int shape[3], const cnn_idx *images, const cnn_source *expected,
                              cnn_split split, const cnn_folder *folder)
{
    shape[0] = 1;
    for (int axis = 1; axis < images->rank; axis++)
        shape[axis + 3 - images->rank] = (int)images->shape[axis];
    if (!expected || memcmp(shape, expected->shape, sizeof expected->shape) == 0)
        return CNN_OK;
    return cnn_fail(
        CNN_ERROR_DATA, "%s: images: expected %d x %d x %d, as in %s, found %d x %d x %d",
        folder->paths[2 * split + CNN_FOLDER_IMAGES], expected->shape[0], expected->shape[1],
        expected->shape[2], folder->paths[CNN_FOLDER_IMAGES], shape[0], shape[1], shape[2]);
}

static cnn_status widen_labels(uint16_t **wide, const cnn_idx *labels)
{
    cnn_status status = cnn_allocate(wide, labels->shape[0], sizeof **wide, "labels");
    for (size_t i = 0; status == CNN_OK && i < labels->shape[0]; i++)
        (*wide)[i] = labels->values[i];
    return status;
}

static cnn_status open_split(cnn_sources *sources, cnn_split split, const cnn_folder *folder)
{
    const char *image_path = folder->paths[2 * split + CNN_FOLDER_IMAGES];
    const char *label_path = folder->paths[2 * split + CNN_FOLDER_LABELS];
    cnn_status status = CNN_OK;
    cnn_idx images = {0}, labels = {0};
    uint16_t *wide = NULL;
    int shape[3];
    CNN_TRY(cnn_idx_read(&labels, label_path, 1, 1));
    CNN_TRY(cnn_idx_read(&images, image_path, 3, 4));
    CNN_TRY(check_shape(shape, &images, sources->splits[CNN_SPLIT_TRAIN], split, folder));
    if (labels.shape[0] != images.shape[0]) {
        status = cnn_fail(
            CNN_ERROR_DATA, "%s: count: expected %u labels, one for each image of %s, found %u",
            label_path, (unsigned)images.shape[0], image_path, (unsigned)labels.shape[0]);
        goto out;
    }
    CNN_TRY(widen_labels(&wide, &labels));
    status = cnn_source_from_memory(&sources->splits[split], shape, images.shape[0], images.values,
                                    wide);
    images.values = NULL;
out:
    cnn_idx_finish(&images);
    cnn_idx_finish(&labels);
    return status;
}

cnn_status cnn_idx_sources(cnn_sources *sources, const cnn_folder *folder)
{
    cnn_status status = open_split(sources, CNN_SPLIT_TRAIN, folder);
    return status == CNN_OK ? open_split(sources, CNN_SPLIT_TEST, folder) : status;
}
