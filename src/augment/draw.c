#include "augment/augment.h"

#include <math.h>

#include "base/number.h"
#include "base/philox.h"
#include "base/real.h"
#include "base/status.h"

static const double pi = 3.14159265358979323846;

/* Each has numbers of its own: what one draws does not change with the others. */
typedef enum draw_kind { FLIP, SHIFT, CROP, ROTATE, COLOR, CUTOUT, MIXUP } draw_kind;

bool cnn_augments(const cnn_augmentation *options)
{
    return options->flip || options->shift > 0 || options->crop_high > 0.0 ||
           options->rotate > 0.0 || options->color > 0.0 || options->cutout > 0 ||
           options->mixup > 0.0;
}

static bool is_within(double value, double low, double high)
{
    return value >= low && value <= high;
}

static cnn_status check_shift(const cnn_augmentation *options, const int shape[3])
{
    if (!shape || (options->shift < shape[1] && options->shift < shape[2]))
        return CNN_OK;
    return cnn_fail(CNN_ERROR_ARGUMENT,
                    "--augment: shift: expected fewer pixels than the images have, %d x %d, found "
                    "%d",
                    shape[1], shape[2], options->shift);
}

cnn_status cnn_augment_check(const cnn_augmentation *options, const int shape[3])
{
    bool cropped = options->crop_low != 0.0 || options->crop_high != 0.0;
    const struct {
        bool is_right;
        const char *name, *expected;
    } rules[] = {
        {options->shift >= 0, "shift", "0 pixels or more"},
        {!cropped || (options->crop_low > 0.0 && options->crop_low <= options->crop_high &&
                      options->crop_high <= 1.0),
         "crop", "two parts of the area, ascending, above 0 and at most 1"},
        {is_within(options->rotate, 0.0, 180.0), "rotate", "0 to 180 degrees"},
        {is_within(options->color, 0.0, 1.0), "color", "a number from 0 to 1"},
        {options->cutout >= 0, "cutout", "0 pixels or more"},
        {is_within(options->mixup, 0.0, 1e6), "mixup", "a number from 0 to 1000000"},
    };
    const struct {
        double value;
        const char *name;
    } numbers[] = {{options->crop_low, "crop"},
                   {options->rotate, "rotate"},
                   {options->color, "color"},
                   {options->mixup, "mixup"}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (!rules[i].is_right)
            return cnn_fail(CNN_ERROR_ARGUMENT, "--augment: %s: expected %s, found another value",
                            rules[i].name, rules[i].expected);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (!cnn_fits_float(numbers[i].value))
            return cnn_fail(CNN_ERROR_ARGUMENT,
                            "--augment: %s: expected a number that is not 0 in float32, found %g",
                            numbers[i].name, numbers[i].value);
    return check_shift(options, shape);
}

/* Four numbers between 0 and 1, both excluded. */
static void draw_numbers(double numbers[CNN_PHILOX_LANES], draw_kind kind, uint64_t seed,
                         uint64_t step, uint32_t place)
{
    uint32_t words[CNN_PHILOX_LANES];
    cnn_philox_block(words, seed, CNN_STREAM_AUGMENT, (unsigned)kind, step, place);
    for (int i = 0; i < CNN_PHILOX_LANES; i++)
        numbers[i] = ((double)words[i] + 0.5) * 0x1p-32;
}

/* An integer of low to high. */
static double draw_integer(double number, int low, int high)
{
    return low + floor(number * ((double)high - low + 1.0));
}

/* Where a pixel (x, y) comes from: (u[0] x + u[1] y + u[2], v[0] x + v[1] y + v[2]). */
typedef struct map {
    double u[3], v[3];
} map;

/* Where `first` takes its pixels from is where `second` puts them: both in one. */
static map compose(const map *first, const map *second)
{
    map both;
    for (int i = 0; i < 3; i++) {
        both.u[i] = first->u[0] * second->u[i] + first->u[1] * second->v[i];
        both.v[i] = first->v[0] * second->u[i] + first->v[1] * second->v[i];
    }
    both.u[2] += first->u[2];
    both.v[2] += first->v[2];
    return both;
}

static double mixed(double low, double high, double number)
{
    return low + (high - low) * number;
}

/* torchvision's RandomResizedCrop: a part of the area, and a ratio of width to height, here one by
 * which the part fits the image. The crop's outermost pixels become the image's. */
static map draw_crop(const cnn_augmentation *options, int h, int w, const double numbers[4])
{
    static const double narrowest = 3.0 / 4.0, widest = 4.0 / 3.0;
    double part = mixed(options->crop_low, options->crop_high, numbers[0]);
    double low = cnn_real_log(fmax(narrowest, part)), high = cnn_real_log(fmin(widest, 1.0 / part));
    double ratio = cnn_real_exp(mixed(low, high, numbers[1]));
    double across = fmin(1.0, sqrt(part * ratio)), down = fmin(1.0, sqrt(part / ratio));
    double sx = w > 1 ? (across * w - 1.0) / (w - 1) : 0.0;
    double sy = h > 1 ? (down * h - 1.0) / (h - 1) : 0.0;
    sx = fmax(sx, 0.0);
    sy = fmax(sy, 0.0);
    return (map){{sx, 0.0, numbers[2] * (1.0 - sx) * (w - 1)},
                 {0.0, sy, numbers[3] * (1.0 - sy) * (h - 1)}};
}

static map draw_turn(const cnn_augmentation *options, int h, int w, const double numbers[4])
{
    double angle = mixed(-options->rotate, options->rotate, numbers[0]) * pi / 180.0;
    double x = 0.5 * (w - 1), y = 0.5 * (h - 1), c = cnn_real_cos(angle), s = cnn_real_sin(angle);
    return (map){{c, -s, x - c * x + s * y}, {s, c, y - s * x - c * y}};
}

/* The image is cropped, mirrored, turned and shifted, in this order. */
static map draw_map(const cnn_augmentation *options, int h, int w, uint64_t seed, uint64_t step,
                    uint32_t place)
{
    double numbers[CNN_PHILOX_LANES];
    map all = {{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}};
    if (options->crop_high > 0.0) {
        draw_numbers(numbers, CROP, seed, step, place);
        all = draw_crop(options, h, w, numbers);
    }
    if (options->flip) {
        const map mirror = {{-1.0, 0.0, w - 1.0}, {0.0, 1.0, 0.0}};
        draw_numbers(numbers, FLIP, seed, step, place);
        if (numbers[0] < 0.5)
            all = compose(&all, &mirror);
    }
    if (options->rotate > 0.0) {
        draw_numbers(numbers, ROTATE, seed, step, place);
        const map turn = draw_turn(options, h, w, numbers);
        all = compose(&all, &turn);
    }
    if (options->shift > 0) {
        int most = options->shift;
        draw_numbers(numbers, SHIFT, seed, step, place);
        const map shift = {{1.0, 0.0, draw_integer(numbers[0], -most, most)},
                           {0.0, 1.0, draw_integer(numbers[1], -most, most)}};
        all = compose(&all, &shift);
    }
    return all;
}

static float draw_factor(double color, double number)
{
    return (float)mixed(1.0 - color, 1.0 + color, number);
}

/* A square about any pixel: at the border a part of it lies outside. */
static void draw_hole(float hole[2], int size, int h, int w, const double numbers[4])
{
    int before = size / 2;
    hole[0] = (float)(draw_integer(numbers[0], 0, w - 1) - before);
    hole[1] = (float)(draw_integer(numbers[1], 0, h - 1) - before);
}

void cnn_augment_draw_sample(cnn_augment_draw *draw, const cnn_augmentation *options, int h, int w,
                             uint64_t seed, uint64_t step, uint32_t place)
{
    double numbers[CNN_PHILOX_LANES];
    const map all = draw_map(options, h, w, seed, step, place);
    *draw = (cnn_augment_draw){.brightness = 1.0f, .contrast = 1.0f, .saturation = 1.0f};
    for (int i = 0; i < 3; i++) {
        draw->u[i] = (float)all.u[i];
        draw->v[i] = (float)all.v[i];
    }
    if (options->color > 0.0) {
        draw_numbers(numbers, COLOR, seed, step, place);
        draw->brightness = draw_factor(options->color, numbers[0]);
        draw->contrast = draw_factor(options->color, numbers[1]);
        draw->saturation = draw_factor(options->color, numbers[2]);
    }
    if (options->cutout > 0) {
        draw_numbers(numbers, CUTOUT, seed, step, place);
        draw_hole(draw->hole, options->cutout, h, w, numbers);
    }
}

/* Of a symmetric beta distribution: D. J. Best 1978, as L. Devroye gives it in "Random variate
 * generation in one line of code", 1996. */
double cnn_augment_part(const cnn_augmentation *options, uint64_t seed, uint64_t step)
{
    double numbers[CNN_PHILOX_LANES];
    if (options->mixup <= 0.0)
        return 1.0;
    draw_numbers(numbers, MIXUP, seed, step, 0);
    double odds = cnn_real_exp(-cnn_real_log(numbers[0]) / options->mixup) - 1.0;
    double wave = cnn_real_cos(2.0 * pi * numbers[1]);
    double far = 1.0 / sqrt(1.0 + 1.0 / (odds * wave * wave));
    return 0.5 * (1.0 + copysign(far, wave));
}

static uint64_t add_up(const uint8_t *bytes, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += bytes[i];
    return sum;
}

float cnn_augment_grey(const uint8_t *image, int channels, size_t pixels)
{
    static const double shares[3] = {0.299, 0.587, 0.114}; /* of red, green, blue */
    double sum = 0.0;
    for (int c = 0; c < channels; c++)
        sum += (channels == 3 ? shares[c] : 1.0 / channels) *
               (double)add_up(image + (size_t)c * pixels, pixels);
    return (float)(sum / (255.0 * (double)pixels));
}
