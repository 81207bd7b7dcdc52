/* A program that does what the headers do not allow. Each call is answered, by an error with a
 * message or by a value that means nothing; nothing crashes, hangs, or is called done that is not.
 * To be run under the sanitizers, too: careless FOLDER. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cnncl/cnncl.h>

enum { SIDE = 6, PIXELS = SIDE * SIDE, CLASSES = 3, COUNT = 40, TESTS = 12 };

static void check(bool good, const char *what, int line)
{
    if (good)
        return;
    fprintf(stderr, "line %d: %s; the last message: %s\n", line, what, cnn_error_message());
    exit(1);
}

#define CHECK(condition) check(condition, #condition, __LINE__)
#define OK(call) CHECK((call) == CNN_OK)

static void expect_argument(cnn_status status, const char *message)
{
    if (status == CNN_ERROR_ARGUMENT && strncmp(cnn_error_message(), message, strlen(message)) == 0)
        return;
    fprintf(stderr, "expected '%s', found status %d: %s\n", message, (int)status,
            cnn_error_message());
    exit(1);
}

#include "null_calls.h"

static char path[512];
static cnn_device *device;
static cnn_dataset *dataset;
static cnn_model *model;

static void set_up(void)
{
    static float noise[(COUNT + TESTS) * PIXELS];
    static uint8_t images[(COUNT + TESTS) * PIXELS];
    static uint16_t labels[COUNT + TESTS];
    const int shape[3] = {1, SIDE, SIDE};
    cnn_config config;
    cnn_random_uniform(noise, (COUNT + TESTS) * PIXELS, 1);
    for (size_t i = 0; i < (COUNT + TESTS) * PIXELS; i++)
        images[i] = (uint8_t)(noise[i] * 200.0f);
    for (size_t i = 0; i < COUNT + TESTS; i++)
        labels[i] = (uint16_t)(i % CLASSES);
    OK(cnn_dataset_create(&dataset, shape, images, labels, COUNT, images + (size_t)COUNT * PIXELS,
                          labels + COUNT, TESTS));
    cnn_config_init(&config);
    OK(cnn_config_set(&config, "xdim", "1,6,6"));
    OK(cnn_config_set(&config, "cdims", "2"));
    OK(cnn_config_set(&config, "hdims", "none"));
    OK(cnn_config_set(&config, "ydim", "3"));
    OK(cnn_model_create(&model, &config, 1));
    OK(cnn_device_create(&device, NULL));
}

static cnn_trainer *make_trainer(void)
{
    cnn_train_options options;
    cnn_trainer *trainer;
    cnn_train_options_init(&options);
    options.epochs = 2;
    options.batch = 8;
    options.checkpoint_steps = 2;
    OK(cnn_trainer_create(&trainer, device, model, dataset, &options));
    return trainer;
}

/* ---- in callbacks ---- */

typedef struct caller {
    cnn_trainer *trainer;
    int calls, saves;
    bool destroys_in_progress, destroys_in_epoch, destroys_in_checkpoint;
} caller;

/* What no callback may do; checkpoints alone may save. */
static void misuse(caller *at, bool may_save)
{
    at->calls++;
    expect_argument(cnn_trainer_run(at->trainer, NULL), "cnn_trainer_run: ");
    if (may_save) {
        OK(cnn_trainer_save(at->trainer, path, NULL));
        at->saves++;
    } else {
        expect_argument(cnn_trainer_save(at->trainer, path, NULL), "cnn_trainer_save: ");
    }
    if (at->saves > 0) {
        cnn_checkpoint *checkpoint;
        OK(cnn_checkpoint_load(&checkpoint, path));
        expect_argument(cnn_trainer_resume(at->trainer, checkpoint), "cnn_trainer_resume: ");
        cnn_checkpoint_destroy(checkpoint);
    }
}

static bool on_progress(const cnn_progress *progress, void *user)
{
    caller *at = user;
    (void)progress;
    misuse(at, false);
    if (at->destroys_in_progress)
        cnn_trainer_destroy(at->trainer);
    return true;
}

static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    caller *at = user;
    (void)epoch;
    misuse(at, false);
    if (at->destroys_in_epoch)
        cnn_trainer_destroy(at->trainer);
    return true;
}

static bool on_checkpoint(void *user)
{
    caller *at = user;
    misuse(at, true);
    if (at->destroys_in_checkpoint)
        cnn_trainer_destroy(at->trainer);
    return true;
}

static cnn_status run(caller *at)
{
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch,
                                     .on_progress = on_progress,
                                     .on_checkpoint = on_checkpoint,
                                     .user = at};
    at->trainer = make_trainer();
    return cnn_trainer_run(at->trainer, &callbacks);
}

static void misuse_callbacks(void)
{
    caller plain = {0};
    OK(run(&plain));
    CHECK(plain.calls > 8 && plain.saves > 2);
    CHECK(cnn_trainer_position(plain.trainer).complete);
    OK(cnn_trainer_save(plain.trainer, path, NULL));
    OK(cnn_trainer_run(plain.trainer, NULL)); /* nothing is left to do */
    cnn_trainer_destroy(plain.trainer);
    caller destroyers[] = {{.destroys_in_progress = true},
                           {.destroys_in_epoch = true},
                           {.destroys_in_checkpoint = true}};
    for (int i = 0; i < 3; i++) {
        CHECK(run(&destroyers[i]) == CNN_ERROR_STOPPED);
        CHECK(strstr(cnn_error_message(), "destroyed in a callback"));
    }
    CHECK(destroyers[0].calls == 1);
}

/* ---- indices and numbers that there are none of ---- */

static void misuse_indices(void)
{
    const size_t past[] = {0, 1, 1000, (size_t)-1};
    const cnn_network *network = cnn_model_network(model);
    cnn_device_list *list;
    OK(cnn_device_list_create(&list));
    for (int i = 0; i < 4; i++) {
        size_t tensor = cnn_model_tensor_count(model) + past[i];
        size_t layer = cnn_network_layer_count(network) + past[i];
        if (tensor >= past[i])
            CHECK(!cnn_model_tensor(model, tensor).values &&
                  !*cnn_model_tensor(model, tensor).name);
        if (layer >= past[i])
            CHECK(!*cnn_network_layer(network, layer).kind);
        CHECK(!cnn_device_list_get(list, cnn_device_list_total(list) + (past[i] & 0xffff)));
    }
    cnn_device_list_destroy(list);
    for (int label = -3; label < 70000; label += 997) {
        CHECK(*cnn_dataset_class_name(dataset, label));
        CHECK(*cnn_model_class_name(model, label));
    }
    for (int split = -2; split < 5; split++)
        if (split != CNN_SPLIT_TRAIN && split != CNN_SPLIT_TEST)
            CHECK(cnn_dataset_count(dataset, (cnn_split)split) == 0 &&
                  !cnn_dataset_images(dataset, (cnn_split)split) &&
                  !cnn_dataset_labels(dataset, (cnn_split)split) &&
                  cnn_dataset_read(&(uint8_t){0}, dataset, (cnn_split)split, 0) != CNN_OK);
    CHECK(strcmp(cnn_device_type_name((cnn_device_type)77), "other") == 0);
    CHECK(strcmp(cnn_status_name((cnn_status)77), "unknown") == 0);
}

static void misuse_confusion(void)
{
    const cnn_prediction predictions[] = {{0, 1.0f}, {2, 1.0f}, {3, 1.0f}, {-1, 1.0f}, {1, 1.0f}};
    const uint16_t labels[] = {0, 2, 1, 1, 60000};
    size_t counts[9];
    cnn_confusion_pair pairs[2];
    cnn_confusion_count(counts, 3, predictions, labels, 5);
    CHECK(counts[0] == 1 && counts[8] == 1 && counts[4] == 0);
    CHECK(isnan(cnn_confusion_score(counts, 3, 3).f1));
    CHECK(isnan(cnn_confusion_score(counts, 3, -1).f1));
    CHECK(cnn_confusion_largest(pairs, 2, counts, 3) == 0);
}

static void misuse_options(void)
{
    cnn_config config;
    cnn_network *network;
    cnn_predictor *predictor;
    cnn_config_init(&config);
    config.cdim_count = 100000;
    CHECK(cnn_network_create(&network, &config) == CNN_ERROR_ARGUMENT && !network);
    config.cdim_count = -1;
    CHECK(cnn_network_create(&network, &config) == CNN_ERROR_ARGUMENT);
    memset(config.name, 'x', sizeof config.name);
    CHECK(cnn_network_create(&network, &config) == CNN_ERROR_ARGUMENT);
    CHECK(cnn_predictor_create(&predictor, device, model, 0, true) == CNN_ERROR_ARGUMENT);
    CHECK(cnn_predictor_create(&predictor, device, model, 2, true) == CNN_OK);
    expect_argument(cnn_predictor_run(NULL, predictor, NULL, 3), "cnn_predictor_run: ");
    cnn_images *images;
    expect_argument(cnn_images_decode(&images, NULL, 8, "a picture", 0), "cnn_images_decode: ");
    OK(cnn_predictor_run(NULL, predictor, NULL, 0));
    cnn_predictor_destroy(predictor);
}

/* ---- a handle in a forked child ---- */

/* NULL among others that are there, sizes and kinds that are none. */
static void misuse_images(void)
{
    static const uint8_t pixels[3 * PIXELS] = {0};
    const int good[3] = {1, SIDE, SIDE}, none[3] = {1, 0, SIDE}, less[3] = {1, SIDE, -SIDE};
    cnn_image image = {{3, SIDE, SIDE}, pixels};
    float values[PIXELS];
    uint8_t bytes[PIXELS];
    size_t indices[4], counts[4] = {0};
    int found;
    OK(cnn_image_to_input(values, good, &image));
    expect_argument(cnn_image_to_largest_digit(values, NULL, good, &image), "");
    CHECK(cnn_image_format(NULL, 5) == NULL);
    expect_argument(cnn_random_choice(NULL, 4, 10, 0), "");
    OK(cnn_random_choice(indices, 4, 10, 0));
    expect_argument(cnn_image_fit(bytes, good, &image, (cnn_picture_fit)9), "expected a fit");
    for (int i = 0; i < 3; i++) {
        const int *shape = i == 0 ? none : i == 1 ? less : good;
        image.pixels = i < 2 ? pixels : NULL;
        expect_argument(cnn_image_to_input(values, shape, &image), "expected an i");
        expect_argument(cnn_image_fit(bytes, shape, &image, CNN_FIT_PAD), "expected an i");
        expect_argument(cnn_image_to_digit(values, shape, &image), "expected an i");
        expect_argument(cnn_image_to_largest_digit(values, &found, shape, &image), "expected an i");
    }
    expect_argument(cnn_picture_confusion(path, counts, 2, (const char *[]){"a", NULL}), "class 1");
}

static void misuse_data(void)
{
    const char *names[2] = {"a", NULL};
    cnn_data_options options;
    cnn_dataset *other;
    for (int i = 0; i < 4; i++) {
        cnn_data_options_init(&options);
        options.class_count = i == 0 ? -1 : i == 1 ? 2 : 0;
        options.class_names = i == 1 ? names : NULL;
        options.input[0] = i == 2 ? 3 : 0;
        options.fit = i == 3 ? (cnn_picture_fit)9 : CNN_FIT_CROP;
        expect_argument(cnn_dataset_open(&other, path, &options), "");
    }
}

/* A model that could not be loaded again is not saved. */
static void misuse_model(void)
{
    cnn_tensor_info info = cnn_model_tensor(model, 0);
    float *values = (float *)info.values, kept = values[0];
    cnn_predictor *predictor;
    cnn_evaluation evaluation;
    cnn_model *again;
    char *text = NULL;
    cnn_model_set_fit(model, CNN_FIT_PAD);
    cnn_model_set_fit(model, (cnn_picture_fit)9);
    OK(cnn_model_save(model, path));
    values[0] = NAN;
    CHECK(cnn_model_save(model, path) == CNN_ERROR_DATA);
    values[0] = kept;
    OK(cnn_model_load(&again, path));
    cnn_model_destroy(again);
    OK(cnn_predictor_create(&predictor, device, model, 4, true));
    expect_argument(cnn_predictor_evaluate(&evaluation, predictor, dataset, (cnn_split)9),
                    "expected a split");
    cnn_predictor_destroy(predictor);
    for (int batch = -7; batch < 1; batch += 7)
        expect_argument(cnn_plan_to_text(&text, device, cnn_model_network(model), batch, 0, true),
                        "--batch: ");
}

static void misuse_crews(void)
{
    cnn_comm *comms[1];
    for (int size = -1; size < 1; size++)
        expect_argument(cnn_crew_create(comms, size), "expected 1 rank");
}

static void expect_device(cnn_status status)
{
    CHECK(status == CNN_ERROR_DEVICE && strstr(cnn_error_message(), "fork()"));
}

static void use_in_child(cnn_trainer *trainer, cnn_predictor *predictor)
{
    static float images[PIXELS], logits[CLASSES];
    cnn_evaluation evaluation;
    cnn_predictor *other;
    cnn_bench *bench;
    cnn_bench_options options;
    char *text;
    cnn_bench_options_init(&options);
    expect_device(cnn_trainer_run(trainer, NULL));
    expect_device(cnn_trainer_save(trainer, path, NULL));
    expect_device(cnn_predictor_run(logits, predictor, images, 1));
    expect_device(cnn_predictor_evaluate(&evaluation, predictor, dataset, CNN_SPLIT_TEST));
    expect_device(cnn_predictor_create(&other, device, model, 1, true));
    expect_device(cnn_bench_run(&bench, device, model, &options));
    expect_device(cnn_plan_to_text(&text, device, cnn_model_network(model), 4, 0, true));
    OK(cnn_model_save(model, path)); /* what lies in the host's memory serves there, too */
    cnn_predictor_destroy(predictor);
    cnn_trainer_destroy(trainer);
    cnn_device_destroy(device);
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
}

static void fork_with_handles(void)
{
    cnn_predictor *predictor;
    cnn_trainer *trainer = make_trainer();
    int status;
    OK(cnn_predictor_create(&predictor, device, model, 1, true));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        use_in_child(trainer, predictor);
        /* Not exit(): a search for leaks would look for the parent's threads, which are not here.
         */
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(cnn_trainer_run(trainer, NULL));
    cnn_predictor_destroy(predictor);
    cnn_trainer_destroy(trainer);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    snprintf(path, sizeof path, "%s/careless.safetensors", argv[1]);
    call_all_with_null();
    set_up();
    misuse_callbacks();
    misuse_indices();
    misuse_confusion();
    misuse_options();
    misuse_images();
    misuse_data();
    misuse_model();
    misuse_crews();
    fork_with_handles();
    cnn_device_destroy(device);
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
    remove(path);
    return 0;
}
