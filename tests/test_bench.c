/* The bench: its rows, their figures, and the documents that it writes. */
#include <cnncl/bench.h>
#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "bench/bench.h"
#include "check_main.h"
#include "on_device.h"
#include "scratch.h"
#include "support.h"

static const char trace_name[] = "trace.json";

/* What is measured: small networks, each in another way. */
static const struct {
    const char *cdims, *hdims;
    bool batchnorm, training, fuse;
    double dropout;
    int steps;
} cases[] = {
    {"4,8", "16", false, true, true, 0.5, 3},  {"4,8", "16", false, true, false, 0.5, 3},
    {"4,8", "16", true, true, true, 0.5, 2},   {"4,8", "16", true, true, false, 0.0, 18},
    {"4,8", "16", false, false, true, 0.5, 1}, {"4,8", "16", false, false, false, 0.5, 2},
    {"none", "none", false, true, true, 0, 2}, {"3", "none", false, true, false, 0, 0},
};
enum { CASES = sizeof cases / sizeof cases[0], BATCH = 6, CLASSES = 4 };

/* Each case runs once. */
static cnn_model *models[CASES];
static cnn_bench *benches[CASES];

/* The test's own. */
static cnn_model *model;
static cnn_bench *bench;
static scratch folder;

static void make_model(int number)
{
    cnn_config config;
    model = models[number];
    if (model)
        return;
    cnn_config_init(&config);
    check_ok(cnn_config_set(&config, "xdim", "1,8,9"));
    check_ok(cnn_config_set(&config, "cdims", cases[number].cdims));
    check_ok(cnn_config_set(&config, "hdims", cases[number].hdims));
    config.ydim = CLASSES;
    config.batchnorm = cases[number].batchnorm;
    config.dropout = cases[number].dropout;
    check_ok(cnn_model_create(&models[number], &config, 0));
    model = models[number];
}

static cnn_bench_options options_of(int number)
{
    cnn_bench_options options;
    cnn_bench_options_init(&options);
    options.batch = BATCH;
    options.steps = cases[number].steps;
    options.training = cases[number].training;
    options.fuse = cases[number].fuse;
    return options;
}

static void run_case(int number)
{
    cnn_bench_options options = options_of(number);
    make_model(number);
    if (!benches[number])
        check_ok(cnn_bench_run(&benches[number], test_device(), model, &options));
    bench = benches[number];
}

static void set_up(void)
{
    scratch_init(&folder);
}

static void tear_down(void)
{
    bench = NULL;
    model = NULL;
    scratch_finish(&folder);
}

static void check_row(size_t *at, const char *phase, const char *first_layer)
{
    ck_assert_uint_lt(*at, cnn_bench_row_count(bench));
    cnn_bench_row row = cnn_bench_get_row(bench, (*at)++);
    ck_assert_str_eq(row.phase, phase);
    ck_assert_int_eq(strncmp(row.layers, first_layer, strlen(first_layer)), 0);
    ck_assert_int_eq(row.name[0] == '\0', first_layer[0] == '\0');
}

/* As the plan has them: gather, forward, loss, backward in reverse, update. */
START_TEST(rows_cover_every_step)
{
    cnn_plan *plan;
    size_t at = 0;
    run_case(_i);
    check_ok(cnn_plan_create(
        &plan, test_device(), model->network,
        (cnn_plan_options){
            .batch = BATCH, .training = cases[_i].training, .fuse = cases[_i].fuse, .slots = 1}));
    check_row(&at, "gather", "");
    for (int i = 0; i < plan->step_count; i++)
        check_row(&at, "forward", plan->steps[i].op->layers[0]->name);
    check_row(&at, "loss", "");
    for (int i = plan->step_count - 1; cases[_i].training && i >= 0; i--)
        if (plan->steps[i].output_gradient >= 0)
            check_row(&at, "backward", plan->steps[i].op->layers[0]->name);
    if (cases[_i].training)
        check_row(&at, "update", "");
    ck_assert_uint_eq(at, cnn_bench_row_count(bench));
    cnn_plan_destroy(plan);
}
END_TEST

START_TEST(times_are_positive_and_shares_sum_to_one)
{
    double share = 0.0, milliseconds = 0.0;
    run_case(_i);
    cnn_bench_summary summary = cnn_bench_get_summary(bench);
    for (size_t i = 0; i < cnn_bench_row_count(bench); i++) {
        cnn_bench_row row = cnn_bench_get_row(bench, i);
        ck_assert_int_eq(row.milliseconds > 0.0, row.launches > 0);
        ck_assert_int_eq(row.bytes > 0.0, row.launches > 0);
        /* Behind batch norm what is kept may be computed again; nothing is done three times. */
        double most = cnn_network_has_batchnorm(model->network) ? 2.0 * row.flops : row.flops;
        ck_assert(row.computed_flops >= 0.0 && row.computed_flops <= most);
        share += row.share;
        milliseconds += row.milliseconds;
    }
    ck_assert_double_eq_tol(share, 1.0, 1e-9);
    ck_assert_double_eq_tol(milliseconds, summary.milliseconds, 1e-9 * milliseconds);
    ck_assert(summary.plain_milliseconds > 0.0);
    ck_assert(summary.peak_flops > 1e6 && summary.peak_bytes > 1e6);
    ck_assert_int_eq(summary.batch, BATCH);
    ck_assert_int_eq(summary.training, cases[_i].training);
    if (cases[_i].steps > 0)
        ck_assert_int_eq(summary.steps, cases[_i].steps);
    else
        ck_assert_int_ge(summary.steps, 3);
}
END_TEST

/* Nothing is left behind on the device. */
START_TEST(the_device_is_given_back)
{
    cnn_device *device = test_device();
    cl_command_queue queue = device->queue;
    uint64_t allocated = device->allocated;
    make_model(0);
    cnn_bench_options options = options_of(0);
    check_ok(cnn_bench_run(&bench, device, model, &options));
    cnn_bench_destroy(bench);
    ck_assert_ptr_eq(device->queue, queue);
    ck_assert_ptr_null(device->profile);
    ck_assert_uint_eq(device->allocated, allocated);
}
END_TEST

static double sum_flops(const char *phase, bool computed)
{
    double sum = 0.0;
    for (size_t i = 0; i < cnn_bench_row_count(bench); i++) {
        cnn_bench_row row = cnn_bench_get_row(bench, i);
        if (strcmp(row.phase, phase) == 0)
            sum += computed ? row.computed_flops : row.flops;
    }
    return sum;
}

/* Whatever is fused: forward what the layers say; backward twice that for layers with parameters
 * but the first, once for the others. */
START_TEST(dense_work_is_the_layers)
{
    double forward = 0.0, backward = 0.0;
    run_case(_i);
    for (int i = 0; i < model->network->layer_count; i++) {
        const cnn_layer *layer = &model->network->layers[i];
        double flops = BATCH * cnn_layer_get_class(layer->kind)->forward_flops(layer);
        forward += flops;
        backward += flops * (i == 0 ? 1 : layer->param_count > 0 ? 2 : 1);
    }
    ck_assert_double_eq_tol(sum_flops("forward", false), forward, 1e-9 * forward);
    ck_assert_double_eq_tol(sum_flops("backward", false), backward, 1e-9 * backward);
    if (!cases[_i].fuse) {
        ck_assert_double_eq_tol(sum_flops("forward", true), forward, 1e-9 * forward);
        ck_assert_double_eq_tol(sum_flops("backward", true), backward, 1e-9 * backward);
    }
}
END_TEST

static cnn_bench_row find_row(const char *phase, const char *layers)
{
    for (size_t i = 0; i < cnn_bench_row_count(bench); i++) {
        cnn_bench_row row = cnn_bench_get_row(bench, i);
        if (strcmp(row.phase, phase) == 0 && strcmp(row.layers, layers) == 0)
            return row;
    }
    ck_abort_msg("no row %s %s", phase, layers);
}

/* By hand, for a sample and p = 0.5. The first block, 1,8,9 to 4,8,9 to 4,4,4: its convolution has
 * 2 * 9 * 288 = 5184, of which windows cover 64 of 72 positions. The second, 4,4,4 to 8,4,4 to
 * 8,2,2: 2 * 9 * 4 * 128 = 9216, half of its input dropped. */
START_TEST(what_is_skipped_is_not_counted_as_computed)
{
    static const char first[] = "conv2d_00..dropout2d_03", second[] = "conv2d_04..dropout2d_07";
    if (test_device()->kernel_class != CNN_KERNEL_CPU)
        return; /* no such fusion */
    run_case(0);
    const struct {
        const char *phase, *layers;
        double flops;
    } rows[] = {
        {"forward", first, 0.5 * 5184.0 * 64 / 72 + 0.5 * 64 * 5},
        {"forward", second, 0.25 * 9216.0 + 0.5 * 32 * 5},
        {"backward", first, 0.5 * 5184.0 * 16 / 72 + 0.5 * 64},
        {"backward", second, 2 * 0.25 * 9216.0 / 4 + 0.5 * 32},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_double_eq_tol(find_row(rows[i].phase, rows[i].layers).computed_flops,
                                BATCH * rows[i].flops, 1e-6);
}
END_TEST

START_TEST(bytes_are_counted_once)
{
    enum { PIXELS = 8 * 9, FLOAT = 4 };
    run_case(6); /* one linear layer */
    double parameters = (double)cnn_model_parameter_count(model);
    double x = BATCH * PIXELS, y = BATCH * CLASSES;
    cnn_bench_row gather = cnn_bench_get_row(bench, 0);
    ck_assert_double_eq(gather.bytes, BATCH * (PIXELS + 4 + 2 * 2) + FLOAT * x);
    for (size_t i = 1; i < cnn_bench_row_count(bench); i++) {
        cnn_bench_row row = cnn_bench_get_row(bench, i);
        if (strcmp(row.phase, "forward") == 0 && strncmp(row.layers, "flatten_00..", 12) == 0)
            ck_assert_double_eq(row.bytes, FLOAT * (x + y + parameters));
        if (strcmp(row.phase, "loss") == 0)
            ck_assert_double_eq(row.bytes, FLOAT * 2 * y + 2 * BATCH);
        if (strcmp(row.phase, "backward") == 0 && strncmp(row.layers, "flatten_00..", 12) == 0)
            ck_assert_double_eq(row.bytes, FLOAT * (x + y + 2 * parameters));
        if (strcmp(row.phase, "update") == 0)
            ck_assert_double_eq(row.bytes, FLOAT * 7 * parameters);
    }
}
END_TEST

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    ck_assert_msg(root != NULL, "line %d: %s", error.line, error.text);
    return root;
}

START_TEST(json_has_the_rows)
{
    static const char *const numbers[] = {
        "milliseconds", "share",     "flops",         "computed_flops", "bytes",
        "gflops",       "gigabytes", "of_peak_flops", "of_peak_bytes",  "computed_gflops"};
    char *text;
    run_case(_i);
    check_ok(cnn_bench_to_json(&text, bench));
    json_t *root = parse(text);
    cnn_bench_summary summary = cnn_bench_get_summary(bench);
    const json_t *rows = json_object_get(root, "rows");
    ck_assert_uint_eq(json_array_size(rows), cnn_bench_row_count(bench));
    ck_assert_double_eq_tol(json_real_value(json_object_get(root, "peak_flops")),
                            summary.peak_flops, 1e-6 * summary.peak_flops);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        cnn_bench_row expected = cnn_bench_get_row(bench, i);
        ck_assert_str_eq(json_string_value(json_object_get(row, "phase")), expected.phase);
        ck_assert_str_eq(json_string_value(json_object_get(row, "layers")), expected.layers);
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
            ck_assert(json_is_real(json_object_get(row, numbers[n])));
        double gflops = json_real_value(json_object_get(row, "gflops"));
        ck_assert_double_eq_tol(gflops * expected.milliseconds, 1e-6 * expected.flops,
                                1e-9 + 1e-6 * expected.flops);
    }
    json_decref(root);
    cnn_string_free(text);
}
END_TEST

START_TEST(text_has_the_rows)
{
    char *text;
    size_t lines = 0;
    run_case(0);
    check_ok(cnn_bench_to_text(&text, bench));
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    /* Head and sum, and four lines below. */
    ck_assert_uint_eq(lines, cnn_bench_row_count(bench) + 6);
    for (size_t i = 0; i < cnn_bench_row_count(bench); i++)
        ck_assert_ptr_nonnull(strstr(text, cnn_bench_get_row(bench, i).layers));
    ck_assert_ptr_nonnull(strstr(text, cnn_device_get_info(test_device())->name));
    cnn_string_free(text);
}
END_TEST

static double real_of(const json_t *event, const char *key)
{
    const json_t *value = json_object_get(event, key);
    ck_assert_msg(json_is_number(value), "%s", key);
    return json_number_value(value);
}

/* A nanosecond and what decimals lose of it. */
static const double tick = 1.1e-3;

/* Checks the complete events of a thread and returns their number. */
static size_t check_thread(const json_t *events, int thread)
{
    size_t count = 0;
    double end = 0.0;
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        if (strcmp(json_string_value(json_object_get(event, "ph")), "X") != 0 ||
            (int)real_of(event, "tid") != thread)
            continue;
        ck_assert_double_ge(real_of(event, "ts"), end - tick);
        ck_assert_double_ge(real_of(event, "dur"), 0.0);
        ck_assert_int_eq((int)real_of(event, "pid"), 1);
        ck_assert(json_string_length(json_object_get(event, "name")) > 0);
        end = real_of(event, "ts") + real_of(event, "dur");
        const json_t *queued = json_object_get(json_object_get(event, "args"), "queued");
        if (queued)
            ck_assert_double_le(json_real_value(queued), end);
        count++;
    }
    return count;
}

START_TEST(trace_has_every_launch_in_order)
{
    char *text;
    size_t size, launches = 0, rows = 0;
    run_case(_i);
    check_ok(cnn_bench_write_trace(bench, scratch_path(&folder, trace_name)));
    check_ok(cnn_file_read((void **)&text, &size, folder.path, (size_t)1 << 26));
    json_t *root = parse(text);
    const json_t *events = json_object_get(root, "traceEvents");
    for (size_t i = 0; i < cnn_bench_row_count(bench); i++) {
        launches += (size_t)cnn_bench_get_row(bench, i).launches;
        rows += cnn_bench_get_row(bench, i).launches > 0;
    }
    size_t steps = (size_t)cnn_bench_get_summary(bench).steps;
    ck_assert_uint_eq(check_thread(events, 1), steps * rows);
    ck_assert_uint_eq(check_thread(events, 2), steps * launches);
    ck_assert_ptr_nonnull(strstr(text, "\"gather\""));
    if (!cases[_i].fuse)
        ck_assert_ptr_nonnull(strstr(text, "\"CLBlastSgemm\""));
    json_decref(root);
    free(text);
}
END_TEST

START_TEST(a_trace_that_cannot_be_written_is_an_error)
{
    run_case(4);
    ck_assert_int_eq(cnn_bench_write_trace(bench, scratch_path(&folder, "no-such-folder/t.json")),
                     CNN_ERROR_FILE);
    assert_message_has("no-such-folder");
}
END_TEST

START_TEST(options_are_checked)
{
    cnn_bench_options options = options_of(0);
    make_model(0);
    options.batch = 0;
    ck_assert_int_eq(cnn_bench_run(&bench, test_device(), model, &options), CNN_ERROR_ARGUMENT);
    assert_message_has("--batch: expected 1 or more, found 0");
    ck_assert_ptr_null(bench);
    options = options_of(0);
    options.steps = -1;
    ck_assert_int_eq(cnn_bench_run(&bench, test_device(), model, &options), CNN_ERROR_ARGUMENT);
    assert_message_has("--steps: expected 0 or more, found -1");
    ck_assert_ptr_null(bench);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bench");
    TCase *tests = add_device_case(suite, "bench");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, rows_cover_every_step, 0, CASES);
    tcase_add_loop_test(tests, times_are_positive_and_shares_sum_to_one, 0, CASES);
    tcase_add_test(tests, the_device_is_given_back);
    tcase_add_loop_test(tests, dense_work_is_the_layers, 0, 2);
    tcase_add_test(tests, what_is_skipped_is_not_counted_as_computed);
    tcase_add_test(tests, bytes_are_counted_once);
    tcase_add_loop_test(tests, json_has_the_rows, 0, 2);
    tcase_add_test(tests, text_has_the_rows);
    tcase_add_loop_test(tests, trace_has_every_launch_in_order, 0, CASES);
    tcase_add_test(tests, a_trace_that_cannot_be_written_is_an_error);
    tcase_add_test(tests, options_are_checked);
    int result = run_device_suite(suite);
    for (int i = 0; i < CASES; i++) {
        cnn_bench_destroy(benches[i]);
        cnn_model_destroy(models[i]);
    }
    return result;
}
