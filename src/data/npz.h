/* npz files of images and labels. */
#ifndef DATA_NPZ_H
#define DATA_NPZ_H

#include "data/source.h"

/* Errors: DATA (the file, the array, what was expected and found), MEMORY; the sources then own
 * what was read. */
cnn_status cnn_npz_read(cnn_sources *sources, const char *path);

#endif
