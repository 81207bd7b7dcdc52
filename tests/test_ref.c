/* The plain C operations against PyTorch's golden vectors, and what those cannot show. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "golden.h"
#include "ref/ref.h"

/* Sums in double from float32 inputs: one rounding of the result is all that is off. */
static const double tolerance = 3e-7, floor_of_noise = 1e-7;

static void check(const golden_case *golden, const char *tensor, const float *actual)
{
    check_golden(golden, tensor, actual, tolerance, floor_of_noise);
}

static float *like(const golden_case *golden, const char *tensor)
{
    return scratch_floats(golden_get(golden, tensor)->count);
}

static int samples_of(const golden_case *golden)
{
    return golden_get(golden, "x")->shape[0];
}

/* A layer that takes the case's x. */
static cnn_layer make_layer(const golden_case *golden, cnn_layer_kind kind, int index,
                            double dropout)
{
    bool weighted = kind == CNN_LAYER_CONV || kind == CNN_LAYER_LINEAR;
    const golden_tensor *w = weighted ? golden_get(golden, "w") : NULL;
    cnn_layer layer = plain_layer(kind, index, golden_shape(golden, "x"), w ? w->shape[2] : 0,
                                  w ? w->shape[0] : 0, dropout);
    size_t count = cnn_shape_count(layer.out) * (size_t)samples_of(golden);
    ck_assert_uint_eq(count, golden_get(golden, "y")->count);
    return layer;
}

static void check_conv(const golden_case *golden)
{
    cnn_layer layer = make_layer(golden, CNN_LAYER_CONV, 0, 0.0);
    const float *x = golden_values(golden, "x"), *w = golden_values(golden, "w");
    const float *dy = golden_values(golden, "dy");
    float *y = like(golden, "y"), *dx = like(golden, "dx");
    float *dw = like(golden, "dw"), *db = like(golden, "db");
    int n = samples_of(golden);
    cnn_ref_conv_forward(y, x, w, golden_values(golden, "b"), &layer, n);
    check(golden, "y", y);
    cnn_ref_conv_backward(dx, dw, db, dy, x, w, &layer, n);
    check(golden, "dx", dx);
    check(golden, "dw", dw);
    check(golden, "db", db);
}

static void check_batchnorm_backward(const golden_case *golden, const float *mean,
                                     const float *inverse_std, const cnn_layer *layer)
{
    float *dx = like(golden, "x");
    float *dweight = like(golden, "weight"), *dbias = like(golden, "bias");
    cnn_ref_batchnorm_backward(dx, dweight, dbias, golden_values(golden, "dy"),
                               golden_values(golden, "x"), golden_values(golden, "weight"), mean,
                               inverse_std, layer, samples_of(golden));
    /* The mean is kept as a float: where it is 1000, that shows in the normalised x. */
    double through_mean = 1e-4;
    check_golden(golden, "dx", dx, through_mean, floor_of_noise);
    check_golden(golden, "dweight", dweight, through_mean, floor_of_noise);
    check(golden, "dbias", dbias);
}

static void check_batchnorm(const golden_case *golden)
{
    cnn_layer layer = make_layer(golden, CNN_LAYER_BATCHNORM, 1, 0.0);
    const golden_tensor *before = golden_get(golden, "running_before");
    float *running = scratch_copy(before->values, before->count);
    const float *x = golden_values(golden, "x"), *weight = golden_values(golden, "weight");
    const float *bias = golden_values(golden, "bias");
    float *y = like(golden, "y"), *mean = like(golden, "bias"), *inverse_std = like(golden, "bias");
    int n = samples_of(golden);
    cnn_ref_batchnorm_eval(y, x, weight, bias, running, &layer, n);
    check(golden, "eval_y", y);
    cnn_ref_batchnorm_train(y, mean, inverse_std, running, x, weight, bias, &layer, n);
    check(golden, "y", y);
    check(golden, "running_after", running);
    check_batchnorm_backward(golden, mean, inverse_std, &layer);
}

static void check_relu(const golden_case *golden)
{
    cnn_layer layer = make_layer(golden, CNN_LAYER_RELU, 0, 0.0);
    int n = samples_of(golden);
    const float *x = golden_values(golden, "x");
    float *y = like(golden, "y"), *dx = like(golden, "dx");
    cnn_ref_activation_forward(y, x, &layer, n);
    check(golden, "y", y);
    cnn_ref_activation_backward(dx, golden_values(golden, "dy"), x, &layer, n);
    check(golden, "dx", dx);
}

static void check_maxpool(const golden_case *golden)
{
    cnn_layer layer = make_layer(golden, CNN_LAYER_MAXPOOL, 2, 0.0);
    const golden_tensor *expected = golden_get(golden, "which");
    int32_t *which = scratch_ints(expected->count);
    float *y = like(golden, "y"), *dx = like(golden, "dx");
    cnn_ref_maxpool_forward(y, which, golden_values(golden, "x"), &layer, samples_of(golden));
    check(golden, "y", y);
    for (size_t i = 0; i < expected->count; i++)
        ck_assert_msg(which[i] == (int)expected->values[i], "%s, which: %d at %zu, expected %g",
                      golden->name, which[i], i, (double)expected->values[i]);
    cnn_ref_maxpool_backward(dx, golden_values(golden, "dy"), which, &layer, samples_of(golden));
    check(golden, "dx", dx);
}

static uint64_t read_words(const golden_case *golden, const char *tensor)
{
    const float *words = golden_values(golden, tensor);
    return (uint64_t)words[0] << 32 | (uint64_t)words[1];
}

static void check_dropout(const golden_case *golden)
{
    cnn_layer layer = make_layer(golden, CNN_LAYER_DROPOUT2D, (int)golden_number(golden, "layer"),
                                 golden_number(golden, "p"));
    uint64_t seed = read_words(golden, "seed_words"), step = read_words(golden, "step_words");
    float *y = like(golden, "y"), *dx = like(golden, "dx");
    int n = samples_of(golden);
    cnn_ref_dropout(y, golden_values(golden, "x"), &layer, n, seed, step);
    check(golden, "y", y);
    cnn_ref_dropout(dx, golden_values(golden, "dy"), &layer, n, seed, step);
    check(golden, "dx", dx);
}

static void check_linear(const golden_case *golden)
{
    cnn_layer layer = make_layer(golden, CNN_LAYER_LINEAR, 0, 0.0);
    const float *x = golden_values(golden, "x"), *w = golden_values(golden, "w");
    const float *dy = golden_values(golden, "dy");
    float *y = like(golden, "y"), *dx = like(golden, "dx");
    float *dw = like(golden, "dw"), *db = like(golden, "db");
    int n = samples_of(golden);
    cnn_ref_linear_forward(y, x, w, golden_values(golden, "b"), &layer, n);
    check(golden, "y", y);
    cnn_ref_linear_backward(dx, dw, db, dy, x, w, &layer, n);
    check(golden, "dx", dx);
    check(golden, "dw", dw);
    check(golden, "db", db);
}

static void check_softmax(const golden_case *golden)
{
    const golden_tensor *logits = golden_get(golden, "logits");
    float *dlogits = like(golden, "logits");
    size_t hits;
    float loss = (float)cnn_ref_softmax_cross_entropy(
        dlogits, &hits, logits->values, golden_labels(golden), logits->shape[0], logits->shape[1]);
    check(golden, "loss", &loss);
    check(golden, "dlogits", dlogits);
    ck_assert_uint_eq(hits, (size_t)golden_number(golden, "hits"));
    loss = (float)cnn_ref_shaped_cross_entropy(dlogits, logits->values, golden_labels(golden),
                                               logits->shape[0], logits->shape[1],
                                               golden_number(golden, "smoothing"),
                                               golden_values(golden, "weights"));
    check(golden, "shaped_loss", &loss);
    check(golden, "shaped_dlogits", dlogits);
}

static void check_adam(const golden_case *golden)
{
    const golden_tensor *gradients = golden_get(golden, "gradients");
    size_t steps = (size_t)gradients->shape[0], count = (size_t)gradients->shape[1];
    float *values = scratch_copy(golden_values(golden, "values"), count);
    float *m = scratch_zeros(count), *v = scratch_zeros(count);
    double lr = golden_number(golden, "lr");
    for (size_t step = 0; step < steps; step++) {
        cnn_ref_adam(values, m, v, gradients->values + step * count, count, lr, step + 1);
        const struct {
            const char *name;
            const float *actual;
        } state[] = {{"values_after", values}, {"m_after", m}, {"v_after", v}};
        for (size_t i = 0; i < 3; i++) {
            const float *expected = golden_values(golden, state[i].name) + step * count;
            /* Value by value: the gradients differ by twelve orders of magnitude. */
            for (size_t j = 0; j < count; j++)
                check_close(golden->name, state[i].name, &state[i].actual[j], &expected[j], 1, 2e-6,
                            1e-20);
        }
    }
}

static const struct {
    const char *file;
    void (*check)(const golden_case *golden);
} goldens[] = {
    {"conv.txt", check_conv},       {"batchnorm.txt", check_batchnorm},
    {"relu.txt", check_relu},       {"maxpool.txt", check_maxpool},
    {"dropout.txt", check_dropout}, {"linear.txt", check_linear},
    {"softmax.txt", check_softmax}, {"adam.txt", check_adam},
};

START_TEST(agrees_with_pytorch)
{
    golden_for_each(goldens[_i].file, goldens[_i].check);
}
END_TEST

START_TEST(batch_norm_of_a_single_value_is_its_bias)
{
    cnn_layer layer = plain_layer(CNN_LAYER_BATCHNORM, 0, (cnn_shape){2, 1, 1}, 0, 0, 0.0);
    const float x[] = {3.0f, -5.0f}, weight[] = {2.0f, 2.0f}, bias[] = {0.5f, -1.0f};
    float y[2], mean[2], inverse_std[2], running[] = {0.0f, 0.0f, 1.0f, 1.0f};
    cnn_ref_batchnorm_train(y, mean, inverse_std, running, x, weight, bias, &layer, 1);
    check_close("single value", "y", y, bias, 2, 0.0, 0.0);
    const float expected[] = {0.3f, -0.5f, 0.9f, 0.9f};
    check_close("single value", "running", running, expected, 4, tolerance, 0.0);
}
END_TEST

START_TEST(a_tie_is_a_hit_of_the_first_class)
{
    const float logits[] = {1.0f, 2.0f, 2.0f, 1.0f, 2.0f, 2.0f};
    const uint16_t labels[] = {1, 2};
    size_t hits;
    cnn_ref_softmax_cross_entropy(NULL, &hits, logits, labels, 2, 3);
    ck_assert_uint_eq(hits, 1);
}
END_TEST

START_TEST(a_loss_of_nan_or_infinite_logits_is_nan)
{
    const uint16_t label = 0;
    for (size_t at = 0; at < 3; at++) {
        const float unfit[] = {NAN, INFINITY};
        for (size_t i = 0; i < 2; i++) {
            float logits[] = {1.0f, 2.0f, 3.0f};
            logits[at] = unfit[i];
            ck_assert(isnan(cnn_ref_softmax_cross_entropy(NULL, NULL, logits, &label, 1, 3)));
        }
    }
}
END_TEST

/* Each channel of each sample is either all kept and scaled, or all zero, in the same way for any
 * tensor; and the share of kept ones is near 1 - p. */
START_TEST(dropout_keeps_whole_channels_in_its_share)
{
    enum { SAMPLES = 500, CHANNELS = 40, PLANE = 6, TOTAL = SAMPLES * CHANNELS };
    static const double shares[] = {0.0, 0.1, 0.5, 0.9};
    double p = shares[_i];
    cnn_layer layer = plain_layer(CNN_LAYER_DROPOUT2D, 4, (cnn_shape){CHANNELS, 2, 3}, 0, 0, p);
    random_source random = {.seed = 1};
    float *x = random_uniforms(&random, TOTAL * PLANE, 1.0, 2.0);
    float *y = scratch_floats(TOTAL * PLANE);
    cnn_ref_dropout(y, x, &layer, SAMPLES, 9, 3);
    int kept = 0;
    for (size_t i = 0; i < TOTAL * PLANE; i++) {
        bool first = i % PLANE == 0, here = y[i] != 0.0f;
        kept += first && here;
        ck_assert(here == (y[i - i % PLANE] != 0.0f));
        float expected = here ? x[i] / (float)(1.0 - p) : 0.0f;
        ck_assert_float_le(fabsf(y[i] - expected), 1e-6f * expected);
    }
    double deviation = sqrt(TOTAL * p * (1.0 - p));
    ck_assert_double_le(fabs(kept - TOTAL * (1.0 - p)), 4.0 * deviation);
}
END_TEST

START_TEST(a_dropout_threshold_is_right_at_both_ends)
{
    ck_assert_uint_eq(cnn_dropout_threshold(0.0), 0);
    ck_assert_uint_eq(cnn_dropout_threshold(0.5), 0x80000000u);
    ck_assert_uint_eq(cnn_dropout_threshold(nextafter(1.0, 0.0)), UINT32_MAX);
}
END_TEST

/* The comparison that every test here rests on. */
START_TEST(a_relative_error_sees_what_differs)
{
    const float a[] = {3.0f, 4.0f, NAN, INFINITY}, moved[] = {3.0f, 4.5f, NAN, INFINITY};
    const float no_nan[] = {3.0f, 4.0f, 0.0f, INFINITY}, sign[] = {3.0f, 4.0f, NAN, -INFINITY};
    ck_assert_double_eq(relative_error(a, a, 4), 0.0);
    ck_assert_double_eq_tol(relative_error(moved, a, 4), 0.1, 1e-12);
    ck_assert(isinf(relative_error(no_nan, a, 4)) && isinf(relative_error(a, no_nan, 4)));
    ck_assert(isinf(relative_error(sign, a, 4)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ref");
    TCase *tests = add_scratch_case(suite, "ref");
    tcase_add_loop_test(tests, agrees_with_pytorch, 0, sizeof goldens / sizeof goldens[0]);
    tcase_add_test(tests, batch_norm_of_a_single_value_is_its_bias);
    tcase_add_test(tests, a_tie_is_a_hit_of_the_first_class);
    tcase_add_test(tests, a_loss_of_nan_or_infinite_logits_is_nan);
    tcase_add_loop_test(tests, dropout_keeps_whole_channels_in_its_share, 0, 4);
    tcase_add_test(tests, a_dropout_threshold_is_right_at_both_ends);
    tcase_add_test(tests, a_relative_error_sees_what_differs);
    return run_suite(suite);
}
