#include "data/pictures.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "image/decode.h"
#include "image/fit.h"

enum { FILE_LIMIT = 1 << 30, COLORS = 3, WIDE_BITS = 16 };

typedef struct picture_source {
    cnn_source base;
    cnn_tree tree;
    uint16_t *labels;
} picture_source;

static uint16_t get_label(const cnn_source *source, size_t index)
{
    return ((const picture_source *)source)->labels[index];
}

/* aim: what it is for; NULL: the whole picture. */
static cnn_status decode(cnn_picture *picture, const cnn_source *source, size_t index,
                         const cnn_aim *aim)
{
    const char *path = ((const picture_source *)source)->tree.files[index].path;
    void *data = NULL;
    size_t size;
    cnn_encoded from = {.source = path, .pixel_limit = CNN_IMAGE_PIXEL_LIMIT};
    cnn_status status = cnn_file_read(&data, &size, path, FILE_LIMIT);
    if (status != CNN_OK)
        return status;
    from.data = data;
    from.size = size;
    from.bits = aim ? aim->bits : 0;
    if (aim && !aim->exact)
        cnn_fit_least(&from.least_height, &from.least_width, aim->shape, aim->fit);
    status = cnn_decode_picture(picture, &from);
    free(data);
    return status;
}

static cnn_status fill(uint8_t *image, const cnn_source *source, size_t index, const cnn_aim *aim)
{
    cnn_picture picture = {0};
    cnn_status status = decode(&picture, source, index, aim);
    if (status != CNN_OK)
        return status;
    cnn_reduced from = {{{COLORS, picture.height, picture.width}, picture.pixels},
                        {picture.height, picture.width},
                        1};
    if (picture.reduction > 0)
        from =
            (cnn_reduced){from.image, {picture.full_height, picture.full_width}, picture.reduction};
    if (aim->exact && (picture.height != aim->shape[1] || picture.width != aim->shape[2]))
        status = cnn_fail(CNN_ERROR_ARGUMENT, "%s: a picture of another size",
                          ((const picture_source *)source)->tree.files[index].path);
    else
        status = cnn_fit_reduced(image, aim->shape, &from, aim->fit);
    cnn_picture_finish(&picture);
    return status;
}

/* Formats that have samples of 16 bits and do not say how many of these they use. */
static bool may_be_wide(const char *path)
{
    static const char *const ends[] = {".png", ".tif", ".tiff"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (cnn_ends_with_ignoring_case(path, ends[i]))
            return true;
    return false;
}

/* Of samples of 16 bits, some do not tell how many they have: a dark picture of 12 bits has none
 * above 1023. So they are taken as of the most that some pictures of the source have. */
static cnn_status measure_bits(cnn_source *source)
{
    enum { LOOKED_AT = 32 };
    const cnn_tree_file *files = ((const picture_source *)source)->tree.files;
    const char *path = NULL;
    size_t step = source->count / LOOKED_AT + 1;
    for (size_t i = 0; i < source->count; i += step) {
        cnn_picture picture = {0};
        const cnn_aim quiet = {.exact = true, .bits = WIDE_BITS};
        if (!may_be_wide(files[i].path))
            continue;
        cnn_status status = decode(&picture, source, i, &quiet);
        path = picture.bits > 0 ? files[i].path : path;
        source->bits = picture.bits > source->bits ? picture.bits : source->bits;
        cnn_picture_finish(&picture);
        if (status == CNN_ERROR_MEMORY)
            return status;
    }
    if (path && source->bits < WIDE_BITS)
        cnn_log(CNN_LOG_INFO,
                "%s and others: no sample of 16 bits is above %u: all are taken as %d bits", path,
                (1u << source->bits) - 1u, source->bits);
    return CNN_OK;
}

/* Of the first picture that can be read; without any it stays as it is. */
static cnn_status measure(cnn_source *source)
{
    cnn_picture picture = {0};
    cnn_status status = CNN_ERROR_DATA;
    const cnn_aim quiet = {.exact = true, .bits = WIDE_BITS};
    for (size_t i = 0; status != CNN_OK && i < source->count; i++) {
        status = decode(&picture, source, i, &quiet);
        if (status == CNN_ERROR_MEMORY)
            return status;
    }
    source->shape[0] = COLORS;
    if (status == CNN_OK) {
        source->shape[1] = picture.height;
        source->shape[2] = picture.width;
    }
    cnn_picture_finish(&picture);
    return measure_bits(source);
}

/* Names below the base, sizes and times. */
static void identify(cnn_hasher *hasher, const cnn_source *source, const char *base)
{
    const cnn_tree *tree = &((const picture_source *)source)->tree;
    size_t skip = strlen(base);
    cnn_hasher_add_text(hasher, "pictures %zu\n", tree->count);
    for (size_t i = 0; i < tree->count; i++) {
        const cnn_tree_file *file = &tree->files[i];
        const char *name = strncmp(file->path, base, skip) == 0 ? file->path + skip : file->path;
        cnn_hasher_add(hasher, name, strlen(name) + 1);
        cnn_hasher_add_text(hasher, "%" PRIu64 " %" PRId64 "\n", file->size, file->time);
    }
}

static void destroy(cnn_source *source)
{
    cnn_tree_finish(&((picture_source *)source)->tree);
    free(((picture_source *)source)->labels);
    free(source);
}

cnn_status cnn_source_from_pictures(cnn_source **source, cnn_tree *tree, uint16_t *labels)
{
    static const cnn_source_class kind = {get_label, fill, measure, NULL, destroy, identify};
    picture_source *result = NULL;
    cnn_status status = cnn_allocate(&result, 1, sizeof *result, "a data set");
    *source = NULL;
    if (status != CNN_OK) {
        cnn_tree_finish(tree);
        free(labels);
        return status;
    }
    *result = (picture_source){
        .base = {.kind = &kind, .count = tree->count}, .tree = *tree, .labels = labels};
    *tree = (cnn_tree){0};
    *source = &result->base;
    return CNN_OK;
}
