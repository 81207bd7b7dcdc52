/* The networks of network files, for a file of tensors. */
#ifndef EXCHANGE_NAMED_H
#define EXCHANGE_NAMED_H

#include <cnncl/exchange.h>

#include "exchange/state_dict.h"

/* The network of options->network, as wide as the file is. Errors: ARGUMENT, FILE, MEMORY. */
cnn_status cnn_named_network(cnn_network **network, const cnn_state_dict *dict,
                             const cnn_import_options *options);

/* The first preset that has exactly the file's tensors; NULL for none. *preset is its name, to be
 * freed with free(). With the options' xdim and name, and
 * the file's width. by_shape: names do not matter. Errors: MEMORY. */
cnn_status cnn_find_preset(cnn_network **network, char **preset, const cnn_state_dict *dict,
                           const cnn_import_options *options, bool by_shape);

#endif
