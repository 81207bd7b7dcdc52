/* Which data set is it? */
#ifndef DATA_HASH_H
#define DATA_HASH_H

#include <cnncl/dataset.h>

#include "base/sha256.h"

/* The SHA-256 of a data set's shape, counts, images and labels, both splits. */
void cnn_dataset_hash(char text[CNN_SHA256_SIZE], const cnn_dataset *dataset);

#endif
