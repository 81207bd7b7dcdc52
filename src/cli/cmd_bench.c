/* bench: the steps of the plan, measured; over ranks the training steps and what they communicate. */
#include <unistd.h>

#include "cli/commands.h"
#include "cli/out_file.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/session.h"

/* Slices are of training. */
static int check_slices(const cli_options *options)
{
    const char *other = options->tune ? "tune" : options->evaluation ? "eval" : NULL;
    if (!other || !cli_option_is_given(options, "slices"))
        return 0;
    return cli_fail(CLI_EXIT_USAGE, "--%s and --slices exclude each other, slices are of training: leave one out",
                    other);
}

static int write_trace(cnn_status status, const cli_options *options)
{
    int code = cli_check(status);
    if (code == 0)
        cli_info("the trace is in %s", options->trace);
    return code;
}

/* In another thread: that of the first device hangs. */
static void on_stuck(cnn_status status, void *user)
{
    (void)user;
    _exit(cli_check(status));
}

/* The first rank prints and writes. */
static int bench_ranks(const cli_session *session, const cli_options *options)
{
    cnn_rank_bench *bench = NULL;
    cnn_train_options train = options->train;
    char *text = NULL;
    int code = 0;
    train.seed = options->seed;
    CLI_TRY(cli_check(cnn_rank_bench_run(&bench, cli_ranks_comm(), session->devices, session->device_count,
                                         session->model, &train, options->steps,
                                         &(cnn_train_callbacks){.on_stuck = on_stuck})));
    if (cli_ranks_follow())
        return 0;
    CLI_TRY(cli_check((options->json ? cnn_rank_bench_to_json : cnn_rank_bench_to_text)(&text, bench)));
    cli_print("%s", text);
    CLI_TRY(cli_flush());
    if (options->trace)
        code = write_trace(cnn_rank_bench_write_trace(bench, options->trace), options);
out:
    cnn_string_free(text);
    cnn_rank_bench_destroy(bench);
    return code;
}

static int bench_plan(const cli_session *session, const cli_options *options)
{
    cnn_bench *bench = NULL;
    cnn_bench_options chosen;
    char *text = NULL;
    int code = 0;
    cnn_bench_options_init(&chosen);
    chosen.augment = options->train.augment;
    chosen.batch = options->train.batch;
    chosen.steps = options->steps;
    chosen.training = !options->evaluation;
    chosen.fuse = options->train.fuse;
    chosen.seed = options->seed;
    CLI_TRY(cli_check(cnn_bench_run(&bench, session->device, session->model, &chosen)));
    CLI_TRY(cli_check((options->json ? cnn_bench_to_json : cnn_bench_to_text)(&text, bench)));
    cli_print("%s", text);
    CLI_TRY(cli_flush());
    if (options->trace)
        code = write_trace(cnn_bench_write_trace(bench, options->trace), options);
out:
    cnn_string_free(text);
    cnn_bench_destroy(bench);
    return code;
}

int cmd_bench(cli_options *options)
{
    cli_session session = {0};
    int code = check_slices(options);
    if (code != 0)
        return code;
    if (options->tune)
        return cli_tune(options);
    if (options->evaluation && cli_option_is_given(options, "augment"))
        return cli_fail(CLI_EXIT_USAGE, "--augment and --eval exclude each other, evaluation is of "
                                        "the images as they are: leave one out");
    CLI_TRY(cli_out_file_check("--trace", options->trace, CLI_FILE_TRACE, options));
    CLI_TRY(cli_session_load_model(&session, options));
    CLI_TRY(cli_session_open_device(&session, options));
    bool of_ranks = cnn_comm_size(cli_ranks_comm()) > 1 || session.device_count > 1;
    if (of_ranks || cli_option_is_given(options, "slices"))
        code = bench_ranks(&session, options);
    else
        code = bench_plan(&session, options);
out:
    cli_session_finish(&session);
    return code;
}
