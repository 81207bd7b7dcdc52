/* Arrays as images and labels. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "data/npy.h"
#include "data/source.h"

enum { BYTE = 255, MOST_SIDE = 65535, COLORS = 3 };

/* How the images lie: where channels, rows and columns are among the axes, -1 for none. */
typedef struct arrangement {
    int shape[3];
    size_t strides[3]; /* in C order */
} arrangement;

static bool is_color(size_t channels)
{
    return channels == 1 || channels == COLORS;
}

static void set_axes(arrangement *how, const cnn_npy *npy, int channels, int rows)
{
    const int axes[3] = {channels, rows, rows + 1};
    for (int i = 0; i < 3; i++) {
        how->strides[i] = 1;
        for (int axis = axes[i] + 1; axis < npy->rank; axis++)
            how->strides[i] *= npy->shape[axis];
        how->shape[i] = axes[i] < 0 ? 1 : (int)npy->shape[axes[i]];
    }
}

/* (N, H, W), (N, H, W, C), (N, C, H, W), or (N, S * S). */
static cnn_status arrange(arrangement *how, const cnn_npy *npy, const char *source)
{
    bool good = npy->rank > 1 && npy->shape[0] > 0 && npy->shape[0] <= UINT32_MAX;
    for (int axis = 1; axis < npy->rank; axis++)
        good = good && npy->shape[axis] >= 1 && npy->shape[axis] <= MOST_SIDE;
    size_t side = npy->rank == 2 ? (size_t)(sqrt((double)npy->shape[1]) + 0.5) : 0;
    if (good && npy->rank == 3) {
        set_axes(how, npy, -1, 1);
    } else if (good && npy->rank == 4 && is_color(npy->shape[3])) {
        set_axes(how, npy, 3, 1);
    } else if (good && npy->rank == 4 && is_color(npy->shape[1])) {
        set_axes(how, npy, 1, 2);
    } else if (good && npy->rank == 2 && side * side == npy->shape[1]) {
        *how = (arrangement){{1, (int)side, (int)side}, {0, side, 1}};
    } else {
        char text[96] = "";
        for (int axis = 0, at = 0; axis < npy->rank; axis++)
            at += snprintf(text + at, sizeof text - (size_t)at, "%s%zu", axis ? ", " : "",
                           npy->shape[axis]);
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected images (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 "
                        "channels, found (%s)",
                        source, text);
    }
    return CNN_OK;
}

/* What a value is multiplied with to be a byte: 1, or 255 for shares of 1. 0: not known yet. */
static cnn_status find_scale(double *scale, const cnn_npy *npy, const char *source)
{
    double least = INFINITY, most = -INFINITY;
    bool whole = true, numbers = true;
    for (size_t i = 0; i < npy->count; i++) {
        double value = cnn_npy_get(npy, i);
        numbers = numbers && isfinite(value);
        whole = whole && value == floor(value);
        least = fmin(least, value);
        most = fmax(most, value);
    }
    bool is_share = npy->kind == 'b' || (npy->kind == 'f' && most <= 1.0);
    double meant = *scale > 0.0 ? *scale : is_share ? BYTE : 1.0;
    if (numbers && least >= 0.0 && most * meant <= BYTE && (meant > 1.0 || whole)) {
        if (*scale == 0.0 && meant > 1.0)
            cnn_log(CNN_LOG_INFO, "%s: pixels from 0 to 1 are taken as 0 to 255", source);
        *scale = meant;
        return CNN_OK;
    }
    static const char expected[] = "pixels as whole numbers from 0 to 255, or all from 0 to 1";
    if (!numbers)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected %s, found NaN or infinite values", source,
                        expected);
    return cnn_fail(CNN_ERROR_DATA, "%s: expected %s, found values from %g to %g%s: scale them%s",
                    source, expected, least, most, whole ? "" : ", not all of them whole",
                    *scale > 0.0 ? " as those before it" : "");
}

/* Bytes (N, C, H, W). */
cnn_status cnn_npy_take_images(uint8_t **images, int shape[3], const cnn_npy *npy, double *scale,
                               const char *source)
{
    bool bytes = npy->kind == 'u' && npy->width == 1;
    arrangement how = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(arrange(&how, npy, source));
    memcpy(shape, how.shape, sizeof how.shape);
    size_t image = npy->count / npy->shape[0], at = 0;
    if (!bytes)
        CNN_TRY(find_scale(scale, npy, source));
    CNN_TRY(cnn_allocate(images, npy->count, 1, source));
    for (size_t n = 0; n < npy->shape[0]; n++)
        for (int c = 0; c < how.shape[0]; c++)
            for (int y = 0; y < how.shape[1]; y++)
                for (int x = 0; x < how.shape[2]; x++) {
                    size_t place = n * image + (size_t)c * how.strides[0] +
                                   (size_t)y * how.strides[1] + (size_t)x * how.strides[2];
                    (*images)[at++] =
                        bytes && !npy->fortran
                            ? npy->values[place]
                            : (uint8_t)lround(cnn_npy_get(npy, place) * (bytes ? 1.0 : *scale));
                }
out:
    return status;
}

cnn_status cnn_npy_take_labels(uint16_t **labels, const cnn_npy *npy, size_t count,
                               const char *source)
{
    bool one = npy->rank == 1 || (npy->rank == 2 && npy->shape[1] == 1);
    if (!one)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected one label for each image, (N) or (N, 1), found an array of "
                        "%d dimensions%s",
                        source, npy->rank, npy->rank == 2 ? " with several columns" : "");
    if (npy->count != count)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected %zu labels, one for each image, found %zu",
                        source, count, npy->count);
    cnn_status status = cnn_allocate(labels, count, sizeof **labels, source);
    for (size_t i = 0; status == CNN_OK && i < count; i++) {
        double label = cnn_npy_get(npy, i);
        if (!(label >= 0.0 && label < CNN_CLASS_LIMIT && label == floor(label)))
            status = cnn_fail(CNN_ERROR_DATA,
                              "%s: label %zu: expected a whole number of 0 to %d, found %g", source,
                              i, CNN_CLASS_LIMIT - 1, label);
        else
            (*labels)[i] = (uint16_t)label;
    }
    return status;
}
