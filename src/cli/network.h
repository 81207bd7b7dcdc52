/* The network that the options name. */
#ifndef CLI_NETWORK_H
#define CLI_NETWORK_H

#include <cnncl/cnncl.h>

#include "cli/options.h"

/* --net's, or the family's of the other options. dataset gives the shape of the input and the
 * number of classes that the options do not say; NULL for none. Returns an exit code. */
int cli_network_create(cnn_network **network, const cli_options *options,
                       const cnn_dataset *dataset);

/* Refuses a wrong network file before data are read, but for what their number of classes may mend.
 * Returns an exit code. */
int cli_network_check(const cli_options *options);

/* What the options fix of the network's input, before there is data: --xdim, or the numbers of a
 * network file. False where they leave it open. */
bool cli_network_input(int input[3], const cli_options *options);

/* The path of --net's network file, to be freed with cnn_string_free(); NULL without --net. Refuses
 * a name that is no preset's. Returns an exit code. */
int cli_network_find(char **path, const cli_options *options);

#endif
