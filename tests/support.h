/* What the tests of operations share: scratch memory, random values and shapes, comparison. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>

#include <cnncl/network.h>

#include "layers/layer.h"

/* How many examples a loop has: `few` in each run of the suite, `all` where CNN_TEST_SWEEP is set,
 * as `scripts/slow_tests.sh sweeps` does: each kernel takes some 0.3 s to compile. */
int sweep(int few, int all);

/* Adds a test case to the suite whose scratch memory is released after each of its tests. */
TCase *add_scratch_case(Suite *suite, const char *name);

/* Scratch memory: never freed by hand. Floats start as NaN, so that one left out shows. */
void *scratch_bytes(size_t size);
int32_t *scratch_ints(size_t count);
float *scratch_floats(size_t count);
float *scratch_zeros(size_t count);
float *scratch_copy(const float *values, size_t count);

/* A source of random values: Philox, so the same on every machine. Start from {seed}. */
typedef struct random_source {
    uint64_t seed, drawn;
} random_source;

/* low to high, both included. */
int random_int(random_source *random, int low, int high);
/* Scratch memory: normal values; uniform values between low and high; bytes below a
 * bound; labels below classes. */
float *random_normals(random_source *random, size_t count, double deviation);
float *random_uniforms(random_source *random, size_t count, double low, double high);
uint8_t *random_pixels(random_source *random, size_t count, int bound);
uint16_t *random_labels(random_source *random, size_t count, int classes);
/* Odd multiples of spacing / 2 in random order: no two closer than spacing, none nearer to zero
 * than half of it. So a step below half of the spacing crosses no kink of ReLU or max pool. */
float *random_distinct(random_source *random, size_t count, double spacing);

/* A layer of the family's form: ksize of a convolution, outputs of a convolution or a linear layer,
 * dropout's probability; what the kind does not have is not looked at. */
cnn_layer plain_layer(cnn_layer_kind kind, int index, cnn_shape in, int ksize, int outputs,
                      double dropout);

/* A layer with a random shape whose sides are at most `largest`. The example's number, 0 and up,
 * makes sure of the variety: 1 and 3 channels, odd and even sides, every ksize of 1 to 5 are there
 * within EXAMPLES. Its place in the network is example. */
enum { EXAMPLES = 20 };
cnn_layer random_layer(random_source *random, cnn_layer_kind kind, int example, int largest);
/* Likewise a small network: none to two of either kind of block, with and without batch norm, even
 * and odd ksize; dropout is 0. */
cnn_config random_config(random_source *random, int example);

/* |a - b| / |b| over the tensor (the Euclidean norm), 0 where both are 0. NaN and infinities are
 * left out of the norms, but infinite is the result where they are not in the same places. */
double relative_error(const float *a, const float *b, size_t count);

/* Aborts the test, naming the case, the tensor, the error and the worst value, unless
 * |actual - expected| <= tolerance * |expected|, or <= floor * sqrt(count): floor is what a single
 * value may be off where the expected tensor is rounding noise. */
void check_close(const char *case_name, const char *tensor, const float *actual,
                 const float *expected, size_t count, double tolerance, double floor);

/* Compares a gradient with fourth-order central differences of a function of the values, which are
 * moved by `step` and twice that, and put back. */
typedef double (*scalar_function)(void *context);
void check_gradient(const char *case_name, const char *tensor, const float *gradient, float *values,
                    size_t count, double step, scalar_function function, void *context,
                    double tolerance);

/* The sum of a * b in double: the random projection that makes a tensor a scalar. */
double dot(const float *a, const float *b, size_t count);

#endif
