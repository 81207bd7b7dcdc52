#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"

static void **scratch;
static size_t scratch_count, scratch_capacity;

static void release_scratch(void)
{
    for (size_t i = 0; i < scratch_count; i++)
        free(scratch[i]);
    free(scratch);
    scratch = NULL;
    scratch_count = scratch_capacity = 0;
}

int sweep(int few, int all)
{
    return getenv("CNN_TEST_SWEEP") ? all : few;
}

TCase *add_scratch_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, NULL, release_scratch);
    suite_add_tcase(suite, tests);
    return tests;
}

void *scratch_bytes(size_t size)
{
    if (scratch_count == scratch_capacity) {
        scratch_capacity = scratch_capacity ? 2 * scratch_capacity : 64;
        scratch = realloc(scratch, scratch_capacity * sizeof *scratch);
        ck_assert_ptr_nonnull(scratch);
    }
    void *block = calloc(size ? size : 1, 1);
    ck_assert_ptr_nonnull(block);
    return scratch[scratch_count++] = block;
}

float *scratch_zeros(size_t count)
{
    return scratch_bytes(count * sizeof(float));
}

int32_t *scratch_ints(size_t count)
{
    return scratch_bytes(count * sizeof(int32_t));
}

float *scratch_floats(size_t count)
{
    float *values = scratch_zeros(count);
    for (size_t i = 0; i < count; i++)
        values[i] = NAN;
    return values;
}

float *scratch_copy(const float *values, size_t count)
{
    float *copy = scratch_zeros(count);
    memcpy(copy, values, count * sizeof(float));
    return copy;
}

/* Uniform in (0, 1). */
static double random_real(random_source *random)
{
    uint32_t value =
        cnn_philox_value(random->seed, CNN_STREAM_USER, UINT16_MAX, 0, random->drawn++);
    return ((double)value + 0.5) * 0x1p-32;
}

int random_int(random_source *random, int low, int high)
{
    return low + (int)(random_real(random) * (high - low + 1));
}

float *random_normals(random_source *random, size_t count, double deviation)
{
    static const double two_pi = 6.283185307179586;
    float *values = scratch_zeros(count);
    for (size_t i = 0; i < count; i++) {
        double radius = sqrt(-2.0 * log(random_real(random)));
        values[i] = (float)(deviation * radius * cos(two_pi * random_real(random)));
    }
    return values;
}

float *random_uniforms(random_source *random, size_t count, double low, double high)
{
    float *values = scratch_zeros(count);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(low + (high - low) * random_real(random));
    return values;
}

uint8_t *random_pixels(random_source *random, size_t count, int bound)
{
    uint8_t *pixels = scratch_bytes(count);
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)random_int(random, 0, bound - 1);
    return pixels;
}

uint16_t *random_labels(random_source *random, size_t count, int classes)
{
    uint16_t *labels = scratch_bytes(count * sizeof *labels);
    for (size_t i = 0; i < count; i++)
        labels[i] = (uint16_t)random_int(random, 0, classes - 1);
    return labels;
}

float *random_distinct(random_source *random, size_t count, double spacing)
{
    float *values = scratch_zeros(count);
    uint32_t *order = scratch_bytes(count * sizeof *order);
    cnn_philox_permutation(order, (uint32_t)count, random->seed, CNN_STREAM_USER, UINT16_MAX - 1,
                           random->drawn++);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(spacing * (0.5 + order[i] - (double)(count / 2)));
    return values;
}

/* Which channels, kernels and parities an example has: 4 and 5 have no common factor, so that 20
 * examples hold every pair. */
static const int example_channels[] = {1, 3, 2, 6};
enum { CHANNEL_CHOICES = sizeof example_channels / sizeof example_channels[0], KSIZES = 5 };

cnn_layer plain_layer(cnn_layer_kind kind, int index, cnn_shape in, int ksize, int outputs,
                      double dropout)
{
    cnn_layer layer = {.kind = kind, .index = index, .in = in};
    cnn_layer_default_options(&layer.options, kind);
    if (kind == CNN_LAYER_CONV) {
        cnn_conv_options *conv = &layer.options.conv;
        conv->channels = outputs;
        conv->kernel[0] = conv->kernel[1] = ksize;
        for (int side = 0; side < 4; side++)
            conv->padding[side] = ksize / 2;
    }
    if (kind == CNN_LAYER_LINEAR)
        layer.options.linear.features = outputs;
    if (kind == CNN_LAYER_MAXPOOL)
        layer.options.pool.kernel[0] = layer.options.pool.kernel[1] = CNN_POOL_SIZE;
    if (kind == CNN_LAYER_DROPOUT2D)
        layer.options.dropout.p = dropout;
    ck_assert_msg(cnn_layer_init(&layer) == CNN_OK, "%s", cnn_error_message());
    return layer;
}

cnn_layer random_layer(random_source *random, cnn_layer_kind kind, int example, int largest)
{
    bool flat = kind == CNN_LAYER_LINEAR;
    cnn_shape in = {.c = example_channels[example % CHANNEL_CHOICES]};
    in.h = random_int(random, CNN_POOL_SIZE, largest);
    in.w = random_int(random, CNN_POOL_SIZE, largest);
    if (flat)
        in = (cnn_shape){in.c * in.h * in.w, 1, 1};
    int outputs = random_int(random, 1, 7);
    return plain_layer(kind, example, in, 1 + example % KSIZES, outputs, 0.1 * (example % 10));
}

cnn_config random_config(random_source *random, int example)
{
    enum { SMALLEST = 4, LARGEST = 13 }; /* two blocks pool 4 away to 1 */
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[0] = example_channels[example % CHANNEL_CHOICES];
    config.xdim[1] = random_int(random, SMALLEST, LARGEST);
    config.xdim[2] = random_int(random, SMALLEST, LARGEST);
    config.ksize = 1 + example % KSIZES;
    config.cdim_count = example % 3;
    config.hdim_count = example / 3 % 3;
    for (int i = 0; i < config.cdim_count; i++)
        config.cdims[i] = random_int(random, 1, 9);
    for (int i = 0; i < config.hdim_count; i++)
        config.hdims[i] = random_int(random, 1, 17);
    config.ydim = random_int(random, 2, 10);
    config.batchnorm = example / 2 % 2 == 1;
    config.dropout = 0.0;
    return config;
}

/* How far apart two values are; infinite where one is NaN or infinite and the other is not. */
static double distance(float a, float b)
{
    if (isfinite(a) && isfinite(b))
        return fabs((double)a - b);
    bool same = isnan(a) ? isnan(b) : a == b;
    return same ? 0.0 : INFINITY;
}

static double norm_of_difference(const float *a, const float *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double d = distance(a[i], b[i]);
        sum += d * d;
    }
    return sqrt(sum);
}

static double norm_of_finite(const float *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            sum += (double)values[i] * values[i];
    return sqrt(sum);
}

double relative_error(const float *a, const float *b, size_t count)
{
    double difference = norm_of_difference(a, b, count);
    return difference == 0.0 ? 0.0 : difference / norm_of_finite(b, count);
}

void check_close(const char *case_name, const char *tensor, const float *actual,
                 const float *expected, size_t count, double tolerance, double floor)
{
    double difference = norm_of_difference(actual, expected, count);
    if (difference <= tolerance * norm_of_finite(expected, count) ||
        difference <= floor * sqrt((double)count))
        return;
    size_t worst = 0;
    for (size_t i = 1; i < count; i++)
        if (distance(actual[i], expected[i]) > distance(actual[worst], expected[worst]))
            worst = i;
    ck_abort_msg("%s, %s: relative error %.3g above %.3g; worst at %zu of %zu: %.9g, expected %.9g",
                 case_name, tensor, relative_error(actual, expected, count), tolerance, worst,
                 count, (double)actual[worst], (double)expected[worst]);
}

void check_gradient(const char *case_name, const char *tensor, const float *gradient, float *values,
                    size_t count, double step, scalar_function function, void *context,
                    double tolerance)
{
    /* (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12 h, with the h that float leaves. */
    static const double offsets[] = {1.0, -1.0, 2.0, -2.0}, factors[] = {8.0, -8.0, -1.0, 1.0};
    float *numeric = scratch_floats(count);
    for (size_t i = 0; i < count; i++) {
        float kept = values[i];
        double sum = 0.0;
        for (int j = 0; j < 4; j++) {
            values[i] = (float)(kept + offsets[j] * step);
            sum += factors[j] * function(context);
        }
        values[i] = kept;
        numeric[i] = (float)(sum / (12.0 * step));
    }
    check_close(case_name, tensor, gradient, numeric, count, tolerance, tolerance);
}

double dot(const float *a, const float *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}
