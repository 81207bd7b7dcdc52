#include "model/format.h"

#include <math.h>
#include <string.h>

/* Values and the header's length go between memory and file as they are. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "saved models are little-endian: this host needs a conversion in src/model"
#endif

const cnn_type_row cnn_type_rows[CNN_ARCHIVE_TYPES] = {
    [CNN_FLOAT32] = {"F32", sizeof(float)},
    [CNN_INT64] = {"I64", sizeof(int64_t)},
};

/* IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 of fraction. */
static double from_half(const unsigned char *bytes)
{
    uint16_t word;
    memcpy(&word, bytes, sizeof word);
    int exponent = word >> 10 & 31, fraction = word & 1023;
    double size = exponent == 0    ? ldexp(fraction, -24)
                  : exponent == 31 ? (fraction ? NAN : INFINITY)
                                   : ldexp(1024 + fraction, exponent - 25);
    return word >> 15 ? -size : size;
}

/* The upper half of a float. */
static double from_bfloat(const unsigned char *bytes)
{
    unsigned char word[sizeof(float)] = {0, 0, bytes[0], bytes[1]};
    float value;
    memcpy(&value, word, sizeof value);
    return (double)value;
}

#define FROM(name, type)                                                                           \
    static double from_##name(const unsigned char *bytes)                                          \
    {                                                                                              \
        type value;                                                                                \
        memcpy(&value, bytes, sizeof value);                                                       \
        return (double)value;                                                                      \
    }

FROM(float, float)
FROM(double, double)
FROM(int64, int64_t)
FROM(int32, int32_t)
FROM(int16, int16_t)
FROM(int8, int8_t)
FROM(uint8, uint8_t)

static const cnn_dtype dtypes[] = {
    {"F32", 4, false, from_float},  {"F16", 2, false, from_half}, {"BF16", 2, false, from_bfloat},
    {"F64", 8, false, from_double}, {"I64", 8, true, from_int64}, {"I32", 4, true, from_int32},
    {"I16", 2, true, from_int16},   {"I8", 1, true, from_int8},   {"U8", 1, true, from_uint8},
    {"BOOL", 1, true, from_uint8},  {"U16", 2, true, NULL},       {"U32", 4, true, NULL},
    {"U64", 8, true, NULL},         {"C64", 8, false, NULL},      {"C128", 16, false, NULL},
    {"F8_E4M3", 1, false, NULL},    {"F8_E5M2", 1, false, NULL},
};

const cnn_dtype *cnn_dtype_find(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    return NULL;
}
