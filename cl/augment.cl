/* A batch from the data set's bytes, each image changed as its numbers say: gather.cl with
 *   v(x, y) = bilinear value of the image at (u[0] x + u[1] y + u[2], v[0] x + v[1] y + v[2]) / 255,
 *     0 beside it
 *   v = clamp(brightness v);  v = clamp(contrast v + (1 - contrast) brightness grey)
 *   v = clamp(saturation v + (1 - saturation) grey(v)), grey: of 3 channels 0.299 R + 0.587 G +
 *     0.114 B, else their mean
 *   v = (v - mean) / deviation, 0 in the hole
 *   x = part v + (1 - part) v of the sample before, as that is changed itself
 * Layout: images (total, C, H, W) bytes, x (N, H, W, C), draws (N + 1, 12): struct cnn_augment_draw.
 * Must be given: C, H, W. */
#if !defined(C) || !defined(H) || !defined(W)
#error "C, H and W must be given"
#endif

#include "exact.cl"
#include "loop.cl"

#define PLANE (H * W)
#define DRAW 12 /* floats of a draw; the places in it: */
#define U 0
#define V 3
#define BRIGHTNESS 6
#define CONTRAST 7
#define SATURATION 8
#define GREY 9
#define HOLE 10

static float pixel_at(const global uchar *plane, int x, int y)
{
    return x >= 0 && x < W && y >= 0 && y < H ? plane[y * W + x] : 0.0f;
}

/* values (C), 0 to 1, of an image (C, H, W) at a point. On a pixel it is that, to the bit. */
static void take(float *values, const global uchar *image, float u, float v)
{
    const float left = floor(u), top = floor(v), right = u - left, below = v - top;
    const int x = (int)left, y = (int)top;
    for (int c = 0; c < C; ++c) {
        const global uchar *plane = image + c * PLANE;
        const float a = pixel_at(plane, x, y), b = pixel_at(plane, x, y + 1);
        const float upper = a + right * (pixel_at(plane, x + 1, y) - a);
        const float lower = b + right * (pixel_at(plane, x + 1, y + 1) - b);
        values[c] = of_255(upper + below * (lower - upper));
    }
}

static float grey_of(const float *values)
{
#if C == 3
    return 0.299f * values[0] + 0.587f * values[1] + 0.114f * values[2];
#else
    float sum = 0.0f;
    for (int c = 0; c < C; ++c)
        sum = plus_in_order(sum, values[c]);
    return quotient(sum, (float)C);
#endif
}

static void colour(float *values, const global float *draw)
{
    const float brightness = draw[BRIGHTNESS], contrast = draw[CONTRAST];
    const float saturation = draw[SATURATION];
    const float middle = (1.0f - contrast) * brightness * draw[GREY];
    for (int c = 0; c < C; ++c)
        values[c] = clamp(contrast * clamp(brightness * values[c], 0.0f, 1.0f) + middle, 0.0f, 1.0f);
    const float grey = (1.0f - saturation) * grey_of(values);
    for (int c = 0; c < C; ++c)
        values[c] = clamp(saturation * values[c] + grey, 0.0f, 1.0f);
}

/* values (C) of pixel (x, y) as the network is to get it. */
static void make(float *values, const global uchar *image, const global float *draw, int x, int y,
                 int coloured, int hole, const global float *normal)
{
    const float across = x - draw[HOLE], down = y - draw[HOLE + 1];
    if (across >= 0.0f && across < hole && down >= 0.0f && down < hole) {
        for (int c = 0; c < C; ++c)
            values[c] = 0.0f;
        return;
    }
    take(values, image, draw[U] * x + draw[U + 1] * y + draw[U + 2],
         draw[V] * x + draw[V + 1] * y + draw[V + 2]);
    if (coloured)
        colour(values, draw);
    for (int c = 0; c < C; ++c)
        values[c] = quotient(values[c] - normal[c], normal[C + c]);
}

/* x (n, H, W, C) and batch_labels (n) of the samples order[first] to order[first + n - 1]; of the
 * samples first to first + n - 1 where `ordered` is 0. Unless `others` is 0 each is mixed with the
 * one before it, the first with that at place `last`, of draw n, and batch_labels[others + i] is the
 * label of what sample i is mixed with. normal (2, C): means, deviations. hole: its side; 0: none. */
kernel void augment(global float *restrict x, global ushort *restrict batch_labels,
                    const global uchar *restrict images, const global ushort *restrict labels,
                    const global uint *restrict order, int ordered, uint first, uint last, int n,
                    const global float *restrict draws, int coloured, int hole, float part,
                    int others, const global float *restrict normal)
{
    FOR_EACH (i, (size_t)n * PLANE) {
        const size_t sample = i / PLANE, place = first + sample;
        const int pixel = i % PLANE, row = pixel / W, column = pixel % W;
        const size_t index = ordered ? order[place] : place;
        float values[C];
        make(values, images + index * C * PLANE, draws + sample * DRAW, column, row, coloured, hole,
             normal);
        if (others) {
            const size_t before = sample > 0 ? place - 1 : last;
            const size_t other = ordered ? order[before] : before;
            float more[C];
            make(more, images + other * C * PLANE, draws + (sample > 0 ? sample - 1 : n) * DRAW,
                 column, row, coloured, hole, normal);
            for (int c = 0; c < C; ++c)
                values[c] = part * values[c] + (1.0f - part) * more[c];
            if (pixel == 0)
                batch_labels[others + sample] = labels[other];
        }
        for (int c = 0; c < C; ++c)
            x[i * C + c] = values[c];
        if (pixel == 0)
            batch_labels[sample] = labels[index];
    }
}
