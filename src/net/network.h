/* A network: its layers as the nodes of a graph, where each one's parameters lie in the flat
 * buffers, and the initial values. Host only. */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include <cnncl/model.h>
#include <cnncl/network.h>

#include "layers/layer.h"
#include "net/normalize.h"

/* Nodes stand in topological order. Value 0 is the network's input, node i makes value i + 1, and
 * layers[i].inputs are the values that it reads. The last node's value is the output. */
struct cnn_network {
    char name[CNN_MAX_NAME];
    cnn_config *family; /* the options that it was made of; NULL where another builder made it. For
                           family.c and restore.c alone */
    const char *prefix; /* of its tensors' names: "net." for the family, else "" */
    int input[3];       /* channels, height, width */
    bool open_input;    /* neither its text nor whoever read it said so */
    int classes;        /* channels of the output */
    int layer_count;
    cnn_layer *layers;
    size_t parameter_count; /* floats in the flat parameter buffer */
    size_t statistic_count; /* floats in the flat statistics buffer */
};

enum {
    CNN_NETWORK_MAX_LAYERS = 16384,
    CNN_NETWORK_MAX_CLASSES = 65535 /* labels have 16 bits */
};

static inline cnn_shape cnn_network_input_shape(const cnn_network *network)
{
    return (cnn_shape){network->input[0], network->input[1], network->input[2]};
}

/* The shape of a value. */
static inline cnn_shape cnn_network_value_shape(const cnn_network *network, int value)
{
    return value == 0 ? cnn_network_input_shape(network) : network->layers[value - 1].out;
}

/* A network of its own with the same nodes. Errors: MEMORY. */
cnn_status cnn_network_copy(cnn_network **copy, const cnn_network *network);

/* Errors: ARGUMENT (no name for a file). */
cnn_status cnn_network_rename(cnn_network *network, const char *name);

/* Is there a batch norm, whose statistics are those of a whole batch? */
bool cnn_network_has_batchnorm(const cnn_network *network);
/* One that is not among the frozen layers, which stay as they are: per layer; NULL: none is. */
bool cnn_network_trains_batchnorm(const cnn_network *network, const bool *frozen);

/* Sets matched (layer_count) where a layer with parameters, or statistics, has a name that fits one
 * of the patterns: those of fnmatch(), with commas between them. option names them in messages.
 * Errors: ARGUMENT (a pattern that fits none), MEMORY. */
cnn_status cnn_network_match(bool *matched, const cnn_network *network, const char *patterns,
                             const char *option);

/* A named tensor of the network and where its values are. */
typedef struct cnn_slot {
    char name[CNN_LAYER_NAME_SIZE + 32]; /* "net.conv2d_00.weight" */
    int layer;                           /* its position in the network */
    cnn_tensor_info info;                /* info.name points at name */
} cnn_slot;

/* What a model was trained on. */
typedef struct cnn_origin {
    char *data;  /* of cnn_dataset_known(); NULL where it is not known */
    bool digits; /* its pictures are made as MNIST's */
    int class_count;
    char **classes; /* (class_count) names; none where the classes have only numbers */
    int class_room;
    bool of_pictures; /* files, brought to the network's input by `fit` */
    cnn_picture_fit fit;
    double val_split; /* of data of one split: the part that was held out; 0: the usual, or none */
} cnn_origin;

struct cnn_model {
    cnn_network *network;
    float *parameters; /* network->parameter_count: every weight and bias, in layer order */
    float
        *statistics;  /* network->statistic_count: per batch norm its running mean, then variance */
    int64_t *batches; /* per layer: num_batches_tracked of a batch norm */
    size_t slot_count;
    cnn_slot *slots; /* every tensor, in PyTorch's order */
    cnn_origin origin;
    cnn_normalization normalization; /* of pixels, before the network */
    char *start;                     /* the file that values were taken from at first; NULL: none */
};

#define CNN_START_KEY "cnn-cl.init" /* that file's path, in files */

/* Remembers the file; NULL: none. Errors: MEMORY. */
cnn_status cnn_model_set_start(cnn_model *model, const char *path);

/* A model without memory for its values: the names, types and shapes of its tensors. For a reader,
 * which compares them with a file's before it takes memory. Copies the network. Errors: MEMORY. */
cnn_status cnn_model_describe(cnn_model **model, const cnn_network *network);
/* Gives a described model its values, all zero. Errors: MEMORY. */
cnn_status cnn_model_allocate(cnn_model *model);

/* No data set, and classes that are called by their numbers. */
void cnn_origin_init(cnn_origin *origin);
/* The names of the classes as a JSON array, to be freed with free(); NULL where there are none.
 * Errors: MEMORY. */
cnn_status cnn_origin_classes_to_json(char **json, const cnn_origin *origin);
/* The same of how its pictures were prepared. */
cnn_status cnn_origin_preparation_to_json(char **json, const cnn_origin *origin);
/* From the text of a file, NULL for none. Errors: DATA. */
cnn_status cnn_origin_read_preparation(cnn_origin *origin, const char *json, const char *source);
/* From the texts of a file, any of which may be NULL; source names them in messages. Errors:
 * DATA, MEMORY. */
cnn_status cnn_origin_read(cnn_origin *origin, const char *data, const char *classes,
                           const char *pictures, const char *source);
/* Adds the classes of a file with a name in each line; those behind '#' are no names. Errors: FILE,
 * MEMORY. */
cnn_status cnn_origin_read_names(cnn_origin *origin, const char *path);
void cnn_origin_finish(cnn_origin *origin);

/* Errors: ARGUMENT (a value out of range, named as its option). */
cnn_status cnn_config_check(const cnn_config *config);

/* The configuration as compact JSON text (keys are the options' names); to be freed with free(). */
cnn_status cnn_config_to_json(char **json, const cnn_config *config);
/* Keys that are missing take their defaults. source names the text in messages. Errors: DATA. */
cnn_status cnn_config_from_json(cnn_config *config, const char *json, const char *source);

/* What a file keeps of a network: as JSON the family's options, or name, xdim and ydim of another;
 * and its text. Both to be freed with free(). Errors: MEMORY. */
cnn_status cnn_network_to_json(char **json, const cnn_network *network);
/* The network of what a file kept. text may be NULL where the JSON has the family's options. source
 * names the file in messages. Errors: DATA, MEMORY. */
cnn_status cnn_network_restore(cnn_network **network, const char *json, const char *text,
                               const char *source);

/* The same nodes, options and names? Sets *difference (to be freed with free()), where they are
 * not, to words for what differs first: "--ksize: expected 3 as in SOURCE, found 5". Errors:
 * MEMORY. */
cnn_status cnn_network_compare(char **difference, const cnn_network *now, const cnn_network *then,
                               const char *source);

/* The options of a command line that make the network, or name it: "--xdim 1,28,28 --ksize 3 ...",
 * "--net resnet20 --xdim 3,32,32 --ydim 10". To be freed with free(). Errors: MEMORY. */
cnn_status cnn_network_arguments(char **arguments, const cnn_network *network);

/* The names of the files of cnn_network_preset(), sorted, each to be freed with free(). Returns how
 * many. */
enum { CNN_MAX_PRESETS = 64 };
size_t cnn_network_list_presets(char *names[CNN_MAX_PRESETS]);

/* Is it the path of a preset's file? */
bool cnn_network_is_preset(const char *path);
/* The path of another file that comes with the presets, to be freed with free(). Errors: FILE (it
 * is not there), MEMORY. */
cnn_status cnn_preset_file(char **path, const char *name);

/* Writes "net.conv2d_00.weight (32, 1, 3, 3)"-like text of a shape, "(32, 1, 3, 3)". */
void cnn_shape_to_text(char *buffer, size_t size, const int *shape, int rank);

/* cnn_model_set_normalization() without its warning, for what has been set before. */
cnn_status cnn_model_keep_normalization(cnn_model *model, const char *text);

#endif
