/* Models: what a saved one gives back, and the files that are none. */
#include <math.h>

#include <cnncl/model.h>

#include "check_main.h"
#include "model/archive.h"
#include "net/network.h"
#include "scratch.h"

static scratch at;
static cnn_model *model;

static cnn_model *create_model(const char *const options[][2], size_t count)
{
    cnn_config config;
    cnn_model *result;
    cnn_config_init(&config);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(cnn_config_set(&config, options[i][0], options[i][1]), CNN_OK);
    ck_assert_int_eq(cnn_model_create(&result, &config, 7), CNN_OK);
    return result;
}

/* Small, with batch norm, and an odd number of values before num_batches_tracked. */
static const char *const small[][2] = {{"name", "tiny"},   {"xdim", "1,3,2"},    {"cdims", "1"},
                                       {"hdims", "none"},  {"ydim", "2"},        {"ksize", "1"},
                                       {"dropout", "0.1"}, {"batchnorm", "true"}};

static void begin(void)
{
    scratch_init(&at);
    model = create_model(small, sizeof small / sizeof small[0]);
}

static void end(void)
{
    cnn_model_destroy(model);
    scratch_finish(&at);
}

static void assert_same_model(const cnn_model *a, const cnn_model *b)
{
    ck_assert_uint_eq(cnn_model_tensor_count(a), cnn_model_tensor_count(b));
    for (size_t i = 0; i < cnn_model_tensor_count(a); i++) {
        cnn_tensor_info one = cnn_model_tensor(a, i), other = cnn_model_tensor(b, i);
        ck_assert_str_eq(one.name, other.name);
        ck_assert_int_eq(one.type, other.type);
        ck_assert_int_eq(one.trainable, other.trainable);
        ck_assert_uint_eq(one.count, other.count);
        size_t size = one.type == CNN_INT64 ? sizeof(int64_t) : sizeof(float);
        ck_assert_mem_eq(one.values, other.values, one.count * size);
    }
}

START_TEST(gives_back_what_was_saved)
{
    cnn_model *loaded;
    model->batches[1] = 123456789012;
    model->statistics[0] = -0.25f;
    const char *path = scratch_path(&at, "model");
    ck_assert_int_eq(cnn_model_save(model, path), CNN_OK);
    ck_assert_msg(cnn_model_load(&loaded, path) == CNN_OK, "%s", cnn_error_message());
    assert_same_model(model, loaded);
    const cnn_config *config = cnn_network_config(cnn_model_network(loaded));
    ck_assert_str_eq(config->name, "tiny");
    ck_assert_double_eq(config->dropout, 0.1);
    ck_assert(config->batchnorm);
    cnn_model_destroy(loaded);
}
END_TEST

START_TEST(gives_back_the_default_network)
{
    cnn_model *cnn = create_model(NULL, 0), *loaded;
    const char *path = scratch_path(&at, "model");
    ck_assert_int_eq(cnn_model_save(cnn, path), CNN_OK);
    ck_assert_int_eq(cnn_model_load(&loaded, path), CNN_OK);
    assert_same_model(cnn, loaded);
    cnn_model_destroy(cnn);
    cnn_model_destroy(loaded);
}
END_TEST

START_TEST(describes_itself)
{
    cnn_archive *archive;
    const char *path = scratch_path(&at, "model");
    ck_assert_int_eq(cnn_model_save(model, path), CNN_OK);
    ck_assert_int_eq(cnn_archive_read(&archive, path), CNN_OK);
    ck_assert_str_eq(cnn_archive_metadata(archive, "format"), "pt");
    ck_assert_str_eq(cnn_archive_metadata(archive, "cnn-cl.version"), cnn_version());
    ck_assert_ptr_nonnull(
        strstr(cnn_archive_metadata(archive, "cnn-cl.config"), "\"xdim\":[1,3,2]"));
    ck_assert_uint_eq(cnn_archive_count(archive), cnn_model_tensor_count(model));
    for (size_t i = 0; i < cnn_archive_count(archive); i++)
        ck_assert_str_eq(cnn_archive_get(archive, i)->name, cnn_model_tensor(model, i).name);
    cnn_archive_destroy(archive);
}
END_TEST

START_TEST(saves_over_the_old_file)
{
    cnn_model *loaded;
    const char *path = scratch_path(&at, "model");
    ck_assert_int_eq(cnn_model_save(model, path), CNN_OK);
    model->parameters[0] = 42.0f;
    ck_assert_int_eq(cnn_model_save(model, path), CNN_OK);
    ck_assert_int_eq(cnn_model_load(&loaded, path), CNN_OK);
    ck_assert_float_eq(loaded->parameters[0], 42.0f);
    cnn_model_destroy(loaded);
}
END_TEST

/* Writes the model's tensors, changed, under a configuration (NULL for none), and loads it. */
static void assert_refused(const cnn_tensor_info *tensors, size_t count, const char *config,
                           const char *part)
{
    const cnn_metadata metadata[] = {{"format", "pt"}, {"cnn-cl.config", config}};
    cnn_model *loaded;
    const char *path = scratch_path(&at, "model");
    ck_assert_int_eq(cnn_archive_write(path, tensors, count, metadata, config ? 2 : 1), CNN_OK);
    ck_assert_int_eq(cnn_model_load(&loaded, path), CNN_ERROR_DATA);
    ck_assert_ptr_null(loaded);
    assert_message_has(path);
    assert_message_has(part);
}

enum { MOST_TENSORS = 16 };

static size_t get_tensors(cnn_tensor_info tensors[MOST_TENSORS], char **config)
{
    size_t count = cnn_model_tensor_count(model);
    ck_assert_uint_lt(count, MOST_TENSORS);
    for (size_t i = 0; i < count; i++)
        tensors[i] = cnn_model_tensor(model, i);
    ck_assert_int_eq(cnn_config_to_json(config, cnn_network_config(model->network)), CNN_OK);
    return count;
}

START_TEST(refuses_tensors_that_do_not_fit)
{
    cnn_tensor_info tensors[MOST_TENSORS];
    char *config;
    size_t count = get_tensors(tensors, &config);
    assert_refused(tensors, count - 1, config, "tensor 'net.linear_06.bias': expected it");
    tensors[count] = tensors[0];
    tensors[count].name = "net.conv2d_99.weight";
    assert_refused(tensors, count + 1, config, "tensor 'net.conv2d_99.weight': the network has no");
    tensors[count - 1].name = "net.conv2d_99.weight";
    assert_refused(tensors, count, config, "tensor 'net.conv2d_99.weight': the network has no");
    tensors[count - 1] = cnn_model_tensor(model, count - 1);
    tensors[0].rank = 1;
    assert_refused(tensors, count, config, "shape: expected (1, 1, 1, 1), found (1,)");
    tensors[0].rank = 4;
    int64_t number = 1;
    tensors[2].type = CNN_INT64;
    tensors[2].values = &number;
    assert_refused(tensors, count, config,
                   "tensor 'net.batchnorm2d_01.weight': dtype: expected F32, found I64");
    free(config);
}
END_TEST

START_TEST(refuses_values_that_are_not_finite)
{
    cnn_tensor_info tensors[MOST_TENSORS];
    char *config;
    size_t count = get_tensors(tensors, &config);
    model->statistics[1] = NAN;
    assert_refused(tensors, count, config, "tensor 'net.batchnorm2d_01.running_var': expected fin");
    free(config);
}
END_TEST

static const struct {
    const char *config, *part;
} bad_configs[] = {
    {NULL, "cnn-cl.config with the network's options, found none: this file was not written by "},
    {"", "expected a JSON object"},
    {"[]", "expected a JSON object"},
    {"{\"name\":\"cnn\"}", "the network has no such tensor"},
    {"{\"name\":\"c\",\"xdim\":[1,1,1],\"ksize\":3,\"cdims\":[1],\"hdims\":[],\"ydim\":2,"
     "\"batchnorm\":true,\"dropout\":0.0}",
     "layer maxpool2d_03"},
    {"{\"name\":\"c\",\"xdim\":[1,8,8],\"ksize\":3,\"cdims\":[1048576,1048576],\"hdims\":[],"
     "\"ydim\":2,\"batchnorm\":true,\"dropout\":0.0}",
     "2^31 - 1"},
    {"{\"name\":\"c\",\"xdim\":[1,4096,4096],\"ksize\":1,\"cdims\":[],\"hdims\":[100],\"ydim\":2,"
     "\"batchnorm\":false,\"dropout\":0.0}",
     "the network has no such tensor"},
    /* the names of this file, but 4 GiB of values, which must not be asked for */
    {"{\"name\":\"c\",\"xdim\":[1024,2,2],\"ksize\":1,\"cdims\":[1048576],\"hdims\":[],"
     "\"ydim\":2,\"batchnorm\":true,\"dropout\":0.0}",
     "tensor 'net.conv2d_00.weight': shape: expected (1048576, 1024, 1, 1), found (1, 1, 1, 1)"},
};

START_TEST(refuses_a_bad_configuration)
{
    cnn_tensor_info tensors[MOST_TENSORS];
    char *config;
    size_t count = get_tensors(tensors, &config);
    free(config);
    assert_refused(tensors, count, bad_configs[_i].config, bad_configs[_i].part);
}
END_TEST

START_TEST(names_a_file_that_cannot_be_written)
{
    char path[SCRATCH_PATH_SIZE + 32];
    snprintf(path, sizeof path, "%s/none/model", at.folder);
    ck_assert_int_eq(cnn_model_save(model, path), CNN_ERROR_FILE);
    assert_message_has(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("model");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, gives_back_what_was_saved);
    tcase_add_test(tests, gives_back_the_default_network);
    tcase_add_test(tests, describes_itself);
    tcase_add_test(tests, saves_over_the_old_file);
    tcase_add_test(tests, refuses_tensors_that_do_not_fit);
    tcase_add_test(tests, refuses_values_that_are_not_finite);
    tcase_add_loop_test(tests, refuses_a_bad_configuration, 0,
                        (int)(sizeof bad_configs / sizeof bad_configs[0]));
    tcase_add_test(tests, names_a_file_that_cannot_be_written);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
