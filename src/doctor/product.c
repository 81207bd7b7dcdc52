/* The matrix products of the linear layers at the size of a whole batch, by CLBlast: whoever tunes
 * it, every shape is checked. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "doctor/check.h"
#include "ops/linear.h"
#include "plan/schedule.h"

typedef struct product_case {
    cnn_check *check;
    cnn_gemm_shape shape;
    float *a, *b, *c, *expected; /* c, expected (m, n) */
    cnn_buffer buffers[3], scratch;
} product_case;

enum { A, B, C, MATRIX_COUNT };

/* Plain C takes some rows of large products; the first and the last are among them. */
static size_t rows_of(const product_case *at)
{
    /* Multiplications: some hundredths of a second. */
    static const double thorough = 3e7, fast = 1e7;
    const cnn_gemm_shape *shape = &at->shape;
    double most = at->check->options ? thorough : fast;
    double rows = most / ((double)shape->n * (double)shape->k);
    if (rows >= (double)shape->m)
        return shape->m;
    return rows < 2.0 && shape->m > 1 ? 2 : rows < 1.0 ? 1 : (size_t)rows;
}

static void multiply_row(float *c, const product_case *at, size_t row)
{
    const cnn_gemm_shape *shape = &at->shape;
    size_t step_a = shape->transpose_a ? shape->m : 1, step_b = shape->transpose_b ? 1 : shape->n;
    const float *a = at->a + row * (shape->transpose_a ? 1 : shape->k);
    for (size_t column = 0; column < shape->n; column++) {
        const float *b = at->b + column * (shape->transpose_b ? shape->k : 1);
        double sum = 0.0;
        for (size_t i = 0; i < shape->k; i++)
            sum += (double)a[i * step_a] * b[i * step_b];
        c[column] = (float)sum;
    }
}

/* The root mean square of a sum of k products of numbers that are uniform in -1 to 1, whose
 * variance is 1/3: of few sums all may be far smaller, as their terms cancel, and the roundings are
 * not. */
static double usual_size(size_t k)
{
    return sqrt((double)k) / 3.0;
}

/* All values have to be there; the rows that plain C does, evenly spread, go to the top of c. */
static void compare(product_case *at)
{
    const cnn_gemm_shape *shape = &at->shape;
    size_t rows = rows_of(at), absent = 0;
    for (size_t i = 0; i < shape->m * shape->n; i++)
        absent += isfinite(at->c[i]) ? 0 : 1;
    if (absent > 0) {
        cnn_row_fail(at->check, "the product: %zu of %zu values are not finite", absent,
                     shape->m * shape->n);
        at->check->row->error = INFINITY;
    }
    for (size_t i = 0; i < rows; i++) {
        size_t row = rows > 1 ? i * (shape->m - 1) / (rows - 1) : 0;
        multiply_row(at->expected + i * shape->n, at, row);
        for (size_t j = 0; j < shape->n; j++)
            at->c[i * shape->n + j] = at->c[row * shape->n + j];
    }
    cnn_tolerance tolerance =
        cnn_long_tolerance(cnn_forward_tolerance, cnn_gemm_sum_length(shape->k));
    tolerance.floor = tolerance.relative * usual_size(shape->k);
    cnn_row_compare(at->check, "the product", at->c, at->expected, rows * shape->n, tolerance);
}

static cnn_status prepare(product_case *at, const size_t counts[MATRIX_COUNT])
{
    static const char *const names[] = {"the left matrix", "the right matrix", "the product"};
    cnn_check *check = at->check;
    cnn_status status = CNN_OK;
    for (int i = 0; i < MATRIX_COUNT; i++) {
        CNN_TRY(
            cnn_buffer_init(&at->buffers[i], check->device, counts[i] * sizeof(float), names[i]));
        CNN_TRY(cnn_buffer_wipe(&at->buffers[i]));
    }
    CNN_TRY(cnn_allocate(&at->a, counts[A], sizeof(float), names[A]));
    CNN_TRY(cnn_allocate(&at->b, counts[B], sizeof(float), names[B]));
    CNN_TRY(cnn_allocate(&at->c, counts[C], sizeof(float), names[C]));
    CNN_TRY(cnn_allocate(&at->expected, counts[C], sizeof(float), names[C]));
    cnn_fill_uniform(at->a, counts[A], -1.0, 1.0, check->draw++);
    cnn_fill_uniform(at->b, counts[B], -1.0, 1.0, check->draw++);
    CNN_TRY(cnn_buffer_write(&at->buffers[A], 0, at->a, counts[A] * sizeof(float)));
    status = cnn_buffer_write(&at->buffers[B], 0, at->b, counts[B] * sizeof(float));
out:
    return status;
}

static cnn_status multiply(product_case *at)
{
    const cnn_gemm_shape *shape = &at->shape;
    cnn_check *check = at->check;
    size_t m = shape->m, n = shape->n, k = shape->k, bytes;
    size_t stride_a = shape->transpose_a ? m : k, stride_b = shape->transpose_b ? k : n;
    const size_t counts[MATRIX_COUNT] = {m * k, k * n, m * n};
    cnn_status status = CNN_OK;
    CNN_TRY(prepare(at, counts));
    CNN_TRY(cnn_gemm_prepare(check->device));
    CNN_TRY(cnn_gemm_scratch_bytes(&bytes, check->device, shape, stride_a, stride_b, n));
    CNN_TRY(cnn_buffer_init(&at->scratch, check->device, bytes, "CLBlast's scratch memory"));
    CNN_TRY(cnn_buffer_wipe(&at->scratch));
    for (int turn = cnn_row_turns(check); turn > 0; turn--) {
        CNN_TRY(cnn_buffer_wipe(&at->buffers[C]));
        cnn_row_start(check);
        CNN_TRY(cnn_gemm(check->device, shape, (cnn_matrix){at->buffers[A].mem, 0, stride_a},
                         (cnn_matrix){at->buffers[B].mem, 0, stride_b},
                         (cnn_matrix){at->buffers[C].mem, 0, n}, bytes ? at->scratch.mem : NULL));
        CNN_TRY(cnn_row_stop(check));
    }
    CNN_TRY(cnn_buffer_read(at->c, &at->buffers[C], 0, counts[C] * sizeof(float)));
    compare(at);
out:
    return status;
}

static cnn_status check_product(cnn_check *check, const cnn_layer *layer, cnn_gemm_shape shape)
{
    product_case at = {.check = check, .shape = shape};
    char name[CNN_DOCTOR_NAME], detail[128];
    cnn_status status = CNN_OK;
    snprintf(name, sizeof name, "%zu x %zu x %zu%s", shape.m, shape.n, shape.k,
             shape.transpose_a   ? ", left transposed"
             : shape.transpose_b ? ", right transposed"
                                 : "");
    CNN_TRY(cnn_row_open(check, "", name, layer->name, NULL));
    CNN_TRY(multiply(&at));
    snprintf(detail, sizeof detail, "CLBlast %s, tuning %s; row-major, m x n x k",
             cnn_gemm_library_version(), cnn_device_tuning(check->device));
    status = cnn_row_close(check, detail);
out:
    status = cnn_row_absorb(check, status);
    for (int i = 0; i < MATRIX_COUNT; i++)
        cnn_buffer_finish(&at.buffers[i]);
    cnn_buffer_finish(&at.scratch);
    free(at.a);
    free(at.b);
    free(at.c);
    free(at.expected);
    return status;
}

/* The last product is the input's gradient. */
static cnn_status check_layer(cnn_check *check, const cnn_layer *layer, int count)
{
    cnn_gemm_shape shapes[CNN_LINEAR_PRODUCTS];
    cnn_status status = CNN_OK;
    cnn_linear_products(shapes, layer, check->batch);
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = check_product(check, layer, shapes[i]);
    return status;
}

bool cnn_has_products(const cnn_device *device, const cnn_network *network, bool fuse)
{
    cnn_schedule schedule;
    bool found = false;
    if (cnn_schedule_init(&schedule, network, device, (cnn_schedule_options){.fuse = fuse}) !=
        CNN_OK)
        return true; /* without memory nothing is left out */
    for (int i = 0; i < schedule.step_count; i++)
        found = found || schedule.steps[i].op == &cnn_linear_op;
    cnn_schedule_finish(&schedule);
    return found;
}

cnn_status cnn_check_products(cnn_check *check, const cnn_plan *plan)
{
    const cnn_network *network = check->model->network;
    cnn_status status = CNN_OK;
    check->part = "product";
    for (int i = 0; status == CNN_OK && plan && i < plan->step_count; i++)
        if (plan->steps[i].op->class == &cnn_linear_op)
            status = check_layer(check, plan->steps[i].op->layers[0],
                                 CNN_LINEAR_PRODUCTS - (!plan->steps[i].op->wants_gradient));
    for (int i = 0; status == CNN_OK && !plan && i < network->layer_count; i++)
        if (network->layers[i].kind == CNN_LAYER_LINEAR)
            status = check_layer(check, &network->layers[i], CNN_LINEAR_PRODUCTS);
    return status;
}
