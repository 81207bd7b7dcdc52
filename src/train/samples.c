/* What a trainer's model takes each sample of a split for. */
#include "base/status.h"
#include "train/predictions.h"
#include "train/trainer.h"

bool cnn_trainer_keeps(const cnn_trainer *trainer)
{
    return trainer && trainer->keeps;
}

static cnn_feed *find_feed(cnn_trainer *trainer, cnn_split split)
{
    return split == CNN_SPLIT_TRAIN  ? &trainer->train
           : split == CNN_SPLIT_TEST ? &trainer->test
                                     : &trainer->val;
}

/* Each piece is a batch: its logits are read before the next one's take their place. */
static cnn_status evaluate(cnn_evaluation *evaluation, cnn_prediction *predictions,
                           cnn_trainer *trainer, cnn_feed *feed)
{
    cnn_predictions reader = {0};
    cnn_loop loop = {.plan = trainer->plan,
                     .feed = feed,
                     .epoch = -1,
                     .step = trainer->loop.step,
                     .after_step = cnn_predictions_take,
                     .after_user = &reader};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_feed_set_order(feed, NULL, 0));
    CNN_TRY(cnn_plan_reserve(trainer->plan, cnn_feed_batch_count(feed)));
    CNN_TRY(cnn_predictions_init(&reader, trainer->plan, predictions));
    CNN_TRY(cnn_loop_run(&loop));
    CNN_TRY(cnn_predictions_drain(&reader));
    *evaluation = (cnn_evaluation){
        .loss = loop.sums.sample_loss,
        .accuracy = (double)loop.sums.hits / (double)feed->count,
        .hits = loop.sums.hits,
        .count = feed->count,
    };
out:
    cnn_predictions_finish(&reader);
    return status;
}

cnn_status cnn_trainer_evaluate_samples(cnn_evaluation *evaluation, cnn_prediction *predictions,
                                        cnn_trainer *trainer, cnn_split split)
{
    CNN_NEED(evaluation, predictions, trainer);
    cnn_feed *feed = find_feed(trainer, split);
    int batch = feed->batch;
    cnn_status status = CNN_OK;
    if (trainer->moment != CNN_IDLE)
        return cnn_fail(CNN_ERROR_ARGUMENT, "cnn_trainer_evaluate_samples: expected a trainer that "
                                            "is not running, found a call from one of its "
                                            "callbacks");
    CNN_TRY(cnn_device_check_process(trainer->device));
    if (cnn_dataset_count(trainer->dataset, split) == 0)
        return cnn_fail(CNN_ERROR_DATA, "%s: the split is empty",
                        cnn_dataset_source(trainer->dataset));
    CNN_TRY(cnn_trainer_keep(trainer, NULL));
    feed->batch = feed->piece;
    status = evaluate(evaluation, predictions, trainer, feed);
    feed->batch = batch;
out:
    return status;
}
