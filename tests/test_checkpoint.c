/* The file of a checkpoint: whole, with every value, and nothing that is not a whole checkpoint of
 * the same run is gone on from. */
#include <math.h>
#include <string.h>

#include <cnncl/checkpoint.h>

#include "base/file.h"
#include "check_main.h"
#include "run_case.h"

START_TEST(the_checkpoint_before_is_kept)
{
    cnn_config config = train_config(false, 0.0);
    cnn_train_options options = run_options(2);
    char path[512], previous[512];
    void *first, *kept;
    size_t size, kept_size;
    run one = {0};
    snprintf(path, sizeof path, "%s/checkpoint", run_scratch.folder);
    snprintf(previous, sizeof previous, "%s/before", run_scratch.folder);
    run_begin(&one, &config, &options);
    check_ok(cnn_trainer_save(one.trainer, path, previous));
    ck_assert(!cnn_file_exists(previous));
    check_ok(cnn_file_read(&first, &size, path, SIZE_MAX));
    check_ok(run_go(&one));
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
    snprintf(path, sizeof path, "%s/no/folder", run_scratch.folder);
    ck_assert_int_eq(cnn_trainer_save(one.trainer, path, NULL), CNN_ERROR_FILE);
    assert_message_has("no/folder");
    run_end(&one);
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
    cnn_dataset_destroy(run_dataset);
    run_dataset = make_dataset(tiny, TRAIN_CLASSES, TRAIN, TEST);
    run_begin(&small, &config, &options);
    check_ok(run_go(&small));
    run_end(&small);
    ck_assert_int_eq(stat(scratch_path(&run_scratch, "checkpoint"), &info), 0);
    return (long)info.st_size;
}

static void check_damaged(long position)
{
    cnn_checkpoint *checkpoint;
    cnn_status status = cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "checkpoint"));
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
    FILE *file = fopen(scratch_path(&run_scratch, "checkpoint"), "r+b");
    ck_assert_ptr_nonnull(file);
    for (long i = 0; i < size; i++) {
        flip(file, i);
        check_damaged(i);
        flip(file, i);
    }
    fclose(file);
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "checkpoint")));
    cnn_checkpoint_destroy(checkpoint);
}
END_TEST

START_TEST(a_cut_is_refused)
{
    long size = make_small();
    ck_assert_int_eq(truncate(scratch_path(&run_scratch, "checkpoint"), size + 1), 0);
    check_damaged(size + 1);
    for (long i = size - 1; i >= 0; i--) {
        ck_assert_int_eq(truncate(scratch_path(&run_scratch, "checkpoint"), i), 0);
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
    check_ok(cnn_model_save(model, scratch_path(&run_scratch, "model")));
    cnn_model_destroy(model);
    ck_assert_int_eq(cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "model")),
                     CNN_ERROR_DATA);
    assert_message_has("a saved model, not a checkpoint: --model ");
    ck_assert_int_eq(cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "none")),
                     CNN_ERROR_FILE);
    assert_message_has("none");
}
END_TEST

static void check_refused(const cnn_checkpoint *checkpoint, const cnn_config *config,
                          const cnn_train_options *options, const cnn_dataset *data,
                          const char *part)
{
    cnn_model *model;
    cnn_trainer *trainer;
    check_ok(cnn_model_create(&model, config, 5));
    ck_assert_int_eq(cnn_checkpoint_check(checkpoint, cnn_model_network(model), options, data),
                     CNN_ERROR_DATA);
    assert_message_has(part);
    check_ok(cnn_trainer_create(&trainer, test_device(), model, data, options));
    ck_assert_int_eq(cnn_trainer_resume(trainer, checkpoint), CNN_ERROR_DATA);
    assert_message_has(part);
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
}

START_TEST(another_run_is_refused_by_name)
{
    cnn_config config = train_config(true, 0.5), other;
    cnn_train_options options = run_options(0), changed;
    cnn_checkpoint *checkpoint;
    run one = {.saves = true};
    run_begin(&one, &config, &options);
    check_ok(run_go(&one));
    run_end(&one);
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "checkpoint")));
    ck_assert_str_eq(cnn_checkpoint_data(checkpoint), "memory");
#define REFUSED(field, value, part)                                                                \
    changed = options;                                                                             \
    changed.field = value;                                                                         \
    check_refused(checkpoint, &config, &changed, run_dataset, part)
    REFUSED(epochs, 1, "--epochs: expected 2 as in");
    REFUSED(batch, 9, "--batch: expected 10 as in");
    REFUSED(lr, 2e-2, "--lr: expected 0.01 as in");
    REFUSED(seed, 4, "--seed: expected 3 as in");
    REFUSED(seed, UINT64_MAX, "found \"18446744073709551615\"");
    REFUSED(print_every, 2, "--print-every: expected 1 as in");
    REFUSED(val_split, 0.3, "--val-split: expected 0.2");
    REFUSED(early_stop, 2, "--early-stop: expected 0 as in");
    REFUSED(fuse, false, "--no-fuse");
    REFUSED(optimizer, CNN_OPTIMIZER_SGD, "--optimizer: expected \"adam\" as in");
    REFUSED(schedule.kind, CNN_SCHEDULE_COSINE, "--schedule: expected \"constant\" as in");
    REFUSED(weight_decay, 0.1, "--weight-decay: expected 0.0 as in");
    other = config;
    other.dropout = 0.25;
    check_refused(checkpoint, &other, &options, run_dataset, "--dropout: expected 0.5 as in");
    other = config;
    other.cdims[1] = 4;
    check_refused(checkpoint, &other, &options, run_dataset, "--cdims: expected [6,5] as in");
    cnn_dataset *more = make_dataset(run_shape, TRAIN_CLASSES, TRAIN, TEST + 1);
    check_refused(checkpoint, &config, &options, more, "--data: expected the data set of");
    cnn_dataset_destroy(more);
    changed = options;
    changed.epochs = 3;
    changed.stream = true;
    changed.checkpoint_every = 0;
    changed.checkpoint_steps = 7;
    check_ok(cnn_checkpoint_check(checkpoint, cnn_checkpoint_network(checkpoint), &changed,
                                  run_dataset));
    cnn_checkpoint_destroy(checkpoint);
}
END_TEST

/* Values of one's own are in the file as they were, beyond float's range of moments too. */
START_TEST(the_file_has_every_value)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0);
    run one = {.saves = true}, other = {0};
    run_begin(&one, &config, &options);
    check_ok(run_go(&one));
    const cnn_optimizer *adam = &one.trainer->plan->optimizer;
    float *m = scratch_zeros(adam->count), *v = scratch_zeros(adam->count);
    for (size_t i = 0; i < adam->count; i++) {
        m[i] = -(float)i;
        v[i] = i == 7 ? INFINITY : (float)i * 0.5f;
    }
    check_ok(cnn_buffer_write(&adam->states[0], 0, m, adam->count * sizeof *m));
    check_ok(cnn_buffer_write(&adam->states[1], 0, v, adam->count * sizeof *v));
    check_ok(cnn_trainer_save(one.trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
    run_resume(&other, 0);
    float *found = scratch_zeros(adam->count);
    check_ok(cnn_buffer_read(found, &other.trainer->plan->optimizer.states[0], 0, adam->count * sizeof *m));
    ck_assert_mem_eq(found, m, adam->count * sizeof *m);
    check_ok(cnn_buffer_read(found, &other.trainer->plan->optimizer.states[1], 0, adam->count * sizeof *v));
    ck_assert_mem_eq(found, v, adam->count * sizeof *v);
    check_same_end(&other, &one);
    ck_assert_uint_eq(other.trainer->loop.step, one.trainer->loop.step);
    run_end(&one);
    run_end(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tests = add_device_case(suite, "checkpoint");
    tcase_add_checked_fixture(tests, run_set_up, run_tear_down);
    tcase_add_test(tests, the_checkpoint_before_is_kept);
    tcase_add_test(tests, a_flipped_byte_is_refused);
    tcase_add_test(tests, a_cut_is_refused);
    tcase_add_test(tests, a_model_is_no_checkpoint);
    tcase_add_test(tests, another_run_is_refused_by_name);
    tcase_add_test(tests, the_file_has_every_value);
    return run_device_suite(suite);
}
