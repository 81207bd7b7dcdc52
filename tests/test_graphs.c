/* Random networks of every kind of layer on the device, beside plain C: branches whose gradients are
 * summed, memory that is shared, plans with and without fusion.
 *
 * CNN_TEST_GRAPHS=N tries N of them instead of a few. */
#include <stdio.h>
#include <stdlib.h>

#include "plan_case.h"
#include "random_graph.h"

enum { FEW = 3, BATCH = 5 };

/* Rounding goes through all layers, and norms of few values magnify it. */
static const plan_tolerance whole = {2e-4, 2e-3, 2e-5};

static void check_modes(plan_case *at, bool fuse)
{
    cnn_plan *plan = make_plan(at, BATCH, true, fuse);
    for (int training = 0; training < 2; training++) {
        at->pass.training = training == 1;
        plan_result expected = run_reference(at), actual = run_plan(plan, at);
        check_plan_result(at, &actual, &expected, whole);
    }
    cnn_plan_destroy(plan);
}

START_TEST(random_graphs_agree_with_plain_c)
{
    random_graph_limits limits = random_graph_defaults();
    random_source random = {.seed = (uint64_t)_i + 1};
    limits.most_nodes = 24;
    cnn_network *network = random_graph((uint64_t)_i, &limits);
    plan_case at = make_network_case(&random, network, BATCH);
    snprintf(at.name, sizeof at.name, "graph %d", _i);
    check_modes(&at, _i % 2 == 0);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

/* A value that is read many times, by itself too, and one whose readers change its gradient. */
START_TEST(gradients_of_shared_values_are_summed)
{
    static const char text[] = "input(2, 6, 5)\n"
                               "a = Conv2d(4, 3, padding=1)\n"
                               "b = Add(a, a)\n"
                               "r = ReLU()\n"
                               "c = Add(a, r)\n"
                               "d = Add(c, a)\n"
                               "e = Mul(d, d)\n"
                               "t = Tanh() <- d\n"
                               "f = Concat(e, t, d, a)\n"
                               "p = AdaptiveAvgPool2d(1)\n"
                               "s = Sigmoid()\n"
                               "Mul(f, s)\n"
                               "Flatten()\n"
                               "h = Linear(9)\n"
                               "g = ReLU()\n"
                               "k = Linear(9) <- h\n"
                               "m = Add(k, g)\n"
                               "Linear(3)\n";
    random_source random = {.seed = 5};
    cnn_network *network;
    check_ok(cnn_network_from_text(&network, "shared", text, "shared", NULL));
    plan_case at = make_network_case(&random, network, BATCH);
    check_modes(&at, _i == 0);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graphs");
    TCase *tests = add_device_case(suite, "graphs");
    const char *count = getenv("CNN_TEST_GRAPHS");
    tcase_add_loop_test(tests, gradients_of_shared_values_are_summed, 0, 2);
    tcase_add_loop_test(tests, random_graphs_agree_with_plain_c, 0,
                        count ? (int)strtol(count, NULL, 10) : FEW);
    return run_device_suite(suite);
}
