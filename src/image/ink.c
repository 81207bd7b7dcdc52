/* Ink against ground: the ground is what the border of a picture mostly shows, and ink differs from
 * it, lighter or darker or of another colour. */
#include "image/ink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { WORK_SIZE = 512, LEVELS = 256 };

static const double least_contrast = 0.07; /* of black to white: less is the paper's grain */
static const float inked = 0.3f;           /* what counts as ink */
static const double speck = 0.02;          /* smaller than this share of the largest piece */

static int scaled_side(int side, int longest)
{
    if (longest <= WORK_SIZE)
        return side;
    int scaled = (int)((double)side * WORK_SIZE / longest + 0.5);
    return scaled > 0 ? scaled : 1;
}

static cnn_status shrink(cnn_plane *plane, const cnn_image *image, int channel)
{
    int height = image->shape[1], width = image->shape[2];
    int longest = height > width ? height : width;
    cnn_status status =
        cnn_plane_init(plane, scaled_side(width, longest), scaled_side(height, longest));
    cnn_area from = {.bytes = image->pixels + (size_t)channel * (size_t)height * (size_t)width,
                     .stride = width,
                     .width = width,
                     .height = height};
    return status == CNN_OK ? cnn_plane_scale(plane, &from) : status;
}

/* The value that as many of the border's pixels are above as below. */
static float border_median(const cnn_plane *plane)
{
    int counts[LEVELS] = {0}, total = 0;
    for (int y = 0; y < plane->height; y++)
        for (int x = 0; x < plane->width; x++) {
            if (y > 0 && y < plane->height - 1 && x > 0 && x < plane->width - 1)
                continue;
            counts[(int)(plane->values[y * plane->width + x] + 0.5f)]++;
            total++;
        }
    int level = 0;
    for (int below = counts[0]; 2 * below < total; below += counts[level])
        level++;
    return (float)level;
}

/* Levels of a histogram: where to cut it in two (N. Otsu, "A threshold selection method from
 * gray-level histograms", 1979), and what is on both sides. */
typedef struct split {
    int level; /* the last of the ground */
    double contrast;
} split;

static split find_split(const double counts[LEVELS])
{
    split best = {0};
    double total = 0.0, sum = 0.0, below = 0.0, below_sum = 0.0, largest = -1.0;
    for (int i = 0; i < LEVELS; i++) {
        total += counts[i];
        sum += counts[i] * i;
    }
    for (int i = 0; i < LEVELS - 1; i++) {
        below += counts[i];
        below_sum += counts[i] * i;
        if (below == 0.0 || below == total)
            continue;
        double gap = (sum - below_sum) / (total - below) - below_sum / below;
        double between = below * (total - below) * gap * gap;
        if (between > largest) {
            largest = between;
            best = (split){.level = i, .contrast = gap / (LEVELS - 1)};
        }
    }
    return best;
}

/* The level that this share of the pixels from `first` to `last` does not exceed. */
static int quantile(const double counts[LEVELS], int first, int last, double share)
{
    double total = 0.0, below = 0.0;
    for (int i = first; i <= last; i++)
        total += counts[i];
    for (int i = first; i < last; i++) {
        below += counts[i];
        if (below >= share * total)
            return i;
    }
    return last;
}

/* From a distance of 0 to 255 to the amount of ink: nothing for most of the ground, all of it for
 * the darkest parts. */
static cnn_status stretch(cnn_plane *ink)
{
    size_t count = (size_t)ink->width * (size_t)ink->height;
    double counts[LEVELS] = {0.0};
    for (size_t i = 0; i < count; i++)
        counts[(int)(ink->values[i] + 0.5f)] += 1.0;
    split at = find_split(counts);
    if (at.contrast < least_contrast)
        return cnn_fail(CNN_ERROR_DATA, "expected ink on a ground, found none: the image is blank");
    float low = (float)quantile(counts, 0, at.level, 0.9);
    float high = (float)quantile(counts, at.level + 1, LEVELS - 1, 0.9);
    low = low < 0.3f * high ? low : 0.3f * high;
    for (size_t i = 0; i < count; i++) {
        float value = (ink->values[i] - low) / (high - low);
        ink->values[i] = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
    }
    return CNN_OK;
}

cnn_status cnn_ink_find(cnn_plane *ink, const cnn_image *image)
{
    cnn_plane channel = {0};
    int channels = image->shape[0] >= 3 ? 3 : 1; /* beyond three they are no colours */
    cnn_status status = CNN_OK;
    *ink = (cnn_plane){0};
    for (int c = 0; c < channels; c++) {
        CNN_TRY(shrink(&channel, image, c));
        size_t count = (size_t)channel.width * (size_t)channel.height;
        if (c == 0)
            CNN_TRY(cnn_plane_init(ink, channel.width, channel.height));
        float ground = border_median(&channel);
        for (size_t i = 0; i < count; i++) {
            float difference = channel.values[i] - ground;
            ink->values[i] += difference * difference / (float)channels;
        }
        cnn_plane_finish(&channel);
    }
    for (size_t i = 0; i < (size_t)ink->width * (size_t)ink->height; i++)
        ink->values[i] = sqrtf(ink->values[i]);
    CNN_TRY(stretch(ink));
out:
    cnn_plane_finish(&channel);
    if (status != CNN_OK)
        cnn_plane_finish(ink);
    return status;
}

/* Pieces: pixels of ink that touch each other, also by a corner. */
typedef struct pieces {
    int *labels; /* (height, width): 0 for none, or its piece's number */
    int *sizes;  /* by number */
    int *stack;
    int count, largest;
} pieces;

/* Gives the piece around a pixel its number. */
static void fill_piece(pieces *found, const cnn_plane *ink, int start)
{
    int depth = 0, number = ++found->count;
    found->labels[start] = number;
    found->stack[depth++] = start;
    while (depth > 0) {
        int at = found->stack[--depth], x = at % ink->width, y = at / ink->width;
        found->sizes[number]++;
        for (int row = y > 0 ? y - 1 : 0; row <= y + 1 && row < ink->height; row++)
            for (int column = x > 0 ? x - 1 : 0; column <= x + 1 && column < ink->width; column++) {
                int next = row * ink->width + column;
                if (found->labels[next] || ink->values[next] <= inked)
                    continue;
                found->labels[next] = number;
                found->stack[depth++] = next;
            }
    }
    if (found->sizes[number] > found->largest)
        found->largest = found->sizes[number];
}

static cnn_status find_pieces(pieces *found, const cnn_plane *ink)
{
    size_t count = (size_t)ink->width * (size_t)ink->height;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&found->labels, count, sizeof(int), "an image's pieces"));
    CNN_TRY(cnn_allocate(&found->sizes, count + 1, sizeof(int), "an image's pieces"));
    CNN_TRY(cnn_allocate(&found->stack, count, sizeof(int), "an image's pieces"));
    for (size_t i = 0; i < count; i++)
        if (!found->labels[i] && ink->values[i] > inked)
            fill_piece(found, ink, (int)i);
out:
    return status;
}

cnn_status cnn_ink_clean(cnn_box *box, cnn_plane *ink)
{
    pieces found = {0};
    int left = ink->width, right = -1, top = ink->height, bottom = -1;
    cnn_status status = CNN_OK;
    CNN_TRY(find_pieces(&found, ink));
    for (int y = 0; y < ink->height; y++)
        for (int x = 0; x < ink->width; x++) {
            int i = y * ink->width + x, number = found.labels[i];
            if (number == 0)
                continue;
            if (found.sizes[number] < speck * found.largest) {
                ink->values[i] = 0.0f;
                continue;
            }
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
        }
    *box = (cnn_box){left, top, right - left + 1, bottom - top + 1};
out:
    free(found.labels);
    free(found.sizes);
    free(found.stack);
    return status;
}

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
