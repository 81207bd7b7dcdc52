/* The networks of network files, for a file of tensors. */
#ifndef EXCHANGE_NAMED_H
#define EXCHANGE_NAMED_H

#include <cnncl/exchange.h>

#include "exchange/state_dict.h"

/* The network of options->network, as wide as the file is. Errors: ARGUMENT, FILE, MEMORY. */
cnn_status cnn_named_network(cnn_network **network, const cnn_state_dict *dict,
                             const cnn_import_options *options);

/* "nets/mine.net" is called "mine". */
void cnn_name_of_file(char name[CNN_MAX_NAME], const char *path);

typedef enum cnn_preset_match {
    CNN_PRESET_EXACT,  /* the file's tensors are its, by name and with their shapes */
    CNN_PRESET_SHAPES, /* by shape, and no name is one of its */
    CNN_PRESET_MOST    /* most of its tensors are there */
} cnn_preset_match;

/* The first preset that matches; NULL for none. *preset is its name, to be freed with free(). With
 * the options' xdim and name, and the file's width. Errors: MEMORY. */
cnn_status cnn_find_preset(cnn_network **network, char **preset, const cnn_state_dict *dict,
                           const cnn_import_options *options, cnn_preset_match match);

#endif
