#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "train/predictions.h"
#include "train/predictor.h"
#include "train/ranks.h"

enum { SLOTS_AT_FIRST = 64 };

cnn_status cnn_predictor_create(cnn_predictor **predictor, cnn_device *device,
                                const cnn_model *model, int batch, bool fuse)
{
    CNN_NEED(predictor, device, model);
    cnn_predictor *result = NULL;
    cnn_status status = CNN_OK;
    *predictor = NULL;
    CNN_TRY(cnn_device_check_process(device));
    if (batch < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--batch: expected 1 or more, found %d", batch);
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a predictor"));
    result->device = device;
    result->model = model;
    result->batch = batch;
    size_t values = (size_t)batch * cnn_shape_count(cnn_network_input_shape(model->network));
    CNN_TRY(cnn_allocate(&result->pixels, values, sizeof(float), "a batch of images"));
    cnn_plan_options options = {.batch = batch, .fuse = fuse, .slots = SLOTS_AT_FIRST};
    CNN_TRY(cnn_plan_create(&result->plan, device, model->network, options));
    CNN_TRY(cnn_plan_upload(result->plan, model));
    *predictor = result;
    return CNN_OK;
out:
    cnn_predictor_destroy(result);
    return status;
}

void cnn_predictor_destroy(cnn_predictor *predictor)
{
    if (!predictor || cnn_abandon_in_child(predictor, predictor->device))
        return;
    cnn_plan_destroy(predictor->plan);
    cnn_ranks_destroy(predictor->ranks);
    free(predictor->pixels);
    free(predictor->own);
    free(predictor->mirrored);
    free(predictor);
}

cnn_status cnn_predictor_set_tta(cnn_predictor *predictor, cnn_tta tta)
{
    CNN_NEED(predictor);
    size_t batch = (size_t)predictor->batch, classes = (size_t)predictor->model->network->classes;
    cnn_status status = CNN_OK;
    if (tta != CNN_TTA_NONE && tta != CNN_TTA_FLIP)
        return cnn_fail(CNN_ERROR_ARGUMENT, "cnn_predictor_set_tta: expected CNN_TTA_NONE or "
                                            "CNN_TTA_FLIP, found another value");
    if (tta == CNN_TTA_FLIP && !predictor->own)
        CNN_TRY(cnn_allocate(&predictor->own, batch, classes * sizeof(float), "a batch of logits"));
    if (tta == CNN_TTA_FLIP && !predictor->mirrored)
        CNN_TRY(cnn_allocate(&predictor->mirrored, batch, classes * sizeof(float),
                             "a batch of logits"));
    predictor->tta = tta;
out:
    return status;
}

/* (N, C, H, W) of the caller's to (N, H, W, C) of the device, normalised as in training; mirrored,
 * left is right. */
static void to_channels_last(float *target, const float *source, cnn_shape shape, int n,
                             const cnn_normalization *how, bool mirrored)
{
    size_t plane = (size_t)shape.h * (size_t)shape.w, channels = (size_t)shape.c;
    size_t width = (size_t)shape.w;
    for (size_t sample = 0; sample < (size_t)n; sample++) {
        for (size_t c = 0; c < channels; c++) {
            float mean = how->channels > 0 ? how->means[c] : 0.0f;
            float deviation = how->channels > 0 ? how->deviations[c] : 1.0f;
            for (size_t p = 0; p < plane; p++) {
                size_t from = mirrored ? p - p % width + (width - 1 - p % width) : p;
                target[(sample * plane + p) * channels + c] =
                    (source[(sample * channels + c) * plane + from] - mean) / deviation;
            }
        }
    }
}

static cnn_status run_images(float *logits, cnn_predictor *predictor, const float *images, int n,
                             bool mirrored)
{
    cnn_plan *plan = predictor->plan;
    cnn_shape shape = cnn_network_input_shape(predictor->model->network);
    size_t classes = (size_t)predictor->model->network->classes;
    cnn_pass pass = {.n = n};
    cnn_status status = CNN_OK;
    to_channels_last(predictor->pixels, images, shape, n, &predictor->model->normalization,
                     mirrored);
    CNN_TRY(cnn_buffer_write(cnn_plan_input(plan), 0, predictor->pixels,
                             (size_t)n * cnn_shape_count(shape) * sizeof(float)));
    CNN_TRY(cnn_plan_forward(plan, &pass));
    CNN_TRY(cnn_buffer_read(logits, cnn_plan_logits(plan), 0, (size_t)n * classes * sizeof(float)));
out:
    return status;
}

static cnn_status run_batch(float *logits, cnn_predictor *predictor, const float *images, int n)
{
    size_t classes = (size_t)predictor->model->network->classes;
    cnn_status status = run_images(logits, predictor, images, n, false);
    if (status != CNN_OK || predictor->tta == CNN_TTA_NONE)
        return status;
    status = run_images(predictor->mirrored, predictor, images, n, true);
    if (status == CNN_OK)
        cnn_tta_mean(logits, predictor->mirrored, (size_t)n, classes);
    return status;
}

cnn_status cnn_predictor_run(float *logits, cnn_predictor *predictor, const float *images,
                             size_t count)
{
    CNN_NEED(predictor);
    if (count > 0)
        CNN_NEED(logits, images);
    size_t image = cnn_shape_count(cnn_network_input_shape(predictor->model->network));
    size_t classes = (size_t)predictor->model->network->classes;
    size_t batch = (size_t)predictor->batch;
    cnn_status status = cnn_device_check_process(predictor->device);
    for (size_t first = 0; status == CNN_OK && first < count; first += batch) {
        size_t n = count - first < batch ? count - first : batch;
        status = run_batch(logits + first * classes, predictor, images + first * image, (int)n);
    }
    return status;
}

static cnn_status fail_empty(const cnn_dataset *dataset, cnn_split split)
{
    static const cnn_split order[] = {CNN_SPLIT_TRAIN, CNN_SPLIT_VAL, CNN_SPLIT_TEST};
    char there[64] = "";
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (cnn_dataset_count(dataset, order[i]) > 0)
            snprintf(there + strlen(there), sizeof there - strlen(there), "%s%s",
                     there[0] ? " or " : "", cnn_split_name(order[i]));
    return cnn_fail(CNN_ERROR_DATA,
                    "--split: %s has no images of the split %s: give %s, or other --data",
                    cnn_dataset_source(dataset), cnn_split_name(split), there);
}

static cnn_status check_split(const cnn_predictor *predictor, const cnn_dataset *dataset,
                              cnn_split split)
{
    cnn_status status = cnn_check_dataset(predictor->model->network, dataset);
    if (status == CNN_OK && ((int)split < 0 || (int)split > CNN_SPLIT_VAL))
        status =
            cnn_fail(CNN_ERROR_ARGUMENT,
                     "expected a split of CNN_SPLIT_TRAIN to CNN_SPLIT_VAL, found %d", (int)split);
    if (status == CNN_OK && cnn_dataset_count(dataset, split) == 0)
        status = fail_empty(dataset, split);
    return status;
}

/* predictions may be NULL. */
static cnn_status evaluate(cnn_evaluation *evaluation, cnn_prediction *predictions,
                           cnn_predictor *predictor, const cnn_dataset *dataset, cnn_split split)
{
    cnn_feed feed = {0};
    cnn_predictions reader = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_device_check_process(predictor->device));
    CNN_TRY(check_split(predictor, dataset, split));
    if (predictor->tta == CNN_TTA_FLIP)
        return cnn_tta_evaluate(evaluation, predictions, predictor, dataset, split);
    /* One pass over the data: streaming it costs what uploading it would. */
    CNN_TRY(cnn_feed_init(&feed, predictor->device, dataset, split, predictor->batch,
                          predictor->batch, true));
    CNN_TRY(cnn_plan_reserve(predictor->plan, cnn_feed_batch_count(&feed)));
    cnn_loop loop = {
        .ranks = predictor->ranks, .plan = predictor->plan, .feed = &feed, .epoch = -1};
    if (predictions) {
        CNN_TRY(cnn_predictions_init(&reader, predictor->plan, predictions));
        loop.after_step = cnn_predictions_take;
        loop.after_user = &reader;
    }
    CNN_TRY(cnn_loop_run(&loop));
    CNN_TRY(cnn_predictions_drain(&reader));
    if (predictor->ranks && predictions)
        CNN_TRY(cnn_ranks_collect(predictor->ranks, predictions, feed.count, sizeof *predictions,
                                  (size_t)feed.batch));
    *evaluation = (cnn_evaluation){
        .loss = loop.sums.sample_loss,
        .accuracy = (double)loop.sums.hits / (double)feed.count,
        .hits = loop.sums.hits,
        .count = feed.count,
    };
out:
    cnn_predictions_finish(&reader);
    cnn_feed_finish(&feed);
    return status;
}

cnn_status cnn_predictor_share(cnn_predictor *predictor, cnn_comm *comm, const cnn_dataset *dataset)
{
    CNN_NEED(predictor, comm, dataset);
    cnn_train_options options; /* the batch alone makes a difference */
    cnn_train_options_init(&options);
    options.batch = predictor->batch;
    if (cnn_comm_size(comm) == 1)
        return CNN_OK;
    cnn_status status =
        cnn_ranks_compare(comm, predictor->device, predictor->model, dataset, &options);
    if (status == CNN_OK && !predictor->ranks)
        status = cnn_ranks_create(&predictor->ranks, comm, 1, 0);
    return status;
}

cnn_status cnn_model_compare(const cnn_model *model, cnn_comm *comm, const cnn_device *device)
{
    CNN_NEED(model, comm, device);
    return cnn_comm_size(comm) == 1 ? CNN_OK : cnn_ranks_compare(comm, device, model, NULL, NULL);
}

cnn_status cnn_predictor_evaluate(cnn_evaluation *evaluation, cnn_predictor *predictor,
                                  const cnn_dataset *dataset, cnn_split split)
{
    CNN_NEED(evaluation, predictor, dataset);
    return evaluate(evaluation, NULL, predictor, dataset, split);
}

cnn_status cnn_predictor_evaluate_samples(cnn_evaluation *evaluation, cnn_prediction *predictions,
                                          cnn_predictor *predictor, const cnn_dataset *dataset,
                                          cnn_split split)
{
    CNN_NEED(evaluation, predictions, predictor, dataset);
    return evaluate(evaluation, predictions, predictor, dataset, split);
}
