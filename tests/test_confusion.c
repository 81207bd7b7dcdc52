/* The confusion matrix, and what is worked out from it. */
#include <math.h>

#include <cnncl/confusion.h>

#include "check_main.h"

enum { CLASSES = 3 };

/* Of class 2 there is no image, and nothing is taken for class 1. */
static const size_t matrix[CLASSES * CLASSES] = {4, 0, 1, /**/ 2, 0, 2, /**/ 0, 0, 0};

START_TEST(predictions_are_counted)
{
    static const uint16_t labels[] = {0, 0, 1, 1, 0, 1, 0, 0, 1};
    static const cnn_prediction predictions[] = {{0, 1.0f}, {0, 1.0f}, {0, 1.0f},
                                                 {2, 1.0f}, {2, 1.0f}, {0, 1.0f},
                                                 {0, 1.0f}, {0, 1.0f}, {2, 1.0f}};
    size_t counts[CLASSES * CLASSES] = {7, 7, 7, 7, 7, 7, 7, 7, 7};
    cnn_confusion_count(counts, CLASSES, predictions, labels, sizeof labels / sizeof labels[0]);
    ck_assert_mem_eq(counts, matrix, sizeof matrix);
    cnn_confusion_count(counts, CLASSES, predictions, labels, 0);
    for (int i = 0; i < CLASSES * CLASSES; i++)
        ck_assert_uint_eq(counts[i], 0);
}
END_TEST

/* Without a matrix, in which 65,535 classes would take 34 GB. */
START_TEST(many_classes_take_little_memory)
{
    enum { MANY = 65535, COUNT = 9 };
    static const uint16_t labels[COUNT] = {65534, 65534, 0, 0, 7, 65534, 40000, 40000, 40000};
    static const cnn_prediction predictions[COUNT] = {{65534, 1.0f}, {0, 1.0f},     {0, 1.0f},
                                                      {65534, 1.0f}, {7, 1.0f},     {0, 1.0f},
                                                      {3, 1.0f},     {40001, 1.0f}, {3, 1.0f}};
    static cnn_class_score scores[MANY];
    static const cnn_confusion_pair expected[] = {{40000, 3, 2}, {65534, 0, 2}, {0, 65534, 1}};
    cnn_confusion_pair pairs[3];
    size_t found;
    cnn_confusion_scores(scores, MANY, predictions, labels, COUNT);
    ck_assert_uint_eq(scores[65534].support, 3);
    ck_assert_uint_eq(scores[65534].predicted, 2);
    ck_assert_uint_eq(scores[65534].hits, 1);
    ck_assert_double_eq_tol(scores[65534].f1, 2.0 / 5.0, 1e-12);
    ck_assert_double_eq(scores[40000].recall, 0.0);
    ck_assert(isnan(scores[12345].recall));
    ck_assert_int_eq(cnn_confusion_mistakes(pairs, &found, 3, MANY, predictions, labels, COUNT),
                     CNN_OK);
    ck_assert_uint_eq(found, 3);
    for (size_t i = 0; i < found; i++) {
        ck_assert_int_eq(pairs[i].label, expected[i].label);
        ck_assert_int_eq(pairs[i].predicted, expected[i].predicted);
        ck_assert_uint_eq(pairs[i].count, expected[i].count);
    }
}
END_TEST

/* The matrix and what goes without it agree. */
START_TEST(both_ways_agree)
{
    enum { COUNT = 500, SIDE = 9 };
    uint16_t labels[COUNT];
    cnn_prediction predictions[COUNT];
    size_t counts[SIDE * SIDE], found;
    cnn_class_score scores[SIDE];
    cnn_confusion_pair pairs[2][SIDE * SIDE];
    for (int i = 0; i < COUNT; i++) {
        labels[i] = (uint16_t)(i * i % SIDE);
        predictions[i] = (cnn_prediction){(i * i + i % 7 * (i % 3)) % SIDE, 0.5f};
    }
    cnn_confusion_count(counts, SIDE, predictions, labels, COUNT);
    cnn_confusion_scores(scores, SIDE, predictions, labels, COUNT);
    for (int c = 0; c < SIDE; c++) {
        cnn_class_score score = cnn_confusion_score(counts, SIDE, c);
        ck_assert_uint_eq(score.support, scores[c].support);
        ck_assert_uint_eq(score.predicted, scores[c].predicted);
        ck_assert_uint_eq(score.hits, scores[c].hits);
    }
    size_t most = cnn_confusion_largest(pairs[0], SIDE * SIDE, counts, SIDE);
    ck_assert_int_eq(cnn_confusion_mistakes(pairs[1], &found, SIDE * SIDE, SIDE, predictions, labels,
                                            COUNT),
                     CNN_OK);
    ck_assert_uint_eq(found, most);
    for (size_t i = 0; i < found; i++) {
        ck_assert_int_eq(pairs[0][i].label, pairs[1][i].label);
        ck_assert_int_eq(pairs[0][i].predicted, pairs[1][i].predicted);
        ck_assert_uint_eq(pairs[0][i].count, pairs[1][i].count);
    }
}
END_TEST

START_TEST(a_class_is_scored)
{
    cnn_class_score score = cnn_confusion_score(matrix, CLASSES, 0);
    ck_assert_uint_eq(score.support, 5);
    ck_assert_uint_eq(score.predicted, 6);
    ck_assert_uint_eq(score.hits, 4);
    ck_assert_double_eq_tol(score.precision, 4.0 / 6.0, 1e-12);
    ck_assert_double_eq_tol(score.recall, 4.0 / 5.0, 1e-12);
    ck_assert_double_eq_tol(score.f1, 2.0 * (4.0 / 6.0) * 0.8 / (4.0 / 6.0 + 0.8), 1e-12);
}
END_TEST

START_TEST(what_cannot_be_divided_is_no_number)
{
    cnn_class_score never = cnn_confusion_score(matrix, CLASSES, 1);
    ck_assert(isnan(never.precision));
    ck_assert_double_eq(never.recall, 0.0);
    ck_assert_double_eq(never.f1, 0.0);
    cnn_class_score absent = cnn_confusion_score(matrix, CLASSES, 2);
    ck_assert(isnan(absent.recall));
    ck_assert_double_eq(absent.precision, 0.0);
    const size_t nothing[1] = {0};
    ck_assert(isnan(cnn_confusion_score(nothing, 1, 0).f1));
}
END_TEST

START_TEST(the_largest_mistakes_come_first)
{
    cnn_confusion_pair pairs[5];
    static const cnn_confusion_pair expected[] = {{1, 0, 2}, {1, 2, 2}, {0, 2, 1}};
    for (size_t most = 0; most <= 5; most++) {
        size_t count = cnn_confusion_largest(pairs, most, matrix, CLASSES);
        ck_assert_uint_eq(count, most < 3 ? most : 3);
        for (size_t i = 0; i < count; i++) {
            ck_assert_int_eq(pairs[i].label, expected[i].label);
            ck_assert_int_eq(pairs[i].predicted, expected[i].predicted);
            ck_assert_uint_eq(pairs[i].count, expected[i].count);
        }
    }
    /* The last one of many takes the first place. */
    size_t rising[4 * 4];
    for (size_t i = 0; i < 16; i++)
        rising[i] = i;
    ck_assert_uint_eq(cnn_confusion_largest(pairs, 2, rising, 4), 2);
    ck_assert_uint_eq(pairs[0].count, 14);
    ck_assert_uint_eq(pairs[1].count, 13);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("confusion");
    TCase *tests = tcase_create("confusion");
    tcase_add_test(tests, predictions_are_counted);
    tcase_add_test(tests, many_classes_take_little_memory);
    tcase_add_test(tests, both_ways_agree);
    tcase_add_test(tests, a_class_is_scored);
    tcase_add_test(tests, what_cannot_be_divided_is_no_number);
    tcase_add_test(tests, the_largest_mistakes_come_first);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
