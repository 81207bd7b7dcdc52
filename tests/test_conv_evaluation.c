/* Evaluation of the fused convolutions, by Winograd's method and directly, against plain C. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "plan/conv_evaluation.h"
#include "plan_case.h"

enum { BATCH = 40, LAYERS = 2, FEW = 6 };

/* Far below what is promised: 1e-5. */
static const plan_tolerance rounding = {3e-6, 0.0, 0.0};

typedef struct shape_case {
    int xdim[3], ksize, cdims[LAYERS], n;
    bool batchnorm, winograd[LAYERS]; /* which layers shall take it */
} shape_case;

/* Tiles that the plane fills, and those with rows and columns that no window has; channels that
 * fill vectors and blocks, and every remainder; several passes over the blocks of output channels;
 * fewer tiles than work-items, and chunks that are not full. A sweep has those behind FEW. */
static const shape_case shapes[] = {
    {{1, 28, 28}, 3, {32, 64}, 2, false, {false, true}},
    {{9, 13, 22}, 3, {20, 33}, 3, true, {true, true}},
    {{12, 9, 6}, 5, {24, 40}, 33, false, {true, true}},
    {{33, 4, 31}, 3, {19, 3}, 1, true, {true, false}},
    {{2, 8, 9}, 1, {24, 18}, 2, false, {false, false}},
    {{40, 6, 7}, 4, {9, 26}, 5, false, {false, false}},
    {{1, 28, 28}, 5, {32, 64}, 2, true, {false, true}},
    {{16, 8, 16}, 3, {17, 100}, BATCH, false, {true, true}},
    {{8, 17, 5}, 5, {65, 24}, 7, true, {true, true}},
    {{3, 32, 32}, 3, {8, 17}, 2, false, {false, true}},
};

static cnn_config make_config(const shape_case *shape)
{
    cnn_config config;
    cnn_config_init(&config);
    memcpy(config.xdim, shape->xdim, sizeof shape->xdim);
    config.ksize = shape->ksize;
    config.cdim_count = LAYERS;
    memcpy(config.cdims, shape->cdims, sizeof shape->cdims);
    config.hdim_count = 0;
    config.batchnorm = shape->batchnorm;
    return config;
}

static plan_case make_case(int example)
{
    random_source random = {.seed = 70 + (uint64_t)example};
    cnn_config config = make_config(&shapes[example]);
    plan_case at = make_plan_case(&random, &config, shapes[example].n);
    at.pass.training = false;
    return at;
}

static void check_choice(const cnn_network *network, const bool *expected)
{
    const cnn_layer *conv = NULL;
    for (int i = 0, found = 0; i < network->layer_count; i++) {
        const cnn_layer *layer = &network->layers[i];
        if (layer->kind == CNN_LAYER_CONV)
            conv = layer;
        if (layer->kind == CNN_LAYER_MAXPOOL)
            ck_assert_int_eq(cnn_winograd_wins(conv, layer), expected[found++]);
    }
}

START_TEST(evaluations_agree_with_plain_c)
{
    plan_case at = make_case(_i);
    check_choice(at.model->network, shapes[_i].winograd);
    cnn_plan *plan = make_plan(&at, BATCH, false, true);
    plan_result expected = run_reference(&at), actual = run_plan(plan, &at);
    check_plan_result(&at, &actual, &expected, rounding);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

/* A sample's logits are the same bits wherever in a batch it stands, whoever stands beside it, and
 * in a plan for training, too. */
START_TEST(a_sample_is_the_same_anywhere)
{
    plan_case at = make_case(_i), last = at;
    size_t values = cnn_shape_count(cnn_network_input_shape(at.model->network));
    int classes = at.model->network->classes, before = at.n - 1;
    last.n = last.pass.n = 1;
    last.x += (size_t)before * values;
    last.labels += before;
    cnn_plan *plan = make_plan(&at, BATCH, false, true), *other = make_plan(&at, BATCH, true, true);
    plan_result all = run_plan(plan, &at), alone = run_plan(other, &last);
    ck_assert_mem_eq(all.logits + before * classes, alone.logits, (size_t)classes * sizeof(float));
    cnn_plan_destroy(plan);
    cnn_plan_destroy(other);
    plan_case_finish(&at);
}
END_TEST

/* In each position of the first window and of the last one that both pools see: with a ksize of 1
 * it is alone among the window's sums. */
START_TEST(a_nan_reaches_the_loss)
{
    enum { WINDOW = CNN_POOL_SIZE * CNN_POOL_SIZE };
    plan_case at = make_case(_i);
    const cnn_shape in = cnn_network_input_shape(at.model->network);
    const int rows = in.h / WINDOW * WINDOW, columns = in.w / WINDOW * WINDOW;
    cnn_plan *plan = make_plan(&at, BATCH, false, true);
    for (int i = 0; i < 2 * WINDOW; i++) {
        int y = i % WINDOW / 2, x = i % 2;
        if (i >= WINDOW) {
            y = rows - 1 - y;
            x = columns - 1 - x;
        }
        float *pixel = &at.x[y * in.w + x], was = *pixel;
        *pixel = NAN;
        ck_assert_msg(isnan(run_plan(plan, &at).loss), "%s: pixel %d, %d", at.name, y, x);
        *pixel = was;
    }
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

int main(void)
{
    const int count = sweep(FEW, sizeof shapes / sizeof shapes[0]);
    Suite *suite = suite_create("evaluation of convolutions");
    TCase *tests = add_device_case(suite, "plans");
    tcase_add_loop_test(tests, evaluations_agree_with_plain_c, 0, count);
    tcase_add_loop_test(tests, a_sample_is_the_same_anywhere, 0, count);
    tcase_add_loop_test(tests, a_nan_reaches_the_loss, 0, count);
    return run_device_suite(suite);
}
