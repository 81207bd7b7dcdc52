/* A picture as MNIST's images were made: see cnn_image_to_digit(). */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "image/check.h"
#include "image/ink.h"

enum {
    DRAFT = 100, /* longest side of the ink while strokes are widened */
    MARGIN = 20, /* around it */
    BOX = 20,
    SIDE = 28 /* MNIST's: the ink's longest side, and the image's */
};

/* Strokes of this width, in MNIST's pixels, are left alone: 5 of 6 of MNIST's own are such, as
 * cnn_ink_width() measures them; others become so. */
static const double thinnest = 1.3, thickest = 3.4;

static int scaled(int side, int target, int longest)
{
    int result = (int)((double)side * target / longest + 0.5);
    return result > 0 ? result : 1;
}

static int longest_of(int width, int height)
{
    return width > height ? width : height;
}

/* The brightest becomes 1: scaling makes thin strokes pale. */
static void brighten(cnn_plane *ink)
{
    float most = 0.0f;
    for (int i = 0; i < ink->width * ink->height; i++)
        most = ink->values[i] > most ? ink->values[i] : most;
    for (int i = 0; most > 0.0f && i < ink->width * ink->height; i++)
        ink->values[i] /= most;
}

/* The box at the size where its longer side is `target`. */
static cnn_status scale_box(cnn_plane *scaled_ink, const cnn_plane *ink, const cnn_box *box,
                            int target)
{
    int longest = longest_of(box->width, box->height);
    cnn_status status = cnn_plane_init(scaled_ink, scaled(box->width, target, longest),
                                       scaled(box->height, target, longest));
    cnn_area from = {.floats = ink->values,
                     .stride = ink->width,
                     .left = box->left,
                     .top = box->top,
                     .width = box->width,
                     .height = box->height};
    if (status == CNN_OK)
        status = cnn_plane_scale(scaled_ink, &from);
    if (status == CNN_OK)
        brighten(scaled_ink);
    return status;
}

/* A copy of the box with an empty margin. */
static cnn_status make_draft(cnn_plane *draft, const cnn_plane *ink, const cnn_box *box)
{
    cnn_plane crop = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(scale_box(&crop, ink, box, DRAFT));
    CNN_TRY(cnn_plane_init(draft, crop.width + 2 * MARGIN, crop.height + 2 * MARGIN));
    for (int y = 0; y < crop.height; y++)
        memcpy(draft->values + (size_t)(y + MARGIN) * (size_t)draft->width + MARGIN,
               crop.values + (size_t)y * (size_t)crop.width, (size_t)crop.width * sizeof(float));
out:
    cnn_plane_finish(&crop);
    return status;
}

/* Far thinner or thicker strokes are replaced by such as MNIST has; others stay untouched, as a
 * draft is a little blurred. */
static cnn_status adjust_width(cnn_plane *ink, cnn_box *box)
{
    const double unit = (double)DRAFT / BOX;
    cnn_plane draft = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(make_draft(&draft, ink, box));
    double width = cnn_ink_width(&draft) / unit;
    if (width >= thinnest && width <= thickest)
        goto out;
    double wanted = width < thinnest ? thinnest : thickest;
    CNN_TRY(cnn_ink_widen(&draft, (wanted - width) * unit / 2.0));
    cnn_plane_finish(ink);
    *ink = draft;
    draft = (cnn_plane){0};
    status = cnn_ink_clean(box, ink);
out:
    cnn_plane_finish(&draft);
    return status;
}

/* Where the middle of the ink is along both axes. */
static void find_center(double center[2], const cnn_plane *ink)
{
    double sum = 0.0;
    center[0] = center[1] = 0.0;
    for (int y = 0; y < ink->height; y++)
        for (int x = 0; x < ink->width; x++) {
            double value = (double)ink->values[y * ink->width + x];
            sum += value;
            center[0] += value * x;
            center[1] += value * y;
        }
    center[0] /= sum;
    center[1] /= sum;
}

/* The first position of `size` values among `room`, so that `center` of them comes to the middle.
 */
static int place(double center, int size, int room)
{
    int middle = room / 2, first = (int)floor(middle - center + 0.5);
    int last = room - size;
    return first < 0 || last < 0 ? 0 : first < last ? first : last;
}

static void put_into_middle(float *values, const int shape[3], const cnn_plane *ink)
{
    size_t plane = (size_t)shape[1] * (size_t)shape[2];
    double center[2];
    find_center(center, ink);
    int left = place(center[0], ink->width, shape[2]),
        top = place(center[1], ink->height, shape[1]);
    memset(values, 0, (size_t)shape[0] * plane * sizeof *values);
    for (int c = 0; c < shape[0]; c++)
        for (int y = 0; y < ink->height; y++)
            memcpy(values + (size_t)c * plane + (size_t)(top + y) * (size_t)shape[2] + left,
                   ink->values + (size_t)y * (size_t)ink->width,
                   (size_t)ink->width * sizeof *values);
}

cnn_status cnn_image_to_largest_digit(float *values, int *found, const int shape[3],
                                      const cnn_image *image)
{
    CNN_NEED(values, found, shape, image);
    cnn_status checked = cnn_image_check(shape, image);
    if (checked != CNN_OK)
        return checked;
    cnn_plane ink = {0}, digit = {0};
    cnn_box box;
    cnn_status status = CNN_OK;
    int side = shape[1] < shape[2] ? shape[1] : shape[2];
    CNN_TRY(cnn_ink_find(&ink, found, image));
    CNN_TRY(cnn_ink_clean(&box, &ink));
    CNN_TRY(adjust_width(&ink, &box));
    CNN_TRY(scale_box(&digit, &ink, &box, scaled(side, BOX, SIDE)));
    put_into_middle(values, shape, &digit);
out:
    cnn_plane_finish(&ink);
    cnn_plane_finish(&digit);
    return status;
}

cnn_status cnn_image_to_digit(float *values, const int shape[3], const cnn_image *image)
{
    CNN_NEED(values, shape, image);
    int found;
    return cnn_image_to_largest_digit(values, &found, shape, image);
}
