/* What a run that goes on takes from its checkpoint, and what contradicts it. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli/network.h"
#include "cli/option_rows.h"
#include "cli/output.h"
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

int cli_train_contradicts(const train_run *run, const char *option, const char *then, const char *now)
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
            return cli_train_contradicts(run, both.rows[i].option, both.rows[i].then, both.rows[i].now);
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

int cli_train_take_options(train_run *run)
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
