/* The ground is the picture's morphological closing (of light ink: its opening), which keeps what
 * is wider than the window and closes what is narrower; by it the picture is divided (flat-field).
 */
#include "image/ground.h"

#include <math.h>
#include <stdlib.h>

#include <leptonica/allheaders.h>

#include "base/status.h"

enum { LEVELS = 256, LEAST_SIDE_TO_SMOOTH = 150, SMALLEST_FLOOR = 20, NEAR = 7 };

static const double window = 0.33; /* of the picture's side */
/* Of the brightest, for dark ink and for light: what is darker counts as if it were so. */
static const double floor_parts[] = {0.2, 0.25};
static const double noisy = 2.5, very_noisy = 12.0; /* levels */

static PIX *to_pix(const cnn_plane *grey)
{
    setMsgSeverity(L_SEVERITY_NONE);
    PIX *pix = pixCreate(grey->width, grey->height, 8);
    for (int y = 0; pix && y < grey->height; y++) {
        l_uint32 *line = pixGetData(pix) + (size_t)y * (size_t)pixGetWpl(pix);
        for (int x = 0; x < grey->width; x++)
            SET_DATA_BYTE(line, x, (l_uint8)(grey->values[y * grey->width + x] + 0.5f));
    }
    return pix;
}

static int pixel_of(PIX *pix, int x, int y)
{
    const l_uint32 *line = pixGetData(pix) + (size_t)y * (size_t)pixGetWpl(pix);
    return (int)GET_DATA_BYTE(line, x);
}

/* The level that `share` of all do not exceed. */
static int level_at(const int counts[], int levels, double share)
{
    double total = 0.0, below = 0.0;
    for (int i = 0; i < levels; i++)
        total += counts[i];
    for (int i = 0; i < levels; i++) {
        below += counts[i];
        if (below > share * total)
            return i;
    }
    return levels - 1;
}

/* The standard deviation of noise: second differences along rows, whose median edges do not move.
 */
static double noise_of(const cnn_plane *grey)
{
    int counts[4 * LEVELS] = {0};
    for (int y = 0; y < grey->height; y++)
        for (int x = 1; x + 1 < grey->width; x++) {
            const float *at = grey->values + (size_t)y * (size_t)grey->width + x;
            counts[(int)(fabsf(at[-1] - 2.0f * at[0] + at[1]) + 0.5f)]++;
        }
    return level_at(counts, 4 * LEVELS, 0.5) / (0.6745 * sqrt(6.0));
}

static PIX *smooth(PIX *pix, const cnn_plane *grey)
{
    int least = grey->width < grey->height ? grey->width : grey->height;
    double noise = least < LEAST_SIDE_TO_SMOOTH ? 0.0 : noise_of(grey);
    int reach = noise > very_noisy ? 2 : noise > noisy ? 1 : 0;
    return reach ? pixBlockconv(pix, reach, reach) : pixClone(pix);
}

/* What a pixel's brightness is compared with at least: in the dark, noise is no contrast. */
static double floor_of(const cnn_plane *grey, bool light)
{
    int counts[LEVELS] = {0};
    for (int i = 0; i < grey->width * grey->height; i++)
        counts[(int)(grey->values[i] + 0.5f)]++;
    double least = floor_parts[light] * level_at(counts, LEVELS, 0.99);
    return least > SMALLEST_FLOOR ? least : SMALLEST_FLOOR;
}

cnn_status cnn_ground_contrast(cnn_plane *contrast, const cnn_plane *grey, bool light)
{
    cnn_status status = CNN_OK;
    int side = (int)(window * sqrt((double)grey->width * grey->height)) | 1;
    side = side > 3 ? side : 3;
    int near = side / 3 > NEAR ? side / 3 | 1 : side < NEAR ? side : NEAR;
    double least = floor_of(grey, light);
    PIX *pix = to_pix(grey), *smoothed = pix ? smooth(pix, grey) : NULL;
    PIX *bright = !smoothed ? NULL
                  : light   ? pixDilateGray(smoothed, near, near)
                            : pixCloseGray(smoothed, side, side);
    PIX *ground = !bright ? NULL : light ? pixOpenGray(smoothed, side, side) : pixClone(bright);
    if (!ground)
        status = cnn_fail_memory((size_t)grey->width * (size_t)grey->height, "an image's ground");
    else
        CNN_TRY(cnn_plane_init(contrast, grey->width, grey->height));
    for (int y = 0; ground && y < grey->height; y++)
        for (int x = 0; x < grey->width; x++) {
            int difference = abs(pixel_of(smoothed, x, y) - pixel_of(ground, x, y));
            double most = pixel_of(bright, x, y);
            contrast->values[y * grey->width + x] =
                (float)(difference / (most > least ? most : least));
        }
out:
    pixDestroy(&pix);
    pixDestroy(&smoothed);
    pixDestroy(&bright);
    pixDestroy(&ground);
    return status;
}
