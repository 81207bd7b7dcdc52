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
        shown[i] = (cnn_shown){
            .label = labels[i], .other = labels[pass->mixed ? batch + i : i], .part = pass->part};
    return status;
}

/* What puts images into a plan's input: the trainer's own, or where it has rows one of the frozen
 * layers. */
typedef struct camera {
    const cnn_trainer *trainer;
    cnn_plan *plan;
    cnn_feed *feed;
    cnn_plan *own_plan; /* NULL: they are the trainer's */
    cnn_feed own_feed;
} camera;

static cnn_status open_camera(camera *of, cnn_trainer *trainer, int count)
{
    *of = (camera){.trainer = trainer, .plan = trainer->plan, .feed = &trainer->train};
    cnn_status status = CNN_OK;
    if (trainer->keeps) {
        CNN_TRY(cnn_trainer_plan_frozen(&of->own_plan, trainer, count));
        of->plan = of->own_plan;
        of->feed = &of->own_feed;
        CNN_TRY(cnn_feed_init(of->feed, trainer->device, trainer->dataset, CNN_SPLIT_TRAIN,
                              trainer->train.batch, count, true));
    }
    of->feed->view = trainer->options.views > 0 ? 0 : -1;
    CNN_TRY(cnn_feed_set_order(of->feed, trainer->order, trainer->train_count));
out:
    return status;
}

static void close_camera(camera *of)
{
    if (of->feed)
        of->feed->view = -1;
    cnn_feed_finish(&of->own_feed);
    cnn_plan_destroy(of->own_plan);
}

/* Runs the pieces of the first steps, as far as they are wanted. */
static cnn_status collect(uint8_t *images, cnn_shown *shown, float *x, uint16_t *labels,
                          size_t count, camera *of)
{
    const cnn_trainer *trainer = of->trainer;
    size_t done = 0, size = cnn_plan_input_size(of->plan);
    cnn_status status = CNN_OK;
    for (uint64_t step = 0; done < count; step++) {
        cnn_pass pass = {.training = true, .seed = trainer->options.seed, .step = step};
        do {
            pass.before += pass.n;
            CNN_TRY(cnn_feed_piece(&pass, of->feed, of->plan, (size_t)step));
            size_t left = count - done, n = (size_t)pass.n < left ? (size_t)pass.n : left;
            CNN_TRY(cnn_buffer_read(x, cnn_plan_input(of->plan), 0, n * size * sizeof *x));
            CNN_TRY(read_labels(shown + done, labels, of->plan, &pass, n));
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
    camera of = {0};
    cnn_status status = CNN_OK;
    if (trainer->moment != CNN_IDLE || !cnn_trainer_augments(trainer))
        return cnn_fail(CNN_ERROR_ARGUMENT, "cnn_trainer_augmented: expected a trainer with "
                                            "augmentation that is not running, found another");
    CNN_TRY(cnn_device_check_process(trainer->device));
    if (*count > trainer->train_count)
        *count = trainer->train_count;
    cnn_trainer_shuffle(trainer, 0);
    CNN_TRY(open_camera(&of, trainer, (int)*count));
    size_t batch = (size_t)of.plan->options.batch;
    CNN_TRY(cnn_allocate(&x, batch * cnn_plan_input_size(of.plan), sizeof *x, "images"));
    CNN_TRY(cnn_allocate(&labels, 2 * batch, sizeof *labels, "labels"));
    status = collect(images, shown, x, labels, *count, &of);
out:
    close_camera(&of);
    free(x);
    free(labels);
    return status;
}
