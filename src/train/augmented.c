/* What a run's first images are as the network is given them. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "train/trainer.h"

bool cnn_trainer_augments(const cnn_trainer *trainer)
{
    return trainer && cnn_augments(&trainer->options.augment);
}

/* A pixel of 0 to 1, of what it was normalised to. */
static uint8_t to_byte(const cnn_model *model, float value, size_t channel)
{
    const float *means = model->normalization.means;
    size_t channels = (size_t)model->network->input[0];
    float pixel = means ? value * means[channels + channel] + means[channel] : value;
    return (uint8_t)lrintf(255.0f * fminf(fmaxf(pixel, 0.0f), 1.0f));
}

/* images (n, C, H, W) from x (n, H, W, C). */
static void turn(uint8_t *images, const float *x, const cnn_model *model, size_t n)
{
    const int *shape = model->network->input;
    size_t channels = (size_t)shape[0], plane = (size_t)shape[1] * (size_t)shape[2];
    for (size_t i = 0; i < n * plane * channels; i++) {
        size_t channel = i % channels, pixel = i / channels % plane, sample = i / channels / plane;
        images[(sample * channels + channel) * plane + pixel] = to_byte(model, x[i], channel);
    }
}

/* labels (2, the plan's batch) is room. */
static cnn_status read_labels(cnn_shown *shown, uint16_t *labels, const cnn_plan *plan,
                              const cnn_pass *pass, size_t n)
{
    size_t batch = (size_t)plan->options.batch;
    cnn_status status =
        cnn_buffer_read(labels, &plan->labels, 0, (pass->mixed ? 2 : 1) * batch * sizeof *labels);
    for (size_t i = 0; status == CNN_OK && i < n; i++)
        shown[i] = (cnn_shown){.label = labels[i],
                               .other = labels[pass->mixed ? batch + i : i],
                               .part = pass->part};
    return status;
}

/* Runs the pieces of the first steps, as far as they are wanted. */
static cnn_status collect(uint8_t *images, cnn_shown *shown, float *x, uint16_t *labels,
                          size_t count, cnn_trainer *trainer)
{
    const cnn_plan *plan = trainer->plan;
    size_t done = 0, size = cnn_plan_input_size(plan);
    cnn_status status = CNN_OK;
    for (uint64_t step = 0; done < count; step++) {
        cnn_pass pass = {.training = true, .seed = trainer->options.seed, .step = step};
        do {
            pass.before += pass.n;
            CNN_TRY(cnn_feed_piece(&pass, &trainer->train, trainer->plan, (size_t)step));
            size_t left = count - done, n = (size_t)pass.n < left ? (size_t)pass.n : left;
            CNN_TRY(cnn_buffer_read(x, cnn_plan_input(plan), 0, n * size * sizeof *x));
            CNN_TRY(read_labels(shown + done, labels, plan, &pass, n));
            turn(images + done * size, x, trainer->model, n);
            done += n;
        } while (pass.after > 0 && done < count);
    }
out:
    return status;
}

cnn_status cnn_trainer_augmented(uint8_t *images, cnn_shown *shown, size_t *count,
                                 cnn_trainer *trainer)
{
    CNN_NEED(images, shown, count, trainer);
    uint16_t *labels = NULL;
    float *x = NULL;
    cnn_status status = CNN_OK;
    if (trainer->moment != CNN_IDLE || !cnn_trainer_augments(trainer))
        return cnn_fail(CNN_ERROR_ARGUMENT, "cnn_trainer_augmented: expected a trainer with "
                                            "augmentation that is not running, found another");
    CNN_TRY(cnn_device_check_process(trainer->device));
    if (*count > trainer->train_count)
        *count = trainer->train_count;
    size_t batch = (size_t)trainer->plan->options.batch;
    CNN_TRY(cnn_allocate(&x, batch * cnn_plan_input_size(trainer->plan), sizeof *x, "images"));
    CNN_TRY(cnn_allocate(&labels, 2 * batch, sizeof *labels, "labels"));
    cnn_trainer_shuffle(trainer, 0);
    CNN_TRY(cnn_feed_set_order(&trainer->train, trainer->order, trainer->train_count));
    status = collect(images, shown, x, labels, *count, trainer);
out:
    free(x);
    free(labels);
    return status;
}
