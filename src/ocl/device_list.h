/* The list of devices from the inside: made by the driver's answers, or made up by a test. */
#ifndef OCL_DEVICE_LIST_H
#define OCL_DEVICE_LIST_H

#include <cnncl/device.h>

#include "base/text.h"
#include "ocl/opencl.h"

/* Where a device sits on the PCI bus, the one sure sign of a twin; few drivers tell. */
typedef struct cnn_pci_address {
    bool known;
    unsigned domain, bus, device, function;
} cnn_pci_address;

typedef struct cnn_device_entry {
    cnn_device_info info; /* twin is set by ranking */
    cl_platform_id platform;
    cl_device_id id;
    cnn_pci_address pci;
} cnn_device_entry;

struct cnn_device_list {
    cnn_device_entry *entries;
    size_t count, total; /* usable ones, which come first; all */
    char *problems;      /* what went wrong with whole platforms; NULL where nothing did */
};

/* Reads one device into an entry; a device that cannot be asked is an unusable one. Neither
 * info.platform, info.device nor info.platform_name is set. */
void cnn_device_entry_read(cnn_device_entry *entry, cl_platform_id platform, cl_device_id id);

/* The platform's name, trimmed; "unnamed" where it cannot be asked. */
void cnn_device_platform_name(char *name, size_t size, cl_platform_id platform);

/* Sorts the entries, finds twins and counts the usable ones: needs nothing but the entries' info
 * and PCI address. Errors: MEMORY. */
cnn_status cnn_device_list_rank(cnn_device_list *list);

/* Is this a program that plays a device (Mesa's llvmpipe, Oclgrind)? It is listed as a CPU,
 * whatever it says, after real runtimes. */
bool cnn_device_is_software(const char *name);

/* Appends one line without a newline: why there is no usable device, and what to do. */
void cnn_device_explain_absence(cnn_text *text, const cnn_device_list *list);

#endif
