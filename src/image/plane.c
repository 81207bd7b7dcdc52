/* Scaling, one axis after the other: a value of the target is a weighted sum of neighbours. */
#include "image/plane.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

/* Which values of the source one value of the target takes, and how much of the first and the last:
 * all between have the weight `inner`. */
typedef struct span {
    int first, last;
    float head, inner, tail;
} span;

cnn_status cnn_plane_init(cnn_plane *plane, int width, int height)
{
    *plane = (cnn_plane){.width = width, .height = height};
    return cnn_allocate(&plane->values, (size_t)width * (size_t)height, sizeof(float), "an image");
}

cnn_status cnn_plane_copy(cnn_plane *plane, const cnn_plane *from)
{
    cnn_status status = cnn_plane_init(plane, from->width, from->height);
    if (status == CNN_OK)
        memcpy(plane->values, from->values,
               (size_t)from->width * (size_t)from->height * sizeof *plane->values);
    return status;
}

void cnn_plane_finish(cnn_plane *plane)
{
    free(plane->values);
    *plane = (cnn_plane){0};
}

/* Of target value `index`: the part of the source's axis that it covers. */
static span span_of_area(int index, int source, int target)
{
    double scale = (double)source / target;
    double low = index * scale, high = (index + 1) * scale;
    span at = {.first = (int)low, .last = (int)ceil(high) - 1, .inner = (float)(1.0 / scale)};
    at.last = at.last < source ? at.last : source - 1;
    at.last = at.last > at.first ? at.last : at.first;
    at.head = (float)((at.first + 1.0 - low) / scale);
    at.tail = (float)((high - at.last) / scale);
    if (at.first == at.last)
        at.head = 1.0f;
    return at;
}

/* The two values of the source around the middle of target value `index`. */
static span span_between(int index, int source, int target)
{
    double middle = (index + 0.5) * source / target - 0.5;
    middle = middle < 0.0 ? 0.0 : middle > source - 1.0 ? source - 1.0 : middle;
    span at = {.first = (int)middle};
    at.last = at.first + 1 < source ? at.first + 1 : at.first;
    at.tail = (float)(middle - at.first);
    at.head = at.first == at.last ? 1.0f : 1.0f - at.tail;
    return at;
}

static cnn_status make_spans(span **spans, int source, int target)
{
    cnn_status status = cnn_allocate(spans, (size_t)target, sizeof **spans, "an image");
    for (int i = 0; status == CNN_OK && i < target; i++)
        (*spans)[i] =
            source > target ? span_of_area(i, source, target) : span_between(i, source, target);
    return status;
}

static float weight_in(const span *at, int index)
{
    if (index == at->first)
        return at->head;
    return index == at->last ? at->tail : at->inner;
}

static float value_at(const cnn_area *from, size_t index)
{
    return from->bytes ? (float)from->bytes[index] : from->floats[index];
}

/* Adds a row of the source, scaled and weighted, to a row of the target. */
static void add_row(float *target, const cnn_area *from, int y, float weight, const span *columns,
                    int width)
{
    size_t row = (size_t)(from->top + y) * (size_t)from->stride + (size_t)from->left;
    for (int x = 0; x < width; x++) {
        const span *at = &columns[x];
        float inner = 0.0f;
        for (int i = at->first + 1; i < at->last; i++)
            inner += value_at(from, row + (size_t)i);
        float sum = at->head * value_at(from, row + (size_t)at->first) + at->inner * inner;
        if (at->last > at->first)
            sum += at->tail * value_at(from, row + (size_t)at->last);
        target[x] += weight * sum;
    }
}

cnn_status cnn_plane_scale(cnn_plane *target, const cnn_area *from)
{
    span *columns = NULL, *rows = NULL;
    size_t width = (size_t)target->width;
    cnn_status status = CNN_OK;
    CNN_TRY(make_spans(&columns, from->width, target->width));
    CNN_TRY(make_spans(&rows, from->height, target->height));
    memset(target->values, 0, width * (size_t)target->height * sizeof(float));
    for (int y = 0; y < target->height; y++)
        for (int i = rows[y].first; i <= rows[y].last; i++)
            add_row(target->values + (size_t)y * width, from, i, weight_in(&rows[y], i), columns,
                    target->width);
out:
    free(columns);
    free(rows);
    return status;
}
