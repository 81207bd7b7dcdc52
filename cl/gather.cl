/* A batch from the data set's bytes: pixels scaled by 1/255, channels moved innermost.
 * Layout: images (total, C, PLANE) bytes, x (N, PLANE, C). Must be given: C; PLANE, pixels of an
 * image. May be given: NORMALIZE, pixels become (pixel - mean) / deviation. */
#if !defined(C) || !defined(PLANE)
#error "C and PLANE must be given"
#endif

#include "loop.cl"

#ifdef NORMALIZE
#define PIXEL(value, c) (((value) - normal[c]) / normal[C + (c)])
#else
#define PIXEL(value, c) (value)
#endif

/* x (n, PLANE, C) and batch_labels (n) of the samples order[first] to order[first + n - 1]; of
 * the samples first to first + n - 1 where `ordered` is 0. normal (2, C): means, deviations. */
kernel void gather(global float *restrict x, global ushort *restrict batch_labels,
                   const global uchar *restrict images, const global ushort *restrict labels,
                   const global uint *restrict order, int ordered, uint first, int n
#ifdef NORMALIZE
                   , const global float *restrict normal
#endif
)
{
    FOR_EACH (i, (size_t)n * PLANE) {
        const size_t sample = i / PLANE, pixel = i % PLANE;
        const size_t index = ordered ? order[first + sample] : first + sample;
        for (int c = 0; c < C; ++c)
            x[i * C + c] = PIXEL(images[(index * C + c) * PLANE + pixel] / 255.0f, c);
        if (pixel == 0)
            batch_labels[sample] = labels[index];
    }
}
