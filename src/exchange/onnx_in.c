/* A network that is an ONNX file. */
#include "exchange/onnx_in.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/signature.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/exchange.h"
#include "model/format.h"
#include "net/network.h"

void cnn_onnx_say(const onnx_reader *reader, const onnx_node *node, const char *format, ...)
{
    char message[512], name[CNN_QUOTE_SIZE], op[CNN_QUOTE_SIZE];
    const char *called = node->name;
    va_list arguments;
    va_start(arguments, format);
    cnn_format_list(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!called[0] && node->output_count > 0 && node->outputs[0] >= 0)
        called = cnn_onnx_value(reader, node->outputs[0])->name;
    (void)cnn_fail(CNN_ERROR_DATA, "%s: node '%s' (%s): %s", reader->path, cnn_quote(name, called),
                   cnn_quote(op, node->op), message);
}

cnn_status cnn_onnx_charge(onnx_reader *reader, size_t bytes)
{
    if (bytes >= reader->budget) {
        (void)cnn_fail(CNN_ERROR_DATA,
                       "%s: expected a network of about the file's %zu bytes, found one that "
                       "takes much more memory",
                       reader->path, reader->size);
        return CNN_ERROR_DATA;
    }
    reader->budget -= bytes;
    return CNN_OK;
}

cnn_status cnn_onnx_take(void *memory, onnx_reader *reader, size_t count, size_t size)
{
    enum { OVERHEAD = 48 }; /* of a small block, and of the list of them */
    void **block = NULL, *made = NULL;
    size_t bytes = 0;
    cnn_status status = CNN_OK;
    bool fits = cnn_multiply_size(&bytes, count, size) && bytes < SIZE_MAX - OVERHEAD;
    CNN_TRY(cnn_onnx_charge(reader, fits ? bytes + OVERHEAD : SIZE_MAX));
    block = cnn_pile_push(&reader->blocks, sizeof *block);
    if (!block)
        return CNN_ERROR_MEMORY;
    CNN_TRY(cnn_allocate(&made, count, size, reader->path));
    *block = made;
    memcpy(memory, &made, sizeof made);
out:
    return status;
}

onnx_value *cnn_onnx_input(const onnx_reader *reader, const onnx_node *node, int i)
{
    return i < node->input_count && node->inputs[i] >= 0 ? cnn_onnx_value(reader, node->inputs[i])
                                                         : NULL;
}

/* What the output follows from, and how many nodes read each value. */
static void find_readers(onnx_reader *reader)
{
    cnn_onnx_value(reader, reader->output)->wanted = true;
    cnn_onnx_value(reader, reader->output)->readers = 1;
    for (int n = (int)reader->nodes.count - 1; n >= 0; n--) {
        onnx_node *node = cnn_onnx_node_at(reader, n);
        for (int i = 0; i < node->output_count; i++)
            node->wanted = node->wanted || (node->outputs[i] >= 0 &&
                                            cnn_onnx_value(reader, node->outputs[i])->wanted);
        for (int i = 0; node->wanted && i < node->input_count; i++) {
            onnx_value *value = cnn_onnx_input(reader, node, i);
            bool again = i > 0 && node->inputs[i] == node->inputs[i - 1];
            if (!value)
                continue;
            value->wanted = true;
            value->readers += !again && strcmp(node->op, "Shape") != 0;
        }
    }
}

/* Does a Reshape make (1, H, W) of (H, W, 1)? */
static bool moves_one_channel(onnx_reader *reader, const onnx_node *node)
{
    const onnx_value *input = cnn_onnx_value(reader, reader->input);
    onnx_value *shape = cnn_onnx_input(reader, node, 1);
    const int64_t *to = NULL;
    if (strcmp(node->op, "Reshape") != 0 || !shape || !shape->constant ||
        shape->constant->count != 4 || input->dims[2] != 1 || input->dims[0] == 1)
        return false;
    return cnn_onnx_ints(&to, reader, shape->constant) == CNN_OK && to[1] == 1 &&
           to[2] == input->dims[0] && to[3] == input->dims[1];
}

/* Does the first thing that happens to the input make (C, H, W) of it? tf2onnx writes such. */
static bool is_rows_first(onnx_reader *reader)
{
    int64_t order[4];
    int count = -1;
    for (int n = 0; n < (int)reader->nodes.count; n++) {
        const onnx_node *node = cnn_onnx_node_at(reader, n);
        if (!node->wanted || node->input_count < 1 || node->inputs[0] != reader->input)
            continue;
        if (moves_one_channel(reader, node))
            return true;
        if (strcmp(node->op, "Transpose") == 0 &&
            cnn_onnx_int_list(order, &count, node, "perm", 4) && count == 4 && order[0] == 0 &&
            order[1] == 3 && order[2] == 1 && order[3] == 2)
            return true;
    }
    return false;
}

static cnn_status fail_input(const onnx_reader *reader, const char *found)
{
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected an input (batch, channels, height, width), found %s",
                    reader->path, found);
}

/* The input's shape, which --xdim settles where it is open. */
static cnn_status set_input(onnx_reader *reader)
{
    onnx_value *input = cnn_onnx_value(reader, reader->input);
    const int *given = reader->options->xdim;
    int rank = input->rank;
    int64_t dims[3];
    if (rank < 2 || rank > 4)
        return fail_input(reader, rank < 0 ? "one without a shape" : "one of other axes");
    reader->batch = input->dims[0];
    memmove(input->dims, input->dims + 1, 3 * sizeof *input->dims);
    input->rank = rank - 1;
    input->alone = true;
    input->whole = reader->whole_numbers;
    input->rows_first = rank == 4 && is_rows_first(reader);
    dims[0] = rank == 3 ? 1 : input->dims[input->rows_first ? 2 : 0];
    dims[1] = rank == 2 ? 1 : input->dims[input->rows_first || rank == 3 ? 0 : 1];
    dims[2] = rank == 2 ? 1 : input->dims[input->rows_first || rank == 3 ? 1 : 2];
    if (given && rank == 2 && (dims[0] == 0 || dims[0] == (int64_t)given[0] * given[1] * given[2]))
        input->dims[0] = (int64_t)given[0] * given[1] * given[2];
    for (int axis = 0; axis < 3; axis++) {
        if (given && rank > 2 && dims[axis] > 0 && dims[axis] != given[axis])
            return cnn_fail(
                CNN_ERROR_DATA,
                "%s: expected --xdim %lld,%lld,%lld, as its input says (0: open), found "
                "%d,%d,%d: leave it out",
                reader->path, (long long)dims[0], (long long)dims[1], (long long)dims[2], given[0],
                given[1], given[2]);
        dims[axis] = given ? given[axis] : dims[axis];
        if (dims[axis] < 1 || dims[axis] > UINT16_MAX)
            return fail_input(reader, "one whose size is open, or larger than 65535: --xdim C,H,W "
                                      "settles it");
    }
    reader->shape = (cnn_shape){(int)dims[0], (int)dims[1], (int)dims[2]};
    if (rank == 4)
        memcpy(input->dims, input->rows_first ? (int64_t[]){dims[1], dims[2], dims[0]} : dims,
               sizeof dims);
    else if (rank == 3)
        memcpy(input->dims, dims + 1, 2 * sizeof *dims);
    if (input->rows_first)
        cnn_log(CNN_LOG_INFO,
                "%s: its input is (batch, %lld, %lld, %lld), channels last; the "
                "model's is channels first",
                reader->path, (long long)dims[1], (long long)dims[2], (long long)dims[0]);
    return CNN_OK;
}

static bool has_only_constants(const onnx_reader *reader, const onnx_node *node)
{
    if (strcmp(node->op, "Shape") == 0) /* of a value, it is a constant, too */
        return true;
    int count = strcmp(node->op, "CastLike") == 0 ? 1 : node->input_count;
    for (int i = 0; i < count; i++) {
        const onnx_value *value = cnn_onnx_input(reader, node, i);
        if (value && !value->constant)
            return false;
    }
    return true;
}

static cnn_status check_node(const onnx_reader *reader, const onnx_node *node)
{
    if (node->domain[0] && strcmp(node->domain, "ai.onnx") != 0)
        return cnn_onnx_fail(reader, node, "operators of the domain '%.60s' are not known",
                             node->domain);
    if (node->output_count < 1 || node->outputs[0] < 0)
        return cnn_onnx_fail(reader, node, "expected an output, found none");
    for (int i = 0; i < node->input_count; i++) {
        const onnx_value *value = cnn_onnx_input(reader, node, i);
        if (value && !value->made)
            return cnn_onnx_fail(reader, node, "it reads '%.60s', which nothing before it gives",
                                 value->name);
    }
    if (cnn_onnx_value(reader, node->outputs[0])->made)
        return cnn_onnx_fail(reader, node, "it gives '%.60s', which is there already",
                             cnn_onnx_value(reader, node->outputs[0])->name);
    return CNN_OK;
}

static cnn_status add_node(onnx_reader *reader, int index)
{
    onnx_node *node = cnn_onnx_node_at(reader, index);
    bool done = false;
    cnn_status status = CNN_OK;
    CNN_TRY(check_node(reader, node));
    if (has_only_constants(reader, node))
        CNN_TRY(cnn_onnx_fold(&done, reader, node));
    else
        CNN_TRY(cnn_onnx_view(&done, reader, node, index));
    if (!done && !has_only_constants(reader, node))
        CNN_TRY(cnn_onnx_elementwise(&done, reader, node, index));
    if (!done)
        CNN_TRY(cnn_onnx_window(&done, reader, node, index));
    if (!done)
        CNN_TRY(cnn_onnx_other(&done, reader, node));
    if (!done)
        return cnn_onnx_fail(reader, node, "no kind of layer computes this operator");
    cnn_onnx_value(reader, node->outputs[0])->made = true;
out:
    return status;
}

/* One for each class: probabilities are a softmax's here, as one class is the answer. */
static void leave_sigmoid_out(int *base, const onnx_reader *reader)
{
    if (reader->is_own || *base == 0 || cnn_onnx_layer(reader, *base)->kind != CNN_LAYER_SIGMOID)
        return;
    *base = cnn_onnx_layer(reader, *base)->inputs[0];
    cnn_log(CNN_LOG_INFO,
            "%s: the Sigmoid at its end is left out: the model gives logits, of which one class is "
            "told (softmax), not each by itself",
            reader->path);
}

/* The plan's value that the output is: logits. */
static cnn_status find_output(int *base, onnx_reader *reader)
{
    onnx_value *value = cnn_onnx_value(reader, reader->output);
    const onnx_node end = {.name = value->name, .op = "output", .outputs = &reader->output};
    cnn_shape hwc = {0};
    cnn_status status = CNN_OK;
    if (!value->made || value->constant)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected an output that follows from the input, found "
                        "'%.60s', which %s",
                        reader->path, value->name, value->made ? "is a constant" : "nothing gives");
    if (value->soft >= 0)
        cnn_log(CNN_LOG_INFO, "%s: the %s at its end is left out: the model gives logits",
                reader->path, cnn_onnx_node_at(reader, value->soft)->op);
    value->soft = -1;
    CNN_TRY(cnn_onnx_vector(base, &hwc, reader, &end, reader->output));
    if (hwc.c > 0)
        return cnn_onnx_fail(reader, &end, "expected (batch, classes)");
    leave_sigmoid_out(base, reader);
    if (cnn_onnx_shape(reader, *base).c == 1 && !reader->is_own)
        return cnn_exchange_fail_one_output(reader->path);
out:
    return status;
}

/* But for roundings, is it what was there before? */
static bool leaves_pixels(const onnx_reader *reader)
{
    const float rounding = 0x1p-20f;
    bool same = true;
    for (int c = 0; c < reader->shape.c; c++)
        same =
            same && fabsf(reader->scale[c] - 1.0f) < rounding && fabsf(reader->shift[c]) < rounding;
    return same;
}

/* Are its pixels numbers from 0 to 255? Where they are divided by so much, they are. */
static bool takes_large_pixels(const onnx_reader *reader)
{
    const float least_deviation = 16.0f; /* far above those of pixels from 0 to 1 */
    bool large = reader->scale != NULL;
    for (int c = 0; large && c < reader->shape.c; c++)
        large = reader->scale[c] > 0.0f && reader->scale[c] <= 1.0f / least_deviation;
    return reader->whole_numbers || large;
}

/* The plan's pixels are from 0 to 1. */
static cnn_status count_from_zero_to_one(onnx_reader *reader)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_scale_pixels(reader, (float)UINT8_MAX));
    cnn_log(CNN_LOG_INFO, "%s: pixels from 0 to 255 are assumed, as %s", reader->path,
            reader->whole_numbers ? "its input is of whole numbers" : "it divides them by so much");
    if (leaves_pixels(reader))
        reader->scale = reader->shift = NULL;
out:
    return status;
}

/* "MEANS:STDS" of what the graph does with its input's values, of which `given` is done before. */
static cnn_status describe_pixels(char **text, const onnx_reader *reader)
{
    cnn_normalization given = {0};
    cnn_text list = {0};
    cnn_status status = CNN_OK;
    int channels = reader->shape.c;
    CNN_TRY(cnn_normalization_init(&given, reader->options->normalization, channels, "--mean"));
    cnn_normalization_warn(&given);
    for (int i = 0; i < 2 * channels; i++) {
        int c = i % channels;
        char number[40];
        double scale = reader->scale[c], shift = reader->shift[c];
        if (!(scale > 0.0) || !isfinite(scale) || !isfinite(shift)) {
            status = cnn_fail(CNN_ERROR_DATA,
                              "%s: what it does with its input first is no "
                              "normalisation of pixels: a factor above 0 is "
                              "expected",
                              reader->path);
            goto out;
        }
        double mean = given.channels ? given.means[c] : 0.0;
        double deviation = given.channels ? given.deviations[c] : 1.0;
        cnn_format(number, sizeof number, "%.9g",
                   i < channels ? mean - shift / scale * deviation : deviation / scale);
        cnn_text_append(&list, "%s%s", i == 0 ? "" : i == channels ? ":" : ",", number);
    }
    status = cnn_text_take(text, &list);
out:
    cnn_text_finish(&list);
    cnn_normalization_finish(&given);
    return status;
}

static cnn_status normalize(cnn_model *model, onnx_reader *reader)
{
    char *text = NULL;
    cnn_status status = CNN_OK;
    bool given = reader->options->normalization != NULL;
    bool large = !given && !reader->is_own && takes_large_pixels(reader);
    if (large)
        CNN_TRY(count_from_zero_to_one(reader));
    if (reader->scale) {
        CNN_TRY(describe_pixels(&text, reader));
        CNN_TRY(cnn_model_normalize_file(model, text, reader->path));
    } else if (given) {
        CNN_TRY(cnn_model_set_normalization(model, reader->options->normalization));
    } else if (!reader->is_own && !large) {
        cnn_log(CNN_LOG_INFO,
                "%s: pixels from 0 to 1 are assumed: --normalize keeps another normalisation",
                reader->path);
    }
out:
    free(text);
    return status;
}

static const char *find_metadata(const onnx_reader *reader, const char *key)
{
    const cnn_metadata *entries = reader->metadata.items;
    for (size_t i = 0; i < reader->metadata.count; i++)
        if (strcmp(entries[i].key, key) == 0)
            return entries[i].value;
    return NULL;
}

/* What a file of this program says beside the graph. */
static cnn_status read_origin(cnn_model *model, const onnx_reader *reader)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_origin_read(&model->origin, find_metadata(reader, CNN_DATA_KEY),
                            find_metadata(reader, CNN_CLASSES_KEY),
                            find_metadata(reader, CNN_PICTURES_KEY), reader->path));
    status = cnn_origin_read_preparation(&model->origin, find_metadata(reader, CNN_PREPARATION_KEY),
                                         reader->path);
out:
    return status;
}

static cnn_status read_network(cnn_model **model, onnx_reader *reader)
{
    cnn_status status = CNN_OK;
    int output = 0;
    CNN_TRY(cnn_onnx_read_file(reader));
    find_readers(reader);
    CNN_TRY(set_input(reader));
    for (int i = 0; i < (int)reader->nodes.count; i++)
        if (cnn_onnx_node_at(reader, i)->wanted)
            CNN_TRY(add_node(reader, i));
    CNN_TRY(find_output(&output, reader));
    CNN_TRY(cnn_onnx_build(model, reader, output));
    CNN_TRY(read_origin(*model, reader));
    if (!reader->is_own)
        cnn_exchange_prepare(*model, reader->path);
    status = normalize(*model, reader);
out:
    return status;
}

static void finish(onnx_reader *reader)
{
    cnn_onnx_close_beside(reader);
    for (size_t i = 0; i < reader->blocks.count; i++)
        free(((void **)reader->blocks.items)[i]);
    cnn_pile *piles[] = {&reader->blocks, &reader->values,   &reader->nodes,
                         &reader->layers, &reader->metadata, &reader->beside};
    for (size_t i = 0; i < sizeof piles / sizeof piles[0]; i++)
        free(piles[i]->items);
    json_decref(reader->names);
    free(reader->file);
}

cnn_status cnn_onnx_import(cnn_model **model, const char *path, const cnn_import_options *options)
{
    onnx_reader reader = {.path = path, .options = options, .input = -1, .output = -1};
    cnn_model *result = NULL;
    cnn_status status = read_network(&result, &reader);
    if (status == CNN_OK && options->ydim && options->ydim != cnn_network_classes(result->network))
        status = cnn_fail(CNN_ERROR_ARGUMENT,
                          "--ydim: expected %d, the width of the network's output, found %d",
                          cnn_network_classes(result->network), options->ydim);
    finish(&reader);
    if (status == CNN_OK) {
        *model = result;
        result = NULL;
    }
    cnn_model_destroy(result);
    return status;
}

bool cnn_onnx_is(const char *path)
{
    unsigned char head[CNN_SIGNATURE_BYTES];
    size_t length = strlen(path), size = 0;
    struct stat info; /* a pipe would be waited for */
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    if (file) {
        size = fread(head, 1, sizeof head, file);
        fclose(file);
    }
    const cnn_signature *signature = cnn_signature_find(head, size);
    if (signature) /* what it is tells more than what it is called */
        return strcmp(signature->name, "ONNX") == 0;
    return length > 5 && strcmp(path + length - 5, ".onnx") == 0;
}
