#include "tensor/gemm_check.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/rounding.h"
#include "base/status.h"

/* A matrix as it is stored: rows of `width` values, `stride` apart, the first at `offset`. */
typedef struct stored {
    size_t rows, width, stride, offset;
    float *values; /* (floats of it) */
    cnn_buffer buffer;
} stored;

/* A product and its matrices: the two factors, and what came out. */
typedef struct product {
    cnn_gemm_shape shape;
    stored a, b, c;
    cnn_buffer scratch;
} product;

static size_t count_floats(const stored *at)
{
    return at->offset + at->rows * at->stride;
}

/* Random values between -1 and 1, or NaN everywhere. */
static cnn_status make(stored *at, cnn_device *device, bool random, uint64_t draw)
{
    uint32_t words[CNN_PHILOX_LANES] = {0};
    size_t count = count_floats(at), bytes = count * sizeof(float);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&at->values, count, sizeof(float), "the check of matrix products"));
    for (size_t i = 0; i < count; i++) {
        if (i % CNN_PHILOX_LANES == 0)
            cnn_philox_block(words, 1, CNN_STREAM_USER, 2, draw, (uint32_t)(i / CNN_PHILOX_LANES));
        at->values[i] = random ? (float)(words[i % CNN_PHILOX_LANES] >> 8) * 0x1p-23f - 1.0f : NAN;
    }
    CNN_TRY(cnn_buffer_init(&at->buffer, device, bytes, "the check of matrix products"));
    status = cnn_buffer_write(&at->buffer, 0, at->values, bytes);
out:
    return status;
}

static cnn_status make_product(product *at, cnn_device *device, size_t gap)
{
    const cnn_gemm_shape *s = &at->shape;
    size_t m = s->m, n = s->n, k = s->k, bytes;
    cnn_status status = CNN_OK;
    at->a = (stored){.rows = s->transpose_a ? k : m, .width = s->transpose_a ? m : k};
    at->b = (stored){.rows = s->transpose_b ? n : k, .width = s->transpose_b ? k : n};
    at->c = (stored){.rows = m, .width = n};
    stored *const all[] = {&at->a, &at->b, &at->c};
    for (size_t i = 0; i < 3; i++) {
        all[i]->stride = all[i]->width + gap;
        all[i]->offset = 2 * gap + i * gap;
        CNN_TRY(make(all[i], device, i < 2, i));
    }
    CNN_TRY(cnn_gemm_scratch_bytes(&bytes, device, s, at->a.stride, at->b.stride, at->c.stride));
    if (bytes > 0)
        status = cnn_buffer_init(&at->scratch, device, bytes, "the check of matrix products");
out:
    return status;
}

static void finish_product(product *at)
{
    stored *const all[] = {&at->a, &at->b, &at->c};
    for (int i = 0; i < 3; i++) {
        cnn_buffer_finish(&all[i]->buffer);
        free(all[i]->values);
    }
    cnn_buffer_finish(&at->scratch);
}

static double element(const stored *at, bool transposed, size_t row, size_t column)
{
    size_t r = transposed ? column : row, c = transposed ? row : column;
    return at->values[at->offset + r * at->stride + c];
}

/* All values of a small product, some thousand of a large one, in the norm of what is expected. */
static bool values_are_right(const product *at)
{
    enum { MOST = 1 << 14 };
    static const double least = 5e-6;
    const cnn_gemm_shape *s = &at->shape;
    double tolerance = fmax(least, cnn_rounding(cnn_gemm_sum_length(s->k)));
    size_t count = s->m * s->n, step = count / MOST + 1;
    double error = 0.0, norm = 0.0;
    if (step > 1)
        step |= 1; /* not always the same columns */
    for (size_t i = 0; i < count; i += step) {
        size_t row = i / s->n, column = i % s->n;
        double sum = 0.0;
        for (size_t k = 0; k < s->k; k++)
            sum += element(&at->a, s->transpose_a, row, k) *
                   element(&at->b, s->transpose_b, k, column);
        double off = element(&at->c, false, row, column) - sum;
        error += off * off;
        norm += sum * sum;
    }
    return error <= tolerance * tolerance * norm; /* false for NaN */
}

/* What lies around the product's rows is NaN still. */
static bool gaps_are_untouched(const stored *c)
{
    for (size_t i = 0; i < count_floats(c); i++)
        if ((i < c->offset || (i - c->offset) % c->stride >= c->width) && !isnan(c->values[i]))
            return false;
    return true;
}

static cnn_matrix view(const stored *at)
{
    return (cnn_matrix){at->buffer.mem, at->offset, at->stride};
}

static cnn_status check(bool *right, cnn_device *device, cnn_gemm_shape shape, size_t gap)
{
    product at = {.shape = shape};
    cnn_status status = CNN_OK;
    *right = false;
    CNN_TRY(make_product(&at, device, gap));
    CNN_TRY(cnn_gemm(device, &shape, view(&at.a), view(&at.b), view(&at.c), at.scratch.mem));
    CNN_TRY(cnn_buffer_read(at.c.values, &at.c.buffer, 0, count_floats(&at.c) * sizeof(float)));
    *right = values_are_right(&at) && gaps_are_untouched(&at.c);
out:
    finish_product(&at);
    return status;
}

cnn_status cnn_gemm_check_shape(bool *right, cnn_device *device, const cnn_gemm_shape *shape)
{
    return check(right, device, *shape, 0);
}

cnn_status cnn_gemm_check(bool *right, cnn_device *device, bool thorough, size_t beyond)
{
    /* One, primes, and both sides of the edges of tiles. */
    static const size_t sizes[][3] = {{37, 29, 41},  {64, 64, 64},   {1, 1, 1},     {5, 3, 7},
                                      {16, 48, 32},  {33, 17, 65},   {1, 100, 31},  {100, 1, 64},
                                      {70, 129, 90}, {131, 67, 127}, {256, 10, 32}, {10, 200, 256}};
    enum { FEW = 1, ALL = sizeof sizes / sizeof sizes[0], TRANSPOSES = 4 };
    cnn_status status = CNN_OK;
    size_t count = thorough ? ALL : FEW;
    *right = true;
    for (size_t i = 0; *right && status == CNN_OK && i < count * TRANSPOSES; i++) {
        const size_t *size = sizes[i / TRANSPOSES];
        cnn_gemm_shape shape = {i & 1, i >> 1 & 1, size[0], size[1], size[2]};
        status = check(right, device, shape, i / TRANSPOSES % 2 ? 0 : i % TRANSPOSES);
    }
    if (*right && status == CNN_OK && beyond > 1) {
        cnn_gemm_shape larger = {false, true, beyond + 1, beyond + 3, beyond + 5};
        status = check(right, device, larger, 0);
    }
    return status;
}
