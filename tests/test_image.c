/* Pictures of every format and kind, sound and damaged. */
#include <math.h>
#include <zlib.h>

#include <cnncl/image.h>

#include "check_main.h"
#include "drawn.h"
#include "image/decode.h"
#include "scratch.h"

static scratch at;
static cnn_images *images;

static void set_up(void)
{
    scratch_init(&at);
    images = NULL;
}

static void tear_down(void)
{
    cnn_images_destroy(images);
    scratch_finish(&at);
}

/* A word's bytes as a picture; the images are destroyed with the next, or the test. */
static cnn_image decode(const void *data, size_t size)
{
    cnn_images_destroy(images);
    cnn_status status = cnn_images_decode(&images, data, size, "a picture", 0);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    ck_assert_uint_eq(cnn_images_count(images), 1);
    ck_assert(!cnn_images_are_idx(images));
    return cnn_images_get(images, 0);
}

static void check_pixels(cnn_image image, int width, int height, const uint8_t *expected)
{
    ck_assert_int_eq(image.shape[0], 3);
    ck_assert_int_eq(image.shape[1], height);
    ck_assert_int_eq(image.shape[2], width);
    size_t plane = (size_t)width * (size_t)height;
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < 3; c++)
            ck_assert_msg(image.pixels[c * plane + i] == expected[3 * i + c],
                          "pixel %zu channel %zu: %d, expected %d", i, c,
                          image.pixels[c * plane + i], expected[3 * i + c]);
}

#define TEXT(string) (string), sizeof(string) - 1

/* The same two rows of two pixels: black, white; 51, 102; or in three colours. */
static const uint8_t greys[] = {0, 0, 0, 255, 255, 255, 51, 51, 51, 102, 102, 102};
static const uint8_t colors[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 102, 51, 0};
static const uint8_t blacks[] = {0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0};

static const struct {
    const char *data;
    size_t size;
    const uint8_t *expected;
} netpbm[] = {
    {TEXT("P1 2 2\n10\n0 1"), blacks},
    {TEXT("P2\n# a comment\n2 2 # another\n5\n0 5 1\n2\n"), greys},
    {TEXT("P3 2 2 255 255 0 0 0 255 0 0 0 255 102 51 0"), colors},
    {TEXT("P4\n2 2\n\x80\x40"), blacks},
    {TEXT("P5\n2\n2\n255\n\x00\xff\x33\x66"), greys},
    {TEXT("P5 2 2 65535\n\x00\x00\xff\xff\x33\x33\x66\x66"), greys},
    {TEXT("P6 2 2 255\r\xff\x00\x00\x00\xff\x00\x00\x00\xff\x66\x33\x00"), colors},
    {TEXT("P6 2 2 5\n\x05\x00\x00\x00\x05\x00\x00\x00\x05\x02\x01\x00 and more"), colors},
};

START_TEST(netpbm_of_every_kind)
{
    check_pixels(decode(netpbm[_i].data, netpbm[_i].size), 2, 2, netpbm[_i].expected);
    ck_assert_str_eq(cnn_image_format(netpbm[_i].data, netpbm[_i].size), "PNM");
}
END_TEST

/* PNG, chunk by chunk: cairo writes only two kinds of it. */
typedef struct png_text {
    uint8_t data[512];
    size_t size;
} png_text;

static void put_number(png_text *png, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        png->data[png->size++] = (uint8_t)(number >> shift);
}

static void put_chunk(png_text *png, const char *kind, const void *data, size_t size)
{
    put_number(png, (uint32_t)size);
    size_t from = png->size;
    memcpy(png->data + png->size, kind, 4);
    if (size > 0)
        memcpy(png->data + png->size + 4, data, size);
    png->size += 4 + size;
    put_number(png, (uint32_t)crc32(crc32(0, NULL, 0), png->data + from, (uInt)(4 + size)));
}

static void put_png(png_text *png, uint32_t width, uint32_t height, int depth, int kind,
                    const char *extra, const void *extra_data, size_t extra_size, const void *rows,
                    size_t size)
{
    uint8_t header[13] = {[8] = (uint8_t)depth, [9] = (uint8_t)kind}, packed[128];
    uLongf packed_size = sizeof packed;
    png->size = 0;
    memcpy(png->data, "\x89PNG\r\n\x1a\n", 8);
    png->size = 8;
    for (int i = 0; i < 4; i++) {
        header[i] = (uint8_t)(width >> (24 - 8 * i));
        header[4 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    ck_assert_int_eq(compress(packed, &packed_size, rows, size), Z_OK);
    put_chunk(png, "IHDR", header, sizeof header);
    if (kind == 3) /* a palette: red, green, blue, brown */
        put_chunk(png, "PLTE", colors, sizeof colors);
    if (extra)
        put_chunk(png, extra, extra_data, extra_size);
    put_chunk(png, "IDAT", packed, packed_size);
    put_chunk(png, "IEND", NULL, 0);
}

static const struct {
    int depth, kind;
    const char *extra;
    const char *extra_data;
    size_t extra_size;
    const char *rows; /* each starts with its filter: none */
    size_t size;
    uint8_t expected[12];
} pngs[] = {
    {8,
     0,
     NULL,
     NULL,
     0,
     TEXT("\0\0\xff\0\x33\x66"),
     {0, 0, 0, 255, 255, 255, 51, 51, 51, 102, 102, 102}},
    {16,
     0,
     NULL,
     NULL,
     0,
     TEXT("\0\0\0\xff\xff\0\x33\x33\x66\x66"),
     {0, 0, 0, 255, 255, 255, 51, 51, 51, 102, 102, 102}},
    {1, 0, NULL, NULL, 0, TEXT("\0\x40\0\x80"), {0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0}},
    {2, 3, NULL, NULL, 0, TEXT("\0\x10\0\xb0"), {255, 0, 0, 0, 255, 0, 0, 0, 255, 102, 51, 0}},
    {2,
     3,
     "tRNS",
     TEXT("\xff\0"),
     TEXT("\0\x10\0\xb0"),
     {255, 0, 0, 255, 255, 255, 0, 0, 255, 102, 51, 0}},
    {8,
     4,
     NULL,
     NULL,
     0,
     TEXT("\0\0\xff\xff\xff\0\x33\xff\x33\0"),
     {0, 0, 0, 255, 255, 255, 51, 51, 51, 255, 255, 255}},
    {8,
     6,
     NULL,
     NULL,
     0,
     TEXT("\0\xff\0\0\xff\0\xff\0\0\0\0\0\xff\xff\1\2\3\0"),
     {255, 0, 0, 255, 255, 255, 0, 0, 255, 255, 255, 255}},
};

START_TEST(png_of_every_kind)
{
    png_text png;
    put_png(&png, 2, 2, pngs[_i].depth, pngs[_i].kind, pngs[_i].extra, pngs[_i].extra_data,
            pngs[_i].extra_size, pngs[_i].rows, pngs[_i].size);
    check_pixels(decode(png.data, png.size), 2, 2, pngs[_i].expected);
}
END_TEST

static const drawn_style style = {
    "a style", 61, 47, 40, 0.5, 0.5, 0.1, 0.1, {0.1, 0.2, 0.7, 1.0}, {1.0, 0.9, 0.5, 1.0}};

/* The file of a drawn digit: PNG, JPEG in colours and grey, PPM, PGM. */
static uint8_t *draw(size_t *size, int format)
{
    cairo_surface_t *surface = drawn_digit(5, &style);
    uint8_t *data = format == 0   ? drawn_png(size, surface)
                    : format <= 2 ? drawn_jpeg(size, surface, format == 1 ? 3 : 1)
                                  : drawn_pnm(size, surface, format == 3 ? 3 : 1);
    cairo_surface_destroy(surface);
    return data;
}
enum { FORMATS = 5 };
static const char *const format_names[FORMATS] = {"PNG", "JPEG", "JPEG", "PNM", "PNM"};

/* All formats show the same picture; a JPEG nearly so, and grey ones its red channel. */
START_TEST(formats_agree)
{
    size_t size, plane = 61 * 47;
    uint8_t *data = draw(&size, 0), *png = malloc(3 * plane);
    memcpy(png, decode(data, size).pixels, 3 * plane);
    free(data);
    data = draw(&size, _i);
    ck_assert_str_eq(cnn_image_format(data, size), format_names[_i]);
    cnn_image image = decode(data, size);
    free(data);
    ck_assert_int_eq(image.shape[1], 47);
    ck_assert_int_eq(image.shape[2], 61);
    bool grey = _i == 2 || _i == 4, lossy = _i == 1 || _i == 2;
    double sum = 0.0;
    for (size_t i = 0; i < 3 * plane; i++) {
        double difference = fabs((double)image.pixels[i] - (double)png[grey ? i % plane : i]);
        ck_assert(lossy || difference == 0.0);
        sum += difference;
    }
    ck_assert_double_lt(sum / (double)(3 * plane), 8.0);
    free(png);
}
END_TEST

/* Every length of every format is refused or read, never worse; what is far too short is refused.
 */
START_TEST(truncated_files_are_refused)
{
    size_t size;
    uint8_t *data = draw(&size, _i);
    for (size_t length = 0; length < size; length++) {
        uint8_t *part = malloc(length + 1); /* a checker of memory sees what lies behind */
        memcpy(part, data, length);
        cnn_images *found;
        cnn_status status = cnn_images_decode(&found, part, length, "a picture", 0);
        ck_assert_int_eq(status == CNN_OK, found != NULL);
        ck_assert(status == CNN_OK || status == CNN_ERROR_DATA);
        if (status != CNN_OK)
            assert_message_has("a picture: ");
        if (length < size / 2)
            ck_assert_int_eq(status, CNN_ERROR_DATA);
        cnn_images_destroy(found);
        free(part);
    }
    free(data);
}
END_TEST

START_TEST(damaged_files_do_no_harm)
{
    size_t size;
    uint32_t random = 12345;
    uint8_t *data = draw(&size, _i), *copy = malloc(size);
    int refused = 0;
    for (int round = 0; round < 400; round++) {
        memcpy(copy, data, size);
        for (int i = 0; i <= round % 4; i++) {
            random = random * 1664525u + 1013904223u;
            copy[(random >> 8) % (round % 2 ? size : 64)] = (uint8_t)random;
        }
        cnn_images *found;
        refused += cnn_images_decode(&found, copy, size, "a picture", 1 << 20) != CNN_OK;
        cnn_images_destroy(found);
    }
    ck_assert_int_gt(refused, 20);
    free(copy);
    free(data);
}
END_TEST

static const struct {
    const char *data;
    size_t size;
    const char *message;
} wrong[] = {
    {TEXT(""), "expected a picture (PNG, JPEG, WebP, TIFF, GIF, BMP, PBM, PGM or PPM) or an IDX "
               "file, found an empty file"},
    {TEXT("x"), "found text that starts with 'x'"},
    {TEXT("\0\0\0\x18"
          "ftypheic"),
     "found a HEIC picture; convert it: heif-convert "},
    {TEXT("\0\0\0\x18"
          "ftypavif"),
     "found an AVIF picture; convert it: "},
    {TEXT("P7\nWIDTH 1"), "found a PAM or PFM picture; convert it: "},
    {TEXT("\x1f\x8b\x08\0\0"), "IDX and gzipped files are read by their path alone"},
    {TEXT("\0\0\x08\x03\0\0\0\1"), "IDX and gzipped files are read by their path alone"},
    {TEXT("\x89PNG\r\n\x1a\n"), "damaged or truncated PNG"},
    {TEXT("\xff\xd8\xff"), "damaged or truncated JPEG"},
    {TEXT("P5"), "found text that starts with 'P5'"},
    {TEXT("P5 "), "damaged or truncated PNM at byte 3: expected a number"},
    {TEXT("P5 0 1 255\n"), "a number is out of range"},
    {TEXT("P5 99999999999 1 255\n"), "a number is out of range"},
    {TEXT("P5 65535 65535 255\nx"), "truncated PNM: expected at least 4294836225 bytes"},
    {TEXT("P1 65535 65535\n1"), "truncated PNM: expected at least 4294836225 bytes"},
    {TEXT("P5 2 2 0\nxxxx"), "a number is out of range"},
    {TEXT("P5 2 2 65536\nxxxx"), "a number is out of range"},
    {TEXT("P5 2 2 255"), "expected a blank behind the header"},
    {TEXT("P2 2 2 5\n1 2 3 6"), "a number is out of range"},
    {TEXT("P1 2 2\n1012"), "expected 0 or 1"},
    {TEXT("P2 2 2 5\n1 2 3 x"), "expected a number"},
};

START_TEST(wrong_files_are_named)
{
    cnn_images *found;
    ck_assert_int_eq(cnn_images_decode(&found, wrong[_i].data, wrong[_i].size, "a picture", 0),
                     CNN_ERROR_DATA);
    ck_assert_ptr_null(found);
    assert_message_has("a picture: ");
    assert_message_has(wrong[_i].message);
}
END_TEST

START_TEST(large_pictures_are_refused)
{
    png_text png;
    cnn_images *found;
    const uint8_t row[] = {0, 0};
    put_png(&png, 60000, 60000, 8, 0, NULL, NULL, 0, row, sizeof row);
    ck_assert_int_eq(cnn_images_decode(&found, png.data, png.size, "bomb", 0), CNN_ERROR_DATA);
    assert_message_has("bomb: damaged or truncated PNG: 60000 x 60000 pixels are more than");
    put_png(&png, 0x7fffffff, 1, 8, 0, NULL, NULL, 0, row, sizeof row);
    ck_assert_int_eq(cnn_images_decode(&found, png.data, png.size, "wide", 0), CNN_ERROR_DATA);
    size_t size;
    uint8_t *data = draw(&size, _i);
    ck_assert_int_eq(cnn_images_decode(&found, data, size, "limited", 61 * 47), CNN_OK);
    cnn_images_destroy(found);
    ck_assert_int_eq(cnn_images_decode(&found, data, size, "limited", 61 * 47 - 1), CNN_ERROR_DATA);
    assert_message_has("limited: expected sides of 1 to 65535 and at most 2866 pixels, found "
                       "61 x 47");
    free(data);
}
END_TEST

/* A JPEG file turned by its Exif data: 2 by 1 pixels of blocks, dark on the left. */
START_TEST(cameras_that_were_turned)
{
    static const uint8_t marker[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,
                                     'M',  'M',  0, 42, 0,   0,   0,   8,   0, 1,
                                     1,    0x12, 0, 3,  0,   0,   0,   1,   0, 0 /* 29: here */,
                                     0,    0,    0, 0,  0,   0};
    /* where the dark half is: left, right, top, bottom */
    static const char places[] = " lrrlttbb";
    drawn_style wide = {"wide", 64, 32, 1, 0, 0, 0.1, 0, {0, 0, 0, 1}, {1, 1, 1, 1}};
    wide.size = 32; /* a bar along the left edge */
    cairo_surface_t *surface = drawn_digit(1, &wide);
    cairo_t *cairo = cairo_create(surface);
    cairo_rectangle(cairo, 0, 0, 32, 32);
    cairo_fill(cairo);
    cairo_destroy(cairo);
    size_t size;
    uint8_t *data = drawn_jpeg(&size, surface, 3), *turned = malloc(size + sizeof marker);
    cairo_surface_destroy(surface);
    memcpy(turned, data, 2);
    memcpy(turned + 2, marker, sizeof marker);
    turned[2 + 29] = (uint8_t)_i;
    memcpy(turned + 2 + sizeof marker, data + 2, size - 2);
    cnn_image image = decode(turned, size + sizeof marker);
    bool upright = _i >= 5;
    int height = image.shape[1], width = image.shape[2];
    ck_assert_int_eq(width, upright ? 32 : 64);
    ck_assert_int_eq(height, upright ? 64 : 32);
    uint8_t left = image.pixels[height / 2 * width],
            right = image.pixels[height / 2 * width + width - 1];
    uint8_t top = image.pixels[width / 2], bottom = image.pixels[(height - 1) * width + width / 2];
    ck_assert_int_eq(left < 60 && right > 200, places[_i] == 'l');
    ck_assert_int_eq(right < 60 && left > 200, places[_i] == 'r');
    ck_assert_int_eq(top < 60 && bottom > 200, places[_i] == 't');
    ck_assert_int_eq(bottom < 60 && top > 200, places[_i] == 'b');
    free(data);
    free(turned);
}
END_TEST

/* A PNG file of two pixels, black and white, turned to the right by its chunk eXIf. */
START_TEST(png_files_that_are_turned)
{
    static const uint8_t column[] = {0, 0, 0, 255, 255, 255};
    png_text png;
    put_png(&png, 2, 1, 8, 0, "eXIf", TEXT("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0"),
            TEXT("\0\0\xff"));
    check_pixels(decode(png.data, png.size), 1, 2, column);
    put_png(&png, 2, 1, 8, 0, "eXIf", TEXT("II*\0\xff\xff"), TEXT("\0\0\xff"));
    check_pixels(decode(png.data, png.size), 2, 1, column);
}
END_TEST

/* White ink on nothing does not vanish; ink that is seen on white lies on white. */
START_TEST(bright_ink_on_transparency_lies_on_black)
{
    static const uint8_t on_black[] = {0, 0, 0, 255, 255, 255, 128, 128, 128, 0, 0, 0};
    static const uint8_t on_white[] = {255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 255, 255};
    png_text png;
    put_png(&png, 2, 2, 8, 4, NULL, NULL, 0, TEXT("\0\xff\0\xff\xff\0\xff\x80\xff\0"));
    check_pixels(decode(png.data, png.size), 2, 2, on_black);
    put_png(&png, 2, 2, 8, 4, NULL, NULL, 0, TEXT("\0\xff\0\0\xff\0\xff\x80\xff\0"));
    check_pixels(decode(png.data, png.size), 2, 2, on_white);
}
END_TEST

/* 12 and 10 bits in 16. */
START_TEST(fewer_bits_than_the_file_has)
{
    static const uint8_t range[] = {0, 0, 0, 255, 255, 255, 51, 51, 51, 102, 102, 102};
    png_text png;
    put_png(&png, 2, 2, 16, 0, NULL, NULL, 0, TEXT("\0\0\0\x0f\xff\0\x03\x33\x06\x66"));
    check_pixels(decode(png.data, png.size), 2, 2, range);
    put_png(&png, 2, 2, 16, 0, NULL, NULL, 0, TEXT("\0\0\0\x03\xff\0\0\xcc\x01\x99"));
    check_pixels(decode(png.data, png.size), 2, 2, range);
}
END_TEST

START_TEST(exif_data_of_any_kind)
{
    static const char big[] = "Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0";
    static const char little[] = "Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x08\0\0\0";
    ck_assert_int_eq(cnn_exif_orientation((const uint8_t *)big, sizeof big), 6);
    ck_assert_int_eq(cnn_exif_orientation((const uint8_t *)little, sizeof little), 8);
    for (size_t size = 0; size < 26; size++) {
        uint8_t *part = malloc(size + 1);
        memcpy(part, big, size);
        ck_assert_int_eq(cnn_exif_orientation(part, size), 1);
        free(part);
    }
    uint8_t far[sizeof big];
    memcpy(far, big, sizeof big);
    memset(far + 10, 0xff, 4);
    ck_assert_int_eq(cnn_exif_orientation(far, sizeof far), 1);
}
END_TEST

START_TEST(idx_files_have_many_images)
{
    static const uint8_t idx[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    char path[512];
    scratch_write(&at, "idx", idx, sizeof idx);
    snprintf(path, sizeof path, "%s/idx.gz", at.folder);
    gzFile file = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(file, idx, sizeof idx), sizeof idx);
    ck_assert_int_eq(gzclose(file), Z_OK);
    for (int zipped = 0; zipped < 2; zipped++) {
        ck_assert_int_eq(cnn_images_load(&images, scratch_path(&at, zipped ? "idx.gz" : "idx")),
                         CNN_OK);
        ck_assert_uint_eq(cnn_images_count(images), 2);
        ck_assert(cnn_images_are_idx(images));
        cnn_image image = cnn_images_get(images, 1);
        ck_assert_int_eq(image.shape[0], 1);
        ck_assert_int_eq(image.shape[1], 1);
        ck_assert_int_eq(image.shape[2], 3);
        ck_assert_mem_eq(image.pixels, idx + 19, 3);
        cnn_images_destroy(images);
        images = NULL;
    }
    scratch_write(&at, "short", idx, sizeof idx - 1);
    ck_assert_int_eq(cnn_images_load(&images, scratch_path(&at, "short")), CNN_ERROR_DATA);
    assert_message_has("short: truncated");
    ck_assert_int_eq(cnn_images_load(&images, scratch_path(&at, "absent")), CNN_ERROR_FILE);
    assert_message_has("absent: cannot be opened");
    ck_assert_int_eq(cnn_images_load(&images, at.folder), CNN_ERROR_FILE);
    ck_assert_ptr_null(images);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image");
    TCase *tests = tcase_create("image");
    tcase_set_timeout(tests, 0);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, netpbm_of_every_kind, 0, sizeof netpbm / sizeof netpbm[0]);
    tcase_add_loop_test(tests, png_of_every_kind, 0, sizeof pngs / sizeof pngs[0]);
    tcase_add_loop_test(tests, formats_agree, 0, FORMATS);
    tcase_add_loop_test(tests, truncated_files_are_refused, 0, FORMATS);
    tcase_add_loop_test(tests, damaged_files_do_no_harm, 0, FORMATS);
    tcase_add_loop_test(tests, wrong_files_are_named, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_loop_test(tests, large_pictures_are_refused, 0, FORMATS);
    tcase_add_loop_test(tests, cameras_that_were_turned, 1, 9);
    tcase_add_test(tests, png_files_that_are_turned);
    tcase_add_test(tests, bright_ink_on_transparency_lies_on_black);
    tcase_add_test(tests, fewer_bits_than_the_file_has);
    tcase_add_test(tests, exif_data_of_any_kind);
    tcase_add_test(tests, idx_files_have_many_images);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
