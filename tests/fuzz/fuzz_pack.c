/* A pack of pictures; with checksums that are right, so that what they guard is reached, too. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/pack_head.h"
#include "fuzz.h"

static void read_all(const uint8_t *data, size_t size)
{
    enum { MOST = 64, ROOM = 1 << 16 };
    static uint8_t image[ROOM];
    cnn_pack *pack;
    if (cnn_pack_open(&pack, fuzz_file(data, size), NULL) != CNN_OK)
        return;
    size_t count = cnn_pack_first(pack, (cnn_split)CNN_SPLITS);
    for (size_t i = 0; pack->image <= ROOM && i < count && i < MOST; i++)
        (void)cnn_pack_read(image, pack, i);
    cnn_pack_close(pack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { CHECK = CNN_PACK_HEAD - 4 };
    cnn_pack_head head;
    cnn_pack_content content;
    read_all(data, size);
    if (size < CNN_PACK_HEAD)
        return 0;
    uint8_t *copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    cnn_pack_put_number(copy + CHECK, crc32_z(0, copy, CHECK), 4);
    if (cnn_pack_parse(&head, &content, copy, size))
        cnn_pack_format(copy, &content,
                        (uint32_t)crc32_z(0, copy + head.table, size - (size_t)head.table));
    read_all(copy, size);
    free(copy);
    return 0;
}
