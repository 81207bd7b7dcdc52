/* What the device did, and when: a profile records every command that is enqueued while it is open.
 * Without one nothing is recorded, and no event is made. */
#ifndef OCL_PROFILE_H
#define OCL_PROFILE_H

#include "ocl/device.h"

/* A command that is complete. Times are nanoseconds of the device's clock; where the driver's does
 * not run, of the host's, which waits for each command. */
typedef struct cnn_profile_record {
    char name[64]; /* of the kernel or call */
    size_t group;
    uint64_t queued, submitted, started, ended;
} cnn_profile_record;

/* A command that is enqueued. */
typedef struct cnn_profile_command {
    cl_event before; /* of a call that enqueues several commands: a marker before it; else NULL */
    cl_event event;  /* of the command, or the call's last; NULL where enqueuing it failed */
} cnn_profile_command;

/* One at a time on a device. Start from {0}. */
typedef struct cnn_profile {
    cnn_device *device;     /* NULL where it is closed */
    cl_command_queue plain; /* the device's own queue, put aside meanwhile */
    size_t group;           /* of what is enqueued next: set it freely */
    bool host_clock;        /* the driver's does not run */
    cnn_status status;      /* of recording, which is told by cnn_profile_collect() */
    size_t count;           /* commands, in the order they were enqueued */
    size_t complete;        /* those that cnn_profile_collect() has read */
    size_t capacity;
    cnn_profile_record *records;
    cnn_profile_command *commands;
} cnn_profile;

/* Replaces the device's queue by one that measures, and finds out whether it does. Waits for the
 * device. Errors: OPENCL. */
cnn_status cnn_profile_open(cnn_profile *profile, cnn_device *device);
/* Waits for the device and fills in the records of what was enqueued. Errors: OPENCL, MEMORY. */
cnn_status cnn_profile_collect(cnn_profile *profile);
/* Forgets all records. */
void cnn_profile_clear(cnn_profile *profile);
/* Gives the device its queue back and keeps the collected records. A closed one is left alone. */
void cnn_profile_close(cnn_profile *profile);
/* Closes it and frees the records. */
void cnn_profile_finish(cnn_profile *profile);

/* For whoever enqueues a command: where its event goes, valid until the next one; NULL where it
 * needs none. Call it right before. */
cl_event *cnn_profile_command_event(cnn_device *device, const char *name);
/* The same for a library's call that enqueues several commands and hands out the last one's event:
 * one record from the first to the last. */
cl_event *cnn_profile_call_event(cnn_device *device, const char *name);

#endif
