/** @file
 * The family of networks: its options, and the layers that follow from them.
 *
 * For each width in cdims: convolution, (batch norm), ReLU, 2x2 max pool, Dropout2d; then flatten;
 * for each width in hdims: linear, ReLU; then the last linear layer with ydim outputs. */
#ifndef CNNCL_NETWORK_H
#define CNNCL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Limits of a configuration. */
enum {
    CNN_MAX_BLOCKS = 64, /**< convolutions, and hidden layers */
    CNN_MAX_NAME = 64    /**< bytes of a name, its end included */
};

/** The options of the family. Plain data: copy it freely. */
typedef struct cnn_config {
    char name[CNN_MAX_NAME];   /**< letters, digits, ".", "_" and "-" */
    int xdim[3];               /**< channels, height, width; 1 to 65535 each */
    int ksize;                 /**< kernel height and width, 1 to 11 */
    int cdim_count;            /**< 0 for no convolution */
    int cdims[CNN_MAX_BLOCKS]; /**< output channels of each convolution */
    int hdim_count;            /**< 0 for no hidden layer */
    int hdims[CNN_MAX_BLOCKS]; /**< outputs of each hidden linear layer */
    int ydim;                  /**< classes, 1 to 65535: labels have 16 bits */
    bool batchnorm;            /**< after each convolution */
    double dropout;            /**< probability that a channel is dropped, in [0, 1) */
} cnn_config;

/** The notebook's defaults: cnn, 1,28,28, 3, 32,64, 32, 10, no batch norm, 0.5. */
CNN_API void cnn_config_init(cnn_config *config);

/** Sets one option from text: key is "name", "xdim", "ksize", "cdims", "hdims", "ydim", "batchnorm"
 * ("true" or "false") or "dropout"; lists are comma-separated, "none" is the empty list of cdims
 * and hdims. Errors: ARGUMENT, naming the option, what was expected and what was found; the
 * configuration is then unchanged. */
CNN_API cnn_status cnn_config_set(cnn_config *config, const char *key, const char *value);

/** Ordered layers with their shapes. */
typedef struct cnn_network cnn_network;

/** The network of a configuration. Errors: ARGUMENT where a plane is pooled away or a size
 * overflows (the layer and the sizes are in the message), MEMORY. */
CNN_API cnn_status cnn_network_create(cnn_network **network, const cnn_config *config);
/** Frees it. NULL is no error; not for the network of a model. */
CNN_API void cnn_network_destroy(cnn_network *network);
/** The configuration. Owned by the network. */
CNN_API const cnn_config *cnn_network_config(const cnn_network *network);

/** One layer. */
typedef struct cnn_layer_info {
    const char *kind;     /**< "conv2d", "batchnorm2d", "relu", "maxpool2d", "dropout2d", "flatten",
                             "linear" */
    const char *name;     /**< "conv2d_00": kind and position */
    int input[3];         /**< channels, height, width of one sample */
    int output[3];        /**< the same of what it gives */
    uint64_t parameters;  /**< trainable values */
    double forward_flops; /**< per sample; a multiply-add counts as 2 */
} cnn_layer_info;

/** The number of layers. */
CNN_API size_t cnn_network_layer_count(const cnn_network *network);
/** The layer of an index below the count. Its strings are owned by the network. */
CNN_API cnn_layer_info cnn_network_layer(const cnn_network *network, size_t index);

#ifdef __cplusplus
}
#endif

#endif
