/* What all sources have in common, and samples that lie in memory. */
#include "data/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

void cnn_source_destroy(cnn_source *source)
{
    if (source)
        source->kind->destroy(source);
}

void cnn_sources_finish(cnn_sources *sources)
{
    for (int i = 0; i < CNN_SPLITS; i++)
        cnn_source_destroy(sources->splits[i]);
    cnn_names_finish(&sources->names);
    *sources = (cnn_sources){0};
}

typedef struct memory_source {
    cnn_source base;
    uint8_t *images;
    uint16_t *labels;
} memory_source;

static uint16_t get_label(const cnn_source *source, size_t index)
{
    return ((const memory_source *)source)->labels[index];
}

static cnn_status fill(uint8_t *image, const cnn_source *source, size_t index, const cnn_aim *aim)
{
    const memory_source *from = (const memory_source *)source;
    const int *have = source->shape;
    size_t size = (size_t)have[0] * (size_t)have[1] * (size_t)have[2];
    const cnn_image whole = {{have[0], have[1], have[2]}, from->images + index * size};
    if (memcmp(have, aim->shape, sizeof source->shape) != 0)
        return cnn_image_fit(image, aim->shape, &whole, aim->fit);
    memcpy(image, whole.pixels, size);
    return CNN_OK;
}

static uint8_t *take(cnn_source *source)
{
    uint8_t *images = ((memory_source *)source)->images;
    ((memory_source *)source)->images = NULL;
    return images;
}

static void destroy(cnn_source *source)
{
    free(((memory_source *)source)->images);
    free(((memory_source *)source)->labels);
    free(source);
}

cnn_status cnn_source_from_memory(cnn_source **source, const int shape[3], size_t count,
                                  uint8_t *images, uint16_t *labels)
{
    static const cnn_source_class kind = {get_label, fill, NULL, take, destroy, NULL};
    memory_source *result = NULL;
    cnn_status status = cnn_allocate(&result, 1, sizeof *result, "a data set");
    *source = NULL;
    if (status != CNN_OK) {
        free(images);
        free(labels);
        return status;
    }
    *result = (memory_source){
        .base = {.kind = &kind, .count = count}, .images = images, .labels = labels};
    memcpy(result->base.shape, shape, sizeof result->base.shape);
    *source = &result->base;
    return CNN_OK;
}
