/* Every kind of layer's operation on the device against plain C, on random shapes. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "op_case.h"
#include "plan/fused.h"

enum { LARGEST = 9, LARGEST_BATCH = 40, VARIANTS = 4 };

/* Operations on the device run in float; the reference sums in double. */
static const op_tolerance of_sums = {2e-6, 5e-6, 1e-6}, exact = {0.0, 0.0, 0.0};

static const struct {
    cnn_layer_kind kind;
    const op_tolerance *tolerance;
} kinds[] = {
    {CNN_LAYER_CONV, &of_sums},   {CNN_LAYER_BATCHNORM, &of_sums}, {CNN_LAYER_RELU, &exact},
    {CNN_LAYER_MAXPOOL, &exact},  {CNN_LAYER_DROPOUT2D, &exact},   {CNN_LAYER_FLATTEN, &exact},
    {CNN_LAYER_LINEAR, &of_sums},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], RELU = 2, MAXPOOL = 3 };

/* An example of a kind: a quarter each with a whole batch, with one sample, and in between. */
static op_case make_example(random_source *random, int number)
{
    int example = number % EXAMPLES;
    cnn_layer layer = random_layer(random, kinds[number / EXAMPLES].kind, example, LARGEST);
    int batch = random_int(random, 1, LARGEST_BATCH);
    int n = example % VARIANTS == 0 ? batch : random_int(random, 1, batch);
    if (example % VARIANTS == 1)
        n = 1;
    op_case made = make_op_case(random, &layer, n, batch);
    made.tolerance = *kinds[number / EXAMPLES].tolerance;
    return made;
}

/* FEW: for a loop of a few examples of every kind. SOME: for those where a sweep has them all. */
enum { FEW = 5, SOME = 8 };

static int few(int i)
{
    return i / FEW * EXAMPLES + i % FEW;
}

static int some(int i)
{
    const int count = sweep(SOME, EXAMPLES);
    return i / count * EXAMPLES + i % count;
}

START_TEST(training_agrees_with_plain_c)
{
    random_source random = {.seed = (uint64_t)some(_i)};
    op_case at = make_example(&random, some(_i));
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

START_TEST(training_in_place_agrees_with_plain_c)
{
    random_source random = {.seed = (uint64_t)some(_i)};
    op_case at = make_example(&random, some(_i));
    at.in_place = true;
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

START_TEST(the_input_gradient_may_be_left_out)
{
    random_source random = {.seed = (uint64_t)few(_i)};
    op_case at = make_example(&random, few(_i));
    at.wants_input_gradient = false;
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

/* A batch in one piece and in several, blocks of channels that are not whole, planes that fill no
 * tile, every padding. */
static const struct {
    cnn_shape in;
    int outputs, n, batch, padding[4];
    bool bias;
} columns[] = {{{17, 5, 9}, 35, 3, 4, {1, 1, 1, 1}, true},
               {{16, 4, 3}, 16, 1, 1, {0, 2, 2, 0}, false},
               {{5, 7, 8}, 50, 9, 9, {0, 0, 0, 0}, true},
               {{24, 13, 13}, 272, 14, 15, {2, 1, 0, 1}, true}};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

START_TEST(winograd_by_channels_agrees_with_plain_c)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_layer layer = {.kind = CNN_LAYER_CONV, .in = columns[_i].in};
    if (test_device()->kernel_class != CNN_KERNEL_CPU)
        return; /* no rule gives it to others */
    cnn_layer_default_options(&layer.options, CNN_LAYER_CONV);
    layer.options.conv.channels = columns[_i].outputs;
    layer.options.conv.kernel[0] = layer.options.conv.kernel[1] = 3;
    layer.options.conv.bias = columns[_i].bias;
    memcpy(layer.options.conv.padding, columns[_i].padding, sizeof columns[_i].padding);
    check_ok(cnn_layer_init(&layer));
    op_case at = make_op_case(&random, &layer, columns[_i].n, columns[_i].batch);
    at.class = &cnn_winograd_columns_op;
    at.tolerance = (op_tolerance){1e-5, 2e-5, 2e-5};
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

START_TEST(evaluation_agrees_with_plain_c)
{
    random_source random = {.seed = (uint64_t)few(_i)};
    op_case at = make_example(&random, few(_i));
    at.training = false;
    at.in_place = _i % 2 == 1;
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

/* Planes that are taken in several stretches, rows beyond any block, kernels larger than the plane,
 * more channels than a block, and the layers of the default network. */
static const struct {
    int c, h, w, out, ksize, n;
} convolutions[] = {
    {1, 28, 28, 32, 3, 2}, {32, 14, 14, 64, 3, 2}, {3, 5, 230, 9, 5, 2}, {17, 3, 3, 33, 11, 3},
    {2, 1, 1, 3, 2, 5},    {1, 40, 6, 8, 7, 1},    {5, 4, 7, 16, 6, 2},  {7, 2, 9, 17, 8, 2},
    {4, 6, 5, 1, 9, 2},    {13, 5, 4, 24, 10, 2},  {8, 1, 300, 8, 1, 1}, {64, 2, 2, 1, 3, 3},
};
enum { CONVOLUTIONS = sizeof convolutions / sizeof convolutions[0] };

START_TEST(convolutions_of_unusual_shapes_agree)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_shape in = {convolutions[_i].c, convolutions[_i].h, convolutions[_i].w};
    cnn_layer layer =
        plain_layer(CNN_LAYER_CONV, 0, in, convolutions[_i].ksize, convolutions[_i].out, 0.0);
    op_case at = make_op_case(&random, &layer, convolutions[_i].n, convolutions[_i].n + _i % 2);
    at.tolerance = of_sums;
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

/* A variance taken as E[x^2] - E[x]^2 would be noise. */
START_TEST(batch_norm_of_a_far_mean_agrees)
{
    random_source random = {.seed = 3};
    cnn_layer layer = plain_layer(CNN_LAYER_BATCHNORM, 0, (cnn_shape){5, 7, 6}, 0, 0, 0.0);
    op_case at = make_op_case(&random, &layer, 9, 10);
    for (size_t i = 0; i < op_case_in(&at); i++)
        at.x[i] += 1000.0f;
    at.tolerance = (op_tolerance){1e-4, 1e-4, 0.0}; /* x itself has steps of 6e-5 */
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

START_TEST(batch_norm_of_a_single_value_is_its_bias)
{
    random_source random = {.seed = 4};
    cnn_layer layer = plain_layer(CNN_LAYER_BATCHNORM, 0, (cnn_shape){11, 1, 1}, 0, 0, 0.0);
    op_case at = make_op_case(&random, &layer, 1, 1);
    op_case_expect(&at);
    check_close(at.name, "expected", at.y, at.params[1], 11, 0.0, 0.0);
    check_op_case(&at);
}
END_TEST

/* Few values among many: most windows have their largest more than once, or nothing above 0. */
START_TEST(ties_agree)
{
    static const cnn_layer_kind tied[] = {CNN_LAYER_MAXPOOL, CNN_LAYER_RELU};
    /* the layers of make_example(): their kernels are compiled already */
    random_source random = {.seed = (uint64_t)((_i % 2 ? RELU : MAXPOOL) * EXAMPLES + _i / 2)};
    cnn_layer layer = random_layer(&random, tied[_i % 2], _i / 2, LARGEST);
    op_case at = make_op_case(&random, &layer, 5, 6);
    for (size_t i = 0; i < op_case_in(&at); i++)
        at.x[i] = (float)random_int(&random, -1, 1);
    at.tolerance = exact;
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

static bool has_nan(const float *values, size_t count)
{
    size_t i = 0;
    while (i < count && !isnan(values[i]))
        i++;
    return i < count;
}

/* check_op_case() compares the places of NaN as well: here there are some. The first pixel is in a
 * pool's window. Dropout drops nothing here. */
START_TEST(nan_is_kept)
{
    random_source random = {.seed = (uint64_t)few(_i)};
    int kind = _i / FEW;
    cnn_layer layer = random_layer(&random, kinds[kind].kind, _i % FEW, LARGEST);
    if (layer.kind == CNN_LAYER_DROPOUT2D)
        layer.options.dropout.p = 0.0;
    op_case at = make_op_case(&random, &layer, 3, 4);
    at.tolerance = *kinds[kind].tolerance;
    at.x[0] = NAN;
    op_case_expect(&at);
    ck_assert(has_nan(at.y, op_case_out(&at)));
    check_op_case(&at);
}
END_TEST

/* Every word of the counter and of the key counts. */
START_TEST(dropout_masks_are_those_of_seed_and_step)
{
    static const uint64_t draws[][2] = {
        {0, 0}, {1, 0}, {0, 1}, {1ull << 32, 0}, {0, 1ull << 32}, {UINT64_MAX, UINT64_MAX},
    };
    random_source random = {.seed = 8};
    cnn_layer layer = plain_layer(CNN_LAYER_DROPOUT2D, _i, (cnn_shape){13, 2, 3}, 0, 0, 0.3);
    op_case at = make_op_case(&random, &layer, 31, 31);
    at.tolerance = exact;
    float *first = NULL;
    for (size_t i = 0; i < sizeof draws / sizeof draws[0]; i++) {
        at.seed = draws[i][0];
        at.step = draws[i][1];
        op_case_expect(&at);
        first = first ? first : at.y;
        ck_assert(i == 0 || memcmp(first, at.y, op_case_out(&at) * sizeof(float)) != 0);
        check_op_case(&at);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ops");
    TCase *few_shapes = add_device_case(suite, "few");
    tcase_add_loop_test(few_shapes, the_input_gradient_may_be_left_out, 0, KINDS * FEW);
    tcase_add_loop_test(few_shapes, evaluation_agrees_with_plain_c, 0, KINDS * FEW);
    tcase_add_loop_test(few_shapes, nan_is_kept, 0, KINDS * FEW);
    tcase_add_loop_test(few_shapes, winograd_by_channels_agrees_with_plain_c, 0, COLUMNS);
    tcase_add_test(few_shapes, batch_norm_of_a_far_mean_agrees);
    tcase_add_test(few_shapes, batch_norm_of_a_single_value_is_its_bias);
    tcase_add_loop_test(few_shapes, dropout_masks_are_those_of_seed_and_step, 0, 2);
    TCase *every_shape = add_device_case(suite, "every");
    const int examples = KINDS * sweep(SOME, EXAMPLES);
    tcase_add_loop_test(every_shape, training_agrees_with_plain_c, 0, examples);
    tcase_add_loop_test(every_shape, training_in_place_agrees_with_plain_c, 0, examples);
    tcase_add_loop_test(every_shape, convolutions_of_unusual_shapes_agree, 0, CONVOLUTIONS);
    tcase_add_loop_test(every_shape, ties_agree, 0, 2 * sweep(SOME, EXAMPLES));
    return run_device_suite(suite);
}
