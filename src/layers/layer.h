/* What each kind of layer is: its output shape, its parameters, its work. Host only. */
#ifndef LAYERS_LAYER_H
#define LAYERS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

typedef enum cnn_layer_kind {
    CNN_LAYER_CONV,
    CNN_LAYER_BATCHNORM,
    CNN_LAYER_RELU,
    CNN_LAYER_MAXPOOL,
    CNN_LAYER_DROPOUT,
    CNN_LAYER_FLATTEN,
    CNN_LAYER_LINEAR,
    CNN_LAYER_KIND_COUNT
} cnn_layer_kind;

/* One sample's shape: channels, height, width. A flat vector is (count, 1, 1). */
typedef struct cnn_shape {
    int c, h, w;
} cnn_shape;

enum { CNN_LAYER_NAME_SIZE = 32, CNN_LAYER_MAX_PARAMS = 2, CNN_PARAM_MAX_RANK = 4 };

/* A trainable tensor of a layer. */
typedef struct cnn_param {
    const char *suffix; /* "weight" or "bias" */
    int rank;
    int shape[CNN_PARAM_MAX_RANK];
    size_t count;
    size_t offset; /* of its first value in the flat parameter buffer, in floats */
    int fan_in;    /* initial values: N(0, 2 / fan_in) where above 0, else `fill` */
    float fill;
} cnn_param;

typedef struct cnn_layer {
    cnn_layer_kind kind;
    int index;                      /* its position in the network's sequence */
    char name[CNN_LAYER_NAME_SIZE]; /* "conv2d_00" */
    cnn_shape in, out;
    int ksize;      /* conv */
    double dropout; /* dropout: probability that a channel is dropped */
    int param_count;
    cnn_param params[CNN_LAYER_MAX_PARAMS]; /* weight, bias */
    int statistic_count;     /* batch norm: channels; running mean then running variance */
    size_t statistic_offset; /* in the flat statistics buffer, in floats */
} cnn_layer;

/* One row per kind: the table that a new kind of layer joins. */
typedef struct cnn_layer_class {
    const char *torch_name; /* "conv2d": PyTorch's class name in lower case */
    /* Sets layer->out from layer->in; false where the result is empty or does not fit an int. */
    bool (*set_output)(cnn_layer *layer);
    /* Sets the params (without offsets) and statistic_count; NULL where there are none. */
    void (*set_params)(cnn_layer *layer);
    /* Forward work on one sample; a multiply-add counts as 2. */
    double (*forward_flops)(const cnn_layer *layer);
} cnn_layer_class;

const cnn_layer_class *cnn_layer_get_class(cnn_layer_kind kind);

/* Fills name, out, params and statistic_count of a layer whose kind, index, in and own options
 * (ksize, dropout, out.c of a conv or linear) are set. Errors: ARGUMENT, with the layer and sizes.
 */
cnn_status cnn_layer_init(cnn_layer *layer);

/* c * h * w; cnn_layer_init() made sure that it fits. */
size_t cnn_shape_count(cnn_shape shape);

/* The zero padding before the first row and column of a convolution. */
int cnn_conv_padding(const cnn_layer *layer);

/* A channel is kept where its 32 random bits are not below this: p * 2^32, rounded down. p in
 * [0, 1). */
uint32_t cnn_dropout_threshold(double p);

enum { CNN_POOL_SIZE = 2 };
#define CNN_BATCHNORM_EPSILON 1e-5
#define CNN_BATCHNORM_MOMENTUM 0.1

/* The rows of the table, one file each. */
extern const cnn_layer_class cnn_conv_layer;
extern const cnn_layer_class cnn_batchnorm_layer;
extern const cnn_layer_class cnn_relu_layer;
extern const cnn_layer_class cnn_maxpool_layer;
extern const cnn_layer_class cnn_dropout_layer;
extern const cnn_layer_class cnn_flatten_layer;
extern const cnn_layer_class cnn_linear_layer;

#endif
