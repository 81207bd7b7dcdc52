/* What reading and writing of an archive have in common. */
#ifndef MODEL_FORMAT_H
#define MODEL_FORMAT_H

#include <stddef.h>

#include <cnncl/model.h>

#define CNN_ARCHIVE_METADATA "__metadata__"
/* What a saved model says of itself: this program's version, and the network's options as JSON. */
#define CNN_VERSION_KEY "cnn-cl.version"
#define CNN_CONFIG_KEY "cnn-cl.config"
#define CNN_NETWORK_KEY "cnn-cl.network" /* the expanded network file */
/* What it was trained on, and a JSON array of the classes' names; absent where they are not known.
 */
#define CNN_DATA_KEY "cnn-cl.data"
#define CNN_CLASSES_KEY "cnn-cl.classes"
/* "digits" where pictures are to be made as MNIST's; absent elsewhere, and in files of earlier
 * versions, which tell by what they were trained on. */
#define CNN_PICTURES_KEY "cnn-cl.pictures"
/* JSON: how its pictures were prepared; absent where it is of none. */
#define CNN_PREPARATION_KEY "cnn-cl.preparation"

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

/* A type of values in files, of this program and of others. */
typedef struct cnn_dtype {
    const char *name; /* safetensors' */
    size_t size;      /* bytes of a value */
    bool is_integer;
    double (*to_double)(const unsigned char *bytes); /* NULL: no number that is taken */
} cnn_dtype;

/* NULL where the name is none of them. */
const cnn_dtype *cnn_dtype_find(const char *name);

#endif
