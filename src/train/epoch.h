/* An epoch's metrics as text: CSV and JSON have the same fields. */
#ifndef TRAIN_EPOCH_H
#define TRAIN_EPOCH_H

#include <cnncl/trainer.h>

#include "base/json.h"
#include "base/text.h"

/* A line each, with its end. */
void cnn_epoch_append_header(cnn_text *text);
void cnn_epoch_append_csv(cnn_text *text, const cnn_epoch *epoch);

/* A new object; NULL where there is no memory. */
json_t *cnn_epoch_to_json(const cnn_epoch *epoch);
/* The device's name belongs to the JSON; best is not in it. False where a field is not as it should
 * be. */
bool cnn_epoch_from_json(cnn_epoch *epoch, const json_t *json);

#endif
