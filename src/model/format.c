#include "model/format.h"

/* Values and the header's length go between memory and file as they are. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "saved models are little-endian: this host needs a conversion in src/model"
#endif

const cnn_type_row cnn_type_rows[CNN_ARCHIVE_TYPES] = {
    [CNN_FLOAT32] = {"F32", sizeof(float)},
    [CNN_INT64] = {"I64", sizeof(int64_t)},
};
