/* Prediction and evaluation as the public API has them. */
#include <math.h>

#include <cnncl/predictor.h>

#include "check_main.h"
#include "ref/ref.h"
#include "train_case.h"

enum { TRAIN = 40, TEST = 23 };

static const int shape[] = {3, 10, 8};
static const int batches[] = {1, 4, 7, 23, 64};
enum { BATCHES = sizeof batches / sizeof batches[0], IMAGE = 3 * 10 * 8 };

static cnn_dataset *dataset;
static cnn_model *model; /* trained a little: its running statistics matter */

static void set_up(void)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options();
    dataset = make_dataset(shape, TRAIN_CLASSES, TRAIN, TEST);
    model = train_model(&config, dataset, &options, NULL, CNN_OK);
}

static void tear_down(void)
{
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
}

static float *test_pixels(void)
{
    float *pixels = scratch_floats(TEST * IMAGE);
    for (size_t i = 0; i < TEST * IMAGE; i++)
        pixels[i] = (float)cnn_dataset_images(dataset, CNN_SPLIT_TEST)[i] / 255.0f;
    return pixels;
}

static float *expected_logits(double *loss)
{
    float *logits = scratch_floats(TEST * TRAIN_CLASSES);
    check_ok(cnn_ref_network(logits, loss, NULL, model, test_pixels(),
                             cnn_dataset_labels(dataset, CNN_SPLIT_TEST), TEST,
                             (cnn_ref_pass){.training = false}));
    return logits;
}

static cnn_predictor *make_predictor(int batch, bool fuse)
{
    cnn_predictor *predictor;
    check_ok(cnn_predictor_create(&predictor, test_device(), model, batch, fuse));
    return predictor;
}

/* _i: twice the batch's number, plus 1 for fused steps. */
START_TEST(logits_are_those_of_plain_c)
{
    double loss;
    cnn_predictor *predictor = make_predictor(batches[_i / 2], _i % 2 == 1);
    float *expected = expected_logits(&loss), *pixels = test_pixels();
    for (size_t count = 0; count <= TEST; count += 11) {
        float *logits = scratch_floats(TEST * TRAIN_CLASSES);
        check_ok(cnn_predictor_run(logits, predictor, pixels, count));
        check_close("predictor", "logits", logits, expected, count * TRAIN_CLASSES, 1e-5, 0.0);
        check_untouched("predictor", "logits", logits + count * TRAIN_CLASSES,
                        (TEST - count) * TRAIN_CLASSES);
    }
    cnn_predictor_destroy(predictor);
}
END_TEST

/* Left is right. */
static float *mirrored_pixels(void)
{
    float *pixels = scratch_floats(TEST * IMAGE), *from = test_pixels();
    for (size_t i = 0; i < TEST * IMAGE; i++)
        pixels[i] = from[i - i % 8 + 7 - i % 8];
    return pixels;
}

/* The probabilities of logits (TEST, classes), in place. */
static void to_probabilities(float *logits)
{
    for (float *at = logits; at < logits + TEST * TRAIN_CLASSES; at += TRAIN_CLASSES) {
        double sum = 0.0;
        for (int c = 0; c < TRAIN_CLASSES; c++)
            sum += exp((double)at[c]);
        for (int c = 0; c < TRAIN_CLASSES; c++)
            at[c] = (float)(exp((double)at[c]) / sum);
    }
}

/* (TEST, classes), by two runs without test-time augmentation. */
static float *mean_probabilities(void)
{
    float *own = scratch_floats(TEST * TRAIN_CLASSES), *other = scratch_floats(TEST * TRAIN_CLASSES);
    cnn_predictor *plain = make_predictor(TEST, true);
    check_ok(cnn_predictor_run(own, plain, test_pixels(), TEST));
    check_ok(cnn_predictor_run(other, plain, mirrored_pixels(), TEST));
    cnn_predictor_destroy(plain);
    to_probabilities(own);
    to_probabilities(other);
    for (size_t i = 0; i < TEST * TRAIN_CLASSES; i++)
        own[i] = 0.5f * (own[i] + other[i]);
    return own;
}

/* What --tta flip gives is the mean of an image's probabilities and its mirror's. */
START_TEST(an_image_and_its_mirror_are_one)
{
    cnn_predictor *predictor = make_predictor(batches[_i / 2], _i % 2 == 1);
    float *expected = mean_probabilities(), *logits = scratch_floats(TEST * TRAIN_CLASSES);
    cnn_prediction found[TEST];
    cnn_evaluation evaluation, alone, plain;
    check_ok(cnn_predictor_evaluate(&plain, predictor, dataset, CNN_SPLIT_TEST));
    check_ok(cnn_predictor_set_tta(predictor, CNN_TTA_FLIP));
    check_ok(cnn_predictor_run(logits, predictor, test_pixels(), TEST));
    to_probabilities(logits);
    check_close("predictor", "probabilities", logits, expected, TEST * TRAIN_CLASSES, 1e-5, 0.0);
    check_ok(cnn_predictor_evaluate_samples(&evaluation, found, predictor, dataset, CNN_SPLIT_TEST));
    double loss = 0.0;
    size_t hits = 0;
    for (size_t i = 0; i < TEST; i++) {
        const float *at = expected + i * TRAIN_CLASSES;
        int best = 0, label = cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[i];
        for (int c = 1; c < TRAIN_CLASSES; c++)
            best = at[c] > at[best] ? c : best;
        ck_assert_int_eq(found[i].label, best);
        ck_assert_double_eq_tol((double)found[i].probability, (double)at[best], 1e-5);
        loss -= log((double)at[label]) / TEST;
        hits += best == label;
    }
    ck_assert_double_eq_tol(evaluation.loss, loss, 1e-5 * loss);
    ck_assert_uint_eq(evaluation.hits, hits);
    ck_assert_uint_eq(evaluation.count, TEST);
    ck_assert_double_ne(evaluation.loss, plain.loss);
    check_ok(cnn_predictor_set_tta(predictor, CNN_TTA_NONE));
    check_ok(cnn_predictor_evaluate(&alone, predictor, dataset, CNN_SPLIT_TEST));
    ck_assert_double_eq(alone.loss, plain.loss);
    ck_assert_int_eq(cnn_predictor_set_tta(predictor, (cnn_tta)7), CNN_ERROR_ARGUMENT);
    cnn_predictor_destroy(predictor);
}
END_TEST

/* Loss and hits are means and sums over the samples, whatever the batch. */
START_TEST(an_evaluation_is_that_of_plain_c)
{
    double loss;
    cnn_predictor *predictor = make_predictor(batches[_i / 2], _i % 2 == 1);
    float *logits = expected_logits(&loss);
    size_t hits;
    cnn_ref_softmax_cross_entropy(NULL, &hits, logits, cnn_dataset_labels(dataset, CNN_SPLIT_TEST),
                                  TEST, TRAIN_CLASSES);
    for (int again = 0; again < 2; again++) {
        cnn_evaluation found;
        check_ok(cnn_predictor_evaluate(&found, predictor, dataset, CNN_SPLIT_TEST));
        ck_assert_uint_eq(found.count, TEST);
        ck_assert_uint_eq(found.hits, hits);
        ck_assert_double_eq_tol(found.accuracy, (double)hits / TEST, 1e-12);
        ck_assert_double_eq_tol(found.loss, loss, 1e-5 * loss);
    }
    cnn_predictor_destroy(predictor);
}
END_TEST

/* What each sample is taken for is in the logits; the hits are those of the evaluation. */
START_TEST(each_prediction_is_that_of_plain_c)
{
    double loss;
    cnn_predictor *predictor = make_predictor(batches[_i / 2], _i % 2 == 1);
    float *logits = expected_logits(&loss);
    cnn_prediction found[TEST + 1];
    cnn_evaluation evaluation, alone;
    for (int again = 0; again < 2; again++) {
        size_t hits = 0;
        found[TEST] = (cnn_prediction){-7, -7.0f};
        check_ok(
            cnn_predictor_evaluate_samples(&evaluation, found, predictor, dataset, CNN_SPLIT_TEST));
        for (size_t i = 0; i < TEST; i++) {
            const float *at = logits + i * TRAIN_CLASSES;
            double sum = 0.0;
            int best = 0;
            for (int j = 0; j < TRAIN_CLASSES; j++) {
                sum += exp((double)at[j]);
                best = at[j] > at[best] ? j : best;
            }
            ck_assert_int_eq(found[i].label, best);
            ck_assert_double_eq_tol((double)found[i].probability, exp((double)at[best]) / sum,
                                    1e-5);
            hits += best == cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[i];
        }
        ck_assert_int_eq(found[TEST].label, -7);
        ck_assert_uint_eq(evaluation.hits, hits);
    }
    check_ok(cnn_predictor_evaluate(&alone, predictor, dataset, CNN_SPLIT_TEST));
    ck_assert_double_eq(alone.loss, evaluation.loss);
    ck_assert_uint_eq(alone.hits, evaluation.hits);
    cnn_predictor_destroy(predictor);
}
END_TEST

static double last_accuracy[2];

static bool keep_accuracies(const cnn_epoch *epoch, void *user)
{
    (void)user;
    last_accuracy[CNN_SPLIT_TRAIN] = epoch->train_accuracy;
    last_accuracy[CNN_SPLIT_TEST] = epoch->test_accuracy;
    return true;
}

START_TEST(an_evaluation_is_the_trainers)
{
    cnn_config config = train_config(_i == 1, 0.5);
    cnn_train_options options = train_options();
    const cnn_train_callbacks callbacks = {.on_epoch = keep_accuracies};
    cnn_model *trained = train_model(&config, dataset, &options, &callbacks, CNN_OK);
    cnn_predictor *predictor;
    check_ok(cnn_predictor_create(&predictor, test_device(), trained, 9, true));
    for (int split = 0; split < 2; split++) {
        cnn_evaluation found;
        check_ok(cnn_predictor_evaluate(&found, predictor, dataset, (cnn_split)split));
        ck_assert_double_eq(found.accuracy, last_accuracy[split]);
    }
    cnn_predictor_destroy(predictor);
    cnn_model_destroy(trained);
}
END_TEST

/* More batches than a fresh predictor keeps the losses of. */
START_TEST(a_large_split_is_evaluated)
{
    enum { LARGE = 150 };
    cnn_dataset *large = make_dataset(shape, TRAIN_CLASSES, LARGE, 1);
    cnn_predictor *one = make_predictor(1, true), *many = make_predictor(LARGE, true);
    cnn_evaluation by_one, at_once;
    check_ok(cnn_predictor_evaluate(&by_one, one, large, CNN_SPLIT_TRAIN));
    check_ok(cnn_predictor_evaluate(&at_once, many, large, CNN_SPLIT_TRAIN));
    ck_assert_uint_eq(by_one.hits, at_once.hits);
    ck_assert_double_eq_tol(by_one.loss, at_once.loss, 1e-6 * at_once.loss);
    float *first = scratch_floats(TRAIN_CLASSES), *pixels = test_pixels();
    check_ok(cnn_predictor_run(first, one, pixels, 1)); /* the values are still there */
    double loss;
    check_close("predictor", "logits", first, expected_logits(&loss), TRAIN_CLASSES, 1e-5, 0.0);
    cnn_predictor_destroy(one);
    cnn_predictor_destroy(many);
    cnn_dataset_destroy(large);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    cnn_predictor *predictor;
    cnn_evaluation found;
    ck_assert_int_eq(cnn_predictor_create(&predictor, test_device(), model, 0, true),
                     CNN_ERROR_ARGUMENT);
    ck_assert_ptr_null(predictor);
    const int turned[] = {3, 8, 10};
    cnn_dataset *other = make_dataset(turned, TRAIN_CLASSES, TRAIN, 0);
    cnn_dataset *untested = make_dataset(shape, TRAIN_CLASSES, TRAIN, 0);
    predictor = make_predictor(5, true);
    ck_assert_int_eq(cnn_predictor_evaluate(&found, predictor, other, CNN_SPLIT_TRAIN),
                     CNN_ERROR_DATA);
    ck_assert_int_eq(cnn_predictor_evaluate(&found, predictor, untested, CNN_SPLIT_TEST),
                     CNN_ERROR_DATA);
    cnn_predictor_destroy(predictor);
    cnn_dataset_destroy(other);
    cnn_dataset_destroy(untested);
    cnn_predictor_destroy(NULL);
}
END_TEST

START_TEST(a_model_that_is_not_finite_is_told)
{
    cnn_evaluation found;
    model->parameters[0] = NAN;
    cnn_predictor *predictor = make_predictor(5, _i == 1);
    ck_assert_int_eq(cnn_predictor_evaluate(&found, predictor, dataset, CNN_SPLIT_TEST),
                     CNN_ERROR_ARITHMETIC);
    cnn_prediction each[TEST];
    ck_assert_int_eq(
        cnn_predictor_evaluate_samples(&found, each, predictor, dataset, CNN_SPLIT_TEST),
        CNN_ERROR_ARITHMETIC);
    check_ok(cnn_predictor_set_tta(predictor, CNN_TTA_FLIP));
    ck_assert_int_eq(cnn_predictor_evaluate(&found, predictor, dataset, CNN_SPLIT_TEST),
                     CNN_ERROR_ARITHMETIC);
    cnn_predictor_destroy(predictor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("predictor");
    TCase *tests = add_device_case(suite, "predictor");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, logits_are_those_of_plain_c, 0, 2 * BATCHES);
    tcase_add_loop_test(tests, an_image_and_its_mirror_are_one, 0, 2 * BATCHES);
    tcase_add_loop_test(tests, an_evaluation_is_that_of_plain_c, 0, 2 * BATCHES);
    tcase_add_loop_test(tests, each_prediction_is_that_of_plain_c, 0, 2 * BATCHES);
    tcase_add_loop_test(tests, an_evaluation_is_the_trainers, 0, 2);
    tcase_add_test(tests, a_large_split_is_evaluated);
    tcase_add_test(tests, what_does_not_fit_is_refused);
    tcase_add_loop_test(tests, a_model_that_is_not_finite_is_told, 0, 2);
    return run_device_suite(suite);
}
