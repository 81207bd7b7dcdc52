/* JPEG through libjpeg: grey, colour and print colours; baseline and progressive. */
#include <setjmp.h>
#include <stdio.h> /* jpeglib.h wants it */

#include <jerror.h>
#include <jpeglib.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/decode.h"

enum {
    EXIF_LIMIT = 0xffff,
    MOST_SCANS = 200, /* of a progressive file: each costs a pass over the picture */
    PRINT_COLORS = 4,
    MIRRORED = 4, /* the last orientation that does not swap the sides */
};

typedef struct jpeg_reader {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX];
    uint8_t *row;
} jpeg_reader;

static void take_error(j_common_ptr common)
{
    jpeg_reader *reader = common->client_data;
    common->err->format_message(common, reader->message);
    longjmp(reader->failed, 1);
}

/* Of what libjpeg would only warn about, that what hides missing pixels is an error. */
static void take_message(j_common_ptr common, int level)
{
    int code = common->err->msg_code;
    if (level < 0 &&
        (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE))
        take_error(common);
}

static void watch_scans(j_common_ptr common)
{
    jpeg_reader *reader = common->client_data;
    if (reader->decoder.input_scan_number <= MOST_SCANS)
        return;
    snprintf(reader->message, sizeof reader->message, "more than %d scans", MOST_SCANS);
    longjmp(reader->failed, 1);
}

static void start_reader(jpeg_reader *reader, const cnn_encoded *from)
{
    struct jpeg_decompress_struct *decoder = &reader->decoder;
    jpeg_create_decompress(decoder);
    reader->progress.progress_monitor = watch_scans;
    decoder->progress = &reader->progress;
    jpeg_mem_src(decoder, from->data, (unsigned long)from->size);
    jpeg_save_markers(decoder, JPEG_APP0 + 1, EXIF_LIMIT);
    jpeg_read_header(decoder, TRUE);
    bool print = decoder->num_components == PRINT_COLORS;
    decoder->out_color_space = print ? JCS_CMYK : JCS_RGB;
}

static int orientation_of(const jpeg_reader *reader)
{
    for (jpeg_saved_marker_ptr at = reader->decoder.marker_list; at; at = at->next) {
        int orientation = cnn_exif_orientation(at->data, at->data_length);
        if (orientation != 1)
            return orientation;
    }
    return 1;
}

/* libjpeg scales while it decodes, which takes a fraction of the time. */
static void choose_scale(cnn_picture *picture, struct jpeg_decompress_struct *decoder,
                         const cnn_encoded *from, bool turned)
{
    unsigned width = (unsigned)(turned ? from->least_height : from->least_width);
    unsigned height = (unsigned)(turned ? from->least_width : from->least_height);
    if (width == 0 || height == 0)
        return;
    for (unsigned part = 8; part > 1; part /= 2)
        if (decoder->image_width / part >= 4 * width &&
            decoder->image_height / part >= 4 * height) {
            decoder->scale_num = 1;
            decoder->scale_denom = part;
            picture->reduction = (int)part;
            picture->full_width = (int)(turned ? decoder->image_height : decoder->image_width);
            picture->full_height = (int)(turned ? decoder->image_width : decoder->image_height);
            return;
        }
}

/* Cyan, magenta, yellow and black to red, green and blue, in place. Adobe's files have them
 * inverted. */
static void convert_print_colors(uint8_t *row, unsigned width, bool inverted)
{
    for (size_t x = 0; x < width; x++) {
        const uint8_t *from = row + PRINT_COLORS * x;
        unsigned black = inverted ? from[3] : 255u - from[3];
        for (size_t c = 0; c < CNN_PICTURE_CHANNELS; c++) {
            unsigned color = inverted ? from[c] : 255u - from[c];
            row[CNN_PICTURE_CHANNELS * x + c] = (uint8_t)(color * black / 255u);
        }
    }
}

static void read_rows(jpeg_reader *reader, cnn_picture *picture)
{
    struct jpeg_decompress_struct *decoder = &reader->decoder;
    jpeg_start_decompress(decoder);
    while (decoder->output_scanline < decoder->output_height) {
        int y = (int)decoder->output_scanline;
        jpeg_read_scanlines(decoder, &reader->row, 1);
        if (decoder->out_color_space == JCS_CMYK)
            convert_print_colors(reader->row, decoder->output_width,
                                 decoder->saw_Adobe_marker != 0);
        cnn_picture_set_row(picture, y, reader->row);
    }
}

/* libjpeg comes back here by longjmp() when it fails: what must survive that is in memory. */
static cnn_status read_picture(cnn_picture *picture, jpeg_reader *reader, const cnn_encoded *from)
{
    cnn_status status = CNN_OK;
    if (setjmp(reader->failed) != 0)
        return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated JPEG: %s", from->source,
                        reader->message);
    start_reader(reader, from);
    choose_scale(picture, &reader->decoder, from, orientation_of(reader) > MIRRORED);
    jpeg_calc_output_dimensions(&reader->decoder);
    CNN_TRY(cnn_picture_allocate(picture, reader->decoder.output_width,
                                 reader->decoder.output_height, from));
    CNN_TRY(cnn_allocate(&reader->row, reader->decoder.output_width, PRINT_COLORS, from->source));
    read_rows(reader, picture);
    status = cnn_picture_orient(picture, orientation_of(reader));
out:
    return status;
}

cnn_status cnn_decode_jpeg(cnn_picture *picture, const cnn_encoded *from)
{
    jpeg_reader *reader = NULL;
    cnn_status status = cnn_allocate(&reader, 1, sizeof *reader, from->source);
    if (status != CNN_OK)
        return status;
    reader->decoder.err = jpeg_std_error(&reader->errors);
    reader->decoder.client_data = reader;
    reader->errors.error_exit = take_error;
    reader->errors.emit_message = take_message;
    status = read_picture(picture, reader, from);
    jpeg_destroy_decompress(&reader->decoder);
    free(reader->row);
    free(reader);
    if (status != CNN_OK)
        cnn_picture_finish(picture);
    return status;
}
