/* Whole networks in plain C against PyTorch: one step, and a training of twenty. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "golden.h"
#include "ref/ref.h"

static const double tolerance = 1e-6, gradient_tolerance = 1e-5, trace_tolerance = 1e-4;
/* The bias of a convolution before batch norm has a gradient of zero: what comes is rounding. */
static const double floor_of_noise = 1e-7;

static const cnn_ref_pass training = {.training = true}, evaluation = {.training = false};

static int samples_of(const golden_case *golden)
{
    return golden_get(golden, "x")->shape[0];
}

static float *new_gradients(const cnn_model *model)
{
    return scratch_floats(model->network->parameter_count);
}

/* The running statistics and num_batches_tracked after the step. */
static void check_statistics(const golden_case *golden, const cnn_model *model)
{
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        char name[128];
        snprintf(name, sizeof name, "after.%s", info.name);
        if (info.type == CNN_INT64)
            ck_assert_int_eq(*(int64_t *)info.values, (int64_t)golden_number(golden, name));
        else if (!info.trainable)
            check_golden(golden, name, info.values, tolerance, floor_of_noise);
    }
}

static void check_step(const golden_case *golden)
{
    cnn_model *model = golden_model(golden);
    const float *x = golden_values(golden, "x");
    uint16_t *labels = golden_labels(golden);
    float *logits = scratch_floats(golden_get(golden, "logits")->count);
    float *gradients = new_gradients(model);
    double loss;
    int n = samples_of(golden);
    ck_assert_int_eq(cnn_ref_network(logits, NULL, NULL, model, x, NULL, n, evaluation), CNN_OK);
    check_golden(golden, "eval_logits", logits, tolerance, 0.0);
    ck_assert_int_eq(cnn_ref_network(logits, &loss, gradients, model, x, labels, n, training),
                     CNN_OK);
    check_golden(golden, "logits", logits, tolerance, 0.0);
    check_golden(golden, "loss", &(float){(float)loss}, tolerance, 0.0);
    check_golden_parameters(golden, "grad", model, gradients, gradient_tolerance, floor_of_noise);
    check_statistics(golden, model);
    cnn_model_destroy(model);
}

/* Biases are left out: before batch norm, Adam moves them by noise alone. */
static float weight_norm(const cnn_model *model)
{
    double sum = 0.0;
    for (int l = 0; l < model->network->layer_count; l++) {
        const cnn_layer *layer = &model->network->layers[l];
        const float *weight = model->parameters + layer->params[0].offset;
        if (layer->param_count > 0)
            sum += dot(weight, weight, layer->params[0].count);
    }
    return (float)sqrt(sum);
}

static void check_training(const golden_case *golden)
{
    cnn_model *model = golden_model(golden);
    size_t steps = golden_get(golden, "losses")->count, count = model->network->parameter_count;
    float *logits = scratch_floats(golden_get(golden, "logits")->count);
    float *losses = scratch_floats(steps), *gradients = new_gradients(model);
    float *m = scratch_zeros(count), *v = scratch_zeros(count);
    for (size_t step = 0; step < steps; step++) {
        double loss;
        ck_assert_int_eq(cnn_ref_network(logits, &loss, gradients, model,
                                         golden_values(golden, "x"), golden_labels(golden),
                                         samples_of(golden), training),
                         CNN_OK);
        losses[step] = (float)loss;
        cnn_ref_adam(model->parameters, m, v, gradients, count, golden_number(golden, "lr"),
                     step + 1);
    }
    check_golden(golden, "losses", losses, trace_tolerance, 0.0);
    float norm = weight_norm(model);
    check_golden(golden, "final_weight_norm", &norm, trace_tolerance, 0.0);
    cnn_model_destroy(model);
}

START_TEST(one_step_agrees_with_pytorch)
{
    golden_for_each("network.txt", check_step);
}
END_TEST

START_TEST(every_kind_agrees_with_pytorch)
{
    golden_for_each("kinds.txt", check_step);
}
END_TEST

START_TEST(twenty_steps_agree_with_pytorch)
{
    golden_for_each("network.txt", check_training);
}
END_TEST

/* A network with every kind of layer, and a batch for it. */
typedef struct batch {
    cnn_model *model;
    int n;
    float *x, *logits;
    uint16_t *labels;
    size_t logit_count;
} batch;

static batch make_batch(double dropout)
{
    enum { SAMPLES = 8 };
    random_source random = {.seed = 3};
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[1] = config.xdim[2] = 9;
    config.cdims[0] = 6;
    config.cdims[1] = 8;
    config.batchnorm = true;
    config.dropout = dropout;
    batch made = {.n = SAMPLES, .logit_count = SAMPLES * (size_t)config.ydim};
    ck_assert_int_eq(cnn_model_create(&made.model, &config, 1), CNN_OK);
    made.x = random_uniforms(&random, SAMPLES * 9 * 9, 0.0, 1.0);
    made.labels = random_labels(&random, SAMPLES, config.ydim);
    made.logits = scratch_floats(made.logit_count);
    return made;
}

static float *logits_of(batch *at, cnn_ref_pass pass)
{
    ck_assert_int_eq(
        cnn_ref_network(at->logits, NULL, NULL, at->model, at->x, at->labels, at->n, pass), CNN_OK);
    return scratch_copy(at->logits, at->logit_count);
}

START_TEST(dropout_is_drawn_from_seed_and_step)
{
    batch at = make_batch(0.5);
    size_t bytes = at.logit_count * sizeof(float);
    float *first = logits_of(&at, (cnn_ref_pass){.training = true, .seed = 5, .step = 1});
    ck_assert_mem_eq(first, logits_of(&at, (cnn_ref_pass){.training = true, .seed = 5, .step = 1}),
                     bytes);
    ck_assert_mem_ne(first, logits_of(&at, (cnn_ref_pass){.training = true, .seed = 5, .step = 2}),
                     bytes);
    ck_assert_mem_ne(first, logits_of(&at, (cnn_ref_pass){.training = true, .seed = 6, .step = 1}),
                     bytes);
    cnn_model_destroy(at.model);
}
END_TEST

START_TEST(evaluation_drops_nothing_and_changes_nothing)
{
    batch with = make_batch(0.5), without = make_batch(0.0);
    size_t bytes = with.logit_count * sizeof(float);
    size_t statistics = with.model->network->statistic_count;
    float *before = scratch_copy(with.model->statistics, statistics);
    ck_assert_mem_eq(logits_of(&with, evaluation), logits_of(&without, evaluation), bytes);
    ck_assert_mem_eq(before, with.model->statistics, statistics * sizeof(float));
    ck_assert_int_eq(with.model->batches[1], 0);
    cnn_model_destroy(with.model);
    cnn_model_destroy(without.model);
}
END_TEST

/* One mask for both ways: along the gradient the loss rises as fast as the gradient is long. */
START_TEST(gradients_are_those_of_the_dropped_network)
{
    batch at = make_batch(0.5);
    cnn_ref_pass pass = {.training = true, .seed = 5, .step = 1};
    size_t count = at.model->network->parameter_count;
    float *gradients = new_gradients(at.model), *parameters = at.model->parameters;
    double moved[2], step = 1e-3;
    ck_assert_int_eq(
        cnn_ref_network(at.logits, NULL, gradients, at.model, at.x, at.labels, at.n, pass), CNN_OK);
    double length = sqrt(dot(gradients, gradients, count));
    float *start = scratch_copy(parameters, count);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < count; i++)
            parameters[i] = (float)(start[i] + (side ? -step : step) * gradients[i] / length);
        ck_assert_int_eq(
            cnn_ref_network(at.logits, &moved[side], NULL, at.model, at.x, at.labels, at.n, pass),
            CNN_OK);
    }
    ck_assert_double_eq_tol((moved[0] - moved[1]) / (2.0 * step), length, 1e-2 * length);
    cnn_model_destroy(at.model);
}
END_TEST

START_TEST(nan_reaches_the_loss)
{
    batch at = make_batch(0.0);
    double loss;
    at.x[40] = NAN;
    ck_assert_int_eq(
        cnn_ref_network(at.logits, &loss, NULL, at.model, at.x, at.labels, at.n, evaluation),
        CNN_OK);
    ck_assert(isnan(loss));
    cnn_model_destroy(at.model);
}
END_TEST

START_TEST(gradients_of_an_evaluation_are_refused)
{
    batch at = make_batch(0.0);
    float *gradients = new_gradients(at.model);
    ck_assert_int_eq(
        cnn_ref_network(at.logits, NULL, gradients, at.model, at.x, at.labels, at.n, evaluation),
        CNN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "training"));
    cnn_model_destroy(at.model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ref network");
    TCase *tests = add_scratch_case(suite, "ref network");
    tcase_add_test(tests, one_step_agrees_with_pytorch);
    tcase_add_test(tests, every_kind_agrees_with_pytorch);
    tcase_add_test(tests, twenty_steps_agree_with_pytorch);
    tcase_add_test(tests, dropout_is_drawn_from_seed_and_step);
    tcase_add_test(tests, evaluation_drops_nothing_and_changes_nothing);
    tcase_add_test(tests, gradients_are_those_of_the_dropped_network);
    tcase_add_test(tests, nan_reaches_the_loss);
    tcase_add_test(tests, gradients_of_an_evaluation_are_refused);
    return run_suite(suite);
}
