/* Exported and imported models, as far as no other program is needed to judge them. */
#include <math.h>

#include <cnncl/exchange.h>

#include "base/file.h"
#include "check_main.h"
#include "exchange/exchange.h"
#include "exchange/onnx.pb-c.h"
#include "exchange/state_dict.h"
#include "net/network.h"
#include "scratch.h"

static scratch at;
static cnn_model *model;
static char last_line[512];

static void keep_line(cnn_log_level level, const char *line, void *user)
{
    (void)user;
    ck_assert_int_eq(level, CNN_LOG_INFO);
    snprintf(last_line, sizeof last_line, "%s", line);
}

static void make_config(cnn_config *config, const char *const options[][2], size_t count)
{
    cnn_config_init(config);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(cnn_config_set(config, options[i][0], options[i][1]), CNN_OK);
}

static void begin(void)
{
    static const char *const small[][2] = {{"name", "tiny"},     {"xdim", "2,8,5"}, {"cdims", "3"},
                                           {"hdims", "4"},       {"ydim", "2"},     {"ksize", "4"},
                                           {"batchnorm", "true"}};
    cnn_config config;
    make_config(&config, small, sizeof small / sizeof small[0]);
    scratch_init(&at);
    ck_assert_int_eq(cnn_model_create(&model, &config, 7), CNN_OK);
    cnn_log_set_callback(keep_line, NULL);
    last_line[0] = '\0';
}

static void end(void)
{
    cnn_log_set_callback(NULL, NULL);
    cnn_model_destroy(model);
    scratch_finish(&at);
}

static void assert_names(const Onnx__NodeProto *node, const char *operator, size_t inputs,
                         const char *last)
{
    ck_assert_str_eq(node->op_type, operator);
    ck_assert_uint_eq(node->n_input, inputs);
    ck_assert_str_eq(node->input[inputs - 1], last);
}

START_TEST(onnx_has_a_node_for_each_layer)
{
    void *data;
    size_t size;
    const char *path = scratch_path(&at, "model.onnx");
    ck_assert_int_eq(cnn_model_export_onnx(model, path), CNN_OK);
    ck_assert_int_eq(cnn_file_read(&data, &size, path, 1 << 20), CNN_OK);
    Onnx__ModelProto *read = onnx__model_proto__unpack(NULL, size, data);
    ck_assert_ptr_nonnull(read);
    const Onnx__GraphProto *graph = read->graph;
    ck_assert_uint_eq(graph->n_node, 8);
    assert_names(graph->node[0], "Conv", 3, "net.conv2d_00.bias");
    assert_names(graph->node[1], "BatchNormalization", 5, "net.batchnorm2d_01.running_var");
    assert_names(graph->node[2], "Relu", 1, "net.batchnorm2d_01/output");
    assert_names(graph->node[3], "MaxPool", 1, "net.relu_02/output");
    assert_names(graph->node[4], "Flatten", 1, "net.maxpool2d_03/output");
    assert_names(graph->node[5], "Gemm", 3, "net.linear_06.bias");
    assert_names(graph->node[7], "Gemm", 3, "net.linear_08.bias");
    ck_assert_str_eq(graph->node[0]->input[0], "image");
    ck_assert_str_eq(graph->node[7]->output[0], "logits");
    ck_assert_uint_eq(graph->n_initializer, 10);
    ck_assert_int_eq(graph->node[0]->attribute[2]->ints[3], 2); /* ksize / 2 */
    onnx__model_proto__free_unpacked(read, NULL);
    free(data);
}
END_TEST

typedef cnn_status (*export_function)(const cnn_model *model, const char *path);
static const export_function exports[] = {cnn_model_export_onnx, cnn_model_export_npz};

START_TEST(values_that_are_not_finite_are_not_written)
{
    const char *path = scratch_path(&at, "old");
    ck_assert_int_eq(exports[_i](model, path), CNN_OK);
    model->statistics[1] = INFINITY;
    ck_assert_int_eq(exports[_i](model, path), CNN_ERROR_DATA);
    assert_message_has("tensor 'net.batchnorm2d_01.running_mean': expected finite values");
    ck_assert_int_eq(exports[_i](model, scratch_path(&at, "new")), CNN_ERROR_DATA);
    ck_assert(!cnn_file_exists(at.path));
    ck_assert(cnn_file_exists(scratch_path(&at, "old")));
}
END_TEST

START_TEST(the_file_that_was_there_stays_whole)
{
    char folder[2 * SCRATCH_PATH_SIZE];
    snprintf(folder, sizeof folder, "%s/none/model", at.folder);
    ck_assert_int_eq(exports[_i](model, folder), CNN_ERROR_FILE);
    assert_message_has("none/model: cannot be written");
    /* a folder of that name is not replaced, and nothing stays beside it */
    ck_assert_int_eq(exports[_i](model, at.folder), CNN_ERROR_FILE);
    snprintf(folder, sizeof folder, "%s", at.folder);
    const char *name = strrchr(folder, '/') + 1;
    *strrchr(folder, '/') = '\0';
    DIR *parent = opendir(folder);
    ck_assert_ptr_nonnull(parent);
    for (const struct dirent *entry; (entry = readdir(parent)) != NULL;)
        ck_assert(strncmp(entry->d_name, name, strlen(name)) != 0 ||
                  strlen(entry->d_name) == strlen(name));
    closedir(parent);
}
END_TEST

/* 2.4 GB of weights; the model is only described, and takes none of it. */
START_TEST(onnx_holds_less_than_2_gib)
{
    static const char *const large[][2] = {
        {"xdim", "1,200,300"}, {"cdims", "none"}, {"hdims", "10000"}};
    cnn_config config;
    cnn_model *described;
    make_config(&config, large, sizeof large / sizeof large[0]);
    cnn_network *network;
    ck_assert_int_eq(cnn_network_create(&network, &config), CNN_OK);
    ck_assert_int_eq(cnn_model_describe(&described, network), CNN_OK);
    cnn_network_destroy(network);
    const char *path = scratch_path(&at, "model.onnx");
    ck_assert_int_eq(cnn_model_export_onnx(described, path), CNN_ERROR_ARGUMENT);
    assert_message_has("less than 2 GiB");
    assert_message_has("npz");
    ck_assert(!cnn_file_exists(path));
    cnn_model_destroy(described);
}
END_TEST

/* The tensors without the metadata that a saved model has. */
static const char *write_state(const cnn_model *from)
{
    cnn_tensor_info tensors[16];
    size_t count = cnn_model_tensor_count(from);
    ck_assert_uint_le(count, sizeof tensors / sizeof tensors[0]);
    for (size_t i = 0; i < count; i++)
        tensors[count - 1 - i] = cnn_model_tensor(from, i); /* their order does not matter */
    const char *path = scratch_path(&at, "state");
    ck_assert_int_eq(cnn_archive_write(path, tensors, count, NULL, 0), CNN_OK);
    return path;
}

START_TEST(import_gives_back_the_model)
{
    static const int xdim[] = {2, 8, 5};
    cnn_model *imported;
    cnn_import_options options;
    cnn_import_options_init(&options);
    options.name = "tiny";
    options.xdim = xdim;
    options.dropout = 0.125;
    options.normalization = "0.5,1e-3:2";
    const char *path = write_state(model);
    ck_assert_msg(cnn_model_import(&imported, path, &options) == CNN_OK, "%s", cnn_error_message());
    ck_assert_str_eq(last_line, "");
    const cnn_config *config = cnn_network_config(cnn_model_network(imported));
    ck_assert_str_eq(config->name, "tiny");
    ck_assert_mem_eq(config->xdim, xdim, sizeof xdim);
    ck_assert_double_eq(config->dropout, 0.125);
    ck_assert_str_eq(cnn_model_normalization(imported), "0.5,0.001:2.0,2.0");
    ck_assert(config->batchnorm);
    ck_assert_int_eq(config->ksize, 4);
    size_t bytes = model->network->parameter_count * sizeof(float);
    ck_assert_uint_eq(imported->network->parameter_count, model->network->parameter_count);
    ck_assert_mem_eq(imported->parameters, model->parameters, bytes);
    cnn_model_destroy(imported);
    options.xdim = NULL;
    ck_assert_int_eq(cnn_model_import(&imported, path, &options), CNN_ERROR_DATA);
    assert_message_has("'net.linear_06.weight': its 36 inputs are no square planes");
    ck_assert_ptr_null(imported);
}
END_TEST

START_TEST(options_out_of_range_are_the_callers)
{
    static const int xdim[] = {1, 0, 5};
    static const struct {
        cnn_import_options options;
        const char *part;
    } cases[] = {
        {{.dropout = 1.0}, "--dropout: expected a number in [0, 1), found 1"},
        {{.dropout = NAN}, "--dropout: expected"},
        {{.xdim = xdim}, "--xdim: expected 1 to 65535, found 0"},
        {{.name = "a/b"}, "--name: expected"},
        {{.name = "a_name_of_more_than_sixty_three_characters_is_not_taken_but_refused"},
         "--name: expected at most 63 characters, found 67"},
    };
    cnn_model *imported;
    const char *path = write_state(model);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(cnn_model_import(&imported, path, &cases[i].options), CNN_ERROR_ARGUMENT);
        assert_message_has(cases[i].part);
    }
}
END_TEST

static bool flip_bit(FILE *file, long bit)
{
    if (fseek(file, bit / 8, SEEK_SET) != 0)
        return false;
    int byte = fgetc(file) ^ 1 << bit % 8;
    return fseek(file, bit / 8, SEEK_SET) == 0 && fputc(byte, file) == byte && fflush(file) == 0;
}

/* Of a header with a flipped bit nearly all are refused; a count of batches under another name is
 * let pass, as such may lack. Check takes long to count thousands of
 * assertions, so that one is made at last. */
START_TEST(import_survives_every_flipped_bit_of_the_header)
{
    static const int xdim[] = {2, 8, 5};
    static const cnn_import_options options = {.xdim = xdim, .dropout = -1.0};
    uint64_t length;
    cnn_model *imported;
    const char *path = write_state(model);
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(&length, sizeof length, 1, file), 1);
    long bits = 8 * (long)(sizeof length + length), good = 0, refused = 0;
    for (long bit = 0; bit < bits; bit++) {
        if (!flip_bit(file, bit))
            ck_abort_msg("%s: bit %ld cannot be flipped", path, bit);
        cnn_status status = cnn_model_import(&imported, path, &options);
        good += status == CNN_OK && imported;
        refused += status == CNN_ERROR_DATA && !imported;
        cnn_model_destroy(imported);
        flip_bit(file, bit);
    }
    fclose(file);
    ck_assert_int_eq(good + refused, bits);
    ck_assert_int_gt(refused, bits - bits / 15);
}
END_TEST

/* One tensor of another type, its bytes, and the floats that they are. */
static const struct {
    const char *type;
    unsigned char bytes[16];
    float values[2];
} conversions[] = {
    {"F16", {0x00, 0x3c, 0x01, 0x80}, {1.0f, -0x1p-24f}},
    {"F16", {0xff, 0x7b, 0x00, 0x04}, {65504.0f, 0x1p-14f}},
    {"F16", {0x00, 0xfc, 0x55, 0x35}, {-INFINITY, 0.333251953125f}},
    {"F16", {0x00, 0x80, 0xff, 0x03}, {-0.0f, 0x1.ff8p-15f}},
    {"BF16", {0x80, 0x3f, 0x49, 0xc0}, {1.0f, -3.140625f}},
    {"F64", {0, 0, 0, 0, 0, 0, 0xf0, 0xbf, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f}, {-1.0f, 0.5f}},
};

START_TEST(other_types_become_floats)
{
    char text[256];
    size_t size = strcmp(conversions[_i].type, "F64") == 0 ? 16 : 4;
    int length = snprintf(text + 8, sizeof text - 8,
                          "{\"x\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,%zu]}}",
                          conversions[_i].type, size);
    uint64_t declared = (uint64_t)length;
    memcpy(text, &declared, sizeof declared);
    memcpy(text + 8 + length, conversions[_i].bytes, size);
    scratch_write(&at, "x", text, 8 + (size_t)length + size);
    cnn_archive *archive;
    cnn_state_dict *dict;
    float values[2];
    const char *path = scratch_path(&at, "x");
    ck_assert_int_eq(cnn_archive_read(&archive, path), CNN_ERROR_DATA);
    assert_message_has("dtype: expected F32 or I64, found");
    ck_assert_int_eq(cnn_state_dict_read(&dict, path), CNN_OK);
    const cnn_raw_tensor *tensor = cnn_state_dict_find(dict, "x");
    ck_assert_str_eq(tensor->dtype->name, conversions[_i].type);
    ck_assert_int_eq(cnn_raw_to_float(values, tensor, path), CNN_OK);
    ck_assert_mem_eq(values, conversions[_i].values, sizeof values);
    cnn_state_dict_destroy(dict);
}
END_TEST

START_TEST(names_are_in_natural_order)
{
    static const char *const sorted[] = {"a",      "a.1",      "a.2.b",     "a.10",
                                         "a.10.x", "conv2",    "conv9",     "conv10",
                                         "fc",     "fc1.bias", "fc1.weight"};
    for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++)
        for (size_t j = 0; j < sizeof sorted / sizeof sorted[0]; j++) {
            int order = cnn_compare_names(sorted[i], sorted[j]);
            ck_assert_msg((order < 0) == (i < j), "%s, %s", sorted[i], sorted[j]);
            ck_assert_int_eq(order == 0, i == j);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exchange");
    TCase *tests = tcase_create("exchange");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, onnx_has_a_node_for_each_layer);
    tcase_add_loop_test(tests, values_that_are_not_finite_are_not_written, 0, 2);
    tcase_add_loop_test(tests, the_file_that_was_there_stays_whole, 0, 2);
    tcase_add_test(tests, onnx_holds_less_than_2_gib);
    tcase_add_test(tests, import_gives_back_the_model);
    tcase_add_test(tests, options_out_of_range_are_the_callers);
    tcase_add_test(tests, import_survives_every_flipped_bit_of_the_header);
    tcase_add_loop_test(tests, other_types_become_floats, 0,
                        (int)(sizeof conversions / sizeof conversions[0]));
    tcase_add_test(tests, names_are_in_natural_order);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
