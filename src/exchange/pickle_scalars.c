/* The opcodes of numbers and texts. */
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "exchange/pickle_stack.h"

enum { BASE_256 = 8 };

static cnn_status push_int(cnn_pickle *pickle, int64_t integer)
{
    cnn_pickle_value *value;
    cnn_status status = cnn_pickle_make(&value, pickle, CNN_PICKLE_INT);
    if (status != CNN_OK)
        return status;
    value->integer = integer;
    return cnn_pickle_push(pickle, value);
}

static cnn_status push_bytes(cnn_pickle *pickle, cnn_pickle_kind kind, const unsigned char *bytes,
                             size_t size)
{
    cnn_pickle_value *value;
    cnn_status status = cnn_pickle_make(&value, pickle, kind);
    if (status != CNN_OK)
        return status;
    value->text.bytes = bytes;
    value->text.size = size;
    return cnn_pickle_push(pickle, value);
}

cnn_status cnn_pickle_do_bool(cnn_pickle *pickle, int value)
{
    return push_int(pickle, value);
}

cnn_status cnn_pickle_do_int(cnn_pickle *pickle, int width)
{
    uint64_t number;
    cnn_status status = cnn_pickle_take_number(&number, pickle, (size_t)width);
    bool is_signed = width == 4; /* BININT; the shorter ones are not */
    int64_t value = is_signed ? (int32_t)(uint32_t)number : (int64_t)number;
    return status == CNN_OK ? push_int(pickle, value) : status;
}

/* LONG1 and LONG4: two's complement of any length. */
cnn_status cnn_pickle_do_long(cnn_pickle *pickle, int width)
{
    uint64_t size, number;
    const unsigned char *bytes;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pickle_take_number(&size, pickle, (size_t)width));
    CNN_TRY(cnn_pickle_take(&bytes, pickle, size));
    if (size > BASE_256)
        return push_bytes(pickle, CNN_PICKLE_LONG, bytes, (size_t)size);
    number = size > 0 && bytes[size - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++)
        number = (number & ~((uint64_t)0xff << 8 * i)) | (uint64_t)bytes[i] << 8 * i;
    status = push_int(pickle, (int64_t)number);
out:
    return status;
}

/* INT and LONG of protocol 0: "12", "12L", "01" for true. */
cnn_status cnn_pickle_do_int_line(cnn_pickle *pickle, int unused)
{
    const unsigned char *line;
    size_t length;
    char text[32] = "";
    int64_t value;
    (void)unused;
    cnn_status status = cnn_pickle_take_line(&line, &length, pickle);
    if (status != CNN_OK)
        return status;
    length -= length > 0 && line[length - 1] == 'L';
    if (length < sizeof text)
        memcpy(text, line, length);
    if (!cnn_parse_int(&value, text, INT64_MIN, INT64_MAX))
        return cnn_pickle_fail(pickle, "expected an integer, found something else");
    return push_int(pickle, value);
}

static cnn_status push_real(cnn_pickle *pickle, double real)
{
    cnn_pickle_value *value;
    cnn_status status = cnn_pickle_make(&value, pickle, CNN_PICKLE_REAL);
    if (status != CNN_OK)
        return status;
    value->real = real;
    return cnn_pickle_push(pickle, value);
}

cnn_status cnn_pickle_do_real(cnn_pickle *pickle, int unused)
{
    const unsigned char *bytes;
    unsigned char turned[sizeof(double)];
    double real;
    (void)unused;
    cnn_status status = cnn_pickle_take(&bytes, pickle, sizeof real);
    if (status != CNN_OK)
        return status;
    for (size_t i = 0; i < sizeof real; i++)
        turned[i] = bytes[sizeof real - 1 - i]; /* big-endian in the file */
    memcpy(&real, turned, sizeof real);
    return push_real(pickle, real);
}

/* Nothing that tensors need: its digits are not looked at. */
cnn_status cnn_pickle_do_real_line(cnn_pickle *pickle, int unused)
{
    const unsigned char *line;
    cnn_pickle_value *value;
    size_t length;
    (void)unused;
    cnn_status status = cnn_pickle_take_line(&line, &length, pickle);
    if (status == CNN_OK)
        status = cnn_pickle_make(&value, pickle, CNN_PICKLE_OPAQUE);
    return status == CNN_OK ? cnn_pickle_push(pickle, value) : status;
}

cnn_status cnn_pickle_do_text(cnn_pickle *pickle, int width)
{
    uint64_t size;
    const unsigned char *bytes;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pickle_take_number(&size, pickle, (size_t)width));
    CNN_TRY(cnn_pickle_take(&bytes, pickle, size));
    status = push_bytes(pickle, CNN_PICKLE_TEXT, bytes, (size_t)size);
out:
    return status;
}

/* STRING has quotes around it. What is escaped stays so: names of tensors have nothing to escape.
 */
cnn_status cnn_pickle_do_text_line(cnn_pickle *pickle, int quoted)
{
    const unsigned char *line;
    size_t length;
    cnn_status status = cnn_pickle_take_line(&line, &length, pickle);
    if (status == CNN_OK && quoted &&
        (length < 2 || line[0] != line[length - 1] || !strchr("'\"", line[0])))
        status = cnn_pickle_fail(pickle, "expected a text in quotes, found something else");
    if (status != CNN_OK)
        return status;
    return push_bytes(pickle, CNN_PICKLE_TEXT, line + quoted, length - 2 * (size_t)quoted);
}
