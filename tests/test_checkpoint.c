/* Checkpoints: a run that was interrupted anywhere ends as one that was not, and nothing that is
 * not a whole checkpoint of the same run is gone on from. */
#include <math.h>
#include <string.h>

#include <cnncl/checkpoint.h>

#include "base/file.h"
#include "check_main.h"
#include "scratch.h"
#include "train/trainer.h"
#include "train_case.h"

enum { TRAIN = 47, TEST = 21 };

static const int shape[] = {3, 10, 8};
static cnn_dataset *dataset;
static scratch at;

static void set_up(void)
{
    dataset = make_dataset(shape, TRAIN_CLASSES, TRAIN, TEST);
    scratch_init(&at);
}

static void tear_down(void)
{
    cnn_dataset_destroy(dataset);
    scratch_finish(&at);
}

/* A run, and what was told of it. */
enum { MOST_EPOCHS = 8 };
typedef struct run {
    cnn_model *model;
    cnn_trainer *trainer;
    cnn_epoch epochs[MOST_EPOCHS];
    int epoch_count;
    int stop_after; /* calls of on_progress; 0: never */
    bool saves;     /* in on_checkpoint, to "checkpoint" */
    int calls, checkpoints;
} run;

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
        check_ok(cnn_trainer_save(this->trainer, scratch_path(&at, "checkpoint"), NULL));
    return true;
}

static cnn_status go(run *this)
{
    cnn_train_callbacks callbacks = {on_epoch, on_progress, on_checkpoint, this};
    return cnn_trainer_run(this->trainer, &callbacks);
}

static void begin(run *this, const cnn_config *config, const cnn_train_options *options)
{
    check_ok(cnn_model_create(&this->model, config, options->seed));
    check_ok(cnn_trainer_create(&this->trainer, test_device(), this->model, dataset, options));
}

/* A new trainer where the checkpoint is; epochs 0: as many as before. */
static void resume(run *this, int epochs)
{
    cnn_checkpoint *checkpoint;
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&at, "checkpoint")));
    cnn_train_options options = *cnn_checkpoint_options(checkpoint);
    options.epochs = epochs ? epochs : options.epochs;
    check_ok(cnn_model_create(&this->model, cnn_checkpoint_config(checkpoint), 99));
    check_ok(cnn_trainer_create(&this->trainer, test_device(), this->model, dataset, &options));
    check_ok(cnn_trainer_resume(this->trainer, checkpoint));
    cnn_checkpoint_destroy(checkpoint);
}

static void end(run *this)
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

/* All but the seconds. */
static void check_same_epoch(const cnn_epoch *a, const cnn_epoch *b)
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

static void check_same_end(const run *a, const run *b)
{
    cnn_best best = cnn_trainer_best(a->trainer), other = cnn_trainer_best(b->trainer);
    ck_assert(models_are_equal(a->model, b->model));
    ck_assert_int_eq(best.epoch, other.epoch);
    ck_assert(models_are_equal(best.model, other.model));
    ck_assert_uint_eq(a->trainer->history_count, b->trainer->history_count);
    for (size_t i = 0; i < a->trainer->history_count; i++)
        check_same_epoch(&a->trainer->history[i], &b->trainer->history[i]);
}

static cnn_train_options small_options(int variant)
{
    cnn_train_options options = train_options();
    options.print_every = variant == 1 ? 2 : 1;
    options.val_split = variant == 0 ? 0.2 : 0.0;
    options.stream = variant == 2;
    options.micro_batch = variant == 3 ? 3 : 0;
    return options;
}

/* _i: the variant. Interrupted once, after each third of the calls that there are: in each kind
 * of phase, and between them. */
START_TEST(a_run_interrupted_anywhere_ends_alike)
{
    cnn_config config = train_config(_i < 2, 0.5);
    cnn_train_options options = small_options(_i);
    run whole = {0};
    begin(&whole, &config, &options);
    check_ok(go(&whole));
    for (int stop = 1 + _i; stop < whole.calls; stop += 3) {
        run first = {.stop_after = stop}, second = {0};
        begin(&first, &config, &options);
        ck_assert_int_eq(go(&first), CNN_ERROR_STOPPED);
        check_ok(cnn_trainer_save(first.trainer, scratch_path(&at, "checkpoint"), NULL));
        end(&first);
        resume(&second, 0);
        check_ok(go(&second));
        check_same_end(&second, &whole);
        ck_assert_int_eq(first.epoch_count + second.epoch_count, whole.epoch_count);
        for (int i = 0; i < second.epoch_count; i++)
            check_same_epoch(&second.epochs[i], &whole.epochs[first.epoch_count + i]);
        end(&second);
    }
    end(&whole);
}
END_TEST

/* An evaluation, which begins again each time, takes fewer calls than there are between two
 * interruptions. */
START_TEST(a_run_interrupted_all_the_time_ends_alike)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = small_options(0);
    run whole = {0}, piece = {.stop_after = 13};
    begin(&whole, &config, &options);
    check_ok(go(&whole));
    begin(&piece, &config, &options);
    while (go(&piece) == CNN_ERROR_STOPPED) {
        check_ok(cnn_trainer_save(piece.trainer, scratch_path(&at, "checkpoint"), NULL));
        end(&piece);
        piece.calls = 0;
        resume(&piece, 0);
    }
    check_same_end(&piece, &whole);
    end(&piece);
    end(&whole);
}
END_TEST

/* As a program that is killed leaves them: the last of those that were due. _i: training steps
 * between them; 0: at the ends of epochs. */
START_TEST(a_checkpoint_on_the_way_changes_nothing)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = small_options(0), saving = options;
    run whole = {0}, first = {.saves = true, .stop_after = 40}, second = {.saves = true};
    options.checkpoint_every = 0;
    saving.checkpoint_every = _i == 0;
    saving.checkpoint_steps = _i;
    begin(&whole, &config, &options);
    check_ok(go(&whole));
    ck_assert_int_eq(whole.checkpoints, 0);
    begin(&first, &config, &saving);
    ck_assert_int_eq(go(&first), CNN_ERROR_STOPPED);
    ck_assert_int_gt(first.checkpoints, 1);
    end(&first);
    resume(&second, 0);
    check_ok(go(&second));
    check_same_end(&second, &whole);
    ck_assert(cnn_trainer_position(second.trainer).complete);
    end(&second);
    resume(&second, 0);
    ck_assert_msg(cnn_trainer_position(second.trainer).complete, "the end was not saved");
    end(&second);
    end(&whole);
}
END_TEST

START_TEST(a_complete_run_may_grow)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = small_options(0);
    run whole = {0}, first = {.saves = true}, second = {0};
    begin(&whole, &config, &options);
    check_ok(go(&whole));
    options.epochs = 1;
    begin(&first, &config, &options);
    check_ok(go(&first));
    end(&first);
    resume(&second, 0);
    ck_assert(cnn_trainer_position(second.trainer).complete);
    check_ok(go(&second));
    ck_assert_int_eq(second.calls, 0);
    end(&second);
    resume(&second, 2);
    ck_assert(!cnn_trainer_position(second.trainer).complete);
    check_ok(go(&second));
    check_same_end(&second, &whole);
    end(&second);
    end(&whole);
}
END_TEST

START_TEST(before_training_there_is_a_checkpoint_too)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = small_options(0);
    run whole = {0}, first = {.stop_after = 1}, second = {0};
    begin(&whole, &config, &options);
    check_ok(cnn_trainer_save(whole.trainer, scratch_path(&at, "checkpoint"), NULL));
    check_ok(go(&whole));
    resume(&second, 0);
    check_ok(go(&second));
    check_same_end(&second, &whole);
    end(&second);
    begin(&first, &config, &options);
    ck_assert_int_eq(go(&first), CNN_ERROR_STOPPED);
    ck_assert_int_eq(cnn_trainer_position(first.trainer).epoch, -1);
    end(&first);
    end(&whole);
}
END_TEST

START_TEST(the_checkpoint_before_is_kept)
{
    cnn_config config = train_config(false, 0.0);
    cnn_train_options options = small_options(2);
    char path[512], previous[512];
    void *first, *kept;
    size_t size, kept_size;
    run one = {0};
    snprintf(path, sizeof path, "%s/checkpoint", at.folder);
    snprintf(previous, sizeof previous, "%s/before", at.folder);
    begin(&one, &config, &options);
    check_ok(cnn_trainer_save(one.trainer, path, previous));
    ck_assert(!cnn_file_exists(previous));
    check_ok(cnn_file_read(&first, &size, path, SIZE_MAX));
    check_ok(go(&one));
    for (int i = 0; i < 2; i++) { /* the second time both are the same file */
        check_ok(cnn_trainer_save(one.trainer, path, i == 0 ? previous : NULL));
        check_ok(cnn_file_read(&kept, &kept_size, previous, SIZE_MAX));
        ck_assert_uint_eq(kept_size, size);
        ck_assert_mem_eq(kept, first, size);
        free(kept);
    }
    check_ok(cnn_trainer_save(one.trainer, path, previous));
    free(first);
    check_ok(cnn_file_read(&first, &size, path, SIZE_MAX));
    check_ok(cnn_file_read(&kept, &kept_size, previous, SIZE_MAX));
    ck_assert_uint_eq(kept_size, size);
    ck_assert_mem_eq(kept, first, size);
    free(first);
    free(kept);
    snprintf(path, sizeof path, "%s/no/folder", at.folder);
    ck_assert_int_eq(cnn_trainer_save(one.trainer, path, NULL), CNN_ERROR_FILE);
    assert_message_has("no/folder");
    end(&one);
}
END_TEST

/* A small checkpoint, training done and with a best model: returns its size. */
static long make_small(void)
{
    static const int tiny[] = {1, 2, 2};
    struct stat info;
    cnn_config config = train_config(false, 0.0);
    cnn_train_options options = train_options();
    run small = {.saves = true};
    memcpy(config.xdim, tiny, sizeof tiny);
    config.cdim_count = config.hdim_count = 0;
    options.epochs = 1;
    cnn_dataset_destroy(dataset);
    dataset = make_dataset(tiny, TRAIN_CLASSES, TRAIN, TEST);
    begin(&small, &config, &options);
    check_ok(go(&small));
    end(&small);
    ck_assert_int_eq(stat(scratch_path(&at, "checkpoint"), &info), 0);
    return (long)info.st_size;
}

static void check_damaged(long position)
{
    cnn_checkpoint *checkpoint;
    cnn_status status = cnn_checkpoint_load(&checkpoint, scratch_path(&at, "checkpoint"));
    ck_assert_msg(status == CNN_ERROR_DATA, "byte %ld: %s", position, cnn_status_name(status));
    ck_assert_ptr_null(checkpoint);
    assert_message_has("checkpoint");
}

static void flip(FILE *file, long position)
{
    ck_assert_int_eq(fseek(file, position, SEEK_SET), 0);
    int byte = fgetc(file);
    ck_assert_int_eq(fseek(file, position, SEEK_SET), 0);
    ck_assert_int_ne(fputc(byte ^ 1 << position % 8, file), EOF);
    ck_assert_int_eq(fflush(file), 0);
}

START_TEST(a_flipped_byte_is_refused)
{
    long size = make_small();
    cnn_checkpoint *checkpoint;
    FILE *file = fopen(scratch_path(&at, "checkpoint"), "r+b");
    ck_assert_ptr_nonnull(file);
    for (long i = 0; i < size; i++) {
        flip(file, i);
        check_damaged(i);
        flip(file, i);
    }
    fclose(file);
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&at, "checkpoint")));
    cnn_checkpoint_destroy(checkpoint);
}
END_TEST

START_TEST(a_cut_is_refused)
{
    long size = make_small();
    ck_assert_int_eq(truncate(scratch_path(&at, "checkpoint"), size + 1), 0);
    check_damaged(size + 1);
    for (long i = size - 1; i >= 0; i--) {
        ck_assert_int_eq(truncate(scratch_path(&at, "checkpoint"), i), 0);
        check_damaged(i);
    }
}
END_TEST

START_TEST(a_model_is_no_checkpoint)
{
    cnn_config config = train_config(false, 0.0);
    cnn_checkpoint *checkpoint;
    cnn_model *model;
    check_ok(cnn_model_create(&model, &config, 0));
    check_ok(cnn_model_save(model, scratch_path(&at, "model")));
    cnn_model_destroy(model);
    ck_assert_int_eq(cnn_checkpoint_load(&checkpoint, scratch_path(&at, "model")), CNN_ERROR_DATA);
    assert_message_has("cnn-cl.sha256");
    ck_assert_int_eq(cnn_checkpoint_load(&checkpoint, scratch_path(&at, "none")), CNN_ERROR_FILE);
    assert_message_has("none");
}
END_TEST

static void check_refused(const cnn_checkpoint *checkpoint, const cnn_config *config,
                          const cnn_train_options *options, const cnn_dataset *data,
                          const char *part)
{
    cnn_model *model;
    cnn_trainer *trainer;
    ck_assert_int_eq(cnn_checkpoint_check(checkpoint, config, options, data), CNN_ERROR_DATA);
    assert_message_has(part);
    check_ok(cnn_model_create(&model, config, 5));
    check_ok(cnn_trainer_create(&trainer, test_device(), model, data, options));
    ck_assert_int_eq(cnn_trainer_resume(trainer, checkpoint), CNN_ERROR_DATA);
    assert_message_has(part);
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
}

START_TEST(another_run_is_refused_by_name)
{
    cnn_config config = train_config(true, 0.5), other;
    cnn_train_options options = small_options(0), changed;
    cnn_checkpoint *checkpoint;
    run one = {.saves = true};
    begin(&one, &config, &options);
    check_ok(go(&one));
    end(&one);
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&at, "checkpoint")));
    ck_assert_str_eq(cnn_checkpoint_data(checkpoint), "memory");
#define REFUSED(field, value, part)                                                                \
    changed = options;                                                                             \
    changed.field = value;                                                                         \
    check_refused(checkpoint, &config, &changed, dataset, part)
    REFUSED(epochs, 1, "--epochs: expected 2 as in");
    REFUSED(batch, 9, "--batch: expected 10 as in");
    REFUSED(lr, 2e-2, "--lr: expected 0.01 as in");
    REFUSED(seed, 4, "--seed: expected 3 as in");
    REFUSED(seed, UINT64_MAX, "found \"18446744073709551615\"");
    REFUSED(print_every, 2, "--print-every: expected 1 as in");
    REFUSED(val_split, 0.3, "--val-split: expected 0.2");
    REFUSED(early_stop, 2, "--early-stop: expected 0 as in");
    REFUSED(fuse, false, "--no-fuse");
    other = config;
    other.dropout = 0.25;
    check_refused(checkpoint, &other, &options, dataset, "--dropout: expected 0.5 as in");
    other = config;
    other.cdims[1] = 4;
    check_refused(checkpoint, &other, &options, dataset, "--cdims: expected [6,5] as in");
    cnn_dataset *more = make_dataset(shape, TRAIN_CLASSES, TRAIN, TEST + 1);
    check_refused(checkpoint, &config, &options, more, "--data: expected the data set of");
    cnn_dataset_destroy(more);
    changed = options;
    changed.epochs = 3;
    changed.stream = true;
    changed.checkpoint_every = 0;
    changed.checkpoint_steps = 7;
    check_ok(cnn_checkpoint_check(checkpoint, &config, &changed, dataset));
    cnn_checkpoint_destroy(checkpoint);
}
END_TEST

static char warning[512];

static void take_warning(cnn_log_level level, const char *line, void *user)
{
    (void)user;
    if (level == CNN_LOG_WARNING)
        snprintf(warning, sizeof warning, "%s", line);
}

START_TEST(another_device_is_told)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = small_options(0);
    cnn_device *device = test_device();
    char driver[sizeof device->info.driver];
    run one = {.saves = true};
    begin(&one, &config, &options);
    check_ok(go(&one));
    end(&one);
    warning[0] = '\0';
    cnn_log_set_callback(take_warning, NULL);
    resume(&one, 0);
    end(&one);
    ck_assert_str_eq(warning, "");
    memcpy(driver, device->info.driver, sizeof driver);
    snprintf(device->info.driver, sizeof device->info.driver, "next");
    resume(&one, 0);
    cnn_log_set_callback(NULL, NULL);
    memcpy(device->info.driver, driver, sizeof driver);
    end(&one);
    ck_assert_ptr_nonnull(strstr(warning, "another driver: "));
    ck_assert_ptr_nonnull(strstr(warning, ", now next: the last bits"));
}
END_TEST

/* Pieces of another size, or none (_i), from the middle of an epoch on: the same up to rounding,
 * and the log says so. */
START_TEST(the_size_of_pieces_may_change)
{
    static const int pieces[] = {0, 4, 10};
    cnn_config config = train_config(false, 0.5);
    cnn_train_options options = small_options(3), changed;
    cnn_checkpoint *checkpoint;
    run whole = {0}, one = {.stop_after = 17}, other = {0};
    begin(&whole, &config, &options);
    check_ok(go(&whole));
    begin(&one, &config, &options);
    ck_assert_int_eq(go(&one), CNN_ERROR_STOPPED);
    ck_assert_uint_gt(cnn_trainer_position(one.trainer).step, 0);
    check_ok(cnn_trainer_save(one.trainer, scratch_path(&at, "checkpoint"), NULL));
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&at, "checkpoint")));
    changed = *cnn_checkpoint_options(checkpoint);
    ck_assert_int_eq(changed.micro_batch, 3);
    changed.micro_batch = pieces[_i];
    begin(&other, &config, &changed);
    warning[0] = '\0';
    cnn_log_set_callback(take_warning, NULL);
    check_ok(cnn_trainer_resume(other.trainer, checkpoint));
    cnn_log_set_callback(NULL, NULL);
    ck_assert_ptr_nonnull(strstr(warning, "another plan: the last bits"));
    check_ok(go(&other));
    check_models_close("other pieces", other.model, whole.model, 1e-5, true);
    cnn_checkpoint_destroy(checkpoint);
    end(&one);
    end(&other);
    end(&whole);
}
END_TEST

/* Values of one's own are in the file as they were, beyond float's range of moments too. */
START_TEST(the_file_has_every_value)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = small_options(0);
    run one = {.saves = true}, other = {0};
    begin(&one, &config, &options);
    check_ok(go(&one));
    const cnn_adam *adam = &one.trainer->plan->adam;
    float *m = scratch_zeros(adam->count), *v = scratch_zeros(adam->count);
    for (size_t i = 0; i < adam->count; i++) {
        m[i] = -(float)i;
        v[i] = i == 7 ? INFINITY : (float)i * 0.5f;
    }
    check_ok(cnn_buffer_write(&adam->m, 0, m, adam->count * sizeof *m));
    check_ok(cnn_buffer_write(&adam->v, 0, v, adam->count * sizeof *v));
    check_ok(cnn_trainer_save(one.trainer, scratch_path(&at, "checkpoint"), NULL));
    resume(&other, 0);
    float *found = scratch_zeros(adam->count);
    check_ok(cnn_buffer_read(found, &other.trainer->plan->adam.m, 0, adam->count * sizeof *m));
    ck_assert_mem_eq(found, m, adam->count * sizeof *m);
    check_ok(cnn_buffer_read(found, &other.trainer->plan->adam.v, 0, adam->count * sizeof *v));
    ck_assert_mem_eq(found, v, adam->count * sizeof *v);
    check_same_end(&other, &one);
    ck_assert_uint_eq(other.trainer->loop.step, one.trainer->loop.step);
    end(&one);
    end(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tests = add_device_case(suite, "resume");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_run_interrupted_anywhere_ends_alike, 0, 4);
    tcase_add_test(tests, a_run_interrupted_all_the_time_ends_alike);
    tcase_add_loop_test(tests, a_checkpoint_on_the_way_changes_nothing, 0, 3);
    tcase_add_test(tests, a_complete_run_may_grow);
    tcase_add_test(tests, before_training_there_is_a_checkpoint_too);
    tests = add_device_case(suite, "file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_checkpoint_before_is_kept);
    tcase_add_test(tests, a_flipped_byte_is_refused);
    tcase_add_test(tests, a_cut_is_refused);
    tcase_add_test(tests, a_model_is_no_checkpoint);
    tcase_add_test(tests, another_run_is_refused_by_name);
    tcase_add_test(tests, another_device_is_told);
    tcase_add_loop_test(tests, the_size_of_pieces_may_change, 0, 3);
    tcase_add_test(tests, the_file_has_every_value);
    return run_device_suite(suite);
}
