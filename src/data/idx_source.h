/* A data set's four IDX files. */
#ifndef DATA_IDX_SOURCE_H
#define DATA_IDX_SOURCE_H

#include "data/folder.h"

/* Both splits. Errors: FILE, DATA, MEMORY; the sources then own what was read. */
cnn_status cnn_idx_sources(cnn_sources *sources, const cnn_folder *folder);

#endif
