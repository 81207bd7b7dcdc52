/* Zones around device memory that show where a kernel strays. */
#ifndef OCL_GUARD_H
#define OCL_GUARD_H

#include "ocl/device.h"

/* A buffer with its zones. */
typedef struct cnn_guarded {
    struct cnn_guarded *next;
    char what[48];       /* of cnn_buffer_init() */
    cl_mem whole, inner; /* the same where no zone stands before it */
    size_t front, bytes; /* of the zone before it, and without zones */
} cnn_guarded;

/* While open, every buffer of the device is allocated with a zone of a known pattern behind it and,
 * where wanted, before it. Start from {0}. */
typedef struct cnn_guards {
    cnn_device *device; /* NULL where closed */
    size_t front;       /* bytes before a buffer, a multiple of the device's alignment; or 0 */
    cnn_guarded *first; /* the live buffers */
} cnn_guards;

/* Where a zone was written to. */
typedef struct cnn_guard_damage {
    char what[48];
    long long offset; /* of the first byte, from the buffer's begin; negative: before it */
    size_t bytes;     /* of the buffer */
} cnn_guard_damage;

/* front: with zones before buffers, which are sub-buffers then. Errors: OPENCL. */
cnn_status cnn_guards_open(cnn_guards *guards, cnn_device *device, bool front);
/* After the buffers. Takes a closed one, too. */
void cnn_guards_close(cnn_guards *guards);

/* Waits for the device and reads the zones. *damaged where one was written to: damage tells the
 * first, and all are made whole again. Errors: OPENCL. */
cnn_status cnn_guards_check(bool *damaged, cnn_guard_damage *damage, cnn_guards *guards);

/* For cnn_buffer_init() and cnn_buffer_finish(): clCreateBuffer() with zones, and what is left to
 * release besides the buffer itself. */
cl_mem cnn_guards_create_memory(cnn_guards *guards, size_t bytes, const char *what, cl_int *code);
void cnn_guards_forget_memory(cnn_guards *guards, cl_mem mem);

#endif
