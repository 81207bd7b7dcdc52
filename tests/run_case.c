/* Runs that are interrupted, saved and gone on with. */
#include "run_case.h"

#include <math.h>

#include <cnncl/checkpoint.h>

const int run_shape[] = {3, 10, 8};
cnn_dataset *run_dataset;
scratch run_scratch;

void run_set_up(void)
{
    run_dataset = make_dataset(run_shape, TRAIN_CLASSES, TRAIN, TEST);
    scratch_init(&run_scratch);
}

void run_tear_down(void)
{
    cnn_dataset_destroy(run_dataset);
    scratch_finish(&run_scratch);
}

static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    run *this = user;
    ck_assert_int_lt(this->epoch_count, MOST_EPOCHS);
    this->epochs[this->epoch_count++] = *epoch;
    return true;
}

static bool on_progress(const cnn_progress *progress, void *user)
{
    run *this = user;
    (void)progress;
    return ++this->calls != this->stop_after;
}

static bool on_checkpoint(void *user)
{
    run *this = user;
    this->checkpoints++;
    if (this->saves)
        check_ok(cnn_trainer_save(this->trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
    return true;
}

cnn_status run_go(run *this)
{
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch, .on_progress = on_progress, .on_checkpoint = on_checkpoint, .user = this};
    return cnn_trainer_run(this->trainer, &callbacks);
}

void run_begin(run *this, const cnn_config *config, const cnn_train_options *options)
{
    check_ok(cnn_model_create(&this->model, config, options->seed));
    check_ok(cnn_trainer_create(&this->trainer, test_device(), this->model, run_dataset, options));
}

void run_resume(run *this, int epochs)
{
    cnn_checkpoint *checkpoint;
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "checkpoint")));
    cnn_train_options options = *cnn_checkpoint_options(checkpoint);
    options.epochs = epochs ? epochs : options.epochs;
    check_ok(cnn_model_create_network(&this->model, cnn_checkpoint_network(checkpoint), 99));
    check_ok(cnn_trainer_create(&this->trainer, test_device(), this->model, run_dataset, &options));
    check_ok(cnn_trainer_resume(this->trainer, checkpoint));
    cnn_checkpoint_destroy(checkpoint);
}

void run_end(run *this)
{
    cnn_trainer_destroy(this->trainer);
    cnn_model_destroy(this->model);
    this->trainer = NULL;
    this->model = NULL;
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

void check_same_epoch(const cnn_epoch *a, const cnn_epoch *b)
{
    ck_assert_int_eq(a->index, b->index);
    ck_assert_uint_eq(a->step, b->step);
    ck_assert(same(a->loss, b->loss));
    ck_assert(same(a->train_accuracy, b->train_accuracy));
    ck_assert(same(a->val_accuracy, b->val_accuracy));
    ck_assert(same(a->test_accuracy, b->test_accuracy));
    ck_assert(a->evaluated == b->evaluated);
    ck_assert_str_eq(a->device, b->device);
}

void check_same_end(const run *a, const run *b)
{
    cnn_best best = cnn_trainer_best(a->trainer), other = cnn_trainer_best(b->trainer);
    ck_assert(models_are_equal(a->model, b->model));
    ck_assert_int_eq(best.epoch, other.epoch);
    ck_assert(models_are_equal(best.model, other.model));
    ck_assert_uint_eq(a->trainer->history_count, b->trainer->history_count);
    for (size_t i = 0; i < a->trainer->history_count; i++)
        check_same_epoch(&a->trainer->history[i], &b->trainer->history[i]);
}

cnn_train_options run_options(int variant)
{
    cnn_train_options options = train_options();
    options.print_every = variant == 1 ? 2 : 1;
    options.val_split = variant == 0 ? 0.2 : 0.0;
    options.stream = variant == 2;
    options.micro_batch = variant == 3 || variant == 4 ? 3 : 0;
    if (variant == 4) {
        options.optimizer = CNN_OPTIMIZER_SGD;
        options.momentum = 0.9;
        options.nesterov = true;
        options.weight_decay = 1e-3;
        options.clip_norm = 0.5;
        options.schedule.kind = CNN_SCHEDULE_ONECYCLE;
        options.balanced_classes = true;
        options.ema = 0.875;
    } else if (variant == 5) {
        options.optimizer = CNN_OPTIMIZER_ADAMW;
        options.weight_decay = 1e-2;
        options.schedule.kind = CNN_SCHEDULE_COSINE;
        options.warmup = 0.5;
        options.label_smoothing = 0.1;
        options.stream = true;
    }
    return options;
}
