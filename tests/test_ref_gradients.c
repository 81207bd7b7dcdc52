/* Every backward pass of plain C against finite differences of its forward pass, on random shapes
 * and options. The scalar is a random projection of the output: its gradient by the output is the
 * projection. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "random_graph.h"
#include "ref/ref.h"
#include "support.h"

enum { SAMPLES = 2, MOST_INPUTS = 4 };

/* How a kind bends, and so which steps show its slope. */
typedef struct bend {
    bool has_edges; /* values lie 0.5 and more from where it has none, and 1 from each other */
    double step, tolerance;
} bend;

/* Linear in each tensor: differences of any step are exact but for rounding. */
static const bend straight = {false, 0.5, 1e-5}, edged = {true, 0.125, 1e-5};
static const bend smooth = {false, 1.0 / 16, 1e-3}, smooth_edged = {true, 0.125, 1e-3};

static const bend *const bends[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = &straight,
    [CNN_LAYER_LINEAR] = &straight,
    [CNN_LAYER_BATCHNORM] = &smooth,
    [CNN_LAYER_GROUPNORM] = &smooth,
    [CNN_LAYER_RELU] = &edged,
    [CNN_LAYER_RELU6] = &edged,
    [CNN_LAYER_LEAKYRELU] = &edged,
    [CNN_LAYER_SILU] = &smooth,
    [CNN_LAYER_GELU] = &smooth,
    [CNN_LAYER_HARDSWISH] = &smooth_edged,
    [CNN_LAYER_SIGMOID] = &smooth,
    [CNN_LAYER_TANH] = &smooth,
    [CNN_LAYER_MAXPOOL] = &edged,
    [CNN_LAYER_AVGPOOL] = &straight,
    [CNN_LAYER_ADAPTIVEAVGPOOL] = &straight,
    [CNN_LAYER_DROPOUT] = &straight,
    [CNN_LAYER_DROPOUT2D] = &straight,
    [CNN_LAYER_FLATTEN] = &straight,
    [CNN_LAYER_ADD] = &straight,
    [CNN_LAYER_CONCAT] = &straight,
    [CNN_LAYER_MUL] = &straight,
    [CNN_LAYER_SCALE] = &straight,
};

typedef struct problem {
    char name[CNN_LAYER_NAME_SIZE + 128];
    const cnn_layer *layer;
    cnn_network *network;
    cnn_model *model;
    cnn_ref_run *run;
    int inputs;
    size_t out; /* values of y */
    float *x[MOST_INPUTS];
    float *projection; /* (N, out) */
} problem;

static problem make_problem(random_source *random, cnn_layer_kind kind)
{
    random_graph_limits limits = random_graph_defaults();
    problem made = {0};
    int node;
    limits.channels = 6;
    limits.extent = 5;
    limits.least_extent = 3; /* norms of two values are steps */
    made.network = random_kind(&node, random->seed, kind, &limits);
    ck_assert_int_eq(cnn_model_create_network(&made.model, made.network, 1), CNN_OK);
    made.layer = &made.model->network->layers[node];
    size_t parameters = made.model->network->parameter_count;
    memcpy(made.model->parameters, random_normals(random, parameters, 1.0),
           parameters * sizeof(float));
    const cnn_ref_pass pass = {.training = true, .seed = 5, .step = 7};
    ck_assert_int_eq(cnn_ref_run_create(&made.run, made.model, &made.layer, 1, SAMPLES, pass),
                     CNN_OK);
    made.inputs = cnn_ref_run_input_count(made.run);
    ck_assert_int_le(made.inputs, MOST_INPUTS);
    made.out = SAMPLES * cnn_shape_count(made.layer->out);
    made.projection = random_normals(random, made.out, 1.0);
    snprintf(made.name, sizeof made.name, "%s, seed %llu", cnn_layer_get_class(kind)->name,
             (unsigned long long)random->seed);
    return made;
}

static size_t input_count(const problem *at, int input)
{
    return SAMPLES * cnn_shape_count(cnn_ref_run_input_shape(at->run, input));
}

static double value_of(void *context)
{
    problem *at = context;
    cnn_ref_run_forward(at->run, (const float *const *)at->x);
    return dot(cnn_ref_run_output(at->run, 0), at->projection, at->out);
}

static void check_parameters(problem *at, const float *gradients, const bend *how)
{
    for (int i = 0; i < at->layer->param_count; i++) {
        const cnn_param *param = &at->layer->params[i];
        check_gradient(at->name, param->suffix, gradients + param->offset,
                       at->model->parameters + param->offset, param->count, how->step, value_of, at,
                       how->tolerance);
    }
}

/* Of every kind: by each input and each parameter. */
START_TEST(of_layers)
{
    cnn_layer_kind kind = (cnn_layer_kind)(_i / EXAMPLES);
    random_source random = {.seed = (uint64_t)_i};
    problem at = make_problem(&random, kind);
    const bend *how = bends[kind];
    float *gradients = scratch_floats(at.model->network->parameter_count),
          *dx[MOST_INPUTS] = {NULL};
    for (int i = 0; i < at.inputs; i++)
        at.x[i] = how->has_edges ? random_distinct(&random, input_count(&at, i), 1.0)
                                 : random_normals(&random, input_count(&at, i), 1.0);
    value_of(&at);
    cnn_ref_run_backward(at.run, at.projection, gradients);
    for (int i = 0; i < at.inputs; i++)
        dx[i] = scratch_copy(cnn_ref_run_input_gradient(at.run, i), input_count(&at, i));
    for (int i = 0; i < at.inputs; i++)
        check_gradient(at.name, "dx", dx[i], at.x[i], input_count(&at, i), how->step, value_of, &at,
                       how->tolerance);
    check_parameters(&at, gradients, how);
    cnn_ref_run_destroy(at.run);
    cnn_model_destroy(at.model);
    cnn_network_destroy(at.network);
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
    check_gradient("loss", "dlogits", dlogits, at.logits, count, smooth.step, loss_value, &at,
                   1e-4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ref gradients");
    TCase *tests = add_scratch_case(suite, "finite differences");
    tcase_add_loop_test(tests, of_layers, 0, CNN_LAYER_KIND_COUNT * EXAMPLES);
    tcase_add_loop_test(tests, of_the_loss, 0, EXAMPLES);
    return run_suite(suite);
}
