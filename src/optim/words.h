/* Options of training that are words: to text, and from it. */
#ifndef OPTIM_WORDS_H
#define OPTIM_WORDS_H

#include <cnncl/trainer.h>

enum { CNN_WORDS_SIZE = 256 };

typedef struct cnn_option_words {
    const char *expected; /* "adam, adamw or sgd" */
    void (*write)(char text[CNN_WORDS_SIZE], const cnn_train_options *options);
    /* False, and options are then not to be used, where the text says none. */
    bool (*read)(cnn_train_options *options, const char *text);
} cnn_option_words;

extern const cnn_option_words cnn_optimizer_words, cnn_schedule_words, cnn_class_weights_words;

#endif
