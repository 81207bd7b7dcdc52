/* Pictures brought to a size: against Pillow 13's bilinear resampling (Image.resize(),
 * ImageOps.pad(), and a centre cut out of what torchvision's Resize(size / 0.875) gives), to within
 * one of 255. */
#include <stdlib.h>
#include <string.h>

#include <cnncl/image.h>

#include "check_main.h"
#include "image/fit.h"

enum { HEIGHT = 11, WIDTH = 7, MOST = 13 * 9 };

static uint8_t pattern[HEIGHT * WIDTH];

static void begin(void)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            pattern[y * WIDTH + x] = (uint8_t)(37 * y + 53 * x + 29 * x * y);
}

static const struct {
    cnn_picture_fit fit;
    int height, width;
    uint8_t pixels[MOST];
} expected[] = {
    {CNN_FIT_STRETCH, 4, 5, {71,  130, 104, 113, 100, 141, 146, 98,  121, 145,
                             114, 98,  84,  97,  81,  90,  116, 144, 108, 134}},
    {CNN_FIT_PAD, 4, 5, {0, 98,  110, 106, 0, 0, 144, 110, 135, 0,
                         0, 106, 88,  88,  0, 0, 103, 132, 121, 0}},
    {CNN_FIT_CROP, 4, 5, {138, 168, 102, 114, 153, 166, 125, 92,  153, 112,
                          97,  84,  69,  53,  40,  55,  94,  128, 116, 155}},
    {CNN_FIT_STRETCH, 13, 9, {0,   35,  77,  118, 159, 200, 99,  27,  62,  28,  79,  137, 152,
                              57,  116, 142, 109, 27,  60,  126, 134, 102, 103, 58,  101, 146,
                              147, 91,  174, 157, 85,  90,  80,  80,  124, 207, 122, 169, 180,
                              140, 57,  112, 112, 123, 169, 154, 99,  131, 187, 123, 89,  154,
                              186, 131, 185, 146, 101, 56,  11,  165, 177, 132, 93,  216, 194,
                              168, 142, 116, 120, 103, 77,  55,  70,  65,  57,  51,  44,  37,
                              30,  23,  17,  23,  33,  46,  57,  70,  82,  94,  106, 117, 54,
                              81,  112, 143, 175, 130, 139, 170, 197, 86,  129, 153, 170, 221,
                              118, 91,  115, 159, 114, 172, 126, 51,  119, 187, 112, 66,  124}},
    {CNN_FIT_PAD, 13, 9, {0,   43,  89,  136, 182, 149, 19,  62,  0,   28,  90,  155, 111, 90,  138,
                          126, 27,  0,   60,  141, 120, 102, 78,  77,  146, 147, 0,   91,  192, 125,
                          87,  84,  79,  106, 207, 0,   122, 179, 173, 104, 88,  119, 112, 169, 0,
                          154, 86,  163, 159, 104, 122, 198, 131, 0,   185, 138, 87,  36,  98,  191,
                          140, 93,  0,   216, 189, 160, 131, 118, 111, 82,  55,  0,   70,  63,  55,
                          48,  40,  32,  24,  17,  0,   23,  36,  49,  63,  77,  90,  104, 117, 0,
                          54,  87,  122, 157, 149, 129, 164, 197, 0,   86,  138, 154, 193, 162, 90,
                          106, 159, 0,   114, 185, 85,  81,  157, 153, 53,  124, 0}},
    {CNN_FIT_CROP, 13, 9, {22,  61,  110, 159, 109, 105, 149, 127, 81,  49,  100, 143, 147,
                           96,  71,  79,  144, 131, 76,  139, 154, 53,  109, 98,  21,  88,
                           163, 104, 177, 207, 122, 70,  74,  125, 75,  118, 131, 141, 159,
                           184, 120, 92,  106, 131, 149, 158, 114, 106, 182, 135, 104, 102,
                           178, 170, 185, 153, 113, 72,  31,  80,  206, 166, 125, 212, 192,
                           167, 140, 115, 113, 132, 106, 80,  120, 111, 101, 89,  79,  68,
                           57,  46,  36,  10,  14,  18,  22,  26,  30,  34,  38,  42,  38,
                           52,  71,  91,  109, 128, 147, 166, 185, 65,  91,  125, 159, 193,
                           167, 90,  124, 157, 92,  130, 154, 130, 174, 169, 113, 90,  113}},
};

START_TEST(is_pillows)
{
    uint8_t pixels[MOST];
    const cnn_image image = {{1, HEIGHT, WIDTH}, pattern};
    const int shape[] = {1, expected[_i].height, expected[_i].width};
    ck_assert_int_eq(cnn_image_fit(pixels, shape, &image, expected[_i].fit), CNN_OK);
    for (int i = 0; i < shape[1] * shape[2]; i++)
        ck_assert_int_le(abs(pixels[i] - expected[_i].pixels[i]), 1);
}
END_TEST

START_TEST(one_that_fits_is_copied)
{
    uint8_t pixels[HEIGHT * WIDTH];
    const cnn_image image = {{1, HEIGHT, WIDTH}, pattern};
    for (int fit = CNN_FIT_CROP; fit <= CNN_FIT_STRETCH; fit++) {
        ck_assert_int_eq(cnn_image_fit(pixels, image.shape, &image, (cnn_picture_fit)fit), CNN_OK);
        ck_assert_mem_eq(pixels, pattern, sizeof pattern);
    }
}
END_TEST

START_TEST(colours_become_grey_and_grey_all_colours)
{
    uint8_t colors[3 * 6], pixels[3 * 6];
    const uint8_t grey[] = {23, 38, 52, 33, 54, 76};
    for (int y = 0; y < 2; y++)
        for (int x = 0; x < 3; x++) {
            colors[y * 3 + x] = (uint8_t)(37 * y + 53 * x);
            colors[6 + y * 3 + x] = (uint8_t)(11 * y * x);
            colors[12 + y * 3 + x] = (uint8_t)(200 - 9 * x - 7 * y);
        }
    const cnn_image image = {{3, 2, 3}, colors};
    ck_assert_int_eq(cnn_image_fit(pixels, (int[]){1, 2, 3}, &image, CNN_FIT_CROP), CNN_OK);
    ck_assert_mem_eq(pixels, grey, sizeof grey);
    const cnn_image single = {{1, 2, 3}, grey};
    ck_assert_int_eq(cnn_image_fit(pixels, (int[]){3, 2, 3}, &single, CNN_FIT_CROP), CNN_OK);
    for (int c = 0; c < 3; c++)
        ck_assert_mem_eq(pixels + 6 * c, grey, sizeof grey);
    const cnn_image two = {{2, 1, 3}, colors};
    ck_assert_int_eq(cnn_image_fit(pixels, (int[]){3, 2, 3}, &two, CNN_FIT_CROP),
                     CNN_ERROR_ARGUMENT);
}
END_TEST

/* One pixel, and lines of one pixel's width, in any size. */
START_TEST(thin_pictures_keep_their_colour)
{
    static const int sides[][2] = {{1, 1}, {1, 300}, {300, 1}, {2, 299}};
    uint8_t pixels[64 * 48], source[600];
    memset(source, 77, sizeof source);
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
        for (int fit = CNN_FIT_CROP; fit <= CNN_FIT_STRETCH; fit++) {
            const cnn_image image = {{1, sides[i][0], sides[i][1]}, source};
            memset(pixels, 1, sizeof pixels);
            ck_assert_int_eq(
                cnn_image_fit(pixels, (int[]){1, 64, 48}, &image, (cnn_picture_fit)fit), CNN_OK);
            for (size_t at = 0; at < sizeof pixels; at++)
                ck_assert(pixels[at] == 77 || (fit == CNN_FIT_PAD && pixels[at] == 0));
            ck_assert_int_eq(pixels[32 * 48 + 24], 77);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fit");
    TCase *tests = tcase_create("fit");
    tcase_add_checked_fixture(tests, begin, NULL);
    tcase_add_loop_test(tests, is_pillows, 0, (int)(sizeof expected / sizeof expected[0]));
    tcase_add_test(tests, one_that_fits_is_copied);
    tcase_add_test(tests, colours_become_grey_and_grey_all_colours);
    tcase_add_test(tests, thin_pictures_keep_their_colour);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
