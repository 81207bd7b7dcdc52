/* Kernel files: where they are, and their text with includes expanded. */
#ifndef OCL_SOURCE_H
#define OCL_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

/* The folder of the kernels: CNN_CL_KERNEL_DIR, else the source's for a program that runs from the
 * build, else the one installed beside the library or program, else the one configured. To be
 * freed with free(). Errors: MEMORY. */
cnn_status cnn_kernel_folder(char **folder);

/* The text of folder/file. Each `#include "other.cl"` on a line of its own is replaced by that
 * file of the same folder where it first comes up, and by nothing after that; #line directives
 * keep the names and lines of the driver's log right. To be freed
 * with free(). Errors: KERNEL (no such file), FILE, DATA, MEMORY. */
cnn_status cnn_source_load(char **source, const char *folder, const char *file);

/* Of all kernel files of the folder, names and text. Errors: KERNEL (there is none), FILE, MEMORY.
 */
cnn_status cnn_source_digest(uint64_t *digest);

#endif
