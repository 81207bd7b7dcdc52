/* predict IMAGE...: what a model takes pictures for. */
#ifndef CLI_PICTURES_H
#define CLI_PICTURES_H

#include "cli/options.h"

/* Goes on after an image that cannot be read, and returns 1 in the end. Returns an exit code. */
int cli_pictures_predict(const cli_options *options);

#endif
