/* Going on from a checkpoint. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "cli/network.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/train_run.h"

static bool is_there(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* The name under which the checkpoint before `path` was kept; NULL after saying that there is no
 * memory. */
static char *previous_of(const char *path)
{
    static const char ending[] = ".safetensors";
    size_t length = strlen(path), count = sizeof ending - 1;
    if (length < count || strcmp(path + length - count, ending) != 0)
        return cli_concatenate((const char *[]){path, ".prev", NULL});
    char *stem = cli_concatenate((const char *[]){path, NULL});
    if (!stem)
        return NULL;
    stem[length - count] = '\0';
    char *name = cli_concatenate((const char *[]){stem, ".prev", ending, NULL});
    free(stem);
    return name;
}

/* Fit for a POSIX shell. */
static char *quote(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./:,+@%=-";
    static const char escaped[] = "'\\''";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0')
        return cli_concatenate((const char *[]){word, NULL});
    char *text = cli_allocate(strlen(word) * (sizeof escaped - 1) + 3, 1), *at = text;
    if (!text)
        return NULL;
    *at++ = '\'';
    for (; *word; word++) {
        if (*word == '\'') {
            memcpy(at, escaped, sizeof escaped - 1);
            at += sizeof escaped - 1;
        } else {
            *at++ = *word;
        }
    }
    *at = '\'';
    return text;
}

/* One line: what is wrong with the checkpoint, and whether the one before it is good. */
static int refuse(const train_run *run, const char *path, cnn_status status)
{
    int code = cli_exit_code(status);
    cnn_checkpoint *other = NULL;
    char *message = cli_concatenate((const char *[]){cnn_error_message(), NULL});
    char *previous = previous_of(path), *from = previous ? quote(previous) : NULL;
    char *out = run->options->out ? quote(run->options->out) : NULL;
    if (message && from) {
        if (cnn_checkpoint_load(&other, previous) == CNN_OK)
            cli_fail(code, "%s; the one before it is good: --resume-from %s%s%s", message, from,
                     out ? " --out " : "", out ? out : "");
        else
            cli_fail(code, "%s%s", message,
                     is_there(previous) ? "; there is no good one before it" : "");
    }
    cnn_checkpoint_destroy(other);
    free(message);
    free(previous);
    free(from);
    free(out);
    return code;
}

static int load(train_run *run, const char *path)
{
    cnn_status status = cnn_checkpoint_load(&run->checkpoint, path);
    if (status != CNN_OK)
        return refuse(run, path, status);
    run->checkpoint_path = path;
    return cli_train_take_options(run);
}

/* --model without --name: the run is called as the model is. */
static int take_name(train_run *run)
{
    cli_options *options = run->options;
    int code = 0;
    CLI_TRY(cli_session_load_model(&run->session, options));
    if (cli_option_is_given(options, "name"))
        CLI_TRY(cli_check(cnn_model_rename(run->session.model, options->config.name)));
    const cnn_network *network = cnn_model_network(run->session.model);
    snprintf(options->config.name, sizeof options->config.name, "%s", cnn_network_name(network));
out:
    return code;
}

/* Where nothing says what the run is called, and the folder has none of the usual name: the one
 * that it has. */
static int take_other_run(train_run *run)
{
    cli_options *options = run->options;
    char *name = NULL;
    int code = 0;
    if (cli_option_is_given(options, "name") || options->net || options->model ||
        is_there(run->files.paths[TRAIN_CHECKPOINT]) || is_there(run->files.paths[TRAIN_PREVIOUS]))
        return 0;
    CLI_TRY(cli_train_only_run(&name, run->files.folder));
    if (!name)
        return 0;
    cli_info("%s: going on with the run %s, the only one there", run->files.folder, name);
    if (!options->out) { /* another name would be another folder */
        run->found = cli_concatenate((const char *[]){run->files.folder, NULL});
        options->out = run->found;
        CLI_TRY(options->out ? 0 : CLI_EXIT_FAILURE);
    }
    cli_train_files_finish(&run->files);
    snprintf(options->config.name, sizeof options->config.name, "%s", name);
    code = cli_train_files_init(&run->files, options->out, name);
out:
    free(name);
    return code;
}

/* The folder's checkpoint; the one before where a program was ended between two renames. */
static int find_in_folder(train_run *run)
{
    const train_files *files = &run->files;
    if (is_there(files->paths[TRAIN_CHECKPOINT]))
        return load(run, files->paths[TRAIN_CHECKPOINT]);
    if (is_there(files->paths[TRAIN_PREVIOUS])) {
        cli_info("%s is not there: going on from the one before it",
                 files->paths[TRAIN_CHECKPOINT]);
        return load(run, files->paths[TRAIN_PREVIOUS]);
    }
    cli_info("no checkpoint in %s: training starts afresh", files->folder);
    return 0;
}

int cli_train_find(train_run *run)
{
    cli_options *options = run->options;
    int code = 0;
    if (options->resume_from)
        CLI_TRY(load(run, options->resume_from));
    if (options->model)
        CLI_TRY(take_name(run));
    CLI_TRY(cli_train_files_init(&run->files, options->out, options->config.name));
    run->was_there = access(run->files.folder, F_OK) == 0;
    if (!cli_ranks_follow())
        CLI_TRY(cli_run_lock_take(&run->lock, run->files.folder, run->files.paths[TRAIN_LOCK]));
    if (options->resume && !options->resume_from) {
        CLI_TRY(take_other_run(run));
        CLI_TRY(find_in_folder(run));
    }
    if (run->checkpoint)
        run->keeps_previous =
            cli_is_same_file(run->checkpoint_path, run->files.paths[TRAIN_CHECKPOINT]);
out:
    return code;
}

/* Of a family's options, the shapes of input and output may be said once more of any network. */
static int check_family(const train_run *run)
{
    static const char *const others[] = {"cdims", "hdims", "ksize", "batchnorm", "dropout"};
    const cli_options *options = run->options;
    const int *input = cnn_network_input(options->network), *xdim = run->xdim;
    int classes = cnn_network_classes(options->network);
    char then[48], now[48];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (cli_option_is_given(options, others[i]))
            return cli_fail(CLI_EXIT_FAILURE,
                            "--%s: the network is that of %s, which such options do not describe: "
                            "leave it out, or train afresh without --resume",
                            others[i], run->checkpoint_path);
    snprintf(then, sizeof then, "%d,%d,%d", input[0], input[1], input[2]);
    snprintf(now, sizeof now, "%d,%d,%d", xdim[0], xdim[1], xdim[2]);
    if (cli_option_is_given(options, "xdim") && strcmp(then, now) != 0)
        return cli_train_contradicts(run, "xdim", then, now);
    snprintf(then, sizeof then, "%d", classes);
    snprintf(now, sizeof now, "%d", options->config.ydim);
    if (cli_option_is_given(options, "ydim") && classes != options->config.ydim)
        return cli_train_contradicts(run, "ydim", then, now);
    return 0;
}

/* What the options say now, the checkpoint's where they say nothing. */
static int make_network(cnn_network **network, const train_run *run)
{
    const cli_options *options = run->options;
    char *text = NULL;
    int code = 0;
    if (options->net || !options->network)
        return cli_network_create(network, options, run->session.dataset);
    CLI_TRY(check_family(run));
    CLI_TRY(cli_check(cnn_network_to_text(&text, options->network)));
    CLI_TRY(cli_check(
        cnn_network_from_text(network, options->config.name, text, run->checkpoint_path, NULL)));
out:
    cnn_string_free(text);
    return code;
}

/* --normalize may say once more what the checkpoint has. */
static int check_normalization(train_run *run)
{
    cnn_model *model = run->session.model;
    char *then = cli_concatenate((const char *[]){cnn_model_normalization(model), NULL});
    int code = then ? cli_session_normalize(&run->session, run->options) : CLI_EXIT_FAILURE;
    if (code == 0 && strcmp(then, cnn_model_normalization(model)) != 0)
        code = cli_fail(CLI_EXIT_FAILURE,
                        "--normalize: expected %s as in %s, found %s: leave it out, or train "
                        "afresh without --resume",
                        then, run->checkpoint_path, cnn_model_normalization(model));
    free(then);
    return code;
}

int cli_train_load(train_run *run)
{
    cli_options *options = run->options;
    cli_session *session = &run->session;
    cnn_network *network = NULL;
    int code = 0;
    if (!run->checkpoint)
        return cli_session_load(session, options);
    CLI_TRY(cli_session_load_data(session, options));
    CLI_TRY(make_network(&network, run));
    CLI_TRY(cli_check(
        cnn_checkpoint_check(run->checkpoint, network, &options->train, session->dataset)));
    CLI_TRY(cli_check(cnn_checkpoint_model(&session->model, run->checkpoint)));
    CLI_TRY(check_normalization(run));
out:
    cnn_network_destroy(network);
    return code;
}

int cli_train_resume(train_run *run)
{
    if (!run->checkpoint)
        return 0;
    int code = cli_check(cnn_trainer_resume(run->trainer, run->checkpoint));
    if (code != 0)
        return code;
    cnn_position at = cnn_trainer_position(run->trainer);
    if (at.stopped_early)
        cli_info("%s: the run is complete: it stopped early after epoch %d", run->checkpoint_path,
                 at.epoch - 1);
    else if (at.complete)
        cli_info("%s: the run is complete: %d of %d epochs; a larger --epochs goes on",
                 run->checkpoint_path, at.epoch, run->options->train.epochs);
    else
        cli_info("going on from %s: epoch %d, step %zu of %zu", run->checkpoint_path, at.epoch,
                 at.step, at.steps);
    return 0;
}

char *cli_train_resume_command(const train_run *run)
{
    const cli_options *options = run->options;
    const char *name = options->config.name;
    const struct {
        const char *option, *value;
    } parts[] = {
        {" --out ", options->out},
        {" --name ", strcmp(name, "cnn") != 0 ? name : NULL},
        {" --device ", options->device},
        {" --log-json ", options->log_json},
    };
    const char *trust = options->trust_device ? " --trust-device" : "";
    char *command = cli_concatenate((const char *[]){"cnn-cl train --resume", trust, NULL});
    for (size_t i = 0; command && i < sizeof parts / sizeof parts[0]; i++) {
        if (!parts[i].value)
            continue;
        char *value = quote(parts[i].value), *longer = NULL;
        if (value)
            longer = cli_concatenate((const char *[]){command, parts[i].option, value, NULL});
        free(value);
        free(command);
        command = longer;
    }
    return command;
}
