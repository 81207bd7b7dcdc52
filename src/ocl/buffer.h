/* Device memory. */
#ifndef OCL_BUFFER_H
#define OCL_BUFFER_H

#include "ocl/device.h"

typedef struct cnn_buffer {
    cnn_device *device;
    cl_mem mem;
    size_t bytes;
} cnn_buffer;

/* Allocates and fills with zeros, so that a lazy driver fails here. `what` names it in the message,
 * which has the bytes asked, the bytes there and what to lower. Zero bytes are made four. Errors:
 * MEMORY, OPENCL. */
cnn_status cnn_buffer_init(cnn_buffer *buffer, cnn_device *device, size_t bytes, const char *what);
/* A buffer of these values, which kernels only read. Where the kernels run on the host's processor
 * it is the caller's own memory, and takes none of the device's (bytes is 0); else a copy. data
 * must stay as it is until the buffer is finished. Errors: MEMORY, OPENCL. */
cnn_status cnn_buffer_share(cnn_buffer *buffer, cnn_device *device, const void *data, size_t bytes,
                            const char *what);
/* Takes a buffer that is {0}, too. */
void cnn_buffer_finish(cnn_buffer *buffer);

/* Enqueues: all bits of the whole buffer are set, which are NaN as floats. */
cnn_status cnn_buffer_wipe(const cnn_buffer *buffer);

/* Enqueues: `bytes` bytes from `offset` on, both multiples of four, become zero. */
cnn_status cnn_buffer_enqueue_zeros(const cnn_buffer *buffer, size_t offset, size_t bytes);
/* Enqueues a copy of x's first `bytes` bytes to y's from `offset` on. */
cnn_status cnn_buffer_enqueue_put(const cnn_buffer *y, size_t offset, const cnn_buffer *x,
                                  size_t bytes);

/* Enqueues a copy of `bytes` bytes of x from `from` on to y's from `offset` on. */
cnn_status cnn_buffer_enqueue_part(const cnn_buffer *y, size_t offset, const cnn_buffer *x,
                                   size_t from, size_t bytes);

/* Enqueues a copy of the first `bytes` bytes of x to y. */
cnn_status cnn_buffer_enqueue_copy(cnn_device *device, cl_mem y, cl_mem x, size_t bytes);

/* Blocking copies; offset and bytes in bytes. */
cnn_status cnn_buffer_read(void *data, const cnn_buffer *buffer, size_t offset, size_t bytes);
cnn_status cnn_buffer_write(const cnn_buffer *buffer, size_t offset, const void *data,
                            size_t bytes);
/* Enqueued, not waited for; the first `bytes` bytes. Data must stay until *event (to be released by
 * the caller) is done. */
cnn_status cnn_buffer_write_async(cl_event *event, const cnn_buffer *buffer, const void *data,
                                  size_t bytes);
cnn_status cnn_buffer_read_async(cl_event *event, void *data, const cnn_buffer *buffer,
                                 size_t bytes);
/* The same from `offset` on. */
cnn_status cnn_buffer_read_part_async(cl_event *event, void *data, const cnn_buffer *buffer,
                                      size_t offset, size_t bytes);
/* Is such a copy done, or none? */
bool cnn_buffer_is_over(cl_event event);
/* Waits for such a copy and releases its event; NULL is none. After a failure the event stays: the
 * copy may still be under way. Errors: OPENCL. */
cnn_status cnn_buffer_settle(cl_event *event, const cnn_device *device);
/* Frees the data of such a copy, or without one (event NULL), and releases the event. What the
 * driver does not let go of within a second stays allocated: it may still be written to. */
void cnn_buffer_free_data(void *data, cl_event event);

#endif
