/* Philox4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", SC'11. cl/philox.cl is the same function on the device. */
#ifndef BASE_PHILOX_H
#define BASE_PHILOX_H

#include <stdint.h>

/* What a draw is for. Streams never overlap. */
typedef enum cnn_stream {
    CNN_STREAM_INIT = 0,    /* initial weights; layer: the layer's position; step: 0 */
    CNN_STREAM_SHUFFLE = 1, /* order of an epoch; layer: 0; step: the epoch */
    CNN_STREAM_DROPOUT = 2, /* masks; layer: the layer's position; step: the training step */
    CNN_STREAM_USER = 3,    /* cnn_random_*() of the public API */
    CNN_STREAM_HOLDOUT = 4, /* which samples validate; layer and step: 0 */
    CNN_STREAM_AUGMENT = 5, /* of images; layer: which kind; step: the training step */
    CNN_STREAM_SENTINEL = 6 /* what is looked at; layer: the rank; step: the training step */
} cnn_stream;

enum { CNN_PHILOX_LANES = 4 };

/* The block function: four words from a counter and a key. */
void cnn_philox(uint32_t words[4], const uint32_t counter[4], const uint32_t key[2]);

/* Block number `block` of a draw: counter (block, stream << 16 | layer, step low, step high), key
 * (seed low, seed high). layer is below 65536. */
void cnn_philox_block(uint32_t words[4], uint64_t seed, cnn_stream stream, unsigned layer,
                      uint64_t step, uint32_t block);

/* Value number `index` of a draw: lane index % 4 of block index / 4. */
uint32_t cnn_philox_value(uint64_t seed, cnn_stream stream, unsigned layer, uint64_t step,
                          uint64_t index);

/* A random permutation of 0..count-1 (Fisher-Yates), drawn from one stream, layer and step. */
void cnn_philox_permutation(uint32_t *order, uint32_t count, uint64_t seed, cnn_stream stream,
                            unsigned layer, uint64_t step);

#endif
