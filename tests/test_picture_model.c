/* Pictures of a model: its confusion matrix and its filters, read back with cairo. */
#include <cairo.h>
#include <math.h>

#include <cnncl/picture.h>

#include "check_main.h"
#include "scratch.h"

enum { WHITE = 0xffffff, MOST = 256 };

static scratch files;
static cairo_surface_t *surface; /* what was read last */

static void set_up(void)
{
    scratch_init(&files);
}

static void tear_down(void)
{
    if (surface)
        cairo_surface_destroy(surface);
    surface = NULL;
    scratch_finish(&files);
}

static void read_picture(void)
{
    if (surface)
        cairo_surface_destroy(surface);
    surface = cairo_image_surface_create_from_png(scratch_path(&files, "picture.png"));
    ck_assert_int_eq(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
}

static int width(void)
{
    return cairo_image_surface_get_width(surface);
}

static int height(void)
{
    return cairo_image_surface_get_height(surface);
}

static uint32_t pixel(int x, int y)
{
    uint32_t value;
    memcpy(&value,
           cairo_image_surface_get_data(surface) + y * cairo_image_surface_get_stride(surface) +
               x * 4,
           sizeof value);
    return value & WHITE;
}

static int count_pixels(uint32_t color)
{
    int count = 0;
    for (int y = 0; y < height(); y++)
        for (int x = 0; x < width(); x++)
            count += pixel(x, y) == color;
    return count;
}

static int red(uint32_t color)
{
    return (int)(color >> 16);
}

static int blue(uint32_t color)
{
    return (int)(color & 0xff);
}

static void draw_matrix(const size_t *counts, int classes, const char *name)
{
    const char *names[MOST];
    for (int i = 0; i < MOST; i++)
        names[i] = name;
    cnn_status status =
        cnn_picture_confusion(scratch_path(&files, "picture.png"), counts, classes, names);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    read_picture();
}

/* Right answers are blue, mistakes are not, and what did not happen is white. */
START_TEST(a_matrix_is_shaded)
{
    const size_t counts[] = {9, 1, 0, 0, 10, 0, 5, 0, 5};
    draw_matrix(counts, 3, "x");
    int cell = 48, left = width() - 12 - 3 * cell, top = height() - 12 - 3 * cell;
    for (int i = 0; i < 9; i++) {
        uint32_t color = pixel(left + i % 3 * cell + 4, top + i / 3 * cell + 4);
        if (counts[i] == 0)
            ck_assert_uint_eq(color, WHITE);
        else if (i % 4 == 0)
            ck_assert_int_gt(blue(color), red(color));
        else
            ck_assert_int_gt(red(color), blue(color));
    }
    /* The whole row is a stronger blue than half of it. */
    ck_assert_int_lt(red(pixel(left + cell + 4, top + cell + 4)),
                     red(pixel(left + 2 * cell + 4, top + 2 * cell + 4)));
}
END_TEST

START_TEST(a_matrix_of_any_size_fits)
{
    static const int sizes[] = {1, 2, 10, 30, 31, 100, 256};
    static size_t counts[MOST * MOST];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(counts, 0, sizeof counts);
        for (int j = 0; j < sizes[i]; j++)
            counts[j * sizes[i] + j] = 123456789;
        draw_matrix(counts, sizes[i], "a name \xc3\xb6 of some length");
        ck_assert_int_gt(width(), 60);
        ck_assert_int_lt(width(), 1800);
        ck_assert_int_lt(abs(width() - height()), 200);
        ck_assert_int_gt(count_pixels(0x1c4fd9), sizes[i]); /* the full blue */
    }
}
END_TEST

START_TEST(a_matrix_that_cannot_be_is_refused)
{
    const size_t counts[] = {1};
    const char *names[] = {"x"};
    static const int sizes[] = {0, -1, 257};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            cnn_picture_confusion(scratch_path(&files, "picture.png"), counts, sizes[i], names),
            CNN_ERROR_ARGUMENT);
    assert_message_has("1 to 256 classes, found 257");
    ck_assert_int_eq(
        cnn_picture_confusion(scratch_path(&files, "absent/picture.png"), counts, 1, names),
        CNN_ERROR_FILE);
}
END_TEST

static cnn_model *make_model(const char *xdim, const char *ksize, const char *cdims)
{
    cnn_config config;
    cnn_model *model;
    cnn_config_init(&config);
    ck_assert_int_eq(cnn_config_set(&config, "xdim", xdim), CNN_OK);
    ck_assert_int_eq(cnn_config_set(&config, "ksize", ksize), CNN_OK);
    ck_assert_int_eq(cnn_config_set(&config, "cdims", cdims), CNN_OK);
    ck_assert_int_eq(cnn_model_create(&model, &config, 3), CNN_OK);
    return model;
}

static cnn_filters draw_filters(const cnn_model *model)
{
    cnn_status status = cnn_picture_filters(scratch_path(&files, "picture.png"), model);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    read_picture();
    return cnn_model_filters(model);
}

/* One channel: blue, white and orange, in the order of the weights. */
START_TEST(a_filter_is_drawn_by_its_signs)
{
    cnn_model *model = make_model("1,8,8", "2", "1");
    float *weights = cnn_model_tensor(model, 0).values;
    memcpy(weights, (float[]){1.0f, -1.0f, 0.0f, 0.5f}, 4 * sizeof *weights);
    cnn_filters filters = draw_filters(model);
    ck_assert_str_eq(filters.layer, "conv2d_00");
    ck_assert_int_eq(filters.shown, 1);
    ck_assert_float_eq(filters.scale, 1.0f);
    ck_assert_int_eq(width(), 60);
    ck_assert_int_gt(blue(pixel(10, 10)), red(pixel(10, 10)) + 100);
    ck_assert_int_gt(red(pixel(50, 10)), blue(pixel(50, 10)) + 100);
    ck_assert_uint_eq(pixel(10, 50), WHITE);
    ck_assert_int_gt(red(pixel(50, 50)), red(pixel(10, 10))); /* half as strong */
    ck_assert_int_gt(blue(pixel(50, 50)), red(pixel(50, 50)));
    cnn_model_destroy(model);
}
END_TEST

/* Three channels: red, green and blue; zero is grey. */
START_TEST(a_filter_of_three_channels_is_a_color)
{
    cnn_model *model = make_model("3,8,8", "1", "2");
    float *weights = cnn_model_tensor(model, 0).values;
    memcpy(weights, (float[]){2.0f, 0.0f, -2.0f, 0.0f, 0.0f, 0.0f}, 6 * sizeof *weights);
    draw_filters(model);
    ck_assert_uint_eq(pixel(30, 30), 0xff8000);
    ck_assert_uint_eq(pixel(84, 30), 0x808080);
    cnn_model_destroy(model);
}
END_TEST

/* Every size is drawn; of many only the first, which the description tells. */
START_TEST(filters_of_any_shape_are_drawn)
{
    static const struct {
        const char *xdim, *ksize, *cdims;
        int shown, channels;
    } cases[] = {
        {"1,30,30", "11", "5", 5, 1},      {"1,28,28", "3", "300", 64, 1},
        {"3,20,20", "7", "70", 64, 3},     {"2,20,20", "5", "70", 16, 2},
        {"40,20,20", "1", "3", 3, 16},     {"1,28,28", "3", "none", 32, 1},
        {"3,200,150", "3", "none", 32, 3}, {"5,3,200", "3", "none", 16, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cnn_model *model = make_model(cases[i].xdim, cases[i].ksize, cases[i].cdims);
        cnn_filters filters = draw_filters(model);
        ck_assert_int_eq(filters.shown, cases[i].shown);
        ck_assert_int_eq(filters.shown_channels, cases[i].channels);
        ck_assert_int_gt(width(), 20);
        ck_assert_int_lt(width(), 1000);
        ck_assert_int_lt(height(), 1000);
        if (strcmp(cases[i].cdims, "none") == 0)
            ck_assert_str_eq(filters.layer, "linear_01");
        cnn_model_destroy(model);
    }
}
END_TEST

/* A broken model is drawn, too: black stands for what is no number. */
START_TEST(weights_that_are_no_numbers_are_black)
{
    cnn_model *model = make_model("1,8,8", "2", "1");
    float *weights = cnn_model_tensor(model, 0).values;
    memcpy(weights, (float[]){NAN, INFINITY, -1.0f, 0.0f}, 4 * sizeof *weights);
    cnn_filters filters = draw_filters(model);
    ck_assert_float_eq(filters.scale, 1.0f);
    ck_assert_uint_eq(pixel(10, 10), 0);
    memset(weights, 0, 4 * sizeof *weights);
    ck_assert_float_eq(draw_filters(model).scale, 0.0f);
    ck_assert_uint_eq(pixel(10, 10), WHITE);
    ck_assert_int_eq(cnn_picture_filters(scratch_path(&files, "absent/picture.png"), model),
                     CNN_ERROR_FILE);
    cnn_model_destroy(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("picture_model");
    TCase *tests = tcase_create("picture_model");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_matrix_is_shaded);
    tcase_add_test(tests, a_matrix_of_any_size_fits);
    tcase_add_test(tests, a_matrix_that_cannot_be_is_refused);
    tcase_add_test(tests, a_filter_is_drawn_by_its_signs);
    tcase_add_test(tests, a_filter_of_three_channels_is_a_color);
    tcase_add_test(tests, filters_of_any_shape_are_drawn);
    tcase_add_test(tests, weights_that_are_no_numbers_are_black);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
