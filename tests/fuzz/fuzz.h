/* What the fuzz targets share. Each target is one LLVMFuzzerTestOneInput(), run by libFuzzer
 * (scripts/fuzz.sh) and by replay.c, which feeds it the files of corpus/NAME. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes these bytes the content of a file in memory, the same one each time. Returns its path. */
const char *fuzz_file(const void *data, size_t size);
/* Makes a folder in which `entry` is that file, until the program ends. To be called once. */
const char *fuzz_folder(const char *entry);

#endif
