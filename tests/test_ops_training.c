/* What a training step has beside its layers, on the device: the batch and the loss. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "on_device.h"
#include "ops/gather.h"
#include "ops/softmax.h"
#include "ref/ref.h"
#include "support.h"

/* A batch's logits and labels with the loss that holds them; one run per slot. */
typedef struct loss_case {
    cnn_softmax softmax;
    int n, classes;
    size_t count;
    float *logits;
    uint16_t *labels;
} loss_case;

enum { SLOTS = 5 };

static loss_case make_loss(random_source *random, int n, int batch, int classes)
{
    loss_case made = {.n = n, .classes = classes, .count = (size_t)n * (size_t)classes};
    made.logits = random_normals(random, made.count, 3.0);
    made.labels = random_labels(random, (size_t)n, classes);
    check_ok(cnn_softmax_init(&made.softmax, test_device(), classes, batch, SLOTS));
    return made;
}

/* The gradient, of which nothing may depend on memory behind the n samples. */
static float *run_loss(loss_case *at, size_t slot)
{
    cl_mem gradient = device_floats(NULL, at->count);
    cl_mem logits = device_floats(at->logits, at->count);
    cl_mem labels = device_bytes(at->labels, (size_t)at->n * sizeof *at->labels);
    check_ok(
        cnn_softmax_run(&at->softmax, gradient, logits, labels, slot, &(cnn_pass){.n = at->n}));
    float *result = read_floats(gradient, at->count);
    check_guards("softmax");
    return result;
}

static int read_tally(float losses[SLOTS], uint32_t hits[SLOTS], const loss_case *at)
{
    int bad;
    check_ok(cnn_softmax_read(losses, hits, &bad, &at->softmax, 0, SLOTS));
    return bad;
}

START_TEST(loss_agrees_with_plain_c)
{
    random_source random = {.seed = (uint64_t)_i};
    int batch = random_int(&random, 1, 70), classes = _i == 0 ? 256 : random_int(&random, 1, 30);
    loss_case at = make_loss(&random, random_int(&random, 1, batch), batch, classes);
    float *expected = scratch_floats(at.count), losses[SLOTS];
    uint32_t hits[SLOTS];
    size_t right, slot = (size_t)_i % SLOTS;
    float loss =
        (float)cnn_ref_softmax_cross_entropy(expected, &right, at.logits, at.labels, at.n, classes);
    check_close("softmax", "dlogits", run_loss(&at, slot), expected, at.count, 2e-6, 1e-7);
    ck_assert_int_eq(read_tally(losses, hits, &at), -1);
    check_close("softmax", "loss", &losses[slot], &loss, 1, 2e-6, 1e-6);
    ck_assert_uint_eq(hits[slot], right);
    cnn_softmax_finish(&at.softmax);
}
END_TEST

START_TEST(large_logits_do_not_overflow)
{
    random_source random = {.seed = 1};
    loss_case at = make_loss(&random, 2, 2, 3);
    const float logits[] = {1e30f, 0.0f, -1e30f, -200.0f, 300.0f, 100.0f};
    const uint16_t labels[] = {0, 2};
    float losses[SLOTS];
    uint32_t hits[SLOTS];
    memcpy(at.logits, logits, sizeof logits);
    memcpy(at.labels, labels, sizeof labels);
    run_loss(&at, 0);
    ck_assert_int_eq(read_tally(losses, hits, &at), -1);
    ck_assert_float_eq(losses[0], 100.0f);
    ck_assert_uint_eq(hits[0], 1);
    cnn_softmax_finish(&at.softmax);
}
END_TEST

START_TEST(a_tie_is_a_hit_of_the_first_class)
{
    random_source random = {.seed = 1};
    loss_case at = make_loss(&random, 2, 2, 3);
    const float logits[] = {1.0f, 2.0f, 2.0f, 1.0f, 2.0f, 2.0f};
    const uint16_t labels[] = {1, 2};
    float losses[SLOTS];
    uint32_t hits[SLOTS];
    memcpy(at.logits, logits, sizeof logits);
    memcpy(at.labels, labels, sizeof labels);
    run_loss(&at, 0);
    read_tally(losses, hits, &at);
    ck_assert_uint_eq(hits[0], 1);
    cnn_softmax_finish(&at.softmax);
}
END_TEST

/* Each batch has a slot of its own, in any order. */
START_TEST(a_tally_keeps_every_batch)
{
    random_source random = {.seed = 2};
    loss_case at = make_loss(&random, 7, 9, 4);
    float expected[SLOTS], losses[SLOTS];
    uint32_t hits[SLOTS];
    size_t right[SLOTS];
    for (size_t i = 0; i < SLOTS; i++) {
        size_t slot = i * 2 % SLOTS;
        at.logits = random_normals(&random, at.count, 2.0);
        expected[slot] = (float)cnn_ref_softmax_cross_entropy(NULL, &right[slot], at.logits,
                                                              at.labels, at.n, at.classes);
        run_loss(&at, slot);
    }
    ck_assert_int_eq(read_tally(losses, hits, &at), -1);
    check_close("tally", "losses", losses, expected, SLOTS, 2e-6, 0.0);
    for (size_t i = 0; i < SLOTS; i++)
        ck_assert_uint_eq(hits[i], right[i]);
    cnn_softmax_finish(&at.softmax);
}
END_TEST

/* Whatever is not finite, wherever: the first slot with it stays marked until a reset. */
START_TEST(the_first_bad_loss_is_marked)
{
    static const float unfit[] = {NAN, INFINITY, -INFINITY};
    random_source random = {.seed = 3};
    loss_case at = make_loss(&random, 6, 6, 4);
    float *good = scratch_copy(at.logits, at.count), losses[SLOTS];
    uint32_t hits[SLOTS];
    run_loss(&at, 0);
    at.logits[_i % (int)at.count] = unfit[_i / (int)at.count];
    if (unfit[_i / (int)at.count] == -INFINITY)
        at.labels[_i % (int)at.count / at.classes] = (uint16_t)(_i % at.classes);
    run_loss(&at, 3);
    ck_assert_int_eq(read_tally(losses, hits, &at), 3);
    ck_assert(!isfinite(losses[3]) && isfinite(losses[0]));
    run_loss(&at, 1);
    at.logits = good;
    run_loss(&at, 2);
    ck_assert_int_eq(read_tally(losses, hits, &at), 3);
    check_ok(cnn_softmax_reset(&at.softmax));
    run_loss(&at, 2);
    ck_assert_int_eq(read_tally(losses, hits, &at), -1);
    cnn_softmax_finish(&at.softmax);
}
END_TEST

/* A batch of a made-up data set. */
static void check_gather(random_source *random, cnn_shape shape, bool ordered, bool normal)
{
    enum { TOTAL = 37 };
    size_t image = cnn_shape_count(shape);
    uint8_t *images = random_pixels(random, TOTAL * image, 256);
    uint16_t *labels = random_labels(random, TOTAL, 60000);
    uint32_t *order = scratch_bytes(TOTAL * sizeof *order);
    for (uint32_t i = 0; i < TOTAL; i++)
        order[i] = ordered ? (i * 11 + 5) % TOTAL : i;
    int n = random_int(random, 1, TOTAL), first = random_int(random, 0, TOTAL - n);
    cnn_gather gather = {0};
    check_ok(cnn_gather_init(&gather, test_device(), shape));
    size_t channels = (size_t)shape.c, plane = image / channels;
    float *normals = random_normals(random, 2 * channels, 1.0); /* means, then deviations */
    for (size_t c = 0; c < channels; c++)
        normals[channels + c] = 0.1f + fabsf(normals[channels + c]);
    if (normal)
        check_ok(cnn_gather_normalize(&gather, normals));
    cl_mem x = device_floats(NULL, (size_t)n * image),
           taken = device_bytes(NULL, (size_t)n * sizeof *labels);
    cnn_gather_source source = {device_bytes(images, TOTAL * image),
                                device_bytes(labels, TOTAL * sizeof *labels),
                                ordered ? device_bytes(order, TOTAL * sizeof *order) : NULL};
    check_ok(cnn_gather_run(&gather, x, taken, &source, (uint32_t)first, n));
    float *expected = scratch_floats((size_t)n * image);
    const uint16_t *found = read_bytes(taken, (size_t)n * sizeof *found);
    for (size_t i = 0; i < (size_t)n; i++) {
        size_t index = order[(size_t)first + i];
        ck_assert_uint_eq(found[i], labels[index]);
        for (size_t j = 0; j < image; j++) {
            float pixel = (float)images[index * image + j] / 255.0f;
            size_t c = j / plane;
            expected[i * image + j] =
                normal ? (pixel - normals[c]) / normals[channels + c] : pixel;
        }
    }
    float *batch = to_host_layout(read_floats(x, (size_t)n * image), shape, n);
    check_close("gather", "x", batch, expected, (size_t)n * image,
                normal ? 1e-6 : 1e-7, 0.0);
    check_guards("gather");
    cnn_gather_finish(&gather);
}

START_TEST(a_batch_is_gathered)
{
    static const int channels[] = {1, 3, 2, 9};
    random_source random = {.seed = (uint64_t)_i};
    cnn_shape shape = {channels[_i % 4], random_int(&random, 1, 9), random_int(&random, 1, 9)};
    check_gather(&random, shape, _i / 4 % 2 == 1, _i % 3 == 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ops training");
    TCase *tests = add_device_case(suite, "loss and batch");
    tcase_add_loop_test(tests, loss_agrees_with_plain_c, 0, EXAMPLES);
    tcase_add_test(tests, large_logits_do_not_overflow);
    tcase_add_test(tests, a_tie_is_a_hit_of_the_first_class);
    tcase_add_test(tests, a_tally_keeps_every_batch);
    tcase_add_loop_test(tests, the_first_bad_loss_is_marked, 0, 3 * 6 * 4);
    tcase_add_loop_test(tests, a_batch_is_gathered, 0, EXAMPLES);
    return run_device_suite(suite);
}
