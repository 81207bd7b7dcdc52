/* For check_graphs.py, what the device makes of a network:
 *   graph_step random SEED                  prints the text of a random network
 *   graph_step text FILE CLASSES C,H,W      prints a network file's network, expanded
 *   graph_step run FOLDER/ SAMPLES STEPS    FOLDER has network.net and, as raw values in the order
 * of the model, parameters, statistics, x and labels (16 bits); writes fused.NAME and plain.NAME:
 * eval_logits, logits, loss, gradients, new_statistics, losses */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "plan_case.h"
#include "random_graph.h"

static char **words;

static void read_raw(void *values, const char *name, size_t bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", words[2], name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    ck_assert_msg(fread(values, 1, bytes, file) == bytes && fgetc(file) == EOF,
                  "%s: expected %zu bytes, found another number", path, bytes);
    fclose(file);
}

static void write_floats(const char *plan, const char *name, const float *values, size_t count)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s.%s", words[2], plan, name);
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "cannot write %s", path);
    ck_assert_uint_eq(fwrite(values, sizeof *values, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
}

static void print_network(cnn_network *network)
{
    char *text;
    check_ok(cnn_network_to_text(&text, network));
    fputs(text, stdout);
    free(text);
    cnn_network_destroy(network);
}

START_TEST(prints_a_random_network)
{
    random_graph_limits limits = random_graph_defaults();
    limits.most_nodes = 24;
    limits.dropout = 0.0;
    limits.only_torch = true;
    print_network(random_graph(strtoull(words[2], NULL, 10), &limits));
}
END_TEST

START_TEST(prints_a_file)
{
    cnn_network *network;
    cnn_network_given given = {.classes = atoi(words[3])};
    int *input = given.input;
    ck_assert_int_eq(sscanf(words[4], "%d,%d,%d", &input[0], &input[1], &input[2]), 3);
    check_ok(cnn_network_from_file(&network, "network", words[2], &given));
    print_network(network);
}
END_TEST

static plan_case read_case(void)
{
    plan_case made = {.n = atoi(words[3])};
    char path[512];
    cnn_network *network;
    snprintf(path, sizeof path, "%snetwork.net", words[2]);
    check_ok(cnn_network_from_file(&network, "network", path, NULL));
    check_ok(cnn_model_create_network(&made.model, network, 1));
    size_t n = (size_t)made.n, values = n * cnn_shape_count(cnn_network_input_shape(network));
    read_raw(made.model->parameters, "parameters", network->parameter_count * sizeof(float));
    read_raw(made.model->statistics, "statistics", network->statistic_count * sizeof(float));
    made.x = scratch_floats(values);
    read_raw(made.x, "x", values * sizeof(float));
    made.labels = scratch_bytes(n * sizeof *made.labels);
    read_raw(made.labels, "labels", n * sizeof *made.labels);
    made.pass = (cnn_pass){.n = made.n};
    cnn_network_destroy(network);
    return made;
}

/* Adam on one batch. The labels are still in place, the input is not: a plan shares its memory. */
static void run_steps(const char *name, plan_case *at, cnn_plan *plan, size_t steps)
{
    cnn_shape in = cnn_network_input_shape(at->model->network);
    size_t bytes = (size_t)at->n * cnn_shape_count(in) * sizeof(float);
    float *losses = scratch_floats(steps), *x = to_device_layout(at->x, in, at->n);
    uint32_t *hits = scratch_bytes(steps * sizeof *hits);
    int bad;
    check_ok(cnn_plan_upload(plan, at->model));
    for (size_t step = 0; step < steps; step++) {
        check_ok(cnn_buffer_write(cnn_plan_input(plan), 0, x, bytes));
        check_ok(cnn_plan_forward(plan, &at->pass));
        check_ok(cnn_plan_loss(plan, &at->pass, step));
        check_ok(cnn_plan_backward(plan, &at->pass));
        check_ok(cnn_plan_update(plan, 1e-3, step + 1));
    }
    check_ok(cnn_softmax_read(losses, hits, &bad, &plan->softmax, 0, steps));
    ck_assert_int_eq(bad, -1);
    write_floats(name, "losses", losses, steps);
}

static void run_modes(const char *name, plan_case *at, bool fuse)
{
    const cnn_network *network = at->model->network;
    size_t logits = (size_t)at->n * (size_t)network->classes;
    size_t steps = strtoull(words[4], NULL, 10);
    cnn_plan *plan = make_plan(at, at->n, true, fuse);
    at->pass.training = false;
    write_floats(name, "eval_logits", run_plan(plan, at).logits, logits);
    at->pass.training = true;
    plan_result result = run_plan(plan, at);
    write_floats(name, "logits", result.logits, logits);
    write_floats(name, "loss", &result.loss, 1);
    write_floats(name, "gradients", result.gradients, network->parameter_count);
    write_floats(name, "new_statistics", result.statistics, network->statistic_count);
    if (steps > 0)
        run_steps(name, at, plan, steps);
    cnn_plan_destroy(plan);
}

START_TEST(runs_fused_and_plain)
{
    plan_case at = read_case();
    run_modes("fused", &at, true);
    run_modes("plain", &at, false);
    plan_case_finish(&at);
}
END_TEST

static void add_wanted(int argc, char **argv, TCase *tests)
{
    words = argv;
    if (argc == 3 && strcmp(argv[1], "random") == 0)
        tcase_add_test(tests, prints_a_random_network);
    else if (argc == 5 && strcmp(argv[1], "text") == 0)
        tcase_add_test(tests, prints_a_file);
    else if (argc == 5 && strcmp(argv[1], "run") == 0)
        tcase_add_test(tests, runs_fused_and_plain);
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("graph_step");
    add_wanted(argc, argv, add_device_case(suite, "graph_step"));
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner), run = srunner_ntests_run(runner);
    if (failed != 0)
        srunner_print(runner, CK_NORMAL);
    srunner_free(runner);
    return failed == 0 && run == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
