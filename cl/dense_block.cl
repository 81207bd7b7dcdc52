/* A linear layer with what stands around it, in one step: the flatten before it, which becomes an
 * order of the weights instead of a move of the activations, and the ReLU behind it.
 *   y = relu(x W^T + b), with W (OUT, C * PLANE) in PyTorch's order of features.
 * For devices whose work-items are long.
 *
 * Layout: x (N, PLANE, C): feature f = pixel * C + channel here, channel * PLANE + pixel in W.
 * Sums are made in blocks of blocks, so that rounding grows with the blocks' lengths alone (N. J.
 * Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 4.2).
 * Must be given: C, PLANE, OUT. With defaults: RELU 0 (1: with the ReLU). */
#if !defined(C) || !defined(PLANE) || !defined(OUT)
#error "C, PLANE and OUT must be given"
#endif
#ifndef RELU
#define RELU 0
#endif

#include "channels.cl"
#include "linear.cl"
#include "loop.cl"

#define FEATURES (C * PLANE)
#define WIDTH 16                       /* outputs or features of a register block */
#define SAMPLES 4                      /* samples of a register block */
#define CHUNK 64                       /* samples, or outputs, that a work-item walks over */
#define OUT_BLOCKS ((OUT + WIDTH - 1) / WIDTH)
#define FEATURE_BLOCKS ((FEATURES + WIDTH - 1) / WIDTH)
#define COLUMN(f) ((f) % C * PLANE + (f) / C) /* where W has feature f */

/* panels (OUT_BLOCKS, FEATURES, WIDTH): W turned over for the forward pass, filled up with
 * zeros, so that what a work-item reads again and again lies together. */
kernel void dense_pack_outputs(global float *restrict panels, const global float *restrict w,
                               int w_offset)
{
    FOR_EACH (row, OUT_BLOCKS * FEATURES) {
        const int f = row % FEATURES, first = row / FEATURES * WIDTH;
        for (int i = 0; i < WIDTH; ++i)
            panels[row * WIDTH + i] =
                first + i < OUT ? w[w_offset + (first + i) * FEATURES + COLUMN(f)] : 0.0f;
    }
}

/* panels (FEATURE_BLOCKS, OUT, WIDTH): W with its features in the order of x, for the gradient
 * of x. */
kernel void dense_pack_features(global float *restrict panels, const global float *restrict w,
                                int w_offset)
{
    FOR_EACH (row, FEATURE_BLOCKS * OUT) {
        const int o = row % OUT, first = row / OUT * WIDTH;
        for (int i = 0; i < WIDTH; ++i)
            panels[row * WIDTH + i] = first + i < FEATURES
                                          ? w[w_offset + o * FEATURES + COLUMN(first + i)]
                                          : 0.0f;
    }
}

#define SHORT 256   /* products of a block of a sum, */
#define LONG 16384 /* and of a block of such blocks */

/* sum (SAMPLES, 2) += other. */
static void add(float8 sum[SAMPLES][2], float8 other[SAMPLES][2])
{
#pragma unroll
    for (int s = 0; s < SAMPLES; ++s) {
        sum[s][0] += other[s][0];
        sum[s][1] += other[s][1];
    }
}

static void clear(float8 sum[SAMPLES][2])
{
#pragma unroll
    for (int s = 0; s < SAMPLES; ++s)
        sum[s][0] = sum[s][1] = (float8)0.0f;
}

/* sum = products `begin` to `end` - 1 of rows and panel. */
static void multiply_short(float8 sum[SAMPLES][2], const global float *const row[SAMPLES],
                           const global float *panel, int begin, int end)
{
    clear(sum);
    for (int i = begin; i < end; ++i) {
        const float8 w0 = vload8(0, panel + i * WIDTH), w1 = vload8(1, panel + i * WIDTH);
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s) {
            sum[s][0] = fma((float8)row[s][i], w0, sum[s][0]);
            sum[s][1] = fma((float8)row[s][i], w1, sum[s][1]);
        }
    }
}

/* sum = rows (SAMPLES, depth), `stride` apart, times panel (depth, WIDTH); rows beyond `last`
 * are read as the last. */
static void multiply(float8 sum[SAMPLES][2], const global float *rows, size_t stride, int last,
                     const global float *panel, int depth)
{
    const global float *row[SAMPLES];
#pragma unroll
    for (int s = 0; s < SAMPLES; ++s)
        row[s] = rows + min(s, last) * stride;
    multiply_short(sum, row, panel, 0, min(SHORT, depth));
    for (int outer = 0; outer < depth; outer += LONG) {
        float8 part[SAMPLES][2], some[SAMPLES][2];
        clear(part);
        for (int i = max(outer, SHORT); i < min(outer + LONG, depth); i += SHORT) {
            multiply_short(some, row, panel, i, min(i + SHORT, depth));
            add(part, some);
        }
        add(sum, part);
    }
}

/* y (n, OUT) from x (n, FEATURES). A work-item computes one block of outputs of one chunk of the
 * samples. */
kernel void dense_forward(global float *restrict y, const global float *restrict x,
                          const global float *restrict panels,
                          const global float *restrict parameters, int b_offset, int n)
{
    const int block = get_global_id(0) % OUT_BLOCKS, o = block * WIDTH;
    const int begin = get_global_id(0) / OUT_BLOCKS * CHUNK, end = min(n, begin + CHUNK);
    const float8 bias[2] = {load_channels(parameters + b_offset, o, OUT),
                            load_channels(parameters + b_offset, o + 8, OUT)};
    for (int first = begin; first < end; first += SAMPLES) {
        float8 sum[SAMPLES][2];
        multiply(sum, x + first * (size_t)FEATURES, FEATURES, end - 1 - first,
                 panels + block * (size_t)(FEATURES * WIDTH), FEATURES);
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            if (first + s < end)
#pragma unroll
                for (int v = 0; v < 2; ++v) {
                    float8 value = sum[s][v] + bias[v];
                    if (RELU)
                        value = select(value, (float8)0.0f, value < (float8)0.0f);
                    store_channels(value, y + (first + s) * (size_t)OUT, o + 8 * v, OUT);
                }
    }
}

/* dy (n, OUT), in place: zero where the ReLU stopped the value y (n, OUT). */
kernel void dense_gate(global float *restrict dy, const global float *restrict y, int n)
{
    FOR_EACH (i, (size_t)n * OUT)
        dy[i] = y[i] <= 0.0f ? 0.0f : dy[i];
}

/* dx (n, FEATURES) from dy (n, OUT). A work-item computes one block of features of one chunk of the
 * samples. */
kernel void dense_input(global float *restrict dx, const global float *restrict dy,
                        const global float *restrict panels, int n)
{
    const int block = get_global_id(0) % FEATURE_BLOCKS, f = block * WIDTH;
    const int begin = get_global_id(0) / FEATURE_BLOCKS * CHUNK, end = min(n, begin + CHUNK);
    for (int first = begin; first < end; first += SAMPLES) {
        float8 sum[SAMPLES][2];
        multiply(sum, dy + first * (size_t)OUT, OUT, end - 1 - first,
                 panels + block * (size_t)(OUT * WIDTH), OUT);
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            if (first + s < end)
#pragma unroll
                for (int v = 0; v < 2; ++v)
                    store_channels(sum[s][v], dx + (first + s) * (size_t)FEATURES, f + 8 * v,
                                   FEATURES);
    }
}

#define OUTPUTS 4 /* outputs of a register block */
#define ROWS 64   /* samples whose features are brought together first: they lie far apart */

/* Adds to sums (OUTPUTS, 2), of outputs `first` on, that of `count` samples: rows (count, 2), dy
 * (count, OUT). */
static void add_rows(float8 (*sums)[2], const global float *dy, const float8 (*rows)[2], int first,
                     int count)
{
    float8 sum[OUTPUTS][2];
    int output[OUTPUTS];
#pragma unroll
    for (int j = 0; j < OUTPUTS; ++j) {
        sum[j][0] = sum[j][1] = (float8)0.0f;
        output[j] = min(first + j, OUT - 1);
    }
    for (int s = 0; s < count; ++s, dy += OUT)
#pragma unroll
        for (int j = 0; j < OUTPUTS; ++j) {
            sum[j][0] = fma((float8)dy[output[j]], rows[s][0], sum[j][0]);
            sum[j][1] = fma((float8)dy[output[j]], rows[s][1], sum[j][1]);
        }
#pragma unroll
    for (int j = 0; j < OUTPUTS; ++j) {
        sums[j][0] += sum[j][0];
        sums[j][1] += sum[j][1];
    }
}

/* dW (OUT, FEATURES), in PyTorch's order, at its offset, from dy (n, OUT) and x (n, FEATURES). A
 * work-item takes one block of features and one chunk of the outputs. */
kernel void dense_weights(global float *restrict gradients, int w_offset,
                          const global float *restrict dy, const global float *restrict x, int n)
{
    const int f = get_global_id(0) % FEATURE_BLOCKS * WIDTH;
    const int begin = get_global_id(0) / FEATURE_BLOCKS * CHUNK, outputs = min(OUT - begin, CHUNK);
    float8 sums[CHUNK][2], rows[ROWS][2];
    for (int j = 0; j < CHUNK; ++j)
        sums[j][0] = sums[j][1] = (float8)0.0f;
    for (int first = 0; first < n; first += ROWS) {
        const int count = min(ROWS, n - first);
        for (int s = 0; s < count; ++s) {
            const global float *row = x + (first + s) * (size_t)FEATURES;
            rows[s][0] = load_channels(row, f, FEATURES);
            rows[s][1] = load_channels(row, f + 8, FEATURES);
        }
        for (int j = 0; j < outputs; j += OUTPUTS)
            add_rows(sums + j, dy + first * (size_t)OUT, rows, begin + j, count);
    }
    for (int j = 0; j < outputs; ++j) {
        float values[WIDTH];
        vstore8(sums[j][0], 0, values);
        vstore8(sums[j][1], 1, values);
        for (int i = 0; i < WIDTH; ++i)
            if (f + i < FEATURES)
                gradients[w_offset + (begin + j) * FEATURES + COLUMN(f + i)] = values[i];
    }
}
