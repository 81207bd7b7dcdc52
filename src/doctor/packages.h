/* Which package brings which driver, as Debian and Ubuntu name them. */
#ifndef DOCTOR_PACKAGES_H
#define DOCTOR_PACKAGES_H

#include <stddef.h>

/* PCI's numbers. */
enum { CNN_VENDOR_INTEL = 0x8086, CNN_VENDOR_AMD = 0x1002, CNN_VENDOR_NVIDIA = 0x10DE };

typedef struct cnn_package {
    const char *library; /* part of the driver's library's name */
    const char *name;
    unsigned vendor; /* of the hardware; 0 for any */
} cnn_package;

/* Ended by a row without a library. */
extern const cnn_package cnn_packages[];

/* "apt install --reinstall pocl-opencl-icd", or less where the package is not known. Returns text.
 */
const char *cnn_package_remedy(char *text, size_t size, const char *library);

#endif
