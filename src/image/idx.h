/* IDX files, gzipped or not: images of unsigned bytes, labels of whole numbers. */
#ifndef IMAGE_IDX_H
#define IMAGE_IDX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

enum { CNN_IDX_MAX_RANK = 4, CNN_IDX_MAX_SIDE = 65535 };

/* Labels are (N) or (N, columns), images (N, H, W) or (N, C, H, W); N is 1 to 2^32 - 1, the others
 * are 1 to CNN_IDX_MAX_SIDE. */
typedef struct cnn_idx {
    int rank;
    uint32_t shape[CNN_IDX_MAX_RANK];
    int width; /* bytes of a value: 1, 2 or 4; big-endian */
    bool is_signed;
    size_t size;     /* bytes of all values */
    uint8_t *values; /* row-major; owned */
} cnn_idx;

/* Reads a file whose rank must be within low..high; where high is below 3 its values may be of more
 * than one byte. Nothing is allocated that the file could not
 * fill. Errors: FILE, DATA (the field, what was expected and found), MEMORY; idx then owns
 * nothing. */
cnn_status cnn_idx_read(cnn_idx *idx, const char *path, int low, int high);
void cnn_idx_finish(cnn_idx *idx);

/* EMNIST's images are stored column by column (Cohen et al., 2017: as MATLAB has them). Is a file
 * or a set of this name one of its? */
bool cnn_is_emnist(const char *path);
/* Turns images of bytes, (count, H, W), to (count, W, H), in place. Errors: MEMORY. */
cnn_status cnn_images_turn(uint8_t *images, size_t count, size_t height, size_t width);
/* Says that the images of path were turned. */
void cnn_images_tell_turned(const char *path);

/* A sample's label: the first of its columns. */
int64_t cnn_idx_label(const cnn_idx *idx, size_t index);

#endif
