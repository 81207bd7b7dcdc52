/* Schedules: the learning rate and the momentum of each step. */
#ifndef OPTIM_RATE_H
#define OPTIM_RATE_H

#include <stddef.h>
#include <stdint.h>

#include <cnncl/trainer.h>

/* The values of a step. */
typedef struct cnn_rate {
    double lr;
    double momentum; /* of SGD; beta1 of Adam and AdamW */
} cnn_rate;

/* Those of training step `step`, from 0, where an epoch has `epoch_steps` of them. */
cnn_rate cnn_rate_at(const cnn_train_options *options, size_t epoch_steps, uint64_t step);

/* How many milestones of its schedule the run reaches. */
int cnn_rate_milestones(const cnn_train_options *options);

/* Does the rate depend on how many epochs there will be? */
bool cnn_rate_knows_end(const cnn_train_options *options);

#endif
