#include "cli/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/option_rows.h"
#include "cli/output.h"

static cnn_comm *comm;
static bool is_done; /* all ranks' work: what comes is this one's */

void cli_ranks_init(void)
{
    int rank;
    if (cnn_comm_launched(&rank) > 1 && rank > 0) {
        cli_output_hush();
        cli_interrupt_hush();
    }
}

bool cli_ranks_may_share(const cli_options *options)
{
    bool of_one = options->tune || options->evaluation;
    return options->command->groups & (CLI_TRAIN | CLI_SPLIT | CLI_PICTURES | CLI_BENCH) && !of_one;
}

int cli_ranks_begin(const cli_options *options)
{
    int launched = cnn_comm_launched(NULL), code = 0;
    if (options->rank_timeout > 0)
        cnn_comm_set_limit(NULL, options->rank_timeout);
    if (launched <= 1)
        return 0;
    if (!cli_ranks_may_share(options))
        return cli_fail(
            CLI_EXIT_USAGE,
            "%s%s: expected one process, found %d ranks: train, eval, predict and bench (of training) "
            "alone take several: start it without the launcher",
            options->command->name, options->tune ? " --tune" : options->evaluation ? " --eval" : "", launched);
    code = cli_check(cnn_comm_create(&comm));
    return code;
}

void cli_ranks_are_done(void)
{
    is_done = true;
}

/* One that was interrupted ends in order: all were told to stop. */
int cli_ranks_end(int code)
{
    bool in_order = code == 0 || code > CLI_EXIT_SIGNAL || is_done;
    if (comm && !in_order && cnn_comm_hand_over(comm, cli_output_last_failure()) != CNN_OK) {
        cli_output_speak(); /* rank 0 does not */
        cli_fail(code, "%s", cnn_error_message());
    }
    if (comm)
        cnn_comm_end(comm, in_order ? 0 : code, cli_output_last_failure());
    comm = NULL;
    return code;
}

cnn_comm *cli_ranks_comm(void)
{
    return comm;
}

bool cli_ranks_follow(void)
{
    return cnn_comm_rank(comm) > 0;
}

int cli_devices_split(const char **selectors, int most, char *text)
{
    int count = 0;
    while (text && *text && count < most) {
        char *comma = strchr(text, ',');
        selectors[count++] = text;
        if (comma)
            *comma++ = '\0';
        text = comma;
    }
    return count;
}

/* Those that may differ. */
static bool is_own(const char *name)
{
    static const char *const own[] = {"device", "data",  "model",    "init",     "out",
                                      "quiet",  "json",  "log-json", "verbose",  "no-cache",
                                      "grid",   "batch", "seed",     "samples",  "trust-device",
                                      "show",   "rank-timeout"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(own[i], name) == 0)
            return true;
    return false;
}

int cli_ranks_compare_options(cnn_comm *all, const cli_options *options)
{
    int code = 0;
    for (int i = 0; all && code == 0 && cli_option_rows[i].name; i++) {
        const cli_option_row *row = &cli_option_rows[i];
        char what[48];
        const char *value = !options->given[i]    ? "not given"
                            : options->texts[i] ? options->texts[i]
                                                : "given";
        if (strcmp(row->name, "split") == 0) /* what is said may be the default */
            value = cnn_split_name(options->split);
        if (strcmp(row->name, "tta") == 0)
            value = options->tta == CNN_TTA_FLIP ? "flip" : "none";
        if (is_own(row->name) || !(row->group & options->command->groups))
            continue;
        snprintf(what, sizeof what, "--%s", row->name);
        code = cli_check(cnn_comm_compare(all, what, value, "start every rank with the same options"));
    }
    return code;
}
