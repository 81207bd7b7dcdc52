/* What the tests that run on an OpenCL device share: the device, and memory that shows what a
 * kernel leaves out and where it strays. */
#ifndef TESTS_ON_DEVICE_H
#define TESTS_ON_DEVICE_H

#include <check.h>

#include "layers/layer.h"
#include "ocl/buffer.h"

/* The device of CNN_CL_DEVICE, else the best: opened once. */
cnn_device *test_device(void);

/* Runs the suite as run_suite(), and closes the device. Exit code 77 where there is no device and
 * CNN_TEST_DEVICE_MAY_BE_ABSENT is set. */
int run_device_suite(Suite *suite);

/* add_scratch_case() whose device memory is released after each test, too. */
TCase *add_device_case(Suite *suite, const char *name);

/* Aborts the test with the library's message unless status is CNN_OK. */
void check_ok(cnn_status status);

/* Device memory with a guard behind its end: `bytes` bytes of `data`, or all bits set (NaN as
 * floats) where that is NULL. */
cl_mem device_bytes(const void *data, size_t bytes);
cl_mem device_floats(const float *values, size_t count);
/* Sets all bits of the memory again. */
void device_wipe(cl_mem mem);
/* Scratch memory with the first values; waits for the device. */
void *read_bytes(cl_mem mem, size_t bytes);
float *read_floats(cl_mem mem, size_t count);

/* From here on memory has no guard: for a checker that sees its end itself. */
void device_without_guards(void);
/* Aborts the test where a guard was written to. */
void check_guards(const char *case_name);
/* Aborts the test unless the values (count) are NaN, as device_floats() left them. */
void check_untouched(const char *case_name, const char *tensor, const float *values, size_t count);

/* The same values (n, C, H, W) as (n, H, W, C), and back: scratch memory. */
float *to_device_layout(const float *values, cnn_shape shape, int n);
float *to_host_layout(const float *values, cnn_shape shape, int n);

#endif
