/* A model: a network and its values, in host memory; saved as safetensors under PyTorch's names. */
#ifndef CNNCL_MODEL_H
#define CNNCL_MODEL_H

#include <cnncl/network.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cnn_model cnn_model;

/* Fresh values: weights N(0, 2/fan_in), biases 0, batch norm weight 1 and bias 0, running mean 0
 * and variance 1. The same seed gives the same values everywhere. Errors: ARGUMENT, MEMORY. */
CNN_API cnn_status cnn_model_create(cnn_model **model, const cnn_config *config, uint64_t seed);
/* Errors: FILE, DATA (the file, the tensor or field, what was expected and found), MEMORY. */
CNN_API cnn_status cnn_model_load(cnn_model **model, const char *path);
/* Atomic: the old file or the new one, whole. Errors: FILE. */
CNN_API cnn_status cnn_model_save(const cnn_model *model, const char *path);
CNN_API void cnn_model_destroy(cnn_model *model);

/* Sets the name in its configuration. Errors: ARGUMENT (no name for a file). */
CNN_API cnn_status cnn_model_rename(cnn_model *model, const char *name);

CNN_API const cnn_network *cnn_model_network(const cnn_model *model);

typedef enum cnn_type { CNN_FLOAT32, CNN_INT64 } cnn_type;

/* One named tensor of a model, row-major. */
typedef struct cnn_tensor_info {
    const char *name; /* "net.conv2d_00.weight"; owned by the model */
    cnn_type type;
    int rank; /* 0 to 4 */
    int shape[4];
    size_t count;   /* values; 1 for rank 0 */
    bool trainable; /* false for batch norm's running statistics */
    void *values;   /* float or int64_t; owned by the model, writable */
} cnn_tensor_info;

/* All tensors in PyTorch's order of state_dict(): running statistics included. */
CNN_API size_t cnn_model_tensor_count(const cnn_model *model);
/* index below the count. */
CNN_API cnn_tensor_info cnn_model_tensor(const cnn_model *model, size_t index);
/* The number of trainable values. */
CNN_API uint64_t cnn_model_parameter_count(const cnn_model *model);

#ifdef __cplusplus
}
#endif

#endif
