#include "data/pack_head.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "image/decode.h"

/* Where in the head what stands. */
enum {
    MAGIC_SIZE = 16,
    KEY = MAGIC_SIZE,
    SHAPE = KEY + CNN_HASH_DIGITS,
    RESIZED = SHAPE + 3 * 4,
    COUNTS = RESIZED + 4,
    SKIPPED = COUNTS + CNN_SPLITS * 8,
    TABLE_CHECK = SKIPPED + 8,
    NOTE = TABLE_CHECK + 4,
    CHECK = CNN_PACK_HEAD - 4, /* of all before it */
    MOST_CHANNELS = 3
};

static const char magic[MAGIC_SIZE] = "cnn-cl.pack.1\n";

uint64_t cnn_pack_number(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

void cnn_pack_put_number(uint8_t *bytes, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
}

/* How large a file with these images is; false where no file is. */
static bool measure(uint64_t *table, uint64_t *size, const cnn_pack_content *content)
{
    size_t image = 1, count = 0, images, pairs;
    for (int i = 0; i < CNN_SPLITS; i++) {
        if (content->counts[i] > UINT32_MAX)
            return false;
        count += content->counts[i];
    }
    for (int i = 0; i < 3; i++)
        if (!cnn_multiply_size(&image, image, (size_t)content->shape[i]))
            return false;
    if (!cnn_multiply_size(&images, image, count) ||
        !cnn_multiply_size(&pairs, count, CNN_PACK_PAIR) || images > INT64_MAX / 2)
        return false;
    *table = CNN_PACK_HEAD + (uint64_t)images;
    *size = *table + pairs;
    return true;
}

bool cnn_pack_parse(cnn_pack_head *head, cnn_pack_content *content,
                    const uint8_t bytes[CNN_PACK_HEAD], uint64_t file_size)
{
    uint64_t size;
    *content = (cnn_pack_content){0};
    if (memcmp(bytes, magic, MAGIC_SIZE) != 0 ||
        crc32_z(0, bytes, CHECK) != cnn_pack_number(bytes + CHECK, 4))
        return false;
    memcpy(content->key, bytes + KEY, CNN_HASH_DIGITS);
    for (int i = 0; i < 3; i++) {
        uint64_t side = cnn_pack_number(bytes + SHAPE + (size_t)i * 4, 4);
        if (side < 1 || side > (i ? CNN_PICTURE_MAX_SIDE : MOST_CHANNELS))
            return false;
        content->shape[i] = (int)side;
    }
    content->resized = bytes[RESIZED] != 0;
    for (int i = 0; i < CNN_SPLITS; i++)
        content->counts[i] = (size_t)cnn_pack_number(bytes + COUNTS + (size_t)i * 8, 8);
    content->skipped = cnn_pack_number(bytes + SKIPPED, 8);
    memcpy(content->note, bytes + NOTE, CNN_PACK_NOTE - 1);
    head->table_check = (uint32_t)cnn_pack_number(bytes + TABLE_CHECK, 4);
    return measure(&head->table, &size, content) && size == file_size;
}

void cnn_pack_format(uint8_t bytes[CNN_PACK_HEAD], const cnn_pack_content *content,
                     uint32_t table_check)
{
    memset(bytes, 0, CNN_PACK_HEAD);
    memcpy(bytes, magic, MAGIC_SIZE);
    memcpy(bytes + KEY, content->key, CNN_HASH_DIGITS);
    for (size_t i = 0; i < 3; i++)
        cnn_pack_put_number(bytes + SHAPE + i * 4, (uint64_t)content->shape[i], 4);
    bytes[RESIZED] = content->resized;
    for (size_t i = 0; i < CNN_SPLITS; i++)
        cnn_pack_put_number(bytes + COUNTS + i * 8, content->counts[i], 8);
    cnn_pack_put_number(bytes + SKIPPED, content->skipped, 8);
    cnn_pack_put_number(bytes + TABLE_CHECK, table_check, 4);
    snprintf((char *)bytes + NOTE, CNN_PACK_NOTE, "%s", content->note);
    cnn_pack_put_number(bytes + CHECK, crc32_z(0, bytes, CHECK), 4);
}
