/* Constants: their types, and where their values are. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "exchange/onnx_in.h"

enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9, TENSOR_EXTERNAL = 13 };
enum { TENSOR_LOCATION = 14, IS_EXTERNAL = 1 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { BESIDE_LIMIT = INT32_MAX, MOST_BESIDE = 16 };

/* By TensorProto.DataType: as safetensors calls it; the field where values lie that are not raw,
 * and how. */
static const struct {
    const char *name;
    uint32_t field;
    cnn_wire_type wire;
} types[ONNX_TYPES] = {
    [1] = {"F32", 4, CNN_WIRE_32},      [2] = {"U8", 5, CNN_WIRE_VARINT},
    [3] = {"I8", 5, CNN_WIRE_VARINT},   [5] = {"I16", 5, CNN_WIRE_VARINT},
    [6] = {"I32", 5, CNN_WIRE_VARINT},  [7] = {"I64", 7, CNN_WIRE_VARINT},
    [9] = {"BOOL", 5, CNN_WIRE_VARINT}, [10] = {"F16", 5, CNN_WIRE_VARINT},
    [11] = {"F64", 10, CNN_WIRE_64},    [16] = {"BF16", 5, CNN_WIRE_VARINT},
};

/* Where the values of a tensor are that another file holds. */
typedef struct beside {
    char *name;
    void *data;
    size_t size;
} beside;

void cnn_onnx_close_beside(onnx_reader *reader)
{
    beside *files = reader->beside.items;
    for (size_t i = 0; i < reader->beside.count; i++)
        free(files[i].data);
}

static cnn_status fail_tensor(const onnx_reader *reader, const onnx_tensor *tensor,
                              const char *problem)
{
    char quoted[CNN_QUOTE_SIZE];
    (void)cnn_fail(CNN_ERROR_DATA, "%s: tensor '%s': %s", reader->path,
                   cnn_quote(quoted, tensor->name), problem);
    return CNN_ERROR_DATA;
}

const char *cnn_onnx_type_name(int64_t type)
{
    return type >= 0 && type < ONNX_TYPES && types[type].name ? types[type].name : "another";
}

bool cnn_onnx_is_integer(const onnx_tensor *tensor)
{
    return cnn_dtype_find(types[tensor->type].name)->is_integer;
}

static cnn_status set_count(onnx_tensor *tensor, const onnx_reader *reader)
{
    tensor->count = 1;
    for (int axis = 0; axis < tensor->rank; axis++) {
        int64_t dim = tensor->dims[axis];
        if (dim < 0 || dim > INT32_MAX ||
            (dim > 0 && tensor->count > (size_t)INT32_MAX / (size_t)dim))
            return fail_tensor(reader, tensor, "expected at most 2^31 - 1 values");
        tensor->count *= (size_t)dim;
    }
    return CNN_OK;
}

static cnn_status read_dims(onnx_tensor *tensor, const onnx_reader *reader)
{
    cnn_number_list list = {
        .rest = tensor->message, .number = TENSOR_DIMS, .wire = CNN_WIRE_VARINT};
    uint64_t dim;
    while (cnn_number_next(&dim, &list)) {
        if (tensor->rank == CNN_RAW_RANK)
            return fail_tensor(reader, tensor, "expected at most eight axes");
        tensor->dims[tensor->rank++] = dim <= INT32_MAX ? (int64_t)dim : -1;
    }
    return list.broken ? fail_tensor(reader, tensor, "its shape is broken")
                       : set_count(tensor, reader);
}

cnn_status cnn_onnx_read_tensor(onnx_tensor **tensor, onnx_reader *reader, cnn_bytes message)
{
    cnn_field name = {0}, type = {0};
    cnn_status status = CNN_OK;
    char *copy = NULL;
    CNN_TRY(cnn_onnx_take(tensor, reader, 1, sizeof **tensor));
    (*tensor)->message = message;
    (*tensor)->name = "";
    if (!cnn_proto_is_whole(message))
        return fail_tensor(reader, *tensor, "it ends too early");
    cnn_field_find(&name, message, TENSOR_NAME);
    cnn_field_find(&type, message, TENSOR_TYPE);
    CNN_TRY(cnn_onnx_take(&copy, reader, name.bytes.size + 1, 1));
    if (name.bytes.size > 0)
        memcpy(copy, name.bytes.data, name.bytes.size);
    (*tensor)->name = copy;
    if (strlen(copy) != name.bytes.size)
        return fail_tensor(reader, *tensor, "expected a name without a zero byte");
    if (type.integer >= ONNX_TYPES || !types[type.integer].name)
        return fail_tensor(reader, *tensor,
                           "expected floats or whole numbers, found values of "
                           "another type");
    (*tensor)->type = (int)type.integer;
    status = read_dims(*tensor, reader);
out:
    return status;
}

/* The entry of a tensor with values elsewhere. */
static cnn_bytes find_entry(const onnx_tensor *tensor, const char *key)
{
    cnn_field field;
    for (cnn_bytes rest = tensor->message; cnn_field_next(&field, &rest);) {
        cnn_field found = {0};
        if (field.number != TENSOR_EXTERNAL || !cnn_field_find(&found, field.bytes, ENTRY_KEY) ||
            !cnn_bytes_are(found.bytes, key))
            continue;
        found = (cnn_field){0};
        cnn_field_find(&found, field.bytes, ENTRY_VALUE);
        return found.bytes;
    }
    return (cnn_bytes){0};
}

/* The digits of an entry; `fallback` where there is none; false where it is no number. */
static bool read_number(size_t *number, cnn_bytes digits, size_t fallback)
{
    char text[24] = "";
    int64_t value = 0;
    *number = fallback;
    if (digits.size == 0)
        return true;
    if (digits.size >= sizeof text)
        return false;
    memcpy(text, digits.data, digits.size);
    if (!cnn_parse_int(&value, text, 0, INT64_MAX))
        return false;
    *number = (size_t)value;
    return true;
}

/* The file of a name beside the network's own, read once: a plain name, that leads nowhere else. */
static cnn_status open_beside(cnn_bytes *bytes, onnx_reader *reader, const onnx_tensor *tensor)
{
    cnn_bytes location = find_entry(tensor, "location");
    char name[256] = "", *folder = NULL, *path = NULL;
    cnn_status status = CNN_OK;
    if (location.size == 0 || location.size >= sizeof name || location.data[0] == '.' ||
        memchr(location.data, '/', location.size) || memchr(location.data, '\0', location.size))
        return fail_tensor(reader, tensor,
                           "its values are in another file (external data), which "
                           "is read only where it lies beside: expected a plain "
                           "name");
    memcpy(name, location.data, location.size);
    beside *files = reader->beside.items, *file = NULL;
    for (size_t i = 0; i < reader->beside.count && !file; i++)
        file = strcmp(files[i].name, name) == 0 ? &files[i] : NULL;
    if (!file) {
        if (reader->beside.count == MOST_BESIDE)
            return fail_tensor(reader, tensor, "expected external data in at most 16 files");
        file = cnn_pile_push(&reader->beside, sizeof *file);
        if (!file)
            return CNN_ERROR_MEMORY;
        CNN_TRY(cnn_onnx_take(&file->name, reader, strlen(name) + 1, 1));
        memcpy(file->name, name, strlen(name) + 1);
        CNN_TRY(cnn_path_directory(&folder, reader->path));
        CNN_TRY(cnn_path_join(&path, folder, name));
        CNN_TRY(cnn_file_read(&file->data, &file->size, path, BESIDE_LIMIT));
        reader->budget += 32 * file->size;
    }
    *bytes = (cnn_bytes){file->data, file->size};
out:
    free(folder);
    free(path);
    return status;
}

/* The bytes of its values, where they are not numbers in fields. */
static cnn_status find_bytes(cnn_bytes *bytes, bool *found, onnx_reader *reader,
                             const onnx_tensor *tensor)
{
    cnn_field location = {0}, raw = {0};
    cnn_status status = CNN_OK;
    cnn_bytes file = {0};
    size_t offset = 0, length = 0;
    cnn_field_find(&location, tensor->message, TENSOR_LOCATION);
    if (location.integer != IS_EXTERNAL) {
        *found = cnn_field_find(&raw, tensor->message, TENSOR_RAW);
        *bytes = raw.bytes;
        return CNN_OK;
    }
    *found = true;
    CNN_TRY(open_beside(&file, reader, tensor));
    if (!read_number(&offset, find_entry(tensor, "offset"), 0) || offset > file.size ||
        !read_number(&length, find_entry(tensor, "length"), file.size - offset) ||
        length > file.size - offset)
        return fail_tensor(reader, tensor,
                           "its place is outside of the file that holds its values");
    *bytes = (cnn_bytes){file.data + offset, length};
out:
    return status;
}

/* Every value, as it comes, goes to one of the lists. */
static void store(onnx_tensor *tensor, size_t i, double number, int64_t integer)
{
    if (tensor->ints)
        tensor->ints[i] = integer;
    else
        tensor->floats[i] = (float)number;
}

static cnn_status read_raw(onnx_tensor *tensor, const onnx_reader *reader, cnn_bytes bytes)
{
    const cnn_dtype *dtype = cnn_dtype_find(types[tensor->type].name);
    if (bytes.size != tensor->count * dtype->size)
        return fail_tensor(reader, tensor, "it has not as many values as its shape says");
    for (size_t i = 0; i < tensor->count; i++) {
        const unsigned char *at = bytes.data + i * dtype->size;
        int64_t integer = 0;
        double number = dtype->to_double(at);
        if (tensor->type == ONNX_INT64)
            memcpy(&integer, at, sizeof integer);
        else if (dtype->is_integer)
            integer = (int64_t)number;
        store(tensor, i, number, integer);
    }
    return CNN_OK;
}

/* A float's bits are the type's, an integer is itself, of 64 bits. */
static void store_bits(onnx_tensor *tensor, size_t i, uint64_t bits)
{
    const cnn_dtype *dtype = cnn_dtype_find(types[tensor->type].name);
    unsigned char bytes[8];
    int64_t integer = 0;
    memcpy(&integer, &bits, sizeof integer);
    for (size_t at = 0; at < sizeof bytes; at++)
        bytes[at] = (unsigned char)(bits >> (8 * at));
    store(tensor, i, dtype->is_integer ? (double)integer : dtype->to_double(bytes), integer);
}

static cnn_status read_fields(onnx_tensor *tensor, const onnx_reader *reader)
{
    cnn_number_list list = {.rest = tensor->message,
                            .number = types[tensor->type].field,
                            .wire = types[tensor->type].wire};
    uint64_t bits;
    size_t count = 0;
    while (cnn_number_next(&bits, &list)) {
        if (count < tensor->count)
            store_bits(tensor, count, bits);
        count++;
    }
    if (list.broken || count != tensor->count)
        return fail_tensor(reader, tensor, "it has not as many values as its shape says");
    return CNN_OK;
}

static cnn_status read_values(onnx_tensor *tensor, onnx_reader *reader)
{
    cnn_bytes bytes = {0};
    bool found = false;
    cnn_status status = CNN_OK;
    CNN_TRY(find_bytes(&bytes, &found, reader, tensor));
    status = found ? read_raw(tensor, reader, bytes) : read_fields(tensor, reader);
out:
    return status;
}

/* Before memory is taken: are there as many bytes? A value takes one at least. */
static cnn_status check_count(const onnx_tensor *tensor, const onnx_reader *reader)
{
    cnn_field location = {0};
    cnn_field_find(&location, tensor->message, TENSOR_LOCATION);
    return location.integer != IS_EXTERNAL && tensor->count > tensor->message.size
               ? fail_tensor(reader, tensor, "it has not as many values as its shape says")
               : CNN_OK;
}

cnn_status cnn_onnx_floats(const float **values, onnx_reader *reader, onnx_tensor *tensor)
{
    cnn_status status = CNN_OK;
    if (!tensor->floats && tensor->ints) {
        CNN_TRY(cnn_onnx_take(&tensor->floats, reader, tensor->count, sizeof *tensor->floats));
        for (size_t i = 0; i < tensor->count; i++) {
            if (tensor->ints[i] == ONNX_BATCH)
                return fail_tensor(reader, tensor, "expected numbers, found the batch");
            tensor->floats[i] = (float)tensor->ints[i];
        }
    } else if (!tensor->floats) {
        CNN_TRY(check_count(tensor, reader));
        CNN_TRY(cnn_onnx_take(&tensor->floats, reader, tensor->count, sizeof *tensor->floats));
        CNN_TRY(read_values(tensor, reader));
    }
    *values = tensor->floats;
out:
    return status;
}

cnn_status cnn_onnx_ints(const int64_t **values, onnx_reader *reader, onnx_tensor *tensor)
{
    cnn_status status = CNN_OK;
    if (!cnn_onnx_is_integer(tensor))
        return fail_tensor(reader, tensor, "expected whole numbers");
    if (!tensor->ints) {
        CNN_TRY(check_count(tensor, reader));
        CNN_TRY(cnn_onnx_take(&tensor->ints, reader, tensor->count, sizeof *tensor->ints));
        CNN_TRY(read_values(tensor, reader));
    }
    *values = tensor->ints;
out:
    return status;
}

cnn_status cnn_onnx_make_tensor(onnx_tensor **tensor, onnx_reader *reader, int type, int rank,
                                const int64_t *dims)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_take(tensor, reader, 1, sizeof **tensor));
    (*tensor)->name = "";
    (*tensor)->type = type;
    (*tensor)->rank = rank;
    for (int axis = 0; axis < rank; axis++)
        (*tensor)->dims[axis] = dims[axis];
    CNN_TRY(set_count(*tensor, reader));
    if (type == ONNX_INT64)
        status = cnn_onnx_take(&(*tensor)->ints, reader, (*tensor)->count, sizeof(int64_t));
    else
        status = cnn_onnx_take(&(*tensor)->floats, reader, (*tensor)->count, sizeof(float));
out:
    return status;
}

bool cnn_onnx_scalar(double *number, onnx_reader *reader, onnx_value *value)
{
    const float *values = NULL;
    if (!value || !value->constant || value->constant->count != 1 ||
        cnn_onnx_floats(&values, reader, value->constant) != CNN_OK)
        return false;
    *number = values[0];
    return true;
}
