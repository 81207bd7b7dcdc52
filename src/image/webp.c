/* WebP through libwebp: with losses and without; of an animation the first frame, on its canvas. */
#include <stdbool.h>

#include <stdlib.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/decode.h"
#include "image/samples.h"

enum { COLORS = 3 };

typedef struct webp_reader {
    const cnn_encoded *from;
    WebPDemuxer *demuxer;
    WebPIterator frame;
    uint32_t width, height; /* of the canvas */
    cnn_samples samples;
} webp_reader;

static cnn_status fail_webp(const webp_reader *reader, const char *what)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated WebP: %s", reader->from->source,
                    what);
}

static int orientation_of(const webp_reader *reader)
{
    WebPChunkIterator chunk;
    int orientation = 1;
    if (WebPDemuxGetChunk(reader->demuxer, "EXIF", 1, &chunk)) {
        orientation = cnn_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return orientation;
}

/* What the frame does not cover stays transparent. */
static cnn_status read_frame(webp_reader *reader)
{
    const WebPIterator *frame = &reader->frame;
    cnn_samples *samples = &reader->samples;
    size_t width = reader->width, height = reader->height;
    size_t left = (size_t)frame->x_offset, top = (size_t)frame->y_offset;
    if (left + (size_t)frame->width > width || top + (size_t)frame->height > height)
        return fail_webp(reader, "a frame beside its canvas");
    bool whole = (size_t)frame->width == width && (size_t)frame->height == height;
    samples->channels = whole && !frame->has_alpha ? COLORS : COLORS + 1;
    size_t row = width * (size_t)samples->channels;
    cnn_status status = cnn_allocate(&samples->bytes, height, row, reader->from->source);
    if (status != CNN_OK)
        return status;
    size_t before = top * row + left * (size_t)samples->channels;
    uint8_t *target = samples->bytes + before;
    size_t room = height * row - before;
    const uint8_t *data = frame->fragment.bytes;
    size_t size = frame->fragment.size;
    bool good = samples->channels == COLORS
                    ? WebPDecodeRGBInto(data, size, target, room, (int)row) != NULL
                    : WebPDecodeRGBAInto(data, size, target, room, (int)row) != NULL;
    return good ? CNN_OK : fail_webp(reader, "its pixels cannot be decoded");
}

static cnn_status read_picture(cnn_picture *picture, webp_reader *reader)
{
    cnn_status status = CNN_OK;
    reader->width = WebPDemuxGetI(reader->demuxer, WEBP_FF_CANVAS_WIDTH);
    reader->height = WebPDemuxGetI(reader->demuxer, WEBP_FF_CANVAS_HEIGHT);
    CNN_TRY(cnn_picture_allocate(picture, reader->width, reader->height, reader->from));
    if (!WebPDemuxGetFrame(reader->demuxer, 1, &reader->frame))
        return fail_webp(reader, "it has no picture");
    CNN_TRY(read_frame(reader));
    cnn_samples_to_picture(picture, &reader->samples, reader->from);
    status = cnn_picture_orient(picture, orientation_of(reader));
out:
    return status;
}

cnn_status cnn_decode_webp(cnn_picture *picture, const cnn_encoded *from)
{
    webp_reader reader = {.from = from};
    cnn_status status;
    reader.demuxer = WebPDemux(&(WebPData){from->data, from->size});
    status = reader.demuxer ? read_picture(picture, &reader)
                            : fail_webp(&reader, "its chunks do not fit together");
    WebPDemuxReleaseIterator(&reader.frame);
    WebPDemuxDelete(reader.demuxer);
    free(reader.samples.bytes);
    if (status != CNN_OK)
        cnn_picture_finish(picture);
    return status;
}
