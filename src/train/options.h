/* The options of training: checked, and as JSON. */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <cnncl/trainer.h>

#include "base/json.h"

/* A new object with an entry per field, under the field's name; NULL where there is no memory. A
 * seed beyond JSON's integers is a string. */
json_t *cnn_train_options_to_json(const cnn_train_options *options);
/* source names the text in messages. Errors: DATA. */
cnn_status cnn_train_options_from_json(cnn_train_options *options, const json_t *json,
                                       const char *source);

/* Could a run with options `now` go on from one with options `then`? Errors: DATA (the option, both
 * values). */
cnn_status cnn_train_options_match(const cnn_train_options *now, const cnn_train_options *then,
                                   const char *source);

#endif
