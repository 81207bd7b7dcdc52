/* What the ways out and in have in common. */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include <cnncl/exchange.h>

#include "model/archive.h"

/* Refuses a file's network of one output, which softmax would make 1 of all pictures. Returns DATA.
 */
cnn_status cnn_exchange_fail_one_output(const char *path);

/* Pictures in colour of a network of others are cropped to its input, as torchvision does and as
 * evaluation does without another word. path is the file, for the line that says so. */
void cnn_exchange_prepare(cnn_model *model, const char *path);

#endif
