/* How a command line is read, with the table of options. */
#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option_rows.h"
#include "cli/output.h"
#include "cli/recipe.h"

enum {
    FIRST_VALUE = 256, /* getopt_long's value of the first row: above every letter */
    PLAIN_WORD = 1     /* getopt_long's value of a word that is no option */
};

/* What getopt_long() wants to know. '-' gives plain words in order, wherever they stand; ':' lets a
 * missing argument be told from an unknown option. */
static void describe_rows(struct option longs[CLI_MAX_OPTIONS], char letters[CLI_MAX_OPTIONS + 2])
{
    memset(longs, 0, CLI_MAX_OPTIONS * sizeof longs[0]);
    *letters++ = '-';
    *letters++ = ':';
    for (int i = 0; cli_option_rows[i].name; i++) {
        longs[i].name = cli_option_rows[i].name;
        longs[i].has_arg = cli_option_rows[i].argument ? required_argument : no_argument;
        longs[i].val = FIRST_VALUE + i;
        if (cli_option_rows[i].letter)
            *letters++ = cli_option_rows[i].letter;
    }
    *letters = '\0';
}

static const cli_option_row *find_row(int value)
{
    for (int i = 0; cli_option_rows[i].name; i++)
        if (value == FIRST_VALUE + i ||
            (cli_option_rows[i].letter && value == cli_option_rows[i].letter))
            return &cli_option_rows[i];
    return NULL;
}

/* "cnn-cl train --help": where the reader finds what would be right. */
static const char *help_command(const cli_options *options)
{
    static char text[64];
    const char *name = options->command ? options->command->name : "";
    snprintf(text, sizeof text, "cnn-cl %s%s--help", name, name[0] ? " " : "");
    return text;
}

static int refuse_token(const cli_options *options, int token, const char *word)
{
    const cli_option_row *row = find_row(optopt);
    if (token == ':' && row)
        return cli_fail(CLI_EXIT_USAGE, "--%s: a value is missing: give %s", row->name,
                        row->argument);
    if (row && !row->argument)
        return cli_fail(CLI_EXIT_USAGE, "--%s takes no value, found '%s'", row->name, word);
    if (optopt)
        return cli_fail(CLI_EXIT_USAGE, "unknown option '-%c': see '%s'", optopt,
                        help_command(options));
    return cli_fail(CLI_EXIT_USAGE, "unknown or ambiguous option '%s': see '%s'", word,
                    help_command(options));
}

static int take_word(cli_options *options, const char *word)
{
    const cli_command *command = options->command;
    if (command && options->word_count < command->max_words) {
        options->words[options->word_count++] = word;
        return 0;
    }
    if (command)
        return cli_fail(CLI_EXIT_USAGE, "stray argument '%s' after the command %s: see '%s'", word,
                        command->name, help_command(options));
    for (const cli_command *at = cli_commands; at->name; at++)
        if (strcmp(at->name, word) == 0)
            options->command = at;
    if (options->command)
        return 0;
    return cli_fail(CLI_EXIT_USAGE, "unknown command '%s': see 'cnn-cl --help'", word);
}

int cli_option_take(cli_options *options, const cli_option_row *row, const char *text,
                    const char *where)
{
    const char *colon = where ? ": " : "";
    where = where ? where : "";
    if (row->set(options, row, text))
        return 0;
    if (!row->expected)
        return cli_fail(CLI_EXIT_USAGE, "%s%s%s", where, colon, cnn_error_message());
    return cli_fail(CLI_EXIT_USAGE, "%s%s--%s: expected %s, found '%s'", where, colon, row->name,
                    row->expected, text);
}

/* Which options go together is known when all are read: they may stand before the command. */
static int check_rows(const cli_options *options)
{
    unsigned groups = CLI_GLOBAL | CLI_PROGRAM | (options->list_devices ? CLI_JSON : 0);
    if (options->command)
        groups = CLI_GLOBAL | options->command->groups;
    for (int i = 0; cli_option_rows[i].name; i++) {
        if (!options->given[i] || (groups & cli_option_rows[i].group))
            continue;
        if (!options->command)
            return cli_fail(CLI_EXIT_USAGE, "--%s needs a command: see 'cnn-cl --help'",
                            cli_option_rows[i].name);
        return cli_fail(CLI_EXIT_USAGE, "--%s is no option of the command %s: see '%s'",
                        cli_option_rows[i].name, options->command->name, help_command(options));
    }
    return 0;
}

/* PyTorch's default, where nothing else is said. */
static void set_decay(cli_options *options)
{
    static const double adamw_decay = 0.01;
    if (options->train.optimizer == CNN_OPTIMIZER_ADAMW &&
        !cli_option_is_given(options, "weight-decay"))
        options->train.weight_decay = adamw_decay;
}

/* What the command line does not say is the recipe's. */
static int fail_training(const cli_options *options, cnn_status status)
{
    const char *message = cnn_error_message();
    size_t length = strncmp(message, "--", 2) == 0 ? strcspn(message + 2, ": ") : 0;
    for (int i = 0; cli_option_rows[i].name; i++)
        if (options->of_recipe[i] && strlen(cli_option_rows[i].name) == length &&
            strncmp(cli_option_rows[i].name, message + 2, length) == 0)
            return cli_fail(cli_exit_code(status), "%s, as the recipe has it: give --%s", message,
                            cli_option_rows[i].name);
    return cli_check(status);
}

/* What goes on from a checkpoint takes its model and its files from there. */
static int check_training(cli_options *options)
{
    bool resumes = options->resume || options->resume_from;
    if (resumes && options->model)
        return cli_fail(CLI_EXIT_USAGE,
                        "--model and --resume exclude each other, the model is the checkpoint's: "
                        "leave one out");
    bool starts = options->init && !(resumes && options->of_recipe[cli_option_find("init")]);
    if (starts && (resumes || options->model))
        return cli_fail(CLI_EXIT_USAGE,
                        "--init and --%s exclude each other, the values are the %s's: leave one "
                        "out",
                        resumes ? "resume" : "model", resumes ? "checkpoint" : "model");
    if (options->resume && options->no_clobber)
        return cli_fail(CLI_EXIT_USAGE,
                        "--resume and --no-clobber exclude each other: leave one out");
    if (options->train.early_stop > 0 && options->train.val_split == 0.0 && !resumes &&
        !options->data) /* data may have a validation split */
        return cli_fail(CLI_EXIT_USAGE,
                        "--early-stop needs --val-split: the test images are no judge of when to "
                        "stop");
    if (resumes || !options->command || !(options->command->groups & (CLI_TRAIN | CLI_UPDATE)))
        return 0;
    set_decay(options);
    cnn_status status = cnn_train_options_check(&options->train);
    return status == CNN_OK ? 0 : fail_training(options, status);
}

/* The library checks the same of a network that comes from a file. */
static int check_pieces(const cli_options *options)
{
    int batch = options->train.batch, piece = options->train.micro_batch;
    if (options->resume || options->resume_from)
        return 0;
    if (piece > batch)
        return cli_fail(
            CLI_EXIT_USAGE,
            "--micro-batch: expected at most %d, the images of a batch (--batch), found "
            "%d",
            batch, piece);
    if (options->train.slices > batch)
        return cli_fail(CLI_EXIT_USAGE,
                        "--slices: expected at most %d, the images of a batch (--batch), found %d",
                        batch, options->train.slices);
    if (options->train.slices > 1 && piece > 0 && piece < batch)
        return cli_fail(CLI_EXIT_USAGE,
                        "--slices and --micro-batch exclude each other, a slice goes through the "
                        "device at once: leave one out");
    bool frozen = options->train.freeze[0] != '\0'; /* batch norms, too, perhaps */
    if (piece > 0 && piece < batch && options->config.batchnorm && !frozen)
        return cli_fail(CLI_EXIT_USAGE,
                        "--micro-batch and --batchnorm exclude each other, batch norm takes its "
                        "statistics of whole batches: leave one out, or use a smaller --batch");
    return 0;
}

static const char net_ending[] = ".net";

static bool ends_in_net(const char *text)
{
    size_t length = strlen(text), tail = sizeof net_ending - 1;
    return length > tail && strcmp(text + length - tail, net_ending) == 0;
}

bool cli_net_is_path(const char *net)
{
    return strchr(net, '/') || ends_in_net(net);
}

/* Without --name the network and its files are called as --net is. */
static int take_net_name(cli_options *options)
{
    const char *slash = strrchr(options->net, '/'), *base = slash ? slash + 1 : options->net;
    size_t length = strlen(base) - (ends_in_net(base) ? sizeof net_ending - 1 : 0);
    char name[CNN_MAX_NAME + 1];
    if (options->name_given)
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name), base);
    if (cnn_config_set(&options->config, "name", name) == CNN_OK)
        return 0;
    return cli_fail(CLI_EXIT_USAGE,
                    "--net %s: its name is none for the run's files (letters, digits, '.', '_' and "
                    "'-', at most 63): give one with --name",
                    options->net);
}

/* A network file says all that these say, but for the shapes of the input and the output. */
static int check_net(cli_options *options)
{
    static const char *const family[] = {"cdims", "hdims", "ksize", "batchnorm", "dropout"};
    if (!options->net)
        return 0;
    for (size_t i = 0; i < sizeof family / sizeof family[0]; i++)
        if (cli_option_is_given(options, family[i]))
            return cli_fail(CLI_EXIT_USAGE,
                            "--net and --%s exclude each other, the network is the file's: leave "
                            "one out",
                            family[i]);
    if (options->model)
        return cli_fail(CLI_EXIT_USAGE,
                        "--net and --model exclude each other, the network is the model's: leave "
                        "one out");
    return take_net_name(options);
}

/* Options that would do nothing without another. */
static int check_alone(const cli_options *options)
{
    bool lists = options->command && (options->command->groups & CLI_PLAN) && !options->plan;
    bool trains = options->command && (options->command->groups & CLI_TRAIN);
    bool resumes = options->resume || options->resume_from;
    const struct {
        const char *option;
        bool is_alone;
        const char *with;
    } rows[] = {
        {"batch", lists, "plan"},
        {"micro-batch", lists, "plan"},
        {"slices", lists, "plan"},
        {"augment", lists, "plan"},
        {"no-fuse", lists, "plan"},
        {"exact", lists, "plan"},
        {"recompute", trains && !resumes && options->train.freeze[0] == '\0', "freeze"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].is_alone && cli_option_is_given(options, rows[i].option))
            return cli_fail(
                CLI_EXIT_USAGE,
                "--%s: expected --%s with it, without which it does nothing: give that, "
                "or leave --%s out",
                rows[i].option, rows[i].with, rows[i].option);
    return 0;
}

static int check_together(cli_options *options)
{
    const cli_command *command = options->command;
    bool whole = options->help || options->version || options->list_devices;
    if (!command && !whole)
        return cli_fail(CLI_EXIT_USAGE, "a command is missing: see 'cnn-cl --help'");
    if (command && !whole && options->word_count < command->min_words)
        return cli_fail(CLI_EXIT_USAGE, "%s: expected %s, found %d of %d: see '%s'", command->name,
                        command->words, options->word_count, command->min_words,
                        help_command(options));
    if (options->quiet && options->verbose)
        return cli_fail(CLI_EXIT_USAGE, "--quiet and --verbose exclude each other: leave one out");
    if (options->digits && options->no_preprocess)
        return cli_fail(CLI_EXIT_USAGE,
                        "--digits and --no-preprocess exclude each other: leave one out");
    if (options->model && options->network_given)
        return cli_fail(CLI_EXIT_USAGE,
                        "--%s and --model exclude each other, the network is the file's: leave "
                        "--%s out",
                        options->network_given, options->network_given);
    int code = check_net(options);
    if (code == 0)
        code = check_alone(options);
    if (code == 0)
        code = check_pieces(options);
    return code ? code : check_training(options);
}

/* The words take the places of those that were read: a command stands before its first. */
static void set_defaults(cli_options *options, char **argv)
{
    memset(options, 0, sizeof *options);
    options->words = (const char **)argv;
    cnn_config_init(&options->config);
    cnn_train_options_init(&options->train);
    options->split = CNN_SPLIT_TEST;
    cnn_data_options_init(&options->prepare);
    options->samples = CLI_DEFAULT_SAMPLES;
    options->port = CLI_DEFAULT_PORT;
}

int cli_options_parse(cli_options *options, int argc, char **argv)
{
    struct option longs[CLI_MAX_OPTIONS];
    char letters[CLI_MAX_OPTIONS + 2];
    int code = 0, token = 0;
    set_defaults(options, argv);
    describe_rows(longs, letters);
    opterr = 0;
    while (code == 0 && (token = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const cli_option_row *row = find_row(token);
        if (token == PLAIN_WORD) {
            code = take_word(options, optarg);
        } else if (row) {
            options->given[row - cli_option_rows] = true;
            options->texts[row - cli_option_rows] = optarg;
            code = cli_option_take(options, row, optarg, NULL);
        } else {
            code = refuse_token(options, token, argv[optind - 1]);
        }
    }
    for (; code == 0 && optind < argc; optind++) /* what follows "--" */
        code = take_word(options, argv[optind]);
    if (code == 0)
        code = check_rows(options);
    if (code == 0 && !options->help)
        code = options->recipe ? cli_recipe_take(options, options->recipe)
                               : cli_recipe_take_untold(options);
    if (code == 0)
        code = check_together(options);
    options->train.seed = options->seed;
    return code;
}

void cli_options_finish(cli_options *options)
{
    free(options->recipe_text);
    options->recipe_text = NULL;
}

int cli_option_find(const char *name)
{
    for (int i = 0; cli_option_rows[i].name; i++)
        if (strcmp(cli_option_rows[i].name, name) == 0)
            return i;
    return -1;
}

bool cli_option_is_given(const cli_options *options, const char *name)
{
    int index = cli_option_find(name);
    return index >= 0 && options->given[index];
}
