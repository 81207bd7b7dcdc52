#include "exchange/state_dict.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/status.h"
#include "base/text.h"
#include "net/network.h"

enum { SHAPE_TEXT = 96 };

/* Room for one more item of a growing array. */
static cnn_status grow(void *array, size_t count, size_t *room, size_t size, const char *path)
{
    if (count < *room)
        return CNN_OK;
    void *old, *larger;
    size_t more = *room ? 2 * *room : 16, bytes;
    memcpy(&old, array, sizeof old);
    if (!cnn_multiply_size(&bytes, more, size))
        return cnn_fail_memory(SIZE_MAX, path);
    larger = realloc(old, bytes);
    if (!larger)
        return cnn_fail_memory(bytes, path);
    memcpy(array, &larger, sizeof larger);
    *room = more;
    return CNN_OK; /* cppcheck-suppress memleak; the array holds it */
}

cnn_status cnn_state_dict_add(cnn_state_dict *dict, const cnn_raw_tensor *tensor)
{
    cnn_status status =
        grow(&dict->tensors, dict->count, &dict->room, sizeof *dict->tensors, dict->path);
    if (status == CNN_OK)
        dict->tensors[dict->count++] = *tensor;
    return status;
}

cnn_status cnn_state_dict_own(cnn_state_dict *dict, void *block)
{
    cnn_status status =
        grow(&dict->blocks, dict->block_count, &dict->block_room, sizeof(void *), dict->path);
    if (status == CNN_OK)
        dict->blocks[dict->block_count++] = block;
    else
        free(block);
    return status;
}

cnn_status cnn_state_dict_own_archive(cnn_state_dict *dict, cnn_archive *archive)
{
    cnn_status status = grow(&dict->archives, dict->archive_count, &dict->archive_room,
                             sizeof *dict->archives, dict->path);
    if (status == CNN_OK)
        dict->archives[dict->archive_count++] = archive;
    else
        cnn_archive_destroy(archive);
    return status;
}

cnn_status cnn_state_dict_create(cnn_state_dict **dict, const char *path)
{
    cnn_status status = CNN_OK;
    *dict = NULL;
    CNN_TRY(cnn_allocate(dict, 1, sizeof **dict, path));
    CNN_TRY(cnn_allocate(&(*dict)->path, strlen(path) + 1, 1, path));
    memcpy((*dict)->path, path, strlen(path) + 1);
out:
    return status; /* without its path, it is the caller's to destroy all the same */
}

static int compare_tensors(const void *a, const void *b)
{
    const cnn_raw_tensor *one = a, *other = b;
    return cnn_compare_names(one->name, other->name);
}

void cnn_state_dict_sort(cnn_state_dict *dict)
{
    if (dict->count > 0)
        qsort(dict->tensors, dict->count, sizeof *dict->tensors, compare_tensors);
}

void cnn_state_dict_destroy(cnn_state_dict *dict)
{
    if (!dict)
        return;
    for (size_t i = 0; i < dict->block_count; i++)
        free(dict->blocks[i]);
    for (size_t i = 0; i < dict->archive_count; i++)
        cnn_archive_destroy(dict->archives[i]);
    free(dict->blocks);
    free(dict->archives);
    free(dict->tensors);
    free(dict->path);
    free(dict);
}

const char *cnn_state_dict_metadata(const cnn_state_dict *dict, const char *key)
{
    return dict->archive_count == 1 ? cnn_archive_metadata(dict->archives[0], key) : NULL;
}

static int compare_numbers(const char **a, const char **b)
{
    const char *one = *a + strspn(*a, "0"), *other = *b + strspn(*b, "0");
    size_t length = strspn(one, "0123456789"), other_length = strspn(other, "0123456789");
    *a = one + length;
    *b = other + other_length;
    if (length != other_length)
        return length < other_length ? -1 : 1;
    return strncmp(one, other, length);
}

int cnn_compare_names(const char *a, const char *b)
{
    const char *whole_a = a, *whole_b = b;
    while (*a && *b) {
        bool digits = cnn_is_digit(*a) && cnn_is_digit(*b);
        int order = digits ? compare_numbers(&a, &b) : (unsigned char)*a - (unsigned char)*b;
        if (order != 0)
            return order;
        a += !digits;
        b += !digits;
    }
    int order = (unsigned char)*a - (unsigned char)*b;
    return order != 0 ? order : strcmp(whole_a, whole_b);
}

void cnn_list_tensor(cnn_text *text, size_t listed, const char *name, const int *shape, int rank)
{
    char quoted[CNN_QUOTE_SIZE], shape_text[SHAPE_TEXT];
    if (listed > CNN_LISTED)
        return;
    if (listed == CNN_LISTED) {
        cnn_text_append(text, ", ...");
        return;
    }
    cnn_shape_to_text(shape_text, sizeof shape_text, shape, rank);
    cnn_text_append(text, "%s%s %s", listed ? ", " : "", cnn_quote(quoted, name), shape_text);
}

const cnn_raw_tensor *cnn_state_dict_find(const cnn_state_dict *dict, const char *name)
{
    size_t low = 0, high = dict->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = cnn_compare_names(name, dict->tensors[middle].name);
        if (order == 0)
            return &dict->tensors[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The bytes of the value at a row-major index. */
static const unsigned char *value_at(const cnn_raw_tensor *tensor, size_t index)
{
    size_t place = 0;
    for (int axis = tensor->rank - 1; axis >= 0; axis--) {
        size_t side = (size_t)tensor->shape[axis];
        place += index % side * tensor->strides[axis];
        index /= side;
    }
    return tensor->values + place * tensor->dtype->size;
}

static bool is_dense(const cnn_raw_tensor *tensor)
{
    size_t stride = 1;
    for (int axis = tensor->rank - 1; axis >= 0; axis--) {
        if (tensor->shape[axis] > 1 && tensor->strides[axis] != stride)
            return false;
        stride *= (size_t)tensor->shape[axis];
    }
    return true;
}

static cnn_status fail_type(const cnn_raw_tensor *tensor, const char *expected, const char *advice,
                            const char *path)
{
    char problem[96];
    snprintf(problem, sizeof problem, "dtype: expected %s, found '%s'%s", expected,
             tensor->dtype->name, advice);
    return cnn_archive_fail(path, tensor->name, problem);
}

bool cnn_raw_is_floats(const cnn_raw_tensor *tensor)
{
    return tensor->dtype->to_double && !tensor->dtype->is_integer;
}

cnn_status cnn_raw_fail_floats(const cnn_raw_tensor *tensor, const char *path)
{
    return fail_type(tensor, "F32, F16, BF16 or F64", ": save it with .float()", path);
}

cnn_status cnn_raw_to_float(float *values, const cnn_raw_tensor *tensor, const char *path)
{
    const cnn_dtype *dtype = tensor->dtype;
    char problem[96];
    if (!cnn_raw_is_floats(tensor))
        return cnn_raw_fail_floats(tensor, path);
    bool dense = is_dense(tensor);
    if (dense && strcmp(dtype->name, "F32") == 0) {
        if (tensor->count > 0)
            memcpy(values, tensor->values, tensor->count * sizeof *values);
        return CNN_OK;
    }
    for (size_t i = 0; i < tensor->count; i++) {
        double number =
            dtype->to_double(dense ? tensor->values + i * dtype->size : value_at(tensor, i));
        values[i] = (float)number;
        if (isfinite(number) && !isfinite(values[i])) {
            cnn_format(problem, sizeof problem,
                       "expected values in float32's range, up to %.2g, found %g", (double)FLT_MAX,
                       number);
            return cnn_archive_fail(path, tensor->name, problem);
        }
    }
    return CNN_OK;
}

cnn_status cnn_raw_to_int64(int64_t *value, const cnn_raw_tensor *tensor, const char *path)
{
    const double limit = 0x1p53;
    double number = tensor->dtype->to_double ? tensor->dtype->to_double(tensor->values) : NAN;
    if (strcmp(tensor->dtype->name, "I64") == 0) {
        memcpy(value, tensor->values, sizeof *value);
        return CNN_OK;
    }
    if (!(fabs(number) <= limit))
        return fail_type(tensor, "I64", "", path);
    *value = (int64_t)number;
    return CNN_OK;
}
