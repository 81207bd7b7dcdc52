/* The grid of images: read back with cairo and looked at pixel by pixel. */
#include <cairo.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cnncl/picture.h>

#include "check_main.h"

enum { RED = 0xff0000, GREEN = 0x00ff00, BLUE = 0x0000ff, GREY = 0x4d4d4d, WHITE = 0xffffff };

static char folder[] = "test_picture.XXXXXX";
static char path[64];

typedef struct page {
    cairo_surface_t *surface;
    int width, height;
} page;

static page read_page(void)
{
    page result = {.surface = cairo_image_surface_create_from_png(path)};
    ck_assert_int_eq(cairo_surface_status(result.surface), CAIRO_STATUS_SUCCESS);
    result.width = cairo_image_surface_get_width(result.surface);
    result.height = cairo_image_surface_get_height(result.surface);
    ck_assert_int_eq(unlink(path), 0);
    return result;
}

static page draw(const cnn_grid_cell *cells, int count, int columns, const int shape[3])
{
    ck_assert_msg(cnn_picture_grid(path, cells, count, columns, shape) == CNN_OK, "%s",
                  cnn_error_message());
    return read_page();
}

static uint32_t pixel(const page *from, int x, int y)
{
    const unsigned char *data = cairo_image_surface_get_data(from->surface);
    int stride = cairo_image_surface_get_stride(from->surface);
    uint32_t value;
    memcpy(&value, data + y * stride + x * 4, sizeof value);
    return value & WHITE;
}

static int count_pixels(const page *from, uint32_t color)
{
    int count = 0;
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x++)
            count += pixel(from, x, y) == color;
    return count;
}

/* Titles are black or red on white: red ones have pixels of much red and little green. */
static int count_red(const page *from)
{
    int count = 0;
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x++)
            count += (pixel(from, x, y) >> 16) > 150 && (pixel(from, x, y) >> 8 & 0xff) < 60;
    return count;
}

/* Pixels of one colour form one rectangle: returns its width, and its height. */
static int box(int *height, const page *from, uint32_t color)
{
    int left = from->width, right = -1, top = from->height, bottom = -1;
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x++)
            if (pixel(from, x, y) == color) {
                left = x < left ? x : left;
                right = x > right ? x : right;
                top = y < top ? y : top;
                bottom = y > bottom ? y : bottom;
            }
    *height = bottom - top + 1;
    ck_assert_int_eq(count_pixels(from, color), *height * (right - left + 1));
    return right - left + 1;
}

static void finish(page *from)
{
    cairo_surface_destroy(from->surface);
}

START_TEST(scales_by_whole_factors_without_blur)
{
    /* (3, 2, 2): red, green; blue, grey */
    static const uint8_t pixels[] = {255, 0, 0, 77, 0, 255, 0, 77, 0, 0, 255, 77};
    const uint32_t colors[] = {RED, GREEN, BLUE, GREY};
    cnn_grid_cell cell = {.pixels = pixels, .title = ""};
    page drawn = draw(&cell, 1, 5, (int[]){3, 2, 2});
    for (int i = 0; i < 4; i++) {
        int height;
        ck_assert_int_eq(box(&height, &drawn, colors[i]), 72);
        ck_assert_int_eq(height, 72);
    }
    finish(&drawn);
}
END_TEST

static const struct {
    int shape[3], width, height; /* as drawn */
} sizes[] = {
    {{1, 28, 28}, 140, 140}, {{1, 1, 1}, 144, 144},     {{1, 1, 100}, 100, 1},
    {{2, 144, 3}, 3, 144},   {{3, 200, 300}, 300, 200}, {{1, 1536, 1024}, 341, 512},
    {{4, 1, 3000}, 512, 1},
};

START_TEST(draws_every_shape)
{
    const int *shape = sizes[_i].shape;
    size_t count = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    uint8_t *pixels = malloc(count);
    ck_assert_ptr_nonnull(pixels);
    memset(pixels, 0x4d, count);
    cnn_grid_cell cell = {.pixels = pixels, .title = ""};
    page drawn = draw(&cell, 1, 1, shape);
    int height;
    ck_assert_int_eq(box(&height, &drawn, GREY), sizes[_i].width);
    ck_assert_int_eq(height, sizes[_i].height);
    finish(&drawn);
    free(pixels);
}
END_TEST

START_TEST(of_other_channels_draws_the_first)
{
    static const uint8_t pixels[] = {0x4d, 0xff};
    cnn_grid_cell cell = {.pixels = pixels, .title = ""};
    page drawn = draw(&cell, 1, 1, (int[]){2, 1, 1});
    ck_assert_int_eq(count_pixels(&drawn, GREY), 144 * 144);
    finish(&drawn);
}
END_TEST

START_TEST(wrong_titles_are_red)
{
    static const uint8_t black;
    cnn_grid_cell cells[] = {{&black, "Pred:7, Label:7", false}, {&black, "Pred:4, Label:9", true}};
    page right = draw(cells, 1, 1, (int[]){1, 1, 1});
    ck_assert_int_eq(count_red(&right), 0);
    page wrong = draw(cells + 1, 1, 1, (int[]){1, 1, 1});
    ck_assert_int_gt(count_red(&wrong), 50);
    ck_assert_int_eq(wrong.width, right.width);
    page both = draw(cells, 2, 2, (int[]){1, 1, 1});
    ck_assert_int_eq(count_red(&both), count_red(&wrong));
    ck_assert_int_gt(both.width, wrong.width);
    ck_assert_int_eq(both.height, wrong.height);
    finish(&right);
    finish(&wrong);
    finish(&both);
}
END_TEST

START_TEST(rows_are_filled_one_after_the_other)
{
    static const uint8_t pixels[] = {77, 77, 77, 77, 77, 77, 77};
    cnn_grid_cell cells[7];
    for (int i = 0; i < 7; i++)
        cells[i] = (cnn_grid_cell){.pixels = pixels + i, .title = ""};
    page drawn = draw(cells, 7, 3, (int[]){1, 1, 1});
    ck_assert_int_eq(count_pixels(&drawn, GREY), 7 * 144 * 144);
    int last = drawn.height - 18 - 72;
    ck_assert_uint_eq(pixel(&drawn, 18 + 72, last), GREY);
    ck_assert_uint_eq(pixel(&drawn, drawn.width / 2, last), WHITE);
    finish(&drawn);
}
END_TEST

/* Neither a cell's neighbour nor the page's margin gets any of it. */
START_TEST(shortens_long_titles)
{
    static const uint8_t black;
    char title[1000];
    memset(title, 'W', sizeof title - 1);
    title[sizeof title - 1] = '\0';
    memcpy(title + 10, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9);
    cnn_grid_cell cells[] = {{&black, title, true}, {&black, "short", false}};
    page drawn = draw(cells, 2, 2, (int[]){1, 1, 1});
    ck_assert_int_eq(drawn.width, 2 * 280 + 3 * 18);
    for (int y = 0; y < drawn.height; y++)
        for (int x = 0; x < 16; x++) {
            ck_assert_uint_eq(pixel(&drawn, x, y), WHITE);
            ck_assert_uint_eq(pixel(&drawn, 18 + 280 + 2 + x % 14, y), WHITE);
        }
    ck_assert_int_gt(count_red(&drawn), 200);
    finish(&drawn);
}
END_TEST

static const char *const odd_titles[] = {
    "\xff\xfe",         "caf\xe9", "\xe2\x82",     "\xc0\xaf", "\xed\xa0\x80",
    "\xf4\x90\x80\x80", "\x80",    "two\nlines\t", "\xc2\x85", "\xc3\xa9t\xc3\xa9",
};

START_TEST(draws_text_that_is_not_utf8)
{
    static const uint8_t green[] = {0, 255, 0}; /* no shade of a title */
    cnn_grid_cell cell = {.pixels = green, .title = odd_titles[_i]};
    page drawn = draw(&cell, 1, 1, (int[]){3, 1, 1});
    ck_assert_int_eq(count_pixels(&drawn, GREEN), 144 * 144);
    finish(&drawn);
}
END_TEST

START_TEST(refuses_what_cannot_be_drawn)
{
    static const uint8_t black;
    static cnn_grid_cell cells[300];
    for (int i = 0; i < 300; i++)
        cells[i] = (cnn_grid_cell){.pixels = &black, .title = ""};
    const int shape[] = {1, 1, 1};
    ck_assert_int_eq(cnn_picture_grid(path, cells, 0, 5, shape), CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_picture_grid(path, cells, 1, 0, shape), CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_picture_grid(path, cells, 1, 1, (int[]){1, 0, 1}), CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_picture_grid(path, cells, 300, 300, shape), CNN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "draw fewer"));
    cells[0].title = NULL;
    ck_assert_int_eq(cnn_picture_grid(path, cells, 1, 1, shape), CNN_ERROR_ARGUMENT);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(names_the_file_that_cannot_be_written)
{
    static const uint8_t black;
    cnn_grid_cell cell = {.pixels = &black, .title = ""};
    const char *lost = "test_picture.absent/grid.png";
    ck_assert_int_eq(cnn_picture_grid(lost, &cell, 1, 1, (int[]){1, 1, 1}), CNN_ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), lost));
}
END_TEST

int main(void)
{
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    snprintf(path, sizeof path, "%s/grid.png", folder);
    Suite *suite = suite_create("picture");
    TCase *tests = tcase_create("picture");
    tcase_add_test(tests, scales_by_whole_factors_without_blur);
    tcase_add_loop_test(tests, draws_every_shape, 0, sizeof sizes / sizeof sizes[0]);
    tcase_add_test(tests, of_other_channels_draws_the_first);
    tcase_add_test(tests, wrong_titles_are_red);
    tcase_add_test(tests, rows_are_filled_one_after_the_other);
    tcase_add_test(tests, shortens_long_titles);
    tcase_add_loop_test(tests, draws_text_that_is_not_utf8, 0,
                        sizeof odd_titles / sizeof odd_titles[0]);
    tcase_add_test(tests, refuses_what_cannot_be_drawn);
    tcase_add_test(tests, names_the_file_that_cannot_be_written);
    suite_add_tcase(suite, tests);
    int code = run_suite(suite);
    return rmdir(folder) == 0 ? code : EXIT_FAILURE; /* nothing is left behind */
}
