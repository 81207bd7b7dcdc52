/* GIF through giflib: the first frame, on its screen. */
#include <stdbool.h>

#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/decode.h"
#include "image/samples.h"

enum { CHANNELS = 4, ALPHA = 3, BYTE = 255, PASSES = 4 };
enum { MOST_EXPANSION = 4096 * 8 / 12 /* codes of 12 bits, each for 4,096 pixels at most */ };

typedef struct gif_reader {
    const cnn_encoded *from;
    size_t at; /* of the file's bytes */
    GifFileType *gif;
    int transparent; /* the color that is not to be seen, or NO_TRANSPARENT_COLOR */
    GifPixelType *row;
    size_t width;        /* of the screen */
    cnn_samples samples; /* of the screen: what no frame covers is transparent */
} gif_reader;

static int take_bytes(GifFileType *gif, GifByteType *bytes, int count)
{
    gif_reader *reader = gif->UserData;
    size_t left = reader->from->size - reader->at,
           taken = (size_t)count < left ? (size_t)count : left;
    memcpy(bytes, reader->from->data + reader->at, taken);
    reader->at += taken;
    return (int)taken;
}

static cnn_status fail_gif(const gif_reader *reader, int error)
{
    const char *message = GifErrorString(error);
    return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated GIF: %s", reader->from->source,
                    message ? message : "it has no picture");
}

/* Of what stands before a frame, the color that is transparent is of interest. */
static bool read_extension(gif_reader *reader)
{
    GraphicsControlBlock control;
    GifByteType *block;
    int kind;
    if (DGifGetExtension(reader->gif, &kind, &block) != GIF_OK)
        return false;
    while (block) {
        if (kind == GRAPHICS_EXT_FUNC_CODE &&
            DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            reader->transparent = control.TransparentColor;
        if (DGifGetExtensionNext(reader->gif, &block) != GIF_OK)
            return false;
    }
    return true;
}

static bool find_frame(gif_reader *reader)
{
    GifRecordType kind;
    reader->transparent = NO_TRANSPARENT_COLOR;
    while (DGifGetRecordType(reader->gif, &kind) == GIF_OK) {
        if (kind == IMAGE_DESC_RECORD_TYPE)
            return DGifGetImageDesc(reader->gif) == GIF_OK;
        if (kind != EXTENSION_RECORD_TYPE || !read_extension(reader))
            return false;
    }
    return false;
}

static void put_row(gif_reader *reader, int y, const ColorMapObject *colors)
{
    const GifImageDesc *frame = &reader->gif->Image;
    uint8_t *target = reader->samples.bytes +
                      ((size_t)(frame->Top + y) * reader->width + (size_t)frame->Left) * CHANNELS;
    for (int x = 0; x < frame->Width; x++, target += CHANNELS) {
        int index = reader->row[x];
        if (index == reader->transparent)
            continue;
        GifColorType color = {0, 0, 0};
        if (index < colors->ColorCount)
            color = colors->Colors[index];
        target[0] = color.Red;
        target[1] = color.Green;
        target[2] = color.Blue;
        target[ALPHA] = BYTE;
    }
}

/* Interlaced frames come in four passes: every eighth row, those between them, and so on. */
static cnn_status read_rows(gif_reader *reader, const ColorMapObject *colors)
{
    static const int first[PASSES] = {0, 4, 2, 1}, step[PASSES] = {8, 8, 4, 2};
    const GifImageDesc *frame = &reader->gif->Image;
    for (int pass = 0; pass < (frame->Interlace ? PASSES : 1); pass++)
        for (int y = frame->Interlace ? first[pass] : 0; y < frame->Height;
             y += frame->Interlace ? step[pass] : 1) {
            if (DGifGetLine(reader->gif, reader->row, frame->Width) != GIF_OK)
                return fail_gif(reader, reader->gif->Error);
            put_row(reader, y, colors);
        }
    return CNN_OK;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* A frame may be larger than the screen that the file says. */
static cnn_status read_picture(cnn_picture *picture, gif_reader *reader)
{
    cnn_status status = CNN_OK;
    if (!find_frame(reader))
        return fail_gif(reader, reader->gif->Error);
    const GifImageDesc *frame = &reader->gif->Image;
    const ColorMapObject *colors = frame->ColorMap ? frame->ColorMap : reader->gif->SColorMap;
    int width = larger(reader->gif->SWidth, frame->Left + frame->Width);
    int height = larger(reader->gif->SHeight, frame->Top + frame->Height);
    if (!colors)
        return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated GIF: it has no palette",
                        reader->from->source);
    CNN_TRY(cnn_picture_check_expansion((uint64_t)frame->Width, (uint64_t)frame->Height,
                                        MOST_EXPANSION, reader->from, "GIF"));
    CNN_TRY(cnn_picture_allocate(picture, (uint64_t)width, (uint64_t)height, reader->from));
    reader->samples.channels = CHANNELS;
    reader->width = (size_t)width;
    CNN_TRY(cnn_allocate(&reader->samples.bytes, (size_t)width * (size_t)height, CHANNELS,
                         reader->from->source));
    CNN_TRY(cnn_allocate(&reader->row, (size_t)width, sizeof *reader->row, reader->from->source));
    CNN_TRY(read_rows(reader, colors));
    cnn_samples_to_picture(picture, &reader->samples, reader->from);
out:
    return status;
}

cnn_status cnn_decode_gif(cnn_picture *picture, const cnn_encoded *from)
{
    gif_reader reader = {.from = from};
    int error = 0;
    cnn_status status;
    reader.gif = DGifOpen(&reader, take_bytes, &error);
    status = reader.gif ? read_picture(picture, &reader) : fail_gif(&reader, error);
    if (reader.gif)
        DGifCloseFile(reader.gif, &error);
    free(reader.row);
    free(reader.samples.bytes);
    if (status != CNN_OK)
        cnn_picture_finish(picture);
    return status;
}
