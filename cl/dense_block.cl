/* A small linear layer with what stands around it, in one step: the flatten before it, which becomes an
 * order of the weights instead of a move of the activations, and the ReLU behind it.
 *   y = relu(x W^T + b), with W (OUT, C * PLANE) in PyTorch's order of features.
 * For devices whose work-items are long.
 *
 * Layout: x (N, PLANE, C): feature f = pixel * C + channel here, channel * PLANE + pixel in W.
 * Must be given: C, PLANE, OUT. With defaults: RELU 0 (1: with the ReLU). */
#if !defined(C) || !defined(PLANE) || !defined(OUT)
#error "C, PLANE and OUT must be given"
#endif
#ifndef RELU
#define RELU 0
#endif

#include "channels.cl"
#include "loop.cl"

#define FEATURES (C * PLANE)
#define SAMPLES 4                      /* samples of a register block */
#define WIDTH ((OUT + 15) / 16 * 16)   /* outputs, filled up to whole register blocks */
#define COLUMN(f) ((f) % C * PLANE + (f) / C) /* where W has feature f */

/* columns (FEATURES, WIDTH): W turned over, filled up with zeros. */
kernel void dense_pack_columns(global float *restrict columns, const global float *restrict w,
                               int w_offset)
{
    FOR_EACH (f, FEATURES)
        for (int o = 0; o < WIDTH; ++o)
            columns[f * WIDTH + o] = o < OUT ? w[w_offset + o * FEATURES + COLUMN(f)] : 0.0f;
}

/* rows (OUT, FEATURES): W with its features in the order of x. */
kernel void dense_pack_rows(global float *restrict rows, const global float *restrict w,
                            int w_offset)
{
    FOR_EACH (o, OUT)
        for (int f = 0; f < FEATURES; ++f)
            rows[o * FEATURES + f] = w[w_offset + o * FEATURES + COLUMN(f)];
}

/* y (n, OUT) from x (n, FEATURES). A work-item takes SAMPLES samples. */
kernel void dense_forward(global float *restrict y, const global float *restrict x,
                          const global float *restrict columns,
                          const global float *restrict parameters, int b_offset, int n)
{
    const int first = get_global_id(0) * SAMPLES;
    if (first >= n)
        return;
    const global float *sample[SAMPLES];
#pragma unroll
    for (int s = 0; s < SAMPLES; ++s)
        sample[s] = x + min(first + s, n - 1) * (size_t)FEATURES;

    for (int o = 0; o < OUT; o += 16) {
        float8 sum[SAMPLES][2];
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            sum[s][0] = sum[s][1] = (float8)0.0f;
        const global float *weight = columns + o;
        for (int f = 0; f < FEATURES; ++f, weight += WIDTH) {
            const float8 w0 = vload8(0, weight), w1 = vload8(1, weight);
#pragma unroll
            for (int s = 0; s < SAMPLES; ++s) {
                sum[s][0] = fma((float8)sample[s][f], w0, sum[s][0]);
                sum[s][1] = fma((float8)sample[s][f], w1, sum[s][1]);
            }
        }
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            if (first + s < n)
#pragma unroll
                for (int v = 0; v < 2; ++v) {
                    float8 value =
                        sum[s][v] + load_channels(parameters + b_offset, o + 8 * v, OUT);
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

/* dx (n, FEATURES) from dy (n, OUT); rows (OUT, FEATURES) at an offset. A work-item takes SAMPLES
 * samples. */
kernel void dense_input(global float *restrict dx, const global float *restrict dy,
                        const global float *restrict rows, int rows_offset, int n)
{
    const int first = get_global_id(0) * SAMPLES;
    if (first >= n)
        return;
    const global float *sample[SAMPLES];
#pragma unroll
    for (int s = 0; s < SAMPLES; ++s)
        sample[s] = dy + min(first + s, n - 1) * (size_t)OUT;

    for (int f = 0; f < FEATURES; f += 16) {
        float8 sum[SAMPLES][2];
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            sum[s][0] = sum[s][1] = (float8)0.0f;
        const global float *row = rows + rows_offset;
        for (int o = 0; o < OUT; ++o, row += FEATURES) {
            const float8 w0 = load_channels(row, f, FEATURES);
            const float8 w1 = load_channels(row, f + 8, FEATURES);
#pragma unroll
            for (int s = 0; s < SAMPLES; ++s) {
                sum[s][0] = fma((float8)sample[s][o], w0, sum[s][0]);
                sum[s][1] = fma((float8)sample[s][o], w1, sum[s][1]);
            }
        }
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            if (first + s < n)
#pragma unroll
                for (int v = 0; v < 2; ++v)
                    store_channels(sum[s][v], dx + (first + s) * (size_t)FEATURES, f + 8 * v,
                                   FEATURES);
    }
}

#define OUTPUTS 4 /* outputs of a register block */

/* dW (OUT, FEATURES), in PyTorch's order, at its offset, from dy (n, OUT) and x (n, FEATURES). A work-item
 * takes 16 features. */
kernel void dense_weights(global float *restrict gradients, int w_offset,
                          const global float *restrict dy, const global float *restrict x, int n)
{
    const int f = get_global_id(0) * 16;
    if (f >= FEATURES)
        return;
    for (int first = 0; first < OUT; first += OUTPUTS) {
        float8 sum[OUTPUTS][2];
        int output[OUTPUTS];
#pragma unroll
        for (int j = 0; j < OUTPUTS; ++j) {
            sum[j][0] = sum[j][1] = (float8)0.0f;
            output[j] = min(first + j, OUT - 1);
        }
        for (int s = 0; s < n; ++s) {
            const global float *row = x + s * (size_t)FEATURES;
            const global float *gradient = dy + s * (size_t)OUT;
            const float8 x0 = load_channels(row, f, FEATURES);
            const float8 x1 = load_channels(row, f + 8, FEATURES);
#pragma unroll
            for (int j = 0; j < OUTPUTS; ++j) {
                sum[j][0] = fma((float8)gradient[output[j]], x0, sum[j][0]);
                sum[j][1] = fma((float8)gradient[output[j]], x1, sum[j][1]);
            }
        }
#pragma unroll
        for (int j = 0; j < OUTPUTS; ++j) {
            float values[16];
            vstore8(sum[j][0], 0, values);
            vstore8(sum[j][1], 1, values);
            for (int i = 0; i < 16; ++i)
                if (first + j < OUT && f + i < FEATURES)
                    gradients[w_offset + (first + j) * FEATURES + COLUMN(f + i)] = values[i];
        }
    }
}
