/* Augmentation of one image, as cl/augment.cl has it. */
#include <math.h>

#include "ref/ref.h"

typedef struct image {
    const uint8_t *bytes;
    int h, w;
} image;

static double pixel_at(const image *of, int channel, double x, double y)
{
    if (x < 0.0 || x >= of->w || y < 0.0 || y >= of->h)
        return 0.0;
    return of->bytes[((size_t)channel * (size_t)of->h + (size_t)y) * (size_t)of->w + (size_t)x];
}

/* Each of the four neighbours by how near it is. */
static double take(const image *of, int channel, double u, double v)
{
    double sum = 0.0, x = floor(u), y = floor(v);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            sum += (1.0 - fabs(u - x - j)) * (1.0 - fabs(v - y - i)) *
                   pixel_at(of, channel, x + j, y + i);
    return sum / 255.0;
}

static double clip(double value)
{
    return fmin(fmax(value, 0.0), 1.0);
}

static double grey_of(const double *values, int channels)
{
    double sum = 0.0;
    if (channels == 3)
        return 0.299 * values[0] + 0.587 * values[1] + 0.114 * values[2];
    for (int c = 0; c < channels; c++)
        sum += values[c];
    return sum / channels;
}

static void colour(double *values, int channels, const cnn_augment_draw *draw)
{
    double b = draw->brightness, c = draw->contrast, s = draw->saturation;
    for (int k = 0; k < channels; k++)
        values[k] = clip(c * clip(b * values[k]) + (1.0 - c) * b * draw->grey);
    double grey = grey_of(values, channels);
    for (int k = 0; k < channels; k++)
        values[k] = clip(s * values[k] + (1.0 - s) * grey);
}

void cnn_ref_augment(float *x, double *values, const uint8_t *bytes, cnn_shape shape, int hole,
                     const cnn_augment_draw *draw, const float *normal)
{
    const image of = {bytes, shape.h, shape.w};
    for (int row = 0; row < shape.h; row++)
        for (int column = 0; column < shape.w; column++) {
            double u = (double)draw->u[0] * column + (double)draw->u[1] * row + draw->u[2];
            double v = (double)draw->v[0] * column + (double)draw->v[1] * row + draw->v[2];
            double across = column - (double)draw->hole[0], down = row - (double)draw->hole[1];
            bool cut = across >= 0.0 && across < hole && down >= 0.0 && down < hole;
            for (int c = 0; c < shape.c; c++)
                values[c] = take(&of, c, u, v);
            colour(values, shape.c, draw);
            for (int c = 0; c < shape.c; c++) {
                double mean = normal ? normal[c] : 0.0, deviation = normal ? normal[shape.c + c] : 1.0;
                x[((size_t)c * (size_t)shape.h + (size_t)row) * (size_t)shape.w + (size_t)column] =
                    cut ? 0.0f : (float)((values[c] - mean) / deviation);
            }
        }
}
