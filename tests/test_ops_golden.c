/* Every operation on the device against PyTorch's golden vectors. */
#include "check_main.h"
#include "golden.h"
#include "op_case.h"
#include "optim/optimizer.h"
#include "ops/softmax.h"

static const op_tolerance of_sums = {2e-6, 5e-6, 1e-6}, exact = {0.0, 0.0, 0.0};

static int samples_of(const golden_case *golden)
{
    return golden_get(golden, "x")->shape[0];
}

/* A case with the golden's x and dy; the layer takes them. */
static op_case make_case(const golden_case *golden, cnn_layer_kind kind, int index, double dropout)
{
    random_source random = {.seed = 0};
    bool weighted = kind == CNN_LAYER_CONV || kind == CNN_LAYER_LINEAR;
    const golden_tensor *w = weighted ? golden_get(golden, "w") : NULL;
    cnn_layer layer = plain_layer(kind, index, golden_shape(golden, "x"), w ? w->shape[2] : 0,
                                  w ? w->shape[0] : 0, dropout);
    op_case made = make_op_case(&random, &layer, samples_of(golden), samples_of(golden) + 1);
    made.x = golden_get(golden, "x")->values;
    made.dy = golden_get(golden, "dy")->values;
    ck_assert_uint_eq(op_case_out(&made), golden_get(golden, "y")->count);
    made.y = golden_get(golden, "y")->values;
    made.dx = golden_get(golden, "dx")->values;
    return made;
}

static void set_params(op_case *at, const golden_case *golden, const char *const names[2],
                       const char *const gradients[2])
{
    for (int i = 0; i < 2; i++) {
        at->params[i] = golden_get(golden, names[i])->values;
        at->gradients[i] = golden_get(golden, gradients[i])->values;
    }
    at->tolerance = of_sums;
}

static void check_weighted(const golden_case *golden, cnn_layer_kind kind)
{
    static const char *const names[] = {"w", "b"}, *const gradients[] = {"dw", "db"};
    op_case at = make_case(golden, kind, 0, 0.0);
    set_params(&at, golden, names, gradients);
    check_op_case(&at);
}

static void check_conv(const golden_case *golden)
{
    check_weighted(golden, CNN_LAYER_CONV);
}

static void check_linear(const golden_case *golden)
{
    check_weighted(golden, CNN_LAYER_LINEAR);
}

static void check_batchnorm(const golden_case *golden)
{
    static const char *const names[] = {"weight", "bias"}, *const gradients[] = {"dweight",
                                                                                 "dbias"};
    op_case at = make_case(golden, CNN_LAYER_BATCHNORM, 1, 0.0);
    set_params(&at, golden, names, gradients);
    at.running = golden_get(golden, "running_before")->values;
    at.running_after = golden_get(golden, "running_after")->values;
    /* Where the mean is 1000, x has steps of 6e-5, and so has the mean. */
    at.tolerance = (op_tolerance){1e-4, 2e-4, 1e-5};
    check_op_case(&at);
    at.training = false;
    at.y = golden_get(golden, "eval_y")->values;
    at.running_after = at.running;
    check_op_case(&at);
}

static void check_exact(const golden_case *golden, cnn_layer_kind kind)
{
    op_case at = make_case(golden, kind, 0, 0.0);
    at.tolerance = exact;
    check_op_case(&at);
}

static void check_relu(const golden_case *golden)
{
    check_exact(golden, CNN_LAYER_RELU);
}

static void check_maxpool(const golden_case *golden)
{
    check_exact(golden, CNN_LAYER_MAXPOOL);
}

static uint64_t read_words(const golden_case *golden, const char *tensor)
{
    const float *words = golden_values(golden, tensor);
    return (uint64_t)words[0] << 32 | (uint64_t)words[1];
}

static void check_dropout(const golden_case *golden)
{
    op_case at = make_case(golden, CNN_LAYER_DROPOUT2D, (int)golden_number(golden, "layer"),
                           golden_number(golden, "p"));
    at.seed = read_words(golden, "seed_words");
    at.step = read_words(golden, "step_words");
    at.tolerance = (op_tolerance){2e-7, 2e-7, 0.0}; /* x * (1 / (1 - p)), or x / (1 - p) */
    check_op_case(&at);
}

/* Smoothed and weighted in training, plain in evaluation. */
static void check_shaped(const golden_case *golden, cnn_softmax *softmax, cl_mem gradient,
                         cl_mem labels)
{
    const golden_tensor *logits = golden_get(golden, "logits");
    const float *weights = golden_values(golden, "weights");
    cl_mem given = device_floats(logits->values, logits->count);
    cnn_pass pass = {.n = logits->shape[0], .training = true};
    float loss;
    uint32_t hits;
    int bad;
    for (int i = 0; i < pass.n; i++)
        pass.weight += (double)weights[golden_labels(golden)[i]];
    check_ok(cnn_softmax_shape(softmax, golden_number(golden, "smoothing"), weights));
    check_ok(cnn_softmax_run(softmax, gradient, given, labels, 0, &pass));
    check_ok(cnn_softmax_read(&loss, &hits, &bad, softmax, 0, 1));
    check_golden(golden, "shaped_loss", &loss, 2e-6, 1e-7);
    check_golden(golden, "shaped_dlogits", read_floats(gradient, logits->count), 4e-6, 1e-7);
    pass.training = false;
    check_ok(cnn_softmax_run(softmax, gradient, given, labels, 0, &pass));
    check_ok(cnn_softmax_read(&loss, &hits, &bad, softmax, 0, 1));
    check_golden(golden, "loss", &loss, 1e-6, 1e-7);
    check_guards(golden->name);
}

static void check_softmax(const golden_case *golden)
{
    const golden_tensor *logits = golden_get(golden, "logits");
    int n = logits->shape[0], classes = logits->shape[1], bad;
    cnn_softmax softmax = {0};
    float loss;
    uint32_t hits;
    check_ok(cnn_softmax_init(&softmax, test_device(), classes, n, 1));
    cl_mem gradient = device_floats(NULL, logits->count);
    cl_mem labels = device_bytes(golden_labels(golden), (size_t)n * sizeof(uint16_t));
    check_ok(cnn_softmax_run(&softmax, gradient, device_floats(logits->values, logits->count),
                             labels, 0, &(cnn_pass){.n = n}));
    check_ok(cnn_softmax_read(&loss, &hits, &bad, &softmax, 0, 1));
    check_golden(golden, "loss", &loss, 1e-6, 1e-7);
    check_golden(golden, "dlogits", read_floats(gradient, logits->count), 2e-6, 1e-7);
    ck_assert_uint_eq(hits, (unsigned)golden_number(golden, "hits"));
    ck_assert_int_eq(bad, -1);
    check_guards(golden->name);
    check_shaped(golden, &softmax, gradient, labels);
    cnn_softmax_finish(&softmax);
}

/* Value by value: the gradients differ by twelve orders of magnitude. */
static void check_each(const golden_case *golden, const char *tensor, const float *actual,
                       size_t step, size_t count)
{
    const float *expected = golden_values(golden, tensor) + step * count;
    for (size_t i = 0; i < count; i++)
        check_close(golden->name, tensor, &actual[i], &expected[i], 1, 5e-6, 1e-20);
}

static void check_adam(const golden_case *golden)
{
    const golden_tensor *gradients = golden_get(golden, "gradients");
    size_t steps = (size_t)gradients->shape[0], count = (size_t)gradients->shape[1];
    const cl_int good = -1;
    cnn_network network = {.parameter_count = count};
    cnn_optimizer adam = {0};
    check_ok(cnn_optimizer_init(&adam, test_device(), &network, NULL, NULL));
    cl_mem values = device_floats(golden_values(golden, "values"), count);
    cl_mem bad = device_bytes(&good, sizeof good);
    for (size_t step = 0; step < steps; step++) {
        float *state = scratch_floats(count);
        cl_mem gradient = device_floats(gradients->values + step * count, count);
        check_ok(cnn_optimizer_run(&adam, values, gradient, bad, golden_number(golden, "lr"),
                                   step + 1));
        check_each(golden, "values_after", read_floats(values, count), step, count);
        check_ok(cnn_buffer_read(state, &adam.states[0], 0, count * sizeof(float)));
        check_each(golden, "m_after", state, step, count);
        check_ok(cnn_buffer_read(state, &adam.states[1], 0, count * sizeof(float)));
        check_each(golden, "v_after", state, step, count);
    }
    check_guards(golden->name);
    cnn_optimizer_finish(&adam);
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

int main(void)
{
    Suite *suite = suite_create("ops golden");
    TCase *tests = add_device_case(suite, "golden");
    tcase_add_loop_test(tests, agrees_with_pytorch, 0, sizeof goldens / sizeof goldens[0]);
    return run_device_suite(suite);
}
