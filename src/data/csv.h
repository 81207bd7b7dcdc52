/* Tables of images. */
#ifndef DATA_CSV_H
#define DATA_CSV_H

#include "data/source.h"

/* A file of rows label,pixel,..., gzipped or not; *source is NULL where it has pixels alone.
 * Errors: FILE, DATA (the line and column, what was expected and found), MEMORY. */
cnn_status cnn_csv_read(cnn_source **source, const char *path);

#endif
