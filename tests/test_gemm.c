/* Matrix products on the device against plain loops. */
#include <stdio.h>

#include "check_main.h"
#include "on_device.h"
#include "support.h"
#include "tensor/gemm.h"

/* Float sums of up to some thousand products. */
static const double tolerance = 2e-6;

/* One product with everything around it: the stored matrices have rows (stored_rows) of `stride`
 * values, of which the first `width` are the matrix'. */
typedef struct matrix {
    size_t rows, width, stride, offset;
    float *values; /* (offset + rows * stride + TAIL) */
    cl_mem mem;
} matrix;

enum { TAIL = 37 };

static size_t matrix_floats(const matrix *at)
{
    return at->offset + at->rows * at->stride + TAIL;
}

/* NaN everywhere but in the matrix itself. */
static matrix make_matrix(random_source *random, size_t rows, size_t width, size_t offset,
                          size_t gap, bool filled)
{
    matrix made = {.rows = rows, .width = width, .stride = width + gap, .offset = offset};
    made.values = scratch_floats(matrix_floats(&made));
    float *values = random_normals(random, rows * width, 1.0);
    for (size_t i = 0; filled && i < rows * width; i++)
        made.values[offset + i / width * made.stride + i % width] = values[i];
    made.mem = device_floats(made.values, matrix_floats(&made));
    return made;
}

static double element(const matrix *at, bool transposed, size_t row, size_t column)
{
    size_t r = transposed ? column : row, c = transposed ? row : column;
    return at->values[at->offset + r * at->stride + c];
}

static float *multiply(const cnn_gemm_shape *shape, const matrix *a, const matrix *b)
{
    float *product = scratch_floats(shape->m * shape->n);
    for (size_t i = 0; i < shape->m; i++)
        for (size_t j = 0; j < shape->n; j++) {
            double sum = 0.0;
            for (size_t k = 0; k < shape->k; k++)
                sum += element(a, shape->transpose_a, i, k) * element(b, shape->transpose_b, k, j);
            product[i * shape->n + j] = (float)sum;
        }
    return product;
}

/* The product is right, and what lies around and between its rows is as it was. */
static void check_product(const char *name, const matrix *c, const float *expected)
{
    float *actual = scratch_floats(c->rows * c->width);
    float *stored = read_floats(c->mem, matrix_floats(c));
    for (size_t i = 0; i < c->rows * c->width; i++) {
        float *value = &stored[c->offset + i / c->width * c->stride + i % c->width];
        actual[i] = *value;
        *value = stored[matrix_floats(c) - 1];
    }
    check_close(name, "c", actual, expected, c->rows * c->width, tolerance, 0.0);
    check_untouched(name, "c", stored, matrix_floats(c));
    check_guards(name);
}

static cnn_matrix view(const matrix *at)
{
    return (cnn_matrix){at->mem, at->offset, at->stride};
}

/* offset and gap: the largest of each; both are drawn. */
static void check_gemm(random_source *random, const cnn_gemm_shape *shape, int offset, int gap)
{
    char name[128];
    size_t bytes, m = shape->m, n = shape->n, k = shape->k;
    bool ta = shape->transpose_a, tb = shape->transpose_b;
    size_t offsets[3], gaps[3];
    for (int i = 0; i < 3; i++) {
        offsets[i] = (size_t)random_int(random, 0, offset);
        gaps[i] = (size_t)random_int(random, 0, gap);
    }
    matrix a = make_matrix(random, ta ? k : m, ta ? m : k, offsets[0], gaps[0], true);
    matrix b = make_matrix(random, tb ? n : k, tb ? k : n, offsets[1], gaps[1], true);
    matrix c = make_matrix(random, m, n, offsets[2], gaps[2], false);
    snprintf(name, sizeof name, "m %zu, n %zu, k %zu, transposed %d %d, offsets %zu %zu %zu", m, n,
             k, ta, tb, offsets[0], offsets[1], offsets[2]);
    check_ok(cnn_gemm_prepare(test_device()));
    check_ok(cnn_gemm_scratch_bytes(&bytes, test_device(), shape, a.stride, b.stride, c.stride));
    cl_mem scratch = bytes > 0 ? device_bytes(NULL, bytes) : NULL;
    check_ok(cnn_gemm(test_device(), shape, view(&a), view(&b), view(&c), scratch));
    check_product(name, &c, multiply(shape, &a, &b));
}

/* The ones of a linear layer: forward, gradient of the weights, gradient of the input. */
static const struct {
    bool a, b;
} transposes[] = {{false, true}, {true, false}, {false, false}};
enum { TRANSPOSES = sizeof transposes / sizeof transposes[0] };

/* Ones, primes, and both sides of every tile's edge. */
static const int sizes[] = {1,  2,  3,  5,  7,  8,  9,  13, 15, 16,
                            17, 31, 32, 33, 47, 61, 64, 65, 79, 80};
enum { SIZES = sizeof sizes / sizeof sizes[0], RANDOM_SHAPES = 120 };

static size_t random_size(random_source *random)
{
    return (size_t)sizes[random_int(random, 0, SIZES - 1)];
}

START_TEST(random_shapes_are_right)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_gemm_shape shape = {transposes[_i % TRANSPOSES].a, transposes[_i % TRANSPOSES].b,
                            random_size(&random), random_size(&random), random_size(&random)};
    check_gemm(&random, &shape, 0, 0);
}
END_TEST

START_TEST(offsets_and_strides_are_kept)
{
    random_source random = {.seed = 1000 + (uint64_t)_i};
    cnn_gemm_shape shape = {transposes[_i % TRANSPOSES].a, transposes[_i % TRANSPOSES].b,
                            random_size(&random), random_size(&random), random_size(&random)};
    check_gemm(&random, &shape, 50, _i % 2 ? 20 : 0);
}
END_TEST

START_TEST(a_dimension_of_one_is_right)
{
    random_source random = {.seed = 2000 + (uint64_t)_i};
    cnn_gemm_shape shape = {transposes[_i % TRANSPOSES].a, transposes[_i % TRANSPOSES].b,
                            random_size(&random), random_size(&random), random_size(&random)};
    size_t *const dimensions[] = {&shape.m, &shape.n, &shape.k};
    int ones = _i / TRANSPOSES + 1; /* a bit for each dimension that is 1 */
    for (int i = 0; i < 3; i++)
        if (ones >> i & 1)
            *dimensions[i] = 1;
    check_gemm(&random, &shape, 3, 0);
}
END_TEST

/* Batch 256 of the default network: linear 3136 to 32, and 32 to 10; and of an MLP 784 to 256. */
START_TEST(shapes_of_the_default_networks_are_right)
{
    enum { BATCH = 256 };
    static const size_t layers[][2] = {{3136, 32}, {32, 10}, {784, 256}};
    random_source random = {.seed = 3000 + (uint64_t)_i};
    size_t in = layers[_i / TRANSPOSES][0], out = layers[_i / TRANSPOSES][1];
    const cnn_gemm_shape shapes[TRANSPOSES] = {{false, true, BATCH, out, in},
                                               {true, false, out, in, BATCH},
                                               {false, false, BATCH, in, out}};
    check_gemm(&random, &shapes[_i % TRANSPOSES], 100, 0);
}
END_TEST

/* The memory is asked for once, for a whole batch, and serves a short one. */
START_TEST(scratch_of_a_batch_serves_a_smaller_one)
{
    for (int i = 0; i < TRANSPOSES; i++) {
        bool ta = transposes[i].a, tb = transposes[i].b;
        size_t most = 0;
        for (size_t n = 64; n >= 1; n--) {
            /* The batch is m forward and for the input's gradient, k for the weights'. */
            cnn_gemm_shape shape = {ta, tb, ta ? 33 : n, 47, ta ? n : 33};
            size_t bytes;
            check_ok(cnn_gemm_prepare(test_device()));
            check_ok(cnn_gemm_scratch_bytes(&bytes, test_device(), &shape, ta ? shape.m : shape.k,
                                            tb ? shape.k : shape.n, shape.n));
            if (n == 64)
                most = bytes;
            ck_assert_uint_le(bytes, most);
        }
    }
}
END_TEST

START_TEST(an_offset_beyond_an_int_is_refused)
{
    cl_mem mem = device_floats(NULL, 1);
    cnn_gemm_shape shape = {false, false, 1, 1, 1};
    cnn_matrix near = {mem, 0, 1}, far = {mem, (size_t)1 << 31, 1};
    ck_assert_int_eq(cnn_gemm(test_device(), &shape, far, near, near, NULL), CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_gemm(test_device(), &shape, near, far, near, NULL), CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_gemm(test_device(), &shape, near, near, far, NULL), CNN_ERROR_ARGUMENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gemm");
    TCase *tests = add_device_case(suite, "gemm");
    tcase_add_loop_test(tests, random_shapes_are_right, 0, RANDOM_SHAPES);
    tcase_add_loop_test(tests, offsets_and_strides_are_kept, 0, RANDOM_SHAPES / 2);
    tcase_add_loop_test(tests, a_dimension_of_one_is_right, 0, 7 * TRANSPOSES);
    tcase_add_loop_test(tests, shapes_of_the_default_networks_are_right, 0, 3 * TRANSPOSES);
    tcase_add_test(tests, scratch_of_a_batch_serves_a_smaller_one);
    tcase_add_test(tests, an_offset_beyond_an_int_is_refused);
    return run_device_suite(suite);
}
