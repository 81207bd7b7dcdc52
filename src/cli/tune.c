/* bench --tune: the search for CLBlast's parameters, and what it found. */
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/session.h"

static bool on_trial(const cnn_tune_trial *trial, void *user)
{
    (void)user;
    if (trial->gflops > 0.0)
        cli_info("[%d] %s %s: %.1f GFLOP/s, best %.1f", trial->number, trial->kernel,
                 trial->parameters, trial->gflops, trial->best_gflops);
    else
        cli_info("[%d] %s %s: does not run, or computes wrong", trial->number, trial->kernel,
                 trial->parameters);
    return cli_interrupt_signal() == 0;
}

static int check_options(const cli_options *options)
{
    const char *other = options->trace ? "trace" : options->evaluation ? "eval" : NULL;
    if (options->steps > 0)
        other = "steps";
    if (cli_option_is_given(options, "augment"))
        other = "augment";
    if (!other)
        return 0;
    return cli_fail(CLI_EXIT_USAGE, "--tune and --%s exclude each other: leave one out", other);
}

int cli_tune(cli_options *options)
{
    cli_session session = {0};
    cnn_tuning *tuning = NULL;
    cnn_tune_options chosen;
    char *text = NULL;
    int code = 0;
    CLI_TRY(check_options(options));
    cnn_tune_options_init(&chosen);
    chosen.batch = options->train.batch;
    chosen.fuse = options->train.fuse;
    CLI_TRY(cli_session_load_model(&session, options));
    CLI_TRY(cli_session_open_device(&session, options));
    cli_interrupt_catch("cnn-cl: interrupted again and ended at once; what was found is kept\n");
    CLI_TRY(cli_check(cnn_tune_run(&tuning, session.device, cnn_model_network(session.model),
                                   &chosen, on_trial, NULL)));
    CLI_TRY(cli_check((options->json ? cnn_tuning_to_json : cnn_tuning_to_text)(&text, tuning)));
    cli_print("%s", text);
    CLI_TRY(cli_flush());
    if (cli_interrupt_signal() != 0)
        code = cli_fail(CLI_EXIT_SIGNAL + cli_interrupt_signal(),
                        "interrupted; the same command goes on with the search");
out:
    cnn_string_free(text);
    cnn_tuning_destroy(tuning);
    cli_session_finish(&session);
    return code;
}
