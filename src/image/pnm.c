/* PBM, PGM and PPM, plain and raw (the Netpbm formats P1 to P6): a few numbers, then the samples.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/decode.h"

enum { MOST_SAMPLE = 65535, BYTE = 255, BITS = 8 };

static const struct pnm_kind {
    int channels;
    bool bits; /* one a sample, 1 is black; no largest value in the header */
    bool raw;
} kinds[] = {
    {1, true, false}, {1, false, false}, {3, false, false},
    {1, true, true},  {1, false, true},  {3, false, true},
};

typedef struct pnm_reader {
    const cnn_encoded *from;
    size_t at;
    struct pnm_kind kind;
    unsigned width, height, largest;
} pnm_reader;

static cnn_status fail_pnm(const pnm_reader *reader, const char *what)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated PNM at byte %zu: %s",
                    reader->from->source, reader->at, what);
}

static int peek(const pnm_reader *reader)
{
    return reader->at < reader->from->size ? reader->from->data[reader->at] : -1;
}

static bool is_blank(int byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Blanks, and comments to the end of their line. */
static void skip_blanks(pnm_reader *reader)
{
    while (is_blank(peek(reader)) || peek(reader) == '#') {
        if (peek(reader) == '#')
            while (peek(reader) != -1 && peek(reader) != '\n')
                reader->at++;
        else
            reader->at++;
    }
}

static cnn_status read_number(unsigned *number, pnm_reader *reader, unsigned low, unsigned high)
{
    skip_blanks(reader);
    if (peek(reader) < '0' || peek(reader) > '9')
        return fail_pnm(reader, "expected a number");
    *number = 0;
    while (peek(reader) >= '0' && peek(reader) <= '9' && *number <= high)
        *number = 10 * *number + (unsigned)(reader->from->data[reader->at++] - '0');
    if (*number < low || *number > high)
        return fail_pnm(reader, "a number is out of range");
    return CNN_OK;
}

static cnn_status read_header(pnm_reader *reader)
{
    cnn_status status = CNN_OK;
    reader->kind = kinds[reader->from->data[1] - '1'];
    reader->at = 2;
    CNN_TRY(read_number(&reader->width, reader, 1, CNN_PICTURE_MAX_SIDE));
    CNN_TRY(read_number(&reader->height, reader, 1, CNN_PICTURE_MAX_SIDE));
    reader->largest = 1;
    if (!reader->kind.bits)
        CNN_TRY(read_number(&reader->largest, reader, 1, MOST_SAMPLE));
    if (!is_blank(peek(reader)))
        status = fail_pnm(reader, "expected a blank behind the header");
    else
        reader->at++;
out:
    return status;
}

static size_t row_bytes(const pnm_reader *reader)
{
    if (reader->kind.bits)
        return (reader->width + BITS - 1) / BITS;
    return (size_t)reader->width * (size_t)reader->kind.channels * (reader->largest > BYTE ? 2 : 1);
}

/* Memory is taken only for what the file can hold: raw rows, or a byte a sample. */
static cnn_status check_size(const pnm_reader *reader)
{
    size_t row = reader->kind.raw ? row_bytes(reader)
                                  : (size_t)reader->width * (size_t)reader->kind.channels;
    uint64_t needed = (uint64_t)row * reader->height;
    if (needed <= reader->from->size - reader->at)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: truncated PNM: expected at least %llu bytes for %u x %u pixels, found %zu",
                    reader->from->source, (unsigned long long)needed, reader->width, reader->height,
                    reader->from->size - reader->at);
}

static cnn_status read_plain_sample(unsigned *sample, pnm_reader *reader)
{
    if (!reader->kind.bits)
        return read_number(sample, reader, 0, reader->largest);
    skip_blanks(reader);
    if (peek(reader) != '0' && peek(reader) != '1')
        return fail_pnm(reader, "expected 0 or 1");
    *sample = (unsigned)(reader->from->data[reader->at++] - '0');
    return CNN_OK;
}

static unsigned raw_sample(const pnm_reader *reader, const uint8_t *row, size_t index)
{
    if (reader->kind.bits)
        return (unsigned)row[index / BITS] >> (BITS - 1 - index % BITS) & 1u;
    if (reader->largest > BYTE)
        return (unsigned)row[2 * index] << BITS | row[2 * index + 1];
    return row[index];
}

static uint8_t to_byte(const pnm_reader *reader, unsigned sample)
{
    if (sample > reader->largest)
        sample = reader->largest;
    if (reader->kind.bits)
        return sample ? 0 : BYTE;
    return (uint8_t)((sample * BYTE + reader->largest / 2) / reader->largest);
}

static cnn_status read_row(uint8_t *pixels, pnm_reader *reader)
{
    size_t channels = (size_t)reader->kind.channels;
    const uint8_t *raw = reader->from->data + reader->at;
    for (size_t i = 0; i < reader->width * channels; i++) {
        unsigned sample = 0;
        if (reader->kind.raw)
            sample = raw_sample(reader, raw, i);
        else if (read_plain_sample(&sample, reader) != CNN_OK)
            return CNN_ERROR_DATA;
        uint8_t byte = to_byte(reader, sample);
        if (channels == 1)
            memset(pixels + CNN_PICTURE_CHANNELS * i, byte, CNN_PICTURE_CHANNELS);
        else
            pixels[i] = byte;
    }
    if (reader->kind.raw)
        reader->at += row_bytes(reader);
    return CNN_OK;
}

cnn_status cnn_decode_pnm(cnn_picture *picture, const cnn_encoded *from)
{
    pnm_reader reader = {.from = from};
    uint8_t *pixels = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(read_header(&reader));
    CNN_TRY(check_size(&reader));
    CNN_TRY(cnn_picture_allocate(picture, reader.width, reader.height, from));
    CNN_TRY(cnn_allocate(&pixels, reader.width, CNN_PICTURE_CHANNELS, from->source));
    for (int y = 0; y < picture->height; y++) {
        CNN_TRY(read_row(pixels, &reader));
        cnn_picture_set_row(picture, y, pixels);
    }
out:
    free(pixels);
    if (status != CNN_OK)
        cnn_picture_finish(picture);
    return status;
}
