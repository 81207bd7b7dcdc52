/* Which formats of pictures are read. */
#ifndef IMAGE_FORMATS_H
#define IMAGE_FORMATS_H

#include "image/decode.h"

/* What reads a file that starts with these bytes; NULL: nothing does. */
cnn_decoder cnn_decoder_find(const void *data, size_t size);
/* The name of a format by its index; NULL behind the last. */
const char *cnn_format_name(size_t index);

#endif
