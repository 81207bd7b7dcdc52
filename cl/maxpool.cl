/* Max pool 2x2, stride 2, floor: the largest of the four, the first in row-major order on a tie, a
 * NaN before any number.
 * Layout: (N, H, W, C). Must be given: C, IH, IW, OH, OW. */
#if !defined(C) || !defined(IH) || !defined(IW) || !defined(OH) || !defined(OW)
#error "C, IH, IW, OH and OW must be given"
#endif

#include "loop.cl"

/* y (n, OH, OW, C) and which (n, OH, OW, C): 0 to 3, the position in the window; x (n, IH, IW,
 * C). */
kernel void maxpool_forward(global float *restrict y, global uchar *restrict which,
                            const global float *restrict x, int n)
{
    FOR_EACH (window, (size_t)n * OH * OW) {
        const size_t ox = window % OW, oy = window / OW % OH, sample = window / (OW * OH);
        const global float *top = x + ((sample * IH + 2 * oy) * IW + 2 * ox) * C;
        const global float *bottom = top + IW * C;
        for (int c = 0; c < C; ++c) {
            const float a = top[c], b = top[C + c], d = bottom[c], e = bottom[C + c];
            float best = a;
            uchar position = 0;
            position = b > best || b != b ? 1 : position;
            best = position == 1 ? b : best;
            position = d > best || d != d ? 2 : position;
            best = position == 2 ? d : best;
            position = e > best || e != e ? 3 : position;
            best = position == 3 ? e : best;
            y[window * C + c] = best;
            which[window * C + c] = position;
        }
    }
}

/* dx (n, IH, IW, C): each value of dy (n, OH, OW, C) at its position, zero elsewhere. */
kernel void maxpool_backward(global float *restrict dx, const global float *restrict dy,
                             const global uchar *restrict which, int n)
{
    FOR_EACH (pixel, (size_t)n * IH * IW) {
        const size_t ix = pixel % IW, iy = pixel / IW % IH, sample = pixel / (IW * IH);
        const size_t window = (sample * OH + iy / 2) * OW + ix / 2;
        const int inside = ix / 2 < OW && iy / 2 < OH;
        const uchar position = iy % 2 * 2 + ix % 2;
        for (int c = 0; c < C; ++c)
            dx[pixel * C + c] =
                inside && which[window * C + c] == position ? dy[window * C + c] : 0.0f;
    }
}
