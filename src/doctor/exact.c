/* Does a device that is to be exact give the bits that are published? Some trainings on made-up data,
 * beside the hashes of all values after each step. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "doctor/check.h"
#include "doctor/exact_case.h"

enum { BATCHES = 3, SEED = 7, IMAGES = 1, LABELS = 2 };

static const double learning_rate = 1e-3, smoothing = 0.1;

typedef struct exact_run {
    const cnn_exact_case *of;
    cnn_device *device;
    cnn_network *network;
    cnn_model *model; /* and room for the device's values */
    cnn_train_options options;
    cnn_plan *plan;
    cnn_buffer images, labels;
    char hash[CNN_HASH_SIZE]; /* after the last step that was made */
} exact_run;

static cnn_status create_network(cnn_network **network, const cnn_exact_case *of)
{
    static const cnn_network_given given = {.classes = 10, .input = {3, 32, 32}};
    cnn_config config;
    char *path = NULL;
    cnn_status status = CNN_OK;
    if (of->text)
        return cnn_network_from_text(network, of->name, of->text, of->name, NULL);
    cnn_config_init(&config);
    config.batchnorm = of->batchnorm;
    if (!of->preset)
        return cnn_network_create(network, &config);
    CNN_TRY(cnn_network_preset(&path, of->preset));
    status = cnn_network_from_file(network, of->name, path, &given);
out:
    free(path);
    return status;
}

static cnn_status make_data(exact_run *run)
{
    size_t samples = BATCHES * (size_t)run->of->batch;
    size_t image = cnn_shape_count(cnn_network_input_shape(run->network));
    uint8_t *images = NULL;
    uint16_t *labels = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&images, samples * image, 1, "images"));
    CNN_TRY(cnn_allocate(&labels, samples, sizeof *labels, "labels"));
    cnn_fill_bytes(images, samples * image, 256, UINT64_MAX - IMAGES);
    cnn_fill_labels(labels, samples, (uint32_t)run->network->classes, UINT64_MAX - LABELS);
    CNN_TRY(cnn_buffer_init(&run->images, run->device, samples * image, "the images"));
    CNN_TRY(cnn_buffer_init(&run->labels, run->device, samples * sizeof *labels, "the labels"));
    CNN_TRY(cnn_buffer_write(&run->images, 0, images, samples * image));
    status = cnn_buffer_write(&run->labels, 0, labels, samples * sizeof *labels);
out:
    free(images);
    free(labels);
    return status;
}

static cnn_status prepare(exact_run *run)
{
    const cnn_exact_case *of = run->of;
    cnn_status status = CNN_OK;
    cnn_train_options_init(&run->options);
    if (of->varied) {
        run->options.optimizer = CNN_OPTIMIZER_ADAMW;
        run->options.weight_decay = 0.01;
        run->options.clip_norm = 0.5;
        run->options.ema = 0.9;
    }
    const cnn_plan_options options = {.batch = of->batch,
                                      .training = true,
                                      .slots = (size_t)of->steps,
                                      .trained = &run->options};
    CNN_TRY(create_network(&run->network, of));
    CNN_TRY(cnn_model_create_network(&run->model, run->network, SEED));
    CNN_TRY(cnn_plan_create(&run->plan, run->device, run->model->network, options));
    CNN_TRY(cnn_plan_upload(run->plan, run->model));
    if (of->varied)
        CNN_TRY(cnn_softmax_shape(&run->plan->softmax, smoothing, NULL));
    CNN_TRY(cnn_softmax_reset(&run->plan->softmax));
    status = make_data(run);
out:
    return status;
}

static cnn_status make_step(exact_run *run, int step)
{
    const cnn_gather_source source = {run->images.mem, run->labels.mem, NULL};
    const cnn_pass pass = {
        .n = run->of->batch, .training = true, .seed = SEED, .step = (uint64_t)step};
    uint32_t first = (uint32_t)(step % BATCHES * run->of->batch);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_plan_gather(run->plan, &source, first, pass.n));
    CNN_TRY(cnn_plan_forward(run->plan, &pass));
    CNN_TRY(cnn_plan_loss(run->plan, &pass, (size_t)step));
    CNN_TRY(cnn_plan_backward(run->plan, &pass));
    status = cnn_plan_update(run->plan, learning_rate, (uint64_t)step + 1);
out:
    return status;
}

/* Of what the device has: those of the average, too, where there is one. */
static cnn_status take_hash(exact_run *run)
{
    const cnn_network *network = run->model->network;
    cnn_hasher *hasher = NULL;
    cnn_status status = CNN_OK;
    int sets = run->plan->optimizer.average.mem ? 2 : 1;
    CNN_TRY(cnn_hasher_create(&hasher));
    for (int i = 0; i < sets; i++) {
        cnn_plan_show_average(run->plan, i == 1);
        CNN_TRY(cnn_plan_download(run->model->parameters, run->model->statistics, run->plan));
        cnn_hasher_add(hasher, run->model->parameters, network->parameter_count * sizeof(float));
        cnn_hasher_add(hasher, run->model->statistics, network->statistic_count * sizeof(float));
    }
    cnn_plan_show_average(run->plan, false);
out:
    if (hasher)
        cnn_hasher_end(run->hash, hasher);
    return status;
}

static uint64_t begin_of(const char *hash)
{
    char begin[17];
    snprintf(begin, sizeof begin, "%.16s", hash);
    return strtoull(begin, NULL, 16);
}

/* All, whatever comes: a driver's maker may want to know how it ends. */
static cnn_status run_steps(cnn_exact_row *row, exact_run *run)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < run->of->steps; i++) {
        CNN_TRY(make_step(run, i));
        CNN_TRY(take_hash(run));
        cnn_log(CNN_LOG_DEBUG, "exact: %s, step %d: %s", run->of->name, i, run->hash);
        if (row->differs < 0 && begin_of(run->hash) != run->of->hashes[i])
            row->differs = i;
    }
    row->matched = row->differs < 0 && strcmp(run->hash, run->of->last) == 0;
out:
    return status;
}

static cnn_status compare(bool *matched, cnn_device *device, const cnn_exact_case *of,
                          const cnn_doctor_exact *callback)
{
    exact_run run = {.of = of, .device = device};
    cnn_exact_row row = {.name = of->name, .steps = of->steps, .differs = -1, .expected = of->last};
    double start = cnn_seconds();
    cnn_status status = CNN_OK;
    CNN_TRY(prepare(&run));
    CNN_TRY(run_steps(&row, &run));
    row.hash = run.hash;
    row.seconds = cnn_seconds() - start;
    *matched = *matched && row.matched;
    if (callback && callback->on_row)
        callback->on_row(&row, callback->user);
out:
    cnn_plan_destroy(run.plan);
    cnn_buffer_finish(&run.images);
    cnn_buffer_finish(&run.labels);
    cnn_model_destroy(run.model);
    cnn_network_destroy(run.network);
    return status;
}

cnn_status cnn_doctor_compare_exact(bool *matched, cnn_device *device,
                                    const cnn_doctor_exact *callback)
{
    CNN_NEED(matched, device);
    bool before = device->exact;
    cnn_status status = cnn_device_use_exact(device, true);
    *matched = status == CNN_OK;
    for (int i = 0; status == CNN_OK && i < CNN_EXACT_CASES; i++)
        if (!callback || !callback->only || strcmp(callback->only, cnn_exact_cases[i].name) == 0)
            status = compare(matched, device, &cnn_exact_cases[i], callback);
    *matched = *matched && status == CNN_OK;
    device->exact = before;
    return status;
}
