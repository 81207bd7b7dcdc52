/* For check_onnx.py, what needs no device:
 *   plain_network random SEED                        prints the text of a random network
 *   plain_network logits MODEL IMAGES LOGITS COUNT   as model_logits, in plain C */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random_graph.h"
#include "ref/ref.h"
#include "support.h"

static char **words;

static void check_ok(cnn_status status)
{
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
}

START_TEST(prints_a_random_network)
{
    random_graph_limits limits = random_graph_defaults();
    cnn_network *network = random_graph(strtoull(words[2], NULL, 10), &limits);
    char *text;
    check_ok(cnn_network_to_text(&text, network));
    fputs(text, stdout);
    free(text);
    cnn_network_destroy(network);
}
END_TEST

START_TEST(computes_logits)
{
    cnn_model *model;
    check_ok(cnn_model_load(&model, words[2]));
    const cnn_network *network = model->network;
    int n = atoi(words[5]);
    size_t size = (size_t)n * cnn_shape_count(cnn_network_input_shape(network));
    size_t outputs = (size_t)n * (size_t)network->classes;
    float *x = scratch_floats(size), *logits = scratch_floats(outputs);
    FILE *images = fopen(words[3], "rb"), *out = fopen(words[4], "wb");
    ck_assert(images && out);
    ck_assert_uint_eq(fread(x, sizeof *x, size, images), size);
    for (size_t i = 0; model->normalization.channels > 0 && i < size; i++) {
        size_t plane = (size_t)network->input[1] * (size_t)network->input[2];
        size_t c = i / plane % (size_t)network->input[0];
        x[i] = (x[i] - model->normalization.means[c]) / model->normalization.deviations[c];
    }
    check_ok(cnn_ref_network(logits, NULL, NULL, model, x, NULL, n, (cnn_ref_pass){0}));
    ck_assert_uint_eq(fwrite(logits, sizeof *logits, outputs, out), outputs);
    ck_assert_int_eq(fclose(out), 0);
    fclose(images);
    cnn_model_destroy(model);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("plain_network");
    TCase *tests = add_scratch_case(suite, "plain_network");
    words = argv;
    if (argc == 3 && strcmp(argv[1], "random") == 0)
        tcase_add_test(tests, prints_a_random_network);
    else if (argc == 6 && strcmp(argv[1], "logits") == 0)
        tcase_add_test(tests, computes_logits);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner), run = srunner_ntests_run(runner);
    if (failed != 0)
        srunner_print(runner, CK_NORMAL);
    srunner_free(runner);
    return failed == 0 && run == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
