/* Keeps a bounded number of steps in flight, so that an interrupt is answered soon and a driver's
 * queue does not grow without end. */
#ifndef TRAIN_PACE_H
#define TRAIN_PACE_H

#include "ocl/device.h"

enum { CNN_PACE_MOST = 32 };

typedef struct cnn_pace {
    cnn_device *device;
    int limit;              /* steps in flight at most */
    size_t begun, complete; /* steps */
    cl_event marks[CNN_PACE_MOST];
} cnn_pace;

/* pieces: how many a step is made in. */
void cnn_pace_init(cnn_pace *pace, cnn_device *device, int pieces);
/* Releases what is pending. */
void cnn_pace_finish(cnn_pace *pace);
/* After a step was enqueued: marks its end, and waits for the oldest where too many are in
 * flight. */
cnn_status cnn_pace_step(cnn_pace *pace);
/* Waits for all. */
cnn_status cnn_pace_drain(cnn_pace *pace);

#endif
