/* A whole program on the installed library: it trains a network on images that it holds in memory,
 * follows and stops training, saves and loads the model, and labels an image. To build and run it:
 *   cc embed.c $(pkg-config --cflags --libs cnncl) -o embed && ./embed
 * The lines between the two marks are the example of docs/library.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnncl/cnncl.h>

/* Every function that can fail returns a status; cnn_error_message() then says why in one line. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CNN_OK)                                                                      \
            goto out;                                                                              \
    } while (0)

enum { SIDE = 16, PIXELS = SIDE * SIDE, CLASSES = 4, COUNT = 512, TESTS = 100 };
static const int shape[3] = {1, SIDE, SIDE}; // channels, height, width

/* Stands for your data: images (count, 1, SIDE, SIDE), bytes, are noise with one brighter quarter;
 * which one is the label: labels (count). */
static void make_images(uint8_t *images, uint16_t *labels, size_t count, uint64_t seed)
{
    static float noise[COUNT * PIXELS]; // in [0, 1)
    cnn_random_uniform(noise, count * PIXELS, seed);
    for (size_t i = 0; i < count; i++) {
        labels[i] = (uint16_t)(i % CLASSES);
        for (size_t p = 0; p < PIXELS; p++) {
            size_t quarter = p / (PIXELS / 2) * 2 + p % SIDE / (SIDE / 2);
            float value = 150 * noise[i * PIXELS + p] + (quarter == labels[i] ? 100.0F : 0.0F);
            images[i * PIXELS + p] = (uint8_t)value;
        }
    }
}

static cnn_status list_devices(void)
{
    cnn_device_list *list;
    cnn_status status = cnn_device_list_create(&list);
    if (status != CNN_OK)
        return status;
    for (size_t i = 0; i < cnn_device_list_count(list); i++) { // those that can be used, best first
        const cnn_device_info *info = cnn_device_list_get(list, i);
        printf("device %zu: %s, %s\n", i, info->name, cnn_device_type_name(info->type));
    }
    cnn_device_list_destroy(list);
    return CNN_OK;
}

/* Called before training (index -1, without a loss) and after each epoch; false stops the run.
 * There is on_progress, too, many times in an epoch. user: the test accuracy that is enough. */
static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    const double *enough = user;
    printf("epoch %d: test accuracy %.3f", epoch->index, epoch->test_accuracy);
    if (epoch->index >= 0)
        printf(", loss %.3f", epoch->loss);
    printf("\n");
    return epoch->test_accuracy < *enough;
}

/* Trains a new model only until it is good enough. A run that was stopped has not failed: the model
 * has the values of the last step, and can be used like any other. */
static cnn_status train_until(double enough, cnn_device *device, const cnn_dataset *dataset,
                              const cnn_config *config, const cnn_train_options *options)
{
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch, .user = &enough};
    cnn_model *model = NULL;
    cnn_trainer *trainer = NULL;
    cnn_status status;

    TRY(cnn_model_create(&model, config, 1));
    TRY(cnn_trainer_create(&trainer, device, model, dataset, options));
    status = cnn_trainer_run(trainer, &callbacks);
    if (status == CNN_ERROR_STOPPED) {
        printf("stopped: that is enough\n");
        status = CNN_OK;
    }
out:
    cnn_trainer_destroy(trainer); // takes NULL, too
    cnn_model_destroy(model);
    return status;
}

/* The class with the largest logit. */
static int label_of(const float *logits)
{
    int best = 0;
    for (int c = 1; c < CLASSES; c++)
        best = logits[c] > logits[best] ? c : best;
    return best;
}

static cnn_status run(void)
{
    static uint8_t images[COUNT * PIXELS], test_images[TESTS * PIXELS];
    static uint16_t labels[COUNT], test_labels[TESTS];
    float image[PIXELS], logits[CLASSES];
    double never = 2; // an accuracy is at most 1
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch, .user = &never};
    cnn_train_options options;
    cnn_config config;
    cnn_evaluation test;
    cnn_device *device = NULL;
    cnn_dataset *data = NULL;
    cnn_model *model = NULL, *loaded = NULL;
    cnn_trainer *trainer = NULL;
    cnn_predictor *predictor = NULL;
    cnn_status status;

    make_images(images, labels, COUNT, 1);
    make_images(test_images, test_labels, TESTS, 2);
    for (int p = 0; p < PIXELS; p++)
        image[p] = (float)test_images[p] / 255; // what is predicted on has pixels in 0..1

    cnn_config_init(&config); // the default network, for images and classes of ours
    memcpy(config.xdim, shape, sizeof(shape));
    config.ydim = CLASSES;
    cnn_train_options_init(&options);
    options.epochs = 4;
    options.batch = 32;
    TRY(list_devices());

    /* docs: begin */
    TRY(cnn_device_create(&device, NULL)); // the best device, or what CNN_CL_DEVICE says
    TRY(cnn_dataset_create(&data, shape, images, labels, COUNT, test_images, test_labels, TESTS));
    TRY(cnn_model_create(&model, &config, 0)); // initial values of seed 0
    TRY(cnn_trainer_create(&trainer, device, model, data, &options));
    TRY(cnn_trainer_run(trainer, &callbacks));       // on_epoch is called, and can stop it
    TRY(cnn_model_save(model, "model.safetensors")); // PyTorch can load it
    TRY(cnn_model_load(&loaded, "model.safetensors"));
    TRY(cnn_predictor_create(&predictor, device, loaded, 32, true)); // 32 images at a time
    TRY(cnn_predictor_evaluate(&test, predictor, data, CNN_SPLIT_TEST));
    TRY(cnn_predictor_run(logits, predictor, image, 1)); // one image
    /* docs: end */

    printf("%zu of %zu test images right\n", test.hits, test.count);
    printf("an image of class %d is taken for class %d\n", test_labels[0], label_of(logits));
    TRY(train_until(0.9, device, data, &config, &options));
out: // what stands on another is destroyed before it
    cnn_predictor_destroy(predictor);
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(loaded);
    cnn_model_destroy(model);
    cnn_dataset_destroy(data);
    cnn_device_destroy(device);
    return status;
}

int main(void)
{
    if (run() == CNN_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "embed: %s\n", cnn_error_message());
    return EXIT_FAILURE;
}
