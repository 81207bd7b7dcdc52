/** @file
 * Networks: a graph of layers, from the options of the notebook's family or from a text.
 *
 * The family: for each width in cdims: convolution, (batch norm), ReLU, 2x2 max pool, Dropout2d;
 * then flatten; for each width in hdims: linear, ReLU; then the last linear layer with ydim
 * outputs. */
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
    CNN_MAX_BLOCKS = 64,    /**< convolutions, and hidden layers */
    CNN_MAX_NAME = 64,      /**< bytes of a name, its end included */
    CNN_MAX_PATTERNS = 1024 /**< bytes of a list of patterns of layers' names, its end included */
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

/** A graph of layers with their shapes, in topological order; the last one's output is the
 * network's. */
typedef struct cnn_network cnn_network;

/** The network of a configuration. Errors: ARGUMENT where a plane is pooled away or a size
 * overflows (the layer and the sizes are in the message), MEMORY. */
CNN_API cnn_status cnn_network_create(cnn_network **network, const cnn_config *config);

/** What a network file may leave open. Zeros: not given. */
typedef struct cnn_network_given {
    int input[3]; /**< channels, height, width: of `input()` without numbers, and in place of those
                     that it has */
    int classes;  /**< the value of `classes` */
    int open[3];  /**< of `input()` without numbers, where input is not given; 1,28,28 without it */
} cnn_network_given;

/** The network of a text (the format is in docs/networks.md). name: of the network, as
 * cnn_config.name. source: names the text in messages. given may be NULL; `input()` is then 1,28,28
 * and `classes` 10. Errors: ARGUMENT (source, line, what was expected and found), MEMORY. */
CNN_API cnn_status cnn_network_from_text(cnn_network **network, const char *name, const char *text,
                                         const char *source, const cnn_network_given *given);
/** The same of a file. Errors: FILE, and those of cnn_network_from_text(). */
CNN_API cnn_status cnn_network_from_file(cnn_network **network, const char *name, const char *path,
                                         const cnn_network_given *given);
/** The path of a preset, NAME.net among the network files that come with the library ("resnet20"),
 * to be freed with cnn_string_free(). Errors: ARGUMENT (there is none of this name; the message
 * lists those that there are), MEMORY. */
CNN_API cnn_status cnn_network_preset(char **path, const char *name);
/** The network as a text that cnn_network_from_text() reads back to the same graph: blocks are
 * expanded, `classes` and the input are numbers. To be freed with cnn_string_free(). Errors:
 * MEMORY. */
CNN_API cnn_status cnn_network_to_text(char **text, const cnn_network *network);

/** Frees it. NULL is no error; not for the network of a model. */
CNN_API void cnn_network_destroy(cnn_network *network);
/** The configuration that cnn_network_create() made it of; NULL for a network of a text. Owned by
 * the network. */
CNN_API const cnn_config *cnn_network_config(const cnn_network *network);
/** Its name. Owned by the network. */
CNN_API const char *cnn_network_name(const cnn_network *network);
/** Channels, height and width of one sample. Owned by the network. */
CNN_API const int *cnn_network_input(const cnn_network *network);
/** Was it made of a text that leaves the input open, with no input given? */
CNN_API bool cnn_network_takes_any_input(const cnn_network *network);
/** The width of its output. */
CNN_API int cnn_network_classes(const cnn_network *network);

/** One layer. */
typedef struct cnn_layer_info {
    const char *kind;     /**< PyTorch's class in lower case: "conv2d", "batchnorm2d", "relu" */
    const char *name;     /**< "conv2d_00": kind and position; or the name in its network file */
    size_t input_count;   /**< layers that it reads: see cnn_network_layer_input() */
    int input[3];         /**< channels, height, width of one sample of the first input */
    int output[3];        /**< the same of what it gives */
    uint64_t parameters;  /**< trainable values */
    double forward_flops; /**< per sample; a multiply-add counts as 2 */
} cnn_layer_info;

/** The number of layers. */
CNN_API size_t cnn_network_layer_count(const cnn_network *network);
/** The layer of an index below the count. Its strings are owned by the network. */
CNN_API cnn_layer_info cnn_network_layer(const cnn_network *network, size_t index);
/** The index of the layer that a layer reads as its input number `input`, below its input_count; -1
 * for the network's own input. */
CNN_API int cnn_network_layer_input(const cnn_network *network, size_t index, size_t input);

#ifdef __cplusplus
}
#endif

#endif
