/* An operation on the device: one layer (or a fused run of layers), forward and backward.
 *
 * Activations lie (N, H, W, C) on the device, channels innermost; behind flatten (N, F) in
 * PyTorch's order. An op is initialised for a batch of at most `batch` samples and says what memory
 * it needs; the plan then binds memory to it; forward and backward only enqueue. */
#ifndef OPS_OP_H
#define OPS_OP_H

#include "layers/layer.h"
#include "ocl/launch.h"

/* What varies from run to run. */
typedef struct cnn_pass {
    int n; /* samples of this pass: 1 to the plan's batch */
    bool training;
    uint64_t seed;     /* of the dropout masks */
    uint64_t step;     /* training step: the masks' draw */
    int before, after; /* samples of the same batch in the passes before and after this one */
    double weight;     /* of the batch's samples, where the loss has weights of classes */
    bool sliced; /* it is a slice of the batch: its gradients, statistics and tally are its own */
    bool mixed;  /* each sample with another of the batch, */
    double part; /* of which it is this part */
} cnn_pass;

/* The samples of the batch that a pass is a piece of. */
static inline int cnn_pass_whole(const cnn_pass *pass)
{
    return pass->before + pass->n + pass->after;
}

/* The memory of one run of an op. Ops with one input read `input` and `input_gradient` alone. */
typedef struct cnn_op_memory {
    cl_mem input, output;                   /* activations; input: the first one */
    cl_mem input_gradient, output_gradient; /* input_gradient NULL: not wanted */
    const cl_mem *inputs, *input_gradients; /* of each input, the first one, too */
    cl_mem saved;                           /* from forward to backward, saved_bytes */
    cl_mem masks;                           /* likewise, mask_bytes */
    cl_mem input_masks;               /* the masks of the dropout that made the input; NULL: none */
    bool input_packed, output_packed; /* each sample's kept channels alone (cl/kept.cl), in the
                                         activations and in their gradients */
    cl_mem scratch;                   /* within one call, scratch_bytes; shared by all ops */
    cl_mem prepared;                  /* what forward makes of the parameters alone, prepared_bytes;
                                         may be scratch, which is then in use up to there */
    bool is_prepared;                 /* it is there, of the parameters as they are */
    cl_mem parameters, gradients;     /* the network's flat buffers */
    cl_mem statistics;                /* batch norm's running values, flat */
} cnn_op_memory;

enum { CNN_OP_MAX_KERNELS = 13, CNN_OP_MAX_LAYERS = 6 };

/* Layers that one op does: each reads the one before, which nothing else reads. */
typedef struct cnn_chain {
    int layer_count;
    const cnn_layer *layers[CNN_OP_MAX_LAYERS]; /* of a network that outlives the op */
    bool wants_gradient; /* of the input: something that is trained stands before it */
    bool frozen;         /* parameters and statistics of a layer are not trained */
    bool evaluates;      /* it never runs backward: programs of that alone are not built */
} cnn_chain;

typedef struct cnn_op cnn_op;

/* Which work is asked for. */
typedef struct cnn_op_work {
    bool training, backward;
    double input_kept; /* the share of the input's channels that are not dropped */
} cnn_op_work;

/* The verbs of one kind of operation. */
typedef struct cnn_op_class {
    const char *name;
    size_t size; /* of the struct that begins with its cnn_op */
    /* Builds the kernels and sets the needs. */
    cnn_status (*init)(cnn_op *op);
    cnn_status (*forward)(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass);
    /* Overwrites its layers' gradients and the inputs', where wanted. NULL: evaluates alone. */
    cnn_status (*backward)(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass);
    /* For the bench: the work per sample of a pass that leaves some out, expected over the masks; a
     * multiply-add counts as 2. NULL: it does all that its layers say. */
    double (*computed_flops)(const cnn_op *op, const cnn_op_work *work);
} cnn_op_class;

struct cnn_op {
    const cnn_op_class *class;
    cnn_device *device;
    const cnn_layer *layers[CNN_OP_MAX_LAYERS];
    int layer_count;
    int batch;
    bool wants_gradient, frozen, evaluates; /* as the chain's */

    /* Needs, set by init. */
    bool in_place;        /* output may be input, and the last input's gradient output_gradient */
    bool keeps_input;     /* backward reads its inputs */
    bool keeps_output;    /* backward reads output */
    bool packs;           /* its input and its output may be packed */
    bool passes_gradient; /* each input's gradient is the output's: backward has nothing to do where
                             they are one buffer */
    bool writes_gradient; /* backward overwrites output_gradient */
    size_t saved_bytes, mask_bytes, scratch_bytes;
    size_t prepared_bytes; /* with a backward, at most scratch_bytes */

    int kernel_count;
    cnn_kernel kernels[CNN_OP_MAX_KERNELS]; /* in the order that init added them */
    cnn_op *inner; /* which init created, for part of the work; NULL: none. Destroyed with it */
};

cnn_status cnn_op_create(cnn_op **op, const cnn_op_class *class, cnn_device *device,
                         const cnn_chain *chain, int batch);
void cnn_op_destroy(cnn_op *op);

/* For init: builds the next kernel. */
cnn_status cnn_op_add_kernel(cnn_op *op, const char *file, const char *options, const char *name);
/* The same of one that only some ops launch: where it is not needed it has its place among the
 * kernels and is not built. */
cnn_status cnn_op_add_kernel_if(cnn_op *op, bool needed, const char *file, const char *options,
                                const char *name);
/* Will backward be asked for the gradient of the input? */
static inline bool cnn_op_gives_gradient(const cnn_op *op)
{
    return op->wants_gradient && !op->evaluates;
}

/* Into how many parts a sum over the batch is divided: their number is part of the sum's order. */
int cnn_op_parts(const cnn_device *device, int on_cpu, int on_gpu);

/* The activation sizes of a whole batch, in values. */
size_t cnn_op_input_count(const cnn_op *op);
size_t cnn_op_output_count(const cnn_op *op);
static inline const cnn_layer *cnn_op_last_layer(const cnn_op *op)
{
    return op->layers[op->layer_count - 1];
}

/* For convolutions: options of cl/epilogue.cl for the sum and the activation behind the first
 * layer, and the other value of that sum, or another buffer, which is not read. */
enum { CNN_EPILOGUE_SIZE = 32 };
void cnn_op_format_epilogue(char options[CNN_EPILOGUE_SIZE], const cnn_op *op);
cnn_arg cnn_op_added(const cnn_op *op, const cnn_op_memory *memory);

/* The plain operation of a layer. */
const cnn_op_class *cnn_op_of_layer(const cnn_layer *layer);

/* A convolution whose groups are channels, with a small kernel. */
bool cnn_depthwise_suits(const cnn_layer *layer);

extern const cnn_op_class cnn_conv_op;
extern const cnn_op_class cnn_depthwise_op;
extern const cnn_op_class cnn_linear_op;
extern const cnn_op_class cnn_batchnorm_op;
extern const cnn_op_class cnn_groupnorm_op;
extern const cnn_op_class cnn_activation_op;
extern const cnn_op_class cnn_maxpool_op;
extern const cnn_op_class cnn_avgpool_op;
extern const cnn_op_class cnn_adaptiveavgpool_op;
extern const cnn_op_class cnn_dropout_op;
extern const cnn_op_class cnn_dropout2d_op;
extern const cnn_op_class cnn_flatten_op;
extern const cnn_op_class cnn_add_op;
extern const cnn_op_class cnn_concat_op;
extern const cnn_op_class cnn_mul_op;

#endif
