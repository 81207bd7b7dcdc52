/* What several commands do alike: open what the options name, and label random images. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <cnncl/cnncl.h>

#include "cli/options.h"

/* What a command works on; start from {0}. */
typedef struct cli_session {
    cnn_dataset *dataset;
    const char *data_of; /* the checkpoint that says where it is, as nobody typed it; or NULL */
    cnn_model *model;
    cnn_weights *weights; /* of --init, while the model is made; or NULL */
    cnn_device *device; /* the first of */
    cnn_device *devices[CLI_MAX_DEVICES];
    int device_count;
} cli_session;

/* The data set, and the model, unless there is one already, that --model or the network's options
 * say. Refuses a network that
 * the data does not fit. Returns an exit code. */
/* Loads data from a path, NULL for the usual places, as the options, the model or the network want
 * it.
 */
cnn_status cli_session_open_data(cli_session *session, const cli_options *options,
                                 const char *path);
/* Loads the data alone. */
int cli_session_load_data(cli_session *session, cli_options *options);
int cli_session_load(cli_session *session, cli_options *options);
/* Validation images take the place of test images where there are none, and this is said. */
void cli_session_choose_split(const cli_session *session, cli_options *options);
/* The model alone, for commands without data. */
int cli_session_load_model(cli_session *session, const cli_options *options);
/* What --normalize says of the model's pixels, where it does. Returns an exit code. */
int cli_session_normalize(const cli_session *session, const cli_options *options);
/* Refuses a data set that does not fit the model of this file. */
int cli_session_check_fit(const cli_session *session, const char *model);
/* Before any work, of commands that need no device too: refuses one that was asked for, by --device
 * or CNN_CL_DEVICE, and is not there. Opens nothing. */
int cli_session_find_device(const cli_options *options);
/* The device that --device says; of train's those, or of several ranks this one's. */
int cli_session_open_device(cli_session *session, const cli_options *options);
/* A predictor of the session's model for batches of this size, as the options say. Returns an exit
 * code. */
int cli_session_create_predictor(cnn_predictor **predictor, const cli_session *session,
                                 const cli_options *options, size_t batch);
/* Refuses a device that computes wrong on this session's network, unless --trust-device. */
int cli_session_admit_device(const cli_session *session, const cli_options *options);
void cli_session_finish(cli_session *session);

/* Random test images and what a model takes them for; start from {0}. */
typedef struct cli_samples {
    size_t count, hits;
    size_t *indices; /* (count) in the test split */
    int *predicted;  /* (count) */
} cli_samples;

/* At most `count` images, fewer where the test split has fewer; which ones is up to the seed. The
 * session has all three. Returns an exit code. */
int cli_samples_predict(cli_samples *samples, const cli_session *session,
                        const cli_options *options, size_t count);
/* The same from the predictions (N) of the whole test split. */
int cli_samples_take(cli_samples *samples, const cli_session *session, const cli_options *options,
                     size_t count, const cnn_prediction *predictions);
/* Draws them, wrong ones in red. Returns an exit code. */
int cli_samples_draw(const cli_samples *samples, const cnn_dataset *dataset, const char *path);
/* Training images as the network is given them, changed; start from {0}. */
typedef struct cli_shown {
    size_t count;
    uint8_t *images;
    cnn_shown *shown; /* (count) */
} cli_shown;

/* Has the device change them. Each of both returns an exit code. */
int cli_shown_take(cli_shown *taken, cnn_trainer *trainer, const cnn_dataset *dataset);
int cli_shown_draw(const cli_shown *taken, const cnn_dataset *dataset, const char *path);
void cli_shown_finish(cli_shown *taken);
/* The true label of a sample. */
int cli_samples_label(const cli_samples *samples, const cnn_dataset *dataset, size_t index);
void cli_samples_finish(cli_samples *samples);

/* The parts (ended by NULL) as one new string; NULL after saying that there is no memory. */
char *cli_concatenate(const char *const *parts);
/* calloc(); NULL after saying that there is none. */
void *cli_allocate(size_t count, size_t size);

#endif
