/* What one seed gives on a device, to be compared with another's: a line for each of the initial
 * weights, the shuffled batches, the dropout masks (checksums) and the losses of the first steps.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/philox.h"
#include "check_main.h"
#include "train/loop.h"
#include "train_case.h"

enum { SEED = 5, BATCH = 8, STEPS = 25, EPOCHS = 4, COUNT = BATCH * STEPS };

static const uint64_t fnv_start = 0xCBF29CE484222325u;

/* FNV-1a of 64 bits, continued. */
static uint64_t add_bytes(uint64_t sum, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        sum = (sum ^ at[i]) * 0x100000001B3u;
    return sum;
}

static void tell(const char *what, uint64_t sum)
{
    printf("%s %016" PRIx64 "\n", what, sum);
}

static cnn_plan *make_plan(const cnn_network *network, int batch, bool fuse)
{
    cnn_plan *plan;
    cnn_plan_options options = {.batch = batch, .training = true, .fuse = fuse, .slots = STEPS};
    check_ok(cnn_plan_create(&plan, test_device(), network, options));
    return plan;
}

/* A channel that is 1 wherever it is kept, and a logit for each: 0 or 1 / (1 - p). */
static void show_masks(cnn_model *model)
{
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        float *values = info.values;
        bool bias = strstr(info.name, "bias") && !strstr(info.name, "linear");
        for (size_t j = 0; info.trainable && j < info.count; j++)
            values[j] = bias ? 1.0f : 0.0f;
        size_t outputs = (size_t)info.shape[0];
        for (size_t j = 0; strstr(info.name, "linear") && info.rank == 2 && j < outputs; j++)
            values[j * outputs + j] = 1.0f;
    }
}

/* Of some steps and seeds; in the plain plan or the fused one. */
static uint64_t draw_masks(bool batchnorm, bool fuse)
{
    enum { CHANNELS = 13, N = 31, PIXELS = 4, DRAWS = 4 };
    uint64_t sum = fnv_start;
    cnn_config config = {.xdim = {1, 2, 2}, .ksize = 3, .cdims = {CHANNELS}, .cdim_count = 1};
    cnn_model *model;
    config.ydim = CHANNELS;
    config.dropout = 0.5;
    config.batchnorm = batchnorm;
    snprintf(config.name, sizeof config.name, "masks");
    check_ok(cnn_model_create(&model, &config, SEED));
    show_masks(model);
    cnn_plan *plan = make_plan(cnn_model_network(model), N, fuse);
    check_ok(cnn_plan_upload(plan, model));
    check_ok(cnn_buffer_write(cnn_plan_input(plan), 0, scratch_zeros(N * PIXELS),
                              N * PIXELS * sizeof(float)));
    for (uint64_t i = 0; i < DRAWS; i++) {
        cnn_pass pass = {.n = N, .training = true, .seed = SEED + i / 2, .step = i << 31};
        float logits[N * CHANNELS];
        size_t kept = 0;
        check_ok(cnn_plan_forward(plan, &pass));
        check_ok(cnn_buffer_read(logits, cnn_plan_logits(plan), 0, sizeof logits));
        for (size_t j = 0; j < N * CHANNELS; j++)
            kept += logits[j] != 0.0f;
        ck_assert_msg(kept > N * CHANNELS / 3 && kept < 2 * N * CHANNELS / 3, "kept %zu of %d",
                      kept, N * CHANNELS);
        sum = add_bytes(sum, logits, sizeof logits);
    }
    cnn_plan_destroy(plan);
    cnn_model_destroy(model);
    return sum;
}

START_TEST(masks)
{
    tell("masks", draw_masks(false, false));
    tell("masks-batchnorm", draw_masks(true, false));
    /* A fused step draws the same masks, with or without batch norm. */
    ck_assert_uint_eq(draw_masks(false, true), draw_masks(false, false));
    ck_assert_uint_eq(draw_masks(true, true), draw_masks(true, false));
}
END_TEST

/* What the batches hold: the bytes that their pixels were. */
typedef struct batches {
    cnn_plan *plan;
    uint64_t sum;
} batches;

static cnn_status add_batch(size_t index, int n, void *user)
{
    batches *at = user;
    size_t count = (size_t)n * cnn_shape_count(cnn_network_input_shape(at->plan->network));
    float *x = scratch_floats(count);
    unsigned char *bytes = scratch_bytes(count);
    (void)index;
    check_ok(cnn_buffer_read(x, cnn_plan_input(at->plan), 0, count * sizeof *x));
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)(x[i] * 255.0f + 0.5f);
    at->sum = add_bytes(at->sum, bytes, count);
    return CNN_OK;
}

/* One step after another, as the trainer does it. */
static void train(batches *at, cnn_feed *feed, const char *name)
{
    cnn_train_options options;
    cnn_train_options_init(&options);
    cnn_loop loop = {.plan = at->plan,
                     .feed = feed,
                     .training = true,
                     .options = &options,
                     .epoch_steps = STEPS,
                     .seed = SEED,
                     .after_user = at};
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        uint32_t order[COUNT], hits[STEPS];
        float losses[STEPS];
        int bad;
        cnn_philox_permutation(order, COUNT, SEED, CNN_STREAM_SHUFFLE, 0, (uint64_t)epoch);
        check_ok(cnn_feed_set_order(feed, order, COUNT));
        loop.after_step = epoch == 0 ? add_batch : NULL; /* it waits for the device */
        loop.sums = (cnn_loop_sums){0};
        check_ok(cnn_loop_run(&loop));
        check_ok(cnn_softmax_read(losses, hits, &bad, &at->plan->softmax, 0, STEPS));
        for (int i = 0; i < STEPS; i++)
            printf("loss-%s-%d %.9g\n", name, epoch * STEPS + i, (double)losses[i]);
    }
}

static void draw_training(const char *name, bool batchnorm, bool fuse)
{
    static const int shape[] = {3, 10, 8};
    cnn_config config = train_config(batchnorm, 0.5);
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, COUNT, 0);
    cnn_model *model;
    cnn_feed feed = {0};
    check_ok(cnn_model_create(&model, &config, SEED));
    batches at = {make_plan(cnn_model_network(model), BATCH, fuse), fnv_start};
    size_t count = model->network->parameter_count, statistics = model->network->statistic_count;
    float *weights = scratch_floats(count), *unused = scratch_floats(statistics + 1);
    check_ok(cnn_plan_upload(at.plan, model));
    check_ok(cnn_plan_download(weights, unused, at.plan));
    printf("weights-%s %016" PRIx64 "\n", name,
           add_bytes(fnv_start, weights, count * sizeof *weights));
    check_ok(cnn_feed_init(&feed, test_device(), dataset, CNN_SPLIT_TRAIN, BATCH, BATCH, false));
    train(&at, &feed, name);
    printf("batches-%s %016" PRIx64 "\n", name, at.sum);
    cnn_feed_finish(&feed);
    cnn_plan_destroy(at.plan);
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
}

START_TEST(trainings)
{
    draw_training("plain", false, false);
    draw_training("fused-batchnorm", true, true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seed_draws");
    TCase *tests = add_device_case(suite, "seed_draws");
    tcase_add_test(tests, masks);
    tcase_add_test(tests, trainings);
    return run_device_suite(suite);
}
