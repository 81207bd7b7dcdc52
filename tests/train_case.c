#include "train_case.h"

#include <string.h>

#include "base/philox.h"
#include "ref/ref.h"

/* Class c is bright in stripe c of the rows. */
static uint8_t *make_images(random_source *random, const uint16_t *labels, size_t count,
                            const int shape[3], int classes)
{
    size_t plane = (size_t)shape[1] * (size_t)shape[2], image = (size_t)shape[0] * plane;
    uint8_t *images = random_pixels(random, count * image, 100);
    for (size_t i = 0; i < count * image; i++) {
        int row = (int)(i % plane) / shape[2];
        if (row * classes / shape[1] == labels[i / image])
            images[i] = (uint8_t)(images[i] + 150);
    }
    return images;
}

cnn_dataset *make_dataset(const int shape[3], int classes, size_t train_count, size_t test_count)
{
    random_source random = {.seed = 77};
    cnn_dataset *dataset;
    const size_t counts[] = {train_count, test_count};
    uint8_t *images[2] = {NULL, NULL};
    uint16_t *labels[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++)
        if (counts[i] > 0) {
            labels[i] = random_labels(&random, counts[i], classes);
            images[i] = make_images(&random, labels[i], counts[i], shape, classes);
        }
    check_ok(cnn_dataset_create(&dataset, shape, images[0], labels[0], counts[0], images[1],
                                labels[1], counts[1]));
    return dataset;
}

cnn_config train_config(bool batchnorm, double dropout)
{
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[0] = 3;
    config.xdim[1] = 10;
    config.xdim[2] = 8;
    config.cdims[0] = 6;
    config.cdims[1] = 5;
    config.hdims[0] = 7;
    config.ydim = TRAIN_CLASSES;
    config.batchnorm = batchnorm;
    config.dropout = dropout;
    return config;
}

cnn_train_options train_options(void)
{
    cnn_train_options options;
    cnn_train_options_init(&options);
    options.epochs = 2;
    options.batch = 10;
    options.lr = 1e-2;
    options.seed = 3;
    return options;
}

cnn_model *train_model(const cnn_config *config, const cnn_dataset *dataset,
                       const cnn_train_options *options, const cnn_train_callbacks *callbacks,
                       cnn_status expected)
{
    cnn_model *model;
    cnn_trainer *trainer;
    check_ok(cnn_model_create(&model, config, options->seed));
    check_ok(cnn_trainer_create(&trainer, test_device(), model, dataset, options));
    cnn_status status = cnn_trainer_run(trainer, callbacks);
    ck_assert_msg(status == expected, "%s: %s", cnn_status_name(status), cnn_error_message());
    cnn_trainer_destroy(trainer);
    return model;
}

/* The reference's training and what it works on. */
typedef struct reference {
    cnn_model *model;
    const cnn_dataset *dataset;
    const cnn_train_options *options;
    float *m, *v, *gradients;
    uint32_t *order;
    uint64_t step;
} reference;

/* One step on the places `first` to first + n - 1 of the order; returns the batch's loss. */
static double train_batch(reference *at, size_t first, size_t n)
{
    const cnn_network *network = at->model->network;
    size_t image = cnn_shape_count(cnn_network_input_shape(network));
    const uint8_t *images = cnn_dataset_images(at->dataset, CNN_SPLIT_TRAIN);
    float *x = scratch_floats(n * image), *logits = scratch_floats(n * (size_t)network->classes);
    uint16_t *labels = scratch_bytes(n * sizeof *labels);
    double loss;
    for (size_t i = 0; i < n; i++) {
        size_t index = at->order[first + i];
        labels[i] = cnn_dataset_labels(at->dataset, CNN_SPLIT_TRAIN)[index];
        for (size_t j = 0; j < image; j++)
            x[i * image + j] = (float)images[index * image + j] / 255.0f;
    }
    check_ok(cnn_ref_network(
        logits, &loss, at->gradients, at->model, x, labels, (int)n,
        (cnn_ref_pass){.training = true, .seed = at->options->seed, .step = at->step}));
    at->step++;
    cnn_ref_adam(at->model->parameters, at->m, at->v, at->gradients, network->parameter_count,
                 at->options->lr, at->step);
    return loss;
}

cnn_model *train_reference(float *losses, const cnn_config *config, const cnn_dataset *dataset,
                           const cnn_train_options *options, size_t steps)
{
    reference at = {.dataset = dataset, .options = options};
    size_t total = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), batch = (size_t)options->batch;
    check_ok(cnn_model_create(&at.model, config, options->seed));
    size_t count = at.model->network->parameter_count;
    at.m = scratch_zeros(count);
    at.v = scratch_zeros(count);
    at.gradients = scratch_floats(count);
    at.order = scratch_bytes(total * sizeof *at.order);
    for (int epoch = 0; epoch < options->epochs; epoch++) {
        double sum = 0.0;
        size_t batches = 0;
        cnn_philox_permutation(at.order, (uint32_t)total, options->seed, CNN_STREAM_SHUFFLE, 0,
                               (uint64_t)epoch);
        for (size_t first = 0; first < total && at.step < steps; first += batch, batches++)
            sum += train_batch(&at, first, total - first < batch ? total - first : batch);
        losses[epoch] = (float)(sum / (double)batches);
    }
    return at.model;
}

bool models_are_equal(const cnn_model *a, const cnn_model *b)
{
    for (size_t i = 0; i < cnn_model_tensor_count(a); i++) {
        cnn_tensor_info x = cnn_model_tensor(a, i), y = cnn_model_tensor(b, i);
        size_t size = x.type == CNN_FLOAT32 ? sizeof(float) : sizeof(int64_t);
        if (memcmp(x.values, y.values, x.count * size) != 0)
            return false;
    }
    return true;
}

void check_models_close(const char *name, const cnn_model *actual, const cnn_model *expected,
                        double tolerance, bool with_means)
{
    bool batchnorm = cnn_network_has_batchnorm(actual->network);
    for (size_t i = 0; i < cnn_model_tensor_count(actual); i++) {
        cnn_tensor_info x = cnn_model_tensor(actual, i), y = cnn_model_tensor(expected, i);
        bool noise = batchnorm && strstr(x.name, "conv2d") && strstr(x.name, "bias");
        noise = noise || (!with_means && strstr(x.name, "running_mean"));
        if (x.type == CNN_INT64)
            ck_assert_int_eq(*(int64_t *)x.values, *(int64_t *)y.values);
        else if (!noise)
            check_close(name, x.name, x.values, y.values, x.count, tolerance, 0.0);
    }
}

int64_t batches_tracked(const cnn_model *model)
{
    int64_t tracked = -1;
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        if (info.type != CNN_INT64)
            continue;
        int64_t value = *(int64_t *)info.values;
        ck_assert(tracked < 0 || tracked == value);
        tracked = value;
    }
    return tracked;
}
