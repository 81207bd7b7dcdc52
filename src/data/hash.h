/* Which data set is it? */
#ifndef DATA_HASH_H
#define DATA_HASH_H

#include <cnncl/dataset.h>

#include "base/hash.h"

/* The SHA-256 of a data set's shape, counts, images and labels, all splits; a label is a byte
 * where all of them fit one, else two, the lower first. Errors: MEMORY, and those of
 * cnn_dataset_read() (text is then empty). */
cnn_status cnn_dataset_hash(char text[CNN_HASH_SIZE], const cnn_dataset *dataset);

#endif
