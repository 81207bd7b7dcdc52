/* An ONNX graph in the making: nodes and tensors are added one by one. Everything that it points
 * at, but for the model's values, is the graph's own. */
#ifndef EXCHANGE_ONNX_GRAPH_H
#define EXCHANGE_ONNX_GRAPH_H

#include "exchange/onnx.pb-c.h"
#include "net/network.h"

/* Generated structs hold `char *`: none of them is written to. */
#define CNN_ONNX_TEXT(literal) ((char *)(literal))

typedef struct cnn_onnx_graph {
    Onnx__GraphProto proto;
    size_t node_room, tensor_room; /* of the lists in proto */
    void **blocks;                 /* memory that names, nodes and tensors lie in */
    size_t block_count, block_room;
    const cnn_model *model;
    const cnn_layer *layer; /* that is being added */
    const char *path;       /* for messages */
    char **values;          /* names, by the network's values */
    bool *flat;             /* by value: (batch, channels), not (batch, C, H, W) */
} cnn_onnx_graph;

/* An attribute of one number, or of a list of whole ones. */
typedef struct cnn_onnx_attribute {
    const char *name; /* NULL ends a list of attributes */
    enum { CNN_ONNX_INT, CNN_ONNX_INTS, CNN_ONNX_FLOAT } type;
    double number;
    const int *ints;
    size_t count; /* of ints */
} cnn_onnx_attribute;

enum { CNN_ONNX_INPUTS = 6, CNN_ONNX_ATTRIBUTES = 6 };

/* A node to be added, with a few inputs or many. */
typedef struct cnn_onnx_node {
    const char *op;
    const char *part; /* of the layer that it is one node of several; NULL: it is the layer */
    char *inputs[CNN_ONNX_INPUTS]; /* NULL ends them */
    char *const *many;             /* instead of inputs */
    size_t many_count;
    cnn_onnx_attribute attributes[CNN_ONNX_ATTRIBUTES];
} cnn_onnx_node;

/* Memory, zeroed, that lives as long as the graph. *memory must be a pointer variable's address.
 * Errors: MEMORY. */
cnn_status cnn_onnx_allocate(void *memory, cnn_onnx_graph *graph, size_t count, size_t size);
/* Appends a node. *output is the name of what it gives, with a '/' in it, which no layer's has.
 * Errors: MEMORY. */
cnn_status cnn_onnx_add(char **output, cnn_onnx_graph *graph, const cnn_onnx_node *node);
/* The same of a node without attributes; NULL ends the inputs. */
cnn_status cnn_onnx_add_op(char **output, cnn_onnx_graph *graph, const char *op, const char *part,
                           char *const *inputs);
/* Appends a tensor of float32 or int64 (the values are not copied). Errors: MEMORY. */
cnn_status cnn_onnx_add_tensor(cnn_onnx_graph *graph, const char *name, cnn_type type,
                               const int *shape, int rank, const void *values);
/* "LAYER/PART", as the name of a tensor of the layer's. Errors: MEMORY. */
cnn_status cnn_onnx_name(char **name, cnn_onnx_graph *graph, const char *part);
/* A number as a tensor "LAYER/PART". Errors: MEMORY. */
cnn_status cnn_onnx_add_number(char **name, cnn_onnx_graph *graph, const char *part, double number);
/* Whole numbers as a tensor "LAYER/PART". Errors: MEMORY. */
cnn_status cnn_onnx_add_ints(char **name, cnn_onnx_graph *graph, const char *part, const int *ints,
                             int count);
/* The layer's tensor of this suffix ("weight"), as one of the shape. *name is NULL where the layer
 * has none. shape: NULL for its own. Errors: MEMORY. */
cnn_status cnn_onnx_add_slot(char **name, cnn_onnx_graph *graph, const char *suffix,
                             const int *shape, int rank);
void cnn_onnx_finish(cnn_onnx_graph *graph);

/* Appends the layer's nodes; graph->values and flat are then set for what it gives. Errors:
 * MEMORY. */
cnn_status cnn_onnx_add_layer(cnn_onnx_graph *graph, const cnn_layer *layer);
/* Brings a value into the form (batch, channels), or (batch, C, H, W). *name is its name there. */
cnn_status cnn_onnx_shape_value(char **name, cnn_onnx_graph *graph, int value, bool flat,
                                const char *part);

/* The pools: *y is what they make of x (batch, C, H, W). */
cnn_status cnn_onnx_add_maxpool(char **y, cnn_onnx_graph *graph, char *const *x);
cnn_status cnn_onnx_add_avgpool(char **y, cnn_onnx_graph *graph, char *const *x);
cnn_status cnn_onnx_add_adaptiveavgpool(char **y, cnn_onnx_graph *graph, char *const *x);

#endif
