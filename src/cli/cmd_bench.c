/* bench: the steps of the plan, measured. */
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"

int cmd_bench(cli_options *options)
{
    cli_session session = {0};
    cnn_bench *bench = NULL;
    cnn_bench_options chosen;
    char *text = NULL;
    int code = 0;
    if (options->tune)
        return cli_tune(options);
    if (options->evaluation && cli_option_is_given(options, "augment"))
        return cli_fail(CLI_EXIT_USAGE, "--augment and --eval exclude each other, evaluation is of "
                                        "the images as they are: leave one out");
    cnn_bench_options_init(&chosen);
    chosen.augment = options->train.augment;
    chosen.batch = options->train.batch;
    chosen.steps = options->steps;
    chosen.training = !options->evaluation;
    chosen.fuse = options->train.fuse;
    chosen.seed = options->seed;
    CLI_TRY(cli_session_load_model(&session, options));
    CLI_TRY(cli_session_open_device(&session, options));
    CLI_TRY(cli_check(cnn_bench_run(&bench, session.device, session.model, &chosen)));
    CLI_TRY(cli_check((options->json ? cnn_bench_to_json : cnn_bench_to_text)(&text, bench)));
    cli_print("%s", text);
    CLI_TRY(cli_flush());
    if (options->trace) {
        CLI_TRY(cli_check(cnn_bench_write_trace(bench, options->trace)));
        cli_info("the trace is in %s", options->trace);
    }
out:
    cnn_string_free(text);
    cnn_bench_destroy(bench);
    cli_session_finish(&session);
    return code;
}
