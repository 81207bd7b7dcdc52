/* The search for what multiplies fastest: cnn_tune_run(). */
#include <cnncl/tuning.h>

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "check_main.h"
#include "on_device.h"
#include "scratch.h"
#include "support.h"
#include "tensor/tuning_file.h"

static scratch cache;

static void set_up(void)
{
    scratch_init(&cache);
    setenv("CNN_CL_CACHE_DIR", cache.folder, 1);
    *test_device()->tuning = '\0'; /* as when it was opened */
}

static void tear_down(void)
{
    scratch_finish(&cache);
}

typedef struct listener {
    int heard, first, last; /* numbers of the trials */
} listener;

/* Ends the search behind the first trial of a run. */
static bool stop(const cnn_tune_trial *trial, void *user)
{
    listener *at = user;
    at->first = at->heard++ == 0 ? trial->number : at->first;
    at->last = trial->number;
    ck_assert_ptr_nonnull(strstr(trial->parameters, "MWG="));
    ck_assert_str_eq(trial->kernel, "Xgemm");
    ck_assert_double_ge(trial->best_gflops, 0.0);
    return false;
}

static cnn_network *make_network(const char *hdims)
{
    cnn_config config;
    cnn_network *network;
    cnn_config_init(&config);
    check_ok(cnn_config_set(&config, "xdim", "1,6,6"));
    check_ok(cnn_config_set(&config, "cdims", "none"));
    check_ok(cnn_config_set(&config, "hdims", hdims));
    check_ok(cnn_network_create(&network, &config));
    return network;
}

static cnn_tuning *tune(const cnn_network *network, bool fuse, listener *at)
{
    cnn_tune_options options;
    cnn_tuning *tuning;
    cnn_tune_options_init(&options);
    options.batch = 16;
    options.fuse = fuse;
    *at = (listener){.heard = 0};
    check_ok(cnn_tune_run(&tuning, test_device(), network, &options, stop, at));
    return tuning;
}

START_TEST(a_search_goes_on_where_it_was)
{
    cnn_network *network = make_network("20"), *other = make_network("24");
    cnn_gemm_record record = {.shape_count = 0};
    listener heard;
    bool found;
    for (int run = 1; run <= 2; run++) {
        cnn_tuning *tuning = tune(network, false, &heard);
        cnn_tuning_summary summary = cnn_tuning_get_summary(tuning);
        ck_assert_int_eq(heard.heard, 1);
        ck_assert_int_eq(heard.first, run);
        ck_assert_int_eq(summary.trials, run);
        ck_assert_int_eq(summary.new_trials, 1);
        ck_assert(summary.saved && !summary.complete);
        ck_assert(cnn_file_exists(summary.path));
        ck_assert_uint_eq(cnn_tuning_row_count(tuning), 5); /* the input wants no gradient */
        for (size_t i = 0; i < 5; i++) {
            cnn_tuning_row row = cnn_tuning_get_row(tuning, i);
            ck_assert_double_gt(row.before_gflops, 0.0);
            ck_assert_double_gt(row.after_gflops, 0.0);
            ck_assert_double_eq(row.flops, 2.0 * (double)(row.m * row.n * row.k));
        }
        cnn_tuning_destroy(tuning);
    }
    check_ok(cnn_gemm_record_read(&record, &found, test_device()));
    ck_assert(found && record.trial_count == 2);
    cnn_gemm_record_finish(&record);
    cnn_tuning_destroy(tune(other, false, &heard)); /* other products: a new search */
    ck_assert_int_eq(heard.first, 1);
    cnn_network_destroy(network);
    cnn_network_destroy(other);
}
END_TEST

START_TEST(a_search_that_is_complete_is_not_made_again)
{
    cnn_network *network = make_network("20");
    cnn_gemm_record record = {.shape_count = 0};
    listener heard;
    bool found, saved;
    cnn_tuning_destroy(tune(network, false, &heard));
    check_ok(cnn_gemm_record_read(&record, &found, test_device()));
    record.complete = true;
    check_ok(cnn_gemm_record_write(&saved, &record, test_device()));
    cnn_gemm_record_finish(&record);
    cnn_tuning *tuning = tune(network, false, &heard);
    cnn_tuning_summary summary = cnn_tuning_get_summary(tuning);
    ck_assert_int_eq(heard.heard, 0);
    ck_assert_int_eq(summary.new_trials, 0);
    ck_assert(summary.complete && summary.saved);
    cnn_tuning_destroy(tuning);
    cnn_network_destroy(network);
}
END_TEST

START_TEST(a_plan_without_products_has_nothing_to_tune)
{
    cnn_network *network = make_network("20");
    listener heard;
    char *text;
    cnn_tuning *tuning = tune(network, true, &heard);
    ck_assert_int_eq(heard.heard, 0);
    ck_assert_uint_eq(cnn_tuning_row_count(tuning), 0);
    check_ok(cnn_tuning_to_text(&text, tuning));
    ck_assert_ptr_nonnull(strstr(text, "Nothing to tune"));
    cnn_string_free(text);
    cnn_tuning_destroy(tuning);
    cnn_network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tune search");
    TCase *tests = add_device_case(suite, "tune search");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_search_goes_on_where_it_was);
    tcase_add_test(tests, a_search_that_is_complete_is_not_made_again);
    tcase_add_test(tests, a_plan_without_products_has_nothing_to_tune);
    return run_device_suite(suite);
}
