/* What the ways out and in have in common. */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include <cnncl/exchange.h>

#include "model/archive.h"

/* Errors: DATA, naming the tensor. path is where the model was to go. */
cnn_status cnn_exchange_check_finite(const cnn_model *model, const char *path);

/* The network's options as the file tells them: all that its tensors' names and shapes say, or its
 * metadata; what is assumed is logged. options->name and dropout are not looked at. Errors: DATA.
 */
cnn_status cnn_exchange_infer(cnn_config *config, const cnn_archive *archive,
                              const cnn_import_options *options);

#endif
