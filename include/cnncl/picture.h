/** @file
 * Pictures as PNG files. */
#ifndef CNNCL_PICTURE_H
#define CNNCL_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <cnncl/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One picture of a grid. */
typedef struct cnn_grid_cell {
    const uint8_t
        *pixels;       /**< (C, H, W); 1 channel is grey, 3 are RGB, of others the first is drawn */
    const char *title; /**< UTF-8, one line; shortened where it does not fit */
    bool wrong;        /**< the title is red */
} cnn_grid_cell;

/** Draws count cells, columns in a row, into a PNG file, atomically. shape is channels, height,
 * width. Errors: ARGUMENT, FILE, MEMORY. */
CNN_API cnn_status cnn_picture_grid(const char *path, const cnn_grid_cell *cells, int count,
                                    int columns, const int shape[3]);

#ifdef __cplusplus
}
#endif

#endif
