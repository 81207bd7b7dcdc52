/* Which data set is it? */
#ifndef DATA_HASH_H
#define DATA_HASH_H

#include <cnncl/dataset.h>

#include "base/hash.h"

/* The SHA-256 of a data set's shape, counts, images and labels, both splits. */
void cnn_dataset_hash(char text[CNN_HASH_SIZE], const cnn_dataset *dataset);

#endif
