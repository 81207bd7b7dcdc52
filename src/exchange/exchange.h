/* What the ways out and in have in common. */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include <cnncl/exchange.h>

#include "model/archive.h"

/* Errors: DATA, naming the tensor. path is where the model was to go. */
cnn_status cnn_exchange_check_finite(const cnn_model *model, const char *path);

/* Refuses a file's network of one output, which softmax would make 1 of all pictures. Returns DATA.
 */
cnn_status cnn_exchange_fail_one_output(const char *path);

#endif
