/* The classes and functions that files of tensors name, and what their calls would give. */
#include <limits.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/pickle.h"

/* Expanded tensors have more values than their storage; so many are let pass. */
enum { MOST_EXPANDED = 1 << 16, NAME_SIZE = 64 };

typedef cnn_status (*call)(cnn_pickle_value **value, cnn_pickle *pickle,
                           const cnn_pickle_global *global, cnn_pickle_value *const *arguments,
                           size_t count);

struct cnn_pickle_global {
    const char *modules[2]; /* in Python 3, in Python 2 or in older PyTorch */
    const char *name;
    call call;         /* NULL: is not called */
    int detail;        /* the call's own */
    const char *dtype; /* of a storage, or the type itself */
    bool is_storage;
};

static cnn_status fail_call(cnn_pickle *pickle, const cnn_pickle_global *global)
{
    return cnn_pickle_fail(pickle, "'%s.%s': arguments of another kind than expected",
                           global->modules[0], global->name);
}

/* An empty container, or one with what another holds. */
static cnn_status call_container(cnn_pickle_value **value, cnn_pickle *pickle,
                                 const cnn_pickle_global *global,
                                 cnn_pickle_value *const *arguments, size_t count)
{
    cnn_pickle_kind kind = (cnn_pickle_kind)global->detail;
    const cnn_pickle_value *from = count > 0 ? arguments[count - 1] : NULL;
    cnn_status status = cnn_pickle_make(value, pickle, kind);
    if (!from || from->kind == CNN_PICKLE_GLOBAL || status != CNN_OK)
        return status; /* a defaultdict names its type of values */
    bool fits = kind == CNN_PICKLE_DICT
                    ? from->kind == CNN_PICKLE_DICT
                    : from->kind >= CNN_PICKLE_TUPLE && from->kind <= CNN_PICKLE_SET;
    if (!fits)
        return fail_call(pickle, global);
    for (size_t i = 0; status == CNN_OK && i < from->list.count; i++)
        status = cnn_pickle_append(*value, pickle, from->list.items[i]);
    return status;
}

/* An OrderedDict of Python 2 comes as a list of pairs. */
static cnn_status call_dict(cnn_pickle_value **value, cnn_pickle *pickle,
                            const cnn_pickle_global *global, cnn_pickle_value *const *arguments,
                            size_t count)
{
    if (count != 1 || arguments[0]->kind != CNN_PICKLE_LIST)
        return call_container(value, pickle, global, arguments, count);
    cnn_status status = cnn_pickle_make(value, pickle, CNN_PICKLE_DICT);
    for (size_t i = 0; status == CNN_OK && i < arguments[0]->list.count; i++) {
        const cnn_pickle_value *pair = arguments[0]->list.items[i];
        if ((pair->kind != CNN_PICKLE_LIST && pair->kind != CNN_PICKLE_TUPLE) ||
            pair->list.count != 2)
            return fail_call(pickle, global);
        CNN_TRY(cnn_pickle_append(*value, pickle, pair->list.items[0]));
        CNN_TRY(cnn_pickle_append(*value, pickle, pair->list.items[1]));
    }
out:
    return status;
}

/* Numbers and names that no tensor needs. */
static cnn_status call_opaque(cnn_pickle_value **value, cnn_pickle *pickle,
                              const cnn_pickle_global *global, cnn_pickle_value *const *arguments,
                              size_t count)
{
    (void)global;
    (void)arguments;
    (void)count;
    return cnn_pickle_make(value, pickle, CNN_PICKLE_OPAQUE);
}

/* A parameter is its tensor. */
static cnn_status call_parameter(cnn_pickle_value **value, cnn_pickle *pickle,
                                 const cnn_pickle_global *global,
                                 cnn_pickle_value *const *arguments, size_t count)
{
    if (count == 0 || arguments[0]->kind != CNN_PICKLE_TENSOR)
        return fail_call(pickle, global);
    *value = arguments[0];
    return CNN_OK;
}

/* A tensor with attributes: function, type, arguments, state. */
static cnn_status call_typed(cnn_pickle_value **value, cnn_pickle *pickle,
                             const cnn_pickle_global *global, cnn_pickle_value *const *arguments,
                             size_t count)
{
    bool fits = count >= 3 && arguments[0]->kind == CNN_PICKLE_GLOBAL &&
                arguments[0]->global->call && arguments[0]->global->call != call_typed;
    return fits ? cnn_pickle_call(value, pickle, arguments[0], arguments[2])
                : fail_call(pickle, global);
}

/* A tuple of sizes that are 0 or more. */
static bool read_sizes(size_t sizes[CNN_RAW_RANK], const cnn_pickle_value *tuple, int64_t most)
{
    if (tuple->kind != CNN_PICKLE_TUPLE || tuple->list.count > CNN_RAW_RANK)
        return false;
    for (size_t i = 0; i < tuple->list.count; i++) {
        const cnn_pickle_value *item = tuple->list.items[i];
        if (item->kind != CNN_PICKLE_INT || item->integer < 0 || item->integer > most)
            return false;
        sizes[i] = (size_t)item->integer;
    }
    return true;
}

/* Does every value of the tensor lie in its view of a storage? */
static bool lies_within(const cnn_pickle_tensor *tensor, size_t offset)
{
    const cnn_raw_tensor *raw = &tensor->raw;
    size_t count = tensor->view.count, last = offset, step;
    if (raw->count == 0)
        return offset <= count;
    for (int axis = 0; axis < raw->rank; axis++) {
        if (!cnn_multiply_size(&step, (size_t)raw->shape[axis] - 1, raw->strides[axis]) ||
            step > SIZE_MAX - last)
            return false;
        last += step;
    }
    return last < count && (raw->count <= count || raw->count <= MOST_EXPANDED);
}

static cnn_status fill_shape(cnn_raw_tensor *raw, cnn_pickle *pickle,
                             const cnn_pickle_global *global, cnn_pickle_value *const *arguments)
{
    size_t shape[CNN_RAW_RANK] = {0};
    if (!read_sizes(shape, arguments[2], INT_MAX) ||
        !read_sizes(raw->strides, arguments[3], INT64_MAX) ||
        arguments[2]->list.count != arguments[3]->list.count)
        return fail_call(pickle, global);
    raw->rank = (int)arguments[2]->list.count;
    raw->count = 1;
    for (int axis = 0; axis < raw->rank; axis++) {
        raw->shape[axis] = (int)shape[axis];
        if (!cnn_multiply_size(&raw->count, raw->count, shape[axis]))
            return fail_call(pickle, global);
    }
    return CNN_OK;
}

/* storage, offset, shape, strides, and more that does not matter; detail is the place of the type
 * where that is not the storage's. */
static cnn_status call_tensor(cnn_pickle_value **value, cnn_pickle *pickle,
                              const cnn_pickle_global *global, cnn_pickle_value *const *arguments,
                              size_t count)
{
    size_t type = (size_t)global->detail;
    cnn_pickle_tensor *tensor;
    cnn_status status = CNN_OK;
    if (count < 4 || count <= type || arguments[0]->kind != CNN_PICKLE_STORAGE ||
        arguments[1]->kind != CNN_PICKLE_INT || arguments[1]->integer < 0)
        return fail_call(pickle, global);
    CNN_TRY(cnn_pickle_allocate(&tensor, pickle, sizeof *tensor));
    tensor->view = arguments[0]->view;
    if (type > 0) {
        if (arguments[type]->kind != CNN_PICKLE_GLOBAL || !arguments[type]->global->dtype)
            return fail_call(pickle, global);
        size_t width = tensor->view.dtype->size;
        tensor->view.dtype = cnn_dtype_find(arguments[type]->global->dtype);
        tensor->view.offset = tensor->view.offset * width / tensor->view.dtype->size;
        tensor->view.count = tensor->view.count * width / tensor->view.dtype->size;
    }
    CNN_TRY(fill_shape(&tensor->raw, pickle, global, arguments));
    if (!lies_within(tensor, (size_t)arguments[1]->integer))
        return cnn_pickle_fail(pickle, "a tensor that reaches beyond the %zu values of its storage",
                               tensor->view.count);
    tensor->raw.dtype = tensor->view.dtype;
    tensor->view.offset += (size_t)arguments[1]->integer;
    CNN_TRY(cnn_pickle_make(value, pickle, CNN_PICKLE_TENSOR));
    (*value)->tensor = tensor;
out:
    return status;
}

#define STORAGE(prefix, type)                                                                      \
    {                                                                                              \
        {"torch", "torch.cuda"}, prefix "Storage", NULL, 0, type, true                             \
    }
#define TYPE(name, type)                                                                           \
    {                                                                                              \
        {"torch"}, name, NULL, 0, type, false                                                      \
    }
#define BUILTIN(name, call, detail)                                                                \
    {                                                                                              \
        {"builtins", "__builtin__"}, name, call, detail, NULL, false                               \
    }

static const cnn_pickle_global globals[] = {
    {{"collections"}, "OrderedDict", call_dict, CNN_PICKLE_DICT, NULL, false},
    {{"collections"}, "defaultdict", call_container, CNN_PICKLE_DICT, NULL, false},
    {{"collections"}, "Counter", call_container, CNN_PICKLE_DICT, NULL, false},
    BUILTIN("set", call_container, CNN_PICKLE_SET),
    BUILTIN("frozenset", call_container, CNN_PICKLE_SET),
    BUILTIN("list", call_container, CNN_PICKLE_LIST),
    BUILTIN("dict", call_container, CNN_PICKLE_DICT),
    BUILTIN("int", NULL, 0),
    BUILTIN("float", NULL, 0),
    BUILTIN("complex", call_opaque, 0),
    {{"_codecs"}, "encode", call_opaque, 0, NULL, false}, /* bytes in protocol 2 */
    {{"torch"}, "Size", call_container, CNN_PICKLE_TUPLE, NULL, false},
    {{"torch"}, "device", call_opaque, 0, NULL, false},
    {{"torch"}, "Tensor", NULL, 0, NULL, false},
    {{"torch.nn.parameter", "torch.nn"}, "Parameter", call_parameter, 0, NULL, false},
    {{"torch._utils"}, "_rebuild_tensor", call_tensor, 0, NULL, false},
    {{"torch._utils"}, "_rebuild_tensor_v2", call_tensor, 0, NULL, false},
    {{"torch._utils"}, "_rebuild_tensor_v3", call_tensor, 6, NULL, false},
    {{"torch._utils"}, "_rebuild_parameter", call_parameter, 0, NULL, false},
    {{"torch._utils"}, "_rebuild_parameter_with_state", call_parameter, 0, NULL, false},
    {{"torch._tensor", "torch.tensor"}, "_rebuild_from_type_v2", call_typed, 0, NULL, false},
    STORAGE("Float", "F32"),
    STORAGE("Half", "F16"),
    STORAGE("BFloat16", "BF16"),
    STORAGE("Double", "F64"),
    STORAGE("Long", "I64"),
    STORAGE("Int", "I32"),
    STORAGE("Short", "I16"),
    STORAGE("Char", "I8"),
    STORAGE("Byte", "U8"),
    STORAGE("Bool", "BOOL"),
    STORAGE("ComplexFloat", "C64"),
    STORAGE("ComplexDouble", "C128"),
    {{"torch.storage"}, "UntypedStorage", NULL, 0, "U8", true},
    {{"torch.storage"}, "_UntypedStorage", NULL, 0, "U8", true},
    TYPE("float32", "F32"),
    TYPE("float16", "F16"),
    TYPE("bfloat16", "BF16"),
    TYPE("float64", "F64"),
    TYPE("int64", "I64"),
    TYPE("int32", "I32"),
    TYPE("int16", "I16"),
    TYPE("int8", "I8"),
    TYPE("uint8", "U8"),
    TYPE("bool", "BOOL"),
    TYPE("uint16", "U16"),
    TYPE("uint32", "U32"),
    TYPE("uint64", "U64"),
    TYPE("complex64", "C64"),
    TYPE("complex128", "C128"),
    TYPE("float8_e4m3fn", "F8_E4M3"),
    TYPE("float8_e5m2", "F8_E5M2"),
};

static bool is_module(const cnn_pickle_global *global, const char *module)
{
    return strcmp(global->modules[0], module) == 0 ||
           (global->modules[1] && strcmp(global->modules[1], module) == 0);
}

cnn_status cnn_pickle_find_global(cnn_pickle_value **value, cnn_pickle *pickle, const char *module,
                                  const char *name)
{
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++) {
        if (strcmp(globals[i].name, name) != 0 || !is_module(&globals[i], module))
            continue;
        cnn_status status = cnn_pickle_make(value, pickle, CNN_PICKLE_GLOBAL);
        if (status == CNN_OK)
            (*value)->global = &globals[i];
        return status;
    }
    char quoted[2][CNN_QUOTE_SIZE];
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: refused for '%s.%s' in it: only tensors, numbers, strings and containers "
                    "are taken, and nothing in a file is run; save the weights alone: "
                    "torch.save(model.state_dict(), FILE)",
                    pickle->path, cnn_quote(quoted[0], module), cnn_quote(quoted[1], name));
}

cnn_status cnn_pickle_call(cnn_pickle_value **value, cnn_pickle *pickle,
                           const cnn_pickle_value *callable, const cnn_pickle_value *arguments)
{
    if (callable->kind != CNN_PICKLE_GLOBAL || arguments->kind != CNN_PICKLE_TUPLE)
        return cnn_pickle_fail(pickle, "expected a function with its arguments, found something "
                                       "else");
    if (!callable->global->call)
        return cnn_pickle_fail(pickle, "'%s.%s' is not called in files of tensors",
                               callable->global->modules[0], callable->global->name);
    return callable->global->call(value, pickle, callable->global, arguments->list.items,
                                  arguments->list.count);
}

/* A storage that is part of another, as PyTorch had before 0.4: key, offset, count. */
static bool narrow(cnn_pickle_view *view, const cnn_pickle_value *part)
{
    if (part->kind != CNN_PICKLE_TUPLE)
        return part->kind == CNN_PICKLE_OPAQUE;
    cnn_pickle_value *const *items = part->list.items;
    if (part->list.count != 3 || items[1]->kind != CNN_PICKLE_INT ||
        items[2]->kind != CNN_PICKLE_INT || items[1]->integer < 0 || items[2]->integer < 0 ||
        (uint64_t)items[1]->integer > view->count ||
        (uint64_t)items[2]->integer > view->count - (uint64_t)items[1]->integer)
        return false;
    view->offset = (size_t)items[1]->integer;
    view->count = (size_t)items[2]->integer;
    return true;
}

cnn_status cnn_pickle_find_view(cnn_pickle_value **value, cnn_pickle *pickle,
                                const cnn_pickle_value *id)
{
    cnn_pickle_value *const *items = id->list.items;
    const char *key;
    size_t size;
    cnn_status status = CNN_OK;
    /* ("storage", type, key, device, count[, part]) */
    if (id->kind != CNN_PICKLE_TUPLE || id->list.count < 5 ||
        !cnn_pickle_is_text(items[0], "storage") || items[1]->kind != CNN_PICKLE_GLOBAL ||
        !items[1]->global->is_storage || items[4]->kind != CNN_PICKLE_INT || items[4]->integer < 0)
        return cnn_pickle_fail(pickle, "expected what stands for a storage, found something else");
    cnn_pickle_view view = {.dtype = cnn_dtype_find(items[1]->global->dtype),
                            .count = (size_t)items[4]->integer};
    if (!cnn_multiply_size(&size, view.count, view.dtype->size))
        return cnn_pickle_fail(pickle, "a storage of more bytes than memory can address");
    CNN_TRY(cnn_pickle_copy_text(&key, pickle, items[2]));
    if (!pickle->find_storage)
        return cnn_pickle_fail(pickle, "expected no storage here, found '%.64s'", key);
    CNN_TRY(pickle->find_storage(&view.storage, pickle->user, key, view.dtype, view.count));
    if (id->list.count > 5 && !narrow(&view, items[5]))
        return cnn_pickle_fail(pickle, "expected a part of a storage, found something else");
    CNN_TRY(cnn_pickle_make(value, pickle, CNN_PICKLE_STORAGE));
    (*value)->view = view;
out:
    return status;
}
