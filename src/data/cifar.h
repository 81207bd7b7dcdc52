/* CIFAR's binary files. */
#ifndef DATA_CIFAR_H
#define DATA_CIFAR_H

#include "data/source.h"

typedef enum cnn_cifar_labels {
    CNN_CIFAR10,
    CNN_CIFAR100_COARSE,
    CNN_CIFAR100_FINE
} cnn_cifar_labels;

/* One file by itself. Errors: FILE, DATA, MEMORY. */
cnn_status cnn_cifar_read(cnn_source **source, const char *path, cnn_cifar_labels labels);

#endif
