/* One set of parameters: checked, timed, remembered, and what the best of all make together. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "base/status.h"
#include "bench/tune.h"
#include "tensor/gemm_check.h"

enum { ALWAYS_INDIRECT = 1, ALWAYS_DIRECT = 1 << 20 };

cnn_status cnn_tuner_init(cnn_tuner *at)
{
    static const char what[] = "the products to tune";
    const cnn_gemm_record *record = at->record;
    size_t a = 0, b = 0, c = 0;
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < record->shape_count; i++) {
        const cnn_gemm_shape *shape = &record->shapes[i];
        a = cnn_larger(a, shape->m * shape->k);
        b = cnn_larger(b, shape->k * shape->n);
        c = cnn_larger(c, shape->m * shape->n);
    }
    CNN_TRY(cnn_buffer_init(&at->a, at->device, a * sizeof(float), what));
    CNN_TRY(cnn_buffer_init(&at->b, at->device, b * sizeof(float), what));
    CNN_TRY(cnn_buffer_init(&at->c, at->device, c * sizeof(float), what));
out:
    return status;
}

void cnn_tuner_finish(cnn_tuner *at)
{
    cnn_buffer_finish(&at->a);
    cnn_buffer_finish(&at->b);
    cnn_buffer_finish(&at->c);
}

/* On a CPU, what the others on the machine do must not count. */
static double read_time(const cnn_device *device)
{
    if (device->kernel_class == CNN_KERNEL_CPU && device->info.compute_units > 0)
        return cnn_processor_seconds() / device->info.compute_units;
    return cnn_seconds();
}

/* Seconds of each of `count` products, one after the other. */
static cnn_status run_shape(double *seconds, cnn_tuner *at, const cnn_gemm_shape *shape,
                            const cnn_buffer *scratch, int count)
{
    cnn_matrix a = {at->a.mem, 0, shape->transpose_a ? shape->m : shape->k};
    cnn_matrix b = {at->b.mem, 0, shape->transpose_b ? shape->k : shape->n};
    cnn_matrix c = {at->c.mem, 0, shape->n};
    cnn_status status = CNN_OK;
    double start = read_time(at->device);
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = cnn_gemm(at->device, shape, a, b, c, scratch->mem);
    if (status == CNN_OK)
        status = cnn_device_finish(at->device);
    *seconds = (read_time(at->device) - start) / count;
    return status;
}

/* The best of some rounds, each long enough for the clock. */
static cnn_status time_shape(double *seconds, cnn_tuner *at, const cnn_gemm_shape *shape)
{
    enum { ROUNDS = 4, MOST = 100 };
    static const double round_seconds = 0.03;
    cnn_buffer scratch = {0};
    cnn_status status = CNN_OK;
    size_t bytes;
    double time;
    CNN_TRY(cnn_gemm_scratch_bytes(&bytes, at->device, shape,
                                   shape->transpose_a ? shape->m : shape->k,
                                   shape->transpose_b ? shape->k : shape->n, shape->n));
    if (bytes > 0)
        CNN_TRY(cnn_buffer_init(&scratch, at->device, bytes, "the products to tune"));
    CNN_TRY(run_shape(&time, at, shape, &scratch, 1)); /* drivers compile at the first launch */
    CNN_TRY(run_shape(seconds, at, shape, &scratch, 1));
    int count = (int)fmin(MOST, 1.0 + round_seconds / fmax(*seconds, 1e-6));
    for (int round = 0; round < ROUNDS; round++) {
        CNN_TRY(run_shape(&time, at, shape, &scratch, count));
        *seconds = fmin(*seconds, time);
    }
out:
    cnn_buffer_finish(&scratch);
    return status;
}

/* *right is false where a product is not right. */
static cnn_status check_and_time(double *seconds, bool *right, cnn_tuner *at)
{
    const cnn_gemm_record *record = at->record;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_gemm_check(right, at->device, true, 0));
    for (size_t i = 0; *right && i < record->shape_count; i++)
        CNN_TRY(cnn_gemm_check_shape(right, at->device, &record->shapes[i]));
    for (size_t i = 0; *right && i < record->shape_count; i++)
        CNN_TRY(time_shape(&seconds[i], at, &record->shapes[i]));
out:
    return status;
}

double cnn_tuner_seconds(const cnn_tuner *at, const cnn_gemm_trial *trial)
{
    return trial->failed ? INFINITY : cnn_tune_total(trial->seconds, at->record->shape_count);
}

/* NULL where none of this kernel was right. */
const cnn_gemm_trial *cnn_tuner_best(const cnn_tuner *at, cnn_gemm_part part)
{
    const cnn_gemm_trial *best = NULL;
    for (size_t i = 0; i < at->record->trial_count; i++) {
        const cnn_gemm_trial *trial = &at->record->trials[i];
        if (trial->part == part && !trial->failed &&
            (!best || cnn_tuner_seconds(at, trial) < cnn_tuner_seconds(at, best)))
            best = trial;
    }
    return best;
}

/* Seconds where products below the switch (to the third power) go to the direct kernel. */
static double switched_seconds(double *seconds, const cnn_tuner *at, const cnn_gemm_trial *indirect,
                               const cnn_gemm_trial *direct, size_t limit)
{
    const cnn_gemm_record *record = at->record;
    double cube = (double)limit * (double)limit * (double)limit, total = 0.0;
    for (size_t i = 0; i < record->shape_count; i++) {
        const cnn_gemm_shape *shape = &record->shapes[i];
        double size = (double)shape->m * (double)shape->n * (double)shape->k;
        double time = size < cube ? direct->seconds[i] : indirect->seconds[i];
        if (seconds)
            seconds[i] = time;
        total += time;
    }
    return total;
}

/* The switch is best right above one of the products, or below all. */
static size_t best_switch(const cnn_tuner *at, const cnn_gemm_trial *indirect,
                          const cnn_gemm_trial *direct)
{
    const cnn_gemm_record *record = at->record;
    size_t best = ALWAYS_INDIRECT;
    double least = switched_seconds(NULL, at, indirect, direct, best);
    for (size_t i = 0; i < record->shape_count; i++) {
        const cnn_gemm_shape *shape = &record->shapes[i];
        double size = (double)shape->m * (double)shape->n * (double)shape->k;
        size_t limit = (size_t)cbrt(size) + 1;
        double time = switched_seconds(NULL, at, indirect, direct, limit);
        if (time < least) {
            least = time;
            best = limit;
        }
    }
    return best;
}

/* Makes the record's tuning of the best trials, unless what is built in is as fast. */
static void compose(cnn_tuner *at)
{
    static const double worth = 0.98; /* less gain is noise */
    cnn_gemm_record *record = at->record;
    const cnn_gemm_trial *indirect = cnn_tuner_best(at, CNN_GEMM_INDIRECT);
    const cnn_gemm_trial *direct = cnn_tuner_best(at, CNN_GEMM_DIRECT);
    record->tuning = cnn_gemm_default_tuning(at->device);
    memcpy(record->after, record->before, record->shape_count * sizeof *record->after);
    if (!indirect)
        return;
    size_t limit = direct ? best_switch(at, indirect, direct) : ALWAYS_INDIRECT;
    double seconds = switched_seconds(NULL, at, indirect, direct, limit);
    if (seconds > worth * cnn_tune_total(record->before, record->shape_count))
        return;
    switched_seconds(record->after, at, indirect, direct, limit);
    cnn_gemm_tuning_give(&record->tuning, CNN_GEMM_INDIRECT, indirect->values);
    if (limit > ALWAYS_INDIRECT)
        cnn_gemm_tuning_give(&record->tuning, CNN_GEMM_DIRECT, direct->values);
    record->tuning.given[CNN_GEMM_SWITCH] = true;
    record->tuning.values[CNN_GEMM_SWITCH][0] = limit;
}

static double rate(const cnn_tuner *at, double seconds)
{
    return seconds > 0.0 && isfinite(seconds) ? 1e-9 * cnn_tune_flops(at->record) / seconds : 0.0;
}

static void tell(cnn_tuner *at, const cnn_gemm_trial *trial)
{
    char text[CNN_GEMM_TUNING_TEXT];
    const cnn_gemm_record *record = at->record;
    cnn_gemm_tuning tuning = {{false}, {{0}}};
    if (!at->callback)
        return;
    cnn_gemm_tuning_give(&tuning, trial->part, trial->values);
    cnn_tune_trial told = {
        .number = (int)record->trial_count,
        .kernel = cnn_gemm_parts[trial->part].kernel,
        .parameters = cnn_gemm_tuning_text(text, &tuning, trial->part),
        .gflops = rate(at, cnn_tuner_seconds(at, trial)),
        .best_gflops = rate(at, cnn_tune_total(record->after, record->shape_count)),
    };
    at->stopped = !at->callback(&told, at->user);
}

/* Has one kernel do all products with these values. */
static cnn_status use_alone(cnn_tuner *at, cnn_gemm_part part, const size_t *values)
{
    cnn_gemm_tuning tuning = {{false}, {{0}}};
    cnn_gemm_tuning_give(&tuning, part, values);
    tuning.given[CNN_GEMM_SWITCH] = true;
    tuning.values[CNN_GEMM_SWITCH][0] = part == CNN_GEMM_DIRECT ? ALWAYS_DIRECT : ALWAYS_INDIRECT;
    return cnn_gemm_use(at->device, &tuning);
}

cnn_status cnn_tuner_try(cnn_tuner *at, cnn_gemm_part part, const size_t *values)
{
    cnn_gemm_trial *trial;
    bool right = false;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_gemm_record_add(&trial, at->record));
    trial->part = part;
    memcpy(trial->values, values, sizeof trial->values);
    status = use_alone(at, part, values);
    if (status == CNN_OK)
        status = check_and_time(trial->seconds, &right, at);
    trial->failed = status != CNN_OK || !right;
    /* What the driver does not build or run is a set that does not suit it. */
    if (status != CNN_ERROR_MEMORY)
        status = CNN_OK;
    if (trial->failed)
        memset(trial->seconds, 0, at->record->shape_count * sizeof *trial->seconds);
    CNN_TRY(status);
    compose(at);
    CNN_TRY(cnn_gemm_record_write(&at->tuning->saved, at->record, at->device));
    tell(at, trial);
out:
    return status;
}

cnn_status cnn_tuner_repeat(cnn_tuner *at, cnn_gemm_trial *trial)
{
    const cnn_gemm_record *record = at->record;
    cnn_status status = use_alone(at, trial->part, trial->values);
    for (size_t i = 0; status == CNN_OK && i < record->shape_count; i++)
        status = time_shape(&trial->seconds[i], at, &record->shapes[i]);
    return status;
}

/* Before the first set is tried: CLBlast's own values cannot be had back behind it. */
cnn_status cnn_tuner_measure_default(cnn_tuner *at)
{
    const cnn_gemm_tuning built_in = cnn_gemm_default_tuning(at->device);
    const cnn_gemm_record *record = at->record;
    cnn_status status = CNN_OK;
    if (record->trial_count > 0)
        return CNN_OK;
    CNN_TRY(cnn_gemm_use(at->device, &built_in));
    for (size_t i = 0; i < record->shape_count; i++)
        CNN_TRY(time_shape(&record->before[i], at, &record->shapes[i]));
out:
    return status;
}
