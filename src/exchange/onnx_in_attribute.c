/* The attributes of a node, which is searched for each: there are few. */
#include <string.h>

#include "base/plain.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/onnx_in.h"

enum { NODE_ATTRIBUTE = 5, ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3 };
enum { ATTRIBUTE_TEXT = 4, ATTRIBUTE_INTS = 8 };

bool cnn_onnx_attribute(cnn_bytes *message, const onnx_node *node, const char *name)
{
    cnn_field field, found;
    for (cnn_bytes rest = node->message; cnn_field_next(&field, &rest);)
        if (field.number == NODE_ATTRIBUTE && cnn_field_find(&found, field.bytes, ATTRIBUTE_NAME) &&
            cnn_bytes_are(found.bytes, name)) {
            *message = field.bytes;
            return true;
        }
    return false;
}

int64_t cnn_onnx_int(const onnx_node *node, const char *name, int64_t fallback)
{
    cnn_field field = {0};
    cnn_bytes message;
    int64_t value = 0;
    if (!cnn_onnx_attribute(&message, node, name))
        return fallback;
    cnn_field_find(&field, message, ATTRIBUTE_INT); /* 0 is left out by some */
    memcpy(&value, &field.integer, sizeof value);
    return value;
}

double cnn_onnx_widen(float number)
{
    enum { FEWEST_DIGITS = 6, MOST_DIGITS = 9 };
    for (int precision = FEWEST_DIGITS; precision <= MOST_DIGITS; precision++) {
        char digits[64];
        double back = 0;
        cnn_format(digits, sizeof digits, "%.*g", precision, (double)number);
        if (cnn_parse_double(&back, digits) && (float)back == number)
            return back;
    }
    return number;
}

double cnn_onnx_float(const onnx_node *node, const char *name, double fallback)
{
    cnn_field field = {0};
    cnn_bytes message;
    float value = 0;
    if (!cnn_onnx_attribute(&message, node, name))
        return fallback;
    cnn_field_find(&field, message, ATTRIBUTE_FLOAT);
    uint32_t bits = (uint32_t)field.integer;
    memcpy(&value, &bits, sizeof value);
    return cnn_onnx_widen(value);
}

bool cnn_onnx_int_list(int64_t *values, int *count, const onnx_node *node, const char *name,
                       int most)
{
    cnn_bytes message;
    uint64_t bits;
    if (!cnn_onnx_attribute(&message, node, name))
        return true;
    cnn_number_list list = {.rest = message, .number = ATTRIBUTE_INTS, .wire = CNN_WIRE_VARINT};
    *count = 0;
    while (cnn_number_next(&bits, &list)) {
        if (*count == most)
            return false;
        memcpy(&values[(*count)++], &bits, sizeof *values);
    }
    return !list.broken;
}

cnn_bytes cnn_onnx_text(const onnx_node *node, const char *name)
{
    cnn_field field = {0};
    cnn_bytes message;
    if (cnn_onnx_attribute(&message, node, name))
        cnn_field_find(&field, message, ATTRIBUTE_TEXT);
    return field.bytes;
}

cnn_status cnn_onnx_list(int64_t *values, int *count, onnx_reader *reader, const onnx_node *node,
                         const char *name, int input, int most)
{
    onnx_value *given = cnn_onnx_input(reader, node, input);
    const int64_t *ints = NULL;
    cnn_status status = CNN_OK;
    *count = -1;
    if (!given)
        return cnn_onnx_int_list(values, count, node, name, most)
                   ? CNN_OK
                   : cnn_onnx_fail(reader, node, "%s: expected at most %d numbers", name, most);
    if (!given->constant)
        return cnn_onnx_fail(reader, node, "%s: expected a constant, found '%.60s', which is none",
                             name, given->name);
    if (given->constant->count > (size_t)most)
        return cnn_onnx_fail(reader, node, "%s: expected at most %d numbers, found %zu", name, most,
                             given->constant->count);
    CNN_TRY(cnn_onnx_ints(&ints, reader, given->constant));
    *count = (int)given->constant->count;
    memcpy(values, ints, given->constant->count * sizeof *values);
out:
    return status;
}
