/* A small linear layer with the flatten before it and the ReLU behind it, for devices with many
 * small work-items that share local memory:
 *   y = relu(x W^T + b), with W (OUT, C * PLANE) in PyTorch's order of features.
 *
 * Layout: x (N, PLANE, C): feature f = pixel * C + channel here, channel * PLANE + pixel in W.
 * Work-items take features in blocks of TILE_PIXELS by TILE_CHANNELS, so that neighbours read
 * neighbours in both. Sums over features or samples are split among the work-items of a group
 * and added in a fixed order; a long sum is made in blocks, so that rounding grows with the blocks'
 * lengths alone. Any power of two may be the local size, up to GROUP.
 *
 * Must be given: C, PLANE, OUT; TILE_PIXELS, a power of two up to 64. With a default: RELU 0 (1:
 * with the ReLU). */
#if !defined(C) || !defined(PLANE) || !defined(OUT) || !defined(TILE_PIXELS)
#error "C, PLANE, OUT and TILE_PIXELS must be given"
#endif
#ifndef RELU
#define RELU 0
#endif

#define GROUP 256 /* the largest local size */
#define BLOCK 64  /* features of a block */
#define TILE_CHANNELS (BLOCK / TILE_PIXELS)
#define PIXEL_BLOCKS ((PLANE + TILE_PIXELS - 1) / TILE_PIXELS)
#define CHANNEL_BLOCKS ((C + TILE_CHANNELS - 1) / TILE_CHANNELS)
#define BLOCKS (PIXEL_BLOCKS * CHANNEL_BLOCKS)
#define FEATURES (C * PLANE)

/* A feature's place in a sample of x and in a row of W; -1 where the block reaches beyond the
 * plane. */
static int find_feature(int *column, int slot)
{
    const int block = slot / BLOCK, lane = slot % BLOCK;
    const int pixel = block % PIXEL_BLOCKS * TILE_PIXELS + lane % TILE_PIXELS;
    const int channel = block / PIXEL_BLOCKS * TILE_CHANNELS + lane / TILE_PIXELS;
    *column = channel * PLANE + pixel;
    return pixel < PLANE && channel < C ? pixel * C + channel : -1;
}

/* What arrives at the linear layer: zero where the ReLU stopped the value. */
static float gate(const global float *dy, const global float *y, size_t at)
{
    return RELU && y[at] <= 0.0f ? 0.0f : dy[at];
}

#define FORWARD_GROUP 128
#define SAMPLES 4 /* a group's samples and outputs in forward */
#define OUTPUTS 8
#define SUMS (SAMPLES * OUTPUTS)
#define SHORT 128 /* products of a block of a work-item's sum */
#define OUTPUT_BLOCKS ((OUT + OUTPUTS - 1) / OUTPUTS)

/* y (n, OUT) from x (n, FEATURES). A group takes SAMPLES samples by OUTPUTS outputs. */
kernel void gpu_dense_forward(global float *restrict y, const global float *restrict x,
                              const global float *restrict parameters, int w_offset, int b_offset,
                              int n)
{
    local float sums[FORWARD_GROUP * SUMS];
    const int item = get_local_id(0), items = get_local_size(0), group = get_group_id(0);
    const int first_output = group % OUTPUT_BLOCKS * OUTPUTS;
    const int first_sample = group / OUTPUT_BLOCKS * SAMPLES;
    const global float *sample[SAMPLES], *row[OUTPUTS];
    float sum[SUMS];
#pragma unroll
    for (int s = 0; s < SAMPLES; ++s)
        sample[s] = x + min(first_sample + s, n - 1) * (size_t)FEATURES;
#pragma unroll
    for (int j = 0; j < OUTPUTS; ++j)
        row[j] = parameters + w_offset + min(first_output + j, OUT - 1) * FEATURES;
#pragma unroll
    for (int i = 0; i < SUMS; ++i)
        sum[i] = 0.0f;
    int products = 0;
    for (int i = 0; i < SUMS; ++i)
        sums[i * items + item] = 0.0f; /* of the work-item's blocks; nobody else's yet */
    for (int slot = item; slot < BLOCKS * BLOCK; slot += items) {
        int column;
        const int feature = find_feature(&column, slot);
        if (feature < 0)
            continue;
        float value[SAMPLES];
#pragma unroll
        for (int s = 0; s < SAMPLES; ++s)
            value[s] = sample[s][feature];
#pragma unroll
        for (int j = 0; j < OUTPUTS; ++j) {
            const float w = row[j][column];
#pragma unroll
            for (int s = 0; s < SAMPLES; ++s)
                sum[s * OUTPUTS + j] = fma(value[s], w, sum[s * OUTPUTS + j]);
        }
        if (++products % SHORT == 0)
#pragma unroll
            for (int i = 0; i < SUMS; ++i) {
                sums[i * items + item] += sum[i];
                sum[i] = 0.0f;
            }
    }
#pragma unroll
    for (int i = 0; i < SUMS; ++i)
        sums[i * items + item] += sum[i];
    for (int reach = items / 2; reach > 0; reach /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = item; i < reach * SUMS; i += items)
            sums[i / reach * items + i % reach] += sums[i / reach * items + i % reach + reach];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = item; i < SUMS; i += items) {
        const int s = first_sample + i / OUTPUTS, o = first_output + i % OUTPUTS;
        if (s < n && o < OUT) {
            const float value = sums[i * items] + parameters[b_offset + o];
            y[s * (size_t)OUT + o] = RELU && value < 0.0f ? 0.0f : value;
        }
    }
}

#define INPUT_SAMPLES 8

/* dx (n, FEATURES) from dy (n, OUT) and, for the gate, y (n, OUT). A group takes a block of
 * features of INPUT_SAMPLES samples. */
kernel void gpu_dense_input(global float *restrict dx, const global float *restrict dy,
                            const global float *restrict y, const global float *restrict parameters,
                            int w_offset, int n)
{
    local float gradients[OUT * INPUT_SAMPLES];
    const int item = get_local_id(0), items = get_local_size(0), group = get_group_id(0);
    const int first = group / BLOCKS * INPUT_SAMPLES;
    for (int i = item; i < OUT * INPUT_SAMPLES; i += items) {
        const int s = first + i / OUT, o = i % OUT;
        const size_t at = s * (size_t)OUT + o;
        gradients[o * INPUT_SAMPLES + i / OUT] = s < n ? gate(dy, y, at) : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int lane = item; lane < BLOCK; lane += items) {
        int column;
        const int feature = find_feature(&column, group % BLOCKS * BLOCK + lane);
        if (feature < 0)
            continue;
        float sum[INPUT_SAMPLES];
#pragma unroll
        for (int s = 0; s < INPUT_SAMPLES; ++s)
            sum[s] = 0.0f;
        for (int o = 0; o < OUT; ++o) {
            const float w = parameters[w_offset + o * FEATURES + column];
#pragma unroll
            for (int s = 0; s < INPUT_SAMPLES; ++s)
                sum[s] = fma(gradients[o * INPUT_SAMPLES + s], w, sum[s]);
        }
#pragma unroll
        for (int s = 0; s < INPUT_SAMPLES; ++s)
            if (first + s < n)
                dx[(first + s) * (size_t)FEATURES + feature] = sum[s];
    }
}

#define CHUNK 64 /* samples whose gradients are in local memory */

/* dW (OUT, FEATURES) and db (OUT) at their offsets, from dy (n, OUT), y (n, OUT) for the gate,
 * and x (n, FEATURES). A group takes a block of features by OUTPUTS outputs; where it has more
 * work-items than features, they share the samples. The bias is the weight of a feature that is
 * always one, alone in the last block. */
kernel void gpu_dense_weights(global float *restrict dw, int w_offset, int b_offset,
                              const global float *restrict dy, const global float *restrict y,
                              const global float *restrict x, int n)
{
    local float gradients[CHUNK * OUTPUTS];
    local float sums[GROUP * OUTPUTS];
    const int item = get_local_id(0), items = get_local_size(0), group = get_group_id(0);
    const int first_output = group % OUTPUT_BLOCKS * OUTPUTS, block = group / OUTPUT_BLOCKS;
    const int slices = max(1, items / BLOCK);
    for (int pass = 0; pass < BLOCK; pass += items) {
        const int lane = (pass + item) % BLOCK, slice = (pass + item) / BLOCK;
        int column, feature = find_feature(&column, block * BLOCK + lane);
        if (block == BLOCKS)
            feature = lane == 0 ? 0 : -1;
        float sum[OUTPUTS];
#pragma unroll
        for (int j = 0; j < OUTPUTS; ++j)
            sum[j] = 0.0f;
        for (int start = 0; start < n; start += CHUNK) {
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int i = item; i < CHUNK * OUTPUTS; i += items) {
                const int s = start + i / OUTPUTS, o = first_output + i % OUTPUTS;
                const size_t at = s * (size_t)OUT + o;
                gradients[i] = s < n && o < OUT ? gate(dy, y, at) : 0.0f;
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            const int count = feature < 0 ? 0 : min(CHUNK, n - start);
            for (int s = slice; s < count; s += slices) {
                const float value =
                    block == BLOCKS ? 1.0f : x[(start + s) * (size_t)FEATURES + feature];
#pragma unroll
                for (int j = 0; j < OUTPUTS; ++j)
                    sum[j] = fma(gradients[s * OUTPUTS + j], value, sum[j]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int j = 0; j < OUTPUTS; ++j)
            sums[j * items + item] = sum[j];
        barrier(CLK_LOCAL_MEM_FENCE);
        const int outputs = slice == 0 && feature >= 0 ? min(OUTPUTS, OUT - first_output) : 0;
        for (int j = 0; j < outputs; ++j) {
            float total = 0.0f;
            for (int i = 0; i < slices; ++i)
                total += sums[j * items + item + i * BLOCK];
            const int o = first_output + j;
            dw[block == BLOCKS ? b_offset + o : w_offset + o * FEATURES + column] = total;
        }
    }
}
