/* Protocol buffers, field by field, where they lie: nothing is copied, and nothing nests by itself.
 * https://protobuf.dev/programming-guides/encoding/ */
#ifndef EXCHANGE_PROTO_H
#define EXCHANGE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of a file. */
typedef struct cnn_bytes {
    const unsigned char *data;
    size_t size;
} cnn_bytes;

typedef enum cnn_wire_type {
    CNN_WIRE_VARINT = 0,
    CNN_WIRE_64 = 1,
    CNN_WIRE_BYTES = 2,
    CNN_WIRE_32 = 5
} cnn_wire_type;

typedef struct cnn_field {
    uint32_t number;
    cnn_wire_type type;
    uint64_t integer; /* of all types but BYTES: the value's bits */
    cnn_bytes bytes;  /* of BYTES, and the value as it lies there */
} cnn_field;

/* Takes the next field off the message; false at its end, and where what follows is no field:
 * message->size is then not 0. */
bool cnn_field_next(cnn_field *field, cnn_bytes *message);
/* Takes a number off. False: none is there. */
bool cnn_varint_next(uint64_t *value, cnn_bytes *bytes);
/* Is the message nothing but fields? */
bool cnn_proto_is_whole(cnn_bytes message);
/* The last field of a number; false where there is none. */
bool cnn_field_find(cnn_field *field, cnn_bytes message, uint32_t number);
/* Does the text say this? */
bool cnn_bytes_are(cnn_bytes bytes, const char *text);
/* The next number of a list, of which a field holds one or, packed, many: begin with
 * list->bytes.size 0 and the whole message in rest. wire: how a number lies there. False at the
 * end, and in front of what is no number: broken is then set. */
typedef struct cnn_number_list {
    cnn_bytes rest, packed;
    uint32_t number;
    cnn_wire_type wire;
    bool broken;
} cnn_number_list;
bool cnn_number_next(uint64_t *bits, cnn_number_list *list);

#endif
