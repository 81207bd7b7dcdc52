/* Files of pictures as samples. */
#ifndef DATA_PICTURES_H
#define DATA_PICTURES_H

#include "data/source.h"
#include "data/tree.h"

/* The pictures of a tree, with their labels (count); both are its own from now on, also when it
 * fails. Errors: MEMORY. */
cnn_status cnn_source_from_pictures(cnn_source **source, cnn_tree *tree, uint16_t *labels);

#endif
