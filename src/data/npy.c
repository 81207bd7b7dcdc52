#include "data/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { MAGIC_SIZE = 6, VERSION_1 = 1, LENGTH_1 = 2, LENGTH_2 = 4 };

cnn_status cnn_npy_header_size(size_t *size, const uint8_t head[CNN_NPY_HEAD], const char *source)
{
    if (memcmp(head, "\x93NUMPY", MAGIC_SIZE) != 0 || head[6] < VERSION_1 || head[6] > 3)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected an array of NumPy's (npy), found other bytes",
                        source);
    size_t length = head[8] | (size_t)head[9] << 8, start = MAGIC_SIZE + 2 + LENGTH_1;
    if (head[6] > VERSION_1) {
        length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
        start = MAGIC_SIZE + 2 + LENGTH_2;
    }
    if (length < 2 || length > CNN_NPY_MOST_HEADER)
        return cnn_fail(CNN_ERROR_DATA, "%s: header: expected 2 to %d bytes, found %zu", source,
                        CNN_NPY_MOST_HEADER, length);
    *size = start + length;
    return CNN_OK;
}

/* Behind 'KEY': and blanks; NULL where there is no such key. */
static const char *find_key(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (!at)
        return NULL;
    at += strlen(key);
    while (*at == ' ' || *at == ':')
        at++;
    return at;
}

static cnn_status fail_header(const char *source, const char *what)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: header: %s", source, what);
}

/* '<f4', '|u1': numbers that C has. */
static cnn_status parse_type(cnn_npy *npy, const char *at, const char *source)
{
    if (at && *at == '[')
        return fail_header(source, "expected an array of numbers, found one of records");
    size_t length = at && *at == '\'' ? strcspn(at + 1, "'") : 0;
    if (length < 2 || length >= sizeof npy->type)
        return fail_header(source, "expected the type of the values ('descr')");
    memcpy(npy->type, at + 1, length);
    npy->type[length] = '\0';
    npy->kind = npy->type[1];
    if (npy->kind == 'O')
        return fail_header(source, "expected numbers, found pickled objects, which are not read: "
                                   "save it again as an array of numbers");
    npy->big_endian = npy->type[0] == '>';
    long width = strtol(npy->type + 2, NULL, 10);
    bool known = strchr("uifb", npy->kind) != NULL &&
                 (width == 1 || width == 2 || width == 4 || width == 8) &&
                 !(npy->kind == 'f' && width < 4) && !(npy->kind == 'b' && width > 1);
    if (!known)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected whole numbers, or floating-point ones of 32 or 64 bits, "
                        "found the type '%s'",
                        source, npy->type);
    npy->width = (size_t)width;
    return CNN_OK;
}

static cnn_status parse_shape(cnn_npy *npy, const char *at, const char *source)
{
    npy->count = 1;
    if (!at || *at++ != '(')
        return fail_header(source, "expected the array's shape");
    for (; *at && *at != ')'; at += strspn(at, ", ")) {
        if (*at < '0' || *at > '9')
            return fail_header(source, "expected the array's shape");
        if (npy->rank == CNN_NPY_MAX_RANK)
            return fail_header(source, "expected at most 4 dimensions, found more");
        char *end;
        unsigned long long side = strtoull(at, &end, 10);
        at = end;
        if (*at == 'L')
            at++;
        npy->shape[npy->rank++] = (size_t)side;
        if (side > SIZE_MAX / 2 || !cnn_multiply_size(&npy->count, npy->count, (size_t)side))
            return fail_header(source, "the shape has more values than memory holds");
    }
    return CNN_OK;
}

cnn_status cnn_npy_parse(cnn_npy *npy, const char *header, size_t size, const char *source)
{
    static const size_t head = MAGIC_SIZE + 2 + LENGTH_1;
    cnn_status status = CNN_OK;
    char *text = NULL;
    CNN_TRY(cnn_allocate(&text, size - head + 1, 1, source));
    memcpy(text, header + head, size - head);
    if (header[6] > VERSION_1) /* two more bytes of the length */
        memset(text, ' ', LENGTH_2 - LENGTH_1);
    const char *order = find_key(text, "'fortran_order'");
    CNN_TRY(parse_type(npy, find_key(text, "'descr'"), source));
    CNN_TRY(parse_shape(npy, find_key(text, "'shape'"), source));
    npy->fortran = order && strncmp(order, "True", 4) == 0;
out:
    free(text);
    return status;
}

void cnn_npy_finish(cnn_npy *npy)
{
    free(npy->values);
    *npy = (cnn_npy){0};
}

/* Where a value of C order lies. */
static size_t place_of(const cnn_npy *npy, size_t index)
{
    if (!npy->fortran || npy->rank < 2)
        return index;
    size_t coordinates[CNN_NPY_MAX_RANK] = {0}, place = 0, stride = 1;
    for (int axis = npy->rank - 1; axis >= 0; axis--) {
        coordinates[axis] = index % npy->shape[axis];
        index /= npy->shape[axis];
    }
    for (int axis = 0; axis < npy->rank; axis++) {
        place += coordinates[axis] * stride;
        stride *= npy->shape[axis];
    }
    return place;
}

double cnn_npy_get(const cnn_npy *npy, size_t index)
{
    const uint8_t *at = npy->values + place_of(npy, index) * npy->width;
    uint64_t bits = 0;
    for (size_t i = 0; i < npy->width; i++)
        bits = bits << 8 | at[npy->big_endian ? i : npy->width - 1 - i];
    if (npy->kind == 'f') {
        uint32_t low = (uint32_t)bits;
        float single;
        double value;
        memcpy(&single, &low, sizeof single);
        memcpy(&value, &bits, sizeof value);
        return npy->width == sizeof single ? (double)single : value;
    }
    uint64_t sign = (uint64_t)1 << (npy->width > 0 ? 8 * npy->width - 1 : 0);
    if (npy->kind == 'i' && (bits & sign))
        return -(double)((~bits & (sign - 1)) + 1);
    return (double)bits;
}
