/* Tuning as it is asked for: which products a network has, what is known of them, and the table. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "bench/tune.h"
#include "ops/linear.h"
#include "plan/schedule.h"

void cnn_tune_options_init(cnn_tune_options *options)
{
    if (!options)
        return;
    *options = (cnn_tune_options){.batch = 256, .fuse = true};
}

static bool is_equal(const cnn_gemm_shape *a, const cnn_gemm_shape *b)
{
    return a->transpose_a == b->transpose_a && a->transpose_b == b->transpose_b && a->m == b->m &&
           a->n == b->n && a->k == b->k;
}

/* Each once. */
static void add_shape(cnn_gemm_shape *shapes, size_t *count, const cnn_gemm_shape *shape)
{
    for (size_t i = 0; i < *count; i++)
        if (is_equal(&shapes[i], shape))
            return;
    shapes[(*count)++] = *shape;
}

/* The products that CLBlast does for a training step. *shapes is to be freed. */
static cnn_status find_shapes(cnn_gemm_shape **shapes, size_t *count, const cnn_device *device,
                              const cnn_network *network, const cnn_tune_options *options)
{
    size_t most = CNN_LINEAR_PRODUCTS * (size_t)network->layer_count;
    cnn_schedule schedule;
    *count = 0;
    cnn_status status = cnn_allocate(shapes, most, sizeof **shapes, "the products of a network");
    if (status == CNN_OK)
        status = cnn_schedule_init(&schedule, network, device,
                                   (cnn_schedule_options){.fuse = options->fuse});
    if (status != CNN_OK)
        return status;
    for (int i = 0; i < schedule.step_count; i++) {
        const cnn_schedule_step *step = &schedule.steps[i];
        cnn_gemm_shape products[CNN_LINEAR_PRODUCTS];
        if (step->op != &cnn_linear_op)
            continue;
        cnn_linear_products(products, step->chain.layers[0], options->batch);
        for (int p = 0; p < CNN_LINEAR_PRODUCTS - !step->chain.wants_gradient; p++)
            add_shape(*shapes, count, &products[p]);
    }
    cnn_schedule_finish(&schedule);
    return CNN_OK;
}

static bool has_shapes(const cnn_gemm_record *record, const cnn_gemm_shape *shapes, size_t count)
{
    bool same = record->shape_count == count;
    for (size_t i = 0; same && i < count; i++)
        same = is_equal(&record->shapes[i], &shapes[i]);
    return same;
}

/* What is known of these products already is in the tuning's record; what is known of others, in
 * *known. */
static cnn_status recall(cnn_tuning *tuning, cnn_gemm_tuning *known, bool *is_known,
                         cnn_device *device, const cnn_gemm_shape *shapes, size_t count)
{
    cnn_status status = CNN_OK;
    bool found;
    *is_known = false;
    CNN_TRY(cnn_gemm_record_path(&tuning->path, device));
    CNN_TRY(cnn_gemm_record_read(&tuning->record, &found, device));
    if (found && has_shapes(&tuning->record, shapes, count)) {
        tuning->saved = true;
        tuning->known_trials = tuning->record.trial_count;
        goto out;
    }
    *is_known = found;
    *known = tuning->record.tuning;
    cnn_gemm_record_finish(&tuning->record);
    status = cnn_gemm_record_set_shapes(&tuning->record, shapes, count);
out:
    return status;
}

cnn_status cnn_tune_run(cnn_tuning **tuning, cnn_device *device, const cnn_network *network,
                        const cnn_tune_options *options, cnn_tune_callback callback, void *user)
{
    CNN_NEED(tuning, device, network, options);
    if (cnn_device_check_process(device) != CNN_OK)
        return CNN_ERROR_DEVICE;
    cnn_tuning *result = NULL;
    cnn_gemm_shape *shapes = NULL;
    cnn_gemm_tuning known;
    cnn_status status = CNN_OK;
    bool is_known;
    size_t count;
    *tuning = NULL;
    if (options->batch < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--batch: expected 1 or more, found %d",
                        options->batch);
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a tuning"));
    result->device = device->info;
    CNN_TRY(find_shapes(&shapes, &count, device, network, options));
    CNN_TRY(recall(result, &known, &is_known, device, shapes, count));
    if (count > 0 && !result->record.complete)
        CNN_TRY(cnn_tune_search(result, device, is_known ? &known : NULL, callback, user));
    cnn_gemm_tuning_fingerprint(result->fingerprint, &result->record.tuning);
    *tuning = result;
    result = NULL;
out:
    free(shapes);
    cnn_tuning_destroy(result);
    return status;
}

void cnn_tuning_destroy(cnn_tuning *tuning)
{
    if (!tuning)
        return;
    cnn_gemm_record_finish(&tuning->record);
    free(tuning->path);
    free(tuning);
}

double cnn_tune_total(const double *seconds, size_t count)
{
    double total = 0.0;
    for (size_t i = 0; i < count; i++)
        total += seconds[i];
    return total;
}

static double shape_flops(const cnn_gemm_shape *shape)
{
    return 2.0 * (double)shape->m * (double)shape->n * (double)shape->k;
}

double cnn_tune_flops(const cnn_gemm_record *record)
{
    double flops = 0.0;
    for (size_t i = 0; i < record->shape_count; i++)
        flops += shape_flops(&record->shapes[i]);
    return flops;
}

static double gflops(double flops, double seconds)
{
    return seconds > 0.0 ? 1e-9 * flops / seconds : 0.0;
}

size_t cnn_tuning_row_count(const cnn_tuning *tuning)
{
    if (!tuning)
        return 0;
    return tuning->record.shape_count;
}

cnn_tuning_row cnn_tuning_get_row(const cnn_tuning *tuning, size_t index)
{
    if (!tuning || index >= tuning->record.shape_count)
        return (cnn_tuning_row){0};
    const cnn_gemm_record *record = &tuning->record;
    const cnn_gemm_shape *shape = &record->shapes[index];
    double flops = shape_flops(shape);
    return (cnn_tuning_row){shape->transpose_a,
                            shape->transpose_b,
                            shape->m,
                            shape->n,
                            shape->k,
                            flops,
                            gflops(flops, record->before[index]),
                            gflops(flops, record->after[index])};
}

cnn_tuning_summary cnn_tuning_get_summary(const cnn_tuning *tuning)
{
    if (!tuning)
        return (cnn_tuning_summary){.path = "", .fingerprint = ""};
    const cnn_gemm_record *record = &tuning->record;
    size_t count = record->shape_count;
    double flops = cnn_tune_flops(record);
    return (cnn_tuning_summary){
        .trials = (int)record->trial_count,
        .new_trials = (int)(record->trial_count - tuning->known_trials),
        .complete = record->complete,
        .saved = tuning->saved,
        .path = tuning->path ? tuning->path : "",
        .fingerprint = tuning->fingerprint,
        .before_gflops = gflops(flops, cnn_tune_total(record->before, count)),
        .after_gflops = gflops(flops, cnn_tune_total(record->after, count))};
}
