/* Requests that arrive together share a batch: one thread has the device, and takes all that wait
 * for it at once, as many as a batch has room for. Nothing waits for others to come. */
#ifndef CLI_SERVE_BATCHER_H
#define CLI_SERVE_BATCHER_H

#include <cnncl/cnncl.h>

typedef struct cli_batcher cli_batcher;

typedef struct cli_batcher_counts {
    unsigned long long images, batches;
    int largest; /* batch so far */
} cli_batcher_counts;

/* The device and the model must outlive it. Compiles and warms up. Returns an exit code, after
 * saying what failed. */
int cli_batcher_create(cli_batcher **batcher, cnn_device *device, const cnn_model *model, int batch,
                       bool fuse);
/* Call when nobody waits for it. */
void cli_batcher_destroy(cli_batcher *batcher);

/* logits (ydim) of an input (C, H, W); from any thread, waits for its turn. A failure's message is
 * cnn_error_message() of another thread: it is copied. */
enum { CLI_BATCHER_MESSAGE = 256 };
cnn_status cli_batcher_run(char message[CLI_BATCHER_MESSAGE], float *logits, cli_batcher *batcher,
                           const float *input);
cli_batcher_counts cli_batcher_count(cli_batcher *batcher);

#endif
