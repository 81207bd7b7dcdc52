/* cl/exact.cl beside the host's IEEE 754 arithmetic, number by number and in vectors; and that compilers leave
 * a * b + c as it is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/philox.h"
#include "base/real.h"
#include "check_main.h"
#include "ocl/buffer.h"
#include "ocl/launch.h"
#include "on_device.h"
#include "support.h"

enum { QUOTIENT, ROOT, OF_255, EXP, LOG, TANH, ERF, CONTRACTED, FMA, SUM, PRODUCT, FUNCTIONS };
enum { COUNT = 1 << 18, LANES = 16 };

static char folder[] = "/tmp/cnn-exact-XXXXXX";

static void copy_kernel(const char *from, const char *name)
{
    void *data;
    size_t size;
    char *path, *target;
    check_ok(cnn_path_join(&path, from, name));
    check_ok(cnn_file_read(&data, &size, path, 1 << 20));
    check_ok(cnn_path_join(&target, folder, name));
    const cnn_piece piece = {data, size};
    check_ok(cnn_file_write_atomic(target, &piece, 1));
    free(data);
    free(path);
    free(target);
}

/* The loader takes what a kernel includes from the kernel's folder. */
static void make_folder(void)
{
    const char *root = getenv("CNN_TEST_SOURCE_DIR");
    char from[1024];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(from, sizeof from, "%s/cl", root);
    copy_kernel(from, "exact.cl");
    snprintf(from, sizeof from, "%s/tests/kernels", root);
    copy_kernel(from, "functions.cl");
    setenv("CNN_CL_KERNEL_DIR", folder, 1);
    cnn_status status = cnn_device_use_exact(test_device(), true);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
}

static void remove_folder(void)
{
    static const char *const names[] = {"exact.cl", "functions.cl"};
    for (int i = 0; i < 2; i++) {
        char *path;
        check_ok(cnn_path_join(&path, folder, names[i]));
        unlink(path);
        free(path);
    }
    rmdir(folder);
}

static float *apply(int function, const float *a, const float *b, const float *c, bool wide)
{
    cnn_kernel kernel = {0};
    check_ok(cnn_kernel_init(&kernel, test_device(), "functions.cl", wide ? "-DWIDE" : "", "apply"));
    cl_mem y = device_floats(NULL, COUNT);
    check_ok(CNN_LAUNCH(&kernel, wide ? COUNT / LANES : COUNT, cnn_arg_mem(y),
                        cnn_arg_mem(device_floats(a, COUNT)), cnn_arg_mem(device_floats(b, COUNT)),
                        cnn_arg_mem(device_floats(c, COUNT)), cnn_arg_int(function)));
    float *result = read_floats(y, COUNT);
    cnn_kernel_finish(&kernel);
    return result;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t draw(uint64_t seed, uint64_t index)
{
    return cnn_philox_value(seed, CNN_STREAM_USER, 7, 0, index);
}

/* Any bits at all, the special ones among them. */
static float *any_floats(uint64_t seed)
{
    static const uint32_t special[] = {0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x00800000,
                                       0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x3f800000, 0xbf800000,
                                       0x3fffffff, 0x00400000, 0x40400000, 0xffffffff};
    enum { SPECIAL = sizeof special / sizeof special[0] };
    float *values = scratch_floats(COUNT);
    for (size_t i = 0; i < COUNT; i++)
        values[i] = float_of(draw(seed, i));
    for (size_t i = 0; i < (size_t)SPECIAL * SPECIAL; i++)
        values[i] = float_of(special[seed % 2 ? i / SPECIAL : i % SPECIAL]);
    return values;
}

static float significand(uint64_t seed, size_t i)
{
    return float_of(0x3f800000 | draw(seed, i) >> 9);
}

/* Quotients as near to the middle between two floats as floats allow: a = b (q + half an ulp), rounded. */
static void make_hard(float *a, float *b, uint64_t seed)
{
    for (size_t i = 0; i < COUNT; i++) {
        double q = (double)significand(seed, i) + 0x1p-24;
        b[i] = i % 8 == 0 ? float_of(0x3fffffff - (uint32_t)(i / 8)) : significand(seed + 1, i);
        a[i] = (float)(q * (double)b[i]);
        if (i % 3 == 0) /* the result is a denormal, or next to one */
            a[i] = ldexpf(a[i], -(int)(i / 3 % 30) - 75), b[i] = ldexpf(b[i], 60);
    }
}

/* The same bits; NaN for NaN. */
static void check_same(const char *name, const float *found, const float *expected, const float *a, const float *b)
{
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_msg(bits_of(found[i]) == bits_of(expected[i]) || (isnan(found[i]) && isnan(expected[i])),
                      "%s of %a, %a: expected %a, found %a", name, a[i], b[i], expected[i], found[i]);
}

static const bool ways[] = {false, true};

START_TEST(quotients_are_rounded_correctly)
{
    float *expected = scratch_floats(COUNT), *hard_a = scratch_floats(COUNT), *hard_b = scratch_floats(COUNT);
    for (int round = 0; round < sweep(1, 16); round++) {
        const float *a = any_floats(2 * (uint64_t)round), *b = any_floats(2 * (uint64_t)round + 1);
        for (size_t i = 0; i < COUNT; i++)
            expected[i] = a[i] / b[i];
        check_same("quotient", apply(QUOTIENT, a, b, a, ways[_i]), expected, a, b);
        make_hard(hard_a, hard_b, 100 + 2 * (uint64_t)round);
        for (size_t i = 0; i < COUNT; i++)
            expected[i] = hard_a[i] / hard_b[i];
        check_same("quotient", apply(QUOTIENT, hard_a, hard_b, a, ways[_i]), expected, hard_a, hard_b);
    }
}
END_TEST

/* By which every other quotient is made. */
START_TEST(inverses_are_rounded_correctly)
{
    float *expected = scratch_floats(COUNT), *a = scratch_floats(COUNT), *b = scratch_floats(COUNT);
    for (uint32_t first = 0; first < 1 << 23; first += COUNT * (uint32_t)sweep(8, 1)) {
        for (uint32_t i = 0; i < COUNT; i++) {
            a[i] = 1.0f;
            b[i] = float_of(0x3fffffff - first - i);
            expected[i] = a[i] / b[i];
        }
        check_same("quotient", apply(QUOTIENT, a, b, a, true), expected, a, b);
    }
}
END_TEST

/* Of all significands of two exponents, which are all there are: the others are these times 4^n. */
START_TEST(roots_are_rounded_correctly)
{
    float *expected = scratch_floats(COUNT), *a = scratch_floats(COUNT);
    const float *any = any_floats(3);
    for (size_t i = 0; i < COUNT; i++)
        expected[i] = sqrtf(any[i]);
    check_same("square_root", apply(ROOT, any, any, any, ways[_i]), expected, any, any);
    for (uint32_t first = 0; first < 1 << 24; first += COUNT * (uint32_t)sweep(16, 1)) {
        for (uint32_t i = 0; i < COUNT; i++) {
            a[i] = float_of(0x3f800000 + first + i);
            expected[i] = sqrtf(a[i]);
        }
        check_same("square_root", apply(ROOT, a, a, a, ways[_i]), expected, a, a);
    }
}
END_TEST

START_TEST(shares_of_255_are_rounded_correctly)
{
    float *expected = scratch_floats(COUNT), *a = scratch_floats(COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        a[i] = i < 256 ? (float)i : 255.0f * (float)draw(5, i) * 0x1p-32f;
        expected[i] = a[i] / 255.0f;
    }
    check_same("of_255", apply(OF_255, a, a, a, ways[_i]), expected, a, a);
}
END_TEST

START_TEST(sums_and_products_are_not_contracted)
{
    float *expected = scratch_floats(COUNT);
    const float *a = any_floats(8), *b = any_floats(9), *c = any_floats(10);
    for (int function = CONTRACTED; function < FUNCTIONS; function++) {
        for (size_t i = 0; i < COUNT; i++) {
            volatile float product = a[i] * b[i];
            expected[i] = function == CONTRACTED ? product + c[i]
                          : function == FMA      ? fmaf(a[i], b[i], c[i])
                          : function == SUM      ? a[i] + b[i]
                                                 : product;
        }
        check_same("a sum", apply(function, a, b, c, ways[_i]), expected, a, b);
    }
}
END_TEST

START_TEST(statements_are_not_contracted)
{
    float *expected = scratch_floats(COUNT), *a = scratch_floats(COUNT), *b = scratch_floats(COUNT);
    float *c = scratch_floats(COUNT);
    cnn_kernel kernel = {0};
    for (size_t i = 0; i < COUNT; i++) {
        a[i] = significand(1, i);
        b[i] = significand(2, i);
        c[i] = significand(3, i);
        volatile float product = a[i] * b[i], other = a[i] * c[i], sum = c[i];
        for (int k = 0; k < 3; k++)
            sum = sum + product;
        expected[i] = sum - other;
    }
    check_ok(cnn_kernel_init(&kernel, test_device(), "functions.cl", "", "contract"));
    cl_mem y = device_floats(NULL, COUNT);
    check_ok(CNN_LAUNCH(&kernel, COUNT, cnn_arg_mem(y), cnn_arg_mem(device_floats(a, COUNT)),
                        cnn_arg_mem(device_floats(b, COUNT)), cnn_arg_mem(device_floats(c, COUNT)),
                        cnn_arg_int(3)));
    check_same("contract", read_floats(y, COUNT), expected, a, b);
    cnn_kernel_finish(&kernel);
}
END_TEST

/* Units in the last place of what is expected. */
static double ulps(float found, double expected)
{
    int exponent;
    if ((isnan(found) && isnan(expected)) || (double)found == expected || (float)expected == found)
        return 0.0;
    frexp(expected, &exponent);
    return fabs((double)found - expected) / ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
}

static double log_of(double x)
{
    return log(x);
}

static double exp_of(double x)
{
    return exp(x);
}

static double tanh_of(double x)
{
    return tanh(x);
}

static double erf_of(double x)
{
    return erf(x);
}

/* Right within two units, and the same bits on every device: those of the hash. */
START_TEST(functions_are_right_and_the_same_everywhere)
{
    static const struct {
        int function;
        const char *name;
        double (*of)(double x), most, limit;
        const char *hash;
    } cases[] = {{EXP, "exponential", exp_of, 110.0, 2.0, "4ce0224e2e7d9847efbff46c95879b164f60faf90903c36b3229f3ccce090b0b"},
                 {LOG, "logarithm", log_of, 0.0, 2.0, "4579c27aed7559804ccd3c9044dc734340b9d24850e3efedcfcb940391bce0d6"},
                 {TANH, "hyperbolic_tangent", tanh_of, 12.0, 2.0, "b26c21a25586e03d0f0df84933945f9a386539e6c063d2c7eef3765e732726aa"},
                 {ERF, "error_function", erf_of, 5.0, 2.0, "9a1074ab0782f42f4df35abc1fd576e77a862851e9430006d5bff5e80b783e35"}};
    float *a = any_floats(20), *found;
    char hash[CNN_HASH_SIZE];
    double worst = 0.0;
    size_t at = 0;
    for (size_t i = 256; i < COUNT && cases[_i].most > 0.0; i++) {
        double unit = (double)draw(21, i) * 0x1p-32, size = i % 2 ? 1.0 : 0.05;
        a[i] = (float)(size * cases[_i].most * (2.0 * unit - 1.0));
    }
    for (int way = 0; way < 2; way++) {
        found = apply(cases[_i].function, a, a, a, ways[way]);
        for (size_t i = 0; i < COUNT; i++) {
            double error = ulps(found[i], cases[_i].of((double)a[i]));
            if (!(error <= worst))
                worst = error, at = i;
            if (isnan(found[i]))
                found[i] = 0.0f; /* of whatever bits */
        }
        const cnn_piece piece = {found, COUNT * sizeof *found};
        cnn_hash(hash, &piece, 1);
        printf("%s: %.3f ulp at %a, %s\n", cases[_i].name, worst, (double)a[at], hash);
        ck_assert_msg(worst <= cases[_i].limit, "%s of %a: %g units off", cases[_i].name, (double)a[at], worst);
        ck_assert_str_eq(hash, cases[_i].hash);
    }
}
END_TEST

/* On the host: near the C library's, whose last bits may be others. */
START_TEST(host_functions_are_right)
{
    for (uint64_t i = 0; i < 100000; i++) {
        double unit = (draw(30, i) + 0.5) * 0x1p-32, x = 40.0 * unit - 20.0;
        ck_assert_double_le(fabs(cnn_real_cos(x) - cos(x)), 2e-16 + 1e-15 * fabs(cos(x)));
        ck_assert_double_le(fabs(cnn_real_sin(x) - sin(x)), 2e-16 + 1e-15 * fabs(sin(x)));
        ck_assert_double_le(fabs(cnn_real_log(unit) - log(unit)), 4e-16 * fabs(log(unit)) + 1e-17);
        ck_assert_double_le(fabs(cnn_real_exp(x) - exp(x)), 1e-15 * exp(x));
        ck_assert_double_le(fabs(cnn_real_power(unit, i % 3000) - pow(unit, (double)(i % 3000))),
                            1e-12 * pow(unit, (double)(i % 3000)) + 1e-300);
    }
    ck_assert(isinf(cnn_real_exp(1e300)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exact");
    TCase *device = add_device_case(suite, "on the device");
    tcase_add_unchecked_fixture(device, make_folder, remove_folder);
    tcase_add_loop_test(device, quotients_are_rounded_correctly, 0, 2);
    tcase_add_test(device, inverses_are_rounded_correctly);
    tcase_add_loop_test(device, roots_are_rounded_correctly, 0, 2);
    tcase_add_loop_test(device, shares_of_255_are_rounded_correctly, 0, 2);
    tcase_add_loop_test(device, sums_and_products_are_not_contracted, 0, 2);
    tcase_add_test(device, statements_are_not_contracted);
    tcase_add_loop_test(device, functions_are_right_and_the_same_everywhere, 0, 4);
    tcase_add_test(add_scratch_case(suite, "on the host"), host_functions_are_right);
    return run_device_suite(suite);
}
