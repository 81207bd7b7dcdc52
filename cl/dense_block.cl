/* A linear layer with what stands around it, in one step: the flatten before it, which becomes an
 * order of the weights instead of a move of the activations, and the ReLU behind it.
 *   y = relu(x W^T + b), with W (outputs, channels * plane) in PyTorch's order of features.
 * For devices whose work-items are long.
 *
 * Layout: x (N, plane, channels): feature f = pixel * channels + channel here, channel * plane +
 * pixel in W; features: channels * plane.
 * Sums are made in blocks of blocks, so that rounding grows with the blocks' lengths alone (N. J.
 * Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 4.2).
 * Nothing is an option, so that one program serves all layers of all networks. */
#include "channels.cl"
#include "loop.cl"

#define WIDTH 16                       /* outputs or features of a register block */
#define SAMPLES 4                      /* samples of a register block */
#define CHUNK 64                       /* samples, or outputs, that a work-item walks over */
#define BLOCKS(count) (((count) + WIDTH - 1) / WIDTH)

/* Do features lie in the same order in x and in W? */
static int is_in_order(int channels, int plane)
{
    return channels == 1 || plane == 1;
}

/* Where W has feature f. */
static int column(int f, int channels, int plane)
{
    return is_in_order(channels, plane) ? f : f % channels * plane + f / channels;
}

/* panels (BLOCKS(outputs), features, WIDTH): W turned over for the forward pass, filled up with
 * zeros, so that what a work-item reads again and again lies together. */
kernel void dense_pack_outputs(global float *restrict panels, const global float *restrict w,
                               int w_offset, int channels, int plane, int outputs)
{
    const int features = channels * plane;
    FOR_EACH_IN_ROWS (block, f, BLOCKS(outputs), features) {
        const int first = block * WIDTH, from = w_offset + column(f, channels, plane);
        global float *panel = panels + ((size_t)block * features + f) * WIDTH;
        for (int i = 0; i < WIDTH; ++i)
            panel[i] = first + i < outputs ? w[from + (first + i) * features] : 0.0f;
    }
}

/* column (WIDTH): where W has the features from `first` on. */
static void find_columns(int columns[WIDTH], int first, int channels, int plane)
{
    for (int i = 0; i < WIDTH; ++i)
        columns[i] = column(first + i, channels, plane);
}

/* panels (BLOCKS(features), outputs, WIDTH): W with its features in the order of x, for the gradient
 * of x. */
kernel void dense_pack_features(global float *restrict panels, const global float *restrict w,
                                int w_offset, int channels, int plane, int outputs)
{
    const int features = channels * plane;
    FOR_EACH (strip, (size_t)BLOCKS(features) * STRIPS(outputs)) {
        const int block = strip / STRIPS(outputs), begin = strip % STRIPS(outputs) * STRIP;
        int columns[WIDTH];
        find_columns(columns, block * WIDTH, channels, plane);
        for (int o = begin; o < min(outputs, begin + STRIP); ++o) {
            global float *panel = panels + ((size_t)block * outputs + o) * WIDTH;
            const global float *row = w + w_offset + o * features;
            if (is_in_order(channels, plane)) {
                vstore8(load_channels(row, block * WIDTH, features), 0, panel);
                vstore8(load_channels(row, block * WIDTH + 8, features), 1, panel);
                continue;
            }
            for (int i = 0; i < WIDTH; ++i)
                panel[i] = block * WIDTH + i < features ? row[columns[i]] : 0.0f;
        }
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

/* y (n, outputs) from x (n, features). A work-item computes one block of outputs of one chunk of the
 * samples. */
kernel void dense_forward(global float *restrict y, const global float *restrict x,
                          const global float *restrict panels,
                          const global float *restrict parameters, int b_offset, int features,
                          int outputs, int relu, int n)
{
    const int block = get_global_id(0) % BLOCKS(outputs), o = block * WIDTH;
    const int begin = get_global_id(0) / BLOCKS(outputs) * CHUNK, end = min(n, begin + CHUNK);
    const float8 bias[2] = {load_channels(parameters + b_offset, o, outputs),
                            load_channels(parameters + b_offset, o + 8, outputs)};
    for (int first = begin; first < end; first += SAMPLES) {
        float8 sum[SAMPLES][2];
        multiply(sum, x + first * (size_t)features, features, end - 1 - first,
                 panels + block * (size_t)(features * WIDTH), features);
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            if (first + s < end)
#pragma unroll
                for (int v = 0; v < 2; ++v) {
                    float8 value = sum[s][v] + bias[v];
                    if (relu)
                        value = select(value, (float8)0.0f, value < (float8)0.0f);
                    store_channels(value, y + (first + s) * (size_t)outputs, o + 8 * v, outputs);
                }
    }
}

/* dy (n, outputs), in place: zero where the ReLU stopped the value y (n, outputs). */
kernel void dense_gate(global float *restrict dy, const global float *restrict y, int outputs, int n)
{
    FOR_EACH (i, (size_t)n * outputs)
        dy[i] = y[i] <= 0.0f ? 0.0f : dy[i];
}

/* dx (n, features) from dy (n, outputs). A work-item computes one block of features of one chunk of the
 * samples. */
kernel void dense_input(global float *restrict dx, const global float *restrict dy,
                        const global float *restrict panels, int features, int outputs, int n)
{
    const int block = get_global_id(0) % BLOCKS(features), f = block * WIDTH;
    const int begin = get_global_id(0) / BLOCKS(features) * CHUNK, end = min(n, begin + CHUNK);
    for (int first = begin; first < end; first += SAMPLES) {
        float8 sum[SAMPLES][2];
        multiply(sum, dy + first * (size_t)outputs, outputs, end - 1 - first,
                 panels + block * (size_t)(outputs * WIDTH), outputs);
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            if (first + s < end)
#pragma unroll
                for (int v = 0; v < 2; ++v)
                    store_channels(sum[s][v], dx + (first + s) * (size_t)features, f + 8 * v,
                                   features);
    }
}

#define OUTPUTS 4 /* outputs of a register block */
#define ROWS 64   /* samples whose features are brought together first: they lie far apart */

/* Adds to sums (OUTPUTS, 2), of outputs `first` on, that of `count` samples: rows (count, 2), dy
 * (count, outputs). */
static void add_rows(float8 (*sums)[2], const global float *dy, const float8 (*rows)[2], int first,
                     int outputs, int count)
{
    float8 sum[OUTPUTS][2];
    int output[OUTPUTS];
#pragma unroll
    for (int j = 0; j < OUTPUTS; ++j) {
        sum[j][0] = sum[j][1] = (float8)0.0f;
        output[j] = min(first + j, outputs - 1);
    }
    for (int s = 0; s < count; ++s, dy += outputs)
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

/* dW (outputs, features), in PyTorch's order, at its offset, from dy (n, outputs) and x (n, features).
 * A work-item takes one block of features and one chunk of the outputs. */
kernel void dense_weights(global float *restrict gradients, int w_offset,
                          const global float *restrict dy, const global float *restrict x,
                          int channels, int plane, int outputs, int n)
{
    const int features = channels * plane, f = get_global_id(0) % BLOCKS(features) * WIDTH;
    const int begin = get_global_id(0) / BLOCKS(features) * CHUNK;
    const int mine = min(outputs - begin, CHUNK);
    float8 sums[CHUNK][2], rows[ROWS][2];
    int columns[WIDTH];
    for (int j = 0; j < CHUNK; ++j)
        sums[j][0] = sums[j][1] = (float8)0.0f;
    for (int first = 0; first < n; first += ROWS) {
        const int count = min(ROWS, n - first);
        for (int s = 0; s < count; ++s) {
            const global float *row = x + (first + s) * (size_t)features;
            rows[s][0] = load_channels(row, f, features);
            rows[s][1] = load_channels(row, f + 8, features);
        }
        for (int j = 0; j < mine; j += OUTPUTS)
            add_rows(sums + j, dy + first * (size_t)outputs, rows, begin + j, outputs, count);
    }
    find_columns(columns, f, channels, plane);
    for (int j = 0; j < mine; ++j) {
        global float *row = gradients + w_offset + (begin + j) * features;
        float values[WIDTH];
        if (is_in_order(channels, plane)) {
            store_channels(sums[j][0], row, f, features);
            store_channels(sums[j][1], row, f + 8, features);
            continue;
        }
        vstore8(sums[j][0], 0, values);
        vstore8(sums[j][1], 1, values);
        for (int i = 0; i < WIDTH; ++i)
            if (f + i < features)
                row[columns[i]] = values[i];
    }
}
