/* Every operation in plain C loops, forward and backward: what the device is compared with.
 *
 * Layout is PyTorch's: activations (N, C, H, W), weights as in the saved file. Sums are in double.
 * A layer's shapes are in the cnn_layer; n is the number of samples. Gradients are overwritten, not
 * added to. dx may be NULL where it is not wanted. */
#ifndef REF_REF_H
#define REF_REF_H

#include <cnncl/trainer.h>

#include "augment/augment.h"
#include "layers/layer.h"
#include "net/network.h"

/* x (N, C, H, W), w (O, C / groups, KH, KW), b (O) or NULL, y (N, O, H', W'). db may be NULL. */
void cnn_ref_conv_forward(float *y, const float *x, const float *w, const float *b,
                          const cnn_layer *layer, int n);
void cnn_ref_conv_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                           const float *w, const cnn_layer *layer, int n);

/* Training: batch statistics; mean and inverse_std (C) are kept for backward, and running (C mean,
 * then C variance) is updated. x, y (N, C, H, W). weight and bias may be NULL, as their gradients.
 */
void cnn_ref_batchnorm_train(float *y, float *mean, float *inverse_std, float *running,
                             const float *x, const float *weight, const float *bias,
                             const cnn_layer *layer, int n);
void cnn_ref_batchnorm_eval(float *y, const float *x, const float *weight, const float *bias,
                            const float *running, const cnn_layer *layer, int n);
void cnn_ref_batchnorm_backward(float *dx, float *dweight, float *dbias, const float *dy,
                                const float *x, const float *weight, const float *mean,
                                const float *inverse_std, const cnn_layer *layer, int n);

/* Statistics of a group of channels of a sample, which are found anew in backward. weight and bias
 * (C) may be NULL, as their gradients. */
void cnn_ref_groupnorm_forward(float *y, const float *x, const float *weight, const float *bias,
                               const cnn_layer *layer, int n);
void cnn_ref_groupnorm_backward(float *dx, float *dweight, float *dbias, const float *dy,
                                const float *x, const float *weight, const cnn_layer *layer, int n);

/* Every kind that takes its values one by one: the activations and Scale. NaN stays NaN. */
void cnn_ref_activation_forward(float *y, const float *x, const cnn_layer *layer, int n);
void cnn_ref_activation_backward(float *dx, const float *dy, const float *x, const cnn_layer *layer,
                                 int n);
/* Of one value, in double. */
double cnn_ref_activation_value(const cnn_layer *layer, double x);
double cnn_ref_activation_slope(const cnn_layer *layer, double x);

/* which (N, C, H', W'): the tap, row-major within the window; the first on a tie; NaN wins, the
 * last one of several, as in PyTorch. */
void cnn_ref_maxpool_forward(float *y, int32_t *which, const float *x, const cnn_layer *layer,
                             int n);
void cnn_ref_maxpool_backward(float *dx, const float *dy, const int32_t *which,
                              const cnn_layer *layer, int n);
void cnn_ref_avgpool_forward(float *y, const float *x, const cnn_layer *layer, int n);
void cnn_ref_avgpool_backward(float *dx, const float *dy, const cnn_layer *layer, int n);
void cnn_ref_adaptiveavgpool_forward(float *y, const float *x, const cnn_layer *layer, int n);
void cnn_ref_adaptiveavgpool_backward(float *dx, const float *dy, const cnn_layer *layer, int n);

/* x: of each input; backward: the gradient of one of them. */
void cnn_ref_add_forward(float *y, const float *const *x, const cnn_layer *layer, int n);
void cnn_ref_add_backward(float *dx, const float *dy, const cnn_layer *layer, int n);
void cnn_ref_mul_forward(float *y, const float *const *x, const cnn_layer *layer, int n);
void cnn_ref_mul_backward(float *dx, const float *dy, const float *const *x, const cnn_layer *layer,
                          int n, int input);
void cnn_ref_concat_forward(float *y, const float *const *x, const cnn_layer *layer, int n);
void cnn_ref_concat_backward(float *dx, const float *dy, const cnn_layer *layer, int n, int input);

/* The same function forward (x to y) and backward (dy to dx): scales what is kept, channels or
 * values by the layer's kind, by 1 / (1 - p) and clears the rest, by the mask of (seed, layer,
 * step). */
void cnn_ref_dropout(float *y, const float *x, const cnn_layer *layer, int n, uint64_t seed,
                     uint64_t step);

/* x (N, in), w (out, in), b (out) or NULL, y (N, out). db may be NULL. */
void cnn_ref_linear_forward(float *y, const float *x, const float *w, const float *b,
                            const cnn_layer *layer, int n);
void cnn_ref_linear_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                             const float *w, const cnn_layer *layer, int n);

/* x (C, H, W) of one image (C, H, W), changed as its numbers say, with a hole of so many pixels.
 * values (C) is room. normal: means (C), deviations (C); NULL: none. */
void cnn_ref_augment(float *x, double *values, const uint8_t *bytes, cnn_shape shape, int hole,
                     const cnn_augment_draw *draw, const float *normal);

/* Mean loss over n samples of logits (N, classes); dlogits (N, classes) may be NULL; *hits is the
 * number of samples whose argmax, the first largest on a tie, is the label; hits may be NULL. */
double cnn_ref_softmax_cross_entropy(float *dlogits, size_t *hits, const float *logits,
                                     const uint16_t *labels, int n, int classes);

/* The same with PyTorch's label smoothing and weights of classes, (classes) or NULL. */
double cnn_ref_shaped_cross_entropy(float *dlogits, const float *logits, const uint16_t *labels,
                                    int n, int classes, double smoothing, const float *weights);

/* How an update is made. */
typedef struct cnn_ref_rule {
    cnn_optimizer_kind optimizer;
    double lr, momentum; /* momentum: beta1 of Adam and AdamW */
    double weight_decay;
    bool nesterov;
} cnn_ref_rule;

/* One update of values (count) of one group; step counts from 1. first and second (count) are the
 * optimizer's state, zero at first: Adam's moments; SGD's momentum and nothing, or nothing (NULL)
 * without momentum. */
void cnn_ref_update(float *values, float *first, float *second, const float *gradients,
                    size_t count, const cnn_ref_rule *rule, uint64_t step);
/* The same by Adam without decay. */
void cnn_ref_adam(float *values, float *m, float *v, const float *gradients, size_t count,
                  double lr, uint64_t step);

/* The Euclidean norm; and gradients of norm `norm` clipped to a norm of at most `most`. */
double cnn_ref_norm(const float *values, size_t count);
void cnn_ref_clip(float *gradients, size_t count, double norm, double most);

/* Is told of each layer of a run when it is done, forward and backward, and may change what the
 * layer gave: shows how far small changes carry. Each may be NULL. */
typedef struct cnn_ref_hook {
    /* y (n, out) */
    void (*forward)(void *user, const cnn_layer *layer, float *y, int n);
    /* dx, x (n, of input `input`), dy (n, out) */
    void (*backward)(void *user, const cnn_layer *layer, int input, float *dx, const float *dy,
                     const float *x, int n);
    /* dy (n, classes): of the loss of a whole network */
    void (*loss)(void *user, float *dy, int n, int classes);
    void *user;
} cnn_ref_hook;

/* What varies from pass to pass. */
typedef struct cnn_ref_pass {
    bool training;
    uint64_t seed, step;
    const cnn_ref_hook *hook; /* NULL: none */
} cnn_ref_pass;

/* Some layers of a model, in topological order, on n samples. What they read of other layers are
 * the run's inputs: one for each layer and input, in their order. The model and the list must
 * outlive the run. Errors: MEMORY. */
typedef struct cnn_ref_run cnn_ref_run;
cnn_status cnn_ref_run_create(cnn_ref_run **run, cnn_model *model, const cnn_layer *const *layers,
                              int count, int n, cnn_ref_pass pass);
void cnn_ref_run_destroy(cnn_ref_run *run);
/* How many inputs there are, and what shape each has. */
int cnn_ref_run_input_count(const cnn_ref_run *run);
cnn_shape cnn_ref_run_input_shape(const cnn_ref_run *run, int input);
/* x: of each input (N, C, H, W), which must stay for backward. Running statistics and
 * num_batches_tracked are updated as in training, where it is a training pass. */
void cnn_ref_run_forward(cnn_ref_run *run, const float *const *x);
/* The output (N, C, H, W) of one of its layers, from 0; the run's own. */
const float *cnn_ref_run_output(const cnn_ref_run *run, int layer);
/* Input `input` of one of its layers, as forward read it. */
const float *cnn_ref_run_read(const cnn_ref_run *run, int layer, int input);
/* After forward, in a training pass: writes the layers' gradients into the flat buffer. dy: of the
 * last layer's output. */
void cnn_ref_run_backward(cnn_ref_run *run, const float *dy, float *gradients);
/* Of an input, after backward; the run's own. */
const float *cnn_ref_run_input_gradient(const cnn_ref_run *run, int input);

/* A whole network. In training mode with dropout drawn from (seed, step), running statistics and
 * num_batches_tracked updated; x (N, C, H, W). logits (N, ydim). gradients (flat, as the model's
 * parameters) may be NULL for forward only, and must be in evaluation mode; loss may be NULL, and
 * labels where neither is wanted. Errors: ARGUMENT (gradients in evaluation mode), MEMORY. */
cnn_status cnn_ref_network(float *logits, double *loss, float *gradients, cnn_model *model,
                           const float *x, const uint16_t *labels, int n, cnn_ref_pass pass);

#endif
