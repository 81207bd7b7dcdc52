/* A batch from the data set's bytes: pixels scaled by 1/255, channels moved innermost.
 * Layout: images (total, channels, plane) bytes, x (N, plane, channels); plane: pixels of an image.
 * May be given: NORMALIZE, pixels become (pixel - mean) / deviation. */
#include "exact.cl"
#include "loop.cl"

#ifdef NORMALIZE
#define PIXEL(value, c) quotient((value) - normal[c], normal[channels + (c)])
#else
#define PIXEL(value, c) (value)
#endif

/* x (n, plane, channels) and batch_labels (n) of the samples order[first] to order[first + n - 1]; of
 * the samples first to first + n - 1 where `ordered` is 0. normal (2, channels): means, deviations. */
kernel void gather(global float *restrict x, global ushort *restrict batch_labels,
                   const global uchar *restrict images, const global ushort *restrict labels,
                   const global uint *restrict order, int ordered, uint first, int channels,
                   int plane, int n
#ifdef NORMALIZE
                   , const global float *restrict normal
#endif
)
{
    FOR_EACH (strip, (size_t)n * STRIPS(plane)) {
        const size_t sample = strip / STRIPS(plane);
        const int begin = strip % STRIPS(plane) * STRIP, end = min(plane, begin + STRIP);
        const size_t index = ordered ? order[first + sample] : first + sample;
        global float *target = x + sample * plane * channels;
        for (int c = 0; c < channels; ++c) {
            const global uchar *source = images + (index * channels + c) * plane;
            for (int p = begin; p < end; ++p)
                target[p * channels + c] = PIXEL(of_255((float)source[p]), c);
        }
        if (begin == 0)
            batch_labels[sample] = labels[index];
    }
}
