/* ONNX files as networks. onnx_in.c goes through the nodes: what has only constants is computed
 * (onnx_in_fold.c), what reads the network's values becomes layers of a plan, or waits for what
 * follows: another view of the same values (onnx_in_view.c), a function of each value whose whole
 * formula may be one activation (onnx_in_curve.c), zeros around a plane (onnx_in_window.c).
 * onnx_in_plan.c makes the network of the plan. */
#ifndef EXCHANGE_ONNX_IN_H
#define EXCHANGE_ONNX_IN_H

#include <cnncl/exchange.h>

#include "base/json.h"
#include "base/text.h"
#include "exchange/proto.h"
#include "model/archive.h"
#include "net/text_reader.h"

enum {
    ONNX_POINTS = 37,     /* that formulas are compared at */
    ONNX_MOST_FOLDED = 16 /* operators of one formula */
};
/* The batch, in a list of whole numbers. */
#define ONNX_BATCH INT64_MIN

/* Types of values, as the format numbers them. */
enum {
    ONNX_FLOAT = 1,
    ONNX_INT64 = 7,
    ONNX_FLOAT16 = 10,
    ONNX_DOUBLE = 11,
    ONNX_BFLOAT16 = 16,
    ONNX_TYPES = 17
};

/* A constant: of the file, or computed. Row-major. */
typedef struct onnx_tensor {
    const char *name;
    cnn_bytes message; /* TensorProto; empty where it was computed */
    int type, rank;
    int64_t dims[CNN_RAW_RANK];
    size_t count;
    float *floats; /* once cnn_onnx_floats() was asked */
    int64_t *ints; /* once cnn_onnx_ints() was */
} onnx_tensor;

/* What has a name in the graph: nothing yet, a constant, or a value of the network. */
typedef struct onnx_value {
    const char *name;
    onnx_tensor *constant; /* or NULL */
    int readers;           /* nodes, and the graph's output */
    bool made;             /* an input, a constant, or a node that came by gives it */
    bool wanted;           /* the output depends on it */
    bool alone;            /* nobody else reads what it is a view of */
    /* Of the network's values: */
    int base; /* that it follows from: a plan's layer plus 1; 0 for the network's input */
    int rank; /* of a sample: */
    int64_t dims[CNN_RAW_RANK];
    bool rows_first; /* its order is (H, W, C) */
    bool whole;      /* its numbers are, as those of a graph's input of whole numbers */
    int view;        /* the node that changed its shape; -1 */
    int soft;        /* the node that is a softmax, and left out; -1 */
    int pad;         /* the node that pads; -1 */
    int pads[4];     /* rows above, columns to the left, rows below, columns to the right */
    double padding;  /* what the padding is */
    int rows;        /* of a plane whose rows are averaged to so many; 0 */
    /* A formula of each value of the base, at ONNX_POINTS; NULL: it is the base. */
    double *curve;
    int length;          /* operators in it */
    int maker;           /* the last of them, a node */
    int operands[2];     /* the values that this one read; -1: a number */
    double *alone_curve; /* of the maker alone, where it reads one value */
} onnx_value;

typedef struct onnx_node {
    const char *name, *op, *domain;
    cnn_bytes message;
    int *inputs, *outputs; /* values; -1: left out */
    int input_count, output_count;
    bool wanted;
} onnx_node;

/* A layer to be, and what its tensors hold. */
typedef struct onnx_layer {
    cnn_layer_kind kind;
    cnn_layer_options options;
    int *inputs, input_count; /* plan's layers plus 1, 0 for the input */
    cnn_shape out;
    const char *hint; /* of its name: a tensor's or a node's; NULL: none */
    bool hint_is_tensor;
    float *weight, *bias, *mean, *variance;
    size_t weight_count;
    bool used;
    int value; /* in the network */
} onnx_layer;

typedef struct onnx_reader {
    const char *path;
    const cnn_import_options *options;
    void *file;
    size_t size, budget; /* bytes of the file, and that may still be taken */
    int64_t opset;
    bool is_own; /* this program wrote it */
    const char *graph_name;
    cnn_pile blocks; /* void * */
    cnn_pile values, nodes, layers, metadata, beside;
    json_t *names; /* name to place in values */
    int input, output;
    int64_t batch; /* of the input; 0: open */
    cnn_shape shape;
    bool whole_numbers;   /* its pixels are: from 0 to 255, in the plan's values from 0 to 1 */
    float *scale, *shift; /* (C): pixels times scale plus shift; NULL */
} onnx_reader;

/* Sets the message: "PATH: node 'NAME' (OP): ...". */
void cnn_onnx_say(const onnx_reader *reader, const onnx_node *node, const char *format, ...)
    CNN_PRINTF(3, 4);
/* The same; always DATA, as a compiler sees. */
#define cnn_onnx_fail(...) (cnn_onnx_say(__VA_ARGS__), CNN_ERROR_DATA)
/* Zeroed memory that lives as long as the reader. In all, no more than a multiple of the file's
 * size. Errors: DATA, MEMORY. */
cnn_status cnn_onnx_take(void *memory, onnx_reader *reader, size_t count, size_t size);

/* Counts bytes that are taken elsewhere. Errors: DATA. */
cnn_status cnn_onnx_charge(onnx_reader *reader, size_t bytes);

static inline onnx_value *cnn_onnx_value(const onnx_reader *reader, int index)
{
    return (onnx_value *)reader->values.items + index;
}
static inline onnx_node *cnn_onnx_node_at(const onnx_reader *reader, int index)
{
    return (onnx_node *)reader->nodes.items + index;
}
static inline onnx_layer *cnn_onnx_layer(const onnx_reader *reader, int base)
{
    return (onnx_layer *)reader->layers.items + base - 1;
}
/* The shape of a plan's value. */
cnn_shape cnn_onnx_shape(const onnx_reader *reader, int base);
/* Input number i of a node; NULL where it is left out. */
onnx_value *cnn_onnx_input(const onnx_reader *reader, const onnx_node *node, int i);

/* onnx_in_file.c: reads what is in the file. Errors: FILE, DATA, MEMORY. */
cnn_status cnn_onnx_read_file(onnx_reader *reader);

/* A type of whole numbers that holds those of pixels, from 0 to 255? */
bool cnn_onnx_holds_pixels(int64_t type);

/* onnx_in_tensor.c */
cnn_status cnn_onnx_read_tensor(onnx_tensor **tensor, onnx_reader *reader, cnn_bytes message);
/* Its values; integers only of an integer type. Owned by the reader. Errors: DATA, MEMORY. */
cnn_status cnn_onnx_floats(const float **values, onnx_reader *reader, onnx_tensor *tensor);
cnn_status cnn_onnx_ints(const int64_t **values, onnx_reader *reader, onnx_tensor *tensor);
/* "F32", "BOOL"; "another" of those that are not read. */
const char *cnn_onnx_type_name(int64_t type);
bool cnn_onnx_is_integer(const onnx_tensor *tensor);
/* A tensor of a type with memory for its values. */
cnn_status cnn_onnx_make_tensor(onnx_tensor **tensor, onnx_reader *reader, int type, int rank,
                                const int64_t *dims);
/* The values of a float or integer constant without a shape; false where it is none. */
bool cnn_onnx_scalar(double *number, onnx_reader *reader, onnx_value *value);

/* onnx_in_attribute.c: attributes, or their defaults where they are not there. */
int64_t cnn_onnx_int(const onnx_node *node, const char *name, int64_t fallback);
double cnn_onnx_float(const onnx_node *node, const char *name, double fallback);
/* count: of the fallback, -1 for none; how many there are. False: more than `most`. */
bool cnn_onnx_int_list(int64_t *values, int *count, const onnx_node *node, const char *name,
                       int most);
cnn_bytes cnn_onnx_text(const onnx_node *node, const char *name);
bool cnn_onnx_attribute(cnn_bytes *message, const onnx_node *node, const char *name);
/* A list that is an attribute in older opsets, an input in later ones. *count is -1 where it is
 * neither. Errors: DATA. */
cnn_status cnn_onnx_list(int64_t *values, int *count, onnx_reader *reader, const onnx_node *node,
                         const char *name, int input, int most);
/* A float as the decimal number that it stands for. */
double cnn_onnx_widen(float number);

/* onnx_in_fold.c: computes a node whose inputs are constants. *done: false where no such operator
 * is computed. */
cnn_status cnn_onnx_fold(bool *done, onnx_reader *reader, onnx_node *node);
/* A node's input that has to be a constant. Errors: DATA. */
cnn_status cnn_onnx_constant(onnx_tensor **tensor, const onnx_reader *reader, const onnx_node *node,
                             int input);
/* Closes the files that hold values of tensors. */
void cnn_onnx_close_beside(onnx_reader *reader);
/* A copy of its values, of which there have to be `count`. Errors: DATA, MEMORY. */
cnn_status cnn_onnx_take_floats(float **values, onnx_reader *reader, const onnx_node *node,
                                int input, size_t count);
/* onnx_in_part.c: its operators that move values. */
cnn_status cnn_onnx_fold_transpose(onnx_tensor **result, onnx_reader *reader,
                                   const onnx_node *node);
cnn_status cnn_onnx_fold_slice(onnx_tensor **result, onnx_reader *reader, const onnx_node *node);
cnn_status cnn_onnx_fold_expand(onnx_tensor **result, onnx_reader *reader, const onnx_node *node);
/* onnx_in_arithmetic.c: its operators of numbers. */
cnn_status cnn_onnx_fold_arithmetic(onnx_tensor **result, onnx_reader *reader,
                                    const onnx_node *node);
cnn_status cnn_onnx_fold_function(onnx_tensor **result, onnx_reader *reader, const onnx_node *node);

/* onnx_in_view.c: *done: false where the operator is none that only changes shapes. */
cnn_status cnn_onnx_view(bool *done, onnx_reader *reader, onnx_node *node, int index);
/* The plan's value of what a node reads, as (C, H, W), or as a vector. hwc: its order is that of
 * (H, W, C) of the shape before. Errors: DATA. */
cnn_status cnn_onnx_planes(int *base, onnx_reader *reader, const onnx_node *node, int index);
cnn_status cnn_onnx_vector(int *base, cnn_shape *hwc, onnx_reader *reader, const onnx_node *node,
                           int index);
/* The value of a node's output: follows from the base, (C, H, W), or flat. */
onnx_value *cnn_onnx_set_output(onnx_reader *reader, const onnx_node *node, int base, bool flat);
/* The dims of a value's copy with the same view as another. */
void cnn_onnx_copy_view(onnx_value *to, const onnx_value *from);
/* The node's output is its first input. Errors: DATA, MEMORY. */
cnn_status cnn_onnx_same(onnx_reader *reader, const onnx_node *node);

/* onnx_in_curve.c: functions of each value, and sums and products of two. */
cnn_status cnn_onnx_elementwise(bool *done, onnx_reader *reader, onnx_node *node, int index);
/* The plan's value that a value is a view of, its formula computed. */
cnn_status cnn_onnx_settle(int *base, onnx_reader *reader, const onnx_node *node, int index);
/* The kind of layer that a formula is. kind == CNN_LAYER_KIND_COUNT: the identity. */
bool cnn_onnx_match(cnn_layer_kind *kind, cnn_layer_options *options, const double *curve);
extern const double cnn_onnx_points[ONNX_POINTS];
/* Of an operator of one value. */
typedef double (*onnx_function)(double x, const double *parameters);
onnx_function cnn_onnx_find_function(double parameters[2], const char **problem,
                                     onnx_reader *reader, const onnx_node *node);

/* onnx_in_affine.c: a number, or one for each channel, added to a value or multiplied with it.
 * first: the constant is the first operand. */
cnn_status cnn_onnx_affine(bool *done, onnx_reader *reader, onnx_node *node, int index,
                           onnx_tensor *constant, bool first);
/* Pixels are multiplied with a factor before all else. Errors: MEMORY, DATA. */
cnn_status cnn_onnx_scale_pixels(onnx_reader *reader, float factor);
/* line[0] x + line[1] of each value of the input: part of its layer, where nobody else reads it
 * (alone), else a layer. */
cnn_status cnn_onnx_plan_line(int *base, onnx_reader *reader, const onnx_node *node, int input,
                              const float line[2], bool alone);

/* onnx_in_window.c: convolutions, pools, Pad. onnx_in_layer.c: all other layers. */
cnn_status cnn_onnx_window(bool *done, onnx_reader *reader, onnx_node *node, int index);
cnn_status cnn_onnx_other(bool *done, onnx_reader *reader, onnx_node *node);

/* Does the node read a value of the network first? Errors: DATA. */
cnn_status cnn_onnx_check_first(const onnx_reader *reader, const onnx_node *node);
/* onnx_in_mean.c: GlobalAveragePool and GlobalMaxPool, ReduceMean and ReduceMax, and the products
 * with two matrices that this program writes for AdaptiveAvgPool2d. */
cnn_status cnn_onnx_global(onnx_reader *reader, onnx_node *node);
cnn_status cnn_onnx_reduce(onnx_reader *reader, onnx_node *node);
cnn_status cnn_onnx_mean_product(bool *done, onnx_reader *reader, onnx_node *node);

/* onnx_in_plan.c: appends a layer. *base is its value; the options are checked. node: for messages;
 * names: for its name, NULL for none. Errors: DATA, MEMORY. */
cnn_status cnn_onnx_plan(int *base, onnx_reader *reader, const onnx_node *node,
                         const onnx_layer *layer);
/* The same of a layer without tensors that reads one value. */
cnn_status cnn_onnx_plan_simple(int *base, onnx_reader *reader, const onnx_node *node,
                                cnn_layer_kind kind, const cnn_layer_options *options, int input);
/* The network, and a model of it with the tensors' values. */
cnn_status cnn_onnx_build(cnn_model **model, onnx_reader *reader, int output);

/* Is it such a file, by how it begins, or where that tells nothing by its name? */
bool cnn_onnx_is(const char *path);
/* A model of an ONNX file. Errors: FILE, DATA (the node, its operator, what was expected),
 * MEMORY. */
cnn_status cnn_onnx_import(cnn_model **model, const char *path, const cnn_import_options *options);

#endif
