/* IDX files of unsigned bytes, gzipped or not. */
#ifndef DATA_IDX_H
#define DATA_IDX_H

#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

enum { CNN_IDX_MAX_RANK = 4, CNN_IDX_MAX_SIDE = 65535 };

/* Labels are (N), images (N, H, W) or (N, C, H, W); N is 1 to 2^32 - 1, C, H and W are 1 to
 * CNN_IDX_MAX_SIDE. */
typedef struct cnn_idx {
    int rank;
    uint32_t shape[CNN_IDX_MAX_RANK];
    size_t size;     /* bytes: the product of the shape */
    uint8_t *values; /* row-major; owned */
} cnn_idx;

/* Reads a file whose rank must be within low..high. Nothing is allocated that the file could not
 * fill. Errors: FILE, DATA (the field, what was expected and found), MEMORY; idx then owns
 * nothing. */
cnn_status cnn_idx_read(cnn_idx *idx, const char *path, int low, int high);
void cnn_idx_finish(cnn_idx *idx);

#endif
