/* Random values from one stream, a draw for each tensor; layouts. */
#include <string.h>

#include "base/philox.h"
#include "doctor/check.h"

static const uint64_t seed = 0xD0C;

void cnn_fill_uniform(float *values, size_t count, double low, double high, uint64_t draw)
{
    uint32_t words[CNN_PHILOX_LANES];
    for (size_t i = 0; i < count; i++) {
        size_t lane = i % CNN_PHILOX_LANES;
        if (lane == 0)
            cnn_philox_block(words, seed, CNN_STREAM_USER, 0, draw,
                             (uint32_t)(i / CNN_PHILOX_LANES));
        values[i] = (float)(low + (high - low) * words[lane] / 0x1p32);
    }
}

void cnn_fill_bytes(uint8_t *values, size_t count, uint32_t bound, uint64_t draw)
{
    uint32_t words[CNN_PHILOX_LANES];
    for (size_t i = 0; i < count; i++) {
        size_t lane = i % CNN_PHILOX_LANES;
        if (lane == 0)
            cnn_philox_block(words, seed, CNN_STREAM_USER, 1, draw,
                             (uint32_t)(i / CNN_PHILOX_LANES));
        values[i] = (uint8_t)((uint64_t)words[lane] * bound >> 32);
    }
}

void cnn_fill_labels(uint16_t *values, size_t count, uint32_t bound, uint64_t draw)
{
    uint32_t words[CNN_PHILOX_LANES];
    for (size_t i = 0; i < count; i++) {
        size_t lane = i % CNN_PHILOX_LANES;
        if (lane == 0)
            cnn_philox_block(words, seed, CNN_STREAM_USER, 1, draw,
                             (uint32_t)(i / CNN_PHILOX_LANES));
        values[i] = (uint16_t)((uint64_t)words[lane] * bound >> 32);
    }
}

/* Each sample's matrix (rows, columns) to (columns, rows). */
static void transpose_each(float *target, const float *source, size_t rows, size_t columns, int n)
{
    for (int sample = 0; sample < n; sample++) {
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                target[c * rows + r] = source[r * columns + c];
        target += rows * columns;
        source += rows * columns;
    }
}

void cnn_to_device_layout(float *target, const float *source, cnn_shape shape, int n)
{
    transpose_each(target, source, (size_t)shape.c, (size_t)shape.h * (size_t)shape.w, n);
}

void cnn_to_host_layout(float *target, const float *source, cnn_shape shape, int n)
{
    transpose_each(target, source, (size_t)shape.h * (size_t)shape.w, (size_t)shape.c, n);
}

void cnn_randomise(cnn_model *model, uint64_t draw)
{
    static const double spread = 0.3;
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        if (info.rank > 1 || info.type != CNN_FLOAT32)
            continue; /* weights are random already */
        bool around_one = strstr(info.name, "running_var") ||
                          (strstr(info.name, "batchnorm") && strstr(info.name, ".weight"));
        double middle = around_one ? 1.0 : 0.0;
        cnn_fill_uniform(info.values, info.count, middle - spread, middle + spread, draw + i);
    }
}
