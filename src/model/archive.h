/* An archive of named tensors: the safetensors format (https://github.com/huggingface/safetensors).
 * Eight bytes hold the header's length, little-endian; the header is a JSON object of one entry per
 * tensor (dtype, shape, data_offsets) and "__metadata__", strings by name; the values follow. */
#ifndef MODEL_ARCHIVE_H
#define MODEL_ARCHIVE_H

#include <stddef.h>

#include <cnncl/model.h>

#include "model/format.h"

typedef struct cnn_metadata {
    const char *key, *value;
} cnn_metadata;

/* Writes tensors (name, type, rank, shape, count and values are read) atomically. The header lists
 * them in their order; the values of the widest type come first, so that all are aligned in memory
 * that holds the file, as in the files of safetensors' own library. Errors: ARGUMENT (a name or
 * string that is not UTF-8, a name twice), FILE, MEMORY. */
cnn_status cnn_archive_write(const char *path, const cnn_tensor_info *tensors, size_t tensor_count,
                             const cnn_metadata *metadata, size_t metadata_count);

/* The same with a seal: the metadata CNN_ARCHIVE_SEAL is the SHA-256 of the file's bytes with zeros
 * for the seal's digits. */
#define CNN_ARCHIVE_SEAL "cnn-cl.sha256"
cnn_status cnn_archive_write_sealed(const char *path, const cnn_tensor_info *tensors,
                                    size_t tensor_count, const cnn_metadata *metadata,
                                    size_t metadata_count);

enum { CNN_RAW_RANK = 8 };

/* A named tensor as a file has it: of any type, its values not aligned and not dense. */
typedef struct cnn_raw_tensor {
    const char *name;
    const cnn_dtype *dtype;
    int rank, shape[CNN_RAW_RANK];
    size_t strides[CNN_RAW_RANK]; /* values from one place of an axis to the next */
    size_t count;
    const unsigned char *values;
    size_t order; /* from 1, in a file that has its tensors as its network was made; 0: it has not */
} cnn_raw_tensor;

typedef struct cnn_archive cnn_archive;

/* Reads and checks a whole file. Takes no memory that the file's size does not account for. Errors:
 * FILE, DATA (the tensor or field, what was expected and found), MEMORY. */
cnn_status cnn_archive_read(cnn_archive **archive, const char *path);
/* Also takes what other programs write, all types and up to CNN_RAW_RANK axes: for
 * cnn_archive_raw(), as cnn_archive_get() knows neither. */
cnn_status cnn_archive_read_any(cnn_archive **archive, const char *path);
/* The same of a file whose seal must be there and be right: a flipped bit is an error. ARGUMENT: it
 * has none. */
cnn_status cnn_archive_read_sealed(cnn_archive **archive, const char *path);
void cnn_archive_destroy(cnn_archive *archive);

/* The file's name, for messages. */
const char *cnn_archive_path(const cnn_archive *archive);
/* NULL where there is no such key. Owned by the archive. */
const char *cnn_archive_metadata(const cnn_archive *archive, const char *key);
size_t cnn_archive_count(const cnn_archive *archive);
/* In the header's order; index below the count. The values may be unaligned: copy them with
 * memcpy() or cnn_archive_copy(). Owned by the archive, as are the names. */
const cnn_tensor_info *cnn_archive_get(const cnn_archive *archive, size_t index);
/* The tensor as the file has it. Owned by the archive. */
const cnn_raw_tensor *cnn_archive_raw(const cnn_archive *archive, size_t index);
/* NULL where there is no such tensor. */
const cnn_tensor_info *cnn_archive_find(const cnn_archive *archive, const char *name);

/* "PATH: tensor 'NAME': PROBLEM". Returns DATA. */
cnn_status cnn_archive_fail(const char *path, const char *name, const char *problem);
/* Is there a tensor of wanted's name, type and shape? Errors: DATA. */
cnn_status cnn_archive_check(const cnn_tensor_info *wanted, const cnn_archive *archive);
/* Checks, and copies to wanted's values. Errors: DATA, also where a value is not finite. */
cnn_status cnn_archive_copy(const cnn_tensor_info *wanted, const cnn_archive *archive);
/* True for integers. */
bool cnn_tensor_is_finite(const cnn_tensor_info *tensor);
/* Are all values finite? Else DATA, naming the tensor. path is where the model was to go. */
cnn_status cnn_model_check_finite(const cnn_model *model, const char *path);

/* cnn_model_describe(), where a network that cannot be is the file's fault, not the caller's.
 * Errors: DATA, MEMORY. */
cnn_status cnn_model_describe_file(cnn_model **model, const cnn_config *config, const char *path);
/* cnn_model_set_normalization(), where the text, which may be NULL, is a file's. Errors: DATA. */
cnn_status cnn_model_normalize_file(cnn_model *model, const char *text, const char *path);
/* A model of this configuration with the archive's tensors, which must be those of its network, all
 * of them and no others. Errors: DATA, also where the network cannot be; MEMORY. */
cnn_status cnn_archive_to_model(cnn_model **model, const cnn_network *network,
                                const cnn_archive *archive);

#endif
