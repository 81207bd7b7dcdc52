/* When a rank did what in its steps, for the bench: kept where there is a timeline, and asked for
 * nowhere else. */
#ifndef TRAIN_TIMELINE_H
#define TRAIN_TIMELINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "ocl/opencl.h"

typedef enum cnn_timeline_kind {
    CNN_TIMELINE_STEP,
    CNN_TIMELINE_DEVICE, /* a wait for the device's gradients */
    CNN_TIMELINE_SUM,    /* of a range over all ranks, with the wait for slower ones */
    CNN_TIMELINE_TALLY,  /* losses and hits to rank 0, and what it says of them */
    CNN_TIMELINE_KINDS
} cnn_timeline_kind;

/* Seconds, from when the ranks began together. */
typedef struct cnn_timeline_event {
    double begun, ended;
    cnn_timeline_kind kind;
    size_t step, bytes; /* of a sum: of its range */
    double exposed;     /* seconds of a sum or a tally in which the device had nothing to do */
} cnn_timeline_event;

/* Start from {0}. */
typedef struct cnn_timeline {
    double origin;       /* of cnn_seconds() */
    size_t step;         /* the one under way */
    _Atomic double idle; /* since when the device is, of cnn_seconds(); infinity: it is at work */
    atomic_int watched;  /* commands that are not known to be over */
    cnn_timeline_event *events; /* (count) */
    size_t count, room;
    bool failed; /* there was no memory for one */
} cnn_timeline;

/* cnn_seconds(), or 0 where the timeline is NULL. */
double cnn_timeline_now(const cnn_timeline *timeline);
/* The device is idle when this command is over, and now where it is NULL. Nothing where the
 * timeline is NULL. */
void cnn_timeline_watch(cnn_timeline *timeline, cl_event command);
/* What is watched was waited for: a driver may wake who waits before it calls back. */
void cnn_timeline_is_idle(cnn_timeline *timeline);
/* Something that ends now; begun: of cnn_timeline_now(). Nothing where the timeline is NULL. */
void cnn_timeline_add(cnn_timeline *timeline, cnn_timeline_kind kind, double begun, size_t bytes);
/* Waits for what is watched: the device is to be idle. */
void cnn_timeline_finish(cnn_timeline *timeline);

#endif
