/* Keeps a bounded number of passes (batches, or pieces of one) in flight, so that an interrupt is
 * answered soon and a driver's queue does not grow without end. */
#ifndef TRAIN_PACE_H
#define TRAIN_PACE_H

#include "ocl/device.h"

enum { CNN_PACE_MOST = 32 };

typedef struct cnn_pace {
    cnn_device *device;
    int limit;              /* passes in flight at most */
    size_t begun, complete; /* passes */
    cl_event marks[CNN_PACE_MOST];
} cnn_pace;

void cnn_pace_init(cnn_pace *pace, cnn_device *device);
/* Releases what is pending. */
void cnn_pace_finish(cnn_pace *pace);
/* After a pass was enqueued: marks its end, and waits for the oldest where too many are in
 * flight. */
cnn_status cnn_pace_pass(cnn_pace *pace);
/* Waits for all. */
cnn_status cnn_pace_drain(cnn_pace *pace);

#endif
