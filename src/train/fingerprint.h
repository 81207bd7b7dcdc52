/* What decides the last bits of a result: device, driver, and how the network runs on it. */
#ifndef TRAIN_FINGERPRINT_H
#define TRAIN_FINGERPRINT_H

#include "base/json.h"
#include "plan/plan.h"

/* A new object of strings: device, platform, driver, version, and plan, the SHA-256 of the steps
 * with their kernels' options. Errors: MEMORY. */
cnn_status cnn_fingerprint(json_t **json, const cnn_plan *plan);

/* Warns in the log of what differs. Errors: MEMORY. */
cnn_status cnn_fingerprint_compare(const json_t *then, const cnn_plan *plan);

#endif
