/* What a checkpoint holds in tensors, and the parts of its JSON that are read where they are
 * written. */
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include "model/archive.h"
#include "net/network.h"
#include "optim/optimizer.h"

#define CNN_CHECKPOINT_KEY "cnn-cl.checkpoint"
#define CNN_CHECKPOINT_CONFIG_KEY "cnn-cl.config"
#define CNN_CHECKPOINT_NETWORK_KEY "cnn-cl.network"

enum { CNN_CHECKPOINT_VERSION = 1 };

enum { CNN_STATE_NAME_SIZE = CNN_LAYER_NAME_SIZE + 48 };

/* The tensors and where their values are; start from {0}. */
typedef struct cnn_state {
    const cnn_optimizer_class *optimizer;
    float *states[CNN_OPTIMIZER_STATES]; /* of the optimizer (parameter_count), laid out as the
                                            model's parameters */
    cnn_tensor_info *tensors;
    char (*names)[CNN_STATE_NAME_SIZE];
    size_t count;
    size_t zeros; /* tensors of the optimizer's state of frozen layers: not among these, as they
                     stay zero; checkpoints of earlier versions have them */
} cnn_state;

enum { CNN_STATE_PREFIXES = 8 };
/* What a checkpoint puts before the names of tensors that it keeps beside the model's, of any
 * optimizer. Returns how many, at most CNN_STATE_PREFIXES. */
int cnn_state_prefixes(const char *prefixes[CNN_STATE_PREFIXES]);

/* Those of the model, the optimizer's state (memory of this, zero) of layers that are not frozen
 * (per layer; NULL: none is), and the best model's and the averaged one's unless they are NULL. The
 * models must outlive it. Errors: MEMORY. */
cnn_status cnn_state_init(cnn_state *state, const cnn_optimizer_class *optimizer,
                          const bool *frozen, const cnn_model *model, const cnn_model *best,
                          const cnn_model *average);
void cnn_state_finish(cnn_state *state);

/* Copies the values of an archive, whose tensors must be these and no others but the zeros; all are
 * checked before the first is copied. Errors: DATA. */
cnn_status cnn_state_read(cnn_state *state, const cnn_archive *archive);

#endif
