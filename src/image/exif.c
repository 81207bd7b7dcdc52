/* How a camera was held: tag 0x0112 of the Exif data (CIPA DC-008, "Exchangeable image file
 * format", section 4.6). The data is a TIFF structure, in JPEG files behind six bytes: a byte
 * order, the place of a directory, and in it entries of twelve bytes. */
#include <stdbool.h>
#include <string.h>

#include "image/decode.h"

enum { ORIENTATION = 0x0112, SHORT = 3, ENTRY_SIZE = 12, HEAD_SIZE = 6, TIFF_SIZE = 8, MOST = 8 };

typedef struct tiff {
    const uint8_t *data;
    size_t size;
    bool little; /* the byte order */
} tiff;

/* A number of 2 or 4 bytes; 0 behind the end. */
static uint32_t number_at(const tiff *from, size_t at, size_t bytes)
{
    uint32_t number = 0;
    if (at > from->size || from->size - at < bytes)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | from->data[at + (from->little ? bytes - 1 - i : i)];
    return number;
}

int cnn_exif_orientation(const uint8_t *data, size_t size)
{
    bool has_head = size >= HEAD_SIZE && memcmp(data, "Exif\0\0", HEAD_SIZE) == 0;
    size_t head = has_head ? HEAD_SIZE : 0;
    tiff from = {.data = data + head, .size = size - head};
    if (from.size < TIFF_SIZE ||
        (memcmp(from.data, "II*\0", 4) != 0 && memcmp(from.data, "MM\0*", 4) != 0))
        return 1;
    from.little = from.data[0] == 'I';
    size_t directory = number_at(&from, 4, 4);
    uint32_t count = number_at(&from, directory, 2);
    for (uint32_t i = 0; i < count; i++) {
        size_t entry = directory + 2 + (size_t)i * ENTRY_SIZE;
        if (number_at(&from, entry, 2) != ORIENTATION || number_at(&from, entry + 2, 2) != SHORT)
            continue;
        uint32_t orientation = number_at(&from, entry + 8, 2);
        return orientation >= 1 && orientation <= MOST ? (int)orientation : 1;
    }
    return 1;
}
