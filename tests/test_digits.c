/* Drawn digits of many sizes, colours, widths and places, read by a network that is trained here on
 * MNIST; skipped where MNIST is not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cnncl/cnncl.h>

#include "drawn.h"
#include "on_device.h"
#include "support.h"

enum { DIGITS = 10, INPUT = 28 * 28, SKIPPED = 77 };

#define BLACK                                                                                      \
    {                                                                                              \
        0.0, 0.0, 0.0, 1.0                                                                         \
    }
#define WHITE                                                                                      \
    {                                                                                              \
        1.0, 1.0, 1.0, 1.0                                                                         \
    }

static const drawn_style styles[] = {
    {"dark on light", 280, 280, 180, 0.5, 0.5, 0.10, 0.0, BLACK, WHITE},
    {"light on dark", 280, 280, 180, 0.5, 0.5, 0.10, 0.0, WHITE, BLACK},
    {"slanted", 300, 260, 170, 0.5, 0.5, 0.11, 0.2, BLACK, WHITE},
    {"slanted to the left", 300, 260, 170, 0.5, 0.5, 0.11, -0.1, BLACK, WHITE},
    {"hairline", 400, 400, 300, 0.5, 0.5, 0.008, 0.0, BLACK, WHITE},
    {"thin", 200, 200, 150, 0.5, 0.5, 0.03, 0.1, BLACK, WHITE},
    {"thick", 200, 200, 130, 0.5, 0.5, 0.20, 0.0, BLACK, WHITE},
    {"small", 28, 28, 18, 0.5, 0.5, 0.12, 0.0, WHITE, BLACK},
    {"tiny", 16, 16, 12, 0.5, 0.5, 0.14, 0.0, BLACK, WHITE},
    {"large", 2400, 1800, 1300, 0.5, 0.5, 0.10, 0.0, BLACK, WHITE},
    {"in a corner", 640, 480, 110, 0.15, 0.2, 0.10, 0.0, BLACK, WHITE},
    {"in the other corner", 480, 640, 90, 0.85, 0.9, 0.10, 0.1, WHITE, BLACK},
    {"lost in a large picture", 1600, 1200, 100, 0.7, 0.3, 0.12, 0.0, BLACK, WHITE},
    {"blue on yellow", 320, 240, 150, 0.5, 0.5, 0.1, 0.1, {0.1, 0.2, 0.7, 1}, {1, 0.9, 0.5, 1}},
    {"yellow on blue", 320, 240, 150, 0.5, 0.5, 0.1, 0.1, {1, 0.9, 0.3, 1}, {0.1, 0.2, 0.6, 1}},
    /* as bright as each other */
    {"red on green", 240, 240, 150, 0.5, 0.5, 0.1, 0.0, {0.9, 0.2, 0.2, 1}, {0.0, 0.56, 0.3, 1}},
    {"pencil", 240, 240, 150, 0.5, 0.5, 0.08, 0.1, {0.6, 0.6, 0.6, 1}, {0.85, 0.85, 0.85, 1}},
    {"dark grey on black", 240, 240, 150, 0.5, 0.5, 0.1, 0.0, {0.3, 0.3, 0.3, 1}, BLACK},
    {"on nothing", 240, 240, 150, 0.5, 0.5, 0.1, 0.0, BLACK, {0, 0, 0, 0}},
    {"from edge to edge", 150, 150, 140, 0.5, 0.5, 0.1, 0.0, BLACK, WHITE},
    {"wide picture", 900, 100, 80, 0.4, 0.5, 0.1, 0.0, BLACK, WHITE},
};
enum { STYLES = sizeof styles / sizeof styles[0] };

static cnn_model *model;
static cnn_predictor *predictor;

static const char *mnist_folder(void)
{
    const char *folder = getenv("CNN_TEST_MNIST_DIR");
    struct stat info;
    return folder && stat(folder, &info) == 0 ? folder : NULL;
}

/* One epoch of a small network: about 97 of 100 right. */
static void train(void)
{
    cnn_dataset *dataset;
    cnn_trainer *trainer;
    cnn_config config;
    cnn_train_options options;
    cnn_config_init(&config);
    check_ok(cnn_config_set(&config, "cdims", "8,16"));
    check_ok(cnn_config_set(&config, "dropout", "0.1"));
    cnn_train_options_init(&options);
    options.epochs = 1;
    options.batch = 64;
    options.lr = 2e-3;
    check_ok(cnn_dataset_load(&dataset, mnist_folder()));
    ck_assert_str_eq(cnn_dataset_known(dataset), "mnist");
    check_ok(cnn_model_create(&model, &config, 0));
    ck_assert_str_eq(cnn_model_data(model), "");
    check_ok(cnn_trainer_create(&trainer, test_device(), model, dataset, &options));
    check_ok(cnn_trainer_run(trainer, NULL));
    ck_assert_str_eq(cnn_model_data(model), "mnist");
    cnn_trainer_destroy(trainer);
    cnn_dataset_destroy(dataset);
    check_ok(cnn_predictor_create(&predictor, test_device(), model, DIGITS, true));
}

static void finish(void)
{
    cnn_predictor_destroy(predictor);
    cnn_model_destroy(model);
}

/* The same picture through every format in turn. */
static void convert(float *input, int digit, const drawn_style *style, int format)
{
    size_t size;
    cnn_images *images;
    cairo_surface_t *surface = drawn_digit(digit, style);
    bool opaque = style->ground.alpha == 1.0;
    uint8_t *data = format == 0 || !opaque ? drawn_png(&size, surface)
                    : format == 1          ? drawn_jpeg(&size, surface, 3)
                                           : drawn_pnm(&size, surface, 3);
    cairo_surface_destroy(surface);
    check_ok(cnn_images_decode(&images, data, size, style->name, 0));
    cnn_image image = cnn_images_get(images, 0);
    check_ok(cnn_image_to_digit(input, (int[]){1, 28, 28}, &image));
    cnn_images_destroy(images);
    free(data);
}

static int best_of(const float *logits)
{
    int best = 0;
    for (int i = 1; i < DIGITS; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static int right_of(const drawn_style *style, int format)
{
    float *inputs = scratch_floats((size_t)DIGITS * INPUT);
    float *logits = scratch_floats((size_t)DIGITS * DIGITS);
    int right = 0;
    for (int digit = 0; digit < DIGITS; digit++)
        convert(inputs + digit * INPUT, digit, style, format);
    check_ok(cnn_predictor_run(logits, predictor, inputs, DIGITS));
    printf("%s:", style->name);
    for (int digit = 0; digit < DIGITS; digit++) {
        int best = best_of(logits + digit * DIGITS);
        right += best == digit;
        printf(" %d", best);
    }
    printf("\n");
    return right;
}

START_TEST(drawn_digits_are_read)
{
    int right = 0;
    for (int i = 0; i < STYLES; i++) {
        int of_style = right_of(&styles[i], i % 3);
        ck_assert_msg(of_style >= 7, "%s: %d of 10 right", styles[i].name, of_style);
        right += of_style;
    }
    printf("%d of %d right\n", right, STYLES * DIGITS);
    ck_assert_int_ge(right, STYLES * DIGITS * 92 / 100);
}
END_TEST

/* MNIST's own test images are such already: the conversion must not spoil them. */
START_TEST(mnist_itself_stays_as_it_is)
{
    enum { COUNT = 1000 };
    cnn_dataset *dataset;
    check_ok(cnn_dataset_load(&dataset, mnist_folder()));
    const uint8_t *pixels = cnn_dataset_images(dataset, CNN_SPLIT_TEST);
    const uint16_t *labels = cnn_dataset_labels(dataset, CNN_SPLIT_TEST);
    float *plain = scratch_floats((size_t)COUNT * INPUT), *made = scratch_floats(COUNT * INPUT);
    float *logits = scratch_floats(COUNT * DIGITS);
    int right[2] = {0, 0};
    const int shape[] = {1, 28, 28};
    for (int i = 0; i < COUNT; i++) {
        cnn_image image = {.shape = {1, 28, 28}, .pixels = pixels + (size_t)i * INPUT};
        check_ok(cnn_image_to_input(plain + (size_t)i * INPUT, shape, &image));
        check_ok(cnn_image_to_digit(made + (size_t)i * INPUT, shape, &image));
    }
    for (int way = 0; way < 2; way++) {
        check_ok(cnn_predictor_run(logits, predictor, way ? made : plain, COUNT));
        for (int i = 0; i < COUNT; i++)
            right[way] += best_of(logits + i * DIGITS) == labels[i];
    }
    printf("MNIST: %d of %d as they are, %d converted\n", right[0], COUNT, right[1]);
    ck_assert_int_ge(right[0], COUNT * 93 / 100);
    ck_assert_int_ge(right[1], right[0] - COUNT / 50);
    cnn_dataset_destroy(dataset);
}
END_TEST

int main(void)
{
    if (!mnist_folder()) {
        fprintf(stderr, "skipped: there is no MNIST to train on\n");
        return SKIPPED;
    }
    Suite *suite = suite_create("digits");
    TCase *tests = add_device_case(suite, "digits");
    tcase_set_timeout(tests, 0);
    tcase_add_unchecked_fixture(tests, train, finish);
    tcase_add_test(tests, drawn_digits_are_read);
    tcase_add_test(tests, mnist_itself_stays_as_it_is);
    return run_device_suite(suite);
}
