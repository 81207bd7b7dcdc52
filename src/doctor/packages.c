#include "doctor/packages.h"

#include <stdio.h>

#include "base/text.h"

const cnn_package cnn_packages[] = {
    {"libpocl", "pocl-opencl-icd", 0},
    {"RusticlOpenCL", "mesa-opencl-icd", CNN_VENDOR_AMD},
    {"MesaOpenCL", "mesa-opencl-icd", CNN_VENDOR_AMD},
    {"amdocl", "rocm-opencl-icd", CNN_VENDOR_AMD},
    {"RusticlOpenCL", "mesa-opencl-icd", CNN_VENDOR_INTEL},
    {"igdrcl", "intel-opencl-icd", CNN_VENDOR_INTEL},
    {"intelocl", "intel-oneapi-runtime-opencl", 0},
    {"nvidia-opencl", "nvidia-opencl-icd", CNN_VENDOR_NVIDIA},
    {NULL, NULL, 0},
};

const char *cnn_package_remedy(char *text, size_t size, const char *library)
{
    snprintf(text, size, "install this driver again");
    for (const cnn_package *row = cnn_packages; row->library; row++)
        if (cnn_contains_ignoring_case(library, row->library)) {
            snprintf(text, size, "apt install --reinstall %s", row->name);
            break;
        }
    return text;
}
