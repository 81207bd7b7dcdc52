/* Files of images: a picture, or an IDX file's many. */
#include <stdlib.h>
#include <string.h>

#include <cnncl/image.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/signature.h"
#include "base/status.h"
#include "image/decode.h"
#include "image/formats.h"
#include "image/idx.h"

enum { FILE_LIMIT = 1 << 30, ORIENTATIONS = 9 };

struct cnn_images {
    size_t count;
    int shape[3];
    uint8_t *pixels; /* (count, C, H, W) */
    bool is_idx;
};

cnn_status cnn_picture_allocate(cnn_picture *picture, uint64_t width, uint64_t height,
                                const cnn_encoded *from)
{
    if (width < 1 || height < 1 || width > CNN_PICTURE_MAX_SIDE || height > CNN_PICTURE_MAX_SIDE ||
        width * height > from->pixel_limit)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected sides of 1 to %d and at most %zu pixels, found %llu x %llu: "
                        "scale it down",
                        from->source, CNN_PICTURE_MAX_SIDE, from->pixel_limit,
                        (unsigned long long)width, (unsigned long long)height);
    picture->width = (int)width;
    picture->height = (int)height;
    return cnn_allocate(&picture->pixels, (size_t)(width * height), CNN_PICTURE_CHANNELS,
                        from->source);
}

cnn_status cnn_picture_check_expansion(uint64_t width, uint64_t height, uint64_t most,
                                       const cnn_encoded *from, const char *format)
{
    if (width * height / most <= from->size)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: damaged or truncated %s: %llu x %llu pixels are more than a file of %zu "
                    "bytes can hold",
                    from->source, format, (unsigned long long)width, (unsigned long long)height,
                    from->size);
}

void cnn_picture_set_row(cnn_picture *picture, int y, const uint8_t *row)
{
    size_t width = (size_t)picture->width, plane = width * (size_t)picture->height;
    uint8_t *target = picture->pixels + (size_t)y * width;
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < CNN_PICTURE_CHANNELS; c++)
            target[c * plane + x] = row[CNN_PICTURE_CHANNELS * x + c];
}

/* Where row 0 and column 0 of what is stored lie in what is seen: the table of tag 0x0112. */
static const struct turn {
    bool flip_x, flip_y, swap;
} turns[ORIENTATIONS] = {
    [2] = {true, false, false}, [3] = {true, true, false}, [4] = {false, true, false},
    [5] = {false, false, true}, [6] = {true, false, true}, [7] = {true, true, true},
    [8] = {false, true, true},
};

cnn_status cnn_picture_orient(cnn_picture *picture, int orientation)
{
    const struct turn turn = turns[orientation];
    if (orientation == 1)
        return CNN_OK;
    int width = turn.swap ? picture->height : picture->width;
    int height = turn.swap ? picture->width : picture->height;
    size_t plane = (size_t)width * (size_t)height;
    uint8_t *turned = NULL;
    cnn_status status = cnn_allocate(&turned, plane, CNN_PICTURE_CHANNELS, "a picture");
    if (status != CNN_OK)
        return status;
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++) {
            int column = turn.swap ? y : x, row = turn.swap ? x : y;
            column = turn.flip_x ? width - 1 - column : column;
            row = turn.flip_y ? height - 1 - row : row;
            size_t from = (size_t)y * (size_t)picture->width + (size_t)x;
            size_t to = (size_t)row * (size_t)width + (size_t)column;
            for (size_t c = 0; c < CNN_PICTURE_CHANNELS; c++)
                turned[c * plane + to] = picture->pixels[c * plane + from];
        }
    free(picture->pixels);
    picture->width = width;
    picture->height = height;
    picture->pixels = turned;
    return CNN_OK;
}

void cnn_picture_finish(cnn_picture *picture)
{
    free(picture->pixels);
    *picture = (cnn_picture){0};
}

static bool is_gzip(const uint8_t *data, size_t size)
{
    return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

static bool is_idx(const uint8_t *data, size_t size)
{
    return size >= 4 && data[0] == 0 && data[1] == 0 && data[3] >= 1 && data[3] <= CNN_IDX_MAX_RANK;
}

cnn_status cnn_decode_picture(cnn_picture *picture, const cnn_encoded *from)
{
    char found[CNN_SIGNATURE_TEXT];
    cnn_decoder decoder = cnn_decoder_find(from->data, from->size);
    if (decoder)
        return decoder(picture, from);
    if (is_gzip(from->data, from->size) || is_idx(from->data, from->size))
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected a picture here (%s): IDX and gzipped files are read by their "
                        "path alone",
                        from->source, cnn_image_formats());
    return cnn_fail(CNN_ERROR_DATA, "%s: expected a picture (%s) or an IDX file, found %s",
                    from->source, cnn_image_formats(),
                    cnn_signature_found(found, from->data, from->size, CNN_WANTED_PICTURE));
}

cnn_status cnn_images_decode(cnn_images **images, const void *data, size_t size, const char *source,
                             size_t pixel_limit)
{
    CNN_NEED(images, data, source);
    *images = NULL;
    cnn_images *result = NULL;
    cnn_picture picture = {0};
    cnn_status status = CNN_OK;
    if (pixel_limit == 0 || pixel_limit > CNN_IMAGE_PIXEL_LIMIT)
        pixel_limit = CNN_IMAGE_PIXEL_LIMIT;
    CNN_TRY(cnn_decode_picture(
        &picture,
        &(cnn_encoded){.data = data, .size = size, .source = source, .pixel_limit = pixel_limit}));
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, source));
    *result = (cnn_images){.count = 1,
                           .shape = {CNN_PICTURE_CHANNELS, picture.height, picture.width},
                           .pixels = picture.pixels};
    picture.pixels = NULL;
    *images = result;
out:
    cnn_picture_finish(&picture);
    return status;
}

static cnn_status load_idx(cnn_images **images, const char *path)
{
    cnn_images *result = NULL;
    cnn_idx idx = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_idx_read(&idx, path, 3, 4));
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, path));
    result->count = idx.shape[0];
    result->is_idx = true;
    result->shape[0] = 1;
    for (int axis = 1; axis < idx.rank; axis++)
        result->shape[axis + 3 - idx.rank] = (int)idx.shape[axis];
    result->pixels = idx.values;
    idx.values = NULL;
    if (cnn_is_emnist(path)) {
        int height = result->shape[1], width = result->shape[2];
        CNN_TRY(cnn_images_turn(result->pixels, idx.size / ((size_t)height * (size_t)width),
                                (size_t)height, (size_t)width));
        result->shape[1] = width;
        result->shape[2] = height;
        cnn_images_tell_turned(path);
    }
    *images = result;
    result = NULL;
out:
    cnn_idx_finish(&idx);
    cnn_images_destroy(result);
    return status;
}

cnn_status cnn_images_load(cnn_images **images, const char *path)
{
    CNN_NEED(images, path);
    void *data = NULL;
    size_t size;
    *images = NULL;
    cnn_status status = cnn_file_read_stream(&data, &size, path, FILE_LIMIT);
    if (status != CNN_OK)
        return status;
    if (is_gzip(data, size) || is_idx(data, size))
        status = load_idx(images, path);
    else
        status = cnn_images_decode(images, data, size, path, 0);
    free(data);
    return status;
}

void cnn_images_destroy(cnn_images *images)
{
    if (!images)
        return;
    free(images->pixels);
    free(images);
}

size_t cnn_images_count(const cnn_images *images)
{
    if (!images)
        return 0;
    return images->count;
}

cnn_image cnn_images_get(const cnn_images *images, size_t index)
{
    if (!images || index >= images->count)
        return (cnn_image){0};
    cnn_image image = {.pixels = images->pixels};
    size_t size = 1;
    for (int axis = 0; axis < 3; axis++) {
        image.shape[axis] = images->shape[axis];
        size *= (size_t)images->shape[axis];
    }
    image.pixels += index * size;
    return image;
}

bool cnn_images_are_idx(const cnn_images *images)
{
    if (!images)
        return false;
    return images->is_idx;
}
