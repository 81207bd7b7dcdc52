/* The samples that are held out, the best model, early stopping, and the metrics that are written.
 */
#include <math.h>
#include <string.h>

#include <cnncl/metrics.h>
#include <cnncl/predictor.h>

#include "base/file.h"
#include "base/json.h"
#include "check_main.h"
#include "scratch.h"
#include "train/trainer.h"
#include "train_case.h"

enum { TRAIN = 47, TEST = 21, HELD = 14, PIXELS = 3 * 10 * 8 };

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

enum { MOST_EPOCHS = 40 };
typedef struct run {
    cnn_model *model;
    cnn_trainer *trainer;
    cnn_model *best; /* as it was when it was told */
    cnn_epoch epochs[MOST_EPOCHS];
    int epoch_count;
    const char *metrics_path, *log_path; /* NULL: not written */
    cnn_metrics *metrics;
} run;

static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    run *this = user;
    ck_assert_int_lt(this->epoch_count, MOST_EPOCHS);
    this->epochs[this->epoch_count++] = *epoch;
    if (epoch->best)
        cnn_trainer_copy_model(this->best, this->model);
    if (this->metrics)
        check_ok(cnn_metrics_append(this->metrics, epoch));
    else if (this->metrics_path)
        check_ok(
            cnn_metrics_create(&this->metrics, this->trainer, this->metrics_path, this->log_path));
    return true;
}

static void begin(run *this, const cnn_train_options *options)
{
    cnn_config config = train_config(true, 0.5);
    check_ok(cnn_model_create(&this->model, &config, options->seed));
    check_ok(cnn_model_create(&this->best, &config, 77));
    check_ok(cnn_trainer_create(&this->trainer, test_device(), this->model, dataset, options));
}

static void train(run *this, const cnn_train_options *options)
{
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch, .user = this};
    begin(this, options);
    check_ok(cnn_trainer_run(this->trainer, &callbacks));
}

static void end(run *this)
{
    cnn_metrics_destroy(this->metrics);
    cnn_trainer_destroy(this->trainer);
    cnn_model_destroy(this->model);
    cnn_model_destroy(this->best);
}

/* Samples of the training split as a data set's test split. */
static cnn_dataset *select_samples(const uint32_t *members, size_t count)
{
    const uint8_t *images = cnn_dataset_images(dataset, CNN_SPLIT_TRAIN);
    const uint16_t *labels = cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN);
    uint8_t *some = scratch_bytes(count * PIXELS);
    uint16_t *of = scratch_bytes(count * sizeof *of);
    cnn_dataset *result;
    for (size_t i = 0; i < count; i++) {
        memcpy(some + i * PIXELS, images + members[i] * (size_t)PIXELS, PIXELS);
        of[i] = labels[members[i]];
    }
    check_ok(cnn_dataset_create(&result, shape, some, of, count, some, of, count));
    return result;
}

/* The accuracy of a model on samples, without the trainer. */
static double measure(const cnn_model *model, const uint32_t *members, size_t count)
{
    cnn_predictor *predictor;
    cnn_evaluation evaluation;
    cnn_dataset *some = select_samples(members, count);
    check_ok(cnn_predictor_create(&predictor, test_device(), model, 10, true));
    check_ok(cnn_predictor_evaluate(&evaluation, predictor, some, CNN_SPLIT_TEST));
    cnn_predictor_destroy(predictor);
    cnn_dataset_destroy(some);
    return evaluation.accuracy;
}

/* _i: streamed. */
START_TEST(each_sample_is_trained_on_or_held_out)
{
    cnn_train_options options = train_options();
    int seen[TRAIN] = {0};
    run one = {0};
    options.val_split = 0.3;
    options.stream = _i;
    train(&one, &options);
    const cnn_trainer *trainer = one.trainer;
    ck_assert_uint_eq(trainer->train_count, TRAIN - HELD);
    ck_assert_uint_eq(trainer->val_count, HELD);
    for (int i = 0; i < TRAIN; i++)
        seen[trainer->members[i]]++;
    for (int i = 0; i < TRAIN; i++)
        ck_assert_int_eq(seen[i], 1);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < TRAIN - HELD; i++)
        seen[trainer->order[i]]++;
    for (int i = 0; i < TRAIN; i++)
        ck_assert_int_eq(seen[trainer->members[i]], i < TRAIN - HELD);
    const cnn_epoch *last = &one.epochs[one.epoch_count - 1];
    ck_assert_double_eq(last->val_accuracy,
                        measure(one.model, trainer->members + TRAIN - HELD, HELD));
    ck_assert_double_eq(last->train_accuracy, measure(one.model, trainer->members, TRAIN - HELD));
    ck_assert_uint_eq(last->step, 2 * 4);
    end(&one);
}
END_TEST

START_TEST(the_seed_says_which)
{
    cnn_train_options options = train_options();
    run one = {0}, same = {0}, other = {0};
    options.val_split = 0.3;
    begin(&one, &options);
    begin(&same, &options);
    options.seed++;
    begin(&other, &options);
    ck_assert_mem_eq(one.trainer->members, same.trainer->members, TRAIN * sizeof(uint32_t));
    ck_assert_mem_ne(one.trainer->members, other.trainer->members, TRAIN * sizeof(uint32_t));
    end(&one);
    end(&same);
    end(&other);
}
END_TEST

START_TEST(shares_that_cannot_be_are_refused)
{
    const struct {
        double share;
        int early_stop;
        const char *part;
        cnn_status status;
    } cases[] = {
        {-0.1, 0, "--val-split: expected a number in [0, 1)", CNN_ERROR_ARGUMENT},
        {1.0, 0, "--val-split", CNN_ERROR_ARGUMENT},
        {NAN, 0, "--val-split", CNN_ERROR_ARGUMENT},
        {0.001, 0, "found 0 and 47", CNN_ERROR_DATA},
        {0.999, 0, "found 47 and 0", CNN_ERROR_DATA},
        {0.0, 2, "--early-stop: expected --val-split", CNN_ERROR_ARGUMENT},
        {0.5, -1, "--early-stop: expected 0 or more", CNN_ERROR_ARGUMENT},
    };
    cnn_config config = train_config(false, 0.0);
    cnn_model *model;
    check_ok(cnn_model_create(&model, &config, 0));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cnn_trainer *trainer;
        cnn_train_options options = train_options();
        options.val_split = cases[i].share;
        options.early_stop = cases[i].early_stop;
        ck_assert_int_eq(cnn_trainer_create(&trainer, test_device(), model, dataset, &options),
                         cases[i].status);
        assert_message_has(cases[i].part);
    }
    cnn_model_destroy(model);
}
END_TEST

static double decisive(const cnn_epoch *epoch, int judge)
{
    return judge == 0   ? epoch->val_accuracy
           : judge == 1 ? epoch->test_accuracy
                        : epoch->train_accuracy;
}

/* _i: by samples held out, by the test split, by the training split. */
START_TEST(the_best_model_is_kept)
{
    static const char *const splits[] = {"validation", "test", "training"};
    cnn_train_options options = train_options();
    run one = {0};
    if (_i == 2) {
        cnn_dataset_destroy(dataset);
        dataset = make_dataset(shape, TRAIN_CLASSES, TRAIN, 0);
    }
    options.epochs = 12;
    options.val_split = _i == 0 ? 0.3 : 0.0;
    train(&one, &options);
    cnn_best best = cnn_trainer_best(one.trainer);
    ck_assert_str_eq(best.split, splits[_i]);
    ck_assert(!one.epochs[0].best);
    double most = -1.0;
    int told = -1;
    for (int i = 1; i < one.epoch_count; i++) {
        double accuracy = decisive(&one.epochs[i], _i);
        ck_assert(!one.epochs[i].best || accuracy >= most);
        ck_assert(one.epochs[i].best || accuracy <= most);
        most = accuracy > most ? accuracy : most;
        told = one.epochs[i].best ? one.epochs[i].index : told;
    }
    ck_assert_int_eq(best.epoch, told);
    ck_assert_double_eq(best.accuracy, most);
    ck_assert(models_are_equal(best.model, one.best));
    end(&one);
}
END_TEST

START_TEST(training_stops_early)
{
    cnn_train_options options = train_options();
    run one = {0};
    options.epochs = MOST_EPOCHS - 1;
    options.val_split = 0.3;
    options.early_stop = 2;
    options.lr = 0.3; /* too much: it does not go on getting better */
    train(&one, &options);
    cnn_position position = cnn_trainer_position(one.trainer);
    ck_assert(position.complete && position.stopped_early);
    ck_assert_int_lt(position.epoch, options.epochs);
    ck_assert_int_eq(cnn_trainer_best(one.trainer).epoch, position.epoch - 1 - options.early_stop);
    ck_assert_int_eq(one.epoch_count, position.epoch + 1);
    end(&one);
}
END_TEST

static char *read_text(const char *name)
{
    void *data;
    size_t size;
    check_ok(cnn_file_read(&data, &size, scratch_path(&at, name), SIZE_MAX));
    return data;
}

static void check_csv(const run *one, char *text)
{
    static const char header[] = "epoch,step,loss,train_accuracy,val_accuracy,test_accuracy,"
                                 "seconds,images_per_second,learning_rate,device";
    char *rest = NULL, *line = strtok_r(text, "\n", &rest);
    ck_assert_str_eq(line, header);
    for (int i = 0; i < one->epoch_count; i++) {
        char expected[256];
        const cnn_epoch *epoch = &one->epochs[i];
        line = strtok_r(NULL, "\n", &rest);
        ck_assert_ptr_nonnull(line);
        if (i == 0)
            snprintf(expected, sizeof expected, "-1,0,,%.9g,,%.9g,,,0.01,\"A \"\"quick\"\", one\"",
                     epoch->train_accuracy, epoch->test_accuracy);
        else if (epoch->evaluated)
            snprintf(expected, sizeof expected, "%d,%d,%.9g,%.9g,,%.9g,", i - 1, i * 5, epoch->loss,
                     epoch->train_accuracy, epoch->test_accuracy);
        else
            snprintf(expected, sizeof expected, "%d,%d,%.9g,,,,", i - 1, i * 5, epoch->loss);
        ck_assert_msg(strncmp(line, expected, strlen(expected)) == 0, "%s\n%s", line, expected);
    }
    ck_assert_ptr_null(strtok_r(NULL, "\n", &rest));
}

static void check_log(const run *one, char *text)
{
    char *rest = NULL, *line = strtok_r(text, "\n", &rest);
    for (int i = 0; i < one->epoch_count; i++, line = strtok_r(NULL, "\n", &rest)) {
        json_t *json = json_loads(line, 0, NULL);
        ck_assert_uint_eq(json_object_size(json), 10);
        ck_assert_int_eq(json_integer_value(json_object_get(json, "epoch")), i - 1);
        ck_assert(json_is_null(json_object_get(json, "val_accuracy")));
        ck_assert(json_is_null(json_object_get(json, "loss")) == (i == 0));
        ck_assert(json_is_real(json_object_get(json, "test_accuracy")) == one->epochs[i].evaluated);
        ck_assert_str_eq(json_string_value(json_object_get(json, "device")), "A \"quick\", one");
        json_decref(json);
    }
    ck_assert_ptr_null(line);
}

START_TEST(metrics_are_written)
{
    cnn_device_info *info = &test_device()->info;
    char name[sizeof info->name], csv[512], log[512];
    cnn_train_options options = train_options();
    options.epochs = 3;
    options.print_every = 2;
    snprintf(csv, sizeof csv, "%s/csv", at.folder);
    snprintf(log, sizeof log, "%s/log", at.folder);
    run one = {.metrics_path = csv, .log_path = log};
    memcpy(name, info->name, sizeof name);
    snprintf(info->name, sizeof info->name, "A \"quick\", one");
    train(&one, &options);
    char *text = read_text("csv");
    check_csv(&one, text);
    free(text);
    text = read_text("log");
    check_log(&one, text);
    free(text);
    ck_assert_int_eq(cnn_metrics_create(&(cnn_metrics *){NULL}, one.trainer, at.folder, NULL),
                     CNN_ERROR_FILE);
    assert_message_has(at.folder);
    memcpy(info->name, name, sizeof name);
    end(&one);
}
END_TEST

START_TEST(the_run_is_described)
{
    cnn_train_options options = train_options();
    const char *source, *network;
    int train_images, val_images, test_images, batch, ksize;
    json_int_t seed;
    double share;
    run one = {0};
    options.val_split = 0.3;
    begin(&one, &options);
    check_ok(cnn_trainer_write_run(one.trainer, scratch_path(&at, "run")));
    char *text = read_text("run");
    json_t *json = json_loads(text, 0, NULL);
    ck_assert_int_eq(json_unpack(json, "{s:s, s:i, s:i, s:i, s:{s:s, s:i}, s:{s:i, s:F, s:I}}",
                                 "data", &source, "train_images", &train_images, "val_images",
                                 &val_images, "test_images", &test_images, "network", "name",
                                 &network, "ksize", &ksize, "options", "batch", &batch, "val_split",
                                 &share, "seed", &seed),
                     0);
    ck_assert_str_eq(source, "memory");
    ck_assert_str_eq(network, "cnn");
    ck_assert_int_eq(train_images, TRAIN - HELD);
    ck_assert_int_eq(val_images, HELD);
    ck_assert_int_eq(test_images, TEST);
    ck_assert_int_eq(batch, 10);
    ck_assert_int_eq(ksize, 3);
    ck_assert_int_eq(seed, 3);
    ck_assert_double_eq(share, 0.3);
    static const char *const keys[] = {"name", "version", "device", "platform", "driver"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        ck_assert_msg(json_is_string(json_object_get(json, keys[i])), "%s", keys[i]);
    json_decref(json);
    free(text);
    end(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = add_device_case(suite, "metrics");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, each_sample_is_trained_on_or_held_out, 0, 2);
    tcase_add_test(tests, the_seed_says_which);
    tcase_add_test(tests, shares_that_cannot_be_are_refused);
    tcase_add_loop_test(tests, the_best_model_is_kept, 0, 3);
    tcase_add_test(tests, training_stops_early);
    tcase_add_test(tests, metrics_are_written);
    tcase_add_test(tests, the_run_is_described);
    return run_device_suite(suite);
}
