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
static float from_half(const unsigned char *bytes)
{
    uint16_t word;
    memcpy(&word, bytes, sizeof word);
    int exponent = word >> 10 & 31, fraction = word & 1023;
    float size = exponent == 0    ? ldexpf((float)fraction, -24)
                 : exponent == 31 ? (fraction ? NAN : INFINITY)
                                  : ldexpf((float)(1024 + fraction), exponent - 25);
    return word >> 15 ? -size : size;
}

/* The upper half of a float. */
static float from_bfloat(const unsigned char *bytes)
{
    unsigned char word[sizeof(float)] = {0, 0, bytes[0], bytes[1]};
    float value;
    memcpy(&value, word, sizeof value);
    return value;
}

static float from_double(const unsigned char *bytes)
{
    double value;
    memcpy(&value, bytes, sizeof value);
    return (float)value;
}

static const cnn_foreign_type foreign_types[] = {
    {"F16", 2, from_half},
    {"BF16", 2, from_bfloat},
    {"F64", sizeof(double), from_double},
};

const cnn_foreign_type *cnn_foreign_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof foreign_types / sizeof foreign_types[0]; i++)
        if (strcmp(foreign_types[i].name, name) == 0)
            return &foreign_types[i];
    return NULL;
}
