/* Arrays of NumPy's: the header of an npy file (numpy.lib.format), and its values. */
#ifndef DATA_NPY_H
#define DATA_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

enum {
    CNN_NPY_MAX_RANK = 4,
    CNN_NPY_TYPE_SIZE = 16,
    CNN_NPY_HEAD = 12,
    CNN_NPY_MOST_HEADER = 65536
};

/* Start from {0}. */
typedef struct cnn_npy {
    char type[CNN_NPY_TYPE_SIZE]; /* as the header has it: "<f4" */
    char kind;                    /* 'u', 'i', 'f' or 'b' */
    size_t width;                 /* bytes of a value: 1, 2, 4 or 8 */
    bool big_endian, fortran;
    int rank;
    size_t shape[CNN_NPY_MAX_RANK];
    size_t count;    /* values */
    uint8_t *values; /* (count * width); owned */
} cnn_npy;

/* The bytes from the file's start to the values, from its first CNN_NPY_HEAD bytes. Errors: DATA.
 */
cnn_status cnn_npy_header_size(size_t *size, const uint8_t head[CNN_NPY_HEAD], const char *source);
/* All but the values, from those bytes. Errors: DATA (no array of numbers; of too many
 * dimensions). */
cnn_status cnn_npy_parse(cnn_npy *npy, const char *header, size_t size, const char *source);
void cnn_npy_finish(cnn_npy *npy);

/* A value by its place in C order; NaN as a file may have it. */
double cnn_npy_get(const cnn_npy *npy, size_t index);

/* Images (N, H, W), (N, H, W, C), (N, C, H, W) or (N, S * S) as bytes (N, C, H, W), to be freed
 * with free(), and the shape of one. *scale is what values are multiplied with, 1 or 255; 0: to be
 * found, as these are the first. Errors: DATA, MEMORY. */
cnn_status cnn_npy_take_images(uint8_t **images, int shape[3], const cnn_npy *npy, double *scale,
                               const char *source);
/* Labels (N) or (N, 1) of `count` images, to be freed with free(). Errors: DATA, MEMORY. */
cnn_status cnn_npy_take_labels(uint16_t **labels, const cnn_npy *npy, size_t count,
                               const char *source);

#endif
