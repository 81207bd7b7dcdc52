/* --augment as text. */
#ifndef TRAIN_AUGMENT_WORDS_H
#define TRAIN_AUGMENT_WORDS_H

#include "optim/words.h"

/* "flip,shift=2,crop=0.6:1,rotate=10,color=0.3,cutout=8,mixup=0.2", any of them in any order, or
 * "none". */
extern const cnn_option_words cnn_augment_words;

#endif
