/* A sentinel of training: every so many steps some values of a step of the plan, of the loss and of the
 * update are computed again in plain C from what the device had, and compared with what it made of it. A
 * device that begins to compute wrong in the middle of a run is found. It only reads: a run gives the
 * same values with it and without.
 *
 * Which values is drawn by the seed, the training step and the rank. What costs more than its budget,
 * a share of a step's work, is done as seldom as that it costs no more on average. */
#ifndef DOCTOR_SENTINEL_H
#define DOCTOR_SENTINEL_H

#include "plan/plan.h"

typedef struct cnn_sentinel cnn_sentinel;

/* For a plan of training, whose options->trained say how often; the plan outlives it. *sentinel is NULL
 * where they say never. Errors: MEMORY. */
cnn_status cnn_sentinel_create(cnn_sentinel **sentinel, cnn_plan *plan, int rank);
/* NULL is no error. */
void cnn_sentinel_destroy(cnn_sentinel *sentinel);

/* Around training step `step`, from 0, of so many passes of the plan: where it is the step's turn, the
 * plan is watched, and what is wrong ends it: ARITHMETIC, with a message that names the steps, the
 * layers and the value. sentinel may be NULL. */
void cnn_sentinel_begin(cnn_sentinel *sentinel, uint64_t step, int passes);
void cnn_sentinel_end(cnn_sentinel *sentinel);

/* Is a failure's message that of a sentinel, of whichever rank? */
bool cnn_sentinel_is_verdict(const char *message);
/* What was found wrong, as cnn_doctor_report() writes it, to be freed; *text is NULL where nothing was,
 * or there is no sentinel. Errors: MEMORY. */
cnn_status cnn_sentinel_report(char **text, const cnn_sentinel *sentinel);

#endif
