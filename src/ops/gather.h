/* A batch from a data set's bytes: cl/gather.cl. */
#ifndef OPS_GATHER_H
#define OPS_GATHER_H

#include "layers/layer.h"
#include "ocl/buffer.h"
#include "ocl/launch.h"

typedef struct cnn_gather {
    cnn_shape shape;
    size_t row; /* floats of a sample that is a row of values; 0: samples are images */
    cnn_kernel kernel;
    cnn_buffer normal; /* means (C), then deviations (C); none: pixels as they are */
} cnn_gather;

cnn_status cnn_gather_init(cnn_gather *gather, cnn_device *device, cnn_shape shape);
/* For rows of values, which are copied as they are. */
cnn_status cnn_gather_init_rows(cnn_gather *gather, cnn_device *device, size_t row);
/* Of images: from here on x is (pixel - mean) / deviation, with means (C) and deviations (C) one behind the
 * other; NULL leaves pixels as they are. */
cnn_status cnn_gather_normalize(cnn_gather *gather, const float *values);
void cnn_gather_finish(cnn_gather *gather);

/* Where samples come from: images (total, C, H, W), bytes, or rows (total, row) of floats; and
 * labels (total), 16 bits. */
typedef struct cnn_gather_source {
    cl_mem images, labels;
    cl_mem order; /* (total) 32-bit indices; NULL: as they lie */
} cnn_gather_source;

/* Enqueues: x (n, H, W, C) and labels (n) of places first to first + n - 1 of the order. */
cnn_status cnn_gather_run(cnn_gather *gather, cl_mem x, cl_mem labels,
                          const cnn_gather_source *source, uint32_t first, int n);

#endif
