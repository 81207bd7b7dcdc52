/* ReLU, 2x2 max pool and Dropout2d in one pass over the plane. ReLU and max pool commute, in
 * value and in gradient: the window's largest value is taken first, and one byte keeps where it
 * was: 0 to 3 in row-major order, or DEAD where it was not positive. A NaN stays and passes the
 * gradient. Layout: (N, H, W, C). Must be given: C, IH, IW, OH, OW. */
#if !defined(C) || !defined(IH) || !defined(IW) || !defined(OH) || !defined(OW)
#error "C, IH, IW, OH and OW must be given"
#endif

#include "channels.cl"
#include "loop.cl"

#define DEAD 4

/* y (n, OH, OW, C) and which (n, OH, OW, C) from x (n, IH, IW, C); scales (n, C) multiply where
 * `masked`. */
kernel void pool_block_forward(global float *y, global uchar *which, const global float *x,
                               const global float *scales, int masked, int n)
{
    FOR_EACH (window, (size_t)n * OH * OW) {
        const size_t ox = window % OW, oy = window / OW % OH, sample = window / (OW * OH);
        const global float *top = x + ((sample * IH + 2 * oy) * IW + 2 * ox) * C;
        const global float *bottom = top + IW * C;
        for (int c = 0; c < C; c += 8) {
            const float8 candidates[3] = {load_channels(top + C, c, C),
                                          load_channels(bottom, c, C),
                                          load_channels(bottom + C, c, C)};
            float8 best = load_channels(top, c, C);
            int8 position = (int8)0;
            for (int i = 0; i < 3; ++i) {
                const int8 larger = candidates[i] > best || isnan(candidates[i]);
                best = select(best, candidates[i], larger);
                position = select(position, (int8)(i + 1), larger);
            }
            const int8 dead = best <= (float8)0.0f;
            best = select(best, (float8)0.0f, dead);
            position = select(position, (int8)DEAD, dead);
            if (masked)
                best *= load_channels(scales + sample * C, c, C);
            store_channels(best, y + window * C, c, C);
            const uchar8 bytes = convert_uchar8(position);
            if (C % 8 == 0) {
                vstore8(bytes, 0, which + window * C + c);
            } else {
                uchar values[8];
                vstore8(bytes, 0, values);
                for (int i = 0; i < 8 && c + i < C; ++i)
                    which[window * C + c + i] = values[i];
            }
        }
    }
}

/* dx (n, IH, IW, C): each value of dy (n, OH, OW, C) at its place, zero elsewhere. */
kernel void pool_block_backward(global float *restrict dx, const global float *restrict dy,
                                const global uchar *restrict which,
                                const global float *restrict scales, int masked, int n)
{
    FOR_EACH (pixel, (size_t)n * IH * IW) {
        const size_t ix = pixel % IW, iy = pixel / IW % IH, sample = pixel / (IW * IH);
        const size_t window = (sample * OH + iy / 2) * OW + ix / 2;
        global float *target = dx + pixel * C;
        if (ix / 2 >= OW || iy / 2 >= OH) {
            for (int c = 0; c < C; ++c)
                target[c] = 0.0f;
            continue;
        }
        const uchar position = iy % 2 * 2 + ix % 2;
        const global float *source = dy + window * C;
        const global uchar *mark = which + window * C;
        const global float *scale = scales + sample * C;
        if (masked)
            for (int c = 0; c < C; ++c)
                target[c] = mark[c] == position ? source[c] * scale[c] : 0.0f;
        else
            for (int c = 0; c < C; ++c)
                target[c] = mark[c] == position ? source[c] : 0.0f;
    }
}
