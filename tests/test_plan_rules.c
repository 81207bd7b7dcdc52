/* Every fusion against plain C: same values, same batch, same masks. Plain C needs no kernels, and
 * compiling them takes a test's time; tests/test_plan.c holds the plain plan beside it. */
#include <stdio.h>

#include "base/philox.h"
#include "check_main.h"
#include "plan/rules.h"
#include "plan_case.h"

enum { TIED = 6, BATCH = PLAN_BATCH };

static const plan_tolerance rounding = {1e-5, 1e-5, 1e-8};
/* A transform loses a bit or two, and a norm of few values magnifies it. */
static const plan_tolerance transformed = {2e-5, 1e-4, 1e-6};

/* What the family does not have: paddings, channels that fill no vector, planes that fill no tile,
 * sums behind batch norms, pools without a dropout. */
static const char *const others[] = {
    "input(16, 9, 11)\n"
    "Conv2d(20, 3, padding=1, bias=false)\n"
    "BatchNorm2d()\n"
    "r = ReLU()\n"
    "Conv2d(20, 3, padding=1)\n"
    "b = BatchNorm2d()\n"
    "Add(b, r)\n"
    "ReLU()\n"
    "Conv2d(33, 3, padding=(2, 0))\n"
    "AdaptiveAvgPool2d(1)\n",
    "input(17, 8, 12)\n"
    "Conv2d(16, 3, padding=(0, 1, 1, 2))\n"
    "BatchNorm2d()\n"
    "ReLU6()\n"
    "Conv2d(24, 3)\n"
    "BatchNorm2d(affine=false)\n"
    "ReLU6()\n"
    "AdaptiveAvgPool2d(1)\n",
    "input(32, 6, 9)\n"
    "Conv2d(40, 3, padding=same)\n"
    "a = BatchNorm2d()\n"
    "b = Conv2d(40, 1) <- input\n"
    "BatchNorm2d()\n"
    "Add(a)\n"
    "r = ReLU()\n"
    "Conv2d(40, 1)\n"
    "c = BatchNorm2d()\n"
    "s = Add(c, r)\n"
    "Conv2d(40, (3, 5), stride=2, padding=(1, 2), groups=channels)\n"
    "BatchNorm2d()\n"
    "ReLU6()\n"
    "Conv2d(20, 3, stride=(2, 1), padding=1, groups=4, bias=false)\n"
    "d = BatchNorm2d()\n"
    "Conv2d(20, 1, stride=(4, 2)) <- s\n"
    "BatchNorm2d()\n"
    "Add(d)\n"
    "ReLU()\n"
    "AdaptiveAvgPool2d(1)\n",
    "input(16, 7, 10)\n"
    "Conv2d(20, 3, padding=1)\n"
    "r = ReLU()\n"
    "c = Conv2d(20, 1)\n"
    "a = Add(c, r)\n"
    "Conv2d(12, 3, stride=2)\n"
    "s = ReLU6()\n"
    "d = Conv2d(12, 3, padding=1, groups=channels)\n"
    "Add(s, d)\n"
    "ReLU()\n"
    "MaxPool2d(2, padding=1)\n"
    "AdaptiveAvgPool2d(1)\n",
    "input(2, 15, 18)\n"
    "Conv2d(9, 5, padding=4)\n"
    "ReLU()\n"
    "MaxPool2d(2)\n"
    "Conv2d(20, 4)\n"
    "ReLU()\n"
    "MaxPool2d(2)\n"
    "Dropout2d(0.4)\n"
    "Conv2d(11, 3, padding=2)\n"
    "r = ReLU()\n"
    "Add(r, r)\n"
    "ReLU()\n"
    "MaxPool2d(2)\n"
    "Flatten()\n"
    "Linear(5)\n",
    "input(160, 6, 7)\n"
    "Conv2d(208, 3, padding=1, bias=false)\n"
    "BatchNorm2d()\n"
    "ReLU()\n"
    "AdaptiveAvgPool2d(1)\n",
    "input(3, 13, 10)\n"
    "Conv2d(17, 2)\n"
    "ReLU()\n"
    "MaxPool2d(2)\n"
    "Dropout(0.3)\n"
    "Conv2d(8, 3, bias=false)\n"
    "ReLU()\n"
    "MaxPool2d(2)\n"
    "AdaptiveAvgPool2d(1)\n",
};
enum { OTHERS = sizeof others / sizeof others[0] };

static cnn_network *other_network(int number)
{
    cnn_network *network;
    check_ok(cnn_network_from_text(&network, "other", others[number], "other", NULL));
    return network;
}

static void check_modes(plan_case *at, cnn_plan *fused, plan_tolerance tolerance)
{
    for (int training = 0; training < 2; training++) {
        at->pass.training = training == 1;
        plan_result expected = run_reference(at), actual = run_plan(fused, at);
        check_plan_result(at, &actual, &expected, tolerance);
    }
}

static void check_case(plan_case *at, plan_tolerance tolerance)
{
    cnn_plan *fused = make_plan(at, BATCH, true, true);
    check_modes(at, fused, tolerance);
    cnn_plan_destroy(fused);
    plan_case_finish(at);
}

START_TEST(fused_steps_agree_with_plain_c)
{
    const int number = plan_example(_i);
    random_source random = {.seed = (uint64_t)number};
    cnn_config config = plan_config(number);
    plan_case at =
        make_plan_case(&random, &config, number % 2 ? BATCH : random_int(&random, 1, BATCH));
    check_case(&at, rounding);
}
END_TEST

START_TEST(fused_steps_of_other_networks_agree_with_plain_c)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_network *network = other_network(_i);
    plan_case at = make_network_case(&random, network, BATCH);
    check_case(&at, transformed);
    cnn_network_destroy(network);
}
END_TEST

/* Plans that do not train have rules of their own. */
START_TEST(evaluations_of_other_networks_agree_with_plain_c)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_network *network = other_network(_i);
    plan_case at = make_network_case(&random, network, BATCH);
    at.pass.training = false;
    cnn_plan *fused = make_plan(&at, BATCH, false, true);
    for (int values = 0; values < 2; values++) {
        plan_result expected = run_reference(&at), actual = run_plan(fused, &at);
        check_plan_result(&at, &actual, &expected, transformed);
        for (size_t i = 0; i < network->parameter_count; i++)
            at.model->parameters[i] *= 0.75f;
    }
    cnn_plan_destroy(fused);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

/* All up to the last batch norm, and what trains behind it. */
static bool *freeze_begin(const cnn_network *network)
{
    bool *frozen = scratch_bytes((size_t)network->layer_count * sizeof *frozen);
    int last = -1;
    for (int l = 0; l < network->layer_count; l++)
        last = network->layers[l].kind == CNN_LAYER_BATCHNORM ? l : last;
    for (int l = 0; l < network->layer_count; l++)
        frozen[l] = l <= last;
    return frozen;
}

static cnn_plan *make_frozen_plan(const plan_case *at, const bool *frozen, bool fuse)
{
    cnn_plan *plan;
    check_ok(cnn_plan_create(&plan, test_device(), at->model->network,
                             (cnn_plan_options){.batch = BATCH,
                                                .training = true,
                                                .fuse = fuse,
                                                .slots = 1,
                                                .frozen = frozen}));
    return plan;
}

/* A batch norm that is frozen is folded in training, too: the logits are those of an evaluation. */
START_TEST(frozen_steps_agree_with_plain_c)
{
    random_source random = {.seed = 7};
    cnn_network *network = other_network(0); /* its last convolution is behind all batch norms */
    plan_case at = make_network_case(&random, network, BATCH);
    const bool *frozen = freeze_begin(network);
    cnn_plan *fused = make_frozen_plan(&at, frozen, true);
    cnn_plan *plain = make_frozen_plan(&at, frozen, false);
    int folded = 0;
    for (int i = 0; i < fused->step_count; i++)
        folded += fused->steps[i].op->class->backward == NULL;
    ck_assert_int_eq(folded, 2);
    at.pass.training = false;
    plan_result expected = run_reference(&at);
    at.pass.training = true;
    plan_result actual = run_plan(fused, &at), slow = run_plan(plain, &at);
    check_plan_result(&at, &actual, &expected, transformed);
    const cnn_layer *trained = &network->layers[network->layer_count - 2];
    for (int i = 0; i < trained->param_count; i++)
        check_close("frozen", "gradients", actual.gradients + trained->params[i].offset,
                    slow.gradients + trained->params[i].offset, trained->params[i].count, 1e-4,
                    1e-6);
    cnn_plan_destroy(fused);
    cnn_plan_destroy(plain);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

/* A batch norm without parameters is not frozen: its statistics are the batch's, and move. */
START_TEST(moving_statistics_are_not_folded)
{
    random_source random = {.seed = 8};
    cnn_network *network;
    check_ok(cnn_network_from_text(&network, "moving",
                                   "input(16, 6, 7)\n"
                                   "a = Conv2d(20, 3, padding=1)\n"
                                   "BatchNorm2d(affine=false)\n"
                                   "ReLU()\n"
                                   "b = Conv2d(9, 1)\n"
                                   "AdaptiveAvgPool2d(1)\n",
                                   "moving", NULL));
    plan_case at = make_network_case(&random, network, BATCH);
    const bool frozen[] = {true, false, false, false, false};
    cnn_plan *fused = make_frozen_plan(&at, frozen, true);
    plan_result expected = run_reference(&at), actual = run_plan(fused, &at);
    check_close("moving", "logits", actual.logits, expected.logits,
                (size_t)BATCH * (size_t)network->classes, transformed.logits, 1e-7);
    check_close("moving", "statistics", actual.statistics, expected.statistics,
                network->statistic_count, 1e-5, 1e-7);
    cnn_plan_destroy(fused);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

/* Multiples of a half within -1 to 1. */
static void quantise(random_source *random, float *values, size_t count, int lowest)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_int(random, lowest, 2) / 2.0f;
}

/* Few values, all sums exact: ties in most windows, and many sums that are exactly zero. */
START_TEST(fused_steps_break_ties_as_plain_c)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_config config = plan_config(3 * _i + 1 + _i % 2); /* one or two convolutions */
    config.batchnorm = false;
    config.dropout = _i % 4 < 2 ? 0.0 : 0.5;
    plan_case at = make_plan_case(&random, &config, BATCH);
    cnn_model *model = at.model;
    quantise(&random, model->parameters, model->network->parameter_count, -2);
    quantise(&random, at.x, BATCH * cnn_shape_count(cnn_network_input_shape(model->network)), 0);
    check_case(&at, rounding);
}
END_TEST

/* How many channels of a sample the masks of all dropout layers keep. */
static int count_kept(const plan_case *at, int sample, int *channels)
{
    int kept = 0;
    *channels = 0;
    for (int l = 0; l < at->model->network->layer_count; l++) {
        const cnn_layer *layer = &at->model->network->layers[l];
        for (int c = 0; layer->kind == CNN_LAYER_DROPOUT2D && c < layer->in.c; c++, (*channels)++)
            kept += cnn_philox_value(at->pass.seed, CNN_STREAM_DROPOUT, (unsigned)l, at->pass.step,
                                     (uint64_t)(sample * layer->in.c + c)) >=
                    cnn_dropout_threshold(layer->options.dropout.p);
    }
    return kept;
}

/* Sets the seed to the first under which the two samples keep all or nothing, as told. */
static void find_masks(plan_case *at, bool first_kept, bool second_kept)
{
    enum { ENOUGH = 1 << 20 };
    for (at->pass.seed = 0; at->pass.seed < ENOUGH; at->pass.seed++) {
        int channels, first = count_kept(at, 0, &channels);
        if (first != (first_kept ? channels : 0))
            continue;
        if (count_kept(at, 1, &channels) == (second_kept ? channels : 0))
            return;
    }
    ck_abort_msg("%s: no such masks", at->name);
}

START_TEST(masks_may_drop_all_and_nothing)
{
    random_source random = {.seed = 6};
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[0] = 3;
    config.xdim[1] = 11;
    config.xdim[2] = 8;
    config.cdims[0] = 4;
    config.cdims[1] = 3;
    config.hdims[0] = 6;
    config.batchnorm = _i == 1;
    plan_case at = make_plan_case(&random, &config, 2);
    cnn_plan *fused = make_plan(&at, BATCH, true, true);
    for (int i = 0; i < 4; i++) {
        find_masks(&at, i & 1, i & 2);
        check_modes(&at, fused, rounding);
    }
    cnn_plan_destroy(fused);
    plan_case_finish(&at);
}
END_TEST

/* Does the rule make a step of this network, on devices of this class? */
static bool is_used(const cnn_rule *rule, const cnn_network *network, cnn_kernel_class class)
{
    cnn_schedule schedule;
    bool used = false;
    cnn_schedule_options options = {.fuse = true, .evaluation = !rule->op->backward};
    cnn_device device = *test_device();
    device.kernel_class = class;
    check_ok(cnn_schedule_init(&schedule, network, &device, options));
    for (int i = 0; i < schedule.step_count; i++)
        used = used || schedule.steps[i].rule == rule;
    cnn_schedule_finish(&schedule);
    return used;
}

static int count_classes(const cnn_rule *rule, const cnn_network *network)
{
    return is_used(rule, network, CNN_KERNEL_CPU) + is_used(rule, network, CNN_KERNEL_GPU);
}

/* The tests above run for both classes: which networks would they take the rule with? */
START_TEST(every_rule_is_tested)
{
    int count, used = 0;
    const cnn_rule *rule = &cnn_rules(&count)[_i];
    for (int i = 0; i < OTHERS; i++) {
        cnn_network *network = other_network(i);
        used += count_classes(rule, network);
        cnn_network_destroy(network);
    }
    for (int example = 0; example < sweep(FEW_PLANS, PLANS); example++) {
        cnn_config config = plan_config(plan_example(example));
        cnn_network *network;
        check_ok(cnn_network_create(&network, &config));
        used += count_classes(rule, network);
        cnn_network_destroy(network);
    }
    ck_assert_msg(used > 0, "%s: expected a step of a network of the test, found none", rule->name);
}
END_TEST

/* A run of layers: what a step covers says its rule, and without rules it is one. */
START_TEST(without_fusion_every_layer_is_a_step)
{
    random_source random = {.seed = 1};
    cnn_config config = plan_config(2);
    plan_case at = make_plan_case(&random, &config, 2);
    cnn_plan *fused = make_plan(&at, 2, true, true), *plain = make_plan(&at, 2, true, false);
    ck_assert_int_eq(plain->step_count, at.model->network->layer_count);
    ck_assert_int_lt(fused->step_count, plain->step_count);
    for (int i = 0; i < plain->step_count; i++)
        ck_assert_ptr_null(plain->steps[i].rule);
    cnn_plan_destroy(fused);
    cnn_plan_destroy(plain);
    plan_case_finish(&at);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan rules");
    TCase *tests = add_device_case(suite, "rules");
    int rules;
    cnn_rules(&rules);
    tcase_add_loop_test(tests, every_rule_is_tested, 0, rules);
    tcase_add_test(tests, without_fusion_every_layer_is_a_step);
    tcase_add_loop_test(tests, fused_steps_agree_with_plain_c, 0, sweep(FEW_PLANS, PLANS));
    tcase_add_loop_test(tests, fused_steps_of_other_networks_agree_with_plain_c, 0, OTHERS);
    tcase_add_loop_test(tests, evaluations_of_other_networks_agree_with_plain_c, 0, OTHERS);
    tcase_add_test(tests, frozen_steps_agree_with_plain_c);
    tcase_add_test(tests, moving_statistics_are_not_folded);
    tcase_add_loop_test(tests, fused_steps_break_ties_as_plain_c, 0, sweep(TIED / 2, TIED));
    tcase_add_loop_test(tests, masks_may_drop_all_and_nothing, 0, 2);
    return run_device_suite(suite);
}
