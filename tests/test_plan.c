/* Plans: whole networks on the device against plain C and PyTorch, and the memory that they share.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "plan/layout.h"
#include "plan_golden.h"

enum { NETWORKS = 12, EVALUATED = 6, BATCH = PLAN_BATCH, KINDS_OF_PLAN = 2 };

/* _i: twice the example, plus 1 for a fused plan: tests/test_plan_rules.c has more of those. */
START_TEST(networks_agree_with_plain_c)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_config config = plan_config(plan_example(_i / KINDS_OF_PLAN));
    plan_case at = make_plan_case(&random, &config, random_int(&random, 1, BATCH));
    cnn_plan *plan = make_plan(&at, BATCH, true, _i % KINDS_OF_PLAN == 1);
    for (int training = 0; training < 2; training++) {
        at.pass.training = training == 1;
        plan_result expected = run_reference(&at), actual = run_plan(plan, &at);
        check_plan_result(&at, &actual, &expected, promised_tolerance);
    }
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

START_TEST(a_plan_for_evaluation_agrees_with_plain_c)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_config config = plan_config(plan_example(_i / KINDS_OF_PLAN));
    plan_case at = make_plan_case(&random, &config, BATCH);
    cnn_plan *plan = make_plan(&at, BATCH, false, _i % KINDS_OF_PLAN == 1);
    at.pass.training = false;
    plan_result expected = run_reference(&at), actual = run_plan(plan, &at);
    check_plan_result(&at, &actual, &expected, promised_tolerance);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

static void check_fused(const golden_case *golden)
{
    check_network_golden(golden, true);
}

static void check_plain(const golden_case *golden)
{
    check_network_golden(golden, false);
}

START_TEST(networks_agree_with_pytorch)
{
    golden_for_each("network.txt", _i == 1 ? check_fused : check_plain);
}
END_TEST

/* What a whole batch left in memory does not show in a short one. */
START_TEST(a_short_batch_is_like_a_small_plan)
{
    random_source random = {.seed = 4};
    cnn_config config = plan_config(5);
    plan_case whole = make_plan_case(&random, &config, BATCH), part = whole;
    part.n = part.pass.n = 2;
    cnn_plan *large = make_plan(&whole, BATCH, true, _i == 1);
    cnn_plan *small = make_plan(&part, 2, true, _i == 1);
    run_plan(large, &whole);
    plan_result actual = run_plan(large, &part), expected = run_plan(small, &part);
    check_plan_result(&part, &actual, &expected, (plan_tolerance){1e-6, 1e-5, 1e-8});
    expected = run_reference(&part);
    check_plan_result(&part, &actual, &expected, promised_tolerance);
    cnn_plan_destroy(large);
    cnn_plan_destroy(small);
    plan_case_finish(&whole);
}
END_TEST

START_TEST(an_evaluation_leaves_the_statistics_alone)
{
    random_source random = {.seed = 4};
    cnn_config config = plan_config(2);
    ck_assert(config.batchnorm && config.cdim_count > 0);
    plan_case at = make_plan_case(&random, &config, BATCH);
    size_t bytes = at.model->network->statistic_count * sizeof(float);
    cnn_plan *plan = make_plan(&at, BATCH, true, _i == 1);
    at.pass.training = false;
    ck_assert_mem_eq(run_plan(plan, &at).statistics, at.model->statistics, bytes);
    at.pass.training = true;
    ck_assert_mem_ne(run_plan(plan, &at).statistics, at.model->statistics, bytes);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

START_TEST(the_same_pass_twice_is_the_same_to_the_bit)
{
    random_source random = {.seed = 6};
    cnn_config config = plan_config(8);
    plan_case at = make_plan_case(&random, &config, BATCH);
    cnn_plan *plan = make_plan(&at, BATCH, true, _i == 1);
    plan_result first = run_plan(plan, &at), again = run_plan(plan, &at);
    ck_assert_mem_eq(first.gradients, again.gradients,
                     at.model->network->parameter_count * sizeof(float));
    ck_assert(first.loss == again.loss);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

static bool live_together(const cnn_life *a, const cnn_life *b)
{
    return a->born <= b->dies && b->born <= a->dies;
}

/* Each in a buffer that holds it, alone while it lives; and no buffer is larger than it must. */
static void check_sharing(const cnn_life *lives, int count, const size_t *sizes, int buffers)
{
    for (int i = 0; i < count; i++) {
        ck_assert(lives[i].buffer >= 0 && lives[i].buffer < buffers);
        ck_assert_uint_le(lives[i].bytes, sizes[lives[i].buffer]);
        for (int j = 0; j < i; j++)
            ck_assert_msg(lives[i].buffer != lives[j].buffer ||
                              !live_together(&lives[i], &lives[j]),
                          "%d and %d share buffer %d", i, j, lives[i].buffer);
    }
    for (int b = 0; b < buffers; b++) {
        size_t largest = 0;
        for (int i = 0; i < count; i++)
            if (lives[i].buffer == b && lives[i].bytes > largest)
                largest = lives[i].bytes;
        ck_assert_uint_eq(largest, sizes[b]);
    }
}

START_TEST(lives_share_memory_only_in_turn)
{
    enum { MOST = 60, MOMENTS = 25 };
    random_source random = {.seed = (uint64_t)_i};
    cnn_life lives[MOST];
    size_t sizes[MOST], sum = 0, shared = 0;
    int count = _i == 0 ? 0 : random_int(&random, 1, MOST);
    for (int i = 0; i < count; i++) {
        int born = random_int(&random, 0, MOMENTS);
        lives[i] = (cnn_life){.bytes = (size_t)random_int(&random, 0, 1000), .born = born};
        lives[i].dies = random_int(&random, born, born + MOMENTS / 4);
        sum += lives[i].bytes;
    }
    int buffers;
    ck_assert_int_eq(cnn_lives_share(lives, count, sizes, &buffers), CNN_OK);
    check_sharing(lives, count, sizes, buffers);
    for (int i = 0; i < buffers; i++)
        shared += sizes[i];
    ck_assert_uint_le(shared, sum);
    ck_assert(count < MOST / 2 || shared < sum);
}
END_TEST

START_TEST(a_plan_shares_its_memory)
{
    random_source random = {.seed = 4};
    cnn_config config;
    cnn_config_init(&config);
    config.batchnorm = _i / KINDS_OF_PLAN == 1;
    plan_case at = make_plan_case(&random, &config, 2);
    for (int training = 0; training < 2; training++) {
        cnn_plan *plan = make_plan(&at, 2, training == 1, _i % KINDS_OF_PLAN == 1);
        size_t *sizes = scratch_bytes((size_t)plan->buffer_count * sizeof *sizes), sum = 0, all = 0;
        for (int i = 0; i < plan->buffer_count; i++) {
            sizes[i] = plan->buffers[i].bytes;
            sum += sizes[i];
        }
        for (int i = 0; i < plan->life_count; i++)
            all += plan->lives[i].bytes;
        for (int i = 0; i < plan->life_count; i++)
            for (int j = 0; j < i; j++)
                ck_assert(plan->lives[i].buffer != plan->lives[j].buffer ||
                          !live_together(&plan->lives[i], &plan->lives[j]));
        ck_assert_uint_lt(sum, all);
        cnn_plan_destroy(plan);
    }
    plan_case_finish(&at);
}
END_TEST

START_TEST(memory_is_given_back)
{
    random_source random = {.seed = 4};
    cnn_config config = plan_config(5);
    plan_case at = make_plan_case(&random, &config, 2);
    uint64_t before = test_device()->allocated;
    cnn_plan *plan = make_plan(&at, 2, true, true);
    ck_assert_uint_gt(test_device()->allocated, before);
    cnn_plan_destroy(plan);
    ck_assert_uint_eq(test_device()->allocated, before);
    cnn_plan_destroy(NULL);
    plan_case_finish(&at);
}
END_TEST

START_TEST(the_table_names_every_layer)
{
    cnn_config config;
    cnn_network *network;
    char *text;
    cnn_config_init(&config);
    config.batchnorm = true;
    check_ok(cnn_network_create(&network, &config));
    uint64_t before = test_device()->allocated;
    check_ok(cnn_plan_to_text(&text, test_device(), network, 4, 0, _i == 1));
    for (int l = 0; l < network->layer_count; l++)
        ck_assert_ptr_nonnull(strstr(text, network->layers[l].name));
    ck_assert((strstr(text, "relu+maxpool+dropout") != NULL) == (_i == 1));
    ck_assert_ptr_nonnull(strstr(text, "Activations: backward reads "));
    ck_assert_ptr_nonnull(strstr(text, "Device memory for training at batch 4"));
    ck_assert_uint_eq(test_device()->allocated, before);
    cnn_string_free(text);
    cnn_network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = add_device_case(suite, "plan");
    tcase_add_loop_test(tests, networks_agree_with_plain_c, 0,
                        KINDS_OF_PLAN * sweep(NETWORKS / 3, NETWORKS));
    tcase_add_loop_test(tests, a_plan_for_evaluation_agrees_with_plain_c, 0,
                        KINDS_OF_PLAN * sweep(EVALUATED / 2, EVALUATED));
    tcase_add_loop_test(tests, networks_agree_with_pytorch, 0, KINDS_OF_PLAN);
    tcase_add_loop_test(tests, a_short_batch_is_like_a_small_plan, 0, KINDS_OF_PLAN);
    tcase_add_loop_test(tests, an_evaluation_leaves_the_statistics_alone, 0, KINDS_OF_PLAN);
    tcase_add_loop_test(tests, the_same_pass_twice_is_the_same_to_the_bit, 0, KINDS_OF_PLAN);
    tcase_add_loop_test(tests, lives_share_memory_only_in_turn, 0, 100);
    tcase_add_loop_test(tests, a_plan_shares_its_memory, 0, 2 * KINDS_OF_PLAN);
    tcase_add_test(tests, memory_is_given_back);
    tcase_add_loop_test(tests, the_table_names_every_layer, 0, KINDS_OF_PLAN);
    return run_device_suite(suite);
}
