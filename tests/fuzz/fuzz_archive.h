/* Safetensors files of which the bytes that follow from others are right: else a fuzzer, which
 * knows neither lengths nor hashes, would hardly come behind the first check. */
#ifndef FUZZ_ARCHIVE_H
#define FUZZ_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The path of a file. Bytes that start with '{' are its header, up to a zero byte, and its values:
 * the header's length is put before them; a tensor without data_offsets gets some, objects among
 * the metadata become text, values that are missing are zeros, and with `sealed` the SHA-256 is
 * added where there is none. Other bytes are the file as it is. */
const char *fuzz_archive(const uint8_t *data, size_t size, bool sealed);

#endif
