/* BMP, GIF, TIFF and WebP pictures of every kind, made here; sound and damaged. (PNG, JPEG and PNM
 * are test_image.c's, and comparisons with Pillow check_pictures.py's.) */
#include <stdio.h>
#include <tiffio.h>
#include <webp/encode.h>

#include <cnncl/image.h>

#include "base/file.h"
#include "check_main.h"
#include "image/formats.h"
#include "scratch.h"

static scratch at;

static void set_up(void)
{
    scratch_init(&at);
}

static void tear_down(void)
{
    scratch_finish(&at);
}

enum { ROOM = 4096, WIDTH = 19, HEIGHT = 11, PLANE = WIDTH * HEIGHT };

/* A file in memory. */
typedef struct bytes {
    uint8_t data[ROOM];
    size_t size;
} bytes;

static void put(bytes *file, const void *data, size_t size)
{
    ck_assert_uint_le(file->size + size, ROOM);
    memcpy(file->data + file->size, data, size);
    file->size += size;
}

static void put_number(bytes *file, uint32_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put(file, &(uint8_t){(uint8_t)(number >> 8 * i)}, 1);
}

static void check_decoded(const bytes *file, const char *format, int width, int height,
                          const uint8_t *expected)
{
    cnn_images *images;
    ck_assert_str_eq(cnn_image_format(file->data, file->size), format);
    cnn_status status = cnn_images_decode(&images, file->data, file->size, "a picture", 0);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    cnn_image image = cnn_images_get(images, 0);
    ck_assert_int_eq(image.shape[1], height);
    ck_assert_int_eq(image.shape[2], width);
    size_t plane = (size_t)width * (size_t)height;
    for (size_t i = 0; i < 3 * plane; i++)
        ck_assert_msg(image.pixels[i % 3 * plane + i / 3] == expected[i],
                      "pixel %zu channel %zu: %d, expected %d", i / 3, i % 3,
                      image.pixels[i % 3 * plane + i / 3], expected[i]);
    cnn_images_destroy(images);
}

#define TEXT(string) (string), sizeof(string) - 1

/* Two rows of two pixels: red, green; blue, brown. */
static const uint8_t colors[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 102, 51, 0};
static const uint8_t see_through[] = {255, 0, 0, 255, 255, 255, 0, 0, 255, 102, 51, 0};
static const uint8_t coarse[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 99, 53, 0};

/* Bitmaps: rows from the lowest, each of whole groups of four bytes; the palette has the four
 * colors in their order. */
static const struct bitmap {
    uint32_t header, bits, compression;
    uint32_t masks[4];
    int32_t height;
    const char *rows;
    size_t size;
    const uint8_t *expected;
} bitmaps[] = {
    {40, 2, 0, {0}, 2, TEXT("\xb0\0\0\0\x10\0\0\0"), colors},
    {40, 4, 0, {0}, 2, TEXT("\x23\0\0\0\x01\0\0\0"), colors},
    {40, 8, 0, {0}, -2, TEXT("\0\1\0\0\2\3\0\0"), colors},
    {12, 8, 0, {0}, 2, TEXT("\2\3\0\0\0\1\0\0"), colors},
    {40, 24, 0, {0}, 2, TEXT("\xff\0\0\0\x33\x66\0\0\0\0\xff\0\xff\0\0\0"), colors},
    {12, 24, 0, {0}, 2, TEXT("\xff\0\0\0\x33\x66\0\0\0\0\xff\0\xff\0\0\0"), colors},
    {40, 32, 0, {0}, 2, TEXT("\xff\0\0\0\0\x33\x66\0\0\0\xff\0\0\xff\0\0"), colors},
    {124,
     32,
     3,
     {0xff0000, 0xff00, 0xff, 0xff000000},
     2,
     TEXT("\xff\0\0\xff\0\x33\x66\xff\0\0\xff\xff\0\xff\0\0"),
     see_through},
    {108,
     32,
     3,
     {0xff0000, 0xff00, 0xff, 0xff000000},
     2,
     TEXT("\xff\0\0\0\0\x33\x66\0\0\0\xff\0\0\xff\0\0"),
     colors},
    {40,
     32,
     3,
     {0xff, 0xff00, 0xff0000, 0},
     2,
     TEXT("\0\0\xff\0\x66\x33\0\0\xff\0\0\0\0\xff\0\0"),
     colors},
    {40, 16, 3, {0xf800, 0x7e0, 0x1f, 0}, 2, TEXT("\x1f\0\xa0\x61\0\xf8\xe0\x07"), coarse},
    {40, 16, 0, {0}, 2, TEXT("\x1f\0\xc0\x30\0\x7c\xe0\x03"), NULL},
    {40, 8, 1, {0}, 2, TEXT("\1\2\1\3\0\0\1\0\1\1\0\1"), colors},
    {40, 8, 1, {0}, 2, TEXT("\1\2\1\3\0\0\0\2\1\0\1\1\0\1"), NULL},
    {40, 4, 2, {0}, 2, TEXT("\2\x23\0\0\2\x01\0\1"), colors},
    {40, 8, 1, {0}, 2, TEXT("\0\3\2\3\0\0\0\0\0\3\0\1\0\0\0\1"), colors},
    {40, 4, 2, {0}, 2, TEXT("\0\4\x23\x00\0\0\0\4\x01\x00\0\1"), colors},
};

static void put_bitmap(bytes *file, const struct bitmap *from, int32_t width, int32_t height)
{
    size_t size = from->header == 12 ? 2 : 4;
    bool masks = from->compression == 3 && from->header == 40, palette = from->bits <= 8;
    size_t rows = 14 + from->header + (masks ? 12 : 0);
    if (palette)
        rows += ((size_t)1 << from->bits) * (from->header == 12 ? 3 : 4);
    file->size = 0;
    put(file, "BM", 2);
    put_number(file, (uint32_t)(rows + from->size), 4);
    put_number(file, 0, 4);
    put_number(file, (uint32_t)rows, 4);
    put_number(file, from->header, 4);
    put_number(file, (uint32_t)width, size);
    put_number(file, (uint32_t)height, size);
    put_number(file, 1, 2);
    put_number(file, from->bits, 2);
    if (from->header > 12)
        put_number(file, from->compression, 4);
    while (file->size < 54 && from->header > 12)
        put_number(file, 0, 4);
    for (int i = 0; i < (masks ? 3 : from->header > 40 ? 4 : 0); i++)
        put_number(file, from->masks[i], 4);
    while (file->size < 14 + from->header)
        put_number(file, 0, 1);
    for (size_t i = 0; palette && i < (size_t)1 << from->bits; i++) {
        for (size_t c = 0; c < 3; c++)
            put_number(file, i < 4 ? colors[3 * i + 2 - c] : 0, 1);
        if (from->header > 12)
            put_number(file, 0, 1);
    }
    put(file, from->rows, from->size);
}

START_TEST(bitmaps_of_every_kind)
{
    static const uint8_t fifths[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 99, 49, 0};
    const struct bitmap *from = &bitmaps[_i];
    const uint8_t *expected = from->expected ? from->expected : from->bits == 16 ? fifths : colors;
    bytes file;
    put_bitmap(&file, from, 2, from->height);
    check_decoded(&file, "BMP", 2, 2, expected);
}
END_TEST

/* GIF89a: a screen of 2 x 2, a palette of the four colors, and one frame whose codes are written
 * without compression: clear (4), the index, end (5), of three bits each; for the second and later
 * pixels the codes have three bits still. */
static void put_gif(bytes *file, int transparent, int frame_width)
{
    file->size = 0;
    put(file, TEXT("GIF89a\2\0\2\0\xf1\0\0"));
    put(file, colors, sizeof colors);
    if (transparent >= 0) {
        put(file, TEXT("!\xf9\4\1\0\0"));
        put_number(file, (uint32_t)transparent, 1);
        put_number(file, 0, 1);
    }
    put(file, TEXT(",\0\0\0\0"));
    put_number(file, (uint32_t)frame_width, 2);
    put(file, TEXT("\2\0\0\2"));
    if (frame_width == 2) /* codes 4 0 1 4 2 3 5 */
        put(file, TEXT("\3\x44\xa8\x15\0"));
    else /* 4 0 2 5 */
        put(file, TEXT("\2\x84\x0a\0"));
    put(file, ";", 1);
}

START_TEST(gifs)
{
    static const uint8_t narrow[] = {255, 0, 0, 255, 255, 255, 0, 0, 255, 255, 255, 255};
    bytes file;
    put_gif(&file, -1, 2);
    check_decoded(&file, "GIF", 2, 2, colors);
    put_gif(&file, 1, 2);
    check_decoded(&file, "GIF", 2, 2, see_through);
    put_gif(&file, -1, 1);
    check_decoded(&file, "GIF", 2, 2, narrow);
}
END_TEST

/* The byte of a made-up picture. */
static uint8_t made(size_t x, size_t y, size_t c)
{
    return (uint8_t)(x * 13 + y * 7 + c * 50);
}

static void expect(uint8_t expected[3 * PLANE], int colors_of)
{
    for (size_t i = 0; i < PLANE; i++)
        for (size_t c = 0; c < 3; c++)
            expected[3 * i + c] = made(i % WIDTH, i / WIDTH, colors_of == 1 ? 0 : c);
}

static const struct page {
    uint16_t samples, bits, photometric, compression, planar;
    int tile;  /* its side; 0: rows */
    int extra; /* -1: none; else EXTRASAMPLE_... */
} pages[] = {
    {1, 8, PHOTOMETRIC_MINISBLACK, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 0, -1},
    {1, 16, PHOTOMETRIC_MINISBLACK, COMPRESSION_LZW, PLANARCONFIG_CONTIG, 0, -1},
    {1, 8, PHOTOMETRIC_MINISWHITE, COMPRESSION_PACKBITS, PLANARCONFIG_CONTIG, 0, -1},
    {1, 8, PHOTOMETRIC_MINISBLACK, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 16, -1},
    {3, 8, PHOTOMETRIC_RGB, COMPRESSION_ADOBE_DEFLATE, PLANARCONFIG_CONTIG, 0, -1},
    {3, 16, PHOTOMETRIC_RGB, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 0, -1},
    {3, 8, PHOTOMETRIC_RGB, COMPRESSION_NONE, PLANARCONFIG_SEPARATE, 0, -1},
    {3, 8, PHOTOMETRIC_RGB, COMPRESSION_LZW, PLANARCONFIG_CONTIG, 16, -1},
    {4, 8, PHOTOMETRIC_RGB, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 0, EXTRASAMPLE_UNASSALPHA},
    {4, 8, PHOTOMETRIC_RGB, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 0, EXTRASAMPLE_ASSOCALPHA},
    {4, 8, PHOTOMETRIC_RGB, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 0, EXTRASAMPLE_UNSPECIFIED},
    {4, 8, PHOTOMETRIC_RGB, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 16, EXTRASAMPLE_UNASSALPHA},
    {2, 8, PHOTOMETRIC_MINISBLACK, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 0,
     EXTRASAMPLE_UNASSALPHA},
    {4, 8, PHOTOMETRIC_SEPARATED, COMPRESSION_NONE, PLANARCONFIG_CONTIG, 0, -1},
};

/* The sample c of a page's pixel: all pixels are opaque, print colors without black. */
static unsigned sample_of(const struct page *page, size_t x, size_t y, size_t c)
{
    size_t colors_of = page->photometric == PHOTOMETRIC_RGB ? 3 : page->samples == 4 ? 3 : 1;
    unsigned value = c < colors_of ? made(x, y, c) : 255;
    if (page->photometric == PHOTOMETRIC_SEPARATED)
        value = 255 - value;
    if (page->photometric == PHOTOMETRIC_MINISWHITE)
        value = 255 - value;
    return page->bits == 16 ? value * 257 : value;
}

static size_t fill(uint8_t *target, const struct page *page, size_t x, size_t y, size_t width,
                   size_t plane)
{
    bool separate = page->planar == PLANARCONFIG_SEPARATE;
    size_t size = 0, samples = separate ? 1 : page->samples;
    for (size_t i = 0; i < width; i++)
        for (size_t c = 0; c < samples; c++) {
            unsigned value = sample_of(page, x + i, y, separate ? plane : c);
            if (page->bits == 16)
                memcpy(target + size, &(uint16_t){(uint16_t)value}, 2);
            else
                target[size] = (uint8_t)value;
            size += page->bits / 8;
        }
    return size;
}

static void write_pixels(TIFF *tiff, const struct page *page)
{
    static uint8_t buffer[16 * 16 * 8];
    size_t side = (size_t)page->tile;
    size_t planes = page->planar == PLANARCONFIG_SEPARATE ? page->samples : 1;
    for (size_t plane = 0; plane < planes; plane++) {
        for (size_t y = 0; page->tile == 0 && y < HEIGHT; y++) {
            fill(buffer, page, 0, y, WIDTH, plane);
            ck_assert_int_eq(TIFFWriteScanline(tiff, buffer, (uint32_t)y, (uint16_t)plane), 1);
        }
        for (size_t x = 0; page->tile > 0 && x < WIDTH; x += side) {
            size_t size = 0;
            for (size_t row = 0; row < side; row++)
                size += fill(buffer + size, page, x, row, side, plane);
            ck_assert_int_ge((int)TIFFWriteTile(tiff, buffer, (uint32_t)x, 0, 0, 0), 0);
        }
    }
}

static void put_tiff(bytes *file, const struct page *page, int orientation)
{
    const char *path = scratch_path(&at, "a.tif");
    TIFF *tiff = TIFFOpen(path, orientation % 2 ? "wl" : "wb"); /* either order of bytes */
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, WIDTH);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, HEIGHT);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, page->samples);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, page->bits);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, page->photometric);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, page->compression);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, page->planar);
    TIFFSetField(tiff, TIFFTAG_ORIENTATION, orientation);
    if (page->extra >= 0)
        TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &(uint16_t){(uint16_t)page->extra});
    if (page->tile) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, page->tile);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, page->tile);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 4);
    }
    write_pixels(tiff, page);
    TIFFClose(tiff);
    void *data;
    size_t size;
    ck_assert_int_eq(cnn_file_read(&data, &size, path, ROOM), CNN_OK);
    file->size = 0;
    put(file, data, size);
    free(data);
}

START_TEST(tiffs_of_every_kind)
{
    const struct page *page = &pages[_i];
    uint8_t expected[3 * PLANE];
    bytes file;
    expect(expected, page->photometric == PHOTOMETRIC_RGB || page->samples == 4 ? 3 : 1);
    for (int order = 1; order <= 4; order += 3) { /* as it is; the rows from the lowest */
        uint8_t turned[3 * PLANE];
        for (size_t y = 0; y < HEIGHT; y++)
            memcpy(turned + y * 3 * WIDTH, expected + (order == 1 ? y : HEIGHT - 1 - y) * 3 * WIDTH,
                   (size_t)3 * WIDTH);
        put_tiff(&file, page, order);
        check_decoded(&file, "TIFF", WIDTH, HEIGHT, turned);
    }
}
END_TEST

static void put_webp(bytes *file)
{
    uint8_t pixels[3 * PLANE], *data;
    expect(pixels, 3);
    size_t size = WebPEncodeLosslessRGB(pixels, WIDTH, HEIGHT, 3 * WIDTH, &data);
    ck_assert_uint_gt(size, 0);
    file->size = 0;
    put(file, data, size);
    WebPFree(data);
}

START_TEST(webp)
{
    uint8_t pixels[4 * PLANE], expected[3 * PLANE], *data;
    bytes file;
    put_webp(&file);
    expect(expected, 3);
    check_decoded(&file, "WebP", WIDTH, HEIGHT, expected);
    for (size_t i = 0; i < PLANE; i++) { /* half of it is not to be seen */
        for (size_t c = 0; c < 3; c++)
            pixels[4 * i + c] = (uint8_t)(i % 100);
        pixels[4 * i + 3] = i % 2 ? 255 : 0;
        memset(expected + 3 * i, i % 2 ? (int)(i % 100) : 255, 3);
    }
    file.size = 0;
    size_t size = WebPEncodeLosslessRGBA(pixels, WIDTH, HEIGHT, 4 * WIDTH, &data);
    put(&file, data, size);
    WebPFree(data);
    check_decoded(&file, "WebP", WIDTH, HEIGHT, expected);
}
END_TEST

enum { FILES = 6 };

static void make(bytes *file, int number)
{
    switch (number) {
    case 0:
    case 1:
        put_bitmap(file, &bitmaps[number ? 12 : 4], 2, 2);
        break;
    case 2:
        put_gif(file, 1, 2);
        break;
    case 3:
    case 4:
        put_tiff(file, &pages[number == 3 ? 4 : 7], 1);
        break;
    default:
        put_webp(file);
    }
}

static cnn_status try_decode(const uint8_t *data, size_t size, size_t limit)
{
    cnn_images *images;
    uint8_t *part = malloc(size + 1); /* a checker of memory sees what lies behind */
    memcpy(part, data, size);
    cnn_status status = cnn_images_decode(&images, part, size, "a picture", limit);
    ck_assert_int_eq(status == CNN_OK, images != NULL);
    if (status != CNN_OK)
        ck_assert_ptr_null(strchr(cnn_error_message(), '\n'));
    cnn_images_destroy(images);
    free(part);
    return status;
}

START_TEST(damage_does_no_harm)
{
    bytes file, copy;
    uint32_t random = 777;
    make(&file, _i);
    for (size_t size = 0; size < file.size; size++) {
        cnn_status status = try_decode(file.data, size, 0);
        ck_assert(status == CNN_OK || status == CNN_ERROR_DATA);
        ck_assert(status != CNN_OK || size + 8 > file.size);
    }
    for (int round = 0; round < 400; round++) {
        copy = file;
        for (int i = 0; i <= round % 4; i++) {
            random = random * 1664525u + 1013904223u;
            copy.data[(random >> 8) % file.size] = (uint8_t)random;
        }
        try_decode(copy.data, copy.size, 1 << 16);
    }
}
END_TEST

/* What claims to be large is refused before memory is taken. */
START_TEST(large_claims)
{
    static const char *const claims[] = {"30000 x 30000", "30000 x 30000", "30000 x 30000",
                                         "30000 x 30000"};
    bytes files[4];
    put_bitmap(&files[0], &bitmaps[12], 30000, 30000);
    put_gif(&files[1], -1, 2);
    memcpy(files[1].data + 6, "\x30\x75\x30\x75", 4);
    put_tiff(&files[2], &pages[0], 1);
    for (size_t i = 0; i + 12 < files[2].size;
         i++) /* both sides: their tags, a number of 16 bits */
        if ((files[2].data[i] == 0 || files[2].data[i] == 1) && files[2].data[i + 1] == 1 &&
            files[2].data[i + 2] == 3 && files[2].data[i + 3] == 0 && files[2].data[i + 4] == 1)
            memcpy(files[2].data + i + 8, "\x30\x75\0\0", 4);
    files[3].size = 0;
    put(&files[3], TEXT("RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x2f\x75\0\x2f\x75\0"));
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(try_decode(files[i].data, files[i].size, 0), CNN_ERROR_DATA);
        if (i < 3)
            assert_message_has(claims[i]);
    }
}
END_TEST

START_TEST(refusals)
{
    bytes file;
    struct bitmap odd = bitmaps[4];
    odd.bits = 13;
    put_bitmap(&file, &odd, 2, 2);
    ck_assert_int_eq(try_decode(file.data, file.size, 0), CNN_ERROR_DATA);
    assert_message_has("a BMP of 13 bits a pixel with compression 0 is not read: save it as PNG");
    put_bitmap(&file, &bitmaps[4], 2, 3);
    ck_assert_int_eq(try_decode(file.data, file.size, 0), CNN_ERROR_DATA);
    assert_message_has("rows are missing");
    put_bitmap(&file, &bitmaps[4], 0, 2);
    ck_assert_int_eq(try_decode(file.data, file.size, 0), CNN_ERROR_DATA);
    file.size = 0;
    put(&file, TEXT("GIF89a\2\0\2\0\x71\0\0;"));
    ck_assert_int_eq(try_decode(file.data, file.size, 0), CNN_ERROR_DATA);
    put_gif(&file, -1, 2);
    file.data[7] = file.data[9] = 31; /* a screen of 7,938 x 7,938, which no data has to fill */
    ck_assert_int_eq(try_decode(file.data, file.size, 0), CNN_OK);
    file.data[31] = file.data[33] = 31; /* and a frame */
    ck_assert_int_eq(try_decode(file.data, file.size, 0), CNN_ERROR_DATA);
    assert_message_has("7938 x 7938 pixels are more than a file of");
}
END_TEST

START_TEST(the_list_of_formats_is_told)
{
    for (size_t i = 0; cnn_format_name(i); i++)
        if (strcmp(cnn_format_name(i), "PNM") != 0)
            ck_assert_ptr_nonnull(strstr(cnn_image_formats(), cnn_format_name(i)));
    ck_assert_ptr_nonnull(strstr(cnn_image_formats(), "PBM, PGM or PPM"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decoders");
    TCase *tests = tcase_create("decoders");
    tcase_set_timeout(tests, 0);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, bitmaps_of_every_kind, 0, sizeof bitmaps / sizeof bitmaps[0]);
    tcase_add_test(tests, gifs);
    tcase_add_loop_test(tests, tiffs_of_every_kind, 0, sizeof pages / sizeof pages[0]);
    tcase_add_test(tests, webp);
    tcase_add_loop_test(tests, damage_does_no_harm, 0, FILES);
    tcase_add_test(tests, large_claims);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, the_list_of_formats_is_told);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
