/* What single values are made with, and the verbs of each kind of layer. */
#ifndef REF_POINTS_RUN_H
#define REF_POINTS_RUN_H

#include "ref/points.h"

/* A value of a layer that is known. */
typedef struct known {
    bool is_there;
    cnn_ref_real real;
} known;

/* A sample's group of a group norm. */
typedef struct group_sums {
    bool is_there, has_gradients;
    double mean, inverse_std;
    double dy, along; /* sums over the group of w dy, and of that times the normalised value */
} group_sums;

/* A gradient of a channel that is not zero. */
typedef struct felt {
    int sample, h, w;
    cnn_ref_real real;
} felt;

struct cnn_ref_points {
    const cnn_ref_chain *chain;
    int *outside; /* of each layer's inputs, one behind the other: which of the chain's; -1 */
    int *first;   /* (count) of each layer, the place of its first input there */
    known ***planes; /* (count) of each convolution and linear layer: (channels) of (n, H, W); NULL */
    float **weights; /* (count) of a convolution: one output channel's, (taps, channels) */
    int *packed;     /* (count) which that is; -1 */
    group_sums **groups; /* (count) of a group norm: (n, groups) */
    felt *felt; /* (felt_count) all of one channel of the output of a layer; layer -1: of none yet */
    size_t felt_count, felt_room;
    int felt_layer, felt_channel;
    bool failed;
};

/* An input of a layer. */
cnn_ref_real cnn_ref_point_read(cnn_ref_points *points, int layer, int input, cnn_ref_spot at);
/* Its values where it is none of the chain's: (n, H, W, C); else NULL. */
const float *cnn_ref_point_outside(const cnn_ref_points *points, int layer, int input);
/* The gradient of a layer's output. */
cnn_ref_real cnn_ref_point_gradient(cnn_ref_points *points, int layer, cnn_ref_spot at);
/* A parameter's value; `otherwise` where the layer has none. */
double cnn_ref_point_parameter(const cnn_ref_points *points, int layer, int param, size_t index,
                               double otherwise);

/* A sum on its way. */
typedef struct cnn_ref_total {
    double value, squares, error;
    double count;
} cnn_ref_total;
void cnn_ref_total_add(cnn_ref_total *total, cnn_ref_real a, double factor);
void cnn_ref_total_add_product(cnn_ref_total *total, cnn_ref_real a, cnn_ref_real b);
/* With the rounding of the sum itself. */
cnn_ref_real cnn_ref_total_real(const cnn_ref_total *total);
/* a few roundings of a value of this size. */
double cnn_ref_few_roundings(double size);

/* One kind. gradient: of a layer's input; parameter: NULL where it has none. */
typedef struct cnn_ref_point_class {
    cnn_ref_real (*value)(cnn_ref_points *points, int layer, cnn_ref_spot at);
    cnn_ref_real (*gradient)(cnn_ref_points *points, int layer, int input, cnn_ref_spot at);
    cnn_ref_real (*parameter)(cnn_ref_points *points, int layer, int param, size_t index);
    bool keeps; /* values are dear: they are kept */
} cnn_ref_point_class;

/* points_sums.c: what multiplies by weights. */
extern const cnn_ref_point_class cnn_ref_conv_points, cnn_ref_linear_points;
/* points_norm.c */
extern const cnn_ref_point_class cnn_ref_batchnorm_points, cnn_ref_groupnorm_points;
/* points_pool.c */
extern const cnn_ref_point_class cnn_ref_maxpool_points, cnn_ref_avgpool_points,
    cnn_ref_adaptive_points;
/* points_each.c: what moves and changes values one by one. */
extern const cnn_ref_point_class cnn_ref_activation_points, cnn_ref_exact_activation_points,
    cnn_ref_dropout_points, cnn_ref_flatten_points, cnn_ref_add_points, cnn_ref_concat_points,
    cnn_ref_mul_points;

#endif
