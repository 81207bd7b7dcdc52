#include "exchange/proto.h"

#include <string.h>

bool cnn_varint_next(uint64_t *value, cnn_bytes *bytes)
{
    enum { MOST_BYTES = 10, BITS = 7 };
    uint64_t result = 0;
    for (size_t i = 0; i < MOST_BYTES && i < bytes->size; i++) {
        result |= (uint64_t)(bytes->data[i] & 0x7f) << (BITS * i);
        if (bytes->data[i] & 0x80)
            continue;
        *value = result;
        bytes->data += i + 1;
        bytes->size -= i + 1;
        return true;
    }
    return false;
}

/* A value of so many bytes, little-endian. */
static bool take_fixed(cnn_field *field, cnn_bytes *rest, size_t size)
{
    if (rest->size < size)
        return false;
    field->bytes = (cnn_bytes){rest->data, size};
    field->integer = 0;
    for (size_t i = 0; i < size; i++)
        field->integer |= (uint64_t)rest->data[i] << (8 * i);
    rest->data += size;
    rest->size -= size;
    return true;
}

static bool take_bytes(cnn_field *field, cnn_bytes *rest)
{
    uint64_t size;
    if (!cnn_varint_next(&size, rest) || size > rest->size)
        return false;
    field->bytes = (cnn_bytes){rest->data, (size_t)size};
    rest->data += size;
    rest->size -= (size_t)size;
    return true;
}

bool cnn_field_next(cnn_field *field, cnn_bytes *message)
{
    cnn_bytes rest = *message;
    uint64_t key;
    bool good = false;
    *field = (cnn_field){0};
    if (!cnn_varint_next(&key, &rest) || key >> 3 == 0 || key >> 3 > UINT32_MAX)
        return false;
    field->number = (uint32_t)(key >> 3);
    field->type = (cnn_wire_type)(key & 7);
    switch (field->type) {
    case CNN_WIRE_VARINT:
        good = cnn_varint_next(&field->integer, &rest);
        break;
    case CNN_WIRE_64:
        good = take_fixed(field, &rest, 8);
        break;
    case CNN_WIRE_BYTES:
        good = take_bytes(field, &rest);
        break;
    case CNN_WIRE_32:
        good = take_fixed(field, &rest, 4);
        break;
    }
    if (good)
        *message = rest;
    return good;
}

bool cnn_proto_is_whole(cnn_bytes message)
{
    cnn_field field;
    while (cnn_field_next(&field, &message))
        ;
    return message.size == 0;
}

bool cnn_field_find(cnn_field *field, cnn_bytes message, uint32_t number)
{
    cnn_field at;
    bool found = false;
    while (cnn_field_next(&at, &message))
        if (at.number == number) {
            *field = at;
            found = true;
        }
    return found;
}

bool cnn_bytes_are(cnn_bytes bytes, const char *text)
{
    return strlen(text) == bytes.size &&
           (bytes.size == 0 || memcmp(bytes.data, text, bytes.size) == 0);
}

static bool take_packed(uint64_t *bits, cnn_number_list *list)
{
    cnn_field value = {0};
    bool good = list->wire == CNN_WIRE_VARINT
                    ? cnn_varint_next(bits, &list->packed)
                    : take_fixed(&value, &list->packed, list->wire == CNN_WIRE_64 ? 8 : 4);
    if (good && list->wire != CNN_WIRE_VARINT)
        *bits = value.integer;
    list->broken = list->broken || !good;
    return good;
}

bool cnn_number_next(uint64_t *bits, cnn_number_list *list)
{
    cnn_field field;
    if (list->packed.size > 0)
        return take_packed(bits, list);
    while (cnn_field_next(&field, &list->rest)) {
        if (field.number != list->number)
            continue;
        if (field.type == list->wire) {
            *bits = field.integer;
            return true;
        }
        list->packed = field.bytes;
        if (field.type != CNN_WIRE_BYTES)
            list->broken = true;
        if (field.type != CNN_WIRE_BYTES || field.bytes.size > 0)
            return !list->broken && take_packed(bits, list);
    }
    return false;
}
