/* A small training on the device, and the same by plain C. */
#ifndef TESTS_TRAIN_CASE_H
#define TESTS_TRAIN_CASE_H

#include <cnncl/trainer.h>

#include "net/network.h"
#include "on_device.h"
#include "support.h"

/* A data set whose class is told by the bright part of the image, and noise. Destroyed by the
 * caller. */
cnn_dataset *make_dataset(const int shape[3], int classes, size_t train_count, size_t test_count);

/* A network with everything: two blocks of which the second has an odd plane, batch norm, dropout
 * and a hidden layer; 3 channels. */
enum { TRAIN_CLASSES = 4 };
cnn_config train_config(bool batchnorm, double dropout);

/* Few epochs and a batch that does not divide the data. */
cnn_train_options train_options(void);

/* A fresh model of a configuration, trained with it. To be destroyed by the caller. */
cnn_model *train_model(const cnn_config *config, const cnn_dataset *dataset,
                       const cnn_train_options *options, const cnn_train_callbacks *callbacks,
                       cnn_status expected);

/* What plain C makes of a fresh model in at most `steps` steps; losses (epochs) are the mean of
 * those of each epoch's batches. To be destroyed by the caller. */
cnn_model *train_reference(float *losses, const cnn_config *config, const cnn_dataset *dataset,
                           const cnn_train_options *options, size_t steps);

/* Bit for bit, num_batches_tracked included. */
bool models_are_equal(const cnn_model *a, const cnn_model *b);
/* Each tensor norm-wise. The bias of a convolution before batch norm is left out: rounding noise is
 * all that moves it, but Adam moves it as far as any other. The running means follow it: they are
 * compared where `with_means`. */
void check_models_close(const char *name, const cnn_model *actual, const cnn_model *expected,
                        double tolerance, bool with_means);
/* num_batches_tracked of the only batch norms there are: the same in all. */
int64_t batches_tracked(const cnn_model *model);

#endif
