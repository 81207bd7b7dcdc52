/* What is frozen at the network's beginning gives the same for a sample each time, or for each of
 * its views: it is computed once, and training goes on from there. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/size.h"
#include "base/status.h"
#include "train/trainer.h"

/* What is evaluated, and the views that are trained on. */
static uint64_t count_samples(const cnn_trainer *trainer)
{
    const cnn_dataset *dataset = trainer->dataset;
    uint64_t train = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN);
    return ((uint64_t)cnn_trainer_view_count(trainer) + 1) * train +
           cnn_dataset_count(dataset, CNN_SPLIT_VAL) + cnn_dataset_count(dataset, CNN_SPLIT_TEST);
}

/* Rows that do not fit the device are on the host; where that is too small, too, they are computed
 * in every step. */
static bool is_room_for(double bytes)
{
    static const double share = 0.5;
    double pages = (double)sysconf(_SC_PHYS_PAGES), page = (double)sysconf(_SC_PAGESIZE);
    return pages <= 0.0 || bytes <= share * pages * page;
}

/* Are images changed anew in each step? */
static bool changes_anew(const cnn_trainer *trainer)
{
    return cnn_augments(&trainer->options.augment) && trainer->options.views == 0;
}

static bool is_worth_keeping(const cnn_trainer *trainer)
{
    const cnn_network *network = trainer->model->network;
    int cut = cnn_frozen_cut(network, trainer->frozen);
    if (cut == 0 || trainer->options.recompute || changes_anew(trainer))
        return false;
    double row = (double)cnn_shape_count(cnn_network_value_shape(network, cut)) * sizeof(float);
    if (is_room_for(row * (double)count_samples(trainer)))
        return true;
    cnn_log(CNN_LOG_INFO,
            "what the frozen layers give is too large to keep: %.3g MiB a sample; it "
            "is computed in every step",
            row * 0x1p-20);
    return false;
}

static bool is_anything_trained(const cnn_trainer *trainer)
{
    const cnn_network *network = trainer->model->network;
    for (int l = 0; l < network->layer_count; l++)
        if (network->layers[l].param_count > 0 && !trainer->frozen[l])
            return true;
    return false;
}

static void say_frozen(const cnn_trainer *trainer)
{
    const cnn_network *network = trainer->model->network;
    int frozen = 0, layers = 0;
    for (int l = 0; l < network->layer_count; l++) {
        bool counts = network->layers[l].param_count > 0 || network->layers[l].statistic_count > 0;
        layers += counts;
        frozen += counts && trainer->frozen[l];
    }
    int cut = trainer->keeps ? cnn_frozen_cut(network, trainer->frozen) : 0;
    if (cut > 0)
        cnn_log(CNN_LOG_INFO,
                "%d of %d layers with parameters are frozen; what the network gives "
                "up to %s is computed once for each image%s: %zu values",
                frozen, layers, network->layers[cut - 1].name,
                trainer->options.views > 0 ? " and view" : "",
                cnn_shape_count(cnn_network_value_shape(network, cut)));
    else
        cnn_log(CNN_LOG_INFO, "%d of %d layers with parameters are frozen%s", frozen, layers,
                changes_anew(trainer)
                    ? "; what they give is computed in every step, of images that are changed anew"
                    : "");
}

cnn_status cnn_trainer_freeze(cnn_trainer *trainer)
{
    const cnn_network *network = trainer->model->network;
    const char *patterns = trainer->options.freeze;
    cnn_status status = CNN_OK;
    if (patterns[0] == '\0')
        return CNN_OK;
    CNN_TRY(cnn_allocate(&trainer->frozen, (size_t)network->layer_count, sizeof(bool),
                         "the frozen layers"));
    CNN_TRY(cnn_network_match(trainer->frozen, network, patterns, "--freeze"));
    if (!is_anything_trained(trainer))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--freeze: expected layers that are left to train, found '%s', which "
                        "freezes all of the network %s",
                        patterns, network->name);
    if (trainer->options.views > 0 && cnn_frozen_cut(network, trainer->frozen) == 0)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--views: expected layers that are frozen from the input on, found none in "
                        "--freeze '%s' of the network %s: leave it out",
                        patterns, network->name);
    trainer->keeps = is_worth_keeping(trainer);
    say_frozen(trainer);
out:
    return status;
}

/* While rows are made. */
typedef struct keeping {
    cnn_trainer *trainer;
    cnn_tick tick;
    cnn_plan *plan;     /* of what is frozen */
    size_t done, steps; /* passes, of all splits */
    double start;
} keeping;

static bool tell(keeping *at, const cnn_feed *from)
{
    if (!at->tick)
        return true;
    size_t images = at->done * (size_t)from->batch, most = count_samples(at->trainer);
    cnn_progress progress = {.epoch = at->trainer->loop.epoch,
                             .phase = "frozen",
                             .step = at->done,
                             .steps = at->steps,
                             .images = images < most ? images : most,
                             .seconds = cnn_seconds() - at->start,
                             .loss = NAN};
    return at->tick(&progress, at->trainer);
}

/* The rows of a split, a few samples after the other. */
static cnn_status fill(cnn_feed *feed, keeping *at, cnn_feed *from)
{
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < cnn_feed_batch_count(from); i++) {
        cnn_pass pass = {.seed = at->trainer->options.seed};
        CNN_TRY(cnn_feed_piece(&pass, from, at->plan, i));
        CNN_TRY(cnn_plan_forward(at->plan, &pass));
        CNN_TRY(cnn_feed_put(feed, i * (size_t)from->batch, pass.n, cnn_plan_logits(at->plan)));
        CNN_TRY(cnn_device_finish(at->trainer->device));
        at->done++;
        if (!tell(at, from))
            return cnn_fail(CNN_ERROR_STOPPED, "stopped while the frozen layers were computed");
    }
out:
    return status;
}

/* view: -1 for the images as they are. */
static cnn_status fill_split(cnn_feed *feed, keeping *at, int view)
{
    cnn_feed from = {0};
    int n = at->plan->options.batch;
    cnn_status status = cnn_feed_init(&from, feed->device, feed->dataset, feed->split, n, n, true);
    from.view = view;
    if (status == CNN_OK)
        status = fill(feed, at, &from);
    cnn_feed_finish(&from);
    return status;
}

/* Samples that go through together: enough for the device's cores, few enough that their values
 * stay near them (of EfficientNet-Lite0 at 224 x 224 an image of 4 takes 0.9 of one of 8), and to
 * take little memory beside what training takes. */
static int choose_batch(const cnn_trainer *trainer)
{
    enum { FEWEST = 4, MOST = 64 };
    int units = (int)trainer->device->info.compute_units;
    int wanted = units < FEWEST ? FEWEST : units > MOST ? MOST : units;
    uint64_t count = count_samples(trainer);
    return count < (uint64_t)wanted ? (int)count : wanted;
}

cnn_status cnn_trainer_plan_frozen(cnn_plan **plan, const cnn_trainer *trainer, int n)
{
    cnn_plan_options options = {.batch = n,
                                .fuse = trainer->options.fuse,
                                .frozen = trainer->frozen,
                                .part = CNN_PART_FROZEN,
                                .trained = &trainer->options};
    cnn_device *device = trainer->device;
    bool before = device->exact; /* of what was made since the trainer */
    cnn_status status = cnn_device_use_exact(device, trainer->options.exact);
    if (status == CNN_OK)
        status = cnn_plan_create(plan, device, trainer->model->network, options);
    device->exact = before;
    return status == CNN_OK ? cnn_plan_upload(*plan, trainer->model) : status;
}

static size_t count_passes(const keeping *at, cnn_split split)
{
    return cnn_divide_up(cnn_dataset_count(at->trainer->dataset, split),
                         (size_t)at->plan->options.batch);
}

cnn_status cnn_trainer_keep(cnn_trainer *trainer, cnn_tick tick)
{
    keeping at = {.trainer = trainer, .tick = tick, .start = cnn_seconds()};
    cnn_feed *feeds[] = {&trainer->train, &trainer->val, &trainer->test};
    int views = cnn_trainer_view_count(trainer);
    cnn_status status = CNN_OK;
    if (!trainer->keeps || trainer->kept)
        return CNN_OK;
    CNN_TRY(cnn_trainer_plan_frozen(&at.plan, trainer, choose_batch(trainer)));
    at.steps = (size_t)views * count_passes(&at, CNN_SPLIT_TRAIN);
    for (int i = 0; i < 3; i++)
        at.steps += count_passes(&at, feeds[i]->split);
    for (int i = 0; i < 3; i++)
        CNN_TRY(fill_split(feeds[i], &at, -1));
    for (int view = 0; view < views; view++)
        CNN_TRY(fill_split(&trainer->views[view], &at, view));
    trainer->kept = true;
    cnn_log(CNN_LOG_DEBUG, "the frozen layers took %.3f s", cnn_seconds() - at.start);
out:
    cnn_plan_destroy(at.plan);
    return status;
}
