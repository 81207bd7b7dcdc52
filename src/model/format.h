/* What reading and writing of an archive have in common. */
#ifndef MODEL_FORMAT_H
#define MODEL_FORMAT_H

#include <stddef.h>

#include <cnncl/model.h>

#define CNN_ARCHIVE_METADATA "__metadata__"

enum {
    CNN_ARCHIVE_LENGTH_SIZE = 8,          /* bytes of the header's length */
    CNN_ARCHIVE_HEADER_LIMIT = 100000000, /* bytes, the format's own */
    CNN_ARCHIVE_ALIGNMENT = 8,            /* bytes, of the values' start */
    CNN_ARCHIVE_TYPES = CNN_INT64 + 1,
};

typedef struct cnn_type_row {
    const char *name; /* safetensors' */
    size_t size;      /* bytes of a value */
} cnn_type_row;

/* Indexed by cnn_type. */
extern const cnn_type_row cnn_type_rows[CNN_ARCHIVE_TYPES];

#endif
