/* Tensors by name, whatever file they come from: safetensors, one or several, or what torch.save()
 * wrote. Readers fill a cnn_state_dict; exchange/fit.h puts it onto a network. */
#ifndef EXCHANGE_STATE_DICT_H
#define EXCHANGE_STATE_DICT_H

#include "base/text.h"
#include "model/archive.h"

typedef struct cnn_state_dict {
    char *path;              /* for messages */
    cnn_raw_tensor *tensors; /* in the natural order of their names: "conv2" before "conv10" */
    size_t count, room;
    void **blocks; /* memory that names and values lie in */
    size_t block_count, block_room;
    cnn_archive **archives;
    size_t archive_count, archive_room;
    bool has_index; /* one is being read: it may not name another */
} cnn_state_dict;

/* Reads a file of any of the formats. Wrappers' parts of names ("module.", "_orig_mod.") are left
 * out. Takes no more memory than a small multiple of the file's size; nothing in it is executed.
 * Errors: FILE, DATA, MEMORY. */
cnn_status cnn_state_dict_read(cnn_state_dict **dict, const char *path);
void cnn_state_dict_destroy(cnn_state_dict *dict);

/* NULL where there is no such name. */
const cnn_raw_tensor *cnn_state_dict_find(const cnn_state_dict *dict, const char *name);
/* What a safetensors file says of itself; NULL where there is no such key. */
const char *cnn_state_dict_metadata(const cnn_state_dict *dict, const char *key);

/* Are its values of a type of floats that is read? */
bool cnn_raw_is_floats(const cnn_raw_tensor *tensor);
/* That they are not. Always DATA. */
cnn_status cnn_raw_fail_floats(const cnn_raw_tensor *tensor, const char *path);
/* Copies the values, row-major. Errors: DATA, where the types do not go together, or a value is
 * beyond float32. */
cnn_status cnn_raw_to_float(float *values, const cnn_raw_tensor *tensor, const char *path);
cnn_status cnn_raw_to_int64(int64_t *value, const cnn_raw_tensor *tensor, const char *path);

/* Numbers within names are compared as numbers. */
int cnn_compare_names(const char *a, const char *b);

enum { CNN_LISTED = 10 };
/* "a.weight (3, 2), b.bias (3,), ..." of at most CNN_LISTED tensors: call it for each, with how
 * many are in the list already. */
void cnn_list_tensor(cnn_text *text, size_t listed, const char *name, const int *shape, int rank);

/* An empty one, for what is not read from a file by cnn_state_dict_read(). Errors: MEMORY. */
cnn_status cnn_state_dict_create(cnn_state_dict **dict, const char *path);
/* Behind the last cnn_state_dict_add(). */
void cnn_state_dict_sort(cnn_state_dict *dict);

/* For the readers. What is handed over is the dict's even where that fails. */
cnn_status cnn_state_dict_add(cnn_state_dict *dict, const cnn_raw_tensor *tensor);
cnn_status cnn_state_dict_own(cnn_state_dict *dict, void *block);
cnn_status cnn_state_dict_own_archive(cnn_state_dict *dict, cnn_archive *archive);

/* Each adds a file's tensors to the dict. */
cnn_status cnn_read_safetensors(cnn_state_dict *dict, const char *path);
cnn_status cnn_read_shards(cnn_state_dict *dict, const char *path);
cnn_status cnn_read_torch_zip(cnn_state_dict *dict, const char *path);
cnn_status cnn_read_torch_old(cnn_state_dict *dict, const char *path);
/* As cnn_state_dict_read() tells the format. */
cnn_status cnn_read_tensors(cnn_state_dict *dict, const char *path);

#endif
