/* What pictures become: the input of a network of any shape, and digits as MNIST has them. */
#include <stdlib.h>
#include <string.h>

#include <cnncl/image.h>

#include "check_main.h"
#include "drawn.h"
#include "image/plane.h"
#include "scratch.h"

#define TEXT(string) (string), sizeof(string) - 1

static cnn_images *images;

static void tear_down(void)
{
    cnn_images_destroy(images);
    images = NULL;
}

static cnn_image decode(const void *data, size_t size)
{
    ck_assert_int_eq(cnn_images_decode(&images, data, size, "a picture", 0), CNN_OK);
    return cnn_images_get(images, 0);
}

static const drawn_style style = {
    "a style", 61, 47, 40, 0.5, 0.5, 0.1, 0.1, {0.1, 0.2, 0.7, 1.0}, {1.0, 0.9, 0.5, 1.0}};

/* Each value is the mean of what it covers; where the picture is smaller, it lies between. */
START_TEST(scaling_averages)
{
    const float row[] = {0, 3, 6, 3, 9, 0};
    static const struct {
        int width;
        float values[6];
    } expected[] = {{6, {0, 3, 6, 3, 9, 0}},
                    {3, {1.5f, 4.5f, 4.5f}},
                    {2, {3, 4}},
                    {1, {3.5f}},
                    {4, {1, 5, 5, 3}}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cnn_plane plane;
        ck_assert_int_eq(cnn_plane_init(&plane, expected[i].width, 1), CNN_OK);
        ck_assert_int_eq(
            cnn_plane_scale(&plane,
                            &(cnn_area){.floats = row, .stride = 6, .width = 6, .height = 1}),
            CNN_OK);
        for (int x = 0; x < expected[i].width; x++)
            ck_assert_float_eq_tol(plane.values[x], expected[i].values[x], 1e-5f);
        cnn_plane_finish(&plane);
    }
    cnn_plane grown;
    ck_assert_int_eq(cnn_plane_init(&grown, 4, 2), CNN_OK);
    ck_assert_int_eq(
        cnn_plane_scale(
            &grown, &(cnn_area){.floats = row, .stride = 6, .left = 1, .width = 2, .height = 1}),
        CNN_OK);
    const float between[] = {3, 3.75f, 5.25f, 6};
    for (int i = 0; i < 8; i++)
        ck_assert_float_eq_tol(grown.values[i], between[i % 4], 1e-5f);
    cnn_plane_finish(&grown);
}
END_TEST

START_TEST(inputs_have_the_networks_channels)
{
    float values[12];
    cnn_image color = decode(TEXT("P6 1 1 255\n\xff\x80\x00"));
    ck_assert_int_eq(cnn_image_to_input(values, (int[]){3, 2, 2}, &color), CNN_OK);
    for (int i = 0; i < 12; i++)
        ck_assert_float_eq_tol(values[i], (i < 4 ? 255 : i < 8 ? 128 : 0) / 255.0f, 1e-6f);
    ck_assert_int_eq(cnn_image_to_input(values, (int[]){1, 1, 1}, &color), CNN_OK);
    ck_assert_float_eq_tol(values[0], 0.299f + 0.587f * 128 / 255, 1e-5f);
    const uint8_t pixel[] = {51, 51};
    cnn_image grey = {.shape = {1, 1, 1}, .pixels = pixel};
    ck_assert_int_eq(cnn_image_to_input(values, (int[]){3, 1, 1}, &grey), CNN_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_float_eq_tol(values[i], 0.2f, 1e-6f);
    ck_assert_int_eq(cnn_image_to_input(values, (int[]){2, 1, 1}, &grey), CNN_ERROR_ARGUMENT);
    assert_message_has("an image of 1 channels does not become one of 2");
}
END_TEST

/* Ink is white, in the middle, and as large as MNIST's. */
START_TEST(digits_are_centred)
{
    enum { SIDE = 28 };
    float values[3 * SIDE * SIDE];
    drawn_style in_a_corner = style;
    in_a_corner.width = 300;
    in_a_corner.height = 200;
    in_a_corner.x = 0.2;
    in_a_corner.y = 0.3;
    cairo_surface_t *surface = drawn_digit(_i, &in_a_corner);
    size_t size;
    uint8_t *data = drawn_png(&size, surface);
    cairo_surface_destroy(surface);
    cnn_image image = decode(data, size);
    free(data);
    ck_assert_int_eq(cnn_image_to_digit(values, (int[]){3, SIDE, SIDE}, &image), CNN_OK);
    double sum = 0.0, x_sum = 0.0, y_sum = 0.0;
    int top = SIDE, bottom = 0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double value = (double)values[y * SIDE + x];
            ck_assert(value >= 0.0 && value <= 1.0);
            sum += value;
            x_sum += value * x;
            y_sum += value * y;
            if (value > 0.3) {
                top = y < top ? y : top;
                bottom = y > bottom ? y : bottom;
            }
        }
    ck_assert_double_eq_tol(x_sum / sum, SIDE / 2, 0.51);
    ck_assert_double_eq_tol(y_sum / sum, SIDE / 2, 0.51);
    ck_assert_int_ge(bottom - top + 1, 19);
    ck_assert_int_le(bottom - top + 1, 20);
    ck_assert_mem_eq(values, values + SIDE * SIDE, SIDE * SIDE * sizeof *values);
    ck_assert_mem_eq(values, values + 2 * SIDE * SIDE, SIDE * SIDE * sizeof *values);
}
END_TEST

/* Any input has room for a digit. */
START_TEST(digits_fit_every_shape)
{
    static const int shapes[][3] = {{1, 1, 1}, {1, 2, 9}, {2, 9, 2}, {1, 5, 5}, {3, 64, 48}};
    static const uint8_t pixels[] = {0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0};
    float values[3 * 64 * 48];
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        cnn_image image = {.shape = {1, 3, 5}, .pixels = pixels};
        ck_assert_int_eq(cnn_image_to_digit(values, shapes[i], &image), CNN_OK);
        float most = 0.0f;
        for (int j = 0; j < shapes[i][0] * shapes[i][1] * shapes[i][2]; j++)
            most = values[j] > most ? values[j] : most;
        ck_assert_float_eq(most, 1.0f);
    }
}
END_TEST

/* Noise is no ink, and specks do not move it. */
START_TEST(blank_images_are_told)
{
    enum { SIDE = 60 };
    static uint8_t pixels[SIDE * SIDE];
    uint32_t random = 1;
    float values[28 * 28];
    cnn_image image = {.shape = {1, SIDE, SIDE}, .pixels = pixels};
    for (int level = 0; level <= 200; level += 100)
        for (int noise = 1; noise <= 20; noise += 19) {
            for (int i = 0; i < SIDE * SIDE; i++) {
                random = random * 1664525u + 1013904223u;
                pixels[i] = (uint8_t)(level + (int)((random >> 16) % (uint32_t)noise));
            }
            ck_assert_int_eq(cnn_image_to_digit(values, (int[]){1, 28, 28}, &image),
                             CNN_ERROR_DATA);
            assert_message_has("expected ink on a ground, found none: the image is blank");
        }
    cnn_image one = {.shape = {1, 1, 1}, .pixels = pixels};
    ck_assert_int_eq(cnn_image_to_digit(values, (int[]){1, 28, 28}, &one), CNN_ERROR_DATA);
}
END_TEST

START_TEST(specks_are_dropped)
{
    enum { SIDE = 100 };
    static uint8_t pixels[SIDE * SIDE];
    float clean[28 * 28], specked[28 * 28];
    cnn_image image = {.shape = {1, SIDE, SIDE}, .pixels = pixels};
    memset(pixels, 0, sizeof pixels);
    for (int y = 30; y < 70; y++)
        memset(pixels + y * SIDE + 45, 255, 6);
    ck_assert_int_eq(cnn_image_to_digit(clean, (int[]){1, 28, 28}, &image), CNN_OK);
    pixels[3 * SIDE + 3] = pixels[96 * SIDE + 90] = pixels[50 * SIDE + 5] = 255;
    ck_assert_int_eq(cnn_image_to_digit(specked, (int[]){1, 28, 28}, &image), CNN_OK);
    ck_assert_mem_eq(clean, specked, sizeof clean);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_input");
    TCase *tests = tcase_create("image_input");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, scaling_averages);
    tcase_add_test(tests, inputs_have_the_networks_channels);
    tcase_add_loop_test(tests, digits_are_centred, 0, 10);
    tcase_add_test(tests, digits_fit_every_shape);
    tcase_add_test(tests, blank_images_are_told);
    tcase_add_test(tests, specks_are_dropped);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
