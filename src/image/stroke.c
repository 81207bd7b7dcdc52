/* The width of strokes: measured, and changed. */
#include <math.h>
#include <stdbool.h>

#include "base/status.h"
#include "image/ink.h"

static bool is_ink(const cnn_plane *ink, int x, int y)
{
    return x >= 0 && y >= 0 && x < ink->width && y < ink->height &&
           ink->values[y * ink->width + x] > 0.5f;
}

/* A stroke of width w and length l has the area w l and an outline of 2 l. */
double cnn_ink_width(const cnn_plane *ink)
{
    int area = 0, outline = 0;
    for (int y = 0; y <= ink->height; y++)
        for (int x = 0; x <= ink->width; x++) {
            bool here = is_ink(ink, x, y);
            area += here;
            outline += (here != is_ink(ink, x - 1, y)) + (here != is_ink(ink, x, y - 1));
        }
    return outline ? 2.0 * area / outline : 0.0;
}

/* How much of a pixel at this distance a disc of the radius covers, roughly. */
static float disc(double radius, int x, int y)
{
    double cover = radius + 0.5 - sqrt((double)x * x + (double)y * y);
    return cover <= 0.0 ? 0.0f : cover >= 1.0 ? 1.0f : (float)cover;
}

/* Of a disc around a pixel what the pixels of a square cover, `reach` of them to each side. */
static cnn_status make_brush(cnn_plane *brush, double radius, int reach)
{
    cnn_status status = cnn_plane_init(brush, 2 * reach + 1, 2 * reach + 1);
    for (int i = 0; status == CNN_OK && i < brush->width * brush->height; i++)
        brush->values[i] = disc(radius, i % brush->width - reach, i / brush->width - reach);
    return status;
}

/* The most of what the brush around a pixel covers. Values are 0 to 1: once there is a 1, it stays.
 */
static float most_covered(const cnn_plane *ink, const cnn_plane *brush, int x, int y)
{
    int reach = brush->width / 2;
    int left = x < reach ? 0 : x - reach, top = y < reach ? 0 : y - reach;
    int right = x + reach < ink->width ? x + reach : ink->width - 1;
    int bottom = y + reach < ink->height ? y + reach : ink->height - 1;
    float most = ink->values[y * ink->width + x];
    for (int v = top; v <= bottom && most < 1.0f; v++) {
        const float *values = ink->values + (size_t)v * (size_t)ink->width + (size_t)left;
        const float *covers = brush->values + (size_t)(v - y + reach) * (size_t)brush->width +
                              (size_t)(left - x + reach);
        for (int u = 0; u <= right - left; u++) {
            float cover = values[u] * covers[u];
            most = cover > most ? cover : most;
        }
    }
    return most;
}

static void invert(cnn_plane *ink)
{
    for (int i = 0; i < ink->width * ink->height; i++)
        ink->values[i] = 1.0f - ink->values[i];
}

/* The most of what a disc around each pixel covers; of the ground instead where the radius is below
 * 0. */
cnn_status cnn_ink_widen(cnn_plane *ink, double radius)
{
    cnn_plane result = {0}, brush = {0};
    double size = fabs(radius);
    cnn_status status = CNN_OK;
    CNN_TRY(make_brush(&brush, size, (int)ceil(size + 0.5)));
    CNN_TRY(cnn_plane_init(&result, ink->width, ink->height));
    if (radius < 0.0)
        invert(ink);
    for (int y = 0; y < ink->height; y++)
        for (int x = 0; x < ink->width; x++)
            result.values[y * ink->width + x] = most_covered(ink, &brush, x, y);
    if (radius < 0.0)
        invert(&result);
    cnn_plane_finish(ink);
    *ink = result;
out:
    cnn_plane_finish(&brush);
    return status;
}
