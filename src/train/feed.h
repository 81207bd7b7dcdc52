/* Batches of one split of a data set for a plan: from memory that lives on the device, or streamed
 * from the host through two buffers, one being filled while the other is read. A sample is an image
 * of the data set, in bytes, or a row of values that was computed of it. */
#ifndef TRAIN_FEED_H
#define TRAIN_FEED_H

#include <cnncl/dataset.h>

#include "plan/plan.h"

enum { CNN_FEED_SLOTS = 2 };

/* A streamed piece of a batch on its way. */
typedef struct cnn_feed_slot {
    uint8_t *images; /* host (piece + 1): samples, and the one that the first is mixed with */
    uint16_t *labels;
    cnn_buffer device_images, device_labels;
    cl_event images_written, labels_written; /* NULL: none pending */
} cnn_feed_slot;

typedef struct cnn_feed {
    cnn_device *device;
    const cnn_dataset *dataset;
    cnn_split split;
    int batch, piece; /* samples of a batch, and the most of a pass */
    bool streaming;
    bool mirrored;                    /* streamed images come with left and right swapped */
    int view;                         /* images come as this view of them; -1: as they are, and in
                                         training changed anew */
    uint32_t *samples;                /* (piece + 1) room for a view's places */
    size_t sample;                    /* bytes of one */
    const uint32_t *given_order;      /* the caller's, while it is the order; or host_order */
    const float *weights;             /* of each class, for training; NULL: none */
    uint8_t *rows;                    /* they, where they are rows: the feed's own */
    size_t count;                     /* samples of a pass: the whole split or a part of it */
    bool ordered;                     /* an order was set; else the samples come as they lie */
    uint32_t *host_order;             /* streaming: (count) */
    cnn_buffer images, labels, order; /* resident: (count) samples, (count), (count) */
    cnn_feed_slot slots[CNN_FEED_SLOTS]; /* streaming */
    int next_slot;
} cnn_feed;

/* Bytes of device memory that a resident feed takes, with samples of so many bytes. */
uint64_t cnn_feed_resident_bytes(const cnn_dataset *dataset, cnn_split split, size_t sample);

/* The data set must outlive the feed. Errors: MEMORY, OPENCL. */
cnn_status cnn_feed_init(cnn_feed *feed, cnn_device *device, const cnn_dataset *dataset,
                         cnn_split split, int batch, int piece, bool streaming);
/* The same of rows of so many floats, for cnn_feed_put() to fill. */
cnn_status cnn_feed_init_rows(cnn_feed *feed, cnn_device *device, const cnn_dataset *dataset,
                              cnn_split split, int batch, int piece, bool streaming, size_t row);
/* The rows of samples first to first + n - 1, from a buffer's beginning; waits where the rows are
 * on the host. */
cnn_status cnn_feed_put(cnn_feed *feed, size_t first, int n, const cnn_buffer *rows);
void cnn_feed_finish(cnn_feed *feed);

/* Batches of a pass, a short last one included. */
size_t cnn_feed_batch_count(const cnn_feed *feed);

/* Sets the samples of a pass and their order, (count) indices, no more than the split has; NULL:
 * all of them as they lie. The device must be idle. */
cnn_status cnn_feed_set_order(cnn_feed *feed, const uint32_t *order, size_t count);

/* Enqueues the piece of batch number `index` that comes behind pass->before of its samples into the
 * plan's input and labels; sets pass->n and pass->after. */
cnn_status cnn_feed_piece(cnn_pass *pass, cnn_feed *feed, cnn_plan *plan, size_t index);
/* The same of one of the slices of the batch, that has samples; sets pass->before, too. */
cnn_status cnn_feed_slice(cnn_pass *pass, cnn_feed *feed, cnn_plan *plan, size_t index,
                          const cnn_cut *cut, int slice);
/* The samples of batch number `index`. */
int cnn_feed_batch_size(const cnn_feed *feed, size_t index);

#endif
