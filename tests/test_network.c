/* Networks: the layers that follow from the options, their shapes and names, the first values. */
#include <math.h>

#include "check_main.h"
#include "net/network.h"
#include "scratch.h"

typedef struct option {
    const char *key, *value;
} option;

enum { MOST_OPTIONS = 6 };

static void configure(cnn_config *config, const option options[MOST_OPTIONS])
{
    cnn_config_init(config);
    for (int i = 0; i < MOST_OPTIONS && options[i].key; i++)
        ck_assert_int_eq(cnn_config_set(config, options[i].key, options[i].value), CNN_OK);
}

static const struct {
    option options[MOST_OPTIONS];
    int layer; /* whose output is looked at */
    int output[3];
} shapes[] = {
    {{{0}}, 0, {32, 28, 28}},
    {{{0}}, 2, {32, 14, 14}},
    {{{0}}, 8, {64 * 7 * 7, 1, 1}},
    {{{0}}, 11, {10, 1, 1}},
    {{{"ksize", "2"}}, 0, {32, 29, 29}}, /* even: the plane grows by one */
    {{{"ksize", "2"}}, 6, {64, 7, 7}},   /* 28 29 14 15 7 */
    {{{"ksize", "10"}, {"xdim", "1,1,1"}, {"cdims", "4"}}, 2, {4, 1, 1}},
    {{{"ksize", "11"}, {"xdim", "1,3,2"}, {"cdims", "4"}}, 0, {4, 3, 2}},
    {{{"ksize", "1"}, {"xdim", "2,5,9"}, {"cdims", "4"}}, 2, {4, 2, 4}},
    {{{"xdim", "3,7,15"}, {"cdims", "4,5"}}, 8, {5 * 1 * 3, 1, 1}},
    {{{"xdim", "3,7,15"}, {"cdims", "none"}}, 0, {3 * 7 * 15, 1, 1}},
    {{{"cdims", "none"}, {"hdims", "none"}}, 1, {10, 1, 1}},
};

START_TEST(follows_the_real_planes)
{
    cnn_config config;
    cnn_network *network;
    configure(&config, shapes[_i].options);
    ck_assert_msg(cnn_network_create(&network, &config) == CNN_OK, "%s", cnn_error_message());
    cnn_layer_info info = cnn_network_layer(network, (size_t)shapes[_i].layer);
    ck_assert_mem_eq(info.output, shapes[_i].output, sizeof info.output);
    cnn_network_destroy(network);
}
END_TEST

static const struct {
    option options[MOST_OPTIONS];
    const char *parts[2];
} impossible[] = {
    {{{"xdim", "1,1,8"}, {"cdims", "4"}}, {"layer maxpool2d_02", "4 x 1 x 8"}},
    {{{"xdim", "1,8,7"}, {"cdims", "4,4,4"}}, {"layer maxpool2d_10", "4 x 2 x 1"}},
    {{{"xdim", "1,28,28"}, {"cdims", "1,1,1,1,1"}, {"batchnorm", "true"}},
     {"layer maxpool2d_23", "1 x 1 x 1"}},
    {{{"xdim", "65535,65535,65535"}}, {"layer conv2d_00", "65535 x 65535 x 65535"}},
    {{{"xdim", "65535,1000,1000"}, {"cdims", "1"}}, {"layer conv2d_00", "65535 x 1000 x 1000"}},
    {{{"xdim", "65535,65535,2"}, {"cdims", "none"}}, {"layer flatten_00", "2^31 - 1"}},
    {{{"xdim", "1,1000,1000"}, {"cdims", "1048576"}}, {"layer conv2d_00", "1048576 x 1000 x 1000"}},
    {{{"xdim", "65535,4,4"}, {"cdims", "1048576"}}, {"layer conv2d_00", "weights"}},
    {{{"cdims", "none"}, {"hdims", "1048576,2048"}}, {"layer linear_03", "weights"}},
    {{{"cdims", "none"}, {"hdims", "1048576,1500"}}, {"layer linear_03", "parameters exceed"}},
};

START_TEST(refuses_what_cannot_be)
{
    cnn_config config;
    cnn_network *network;
    configure(&config, impossible[_i].options);
    ck_assert_int_eq(cnn_network_create(&network, &config), CNN_ERROR_ARGUMENT);
    ck_assert_ptr_null(network);
    assert_message_has(impossible[_i].parts[0]);
    assert_message_has(impossible[_i].parts[1]);
}
END_TEST

/* The output of the notebook's listing. */
static const char *const notebook[] = {
    "net.conv2d_00.weight (32, 1, 3, 3)",  "net.conv2d_00.bias (32,)",
    "net.conv2d_04.weight (64, 32, 3, 3)", "net.conv2d_04.bias (64,)",
    "net.linear_09.weight (32, 3136)",     "net.linear_09.bias (32,)",
    "net.linear_11.weight (10, 32)",       "net.linear_11.bias (10,)",
};
/* The same with USE_BATCHNORM, as state_dict() lists it. */
static const char *const notebook_batchnorm[] = {
    "net.conv2d_00.weight (32, 1, 3, 3)",
    "net.conv2d_00.bias (32,)",
    "net.batchnorm2d_01.weight (32,)",
    "net.batchnorm2d_01.bias (32,)",
    "net.batchnorm2d_01.running_mean (32,)",
    "net.batchnorm2d_01.running_var (32,)",
    "net.batchnorm2d_01.num_batches_tracked ()",
    "net.conv2d_05.weight (64, 32, 3, 3)",
    "net.conv2d_05.bias (64,)",
    "net.batchnorm2d_06.weight (64,)",
    "net.batchnorm2d_06.bias (64,)",
    "net.batchnorm2d_06.running_mean (64,)",
    "net.batchnorm2d_06.running_var (64,)",
    "net.batchnorm2d_06.num_batches_tracked ()",
    "net.linear_11.weight (32, 3136)",
    "net.linear_11.bias (32,)",
    "net.linear_13.weight (10, 32)",
    "net.linear_13.bias (10,)",
};

static void assert_tensors(const char *batchnorm, const char *const *expected, size_t count,
                           uint64_t parameters)
{
    cnn_config config;
    cnn_model *model;
    configure(&config, (const option[MOST_OPTIONS]){{"batchnorm", batchnorm}});
    ck_assert_int_eq(cnn_model_create(&model, &config, 0), CNN_OK);
    ck_assert_uint_eq(cnn_model_tensor_count(model), count);
    for (size_t i = 0; i < count; i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        char shape[64], text[128];
        cnn_shape_to_text(shape, sizeof shape, info.shape, info.rank);
        snprintf(text, sizeof text, "%s %s", info.name, shape);
        ck_assert_str_eq(text, expected[i]);
    }
    ck_assert_uint_eq(cnn_model_parameter_count(model), parameters);
    uint64_t of_layers = 0;
    for (size_t i = 0; i < cnn_network_layer_count(cnn_model_network(model)); i++)
        of_layers += cnn_network_layer(cnn_model_network(model), i).parameters;
    ck_assert_uint_eq(of_layers, parameters);
    cnn_model_destroy(model);
}

START_TEST(has_the_notebooks_tensors)
{
    assert_tensors("false", notebook, 8, 119530);
    assert_tensors("true", notebook_batchnorm, 18, 119530 + 2 * 32 + 2 * 64);
}
END_TEST

/* Trainable tensors lie one behind the other in the flat buffer, each at its layer's offset. */
START_TEST(lays_tensors_without_holes)
{
    cnn_config config;
    cnn_model *model;
    configure(&config, (const option[MOST_OPTIONS]){{"batchnorm", "true"}});
    ck_assert_int_eq(cnn_model_create(&model, &config, 0), CNN_OK);
    float *next = model->parameters;
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        if (!info.trainable)
            continue;
        ck_assert_ptr_eq(info.values, next);
        next += info.count;
    }
    ck_assert_ptr_eq(next, model->parameters + model->network->parameter_count);
    ck_assert_uint_eq(model->network->statistic_count, 2 * (32 + 64));
    cnn_model_destroy(model);
}
END_TEST

START_TEST(counts_the_work)
{
    cnn_config config;
    cnn_network *network;
    configure(&config, (const option[MOST_OPTIONS]){{0}});
    ck_assert_int_eq(cnn_network_create(&network, &config), CNN_OK);
    ck_assert_double_eq(cnn_network_layer(network, 0).forward_flops, 2.0 * 32 * 28 * 28 * 9);
    ck_assert_double_eq(cnn_network_layer(network, 4).forward_flops, 2.0 * 64 * 14 * 14 * 288);
    ck_assert_double_eq(cnn_network_layer(network, 9).forward_flops, 2.0 * 3136 * 32);
    ck_assert_str_eq(cnn_network_layer(network, 3).kind, "dropout2d");
    ck_assert_str_eq(cnn_network_layer(network, 3).name, "dropout2d_03");
    cnn_network_destroy(network);
}
END_TEST

static cnn_model *create_seeded(uint64_t seed)
{
    cnn_config config;
    cnn_model *model;
    configure(&config, (const option[MOST_OPTIONS]){{"batchnorm", "true"}});
    ck_assert_int_eq(cnn_model_create(&model, &config, seed), CNN_OK);
    return model;
}

START_TEST(starts_where_its_seed_says)
{
    cnn_model *model = create_seeded(5), *same = create_seeded(5);
    cnn_model *low = create_seeded(6), *high = create_seeded(5 + (1ull << 32));
    size_t size = model->network->parameter_count * sizeof(float);
    ck_assert_mem_eq(model->parameters, same->parameters, size);
    ck_assert_mem_ne(model->parameters, low->parameters, 36);
    ck_assert_mem_ne(model->parameters, high->parameters, 36);
    cnn_model_destroy(model);
    cnn_model_destroy(same);
    cnn_model_destroy(low);
    cnn_model_destroy(high);
}
END_TEST

/* Mean, deviation and fourth moment of a weight against those of N(0, 2 / fan_in), within five
 * standard errors of each. */
static void assert_is_normal(const cnn_tensor_info *tensor)
{
    const float *values = tensor->values;
    double n = (double)tensor->count, sum = 0.0, square = 0.0, fourth = 0.0;
    double variance = 2.0 / (n / tensor->shape[0]);
    for (size_t i = 0; i < tensor->count; i++) {
        double value = values[i] / sqrt(variance);
        sum += value;
        square += value * value;
        fourth += value * value * value * value;
    }
    ck_assert_double_lt(fabs(sum / n), 5.0 * sqrt(1.0 / n));
    ck_assert_double_lt(fabs(square / n - 1.0), 5.0 * sqrt(2.0 / n));
    ck_assert_double_lt(fabs(fourth / n - 3.0), 5.0 * sqrt(96.0 / n));
}

START_TEST(draws_weights_as_he_does)
{
    cnn_model *model = create_seeded(0);
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        if (info.rank >= 2) {
            assert_is_normal(&info);
            continue;
        }
        bool one = strstr(info.name, "running_var") || strstr(info.name, "d_01.weight") ||
                   strstr(info.name, "d_06.weight");
        for (size_t v = 0; v < info.count && info.type == CNN_FLOAT32; v++)
            ck_assert_float_eq(((const float *)info.values)[v], one ? 1.0f : 0.0f);
        if (info.type == CNN_INT64)
            ck_assert_int_eq(*(const int64_t *)info.values, 0);
    }
    cnn_model_destroy(model);
}
END_TEST

START_TEST(layers_draw_different_weights)
{
    cnn_config config;
    cnn_model *model;
    configure(&config, (const option[MOST_OPTIONS]){
                           {"cdims", "none"}, {"hdims", "10,10,10"}, {"xdim", "1,2,5"}});
    ck_assert_int_eq(cnn_model_create(&model, &config, 1), CNN_OK);
    ck_assert_mem_ne(cnn_model_tensor(model, 0).values, cnn_model_tensor(model, 2).values, 16);
    ck_assert_mem_ne(cnn_model_tensor(model, 2).values, cnn_model_tensor(model, 4).values, 16);
    cnn_model_destroy(model);
}
END_TEST

START_TEST(writes_shapes_as_python_does)
{
    const int shape[] = {32, 1, 3, 3};
    char text[32], small[6];
    cnn_shape_to_text(text, sizeof text, shape, 4);
    ck_assert_str_eq(text, "(32, 1, 3, 3)");
    cnn_shape_to_text(text, sizeof text, shape, 1);
    ck_assert_str_eq(text, "(32,)");
    cnn_shape_to_text(text, sizeof text, shape, 0);
    ck_assert_str_eq(text, "()");
    cnn_shape_to_text(small, sizeof small, shape, 4);
    ck_assert_str_eq(small, "(32, ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network");
    TCase *tests = tcase_create("network");
    tcase_add_loop_test(tests, follows_the_real_planes, 0, (int)(sizeof shapes / sizeof shapes[0]));
    tcase_add_loop_test(tests, refuses_what_cannot_be, 0,
                        (int)(sizeof impossible / sizeof impossible[0]));
    tcase_add_test(tests, has_the_notebooks_tensors);
    tcase_add_test(tests, lays_tensors_without_holes);
    tcase_add_test(tests, counts_the_work);
    tcase_add_test(tests, starts_where_its_seed_says);
    tcase_add_test(tests, draws_weights_as_he_does);
    tcase_add_test(tests, layers_draw_different_weights);
    tcase_add_test(tests, writes_shapes_as_python_does);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
