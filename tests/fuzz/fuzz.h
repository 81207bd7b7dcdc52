/* What the fuzz targets share. Each target is one LLVMFuzzerTestOneInput(), run by libFuzzer
 * (scripts/fuzz.sh) and by replay.c, which feeds it the files of corpus/NAME. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file in memory that holds these bytes, until fuzz_close(). */
const char *fuzz_open(const uint8_t *data, size_t size);
void fuzz_close(void);

#endif
