/** @file
 * A labelled image data set: a training, a test and a validation split in host memory. */
#ifndef CNNCL_DATASET_H
#define CNNCL_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>
#include <cnncl/image.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The parts of a data set. */
typedef enum cnn_split {
    CNN_SPLIT_TRAIN = 0, /**< what a network is trained on */
    CNN_SPLIT_TEST = 1,  /**< what it has not seen */
    CNN_SPLIT_VAL = 2    /**< what the best model is chosen by; empty where the data has none */
} cnn_split;

/** What is held out to validate of data that has one split, where nothing is said. */
#define CNN_USUAL_VAL_SPLIT 0.2

/** How a data set is loaded. Start from cnn_data_options_init(). */
typedef struct cnn_data_options {
    int height; /**< of the images, 1 to 65535; 0: as they are. Both are 0 or neither */
    int width;  /**< the same */
    /** Channels, height, width of the network that the data is for: what pictures from files are
     * brought to. Zeros: 3 channels, and the size that all have, or 224 x 224 where they differ. */
    int input[3];
    cnn_picture_fit fit; /**< where a size is changed */
    double val_split;    /**< what is held out where the data has one split: 0 to 1; 0:
                            CNN_USUAL_VAL_SPLIT */
    bool coarse_labels;  /**< CIFAR-100's 20 classes instead of its 100 */
    bool skip_broken;    /**< go on without pictures that cannot be read */
    bool no_cache;       /**< decode pictures anew, and keep nothing of that */
    /** Classes of the model that the data is for; 0: there is none. Classes that the data names have
     * the model's labels. */
    int class_count;
    /** (class_count), or NULL: the model knows no names. Folders of pictures are then its labels by
     * number where they are called so, or else all of its classes in the order of their names. */
    const char *const *class_names;
} cnn_data_options;

/** The defaults: zeros. */
CNN_API void cnn_data_options_init(cnn_data_options *options);

/** Images and labels. */
typedef struct cnn_dataset cnn_dataset;

/** Loads a data set: a folder with the four IDX files (gzipped or not) of MNIST, EMNIST, QMNIST and
 * the like, by the names that they are passed on under; one of the files, or FOLDER/PREFIX, takes
 * the set that it belongs to. With path NULL: $CNN_CL_DATA,
 * data/mnist below the working directory, the installed data directory, Debian's Fashion-MNIST, the
 * first that is there. A place that was named (here or in CNN_CL_DATA), or that holds some of the
 * files, and is broken is an error; one that is absent is passed over. Errors: FILE, DATA, MEMORY.
 */
CNN_API cnn_status cnn_dataset_load(cnn_dataset **dataset, const char *path);

/** The same with options; NULL: the defaults. Errors: those, ARGUMENT (an option). */
CNN_API cnn_status cnn_dataset_open(cnn_dataset **dataset, const char *path,
                                    const cnn_data_options *options);

/** Does cnn_dataset_load() find a folder of pictures there? path as there, NULL: of $CNN_CL_DATA
 * alone. What is broken is none. Errors: MEMORY. */
CNN_API cnn_status cnn_dataset_is_folder_of_pictures(bool *found, const char *path);

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
/** The images of a split, (N, C, H, W) bytes. Owned by the data set. NULL where they are not in
 * memory (pictures of more than a gibibyte): see cnn_dataset_read(). */
CNN_API const uint8_t *cnn_dataset_images(const cnn_dataset *dataset, cnn_split split);
/** Copies one image of a split, (C, H, W) bytes, wherever it is; several threads may do so. Errors:
 * ARGUMENT (there is no such image), FILE, DATA (what was kept of the pictures is damaged). */
CNN_API cnn_status cnn_dataset_read(uint8_t *image, const cnn_dataset *dataset, cnn_split split,
                                    size_t index);
/** The labels of a split, (N). Owned by the data set. */
CNN_API const uint16_t *cnn_dataset_labels(const cnn_dataset *dataset, cnn_split split);
/** The options that it was loaded with, but for the classes' names. Owned by the data set. */
CNN_API const cnn_data_options *cnn_dataset_options(const cnn_dataset *dataset);
/** Is it made of files of pictures? They were brought to the data set's shape by *fit (which may be
 * NULL). */
CNN_API bool cnn_dataset_is_of_pictures(const cnn_dataset *dataset, cnn_picture_fit *fit);
/** The part of the training samples that was held out as the validation split, as the data has no
 * other; 0: none. */
CNN_API double cnn_dataset_held_out(const cnn_dataset *dataset);
/** The split that shows what a model can do: the test split, or where that is empty the validation
 * split. */
CNN_API cnn_split cnn_dataset_judge(const cnn_dataset *dataset);
/** "train", "test" or "val". */
CNN_API const char *cnn_split_name(cnn_split split);
/** The largest label of all splits plus one, or the number of the classes' names where the data
 * names all. */
CNN_API int cnn_dataset_class_count(const cnn_dataset *dataset);
/** Do the files, or the model that it was loaded for, name the classes? */
CNN_API bool cnn_dataset_has_class_names(const cnn_dataset *dataset);
/** The name of a class, or its number as text; owned by the data set. */
CNN_API const char *cnn_dataset_class_name(const cnn_dataset *dataset, int label);
/** "mnist" or "fashion-mnist" where both splits have, value for value, what those have (whatever
 * the folder is called), else "". */
CNN_API const char *cnn_dataset_known(const cnn_dataset *dataset);
/** Is it made as MNIST is, whatever its size: 1 x 28 x 28, at most ten classes, white ink on black,
 * of 20 pixels along its longer side, with its centre of mass in the middle? */
CNN_API bool cnn_dataset_is_like_mnist(const cnn_dataset *dataset);
/** The folder it came from; "memory" for arrays. Owned by the data set. */
CNN_API const char *cnn_dataset_source(const cnn_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
