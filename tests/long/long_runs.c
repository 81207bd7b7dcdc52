/* Runs that are long, through the public API: what the process holds early in the run must be what
 * it holds at the end, and nothing of OpenCL may be alive behind it.
 *
 * long_runs epochs|models|predictions COUNT [batchnorm|plain|reopen]
 *   epochs       one training of COUNT epochs
 *   models       COUNT models in one process: created, trained, saved, loaded, evaluated
 *   predictions  COUNT calls for one image each
 *   batchnorm    networks with batch norm;  plain: without fused steps
 *   reopen       models: the device is closed and opened again for each
 * What comes before the first measurement, a twentieth and at least five, is for warming up. The
 * fault layer counts the objects (OPENCL_LAYERS). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cnncl/cnncl.h>

#include "usage.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CNN_OK)                                                                      \
            goto out;                                                                              \
    } while (0)

enum {
    SIDE = 8,
    PIXELS = SIDE * SIDE,
    CLASSES = 4,
    COUNT = 48,
    TESTS = 16,
    BATCH = 16,
    FEWEST = 5
};

typedef struct long_run {
    int count, warm; /* how often, and when `before` is taken */
    bool batchnorm, plain, reopen;
    cnn_device *device;
    cnn_dataset *data;
    char model_path[64];
    usage before, after;
} long_run;

static void note(long_run *run, int done)
{
    if (done == run->warm)
        run->before = usage_now();
    if (done == run->count)
        run->after = usage_now();
}

/* Noise with one brighter quarter, which is the label. */
static cnn_status make_data(cnn_dataset **data)
{
    enum { ALL = COUNT + TESTS };
    static const int shape[3] = {1, SIDE, SIDE};
    static float noise[ALL * PIXELS];
    static uint8_t images[ALL * PIXELS];
    static uint16_t labels[ALL];
    cnn_random_uniform(noise, ALL * PIXELS, 1);
    for (int i = 0; i < ALL * PIXELS; i++) {
        int at = i % PIXELS, quarter = at / (PIXELS / 2) * 2 + at % SIDE / (SIDE / 2);
        labels[i / PIXELS] = (uint16_t)(i / PIXELS % CLASSES);
        images[i] = (uint8_t)(150 * noise[i] + (quarter == labels[i / PIXELS] ? 100.0F : 0.0F));
    }
    return cnn_dataset_create(data, shape, images, labels, COUNT, images + COUNT * PIXELS,
                              labels + COUNT, TESTS);
}

static cnn_config network_of(const long_run *run)
{
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[1] = config.xdim[2] = SIDE;
    config.cdim_count = config.hdim_count = 1;
    config.cdims[0] = 4;
    config.hdims[0] = 8;
    config.ydim = CLASSES;
    config.batchnorm = run->batchnorm;
    return config;
}

static cnn_train_options training_of(const long_run *run, int epochs)
{
    cnn_train_options options;
    cnn_train_options_init(&options);
    options.epochs = epochs;
    options.batch = BATCH;
    options.fuse = !run->plain;
    return options;
}

static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    note(user, epoch->index + 1);
    return true;
}

static cnn_status run_epochs(long_run *run)
{
    cnn_config config = network_of(run);
    cnn_train_options options = training_of(run, run->count);
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch, .user = run};
    cnn_model *model = NULL;
    cnn_trainer *trainer = NULL;
    cnn_status status;
    TRY(cnn_model_create(&model, &config, 0));
    TRY(cnn_trainer_create(&trainer, run->device, model, run->data, &options));
    TRY(cnn_trainer_run(trainer, &callbacks));
out:
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
    return status;
}

static bool are_equal(const cnn_model *a, const cnn_model *b)
{
    bool equal = true;
    for (size_t i = 0; i < cnn_model_tensor_count(a); i++) {
        cnn_tensor_info x = cnn_model_tensor(a, i), y = cnn_model_tensor(b, i);
        size_t bytes = x.count * (x.type == CNN_FLOAT32 ? sizeof(float) : sizeof(int64_t));
        equal = equal && memcmp(x.values, y.values, bytes) == 0;
    }
    return equal;
}

/* A model's whole life. */
static cnn_status live(const long_run *run, uint64_t seed)
{
    cnn_config config = network_of(run);
    cnn_train_options options = training_of(run, 1);
    cnn_model *model = NULL, *loaded = NULL;
    cnn_trainer *trainer = NULL;
    cnn_predictor *predictor = NULL;
    cnn_evaluation evaluation;
    cnn_status status;
    options.seed = seed;
    TRY(cnn_model_create(&model, &config, seed));
    TRY(cnn_trainer_create(&trainer, run->device, model, run->data, &options));
    TRY(cnn_trainer_run(trainer, NULL));
    TRY(cnn_model_save(model, run->model_path));
    TRY(cnn_model_load(&loaded, run->model_path));
    TRY(cnn_predictor_create(&predictor, run->device, loaded, BATCH, options.fuse));
    TRY(cnn_predictor_evaluate(&evaluation, predictor, run->data, CNN_SPLIT_TEST));
    if (!are_equal(model, loaded)) {
        fprintf(stderr, "long_runs: model %llu is another after loading\n",
                (unsigned long long)seed);
        status = CNN_ERROR_DATA;
    }
out:
    cnn_predictor_destroy(predictor);
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(loaded);
    cnn_model_destroy(model);
    return status;
}

static cnn_status run_models(long_run *run)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < run->count; i++) {
        TRY(live(run, (uint64_t)i));
        if (run->reopen) {
            cnn_device_destroy(run->device);
            run->device = NULL;
            TRY(cnn_device_create(&run->device, NULL));
        }
        note(run, i + 1);
    }
out:
    return status;
}

static cnn_status run_predictions(long_run *run)
{
    cnn_config config = network_of(run);
    cnn_model *model = NULL;
    cnn_predictor *predictor = NULL;
    float images[2][PIXELS], logits[2][CLASSES], first[2][CLASSES];
    cnn_status status;
    cnn_random_uniform(images[0], PIXELS, 1);
    cnn_random_uniform(images[1], PIXELS, 2);
    TRY(cnn_model_create(&model, &config, 0));
    TRY(cnn_predictor_create(&predictor, run->device, model, 1, !run->plain));
    for (int i = 0; i < run->count; i++) {
        int which = i % 2;
        TRY(cnn_predictor_run(logits[which], predictor, images[which], 1));
        if (i < 2)
            memcpy(first[which], logits[which], sizeof first[which]);
        if (memcmp(first[which], logits[which], sizeof first[which]) != 0) {
            fprintf(stderr, "long_runs: call %d gives other logits than the first\n", i);
            status = CNN_ERROR_ARITHMETIC;
            goto out;
        }
        note(run, i + 1);
    }
out:
    cnn_predictor_destroy(predictor);
    cnn_model_destroy(model);
    return status;
}

static const struct {
    const char *name;
    cnn_status (*perform)(long_run *run);
} cases[] = {{"epochs", run_epochs}, {"models", run_models}, {"predictions", run_predictions}};

enum { CASES = sizeof cases / sizeof cases[0] };

static double seconds_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* False where it fails or something has grown. */
static bool perform(long_run *run, int which, const char *variant)
{
    char title[128];
    double wall = seconds_of(CLOCK_MONOTONIC), work = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    cnn_status status;
    TRY(cnn_device_create(&run->device, NULL));
    TRY(make_data(&run->data));
    if (!usage_find_layer()) {
        fprintf(stderr, "long_runs: expected the fault layer in OPENCL_LAYERS, found none\n");
        return false;
    }
    TRY(cases[which].perform(run));
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    work = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - work;
out:
    cnn_dataset_destroy(run->data);
    cnn_device_destroy(run->device);
    if (status != CNN_OK) {
        fprintf(stderr, "long_runs: %s: %s\n", cnn_status_name(status), cnn_error_message());
        return false;
    }
    snprintf(title, sizeof title, "%d %s%s%s, %.0f s, %.0f s of CPU, %.0f a second; from %d on",
             run->count, cases[which].name, *variant ? " " : "", variant, wall, work,
             run->count / wall, run->warm);
    /* pocl compiles in part what a device that is opened again asks for: Clang's memory goes up and
     * down with it. */
    bool flat = usage_compare(title, &run->before, &run->after, run->reopen ? 2048 : 1024);
    usage end = usage_now();
    if (usage_alive(&end) != 0)
        fprintf(stderr, "long_runs: %ld OpenCL objects are alive at the end\n", usage_alive(&end));
    return flat && usage_alive(&end) == 0;
}

int main(int argc, char **argv)
{
    const char *variant = argc > 3 ? argv[3] : "";
    long_run run = {.batchnorm = strcmp(variant, "batchnorm") == 0,
                    .plain = strcmp(variant, "plain") == 0,
                    .reopen = strcmp(variant, "reopen") == 0};
    int which = 0;
    while (argc > 2 && which < CASES && strcmp(cases[which].name, argv[1]) != 0)
        which++;
    run.count = argc > 2 ? atoi(argv[2]) : 0;
    run.warm = run.count / 20 > FEWEST ? run.count / 20 : FEWEST;
    if (which == CASES || run.count < 2 * FEWEST ||
        (*variant && !run.batchnorm && !run.plain && !run.reopen)) {
        fprintf(stderr, "long_runs: expected epochs, models or predictions, a count from 10 on, "
                        "and batchnorm, plain, reopen or nothing\n");
        return 2;
    }
    char folder[] = "/tmp/cnn-cl-long-XXXXXX";
    if (!mkdtemp(folder)) {
        perror("long_runs: /tmp");
        return EXIT_FAILURE;
    }
    snprintf(run.model_path, sizeof run.model_path, "%s/model.safetensors", folder);
    bool right = perform(&run, which, variant);
    unlink(run.model_path);
    rmdir(folder);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
