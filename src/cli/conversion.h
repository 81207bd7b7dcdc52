/* From a picture to the input of the model. */
#ifndef CLI_CONVERSION_H
#define CLI_CONVERSION_H

#include <cnncl/cnncl.h>

#include "cli/options.h"

typedef struct cli_conversion {
    int shape[3];      /* of the input */
    size_t size;       /* values of it */
    bool digits;       /* as MNIST's images were made */
    bool digits_asked; /* by the user: then also images that fit as they are */
    bool fitted;       /* as the pictures that it was trained on */
    cnn_picture_fit fit;
    bool fit_asked;     /* by the user */
    bool may_fit;       /* --fit is an option here */
    bool may_be_digits; /* a small square, no more classes than letters */
} cli_conversion;

/* --digits, --no-preprocess, and what the model was trained on. */
cli_conversion cli_conversion_choose(const cnn_model *model, const cli_options *options);
/* A line on stderr: what is done to pictures, why, and how to change it. */
void cli_conversion_say(const cli_conversion *conversion);
/* values (size). is_idx: raw images that fit are taken as they are. warning is empty, or what the
 * user should know. */
enum { CLI_WARNING_SIZE = 96 };
cnn_status cli_conversion_apply(float *values, char warning[CLI_WARNING_SIZE],
                                const cli_conversion *conversion, const cnn_image *image,
                                bool is_idx);

/* The softmax of logits (count), in place: they become probabilities. */
bool cli_softmax(float *logits, int count);

#endif
