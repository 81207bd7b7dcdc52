/* An IDX file that is gzipped well, then cut and damaged: the first byte says how many bytes are
 * missing at the end, the second and third where one is changed, the rest is gzipped. */
#include <stdlib.h>
#include <zlib.h>

#include "image/idx.h"
#include "fuzz.h"

enum { COMMANDS = 3, GZIP_WRAPPER = 16 + MAX_WBITS };

static size_t compress_gzip(uint8_t *to, size_t room, const uint8_t *data, size_t size)
{
    z_stream stream = {
        .next_in = (Bytef *)data, .avail_in = (uInt)size, .next_out = to, .avail_out = (uInt)room};
    if (deflateInit2(&stream, 1, Z_DEFLATED, GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        abort();
    size_t made = stream.total_out;
    deflateEnd(&stream);
    return made;
}

static void read_idx(const uint8_t *file, size_t size)
{
    cnn_idx idx;
    if (cnn_idx_read(&idx, fuzz_file(file, size), 1, CNN_IDX_MAX_RANK) == CNN_OK)
        cnn_idx_finish(&idx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < COMMANDS)
        return 0;
    size_t room = size + 256, cut = data[0], place = (size_t)data[1] << 8 | data[2];
    uint8_t *file = malloc(room);
    if (!file)
        return 0;
    size_t made = compress_gzip(file, room, data + COMMANDS, size - COMMANDS);
    made -= cut < made ? cut : made;
    if (place > 0 && place < made)
        file[place] ^= 0x55;
    read_idx(file, made);
    free(file);
    return 0;
}
