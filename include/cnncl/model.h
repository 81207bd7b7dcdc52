/** @file
 * A model: a network and its values, in host memory; saved as safetensors under PyTorch's names. */
#ifndef CNNCL_MODEL_H
#define CNNCL_MODEL_H

#include <cnncl/dataset.h>
#include <cnncl/network.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A network with its values. */
typedef struct cnn_model cnn_model;

/** A model of fresh values: weights N(0, 2/fan_in), biases 0, batch norm weight 1 and bias 0,
 * running mean 0 and variance 1. The same seed gives the same values everywhere. Errors: ARGUMENT,
 * MEMORY. */
CNN_API cnn_status cnn_model_create(cnn_model **model, const cnn_config *config, uint64_t seed);
/** The same for any network, which is copied. Errors: MEMORY. */
CNN_API cnn_status cnn_model_create_network(cnn_model **model, const cnn_network *network,
                                            uint64_t seed);
/** A model that cnn_model_save() wrote. Errors: FILE, DATA (the file, the tensor or field, what was
 * expected and found), MEMORY. */
CNN_API cnn_status cnn_model_load(cnn_model **model, const char *path);
/** Writes a safetensors file, atomically: path holds the old one or the new, whole. Errors: FILE.
 */
CNN_API cnn_status cnn_model_save(const cnn_model *model, const char *path);
/** Frees it. NULL is no error. */
CNN_API void cnn_model_destroy(cnn_model *model);

/** Sets the name of its network. Errors: ARGUMENT (no name for a file). */
CNN_API cnn_status cnn_model_rename(cnn_model *model, const char *name);
/** The network. Owned by the model. */
CNN_API const cnn_network *cnn_model_network(const cnn_model *model);

/** Remembers what the model is trained on: what cnn_dataset_known() says, and the names of the
 * classes where they have some. Saved with the model; the trainer calls it. Errors: MEMORY. */
CNN_API cnn_status cnn_model_set_data(cnn_model *model, const cnn_dataset *dataset);
/** How many classes it knows by their names: all, or none. */
CNN_API int cnn_model_class_count(const cnn_model *model);
/** Was it trained on files of pictures? They were brought to its input by *fit, which stays as it
 * is where not, and may be NULL. */
CNN_API bool cnn_model_is_of_pictures(const cnn_model *model, cnn_picture_fit *fit);
/** Says so: pictures are to be brought to its input by this. Saved with the model. One that is none
 * of the three changes nothing. */
CNN_API void cnn_model_set_fit(cnn_model *model, cnn_picture_fit fit);
/** Of data of one split, the part that was held out in training: those images judge it. 0: it was
 * CNN_USUAL_VAL_SPLIT, or none. */
CNN_API double cnn_model_val_split(const cnn_model *model);
/** "mnist", "fashion-mnist", or "" where the data set is not known. Owned by the model. */
CNN_API const char *cnn_model_data(const cnn_model *model);
/** Does it read pictures that were made as MNIST's, so that others are to be converted by
 * cnn_image_to_digit()? Saved with the model; cnn_model_set_data() finds out: ten classes, and
 * cnn_dataset_is_like_mnist(). Of files of earlier versions: was it trained on "mnist"? */
CNN_API bool cnn_model_digits(const cnn_model *model);
/** Says so, or not. */
CNN_API void cnn_model_set_digits(cnn_model *model, bool digits);
/** The name of a class, or its number as text; owned by the model. */
CNN_API const char *cnn_model_class_name(const cnn_model *model, int label);

/** What pixels, from 0 to 1, become before they go through the network, wherever that is: in
 * training, evaluation, prediction and exported ONNX: (pixel - mean) / deviation. text is
 * "MEANS:STDS", numbers with commas between them, one for all channels or one for each; "imagenet"
 * for those of ImageNet; "none" or NULL for pixels as they are. Saved with the model. Errors:
 * ARGUMENT, MEMORY. */
CNN_API cnn_status cnn_model_set_normalization(cnn_model *model, const char *text);
/** The same with the means and deviations of each channel of the data set's training images; 1 for
 * a deviation of 0. Errors: DATA (no images, other channels), MEMORY. */
CNN_API cnn_status cnn_model_normalize_by(cnn_model *model, const cnn_dataset *dataset);
/** "0.5,0.4,0.5:0.2,0.2,0.2", a number for each channel, or "none". Owned by the model. */
CNN_API const char *cnn_model_normalization(const cnn_model *model);

/** The type of a tensor's values. */
typedef enum cnn_type {
    CNN_FLOAT32, /**< float */
    CNN_INT64    /**< int64_t */
} cnn_type;

/** One named tensor of a model, row-major. */
typedef struct cnn_tensor_info {
    const char *name; /**< "net.conv2d_00.weight"; owned by the model */
    cnn_type type;    /**< of the values */
    int rank;         /**< 0 to 4 */
    int shape[4];     /**< rank sizes */
    size_t count;     /**< values; 1 for rank 0 */
    bool trainable;   /**< false for batch norm's running statistics */
    void *values;     /**< float or int64_t; owned by the model, writable */
} cnn_tensor_info;

/** The number of tensors, in PyTorch's order of state_dict(): running statistics included. */
CNN_API size_t cnn_model_tensor_count(const cnn_model *model);
/** The tensor of an index below the count. */
CNN_API cnn_tensor_info cnn_model_tensor(const cnn_model *model, size_t index);
/** The number of trainable values. */
CNN_API uint64_t cnn_model_parameter_count(const cnn_model *model);

#ifdef __cplusplus
}
#endif

#endif
