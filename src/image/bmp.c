/* BMP: Windows' and OS/2's bitmaps of 1 to 32 bits, with palettes, masks and run lengths ("Bitmap
 * Storage" in Microsoft's Windows GDI reference). Read here, as no library does it alone:
 * Leptonica's reader knows neither masks nor run lengths. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/decode.h"
#include "image/samples.h"

enum {
    FILE_HEADER = 14,
    OLD_HEADER = 12, /* OS/2's: shorter numbers, no more than a palette */
    USUAL_HEADER = 40,
    MASK_SIZE = 4,
    MOST_COLORS = 256,
    MOST_INDEX_BITS = 8,
    COLORS = 3,
    ALPHA = 3,
    BYTE = 255
};

enum compression { PLAIN = 0, RUNS_OF_BYTES = 1, RUNS_OF_HALVES = 2, MASKS = 3, ALL_MASKS = 6 };

typedef struct bmp_reader {
    const cnn_encoded *from;
    size_t header; /* its size */
    uint32_t width, height, bits, compression;
    bool from_top; /* the first row is the uppermost */
    size_t pixels; /* where they begin */
    uint32_t masks[COLORS + 1];
    uint8_t palette[MOST_COLORS][COLORS];
    uint8_t *indices; /* of run lengths: (height, width) from the top */
    cnn_samples samples;
} bmp_reader;

static cnn_status fail_bmp(const bmp_reader *reader, const char *what)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated BMP: %s", reader->from->source, what);
}

/* A number of up to four bytes, the lowest first; zeros behind the end. */
static uint32_t number_at(const bmp_reader *reader, size_t at, size_t bytes)
{
    uint32_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        if (at + i < reader->from->size)
            number |= (uint32_t)reader->from->data[at + i] << 8 * i;
    return number;
}

static cnn_status read_header(bmp_reader *reader)
{
    reader->pixels = number_at(reader, 10, 4);
    reader->header = number_at(reader, FILE_HEADER, 4);
    bool old = reader->header == OLD_HEADER;
    if (!old && (reader->header < USUAL_HEADER || reader->header > reader->from->size))
        return fail_bmp(reader, "a header of an unknown size");
    reader->width = number_at(reader, 18, old ? 2 : 4);
    reader->height = number_at(reader, old ? 20 : 22, old ? 2 : 4);
    reader->bits = number_at(reader, old ? 24 : 28, 2);
    reader->compression = old ? PLAIN : number_at(reader, 30, 4);
    reader->from_top = reader->height > INT32_MAX;
    if (reader->from_top)
        reader->height = 0u - reader->height;
    return CNN_OK;
}

static bool has_masks(const bmp_reader *reader)
{
    return reader->compression == MASKS || reader->compression == ALL_MASKS;
}

/* Which bits of a pixel are a color's. */
static void read_masks(bmp_reader *reader)
{
    static const uint32_t usual[][COLORS] = {{0x7c00, 0x3e0, 0x1f}, {0xff0000, 0xff00, 0xff}};
    size_t alpha = USUAL_HEADER + (COLORS + 1) * MASK_SIZE;
    bool with_alpha = reader->compression == ALL_MASKS || reader->header >= alpha;
    memcpy(reader->masks, usual[reader->bits > 16], sizeof usual[0]);
    if (!has_masks(reader))
        return;
    for (size_t c = 0; c < (size_t)COLORS + with_alpha; c++)
        reader->masks[c] = number_at(reader, FILE_HEADER + USUAL_HEADER + c * MASK_SIZE, MASK_SIZE);
}

/* Blue, green, red, and but for old files a byte more. */
static void read_palette(bmp_reader *reader)
{
    bool old = reader->header == OLD_HEADER;
    size_t entry = old ? COLORS : COLORS + 1, at = FILE_HEADER + reader->header;
    uint32_t count = old ? 0 : number_at(reader, 46, 4);
    if (count == 0 || count > 1u << reader->bits)
        count = 1u << reader->bits;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < COLORS; c++)
            reader->palette[i][c] = (uint8_t)number_at(reader, at + i * entry + 2 - c, 1);
}

static size_t row_size(const bmp_reader *reader)
{
    return ((size_t)reader->width * reader->bits + 31) / 32 * 4;
}

/* Which compression goes with how many bits, and whether the file has all rows. */
static cnn_status check_kind(const bmp_reader *reader)
{
    static const struct {
        uint32_t compression, bits;
    } kinds[] = {{PLAIN, 1},          {PLAIN, 2},      {PLAIN, 4},         {PLAIN, 8},  {PLAIN, 16},
                 {PLAIN, 24},         {PLAIN, 32},     {RUNS_OF_BYTES, 8}, {MASKS, 16}, {MASKS, 32},
                 {RUNS_OF_HALVES, 4}, {ALL_MASKS, 16}, {ALL_MASKS, 32}};
    size_t size = reader->from->size, left = reader->pixels < size ? size - reader->pixels : 0;
    bool known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        known |= kinds[i].compression == reader->compression && kinds[i].bits == reader->bits;
    if (!known)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: a BMP of %u bits a pixel with compression %u is not read: save it as "
                        "PNG",
                        reader->from->source, (unsigned)reader->bits,
                        (unsigned)reader->compression);
    bool runs = reader->compression == RUNS_OF_BYTES || reader->compression == RUNS_OF_HALVES;
    if (left == 0 || (!runs && reader->width > 0 && left / row_size(reader) < reader->height))
        return fail_bmp(reader, "rows are missing");
    return CNN_OK;
}

/* Where a run begins that is written next: rows upwards from the lowest. */
typedef struct pen {
    uint32_t x, y;
} pen;

static void put_index(bmp_reader *reader, pen *at, unsigned index)
{
    if (at->x < reader->width && at->y < reader->height) {
        size_t row = reader->height - 1 - at->y;
        reader->indices[row * reader->width + at->x] = (uint8_t)index;
    }
    at->x++;
}

/* `count` pixels that follow one by one; returns where what is behind them begins. */
static size_t put_literal(bmp_reader *reader, pen *at, size_t from, unsigned count)
{
    bool halves = reader->compression == RUNS_OF_HALVES;
    for (unsigned i = 0; i < count; i++) {
        unsigned byte = number_at(reader, from + (halves ? i / 2 : i), 1);
        put_index(reader, at, !halves ? byte : i % 2 ? byte & 15u : byte >> 4);
    }
    size_t bytes = halves ? (count + 1) / 2 : count;
    return from + bytes + bytes % 2;
}

static void put_run(bmp_reader *reader, pen *at, unsigned count, unsigned byte)
{
    bool halves = reader->compression == RUNS_OF_HALVES;
    for (unsigned i = 0; i < count; i++)
        put_index(reader, at, !halves ? byte : i % 2 ? byte & 15u : byte >> 4);
}

/* Pixels that no run writes have the palette's first color. */
static cnn_status read_runs(bmp_reader *reader)
{
    enum { END_OF_ROW, END, MOVE };
    pen at = {0, 0};
    size_t next = reader->pixels, size = reader->from->size;
    cnn_status status =
        cnn_allocate(&reader->indices, reader->height, reader->width, reader->from->source);
    while (status == CNN_OK && next + 1 < size && at.y < reader->height) {
        unsigned count = reader->from->data[next], code = reader->from->data[next + 1];
        next += 2;
        if (count > 0) {
            put_run(reader, &at, count, code);
        } else if (code == END) {
            return CNN_OK;
        } else if (code == END_OF_ROW) {
            at = (pen){0, at.y + 1};
        } else if (code == MOVE) {
            at.x += number_at(reader, next, 1);
            at.y += number_at(reader, next + 1, 1);
            next += 2;
        } else {
            next = put_literal(reader, &at, next, code);
        }
    }
    return status != CNN_OK || at.y >= reader->height ? status
                                                      : fail_bmp(reader, "its runs do not end");
}

/* A color of a pixel as a byte: the mask's bits, brought to the full range. */
static uint8_t masked(uint32_t pixel, uint32_t mask)
{
    if (mask == 0)
        return 0;
    uint32_t lowest = mask & (0u - mask);
    uint64_t value = (pixel & mask) / lowest, most = mask / lowest;
    return (uint8_t)((value * BYTE + most / 2) / most);
}

static void put_color(bmp_reader *reader, uint8_t *pixel, uint32_t x, uint32_t y)
{
    const uint8_t *data = reader->from->data;
    size_t row = reader->from_top ? y : reader->height - 1 - y, bits = reader->bits;
    size_t at = reader->pixels + row * row_size(reader) + x * bits / 8;
    if (bits <= MOST_INDEX_BITS) {
        unsigned index = reader->indices
                             ? reader->indices[(size_t)y * reader->width + x]
                             : data[at] >> (8 - bits - x * bits % 8) & ((1u << bits) - 1u);
        memcpy(pixel, reader->palette[index], COLORS);
        return;
    }
    uint32_t value = number_at(reader, at, bits / 8);
    for (size_t c = 0; c < (size_t)reader->samples.channels; c++)
        pixel[c] = masked(value, reader->masks[c]);
}

/* Some programs leave a mask for the opacity, and zeros. */
static void show_hidden(const bmp_reader *reader)
{
    size_t count = (size_t)reader->width * reader->height;
    uint8_t *opacity = reader->samples.bytes + ALPHA;
    size_t step = (size_t)reader->samples.channels, i = 0;
    while (i < count && opacity[i * step] == 0)
        i++;
    for (size_t j = 0; i == count && j < count; j++)
        opacity[j * step] = BYTE;
}

static cnn_status read_picture(cnn_picture *picture, bmp_reader *reader)
{
    cnn_samples *samples = &reader->samples;
    cnn_status status = CNN_OK;
    CNN_TRY(read_header(reader));
    CNN_TRY(check_kind(reader));
    CNN_TRY(cnn_picture_allocate(picture, reader->width, reader->height, reader->from));
    read_masks(reader);
    if (reader->bits <= MOST_INDEX_BITS)
        read_palette(reader);
    if (reader->compression == RUNS_OF_BYTES || reader->compression == RUNS_OF_HALVES)
        CNN_TRY(read_runs(reader));
    samples->channels = reader->masks[ALPHA] ? COLORS + 1 : COLORS;
    size_t channels = (size_t)samples->channels, row = reader->width * channels;
    CNN_TRY(cnn_allocate(&samples->bytes, reader->height, row, reader->from->source));
    for (uint32_t y = 0; y < reader->height; y++)
        for (uint32_t x = 0; x < reader->width; x++)
            put_color(reader, samples->bytes + y * row + x * channels, x, y);
    if (samples->channels > COLORS)
        show_hidden(reader);
    cnn_samples_to_picture(picture, samples, reader->from);
out:
    return status;
}

cnn_status cnn_decode_bmp(cnn_picture *picture, const cnn_encoded *from)
{
    bmp_reader *reader = NULL;
    cnn_status status = cnn_allocate(&reader, 1, sizeof *reader, from->source);
    if (status != CNN_OK)
        return status;
    reader->from = from;
    status = read_picture(picture, reader);
    free(reader->indices);
    free(reader->samples.bytes);
    free(reader);
    if (status != CNN_OK)
        cnn_picture_finish(picture);
    return status;
}
