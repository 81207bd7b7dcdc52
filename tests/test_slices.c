/* --slices: each slice is a pass of its own, with its own batch norm; their gradients make one
 * update. */
#include <stdio.h>
#include <string.h>

#include <cnncl/plan.h>

#include "base/philox.h"
#include "check_main.h"
#include "comm/tree.h"
#include "ref/ref.h"
#include "run_case.h"
#include "train/options.h"

static const double tolerance = 1e-5;

/* A step in plain C: each slice by itself from the old statistics. */
typedef struct reference {
    cnn_model *model;
    float *m, *v, *sum, *gradients, *statistics, *old;
    uint64_t step;
} reference;

static void run_slice(reference *at, const uint32_t *order, int n, double share)
{
    const cnn_network *network = at->model->network;
    size_t image = cnn_shape_count(cnn_network_input_shape(network));
    const uint8_t *images = cnn_dataset_images(run_dataset, CNN_SPLIT_TRAIN);
    float *x = scratch_floats((size_t)n * image);
    float *logits = scratch_floats((size_t)n * (size_t)network->classes);
    uint16_t *labels = scratch_bytes((size_t)n * sizeof *labels);
    double loss;
    for (size_t i = 0; i < (size_t)n; i++) {
        labels[i] = cnn_dataset_labels(run_dataset, CNN_SPLIT_TRAIN)[order[i]];
        for (size_t j = 0; j < image; j++)
            x[i * image + j] = (float)images[order[i] * image + j] / 255.0f;
    }
    memcpy(at->model->statistics, at->old, network->statistic_count * sizeof(float));
    check_ok(cnn_ref_network(logits, &loss, at->gradients, at->model, x, labels, n,
                             (cnn_ref_pass){.training = true}));
    for (size_t i = 0; i < network->parameter_count; i++)
        at->sum[i] += (float)(share * (double)at->gradients[i]);
    for (size_t i = 0; i < network->statistic_count; i++)
        at->statistics[i] += (float)(share * (double)at->model->statistics[i]);
}

static void run_batch(reference *at, const uint32_t *order, int n, int slices, double lr)
{
    const cnn_network *network = at->model->network;
    size_t statistics = network->statistic_count * sizeof(float);
    memset(at->sum, 0, network->parameter_count * sizeof(float));
    memset(at->statistics, 0, statistics);
    memcpy(at->old, at->model->statistics, statistics);
    for (int i = 0; i < slices; i++) {
        int begin = i * n / slices, end = (i + 1) * n / slices;
        if (begin < end)
            run_slice(at, order + begin, end - begin, (double)(end - begin) / n);
    }
    memcpy(at->model->statistics, at->statistics, statistics);
    at->step++;
    cnn_ref_adam(at->model->parameters, at->m, at->v, at->sum, network->parameter_count, lr,
                 at->step);
}

static cnn_model *run_reference_slices(const cnn_config *config, const cnn_train_options *options)
{
    reference at = {0};
    uint32_t order[TRAIN];
    check_ok(cnn_model_create(&at.model, config, options->seed));
    size_t count = at.model->network->parameter_count;
    at.m = scratch_zeros(count);
    at.v = scratch_zeros(count);
    at.sum = scratch_floats(count);
    at.gradients = scratch_floats(count);
    at.statistics = scratch_floats(at.model->network->statistic_count);
    at.old = scratch_floats(at.model->network->statistic_count);
    for (int epoch = 0; epoch < options->epochs; epoch++) {
        cnn_philox_permutation(order, TRAIN, options->seed, CNN_STREAM_SHUFFLE, 0, (uint64_t)epoch);
        for (int first = 0; first < TRAIN; first += options->batch)
            run_batch(&at, order + first,
                      TRAIN - first < options->batch ? TRAIN - first : options->batch,
                      options->slices, options->lr);
    }
    return at.model;
}

/* _i: 3 of 15 samples, or 4; plain and fused. The last batch has 2 samples: fewer than slices. */
START_TEST(slices_are_passes_of_their_own)
{
    char name[64];
    cnn_config config = train_config(true, 0.0);
    cnn_train_options options = train_options();
    options.epochs = 1;
    options.batch = 15;
    options.lr = 1e-3;
    options.slices = 3 + _i / 2;
    options.fuse = _i % 2 == 1;
    snprintf(name, sizeof name, "%d slices, fuse %d", options.slices, options.fuse);
    cnn_model *expected = run_reference_slices(&config, &options);
    cnn_model *model = train_model(&config, run_dataset, &options, NULL, CNN_OK);
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info x = cnn_model_tensor(model, i), y = cnn_model_tensor(expected, i);
        if (x.type == CNN_FLOAT32 && strstr(x.name, "running_var"))
            check_close(name, x.name, x.values, y.values, x.count, 1e-4, 0.0);
        else if (x.type == CNN_FLOAT32 && !strstr(x.name, "running_mean") &&
                 !(strstr(x.name, "conv2d") && strstr(x.name, "bias")))
            check_close(name, x.name, x.values, y.values, x.count, 1e-3, 0.0);
    }
    ck_assert_int_eq(batches_tracked(model), 4);
    cnn_model_destroy(expected);
    cnn_model_destroy(model);
}
END_TEST

/* Without batch norm slices make what whole batches make: dropout masks, augmentation and all. _i: the
 * variant of run_options(), 6: with augmentation. */
START_TEST(without_batch_norm_slices_make_what_whole_batches_make)
{
    cnn_config config = train_config(false, 0.5);
    cnn_train_options options = run_options(_i == 6 ? 0 : _i);
    options.micro_batch = 0;
    if (_i == 6)
        options.augment = (cnn_augmentation){.flip = true, .shift = 1, .mixup = 0.4};
    if (options.ema > 0.0) /* the first steps' differences are averaged, too */
        options.ema = 0.5;
    cnn_model *whole = train_model(&config, run_dataset, &options, NULL, CNN_OK);
    options.slices = 4;
    cnn_model *model = train_model(&config, run_dataset, &options, NULL, CNN_OK);
    check_models_close("slices", model, whole, 5 * tolerance, true);
    cnn_model_destroy(model);
    cnn_model_destroy(whole);
}
END_TEST

START_TEST(one_slice_is_the_batch)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options();
    uint64_t before = test_device()->launches;
    cnn_model *whole = train_model(&config, run_dataset, &options, NULL, CNN_OK);
    uint64_t launches = test_device()->launches - before;
    options.slices = 1;
    before = test_device()->launches;
    cnn_model *model = train_model(&config, run_dataset, &options, NULL, CNN_OK);
    ck_assert(models_are_equal(model, whole));
    ck_assert_uint_eq(test_device()->launches - before, launches);
    cnn_model_destroy(model);
    cnn_model_destroy(whole);
}
END_TEST

/* A frozen batch norm keeps its statistics, to the bit. */
START_TEST(what_is_frozen_stays)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options();
    cnn_model *fresh;
    options.slices = 3;
    snprintf(options.freeze, sizeof options.freeze, "batchnorm2d_0[0-5]");
    check_ok(cnn_model_create(&fresh, &config, options.seed));
    cnn_model *model = train_model(&config, run_dataset, &options, NULL, CNN_OK);
    int frozen = 0, moved = 0;
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info x = cnn_model_tensor(model, i), y = cnn_model_tensor(fresh, i);
        if (x.type != CNN_FLOAT32 || !strstr(x.name, "running_var"))
            continue;
        bool same = memcmp(x.values, y.values, x.count * sizeof(float)) == 0;
        frozen += same;
        moved += !same;
    }
    ck_assert_int_eq(frozen, 1);
    ck_assert_int_eq(moved, 1);
    cnn_model_destroy(fresh);
    cnn_model_destroy(model);
}
END_TEST

static cnn_train_options resumed_options(void)
{
    cnn_train_options options = run_options(0);
    options.slices = 4;
    options.ema = 0.875;
    options.clip_norm = 0.5;
    return options;
}

START_TEST(a_run_interrupted_anywhere_ends_alike)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = resumed_options();
    run whole = {0};
    run_begin(&whole, &config, &options);
    check_ok(run_go(&whole));
    for (int stop = 2; stop < whole.calls; stop += 7) {
        run first = {.stop_after = stop}, second = {0};
        run_begin(&first, &config, &options);
        ck_assert_int_eq(run_go(&first), CNN_ERROR_STOPPED);
        check_ok(cnn_trainer_save(first.trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
        run_end(&first);
        run_resume(&second, 0);
        ck_assert_int_eq(second.trainer->options.slices, 4);
        check_ok(run_go(&second));
        check_same_end(&second, &whole);
        run_end(&second);
    }
    run_end(&whole);
}
END_TEST

START_TEST(a_checkpoint_of_other_slices_is_refused)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = resumed_options();
    cnn_checkpoint *checkpoint;
    run first = {.stop_after = 20};
    run_begin(&first, &config, &options);
    ck_assert_int_eq(run_go(&first), CNN_ERROR_STOPPED);
    check_ok(cnn_trainer_save(first.trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "checkpoint")));
    for (int slices = 0; slices <= 4; slices += 2) {
        options.slices = slices;
        cnn_status status = cnn_checkpoint_check(checkpoint, first.model->network, &options, run_dataset);
        ck_assert_int_eq(status, slices == 2 ? CNN_ERROR_DATA : CNN_OK);
    }
    options.slices = 2;
    (void)cnn_checkpoint_check(checkpoint, first.model->network, &options, run_dataset);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "--slices: expected 4 as in "));
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "found 2"));
    cnn_checkpoint_destroy(checkpoint);
    run_end(&first);
}
END_TEST

/* A checkpoint that was made before there were slices. */
START_TEST(options_without_slices_have_one)
{
    cnn_train_options options = train_options(), found;
    json_t *json = cnn_train_options_to_json(&options);
    ck_assert_int_eq(json_object_del(json, "slices"), 0);
    check_ok(cnn_train_options_from_json(&found, json, "it"));
    ck_assert_int_eq(found.slices, 1);
    json_decref(json);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    static const struct {
        int slices, micro_batch;
        const char *part;
    } rows[] = {
        {-1, 0, "--slices: expected 1 to 10"},
        {11, 0, "--slices: expected 1 to 10"},
        {2, 5, "--slices and --micro-batch exclude each other"},
    };
    cnn_train_options options = train_options();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        options.slices = rows[i].slices;
        options.micro_batch = rows[i].micro_batch;
        ck_assert_int_eq(cnn_train_options_check(&options), CNN_ERROR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(cnn_error_message(), rows[i].part));
    }
    options.slices = 1;
    check_ok(cnn_train_options_check(&options));
}
END_TEST

START_TEST(the_plan_tells_of_slices)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options();
    cnn_network *network;
    char *text;
    options.batch = 22;
    options.slices = 4;
    check_ok(cnn_network_create(&network, &config));
    check_ok(cnn_plan_to_text_of(&text, test_device(), network, &options));
    ck_assert_ptr_nonnull(strstr(text, "output (6, "));
    ck_assert_ptr_nonnull(strstr(text, "at batch 22 in 4 slices, without the data set: "));
    cnn_string_free(text);
    cnn_network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slices");
    TCase *tests = add_device_case(suite, "slices");
    tcase_add_checked_fixture(tests, run_set_up, run_tear_down);
    tcase_add_loop_test(tests, slices_are_passes_of_their_own, 0, 4);
    tcase_add_loop_test(tests, without_batch_norm_slices_make_what_whole_batches_make, 0, 7);
    tcase_add_test(tests, one_slice_is_the_batch);
    tcase_add_test(tests, what_is_frozen_stays);
    tcase_add_test(tests, a_run_interrupted_anywhere_ends_alike);
    tcase_add_test(tests, a_checkpoint_of_other_slices_is_refused);
    tcase_add_test(tests, options_without_slices_have_one);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, the_plan_tells_of_slices);
    return run_device_suite(suite);
}
