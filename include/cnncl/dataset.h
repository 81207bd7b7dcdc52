/** @file
 * A labelled image data set: a training and a test split in host memory. */
#ifndef CNNCL_DATASET_H
#define CNNCL_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The two parts of a data set. */
typedef enum cnn_split {
    CNN_SPLIT_TRAIN = 0, /**< what a network is trained on */
    CNN_SPLIT_TEST = 1   /**< what it has not seen */
} cnn_split;

/** Images and labels. */
typedef struct cnn_dataset cnn_dataset;

/** Loads the four IDX files (gzipped or not) of a folder. With directory NULL: $CNN_CL_DATA,
 * data/mnist below the working directory, the installed data directory, Debian's Fashion-MNIST, the
 * first that is there. A place that was named (here or in CNN_CL_DATA), or that holds some of the
 * files, and is broken is an error; one that is absent is passed over. Errors: FILE, DATA, MEMORY.
 */
CNN_API cnn_status cnn_dataset_load(cnn_dataset **dataset, const char *directory);

/** A data set from arrays of the caller's, which are copied. shape is channels, height, width;
 * images are (N, C, H, W) bytes, scaled by 1/255 when they are used; labels are (N), below 65535.
 * The test split may be empty (count 0, NULL pointers). Errors: ARGUMENT, MEMORY. */
CNN_API cnn_status cnn_dataset_create(cnn_dataset **dataset, const int shape[3],
                                      const uint8_t *train_images, const uint16_t *train_labels,
                                      size_t train_count, const uint8_t *test_images,
                                      const uint16_t *test_labels, size_t test_count);
/** Frees it. NULL is no error. */
CNN_API void cnn_dataset_destroy(cnn_dataset *dataset);

/** Channels, height, width. Owned by the data set. */
CNN_API const int *cnn_dataset_shape(const cnn_dataset *dataset);
/** The number of images of a split. */
CNN_API size_t cnn_dataset_count(const cnn_dataset *dataset, cnn_split split);
/** The images of a split, (N, C, H, W) bytes. Owned by the data set. */
CNN_API const uint8_t *cnn_dataset_images(const cnn_dataset *dataset, cnn_split split);
/** The labels of a split, (N). Owned by the data set. */
CNN_API const uint16_t *cnn_dataset_labels(const cnn_dataset *dataset, cnn_split split);
/** The largest label of both splits plus one. */
CNN_API int cnn_dataset_class_count(const cnn_dataset *dataset);
/** The name of a class from labels.txt, or its number as text; owned by the data set. */
CNN_API const char *cnn_dataset_class_name(const cnn_dataset *dataset, int label);
/** "mnist" or "fashion-mnist" where both splits have, value for value, what those have (whatever
 * the folder is called), else "". */
CNN_API const char *cnn_dataset_known(const cnn_dataset *dataset);
/** The folder it came from; "memory" for arrays. Owned by the data set. */
CNN_API const char *cnn_dataset_source(const cnn_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
