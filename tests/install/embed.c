/* A whole program on the installed library: trains on images that it makes, then labels new ones.
 * The lines between the two marks are the README's example. To build and run it:
 *   cc embed.c $(pkg-config --cflags --libs cnncl) -o embed && ./embed */
#include <stdio.h>
#include <stdlib.h>

#include <cnncl/cnncl.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CNN_OK)                                                                      \
            goto out;                                                                              \
    } while (0)

enum { SIDE = 28, PIXELS = SIDE * SIDE, QUARTERS = 4, CLASSES = 10 };
enum { COUNT = 512, NEW_COUNT = 100 };

/* Image i is dark but for the quarter of its label, i % QUARTERS: images (count, 1, SIDE, SIDE),
 * labels (count). noise: count * PIXELS values in [0, 1). */
static void make_images(uint8_t *images, uint8_t *labels, const float *noise, int count)
{
    for (int i = 0; i < count; i++) {
        labels[i] = (uint8_t)(i % QUARTERS);
        for (int p = 0; p < PIXELS; p++) {
            int quarter = (p / SIDE) / (SIDE / 2) * 2 + (p % SIDE) / (SIDE / 2);
            int brightness = quarter == labels[i] ? 150 : 0;
            images[i * PIXELS + p] = (uint8_t)(brightness + (int)(100 * noise[i * PIXELS + p]));
        }
    }
}

/* Trains on images (count, 1, 28, 28), bytes, with labels (count); saves the model; writes the
 * logits (new_count, 10) of new images (new_count, 1, 28, 28), whose pixels are in 0..1. */
static cnn_status train_and_label(float *logits, const float *new_images, size_t new_count,
                                  const uint8_t *images, const uint8_t *labels, size_t count)
{
    const int shape[] = {1, SIDE, SIDE};
    cnn_config config;
    cnn_train_options options;
    cnn_device *device = NULL;
    cnn_dataset *dataset = NULL;
    cnn_model *model = NULL;
    cnn_trainer *trainer = NULL;
    cnn_predictor *predictor = NULL;
    cnn_status status;

    /* README: begin */
    cnn_config_init(&config);              // the default network: 1 x 28 x 28 to 10
    cnn_train_options_init(&options);      // 10 epochs of batches of 256
    TRY(cnn_device_create(&device, NULL)); // the best device, or CNN_CL_DEVICE
    TRY(cnn_dataset_create(&dataset, shape, images, labels, count, NULL, NULL, 0));
    TRY(cnn_model_create(&model, &config, 0)); // initial values of seed 0
    TRY(cnn_trainer_create(&trainer, device, model, dataset, &options));
    TRY(cnn_trainer_run(trainer, NULL));
    TRY(cnn_model_save(model, "model.safetensors")); // PyTorch can load it
    TRY(cnn_predictor_create(&predictor, device, model, 256, true));
    TRY(cnn_predictor_run(logits, predictor, new_images, new_count));
    /* README: end */
out:
    cnn_predictor_destroy(predictor);
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
    cnn_device_destroy(device);
    return status;
}

static int count_hits(const float *logits)
{
    int hits = 0;
    for (int i = 0; i < NEW_COUNT; i++) {
        const float *one = logits + i * CLASSES;
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            best = one[c] > one[best] ? c : best;
        hits += best == i % QUARTERS;
    }
    return hits;
}

int main(void)
{
    static float noise[COUNT * PIXELS], new_images[NEW_COUNT * PIXELS];
    static float logits[NEW_COUNT * CLASSES];
    static uint8_t images[COUNT * PIXELS], labels[COUNT];

    cnn_random_uniform(noise, NEW_COUNT * PIXELS, 1);
    make_images(images, labels, noise, NEW_COUNT);
    for (int i = 0; i < NEW_COUNT * PIXELS; i++)
        new_images[i] = (float)images[i] / 255;
    cnn_random_uniform(noise, COUNT * PIXELS, 2);
    make_images(images, labels, noise, COUNT);

    if (train_and_label(logits, new_images, NEW_COUNT, images, labels, COUNT) != CNN_OK) {
        fprintf(stderr, "embed: %s\n", cnn_error_message());
        return EXIT_FAILURE;
    }
    printf("%d of %d new images right\n", count_hits(logits), NEW_COUNT);
    return EXIT_SUCCESS;
}
