/* Runs a plan as training and evaluation do, row by row, and has its commands recorded. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment/augment.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/status.h"
#include "bench/bench.h"

/* While running. */
typedef struct bench_run {
    cnn_bench *bench;
    cnn_plan *plan;
    cnn_buffer images, labels, order; /* one batch, in random order */
    cnn_gather_source source;
    cnn_pass pass;
} bench_run;

void cnn_bench_options_init(cnn_bench_options *options)
{
    if (!options)
        return;
    *options = (cnn_bench_options){.batch = 256, .training = true, .fuse = true, .peaks = true};
}

static cnn_status check_options(const cnn_bench_options *options)
{
    if (options->batch < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--batch: expected 1 or more, found %d",
                        options->batch);
    if (options->steps < 0)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--steps: expected 0 or more, found %d",
                        options->steps);
    return CNN_OK;
}

/* A buffer of count random numbers below `bound`, of one byte each or two. */
static cnn_status make_random(cnn_buffer *buffer, cnn_device *device, size_t count, size_t size,
                              uint32_t bound, uint64_t seed, uint64_t draw)
{
    uint8_t *bytes = NULL;
    uint32_t words[CNN_PHILOX_LANES] = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&bytes, count, size, "a random batch"));
    for (size_t i = 0; i < count; i++) {
        if (i % CNN_PHILOX_LANES == 0)
            cnn_philox_block(words, seed, CNN_STREAM_USER, 0, draw,
                             (uint32_t)(i / CNN_PHILOX_LANES));
        uint16_t number = (uint16_t)(((uint64_t)words[i % CNN_PHILOX_LANES] * bound) >> 32);
        if (size == 1)
            bytes[i] = (uint8_t)number;
        else
            memcpy(bytes + i * size, &number, size);
    }
    CNN_TRY(cnn_buffer_init(buffer, device, count * size, "a random batch"));
    status = cnn_buffer_write(buffer, 0, bytes, count * size);
out:
    free(bytes);
    return status;
}

static cnn_status make_source(bench_run *run, uint64_t seed)
{
    const cnn_network *network = run->plan->network;
    cnn_device *device = run->plan->device;
    size_t n = (size_t)run->plan->options.batch;
    uint32_t *order = NULL;
    cnn_status status = CNN_OK;
    size_t pixels = n * cnn_shape_count(cnn_network_input_shape(network));
    CNN_TRY(make_random(&run->images, device, pixels, 1, 256, seed, 0));
    CNN_TRY(make_random(&run->labels, device, n, sizeof(cl_ushort), (uint32_t)network->classes,
                        seed, 1));
    CNN_TRY(cnn_allocate(&order, n, sizeof *order, "an order"));
    cnn_philox_permutation(order, (uint32_t)n, seed, CNN_STREAM_SHUFFLE, 0, 0);
    CNN_TRY(cnn_buffer_init(&run->order, device, n * sizeof *order, "an order"));
    CNN_TRY(cnn_buffer_write(&run->order, 0, order, n * sizeof *order));
    run->source = (cnn_gather_source){run->images.mem, run->labels.mem, run->order.mem};
out:
    free(order);
    return status;
}

/* "conv2d_00..dropout2d_03" */
static void name_layers(cnn_bench_entry *entry, const cnn_op *op)
{
    const char *first = op->layers[0]->name, *last = cnn_op_last_layer(op)->name;
    bool several = op->layer_count > 1;
    snprintf(entry->layers, sizeof entry->layers, "%s%s%s", first, several ? ".." : "",
             several ? last : "");
}

static void add_entry(cnn_bench *bench, const cnn_plan *plan, cnn_bench_phase phase, int step)
{
    static const char *const names[CNN_BENCH_PHASE_COUNT] = {"gather", "forward", "loss",
                                                             "backward", "update"};
    bool of_plan = phase == CNN_BENCH_FORWARD || phase == CNN_BENCH_BACKWARD;
    cnn_bench_entry *entry = &bench->entries[bench->entry_count++];
    *entry = (cnn_bench_entry){.phase = phase, .step = step};
    entry->row = (cnn_bench_row){.phase = names[phase], .name = "", .layers = entry->layers};
    if (of_plan) {
        const cnn_step *at = &plan->steps[step];
        entry->row.name = cnn_step_name(at);
        name_layers(entry, at->op);
    }
    cnn_bench_count(entry, plan);
}

static cnn_status add_entries(cnn_bench *bench, const cnn_plan *plan)
{
    size_t most = 2 * (size_t)plan->step_count + 3;
    cnn_status status =
        cnn_allocate(&bench->entries, most, sizeof *bench->entries, "the rows of a bench");
    if (status != CNN_OK)
        return status;
    add_entry(bench, plan, CNN_BENCH_GATHER, 0);
    for (int i = 0; i < plan->step_count; i++)
        add_entry(bench, plan, CNN_BENCH_FORWARD, i);
    add_entry(bench, plan, CNN_BENCH_LOSS, 0);
    if (!plan->options.training)
        return CNN_OK;
    for (int i = plan->step_count - 1; i >= 0; i--)
        if (plan->steps[i].output_gradient >= 0)
            add_entry(bench, plan, CNN_BENCH_BACKWARD, i);
    add_entry(bench, plan, CNN_BENCH_UPDATE, 0);
    return CNN_OK;
}

/* Drawing the numbers is part of it, their greys but for the images' reading. */
static cnn_status run_augment(bench_run *run)
{
    cnn_augment_draw *draws;
    int n = run->pass.n;
    cnn_status status = cnn_augment_draw_pass(&draws, &run->plan->augment, &run->pass, NULL);
    for (int i = 0; status == CNN_OK && i <= n; i++)
        draws[i].grey = 0.5f;
    return status == CNN_OK
               ? cnn_plan_augment(run->plan, &run->source, 0, (uint32_t)n - 1, &run->pass)
               : status;
}

static cnn_status run_gather(bench_run *run, int step)
{
    (void)step;
    if (run->plan->augment.kernel.handle)
        return run_augment(run);
    return cnn_plan_gather(run->plan, &run->source, 0, run->pass.n);
}

static cnn_status run_forward(bench_run *run, int step)
{
    return cnn_plan_forward_step(run->plan, step, &run->pass);
}

static cnn_status run_loss(bench_run *run, int step)
{
    (void)step;
    return cnn_plan_loss(run->plan, &run->pass, 0);
}

static cnn_status run_backward(bench_run *run, int step)
{
    return cnn_plan_backward_step(run->plan, step, &run->pass);
}

static cnn_status run_update(bench_run *run, int step)
{
    static const double lr = 1e-3;
    (void)step;
    return cnn_plan_update(run->plan, lr, run->pass.step + 1);
}

/* One batch through all rows; number: of the batch, among those that are recorded. */
static cnn_status run_batch(bench_run *run, size_t number)
{
    static cnn_status (*const runs[CNN_BENCH_PHASE_COUNT])(bench_run *, int) = {
        run_gather, run_forward, run_loss, run_backward, run_update};
    cnn_bench *bench = run->bench;
    cnn_status status = CNN_OK;
    for (size_t i = 0; status == CNN_OK && i < bench->entry_count; i++) {
        bench->profile.group = number * bench->entry_count + i;
        status = runs[bench->entries[i].phase](run, bench->entries[i].step);
    }
    run->pass.step++;
    if (status != CNN_OK)
        return status;
    return cnn_opencl_check(clFlush(run->plan->device->queue), "clFlush", run->plan->device);
}

/* Some batches, waiting for the device now and then, and at the end. */
static cnn_status run_batches(bench_run *run, size_t count)
{
    cnn_status status = CNN_OK;
    for (size_t i = 0; status == CNN_OK && i < count; i++) {
        status = run_batch(run, i);
        if (status == CNN_OK && (i + 1) % CNN_BENCH_IN_FLIGHT == 0)
            status = cnn_device_finish(run->plan->device);
    }
    return status == CNN_OK ? cnn_device_finish(run->plan->device) : status;
}

static cnn_status time_batches(double *seconds, bench_run *run, size_t count)
{
    double start = cnn_seconds();
    cnn_status status = run_batches(run, count);
    *seconds = cnn_seconds() - start;
    return status;
}

/* Half a second of batches, as it is spent twice. */
static int choose_steps(double seconds_per_batch)
{
    enum { FEWEST = 3, MOST = 1000 };
    double steps = seconds_per_batch > 0.0 ? 0.5 / seconds_per_batch : MOST;
    return (int)fmax(FEWEST, fmin(MOST, steps));
}

/* Batches without a record, then as many with one. */
static cnn_status measure(bench_run *run, int steps)
{
    cnn_bench *bench = run->bench;
    double seconds;
    cnn_status status = CNN_OK;
    CNN_TRY(run_batches(run, 1)); /* drivers compile at the first launch */
    CNN_TRY(time_batches(&seconds, run, 1));
    bench->summary.steps = steps > 0 ? steps : choose_steps(seconds);
    size_t count = (size_t)bench->summary.steps;
    CNN_TRY(time_batches(&seconds, run, count));
    bench->summary.plain_milliseconds = 1e3 * seconds / (double)count;
    CNN_TRY(cnn_profile_open(&bench->profile, run->plan->device));
    bench->summary.device_clock = !bench->profile.host_clock;
    CNN_TRY(run_batches(run, 1));
    CNN_TRY(cnn_profile_collect(&bench->profile));
    cnn_profile_clear(&bench->profile);
    CNN_TRY(run_batches(run, count));
    status = cnn_profile_collect(&bench->profile);
out:
    cnn_profile_close(&bench->profile);
    return status;
}

static cnn_status run_plan(cnn_bench *bench, cnn_device *device, const cnn_model *model,
                           const cnn_bench_options *options)
{
    bench_run run = {.bench = bench};
    cnn_plan_options plan = {
        .batch = options->batch, .training = options->training, .fuse = options->fuse, .slots = 1};
    cnn_train_options trained;
    cnn_status status = CNN_OK;
    cnn_train_options_init(&trained);
    trained.augment = options->augment;
    if (cnn_augments(&trained.augment))
        plan.trained = &trained;
    run.pass =
        (cnn_pass){.n = options->batch, .training = options->training, .seed = options->seed};
    CNN_TRY(cnn_plan_create(&run.plan, device, model->network, plan));
    CNN_TRY(cnn_plan_upload(run.plan, model));
    if (options->training && trained.augment.mixup > 0.0)
        CNN_TRY(cnn_softmax_shape(&run.plan->softmax, 0.0, NULL));
    CNN_TRY(make_source(&run, options->seed));
    CNN_TRY(add_entries(bench, run.plan));
    CNN_TRY(measure(&run, options->steps));
    status = cnn_bench_find_times(bench);
out:
    cnn_buffer_finish(&run.images);
    cnn_buffer_finish(&run.labels);
    cnn_buffer_finish(&run.order);
    cnn_plan_destroy(run.plan);
    return status;
}

cnn_status cnn_bench_run(cnn_bench **bench, cnn_device *device, const cnn_model *model,
                         const cnn_bench_options *options)
{
    CNN_NEED(bench, device, model, options);
    if (cnn_device_check_process(device) != CNN_OK)
        return CNN_ERROR_DEVICE;
    cnn_bench *result = NULL;
    cnn_status status = CNN_OK;
    *bench = NULL;
    CNN_TRY(check_options(options));
    CNN_TRY(cnn_augment_check(&options->augment, cnn_network_input(model->network)));
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a bench"));
    result->device = device->info;
    result->summary.batch = options->batch;
    result->summary.training = options->training;
    /* Before and after: whoever shares the machine comes and goes. */
    if (options->peaks)
        CNN_TRY(cnn_bench_measure_peaks(&result->summary, device));
    CNN_TRY(run_plan(result, device, model, options));
    if (options->peaks)
        CNN_TRY(cnn_bench_measure_peaks(&result->summary, device));
    *bench = result;
    return CNN_OK;
out:
    cnn_bench_destroy(result);
    return status;
}

void cnn_bench_destroy(cnn_bench *bench)
{
    if (!bench)
        return;
    cnn_profile_finish(&bench->profile);
    free(bench->entries);
    free(bench->spans);
    free(bench);
}

size_t cnn_bench_row_count(const cnn_bench *bench)
{
    if (!bench)
        return 0;
    return bench->entry_count;
}

cnn_bench_row cnn_bench_get_row(const cnn_bench *bench, size_t index)
{
    if (!bench || index >= cnn_bench_row_count(bench))
        return (cnn_bench_row){.phase = "", .name = "", .layers = ""};
    return bench->entries[index].row;
}

cnn_bench_summary cnn_bench_get_summary(const cnn_bench *bench)
{
    if (!bench)
        return (cnn_bench_summary){0};
    return bench->summary;
}
