/** @file
 * The project's one random generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3", SC'11), counter-based: a value depends on its seed and place alone. */
#ifndef CNNCL_RANDOM_H
#define CNNCL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Draws count floats, uniform in [0, 1), a multiple of 2^-24 each. */
CNN_API void cnn_random_uniform(float *values, size_t count, uint64_t seed);
/** Draws count different indices below total, in random order; count at most total. Errors:
 * ARGUMENT, MEMORY. */
CNN_API cnn_status cnn_random_choice(size_t *indices, size_t count, size_t total, uint64_t seed);

#ifdef __cplusplus
}
#endif

#endif
