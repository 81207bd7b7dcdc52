#include "on_device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "support.h"

enum { MAX_BUFFERS = 512, GUARD_WORDS = 1024, SKIPPED = 77 };

/* A NaN that no arithmetic makes: it shows where it is read, and where it is overwritten. */
static const cl_uint guard_word = 0xFFA5A5A5u;

static cnn_device *device;
static cnn_buffer buffers[MAX_BUFFERS];
static size_t lengths[MAX_BUFFERS]; /* bytes before the guard */
static int buffer_count;
static int guard_words = GUARD_WORDS;

void check_ok(cnn_status status)
{
    ck_assert_msg(status == CNN_OK, "%s: %s", cnn_status_name(status), cnn_error_message());
}

cnn_device *test_device(void)
{
    if (!device)
        check_ok(cnn_device_create(&device, NULL));
    return device;
}

int run_device_suite(Suite *suite)
{
    if (getenv("CNN_TEST_DEVICE_MAY_BE_ABSENT") &&
        cnn_device_create(&device, NULL) == CNN_ERROR_DEVICE) {
        printf("skipped: %s\n", cnn_error_message());
        return SKIPPED;
    }
    int result = run_suite(suite);
    cnn_device_destroy(device);
    device = NULL;
    return result;
}

static void release_buffers(void)
{
    for (int i = 0; i < buffer_count; i++)
        cnn_buffer_finish(&buffers[i]);
    memset(buffers, 0, sizeof buffers);
    buffer_count = 0;
}

TCase *add_device_case(Suite *suite, const char *name)
{
    TCase *tests = add_scratch_case(suite, name);
    tcase_add_checked_fixture(tests, NULL, release_buffers);
    tcase_set_timeout(tests, 0);
    return tests;
}

static int find_buffer(cl_mem mem)
{
    int i = 0;
    while (i < buffer_count && buffers[i].mem != mem)
        i++;
    ck_assert_int_lt(i, buffer_count);
    return i;
}

static size_t round_up(size_t bytes)
{
    return (bytes + sizeof guard_word - 1) / sizeof guard_word * sizeof guard_word;
}

static size_t guard_bytes(void)
{
    return (size_t)guard_words * sizeof guard_word;
}

void device_without_guards(void)
{
    guard_words = 0;
}

static void fill_guard(cl_uint guard[GUARD_WORDS])
{
    for (int i = 0; i < GUARD_WORDS; i++)
        guard[i] = guard_word;
}

void device_wipe(cl_mem mem)
{
    int i = find_buffer(mem);
    unsigned char *ones = scratch_bytes(lengths[i]);
    memset(ones, 0xFF, lengths[i]);
    check_ok(cnn_buffer_write(&buffers[i], 0, ones, lengths[i]));
}

cl_mem device_bytes(const void *data, size_t bytes)
{
    cl_uint guard[GUARD_WORDS];
    ck_assert_int_lt(buffer_count, MAX_BUFFERS);
    cnn_buffer *buffer = &buffers[buffer_count];
    lengths[buffer_count] = round_up(bytes);
    check_ok(
        cnn_buffer_init(buffer, test_device(), lengths[buffer_count] + guard_bytes(), "a test"));
    buffer_count++;
    device_wipe(buffer->mem);
    if (data)
        check_ok(cnn_buffer_write(buffer, 0, data, bytes));
    fill_guard(guard);
    check_ok(cnn_buffer_write(buffer, round_up(bytes), guard, guard_bytes()));
    return buffer->mem;
}

cl_mem device_floats(const float *values, size_t count)
{
    return device_bytes(values, count * sizeof *values);
}

void *read_bytes(cl_mem mem, size_t bytes)
{
    void *data = scratch_bytes(bytes);
    check_ok(cnn_buffer_read(data, &buffers[find_buffer(mem)], 0, bytes));
    return data;
}

float *read_floats(cl_mem mem, size_t count)
{
    return read_bytes(mem, count * sizeof(float));
}

void check_guards(const char *case_name)
{
    cl_uint guard[GUARD_WORDS];
    for (int i = 0; i < buffer_count; i++) {
        check_ok(cnn_buffer_read(guard, &buffers[i], lengths[i], guard_bytes()));
        for (int j = 0; j < guard_words; j++)
            ck_assert_msg(guard[j] == guard_word, "%s: memory %d: written %d words behind its end",
                          case_name, i, j);
    }
}

void check_untouched(const char *case_name, const char *tensor, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(isnan(values[i]), "%s, %s: %g was written outside the layer's own values",
                      case_name, tensor, (double)values[i]);
}

static float *transpose_each(const float *values, size_t rows, size_t columns, size_t n)
{
    float *result = scratch_floats(n * rows * columns);
    for (size_t sample = 0; sample < n; sample++)
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                result[(sample * columns + c) * rows + r] =
                    values[(sample * rows + r) * columns + c];
    return result;
}

float *to_device_layout(const float *values, cnn_shape shape, int n)
{
    return transpose_each(values, (size_t)shape.c, (size_t)shape.h * (size_t)shape.w, (size_t)n);
}

float *to_host_layout(const float *values, cnn_shape shape, int n)
{
    return transpose_each(values, (size_t)shape.h * (size_t)shape.w, (size_t)shape.c, (size_t)n);
}
