/* Going on from a checkpoint. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "cli/network.h"
#include "cli/option_rows.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/recipe.h"
#include "cli/train_run.h"

/* An option and the field that it sets. */
typedef struct field {
    const char *option;
    size_t offset, size;
} field;

#define FIELD(type, option, name)                                                                  \
    {                                                                                              \
        option, offsetof(type, name), sizeof(((type *)0)->name)                                    \
    }

static const field train_fields[] = {
    FIELD(cnn_train_options, "epochs", epochs),
    FIELD(cnn_train_options, "batch", batch),
    FIELD(cnn_train_options, "micro-batch", micro_batch),
    FIELD(cnn_train_options, "slices", slices),
    FIELD(cnn_train_options, "lr", lr),
    FIELD(cnn_train_options, "print-every", print_every),
    FIELD(cnn_train_options, "seed", seed),
    FIELD(cnn_train_options, "stream", stream),
    FIELD(cnn_train_options, "no-fuse", fuse),
    FIELD(cnn_train_options, "val-split", val_split),
    FIELD(cnn_train_options, "early-stop", early_stop),
    FIELD(cnn_train_options, "checkpoint-every", checkpoint_every),
    FIELD(cnn_train_options, "checkpoint-steps", checkpoint_steps),
    FIELD(cnn_train_options, "freeze", freeze),
    FIELD(cnn_train_options, "lr-scale", lr_scale),
    FIELD(cnn_train_options, "whiten", whiten),
    FIELD(cnn_train_options, "recompute", recompute),
    FIELD(cnn_train_options, "optimizer", optimizer),
    FIELD(cnn_train_options, "momentum", momentum),
    FIELD(cnn_train_options, "nesterov", nesterov),
    FIELD(cnn_train_options, "weight-decay", weight_decay),
    FIELD(cnn_train_options, "decay-all", decay_all),
    FIELD(cnn_train_options, "clip-norm", clip_norm),
    FIELD(cnn_train_options, "schedule", schedule),
    FIELD(cnn_train_options, "warmup", warmup),
    FIELD(cnn_train_options, "fixed-momentum", fixed_momentum),
    FIELD(cnn_train_options, "label-smoothing", label_smoothing),
    FIELD(cnn_train_options, "class-weights", balanced_classes),
    FIELD(cnn_train_options, "ema", ema),
    FIELD(cnn_train_options, "augment", augment),
    FIELD(cnn_train_options, "sentinel", sentinel),
    FIELD(cnn_train_options, "views", views),
    FIELD(cnn_train_options, "exact", exact),
    {0},
};

static const field config_fields[] = {
    FIELD(cnn_config, "name", name),
    FIELD(cnn_config, "xdim", xdim),
    FIELD(cnn_config, "ksize", ksize),
    FIELD(cnn_config, "cdims", cdims),
    FIELD(cnn_config, "cdims", cdim_count),
    FIELD(cnn_config, "hdims", hdims),
    FIELD(cnn_config, "hdims", hdim_count),
    FIELD(cnn_config, "ydim", ydim),
    FIELD(cnn_config, "dropout", dropout),
    FIELD(cnn_config, "batchnorm", batchnorm),
    {0},
};

/* Takes from `source` what the command line does not say. */
static void take_fields(void *target, const void *source, const field *fields,
                        const cli_options *options)
{
    for (; fields->option; fields++)
        if (!cli_option_is_given(options, fields->option))
            memcpy((char *)target + fields->offset, (const char *)source + fields->offset,
                   fields->size);
}

/* A network of a text: its nodes are the checkpoint's, and its name. */
static void take_network(train_run *run, const cnn_network *network)
{
    cli_options *options = run->options;
    if (!options->net)
        options->network = network;
    if (!cli_option_is_given(options, "name") && !options->net)
        snprintf(options->config.name, sizeof options->config.name, "%s",
                 cnn_network_name(network));
    memcpy(run->xdim, options->config.xdim, sizeof run->xdim);
    memcpy(options->config.xdim, cnn_network_input(network), sizeof options->config.xdim);
}

/* What was said once more, and otherwise. */
static int contradicts(const train_run *run, const char *option, const char *then, const char *now)
{
    return cli_fail(CLI_EXIT_FAILURE,
                    "--%s: expected %s as in %s, found %s: leave it out, or train afresh without "
                    "--resume",
                    option, then, run->checkpoint_path, now);
}

static const char *labels_of(const cnn_data_options *prepare)
{
    return prepare->coarse_labels ? "coarse" : "fine";
}

enum { SIZE_TEXT = 32 };

static const char *write_size(char text[SIZE_TEXT], int height, int width)
{
    snprintf(text, SIZE_TEXT, "%d,%d", height, width);
    return text;
}

/* How data is prepared, as the checkpoint and as the options say it. */
typedef struct preparation_row {
    const char *option, *then, *now;
} preparation_row;

enum { PREPARATIONS = 3 };

typedef struct preparation {
    char sizes[2][SIZE_TEXT];
    preparation_row rows[PREPARATIONS];
} preparation;

static void compare_preparation(preparation *both, const train_run *run)
{
    const cnn_data_options *now = &run->options->prepare;
    const int *input = cnn_network_input(cnn_checkpoint_network(run->checkpoint));
    cnn_data_options then = *now;
    cnn_checkpoint_data_options(&then, run->checkpoint);
    const preparation_row rows[PREPARATIONS] = {
        {"labels", labels_of(&then), labels_of(now)},
        {"fit", cnn_picture_fit_name(then.fit), cnn_picture_fit_name(now->fit)},
        {"size", write_size(both->sizes[0], input[1], input[2]),
         write_size(both->sizes[1], now->height, now->width)},
    };
    memcpy(both->rows, rows, sizeof rows);
}

/* How the data was prepared: what is said otherwise is refused before it is read. */
static int take_preparation(const train_run *run)
{
    cli_options *options = run->options;
    cnn_data_options *prepare = &options->prepare, before = *prepare;
    preparation both = {0};
    compare_preparation(&both, run);
    for (int i = 0; i < PREPARATIONS; i++)
        if (cli_option_is_given(options, both.rows[i].option) &&
            strcmp(both.rows[i].then, both.rows[i].now) != 0)
            return contradicts(run, both.rows[i].option, both.rows[i].then, both.rows[i].now);
    cnn_checkpoint_data_options(prepare, run->checkpoint);
    if (before.height > 0) { /* the same; earlier versions did not save it */
        prepare->height = before.height;
        prepare->width = before.width;
    }
    prepare->skip_broken = prepare->skip_broken || before.skip_broken;
    prepare->no_cache = before.no_cache;
    return 0;
}

static void append_option(char *list, size_t size, const char *option)
{
    size_t length = strlen(list);
    snprintf(list + length, size - length, ", --%s", option);
}

/* The network that the options describe, of the checkpoint's input and classes where they say
 * nothing of these; NULL: there is none. */
static cnn_network *describe_network(const train_run *run)
{
    const cli_options *options = run->options;
    const cnn_network *then = cnn_checkpoint_network(run->checkpoint);
    cnn_config config = options->config;
    cnn_network *network = NULL;
    char *preset = NULL;
    if (!options->xdim_given)
        memcpy(config.xdim, cnn_network_input(then), sizeof config.xdim);
    if (!options->ydim_given)
        config.ydim = cnn_network_classes(then);
    if (!options->net) {
        (void)cnn_network_create(&network, &config);
        return network;
    }
    cnn_network_given given = {.classes = config.ydim};
    memcpy(given.input, config.xdim, sizeof given.input);
    if (cli_net_is_path(options->net) || cnn_network_preset(&preset, options->net) == CNN_OK)
        (void)cnn_network_from_file(&network, config.name, preset ? preset : options->net, &given);
    cnn_string_free(preset);
    return network;
}

static bool is_other_network(const train_run *run)
{
    cnn_network *network = describe_network(run);
    char *now = NULL, *then = NULL;
    bool same = network && cnn_network_to_text(&now, network) == CNN_OK &&
                cnn_network_to_text(&then, cnn_checkpoint_network(run->checkpoint)) == CNN_OK &&
                strcmp(now, then) == 0;
    cnn_string_free(now);
    cnn_string_free(then);
    cnn_network_destroy(network);
    return !same;
}

static bool is_of_recipe(const cli_options *options, const char *name)
{
    int index = cli_option_find(name);
    return index >= 0 && options->of_recipe[index];
}

/* What a recipe says was taken when the run began, or the command line won over it then: what is
 * otherwise in the checkpoint stays so. */
static void tell_recipe(const train_run *run)
{
    const cli_options *options = run->options;
    preparation both = {0};
    char list[1024] = "";
    bool network = false;
    compare_preparation(&both, run);
    for (int i = 0; cli_option_rows[i].name; i++)
        network = network || (options->of_recipe[i] && cli_option_rows[i].group & CLI_NETWORK &&
                              strcmp(cli_option_rows[i].name, "name") != 0);
    if (network && is_other_network(run))
        snprintf(list, sizeof list, ", its network");
    for (int i = 0; i < PREPARATIONS; i++)
        if (is_of_recipe(options, both.rows[i].option) &&
            strcmp(both.rows[i].then, both.rows[i].now) != 0)
            append_option(list, sizeof list, both.rows[i].option);
    for (const field *at = train_fields; at->option; at++)
        if (is_of_recipe(options, at->option) &&
            !cnn_train_options_agree(&options->train, cnn_checkpoint_options(run->checkpoint),
                                     at->option))
            append_option(list, sizeof list, at->option);
    if (list[0])
        cli_fail(0, "warning: --recipe %s: what %s has otherwise stays as it is there: %s",
                 options->recipe, run->checkpoint_path, list + strlen(", "));
}

static int take_options(train_run *run)
{
    cli_options *options = run->options;
    if (options->recipe)
        tell_recipe(run);
    cli_recipe_forget(options);
    take_fields(&options->train, cnn_checkpoint_options(run->checkpoint), train_fields, options);
    const cnn_network *network = cnn_checkpoint_network(run->checkpoint);
    const cnn_config *family = cnn_network_config(network);
    if (family)
        take_fields(&options->config, family, config_fields, options);
    else
        take_network(run, network);
    options->seed = options->train.seed;
    options->xdim_given = options->ydim_given = true;
    int code = take_preparation(run);
    const char *data = cnn_checkpoint_data(run->checkpoint);
    if (!options->data && strcmp(data, "memory") != 0) {
        options->data = data;
        run->session.data_of = run->checkpoint_path;
    }
    return code;
}

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
    return take_options(run);
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
        return contradicts(run, "xdim", then, now);
    snprintf(then, sizeof then, "%d", classes);
    snprintf(now, sizeof now, "%d", options->config.ydim);
    if (cli_option_is_given(options, "ydim") && classes != options->config.ydim)
        return contradicts(run, "ydim", then, now);
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
