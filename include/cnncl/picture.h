/** @file
 * Pictures as PNG files. */
#ifndef CNNCL_PICTURE_H
#define CNNCL_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <cnncl/confusion.h>
#include <cnncl/model.h>

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

/** The most classes of a confusion matrix that is drawn. */
enum { CNN_CONFUSION_LIMIT = 256 };

/** Draws a confusion matrix counts (classes, classes), rows true and columns predicted, into a PNG
 * file, atomically: right answers blue, mistakes orange, each by its share of the row. Up to 30
 * classes have their names (UTF-8) and numbers, more have neither. names (classes). Errors:
 * ARGUMENT (classes below 1 or above CNN_CONFUSION_LIMIT), FILE, MEMORY. */
CNN_API cnn_status cnn_picture_confusion(const char *path, const size_t *counts, int classes,
                                         const char *const *names);

/** What a picture of a model's first layer shows of it. */
typedef struct cnn_filters {
    const char *layer;  /**< "conv2d_00", "linear_01"; owned by the model */
    int count;          /**< filters of a convolution, or units of a linear layer */
    int shown;          /**< of them: the first */
    int channels;       /**< of the input */
    int shown_channels; /**< of them: the first */
    int height;         /**< of a filter; of a linear layer the image's */
    int width;          /**< the same */
    float scale;        /**< the largest weight's size: the strongest colour */
    bool convolution;   /**< filters, not units */
} cnn_filters;

/** What cnn_picture_filters() would draw of a model. */
CNN_API cnn_filters cnn_model_filters(const cnn_model *model);

/** Draws them into a PNG file, atomically. 3 channels are drawn as one picture in RGB, grey being
 * zero; else each channel is drawn by itself, negative orange, zero white, positive blue, the
 * channels of a filter in a row. Errors: FILE, MEMORY. */
CNN_API cnn_status cnn_picture_filters(const char *path, const cnn_model *model);

#ifdef __cplusplus
}
#endif

#endif
