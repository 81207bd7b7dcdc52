/* The numbers that augmentation draws, and its options as text. */
#include <math.h>
#include <string.h>

#include "augment/augment.h"
#include "check_main.h"
#include "train/augment_words.h"

enum { H = 9, W = 12, DRAWS = 4000 };

static cnn_augment_draw draw(const cnn_augmentation *options, uint32_t place)
{
    cnn_augment_draw drawn;
    cnn_augment_draw_sample(&drawn, options, H, W, 7, 3, place);
    return drawn;
}

static bool is_identity(const cnn_augment_draw *drawn)
{
    return drawn->u[0] == 1.0f && drawn->u[1] == 0.0f && drawn->u[2] == 0.0f &&
           drawn->v[0] == 0.0f && drawn->v[1] == 1.0f && drawn->v[2] == 0.0f &&
           drawn->brightness == 1.0f && drawn->contrast == 1.0f && drawn->saturation == 1.0f;
}

START_TEST(nothing_changes_nothing)
{
    const cnn_augmentation none = {0};
    cnn_augment_draw drawn = draw(&none, 5);
    ck_assert(is_identity(&drawn) && !cnn_augments(&none));
    ck_assert_double_eq(cnn_augment_part(&none, 1, 2), 1.0);
}
END_TEST

START_TEST(half_of_the_images_are_mirrored)
{
    const cnn_augmentation options = {.flip = true};
    int mirrored = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        cnn_augment_draw drawn = draw(&options, i);
        bool is = drawn.u[0] == -1.0f && drawn.u[2] == W - 1.0f && drawn.v[1] == 1.0f;
        ck_assert(is || is_identity(&drawn));
        mirrored += is;
    }
    ck_assert(fabs(mirrored - DRAWS / 2.0) < 4.0 * sqrt(DRAWS / 4.0));
}
END_TEST

/* Whole pixels, each way as often as each other. */
START_TEST(shifts_are_whole_pixels)
{
    enum { MOST = 2, WAYS = 2 * MOST + 1 };
    const cnn_augmentation options = {.shift = MOST};
    int counts[2][WAYS] = {{0}};
    for (uint32_t i = 0; i < DRAWS; i++) {
        cnn_augment_draw drawn = draw(&options, i);
        const float shifts[2] = {drawn.u[2], drawn.v[2]};
        for (int k = 0; k < 2; k++) {
            ck_assert(shifts[k] == floorf(shifts[k]) && fabsf(shifts[k]) <= MOST);
            counts[k][(int)shifts[k] + MOST]++;
        }
    }
    for (int k = 0; k < 2; k++)
        for (int way = 0; way < WAYS; way++)
            ck_assert(fabs(counts[k][way] - DRAWS / (double)WAYS) < 0.2 * DRAWS / WAYS);
}
END_TEST

/* The corners of the result come from within the image, and the area is as large as it is to be. */
START_TEST(crops_stay_within)
{
    const cnn_augmentation options = {.crop_low = 0.3, .crop_high = 0.8};
    double least = 1.0, most = 0.0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        cnn_augment_draw drawn = draw(&options, i);
        double right = drawn.u[0] * (W - 1.0) + drawn.u[2];
        double bottom = drawn.v[1] * (H - 1.0) + drawn.v[2];
        double across = (right - drawn.u[2] + 1.0) / W, down = (bottom - drawn.v[2] + 1.0) / H;
        ck_assert(drawn.u[2] >= 0.0f && right <= W - 1.0 + 1e-5);
        ck_assert(drawn.v[2] >= 0.0f && bottom <= H - 1.0 + 1e-5);
        ck_assert(across / down > 0.749 && across / down < 1.334);
        least = fmin(least, across * down);
        most = fmax(most, across * down);
    }
    ck_assert(least > 0.2999 && least < 0.31 && most < 0.8001 && most > 0.79);
}
END_TEST

/* About the centre, as far as that, both ways. */
START_TEST(turns_are_turns)
{
    const cnn_augmentation options = {.rotate = 30.0};
    double least = 0.0, most = 0.0, sum = 0.0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        cnn_augment_draw drawn = draw(&options, i);
        double x = 0.5 * (W - 1), y = 0.5 * (H - 1), angle = atan2(drawn.v[0], drawn.u[0]);
        ck_assert(fabs(drawn.u[0] * x + drawn.u[1] * y + drawn.u[2] - x) < 1e-5);
        ck_assert(fabs(drawn.v[0] * x + drawn.v[1] * y + drawn.v[2] - y) < 1e-5);
        ck_assert(fabs(drawn.u[0] * drawn.v[1] - drawn.u[1] * drawn.v[0] - 1.0) < 1e-5);
        least = fmin(least, angle);
        most = fmax(most, angle);
        sum += angle;
    }
    double end = 30.0 * 3.14159265358979 / 180.0;
    ck_assert(least >= -end - 1e-6 && least < -0.98 * end && most <= end + 1e-6 &&
              most > 0.98 * end);
    ck_assert(fabs(sum / DRAWS) < 0.05 * end);
}
END_TEST

START_TEST(colours_and_holes_are_in_range)
{
    const cnn_augmentation options = {.color = 0.4, .cutout = 5};
    for (uint32_t i = 0; i < DRAWS; i++) {
        cnn_augment_draw drawn = draw(&options, i);
        const float factors[] = {drawn.brightness, drawn.contrast, drawn.saturation};
        for (int k = 0; k < 3; k++)
            ck_assert(factors[k] >= 0.6f && factors[k] <= 1.4f);
        ck_assert(factors[0] != factors[1] && factors[1] != factors[2]);
        ck_assert(drawn.hole[0] >= -2.0f && drawn.hole[0] <= W - 3.0f);
        ck_assert(drawn.hole[1] >= -2.0f && drawn.hole[1] <= H - 3.0f);
    }
}
END_TEST

/* Each kind has its own numbers; the order in which they act is the one that is documented. */
START_TEST(kinds_do_not_disturb_each_other)
{
    const cnn_augmentation flip = {.flip = true}, shift = {.shift = 3};
    const cnn_augmentation both = {.flip = true, .shift = 3, .color = 0.2, .cutout = 2};
    for (uint32_t i = 0; i < 50; i++) {
        cnn_augment_draw a = draw(&flip, i), b = draw(&shift, i), c = draw(&both, i);
        ck_assert_float_eq(c.u[0], a.u[0]);
        ck_assert_float_eq(c.v[2], b.v[2]);
        ck_assert_float_eq(c.u[2], a.u[0] < 0.0f ? W - 1.0f - b.u[2] : b.u[2]);
    }
}
END_TEST

/* The variance of a beta distribution (a, a) is 1 / (4 (2 a + 1)). */
START_TEST(parts_are_of_the_beta_distribution)
{
    static const double alphas[] = {0.2, 0.5, 1.0, 4.0};
    const cnn_augmentation options = {.mixup = alphas[_i]};
    double sum = 0.0, square = 0.0;
    for (uint64_t step = 0; step < 10 * DRAWS; step++) {
        double part = cnn_augment_part(&options, 11, step) - 0.5;
        ck_assert(fabs(part) <= 0.5);
        sum += part;
        square += part * part;
    }
    double expected = 1.0 / (4.0 * (2.0 * alphas[_i] + 1.0));
    ck_assert(fabs(sum / (10 * DRAWS)) < 0.01);
    ck_assert(fabs(square / (10 * DRAWS) / expected - 1.0) < 0.03);
}
END_TEST

START_TEST(the_text_is_read_and_written)
{
    static const char *const texts[] = {
        "none",
        "flip",
        "shift=2",
        "crop=0.6:1",
        "rotate=10",
        "color=0.3",
        "cutout=8",
        "mixup=0.2",
        "flip,shift=2,crop=0.6:1,rotate=10,color=0.3,cutout=8,mixup=0.2",
        "crop=0.3333333333333333:0.3333333333333333",
    };
    cnn_train_options options;
    char text[CNN_WORDS_SIZE];
    cnn_train_options_init(&options);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_int_eq(cnn_train_options_set(&options, "augment", texts[i]), CNN_OK);
        ck_assert(cnn_augments(&options.augment) == (i > 0));
        cnn_augment_words.write(text, &options);
        ck_assert_str_eq(text, texts[i]);
    }
}
END_TEST

START_TEST(other_text_is_refused)
{
    static const char *const texts[] = {
        "",          "flop",         "flip,",       ",flip",        "flip,flip",  "flip=1",
        "shift",     "shift=",       "shift=0",     "shift=-1",     "shift=1.5",  "shift=70000",
        "crop=0.5",  "crop=1:0.5",   "crop=0:1",    "crop=0.5:1.1", "rotate=181", "rotate=nan",
        "rotate=0",  "color=1.5",    "color=1e-60", "cutout=x",     "mixup=inf",  "mixup=2e6",
        "none,flip", "flip shift=2",
    };
    cnn_train_options options;
    cnn_train_options_init(&options);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_msg(cnn_train_options_set(&options, "augment", texts[i]) == CNN_ERROR_ARGUMENT,
                      "'%s' is taken", texts[i]);
        ck_assert_ptr_nonnull(strstr(cnn_error_message(), "--augment: expected"));
        ck_assert(!cnn_augments(&options.augment));
    }
}
END_TEST

START_TEST(impossible_numbers_are_refused)
{
    const int shape[] = {1, H, W};
    const cnn_augmentation wrong[] = {
        {.shift = -1},
        {.shift = H},
        {.crop_low = 0.5},
        {.crop_high = 0.5},
        {.rotate = 200.0},
        {.rotate = NAN},
        {.color = -0.1},
        {.cutout = -2},
        {.mixup = -1.0},
        {.mixup = 1e300},
        {.crop_low = NAN, .crop_high = 1.0},
        {.mixup = 1e-60},
        {.rotate = 1e-60},
        {.crop_low = 1e-60, .crop_high = 1.0},
        {.color = 1e-60},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_int_eq(cnn_augment_check(&wrong[i], shape), CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_augment_check(&(cnn_augmentation){.shift = H - 1}, shape), CNN_OK);
}
END_TEST

START_TEST(a_mean_is_that_of_the_grey_image)
{
    const uint8_t image[] = {255, 0, 0, 51, 102, 204};
    ck_assert_float_eq_tol(cnn_augment_grey(image, 3, 2),
                           (0.299f * 255 + 0.587f * 51 + 0.114f * 306) / 510.0f, 1e-6f);
    ck_assert_float_eq_tol(cnn_augment_grey(image, 2, 3), (255 + 357) / 2.0f / 765.0f, 1e-6f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("augment");
    TCase *tests = tcase_create("augment");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, nothing_changes_nothing);
    tcase_add_test(tests, half_of_the_images_are_mirrored);
    tcase_add_test(tests, shifts_are_whole_pixels);
    tcase_add_test(tests, crops_stay_within);
    tcase_add_test(tests, turns_are_turns);
    tcase_add_test(tests, colours_and_holes_are_in_range);
    tcase_add_test(tests, kinds_do_not_disturb_each_other);
    tcase_add_loop_test(tests, parts_are_of_the_beta_distribution, 0, 4);
    tcase_add_test(tests, the_text_is_read_and_written);
    tcase_add_test(tests, other_text_is_refused);
    tcase_add_test(tests, impossible_numbers_are_refused);
    tcase_add_test(tests, a_mean_is_that_of_the_grey_image);
    return run_suite(suite);
}
