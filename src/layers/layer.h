/* What each kind of layer is: its options, its output shape, its parameters, its work. Host only.
 */
#ifndef LAYERS_LAYER_H
#define LAYERS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

typedef enum cnn_layer_kind {
    CNN_LAYER_CONV,
    CNN_LAYER_LINEAR,
    CNN_LAYER_BATCHNORM,
    CNN_LAYER_GROUPNORM,
    CNN_LAYER_RELU,
    CNN_LAYER_RELU6,
    CNN_LAYER_LEAKYRELU,
    CNN_LAYER_SILU,
    CNN_LAYER_GELU,
    CNN_LAYER_HARDSWISH,
    CNN_LAYER_SIGMOID,
    CNN_LAYER_TANH,
    CNN_LAYER_MAXPOOL,
    CNN_LAYER_AVGPOOL,
    CNN_LAYER_ADAPTIVEAVGPOOL,
    CNN_LAYER_DROPOUT,
    CNN_LAYER_DROPOUT2D,
    CNN_LAYER_FLATTEN,
    CNN_LAYER_ADD,
    CNN_LAYER_CONCAT,
    CNN_LAYER_MUL,
    CNN_LAYER_SCALE,
    CNN_LAYER_KIND_COUNT
} cnn_layer_kind;

/* One sample's shape: channels, height, width. A flat vector is (count, 1, 1). */
typedef struct cnn_shape {
    int c, h, w;
} cnn_shape;

enum { CNN_LAYER_NAME_SIZE = 128, CNN_LAYER_MAX_PARAMS = 2, CNN_PARAM_MAX_RANK = 4 };

/* A padding of this many zeros is told by kernel and dilation: as many as keep the plane at stride
 * 1, one more behind than before where the number is odd. */
enum { CNN_PADDING_SAME = -1 };
/* As many groups as input channels. */
enum { CNN_GROUPS_CHANNELS = -1 };
/* A pool's stride that is its kernel. */
enum { CNN_STRIDE_KERNEL = -1 };

/* The options of each kind; pairs are (height, width). */
typedef struct cnn_conv_options {
    int channels; /* of the output */
    int kernel[2], stride[2], dilation[2];
    int padding[4]; /* rows above, columns to the left, rows below, columns to the right */
    int groups;
    bool bias;
} cnn_conv_options;

typedef struct cnn_linear_options {
    int features; /* of the output */
    bool bias;
} cnn_linear_options;

typedef struct cnn_norm_options {
    int groups; /* GroupNorm */
    double eps;
    double momentum; /* BatchNorm2d */
    bool affine;
} cnn_norm_options;

typedef struct cnn_pool_options {
    int kernel[2], stride[2], dilation[2];
    int padding[4]; /* as a convolution's */
    bool ceil_mode;
    bool count_include_pad; /* AvgPool2d */
} cnn_pool_options;

typedef union cnn_layer_options {
    cnn_conv_options conv;
    cnn_linear_options linear;
    cnn_norm_options norm;
    cnn_pool_options pool;
    struct {
        int output[2];
    } adaptive;
    struct {
        double p; /* the probability that a value (or a channel) is dropped */
    } dropout;
    struct {
        double slope; /* LeakyReLU: of negative values */
    } activation;
    struct {
        bool tanh; /* the approximation of GELU by tanh */
    } gelu;
    struct {
        double factor;
    } scale;
    struct {
        int first, last; /* axes */
    } flatten;
} cnn_layer_options;

/* A trainable tensor of a layer. */
typedef struct cnn_param {
    const char *suffix; /* "weight" or "bias" */
    int rank;
    int shape[CNN_PARAM_MAX_RANK];
    size_t count;
    size_t offset; /* of its first value in the flat parameter buffer, in floats */
    int fan_in;    /* initial values: N(0, 2 / fan_in) where above 0, else `fill` */
    float fill;
} cnn_param;

typedef struct cnn_layer {
    cnn_layer_kind kind;
    int index;                      /* its place among the network's nodes */
    char name[CNN_LAYER_NAME_SIZE]; /* "conv2d_00", "layer1.0.conv1" */
    cnn_layer_options options;
    int input_count;
    const int *inputs; /* the values that it reads (net/network.h); the network's, behind shapes */
    cnn_shape *shapes; /* of each input; the network's, NULL for a kind with one input */
    const struct cnn_layer
        *nodes; /* the network's, for messages, while the layer is made; or NULL */
    /* Of its inputs, where it is of no network: messages then begin without its own. NULL: it is.
     */
    const char *const *input_names;
    cnn_shape in; /* of the first input */
    cnn_shape out;
    int param_count;
    cnn_param params[CNN_LAYER_MAX_PARAMS]; /* weight, bias */
    int statistic_count;     /* batch norm: channels; running mean then running variance */
    size_t statistic_offset; /* in the flat statistics buffer, in floats */
} cnn_layer;

/* How an option is written, and stored. */
typedef enum cnn_argument_type {
    CNN_ARGUMENT_INT,     /* an int; where the word below is written, its value */
    CNN_ARGUMENT_PAIR,    /* an int for both, or (height, width): int[2] */
    CNN_ARGUMENT_PADDING, /* an int, a pair, (top, left, bottom, right), or a word: int[4] */
    CNN_ARGUMENT_BOOL,    /* true or false */
    CNN_ARGUMENT_NUMBER,  /* a double */
    CNN_ARGUMENT_CHOICE,  /* one of two words: bool, true for the second */
    CNN_ARGUMENT_MOOT     /* one of its words, which changes no number: not stored */
} cnn_argument_type;

/* A keyword that stands for a number in one argument, or the words of a choice, or those that may
 * be written. */
typedef struct cnn_argument_word {
    const char *word;
    int value;
} cnn_argument_word;

/* One argument of a kind, in PyTorch's order. */
typedef struct cnn_argument {
    const char *name; /* PyTorch's */
    cnn_argument_type type;
    size_t offset;    /* in cnn_layer_options */
    bool required;    /* has no default */
    double fallback;  /* the default; of every number of a pair or a padding */
    double low, high; /* the range of each number, both included */
    cnn_argument_word words[2];
} cnn_argument;

/* Below 1: a larger one is PyTorch's number of features, which follows from the input here. */
#define CNN_MAX_EPS 0.99

/* Arguments of PyTorch's that change no number here; of all but the first only the default is
 * taken. Where values lie is the plan's business. */
/* clang-format off */
#define CNN_MOOT(name, ...) {name, CNN_ARGUMENT_MOOT, 0, false, 0, 0, 1, {__VA_ARGS__}}
#define CNN_INPLACE CNN_MOOT("inplace", {"true", 1}, {"false", 0})
#define CNN_RETURN_INDICES CNN_MOOT("return_indices", {"false", 0})
#define CNN_DIVISOR_OVERRIDE CNN_MOOT("divisor_override", {"none", 0})
#define CNN_PADDING_MODE CNN_MOOT("padding_mode", {"zeros", 0})
#define CNN_TRACK_RUNNING_STATS CNN_MOOT("track_running_stats", {"true", 1})
/* clang-format on */

/* One row per kind: the table that a new kind of layer joins. */
typedef struct cnn_layer_class {
    const char *name;       /* PyTorch's class: "Conv2d" */
    const char *torch_name; /* the same in lower case: "conv2d" */
    int least_inputs, most_inputs;
    const cnn_argument *arguments; /* NULL where there are none */
    int argument_count;
    /* Settles options that depend on others, and sets layer->out from the inputs' shapes. Errors:
     * ARGUMENT (cnn_layer_fail). */
    cnn_status (*set_output)(cnn_layer *layer);
    /* Sets the params (without offsets) and statistic_count; NULL where there are none. */
    void (*set_params)(cnn_layer *layer);
    /* Forward work on one sample; a multiply-add counts as 2. */
    double (*forward_flops)(const cnn_layer *layer);
} cnn_layer_class;

const cnn_layer_class *cnn_layer_get_class(cnn_layer_kind kind);

/* The kind of a class's name as it is written ("Conv2d"); false where there is none. */
bool cnn_layer_find_kind(cnn_layer_kind *kind, const char *name);

/* The defaults of a kind's options; 0 for those that are required. */
void cnn_layer_default_options(cnn_layer_options *options, cnn_layer_kind kind);

/* Fills name, where it is empty, out, params and statistic_count of a layer whose kind, index, in,
 * options, and inputs where it has several, are set. Errors: ARGUMENT, with the layer and sizes. */
cnn_status cnn_layer_init(cnn_layer *layer);

/* "layer NAME: " and a message: an error for set_output. Always ARGUMENT. */
cnn_status cnn_layer_fail(const cnn_layer *layer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "conv1 (16, 32, 32)": the name, where it is known, and the shape of an input. Returns buffer. */
enum { CNN_INPUT_TEXT_SIZE = CNN_LAYER_NAME_SIZE + 48 };
const char *cnn_layer_describe_input(char buffer[CNN_INPUT_TEXT_SIZE], const cnn_layer *layer,
                                     int input);

/* For kinds whose output has their input's shape. */
cnn_status cnn_layer_keep_shape(cnn_layer *layer);
/* The work of `flops` for each value of the output. */
double cnn_layer_flops_each(const cnn_layer *layer, double flops);

/* The windows of a convolution or a pool along one axis: of `size` values with `before` and `after`
 * more at the ends; below 1 where none fits. ceil_mode is PyTorch's: a last window that begins
 * within the values or the padding before them. */
int cnn_window_count(int size, int kernel, int stride, int before, int after, int dilation,
                     bool ceil_mode);

/* c * h * w; cnn_layer_init() made sure that it fits. */
size_t cnn_shape_count(cnn_shape shape);
bool cnn_shape_equal(cnn_shape a, cnn_shape b);

/* The shape of an input, from 0. */
static inline cnn_shape cnn_layer_input(const cnn_layer *layer, int input)
{
    return layer->shapes ? layer->shapes[input] : layer->in;
}

/* A square kernel at stride 1 without dilation or groups, as many zeros on every side, fewer than
 * the kernel has rows, and a bias. */
bool cnn_conv_is_square(const cnn_layer *layer);
/* And these zeros are ksize / 2: the convolution of the family. */
bool cnn_conv_is_plain(const cnn_layer *layer);
/* 2 x 2 at stride 2, without padding, dilation or ceil_mode: the family's pool. */
bool cnn_pool_is_plain(const cnn_layer *layer);
static inline int cnn_conv_ksize(const cnn_layer *layer)
{
    return layer->options.conv.kernel[0];
}
/* The zeros before the first row and column of a square convolution. */
static inline int cnn_conv_padding(const cnn_layer *layer)
{
    return layer->options.conv.padding[0];
}

/* A channel, or a value, is kept where its 32 random bits are not below this: p * 2^32, rounded
 * down. p in [0, 1). */
uint32_t cnn_dropout_threshold(double p);

enum { CNN_POOL_SIZE = 2 }; /* of the plain pool */

/* The rows of the table. */
extern const cnn_layer_class cnn_conv_layer;
extern const cnn_layer_class cnn_linear_layer;
extern const cnn_layer_class cnn_batchnorm_layer;
extern const cnn_layer_class cnn_groupnorm_layer;
extern const cnn_layer_class cnn_relu_layer;
extern const cnn_layer_class cnn_relu6_layer;
extern const cnn_layer_class cnn_leakyrelu_layer;
extern const cnn_layer_class cnn_silu_layer;
extern const cnn_layer_class cnn_gelu_layer;
extern const cnn_layer_class cnn_hardswish_layer;
extern const cnn_layer_class cnn_sigmoid_layer;
extern const cnn_layer_class cnn_tanh_layer;
extern const cnn_layer_class cnn_maxpool_layer;
extern const cnn_layer_class cnn_avgpool_layer;
extern const cnn_layer_class cnn_adaptiveavgpool_layer;
extern const cnn_layer_class cnn_dropout_layer;
extern const cnn_layer_class cnn_dropout2d_layer;
extern const cnn_layer_class cnn_flatten_layer;
extern const cnn_layer_class cnn_add_layer;
extern const cnn_layer_class cnn_concat_layer;
extern const cnn_layer_class cnn_mul_layer;
extern const cnn_layer_class cnn_scale_layer;

#endif
