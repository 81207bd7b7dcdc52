/* What the OpenCL loader goes by: ICD files and the environment. Nothing here calls OpenCL, or
 * loads a driver: one built on LLVM that is loaded a second time aborts the process. */
#ifndef OCL_LOADER_H
#define OCL_LOADER_H

#include <glob.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* A driver that the loader is told of. */
typedef struct cnn_icd {
    char *file;    /* the .icd file; NULL where a variable names the library */
    char *library; /* the file's first line; NULL where it cannot be read */
} cnn_icd;

typedef struct cnn_icd_list {
    char *place; /* "/etc/OpenCL/vendors", or "OCL_ICD_VENDORS=/somewhere" */
    const char *variable; /* that names the place; NULL: it is the usual one */
    size_t count;
    cnn_icd *icds;
} cnn_icd_list;

/* The file of the loader that this process has; "" where it is not known. */
const char *cnn_loader_path(void);
/* Does it know this variable of the environment? Looks for the name in the loader's file: Debian's
 * (ocl-icd) takes OPENCL_VENDOR_PATH, and a folder, a file or a library in OCL_ICD_VENDORS;
 * Khronos's takes a folder in OCL_ICD_VENDORS, and libraries in OCL_ICD_FILENAMES. */
bool cnn_loader_reads(const char *variable);

/* The drivers, where this loader looks for them. Errors: MEMORY. */
cnn_status cnn_icd_list_create(cnn_icd_list *list);
/* Takes {0}, too. */
void cnn_icd_list_finish(cnn_icd_list *list);

/* Where this process's memory is limited (ulimit -v), and to less than drivers built on LLVM may
 * need to be loaded: how much it may take. Else false. */
bool cnn_memory_is_limited(uint64_t *bytes);

/* Could a MiB be written to this folder, or to one made where it is absent? Asks by writing,
 * because access() says yes to root always and no quota is told otherwise; leaves nothing behind.
 * Returns "cannot be written" or "is full", NULL where nothing is wrong. */
const char *cnn_folder_trouble(const char *path);

/* The folder of pocl's cache; NULL where no variable says. To be freed with free(). Errors: MEMORY.
 */
cnn_status cnn_pocl_cache_folder(char **folder);
/* Appends "; pocl's cache folder X cannot be written: set ..." where something is wrong with it:
 * pocl shows no device then, or builds no program. */
void cnn_pocl_cache_explain(cnn_text *text);

/* The nodes in /dev through which drivers reach the hardware. root: what stands before the "/dev",
 * "" but in tests. To be freed with globfree(), also after an error. Errors: MEMORY. */
cnn_status cnn_device_nodes_find(glob_t *nodes, const char *root);

#endif
