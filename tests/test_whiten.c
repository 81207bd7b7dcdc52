/* --whiten: a first convolution whose outputs vary alike and independently over the training
 * images. */
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "train/trainer.h"
#include "train_case.h"

enum { CHANNELS = 3, HEIGHT = 9, WIDTH = 8, TRAINED = 40, FILTERS = 24, HALF = FILTERS / 2 };

static const int shape[] = {CHANNELS, HEIGHT, WIDTH};
static const char text[] = "input()\n"
                           "first = Conv2d(24, 2, padding=(0, 0, 1, 1))\n"
                           "ReLU()\n"
                           "second = Conv2d(4, 3)\n"
                           "third = Conv2d(5, 3, groups=1)\n"
                           "Flatten()\n"
                           "fc = Linear(classes)\n";

static cnn_status create(cnn_trainer **trainer, cnn_model **model, const cnn_dataset *dataset,
                         const char *network_text, const char *layer, const char *normalize)
{
    cnn_network *network;
    const cnn_network_given given = {.input = {CHANNELS, HEIGHT, WIDTH}, .classes = TRAIN_CLASSES};
    cnn_train_options options = train_options();
    snprintf(options.whiten, sizeof options.whiten, "%s", layer);
    check_ok(cnn_network_from_text(&network, "net", network_text, "text", &given));
    check_ok(cnn_model_create_network(model, network, 5));
    check_ok(cnn_model_set_normalization(*model, normalize));
    cnn_network_destroy(network);
    return cnn_trainer_create(trainer, test_device(), *model, dataset, &options);
}

/* What a filter gives at a place of an image, without the bias. */
static double respond(const cnn_model *model, const uint8_t *image, int filter, int y, int x)
{
    const float *weights = model->parameters + model->network->layers[0].params[0].offset +
                           (size_t)filter * CHANNELS * 4;
    const cnn_normalization *normal = &model->normalization;
    double sum = 0.0;
    for (int c = 0; c < CHANNELS; c++)
        for (int tap = 0; tap < 4; tap++) {
            double pixel = image[(c * HEIGHT + y + tap / 2) * WIDTH + x + tap % 2] / 255.0;
            sum += weights[c * 4 + tap] * (pixel - normal->means[c]) / normal->deviations[c];
        }
    return sum;
}

static double mean_product(const cnn_model *model, const cnn_dataset *dataset, int a, int b)
{
    const uint8_t *images = cnn_dataset_images(dataset, CNN_SPLIT_TRAIN);
    double sum = 0.0;
    for (int i = 0; i < TRAINED; i++)
        for (int y = 0; y < HEIGHT - 1; y++)
            for (int x = 0; x < WIDTH - 1; x++) {
                const uint8_t *image = images + (size_t)i * CHANNELS * HEIGHT * WIDTH;
                sum += respond(model, image, a, y, x) * respond(model, image, b, y, x);
            }
    return sum / (TRAINED * (HEIGHT - 1) * (WIDTH - 1));
}

START_TEST(filters_whiten_patches)
{
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, TRAINED, 8);
    cnn_trainer *trainer;
    cnn_model *model;
    check_ok(create(&trainer, &model, dataset, text, "first", "0.4,0.5,0.3:0.2,0.25,0.3"));
    for (int a = 0; a < HALF; a++) {
        for (int b = 0; b <= a; b++)
            ck_assert_double_eq_tol(mean_product(model, dataset, a, b), a == b ? 1.0 : 0.0, 0.02);
        const float *weights = model->parameters + (size_t)a * CHANNELS * 4;
        for (int k = 0; k < CHANNELS * 4; k++)
            ck_assert_float_eq(weights[k], -weights[HALF * CHANNELS * 4 + k]);
    }
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
}
END_TEST

static const struct {
    const char *network, *layer, *message;
} wrong[] = {
    {text, "none", "--whiten: expected a pattern of names of layers"},
    {text, "second",
     "--whiten: expected a Conv2d that reads the network's input and has one group, found "
     "second"},
    {text, "*d", "--whiten: expected the name of one layer, found '*d', which 2 have"},
    {text, "fc", "--whiten: expected a Conv2d that reads"},
    {"input()\na = Conv2d(26, 2)\nFlatten()\nfc = Linear(classes)\n", "a",
     "found 26 channels and patches of 12"},
    {"input()\na = Conv2d(7, 2)\nFlatten()\nfc = Linear(classes)\n", "a",
     "an even number of output channels"},
    {"input()\na = Conv2d(3, 2, groups=3)\nFlatten()\nfc = Linear(classes)\n", "a",
     "has one group"},
    {"input()\na = Conv2d(4, 11, padding=9)\nFlatten()\nfc = Linear(classes)\n", "a",
     "patches of at most 160 values"},
    {"input()\na = Conv2d(4, (2, 9), padding=9)\nFlatten()\nfc = Linear(classes)\n", "a",
     "expected images that a fits in"},
};

START_TEST(other_layers_are_refused)
{
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, TRAINED, 8);
    cnn_trainer *trainer;
    cnn_model *model;
    ck_assert_int_eq(create(&trainer, &model, dataset, wrong[_i].network, wrong[_i].layer, "none"),
                     CNN_ERROR_ARGUMENT);
    ck_assert_msg(strstr(cnn_error_message(), wrong[_i].message), "%s", cnn_error_message());
    ck_assert_ptr_null(trainer);
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
}
END_TEST

int main(void)
{
    enum { WRONG = sizeof wrong / sizeof wrong[0] };
    Suite *suite = suite_create("whiten");
    TCase *tests = add_device_case(suite, "whiten");
    tcase_add_test(tests, filters_whiten_patches);
    tcase_add_loop_test(tests, other_layers_are_refused, 0, WRONG);
    return run_device_suite(suite);
}
