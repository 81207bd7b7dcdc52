/* Which package brings which driver, as Debian and Ubuntu name them. */
#ifndef DOCTOR_PACKAGES_H
#define DOCTOR_PACKAGES_H

#include <stddef.h>

typedef struct cnn_package {
    const char *library; /* part of the driver's library's name */
    const char *name;
    unsigned vendor; /* PCI's number of the hardware's vendor; 0 for any */
} cnn_package;

/* Ended by a row without a library. */
extern const cnn_package cnn_packages[];

/* "apt install --reinstall pocl-opencl-icd", or less where the package is not known. Returns text.
 */
const char *cnn_package_remedy(char *text, size_t size, const char *library);

#endif
