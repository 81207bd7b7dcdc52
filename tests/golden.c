#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "net/network.h"

enum { MAX_FILE_SIZE = 1 << 30, MAX_PATH = 4096, MAX_TENSOR_NAME = 128 };

/* Takes the rest of the line: terminates it, moves *at behind it. */
static char *take_line(char **at)
{
    char *line = *at;
    size_t length = strcspn(line, "\n");
    *at += length + (line[length] == '\n');
    line[length] = '\0';
    return line;
}

static char *take_word(char **at)
{
    char *word = *at + strspn(*at, " ");
    size_t length = strcspn(word, " \n");
    *at = word + length;
    if (**at != '\0')
        *(*at)++ = '\0';
    return word;
}

static int take_int(char **at)
{
    char *end;
    long value = strtol(*at, &end, 10);
    ck_assert_msg(end != *at && value >= 0, "golden: expected a number at '%.20s'", *at);
    *at = end;
    return (int)value;
}

static void read_tensor(golden_case *golden, char **at)
{
    ck_assert_int_lt(golden->tensor_count, GOLDEN_MAX_TENSORS);
    golden_tensor *tensor = &golden->tensors[golden->tensor_count++];
    tensor->name = take_word(at);
    tensor->rank = take_int(at);
    ck_assert_int_le(tensor->rank, GOLDEN_MAX_RANK);
    tensor->count = 1;
    for (int axis = 0; axis < GOLDEN_MAX_RANK; axis++) {
        tensor->shape[axis] = axis < tensor->rank ? take_int(at) : 1;
        tensor->count *= (size_t)tensor->shape[axis];
    }
    tensor->values = scratch_floats(tensor->count);
    for (size_t i = 0; i < tensor->count; i++) {
        char *end;
        tensor->values[i] = strtof(*at, &end);
        ck_assert_msg(end != *at, "golden: %s: expected %zu values, found %zu", tensor->name,
                      tensor->count, i);
        *at = end;
    }
    take_line(at);
}

/* Behind the lines before. */
static void add_line(char **text, const char *line)
{
    size_t before = *text ? strlen(*text) : 0, size = before + strlen(line) + 2;
    char *longer = scratch_bytes(size);
    snprintf(longer, size, "%s%s\n", *text ? *text : "", line);
    *text = longer;
}

static golden_case *add_case(golden_file *result, const char *name)
{
    ck_assert_int_lt(result->case_count, GOLDEN_MAX_CASES);
    golden_case *added = &result->cases[result->case_count++];
    added->name = name;
    return added;
}

static void parse(golden_file *result, char *at)
{
    golden_case *current = NULL;
    while (*at) {
        if (*at == '#') {
            take_line(&at);
            continue;
        }
        const char *word = take_word(&at);
        if (strcmp(word, "case") == 0) {
            current = add_case(result, take_line(&at));
            continue;
        }
        ck_assert_msg(current != NULL, "golden: expected a case first, found '%s'", word);
        if (strcmp(word, "config") == 0)
            current->config = take_line(&at);
        else if (strcmp(word, "network") == 0)
            add_line(&current->network, take_line(&at));
        else if (strcmp(word, "tensor") == 0)
            read_tensor(current, &at);
        else
            ck_abort_msg("golden: expected case, config, network or tensor, found '%s'", word);
    }
}

const golden_file *golden_load(const char *file)
{
    char path[MAX_PATH];
    const char *root = getenv("CNN_TEST_SOURCE_DIR");
    if (strchr(file, '/'))
        snprintf(path, sizeof path, "%s", file);
    else
        snprintf(path, sizeof path, "%s/tests/golden/%s", root ? root : ".", file);
    void *data;
    size_t size;
    ck_assert_msg(cnn_file_read(&data, &size, path, MAX_FILE_SIZE) == CNN_OK, "%s",
                  cnn_error_message());
    char *text = scratch_bytes(size + 1);
    memcpy(text, data, size);
    free(data);
    golden_file *result = scratch_bytes(sizeof *result);
    parse(result, text);
    ck_assert_msg(result->case_count > 0, "golden: %s: no case", path);
    return result;
}

void golden_for_each(const char *file, void (*check)(const golden_case *golden))
{
    const golden_file *loaded = golden_load(file);
    for (int i = 0; i < loaded->case_count; i++)
        check(&loaded->cases[i]);
}

const golden_tensor *golden_get(const golden_case *golden, const char *tensor)
{
    for (int i = 0; i < golden->tensor_count; i++)
        if (strcmp(golden->tensors[i].name, tensor) == 0)
            return &golden->tensors[i];
    ck_abort_msg("golden: the case %s has no tensor '%s'", golden->name, tensor);
    return NULL;
}

const float *golden_values(const golden_case *golden, const char *tensor)
{
    return golden_get(golden, tensor)->values;
}

double golden_number(const golden_case *golden, const char *tensor)
{
    const golden_tensor *found = golden_get(golden, tensor);
    ck_assert_uint_eq(found->count, 1);
    return found->values[0];
}

uint16_t *golden_labels(const golden_case *golden)
{
    const golden_tensor *found = golden_get(golden, "labels");
    uint16_t *labels = scratch_bytes(found->count * sizeof *labels);
    for (size_t i = 0; i < found->count; i++)
        labels[i] = (uint16_t)found->values[i];
    return labels;
}

cnn_shape golden_shape(const golden_case *golden, const char *tensor)
{
    const int *shape = golden_get(golden, tensor)->shape;
    return (cnn_shape){shape[1], shape[2], shape[3]};
}

/* The tensor "PREFIX.NAME" that belongs to a tensor of a model. */
static const golden_tensor *get_prefixed(const golden_case *golden, const char *prefix,
                                         const cnn_tensor_info *info)
{
    char name[MAX_TENSOR_NAME];
    snprintf(name, sizeof name, "%s.%s", prefix, info->name);
    const golden_tensor *found = golden_get(golden, name);
    ck_assert_msg(found->count == info->count && found->rank == info->rank,
                  "golden: %s, %s: expected %zu values of rank %d, found %zu of rank %d",
                  golden->name, name, info->count, info->rank, found->count, found->rank);
    return found;
}

static void check_ok(cnn_status status)
{
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
}

static cnn_model *make_model(const golden_case *golden)
{
    cnn_config config;
    cnn_network *network;
    cnn_model *model;
    if (golden->network) {
        check_ok(cnn_network_from_text(&network, "net", golden->network, golden->name, NULL));
        check_ok(cnn_model_create_network(&model, network, 0));
        cnn_network_destroy(network);
        return model;
    }
    ck_assert_ptr_nonnull(golden->config);
    check_ok(cnn_config_from_json(&config, golden->config, golden->name));
    check_ok(cnn_model_create(&model, &config, 0));
    return model;
}

cnn_model *golden_model(const golden_case *golden)
{
    cnn_model *model = make_model(golden);
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        const golden_tensor *found = get_prefixed(golden, "before", &info);
        if (info.type == CNN_FLOAT32)
            memcpy(info.values, found->values, info.count * sizeof(float));
        else
            *(int64_t *)info.values = (int64_t)found->values[0];
    }
    return model;
}

void check_golden(const golden_case *golden, const char *tensor, const float *actual,
                  double tolerance, double floor)
{
    const golden_tensor *expected = golden_get(golden, tensor);
    check_close(golden->name, tensor, actual, expected->values, expected->count, tolerance, floor);
}

void check_golden_parameters(const golden_case *golden, const char *prefix, const cnn_model *model,
                             const float *flat, double tolerance, double floor)
{
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        if (!info.trainable)
            continue;
        const golden_tensor *expected = get_prefixed(golden, prefix, &info);
        check_close(golden->name, expected->name, flat + ((float *)info.values - model->parameters),
                    expected->values, info.count, tolerance, floor);
    }
}
