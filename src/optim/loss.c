/* What the options say of the training loss. */
#include <stdio.h>
#include <string.h>

#include "optim/words.h"

static void write_weights(char text[CNN_WORDS_SIZE], const cnn_train_options *options)
{
    snprintf(text, CNN_WORDS_SIZE, "%s", options->balanced_classes ? "balanced" : "none");
}

static bool read_weights(cnn_train_options *options, const char *text)
{
    options->balanced_classes = strcmp(text, "balanced") == 0;
    return options->balanced_classes || strcmp(text, "none") == 0;
}

const cnn_option_words cnn_class_weights_words = {"none or balanced", write_weights, read_weights};
