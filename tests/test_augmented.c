/* Augmentation on the device: each kind against plain C, and training with it: in pieces, streamed,
 * after a resume. */
#include <math.h>
#include <string.h>

#include <cnncl/checkpoint.h>

#include "check_main.h"
#include "ops/augment.h"
#include "ops/softmax.h"
#include "ref/ref.h"
#include "scratch.h"
#include "train_case.h"

/* Each alone, then all. */
static const cnn_augmentation kinds[] = {
    {.flip = true},   {.shift = 3},
    {.crop_low = 0.4, .crop_high = 0.9},
    {.rotate = 40.0}, {.color = 0.8},
    {.cutout = 4},    {.mixup = 0.7},
    {.flip = true, .shift = 2, .crop_low = 0.6, .crop_high = 1.0, .rotate = 20.0, .color = 0.4,
     .cutout = 3, .mixup = 0.4},
};

enum { KINDS = sizeof kinds / sizeof kinds[0], TOTAL = 23 };

/* What a pass is given: samples of a made-up data set in an order. */
typedef struct augment_case {
    cnn_shape shape;
    size_t image; /* values */
    uint8_t *images;
    uint16_t *labels;
    uint32_t *order;
    float *normal; /* NULL: none */
} augment_case;

static augment_case make_case(random_source *random, cnn_shape shape, bool normal)
{
    augment_case made = {.shape = shape, .image = cnn_shape_count(shape)};
    size_t channels = (size_t)shape.c;
    made.images = random_pixels(random, TOTAL * made.image, 256);
    made.labels = random_labels(random, TOTAL, 60000);
    made.order = scratch_bytes(TOTAL * sizeof *made.order);
    for (uint32_t i = 0; i < TOTAL; i++)
        made.order[i] = (i * 11 + 5) % TOTAL;
    if (!normal)
        return made;
    made.normal = random_uniforms(random, 2 * channels, 0.2, 0.9);
    return made;
}

/* x (n, C, H, W) by plain C: one image and the one before it. */
static float *expect(const augment_case *at, const cnn_augmentation *options,
                     const cnn_augment_draw *draws, const cnn_pass *pass, size_t first, size_t last)
{
    size_t n = (size_t)pass->n;
    float *x = scratch_floats((n + 1) * at->image), *mixed = scratch_floats(n * at->image);
    double *room = scratch_bytes((size_t)at->shape.c * sizeof *room);
    for (size_t i = 0; i <= n; i++) {
        size_t index = at->order[i < n ? first + i : last];
        cnn_ref_augment(x + i * at->image, room, at->images + index * at->image, at->shape,
                        options->cutout, &draws[i], at->normal);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < at->image; j++) {
            float before = x[(i > 0 ? i - 1 : n) * at->image + j], own = x[i * at->image + j];
            mixed[i * at->image + j] =
                (float)(pass->part * (double)own + (1.0 - pass->part) * (double)before);
        }
    return mixed;
}

static void set_greys(cnn_augment_draw *draws, const augment_case *at, size_t n, size_t first,
                      size_t last)
{
    size_t plane = at->image / (size_t)at->shape.c;
    for (size_t i = 0; i <= n; i++)
        draws[i].grey = cnn_augment_grey(
            at->images + at->order[i < n ? first + i : last] * at->image, at->shape.c, plane);
}

static const cnn_augment_draw *copy_draws(const cnn_augment_draw *draws, size_t count)
{
    cnn_augment_draw *copy = scratch_bytes(count * sizeof *copy);
    memcpy(copy, draws, count * sizeof *copy);
    return copy;
}

/* A pass that is a piece of a batch of ten. */
static void check_kind(const augment_case *at, const cnn_augmentation *options, int before, int n)
{
    enum { BATCH = 10, BEGIN = 4 };
    cnn_pass pass = {.n = n, .training = true, .seed = 5, .step = 77, .before = before};
    pass.after = BATCH - before - n;
    size_t first = (size_t)(BEGIN + before), size = (size_t)n * at->image;
    size_t last = (size_t)(BEGIN + (before > 0 ? before : BATCH) - 1);
    cnn_augment augment = {0};
    cnn_augment_draw *draws;
    check_ok(cnn_augment_init(&augment, test_device(), at->shape, BATCH, options));
    if (at->normal)
        check_ok(cnn_augment_normalize(&augment, at->normal));
    check_ok(cnn_augment_draw_pass(&draws, &augment, &pass, NULL));
    set_greys(draws, at, (size_t)n, first, last);
    const cnn_augment_draw *drawn = copy_draws(draws, (size_t)n + 1);
    cl_mem x = device_floats(NULL, size), taken = device_bytes(NULL, 2 * BATCH * sizeof(uint16_t));
    cnn_gather_source source = {device_bytes(at->images, TOTAL * at->image),
                                device_bytes(at->labels, TOTAL * sizeof *at->labels),
                                device_bytes(at->order, TOTAL * sizeof *at->order)};
    check_ok(cnn_augment_run(&augment, x, taken, &source, (uint32_t)first, (uint32_t)last, &pass));
    const float *found = to_host_layout(read_floats(x, size), at->shape, n);
    check_close("augment", "x", found, expect(at, options, drawn, &pass, first, last), size, 2e-5, 1e-6);
    const uint16_t *labels = read_bytes(taken, 2 * BATCH * sizeof *labels);
    for (size_t i = 0; i < (size_t)n; i++) {
        ck_assert_uint_eq(labels[i], at->labels[at->order[first + i]]);
        if (options->mixup > 0.0)
            ck_assert_uint_eq(labels[BATCH + i],
                              at->labels[at->order[i > 0 ? first + i - 1 : last]]);
    }
    check_guards("augment");
    cnn_augment_finish(&augment);
}

START_TEST(images_change_as_in_plain_c)
{
    static const int channels[] = {1, 3, 2};
    random_source random = {.seed = (uint64_t)_i};
    cnn_shape shape = {channels[_i % 3], random_int(&random, 4, 17), random_int(&random, 4, 17)};
    augment_case at = make_case(&random, shape, _i % 2 == 1);
    for (int kind = 0; kind < KINDS; kind++) {
        check_kind(&at, &kinds[kind], 0, 10);
        check_kind(&at, &kinds[kind], 3, random_int(&random, 1, 7));
    }
}
END_TEST

/* Mirrored and shifted pixels are the data's, to the bit. */
START_TEST(whole_pixels_are_exact)
{
    random_source random = {.seed = 9};
    augment_case at = make_case(&random, (cnn_shape){3, 7, 6}, false);
    const cnn_augmentation options = {.flip = true, .shift = 2};
    cnn_augment augment = {0};
    cnn_augment_draw *draws;
    cnn_pass pass = {.n = TOTAL, .training = true, .seed = 1};
    check_ok(cnn_augment_init(&augment, test_device(), at.shape, TOTAL, &options));
    check_ok(cnn_augment_draw_pass(&draws, &augment, &pass, NULL));
    const cnn_augment_draw *drawn = copy_draws(draws, TOTAL + 1);
    cl_mem x = device_floats(NULL, TOTAL * at.image), taken = device_bytes(NULL, TOTAL * 2);
    cnn_gather_source source = {device_bytes(at.images, TOTAL * at.image),
                                device_bytes(at.labels, TOTAL * sizeof *at.labels), NULL};
    check_ok(cnn_augment_run(&augment, x, taken, &source, 0, TOTAL - 1, &pass));
    const float *found = to_host_layout(read_floats(x, TOTAL * at.image), at.shape, TOTAL);
    for (size_t i = 0; i < TOTAL * at.image; i++) {
        const cnn_augment_draw *of = &drawn[i / at.image];
        int column = (int)(i % 6), row = (int)(i / 6 % 7);
        int u = (int)(of->u[0] * (float)column + of->u[2]), v = row + (int)of->v[2];
        bool inside = u >= 0 && u < 6 && v >= 0 && v < 7;
        float expected = inside ? (float)at.images[i / 42 * 42 + (size_t)(v * 6 + u)] / 255.0f : 0.0f;
        ck_assert_float_eq_tol(found[i], expected, 1e-7f);
    }
    cnn_augment_finish(&augment);
}
END_TEST

/* _i: with smoothing, weights, both, neither. */
START_TEST(the_loss_of_a_mixture_is_that_of_both_labels)
{
    enum { N = 13, CLASSES = 5, BATCH = 17, COUNT = N * CLASSES };
    random_source random = {.seed = (uint64_t)_i};
    double smoothing = _i & 1 ? 0.1 : 0.0, part = 0.3;
    const float *weights = _i & 2 ? random_uniforms(&random, CLASSES, 0.5, 2.0) : NULL;
    const float *logits = random_normals(&random, COUNT, 2.0);
    uint16_t *labels = scratch_bytes((BATCH + N) * sizeof *labels);
    memcpy(labels, random_labels(&random, N, CLASSES), N * sizeof *labels);
    for (int i = 0; i < N; i++) /* as the kernel mixes them: the sums of weights are then equal */
        labels[BATCH + i] = labels[(i + N - 1) % N];
    float *one = scratch_floats(COUNT), *other = scratch_floats(COUNT), losses[1], loss;
    double first =
        cnn_ref_shaped_cross_entropy(one, logits, labels, N, CLASSES, smoothing, weights);
    double second =
        cnn_ref_shaped_cross_entropy(other, logits, labels + BATCH, N, CLASSES, smoothing, weights);
    loss = (float)(part * first + (1.0 - part) * second);
    cnn_pass pass = {.n = N, .training = true, .mixed = true, .part = part};
    for (int i = 0; i < COUNT; i++)
        one[i] = (float)(part * (double)one[i] + (1.0 - part) * (double)other[i]);
    for (int i = 0; weights && i < N; i++)
        pass.weight += (double)weights[labels[i]];
    cnn_softmax softmax = {0};
    uint32_t hits[1];
    int bad;
    check_ok(cnn_softmax_init(&softmax, test_device(), CLASSES, BATCH, 1));
    check_ok(cnn_softmax_shape(&softmax, smoothing, weights));
    cl_mem gradient = device_floats(NULL, COUNT);
    check_ok(cnn_softmax_run(&softmax, gradient, device_floats(logits, COUNT),
                             device_bytes(labels, (BATCH + N) * sizeof *labels), 0, &pass));
    check_close("mixture", "dlogits", read_floats(gradient, COUNT), one, COUNT, 3e-6, 1e-7);
    check_ok(cnn_softmax_read(losses, hits, &bad, &softmax, 0, 1));
    check_close("mixture", "loss", losses, &loss, 1, 3e-6, 0.0);
    cnn_softmax_finish(&softmax);
}
END_TEST

static const int image_shape[] = {3, 10, 8};

static cnn_train_options augmented_options(void)
{
    cnn_train_options options = train_options();
    options.augment = kinds[KINDS - 1];
    options.label_smoothing = 0.1;
    return options;
}

/* Streamed or resident makes no difference to the bit; pieces none but for the order of sums. */
START_TEST(how_batches_come_makes_no_difference)
{
    cnn_config config = train_config(false, 0.3);
    cnn_dataset *dataset = make_dataset(image_shape, TRAIN_CLASSES, 47, 11);
    cnn_train_options options = augmented_options(), plain = options;
    cnn_model *resident = train_model(&config, dataset, &options, NULL, CNN_OK);
    options.stream = true;
    cnn_model *streamed = train_model(&config, dataset, &options, NULL, CNN_OK);
    ck_assert(models_are_equal(resident, streamed));
    for (int i = 0; i < 2; i++) {
        options.stream = i;
        options.micro_batch = 3;
        cnn_model *pieces = train_model(&config, dataset, &options, NULL, CNN_OK);
        check_models_close("pieces", pieces, resident, 1e-5, true);
        cnn_model_destroy(pieces);
    }
    plain.augment = (cnn_augmentation){0};
    cnn_model *other = train_model(&config, dataset, &plain, NULL, CNN_OK);
    ck_assert(!models_are_equal(resident, other));
    cnn_model_destroy(other);
    cnn_model_destroy(resident);
    cnn_model_destroy(streamed);
    cnn_dataset_destroy(dataset);
}
END_TEST

/* In the second epoch. */
static bool stop_in_training(const cnn_progress *progress, void *user)
{
    int *calls = user;
    return progress->epoch < 1 || strcmp(progress->phase, "train") != 0 || ++*calls < 3;
}

/* The checkpoint says what was done to the images; other wishes are refused. */
START_TEST(a_resume_ends_alike)
{
    cnn_config config = train_config(true, 0.3);
    cnn_dataset *dataset = make_dataset(image_shape, TRAIN_CLASSES, 47, 11);
    cnn_train_options options = augmented_options(), other;
    int calls = 0;
    cnn_train_callbacks callbacks = {.on_progress = stop_in_training, .user = &calls};
    cnn_model *whole = train_model(&config, dataset, &options, NULL, CNN_OK), *model, *again;
    cnn_trainer *trainer;
    cnn_checkpoint *checkpoint;
    scratch folder;
    scratch_init(&folder);
    check_ok(cnn_model_create(&model, &config, options.seed));
    check_ok(cnn_trainer_create(&trainer, test_device(), model, dataset, &options));
    ck_assert_int_eq(cnn_trainer_run(trainer, &callbacks), CNN_ERROR_STOPPED);
    check_ok(cnn_trainer_save(trainer, scratch_path(&folder, "checkpoint"), NULL));
    cnn_trainer_destroy(trainer);
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&folder, "checkpoint")));
    other = *cnn_checkpoint_options(checkpoint);
    ck_assert_mem_eq(&other.augment, &options.augment, sizeof other.augment);
    check_ok(cnn_checkpoint_model(&again, checkpoint));
    check_ok(cnn_trainer_create(&trainer, test_device(), again, dataset, &other));
    check_ok(cnn_trainer_resume(trainer, checkpoint));
    check_ok(cnn_trainer_run(trainer, NULL));
    ck_assert(models_are_equal(again, whole));
    cnn_trainer_destroy(trainer);
    other.augment.shift = 1;
    ck_assert_int_eq(cnn_checkpoint_check(checkpoint, cnn_checkpoint_network(checkpoint), &other,
                                          dataset),
                     CNN_ERROR_DATA);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "--augment"));
    cnn_checkpoint_destroy(checkpoint);
    cnn_model_destroy(again);
    cnn_model_destroy(model);
    cnn_model_destroy(whole);
    cnn_dataset_destroy(dataset);
    scratch_finish(&folder);
}
END_TEST

/* What is frozen is not kept; the first images are those of the first steps, also in pieces. */
START_TEST(the_first_images_are_shown)
{
    enum { COUNT = 25, IMAGE = 240 };
    cnn_config config = train_config(false, 0.0);
    cnn_dataset *dataset = make_dataset(image_shape, TRAIN_CLASSES, 23, 11);
    cnn_train_options options = augmented_options();
    uint8_t *images[2];
    cnn_shown shown[2][COUNT];
    snprintf(options.freeze, sizeof options.freeze, "net.conv2d_00");
    for (int i = 0; i < 2; i++) {
        cnn_model *model;
        cnn_trainer *trainer;
        size_t count = COUNT;
        images[i] = scratch_bytes(COUNT * IMAGE);
        options.micro_batch = i ? 4 : 0;
        options.stream = i;
        check_ok(cnn_model_create(&model, &config, options.seed));
        check_ok(cnn_trainer_create(&trainer, test_device(), model, dataset, &options));
        ck_assert(cnn_trainer_augments(trainer) && !cnn_trainer_keeps(trainer));
        check_ok(cnn_trainer_augmented(images[i], shown[i], &count, trainer));
        ck_assert_uint_eq(count, 23);
        cnn_trainer_destroy(trainer);
        cnn_model_destroy(model);
    }
    ck_assert_mem_eq(images[0], images[1], 23 * IMAGE);
    for (int i = 0; i < 23; i++) {
        ck_assert_uint_eq(shown[0][i].label, shown[1][i].label);
        ck_assert_uint_eq(shown[0][i].other, shown[0][i % 10 ? i - 1 : i < 20 ? i + 9 : 22].label);
        ck_assert_uint_eq(shown[0][i].other, shown[1][i].other);
        ck_assert(shown[0][i].part == shown[1][i].part);
    }
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(impossible_shifts_are_refused)
{
    cnn_config config = train_config(false, 0.0);
    cnn_dataset *dataset = make_dataset(image_shape, TRAIN_CLASSES, 23, 0);
    cnn_train_options options = train_options();
    cnn_model *model;
    cnn_trainer *trainer;
    options.augment.shift = 8;
    check_ok(cnn_model_create(&model, &config, 0));
    ck_assert_int_eq(cnn_trainer_create(&trainer, test_device(), model, dataset, &options),
                     CNN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "10 x 8, found 8"));
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("augmented");
    TCase *tests = add_device_case(suite, "augmented");
    tcase_add_loop_test(tests, images_change_as_in_plain_c, 0, sweep(4, 20));
    tcase_add_test(tests, whole_pixels_are_exact);
    tcase_add_loop_test(tests, the_loss_of_a_mixture_is_that_of_both_labels, 0, 4);
    tcase_add_test(tests, how_batches_come_makes_no_difference);
    tcase_add_test(tests, a_resume_ends_alike);
    tcase_add_test(tests, the_first_images_are_shown);
    tcase_add_test(tests, impossible_shifts_are_refused);
    return run_device_suite(suite);
}
