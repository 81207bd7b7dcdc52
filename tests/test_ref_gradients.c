/* Every backward pass of plain C against finite differences of its forward pass, on random shapes.
 * The scalar is a random projection of the output: its gradient by the output is the projection. */
#include <stdio.h>

#include "check_main.h"
#include "ref/ref.h"
#include "support.h"

enum { SAMPLES = 2, LARGEST = 4 };

/* Linear in each tensor: differences of any step are exact but for rounding. */
static const double linear_step = 0.5, linear_tolerance = 1e-5;
static const double smooth_step = 1.0 / 16, smooth_tolerance = 1e-3;

typedef struct problem {
    char name[CNN_LAYER_NAME_SIZE + 64];
    cnn_layer layer;
    int n;
    size_t in, out;                  /* values of x and of y */
    float *x, *w, *b;                /* w and b: NULL where the layer has none */
    float *y, *projection;           /* (N, out) */
    float *mean, *inverse, *running; /* batch norm */
    int32_t *which;                  /* max pool */
} problem;

static problem make_problem(random_source *random, cnn_layer_kind kind, int example)
{
    problem made = {.n = SAMPLES, .layer = random_layer(random, kind, example, LARGEST)};
    const cnn_layer *layer = &made.layer;
    snprintf(made.name, sizeof made.name, "%s, k%d, %dx%dx%d", layer->name,
             layer->kind == CNN_LAYER_CONV ? cnn_conv_ksize(layer) : 0, layer->in.c, layer->in.h,
             layer->in.w);
    made.in = SAMPLES * cnn_shape_count(layer->in);
    made.out = SAMPLES * cnn_shape_count(layer->out);
    made.x = random_normals(random, made.in, 1.0);
    made.y = scratch_floats(made.out);
    made.projection = random_normals(random, made.out, 1.0);
    if (layer->param_count > 0) {
        made.w = random_normals(random, layer->params[0].count, 1.0);
        made.b = random_normals(random, layer->params[1].count, 1.0);
    }
    made.mean = scratch_floats((size_t)layer->in.c);
    made.inverse = scratch_floats((size_t)layer->in.c);
    made.running = scratch_zeros(2 * (size_t)layer->in.c);
    made.which = scratch_ints(made.out);
    return made;
}

static double conv_value(void *context)
{
    problem *at = context;
    cnn_ref_conv_forward(at->y, at->x, at->w, at->b, &at->layer, at->n);
    return dot(at->y, at->projection, at->out);
}

static double linear_value(void *context)
{
    problem *at = context;
    cnn_ref_linear_forward(at->y, at->x, at->w, at->b, &at->layer, at->n);
    return dot(at->y, at->projection, at->out);
}

static double batchnorm_value(void *context)
{
    problem *at = context;
    cnn_ref_batchnorm_train(at->y, at->mean, at->inverse, at->running, at->x, at->w, at->b,
                            &at->layer, at->n);
    return dot(at->y, at->projection, at->out);
}

static double relu_value(void *context)
{
    problem *at = context;
    cnn_ref_activation_forward(at->y, at->x, &at->layer, at->n);
    return dot(at->y, at->projection, at->out);
}

static double maxpool_value(void *context)
{
    problem *at = context;
    cnn_ref_maxpool_forward(at->y, at->which, at->x, &at->layer, at->n);
    return dot(at->y, at->projection, at->out);
}

static double dropout_value(void *context)
{
    problem *at = context;
    cnn_ref_dropout(at->y, at->x, &at->layer, at->n, 5, 7);
    return dot(at->y, at->projection, at->out);
}

/* The gradients of a layer with weights, each against differences. */
static void check_all(problem *at, scalar_function value, const float *dx, const float *dw,
                      const float *db, double step, double tolerance)
{
    const cnn_param *params = at->layer.params;
    check_gradient(at->name, "dx", dx, at->x, at->in, step, value, at, tolerance);
    check_gradient(at->name, "dw", dw, at->w, params[0].count, step, value, at, tolerance);
    check_gradient(at->name, "db", db, at->b, params[1].count, step, value, at, tolerance);
}

START_TEST(of_conv)
{
    random_source random = {.seed = (uint64_t)_i};
    problem at = make_problem(&random, CNN_LAYER_CONV, _i);
    float *dx = scratch_floats(at.in), *dw = scratch_floats(at.layer.params[0].count);
    float *db = scratch_floats(at.layer.params[1].count);
    cnn_ref_conv_backward(dx, dw, db, at.projection, at.x, at.w, &at.layer, at.n);
    check_all(&at, conv_value, dx, dw, db, linear_step, linear_tolerance);
}
END_TEST

START_TEST(of_linear)
{
    random_source random = {.seed = (uint64_t)_i};
    problem at = make_problem(&random, CNN_LAYER_LINEAR, _i);
    float *dx = scratch_floats(at.in), *dw = scratch_floats(at.layer.params[0].count);
    float *db = scratch_floats(at.layer.params[1].count);
    cnn_ref_linear_backward(dx, dw, db, at.projection, at.x, at.w, &at.layer, at.n);
    check_all(&at, linear_value, dx, dw, db, linear_step, linear_tolerance);
}
END_TEST

START_TEST(of_batchnorm)
{
    random_source random = {.seed = (uint64_t)_i};
    problem at = make_problem(&random, CNN_LAYER_BATCHNORM, _i);
    float *dx = scratch_floats(at.in), *dw = scratch_floats(at.layer.params[0].count);
    float *db = scratch_floats(at.layer.params[1].count);
    batchnorm_value(&at);
    cnn_ref_batchnorm_backward(dx, dw, db, at.projection, at.x, at.w, at.mean, at.inverse,
                               &at.layer, at.n);
    check_all(&at, batchnorm_value, dx, dw, db, smooth_step, smooth_tolerance);
}
END_TEST

START_TEST(of_relu)
{
    random_source random = {.seed = (uint64_t)_i};
    problem at = make_problem(&random, CNN_LAYER_RELU, _i);
    at.x = random_distinct(&random, at.in, 1.0);
    float *dx = scratch_floats(at.in);
    relu_value(&at);
    cnn_ref_activation_backward(dx, at.projection, at.x, &at.layer, at.n);
    check_gradient(at.name, "dx", dx, at.x, at.in, 0.125, relu_value, &at, linear_tolerance);
}
END_TEST

START_TEST(of_maxpool)
{
    random_source random = {.seed = (uint64_t)_i};
    problem at = make_problem(&random, CNN_LAYER_MAXPOOL, _i);
    at.x = random_distinct(&random, at.in, 1.0);
    float *dx = scratch_floats(at.in);
    maxpool_value(&at);
    cnn_ref_maxpool_backward(dx, at.projection, at.which, &at.layer, at.n);
    check_gradient(at.name, "dx", dx, at.x, at.in, 0.125, maxpool_value, &at, linear_tolerance);
}
END_TEST

START_TEST(of_dropout)
{
    random_source random = {.seed = (uint64_t)_i};
    problem at = make_problem(&random, CNN_LAYER_DROPOUT2D, _i);
    float *dx = scratch_floats(at.in);
    cnn_ref_dropout(dx, at.projection, &at.layer, at.n, 5, 7);
    check_gradient(at.name, "dx", dx, at.x, at.in, linear_step, dropout_value, &at,
                   linear_tolerance);
}
END_TEST

typedef struct loss_problem {
    float *logits;
    uint16_t *labels;
    int n, classes;
} loss_problem;

static double loss_value(void *context)
{
    loss_problem *at = context;
    return cnn_ref_softmax_cross_entropy(NULL, NULL, at->logits, at->labels, at->n, at->classes);
}

START_TEST(of_the_loss)
{
    random_source random = {.seed = (uint64_t)_i};
    loss_problem at = {.n = random_int(&random, 1, 6), .classes = random_int(&random, 2, 12)};
    size_t count = (size_t)at.n * (size_t)at.classes;
    at.logits = random_normals(&random, count, 2.0);
    at.labels = random_labels(&random, (size_t)at.n, at.classes);
    float *dlogits = scratch_floats(count);
    cnn_ref_softmax_cross_entropy(dlogits, NULL, at.logits, at.labels, at.n, at.classes);
    check_gradient("loss", "dlogits", dlogits, at.logits, count, smooth_step, loss_value, &at,
                   1e-4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ref gradients");
    TCase *tests = add_scratch_case(suite, "finite differences");
    tcase_add_loop_test(tests, of_conv, 0, EXAMPLES);
    tcase_add_loop_test(tests, of_linear, 0, EXAMPLES);
    tcase_add_loop_test(tests, of_batchnorm, 0, EXAMPLES);
    tcase_add_loop_test(tests, of_relu, 0, EXAMPLES);
    tcase_add_loop_test(tests, of_maxpool, 0, EXAMPLES);
    tcase_add_loop_test(tests, of_dropout, 0, EXAMPLES);
    tcase_add_loop_test(tests, of_the_loss, 0, EXAMPLES);
    return run_suite(suite);
}
