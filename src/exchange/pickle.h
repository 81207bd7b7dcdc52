/* Python's pickles as far as files of tensors need them: a machine that builds numbers, strings,
 * containers, and tensors of storages. Names of classes and functions are looked up in a table of
 * what those files are made of; any other is refused by name, and nothing is ever called. Formats:
 * https://docs.python.org/3/library/pickletools.html, protocols 0 to 5. */
#ifndef EXCHANGE_PICKLE_H
#define EXCHANGE_PICKLE_H

#include "model/archive.h"

typedef enum cnn_pickle_kind {
    CNN_PICKLE_OPAQUE, /* None, complex, a device: nothing that tensors need */
    CNN_PICKLE_INT,    /* booleans too */
    CNN_PICKLE_LONG,   /* beyond 64 bits: little-endian, two's complement */
    CNN_PICKLE_REAL,
    CNN_PICKLE_TEXT, /* bytes too */
    CNN_PICKLE_TUPLE,
    CNN_PICKLE_LIST,
    CNN_PICKLE_SET,
    CNN_PICKLE_DICT, /* its items are key, value, key, value */
    CNN_PICKLE_GLOBAL,
    CNN_PICKLE_STORAGE,
    CNN_PICKLE_TENSOR
} cnn_pickle_kind;

/* The memory that tensors are views of. Its values are not there before all is read. */
typedef struct cnn_pickle_storage {
    const char *key;
    size_t size;                /* bytes */
    size_t width;               /* bytes of a value */
    const unsigned char *bytes; /* NULL until they are read */
    bool wanted;                /* a tensor that is taken lies in it */
} cnn_pickle_storage;

typedef struct cnn_pickle_view {
    cnn_pickle_storage *storage;
    const cnn_dtype *dtype;
    size_t offset, count; /* values */
} cnn_pickle_view;

typedef struct cnn_pickle_tensor {
    cnn_pickle_view view;
    cnn_raw_tensor raw; /* without name and values */
} cnn_pickle_tensor;

typedef struct cnn_pickle_value cnn_pickle_value;
typedef struct cnn_pickle_global cnn_pickle_global;
struct cnn_pickle_value {
    cnn_pickle_kind kind;
    unsigned depth;  /* of what it holds */
    uint64_t weight; /* values in it, each as often as it is there */
    union {
        int64_t integer;
        double real;
        struct {
            const unsigned char *bytes;
            size_t size;
        } text;
        struct {
            cnn_pickle_value **items;
            size_t count, room;
        } list;
        const cnn_pickle_global *global;
        cnn_pickle_view view;
        cnn_pickle_tensor *tensor;
    };
};

/* Memory that is taken piece by piece and given back at once. */
typedef struct cnn_pickle_chunk cnn_pickle_chunk;
typedef struct cnn_pickle {
    const char *path; /* for messages */
    const unsigned char *data;
    size_t size, at; /* bytes; at: what is read next */

    /* Finds or makes the storage of a key; numel values of the dtype, which fit a size_t in
     * bytes. Errors: DATA, MEMORY. */
    cnn_status (*find_storage)(cnn_pickle_storage **storage, void *user, const char *key,
                               const cnn_dtype *dtype, size_t numel);
    void *user;

    cnn_pickle_chunk *chunks;
    size_t taken;             /* bytes of all chunks */
    cnn_pickle_value **stack; /* what is being built */
    size_t count, room;
    size_t *marks; /* heights of the stack */
    size_t mark_count;
    cnn_pickle_value **memo; /* (memo_room); NULL where nothing was kept */
    size_t memo_room, memo_count;
    bool stopped;
} cnn_pickle;

/* data must outlive it: strings lie there. */
void cnn_pickle_init(cnn_pickle *pickle, const char *path, const void *data, size_t size);
void cnn_pickle_finish(cnn_pickle *pickle);

/* The next pickle of the data; pickle->at is behind it then. The value lives as long as the pickle.
 * Errors: DATA (the byte, what was expected; the name of a class or function that is not taken),
 * MEMORY. */
cnn_status cnn_pickle_load(cnn_pickle_value **value, cnn_pickle *pickle);

/* NULL where the key is not there, or it is no dict. Of a key that is there twice, the last. */
const cnn_pickle_value *cnn_pickle_get(const cnn_pickle_value *dict, const char *key);
bool cnn_pickle_is_text(const cnn_pickle_value *value, const char *text);
/* A terminated copy that lives as long as the pickle. Errors: DATA (no text, or a zero byte in it),
 * MEMORY. */
cnn_status cnn_pickle_copy_text(const char **copy, cnn_pickle *pickle,
                                const cnn_pickle_value *value);

/* For the files of the machine. */

/* "PATH: byte N of a pickle: ...". Returns DATA. */
cnn_status cnn_pickle_fail(const cnn_pickle *pickle, const char *format, ...) CNN_PRINTF(2, 3);
/* Zeroed. Errors: DATA (more than a file of tensors needs), MEMORY. */
cnn_status cnn_pickle_allocate(void *memory, cnn_pickle *pickle, size_t size);
cnn_status cnn_pickle_make(cnn_pickle_value **value, cnn_pickle *pickle, cnn_pickle_kind kind);
cnn_status cnn_pickle_append(cnn_pickle_value *list, cnn_pickle *pickle, cnn_pickle_value *item);
/* Opcodes. */
cnn_status cnn_pickle_step(cnn_pickle *pickle, unsigned char opcode);
/* A class or function by its name. Errors: DATA where it is none of the table. */
cnn_status cnn_pickle_find_global(cnn_pickle_value **value, cnn_pickle *pickle, const char *module,
                                  const char *name);
/* What the callable would give for a tuple of arguments. */
cnn_status cnn_pickle_call(cnn_pickle_value **value, cnn_pickle *pickle,
                           const cnn_pickle_value *callable, const cnn_pickle_value *arguments);
/* From what stands for a storage in the file. */
cnn_status cnn_pickle_find_view(cnn_pickle_value **value, cnn_pickle *pickle,
                                const cnn_pickle_value *id);

/* The tensors of a state_dict that is the value, or lies in it under one of the usual names; each
 * has its storage marked as wanted, and no values. Errors: DATA. */
cnn_status cnn_pickle_find_state(const cnn_pickle_value **state, cnn_pickle *pickle,
                                 const cnn_pickle_value *root);

#endif
