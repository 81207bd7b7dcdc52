/* A picture as the input of a network of any shape. */
#include <string.h>

#include <cnncl/image.h>

#include "base/status.h"
#include "image/check.h"
#include "image/plane.h"

/* ITU-R BT.601: how bright red, green and blue are. */
static const float brightness[3] = {0.299f, 0.587f, 0.114f};

static cnn_status check_sides(const int shape[3], const char *what)
{
    for (int axis = 0; axis < 3; axis++)
        if (shape[axis] < 1)
            return cnn_fail(CNN_ERROR_ARGUMENT, "expected %s of sides above 0, found %d x %d x %d",
                            what, shape[0], shape[1], shape[2]);
    return CNN_OK;
}

cnn_status cnn_image_check(const int shape[3], const cnn_image *image)
{
    cnn_status status = check_sides(shape, "an input");
    if (status == CNN_OK)
        status = check_sides(image->shape, "an image");
    if (status == CNN_OK && !image->pixels)
        status = cnn_fail(CNN_ERROR_ARGUMENT, "expected an image's pixels, found NULL");
    return status;
}

static cnn_status check_channels(const int shape[3], const cnn_image *image)
{
    int wanted = shape[0], found = image->shape[0];
    if (wanted == found || (wanted == 1 && found == 3) || (wanted == 3 && found == 1))
        return CNN_OK;
    return cnn_fail(CNN_ERROR_ARGUMENT,
                    "an image of %d channels does not become one of %d: give images of %d", found,
                    wanted, wanted);
}

/* values += factor * channel. */
static cnn_status add_channel(float *values, cnn_plane *plane, const cnn_image *image, int channel,
                              float factor)
{
    size_t size = (size_t)image->shape[1] * (size_t)image->shape[2];
    cnn_area from = {.bytes = image->pixels + (size_t)channel * size,
                     .stride = image->shape[2],
                     .width = image->shape[2],
                     .height = image->shape[1]};
    cnn_status status = cnn_plane_scale(plane, &from);
    size_t count = (size_t)plane->width * (size_t)plane->height;
    for (size_t i = 0; status == CNN_OK && i < count; i++)
        values[i] += factor * plane->values[i];
    return status;
}

cnn_status cnn_image_to_input(float *values, const int shape[3], const cnn_image *image)
{
    CNN_NEED(values, shape, image);
    cnn_status status = cnn_image_check(shape, image);
    if (status != CNN_OK)
        return status;
    cnn_plane plane = {0};
    size_t count = (size_t)shape[1] * (size_t)shape[2];
    bool to_grey = shape[0] == 1 && image->shape[0] == 3;
    status = check_channels(shape, image);
    if (status != CNN_OK)
        return status;
    memset(values, 0, (size_t)shape[0] * count * sizeof *values);
    CNN_TRY(cnn_plane_init(&plane, shape[2], shape[1]));
    for (int c = 0; c < (to_grey ? 3 : shape[0]); c++) {
        float *target = values + (to_grey ? 0 : (size_t)c * count);
        float factor = (to_grey ? brightness[c] : 1.0f) / 255.0f;
        CNN_TRY(add_channel(target, &plane, image, c < image->shape[0] ? c : 0, factor));
    }
out:
    cnn_plane_finish(&plane);
    return status;
}
