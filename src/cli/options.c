/* The table of options, and how a command line is read with it. */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

enum { MAX_COUNT = 1000000 };

typedef struct option_row option_row;

struct option_row {
    const char *name;
    const char *argument; /* NULL for a flag */
    char letter;          /* 0 for none */
    unsigned group;
    const char *help;
    /* False where the text does not fit. A flag gets NULL. */
    bool (*set)(cli_options *options, const option_row *row, const char *text);
    size_t field;         /* offset in cli_options */
    int low;              /* of set_int() */
    const char *expected; /* NULL where the library's message says it */
};

#define FIELD(name) offsetof(cli_options, name)

static void *field_of(cli_options *options, const option_row *row)
{
    return (char *)options + row->field;
}

static bool set_true(cli_options *options, const option_row *row, const char *text)
{
    (void)text;
    *(bool *)field_of(options, row) = true;
    return true;
}

static bool set_false(cli_options *options, const option_row *row, const char *text)
{
    (void)text;
    *(bool *)field_of(options, row) = false;
    return true;
}

static bool set_text(cli_options *options, const option_row *row, const char *text)
{
    *(const char **)field_of(options, row) = text;
    return text[0] != '\0';
}

/* strtoull() would take blanks, signs and "0x". */
static bool parse_digits(unsigned long long *value, const char *text)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return errno == 0;
}

static bool set_int(cli_options *options, const option_row *row, const char *text)
{
    unsigned long long value;
    if (!parse_digits(&value, text) || value < (unsigned long long)row->low || value > MAX_COUNT)
        return false;
    *(int *)field_of(options, row) = (int)value;
    return true;
}

static bool set_seed(cli_options *options, const option_row *row, const char *text)
{
    (void)row;
    unsigned long long value;
    if (!parse_digits(&value, text))
        return false;
    options->seed = value;
    return true;
}

static bool set_rate(cli_options *options, const option_row *row, const char *text)
{
    (void)row;
    if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
        return false;
    char *end;
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value) || value <= 0.0)
        return false;
    options->train.lr = value;
    return true;
}

static bool set_split(cli_options *options, const option_row *row, const char *text)
{
    (void)row;
    options->split = strcmp(text, "train") == 0 ? CNN_SPLIT_TRAIN : CNN_SPLIT_TEST;
    return options->split == CNN_SPLIT_TRAIN || strcmp(text, "test") == 0;
}

static bool set_name(cli_options *options, const option_row *row, const char *text)
{
    return cnn_config_set(&options->config, row->name, text) == CNN_OK;
}

static bool set_network(cli_options *options, const option_row *row, const char *text)
{
    options->network_given = row->name;
    options->xdim_given = options->xdim_given || strcmp(row->name, "xdim") == 0;
    return cnn_config_set(&options->config, row->name, text ? text : "true") == CNN_OK;
}

static const char count_expected[] = "an integer of 1 to 1000000";
static const char file_expected[] = "a path";

static const option_row rows[] = {
    {"list-devices", NULL, 0, CLI_PROGRAM, "list the OpenCL devices, best first (with --json too)",
     set_true, FIELD(list_devices), 0, NULL},
    {"version", NULL, 0, CLI_PROGRAM, "print the version", set_true, FIELD(version), 0, NULL},

    {"data", "DIR", 0, CLI_DATA, "folder of the four IDX files (default: the usual places)",
     set_text, FIELD(data), 0, file_expected},
    {"out", "DIR", 0, CLI_TRAIN, "folder of this run (default runs/NAME)", set_text, FIELD(out), 0,
     file_expected},
    {"epochs", "N", 0, CLI_TRAIN, "passes over the training split (default 10)", set_int,
     FIELD(train.epochs), 0, "an integer of 0 to 1000000"},
    {"lr", "RATE", 0, CLI_TRAIN, "learning rate (default 1e-3)", set_rate, 0, 0,
     "a finite number above 0"},
    {"print-every", "N", 0, CLI_TRAIN, "evaluate every N epochs, and after the last (default 1)",
     set_int, FIELD(train.print_every), 1, count_expected},
    {"stream", NULL, 0, CLI_TRAIN, "stream batches from the host even where the data fits",
     set_true, FIELD(train.stream), 0, NULL},
    {"no-clobber", NULL, 0, CLI_TRAIN, "refuse a folder that has this run's files already",
     set_true, FIELD(no_clobber), 0, NULL},
    {"split", "SPLIT", 0, CLI_SPLIT, "train or test (default test)", set_split, 0, 0,
     "train or test"},
    {"samples", "N", 0, CLI_SAMPLES, "how many random test images (default 25)", set_int,
     FIELD(samples), 1, count_expected},
    {"grid", "FILE", 0, CLI_SAMPLES, "draw them with their labels into a PNG file", set_text,
     FIELD(grid), 0, file_expected},
    {"plan", NULL, 0, CLI_PLAN, "print the steps of training on this device instead", set_true,
     FIELD(plan), 0, NULL},
    {"steps", "N", 0, CLI_BENCH, "batches to measure (default: about a second of them)", set_int,
     FIELD(steps), 1, count_expected},
    {"eval", NULL, 0, CLI_BENCH, "measure evaluation (forward and loss) instead of training",
     set_true, FIELD(evaluation), 0, NULL},
    {"trace", "FILE", 0, CLI_BENCH, "write the kernels' times as Chrome trace events", set_text,
     FIELD(trace), 0, file_expected},
    {"batch", "N", 0, CLI_BATCH, "images that go through together (default 256)", set_int,
     FIELD(train.batch), 1, count_expected},
    {"no-fuse", NULL, 0, CLI_FUSE, "run each layer as a step of its own", set_false,
     FIELD(train.fuse), 0, NULL},
    {"json", NULL, 0, CLI_JSON, "print a JSON document", set_true, FIELD(json), 0, NULL},

    {"model", "FILE", 0, CLI_MODEL, "a saved model; else a fresh network of these options:",
     set_text, FIELD(model), 0, file_expected},
    {"name", "NAME", 0, CLI_NETWORK, "of the network and its files (default cnn)", set_name, 0, 0,
     NULL},
    {"xdim", "C,H,W", 0, CLI_NETWORK, "shape of an image (default: the data's, else 1,28,28)",
     set_network, 0, 0, NULL},
    {"ksize", "N", 0, CLI_NETWORK, "side of the convolutions' kernels, 1 to 11 (default 3)",
     set_network, 0, 0, NULL},
    {"cdims", "N,...", 0, CLI_NETWORK, "channels of each convolution, or none (default 32,64)",
     set_network, 0, 0, NULL},
    {"hdims", "N,...", 0, CLI_NETWORK, "widths of the hidden layers, or none (default 32)",
     set_network, 0, 0, NULL},
    {"ydim", "N", 0, CLI_NETWORK, "classes (default 10)", set_network, 0, 0, NULL},
    {"batchnorm", NULL, 0, CLI_NETWORK, "batch norm after each convolution", set_network, 0, 0,
     NULL},
    {"dropout", "P", 0, CLI_NETWORK, "probability of dropping a channel (default 0.5)", set_network,
     0, 0, NULL},

    {"device", "SEL", 0, CLI_GLOBAL, "index, P:D or part of a name (default: the best)", set_text,
     FIELD(device), 0, "an index, P:D or part of a name"},
    {"seed", "N", 0, CLI_GLOBAL, "of everything random (default 0)", set_seed, 0, 0,
     "an integer of 0 to 18446744073709551615"},
    {"quiet", NULL, 'q', CLI_GLOBAL, "no information on stderr, only warnings and errors", set_true,
     FIELD(quiet), 0, NULL},
    {"verbose", NULL, 'v', CLI_GLOBAL, "details on stderr", set_true, FIELD(verbose), 0, NULL},
    {"help", NULL, 'h', CLI_GLOBAL, "print this; 'cnn-cl COMMAND --help' for a command", set_true,
     FIELD(help), 0, NULL},
};

enum {
    ROW_COUNT = sizeof rows / sizeof rows[0],
    FIRST_VALUE = 256, /* getopt_long's value of the first row: above every letter */
    PLAIN_WORD = 1     /* getopt_long's value of a word that is no option */
};

/* What getopt_long() wants to know. '-' gives plain words in order, wherever they stand; ':' lets a
 * missing argument be told from an unknown option. */
static void describe_rows(struct option longs[ROW_COUNT + 1], char letters[ROW_COUNT + 3])
{
    memset(longs, 0, (ROW_COUNT + 1) * sizeof longs[0]);
    *letters++ = '-';
    *letters++ = ':';
    for (int i = 0; i < ROW_COUNT; i++) {
        longs[i].name = rows[i].name;
        longs[i].has_arg = rows[i].argument ? required_argument : no_argument;
        longs[i].val = FIRST_VALUE + i;
        if (rows[i].letter)
            *letters++ = rows[i].letter;
    }
    *letters = '\0';
}

static const option_row *find_row(int value)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (value == FIRST_VALUE + i || (rows[i].letter && value == rows[i].letter))
            return &rows[i];
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
    const option_row *row = find_row(optopt);
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
    if (options->command)
        return cli_fail(CLI_EXIT_USAGE, "stray argument '%s' after the command %s: see '%s'", word,
                        options->command->name, help_command(options));
    for (const cli_command *at = cli_commands; at->name; at++)
        if (strcmp(at->name, word) == 0)
            options->command = at;
    if (options->command)
        return 0;
    return cli_fail(CLI_EXIT_USAGE, "unknown command '%s': see 'cnn-cl --help'", word);
}

static int take_option(cli_options *options, const option_row *row, const char *text)
{
    if (row->set(options, row, text))
        return 0;
    if (!row->expected)
        return cli_fail(CLI_EXIT_USAGE, "%s", cnn_error_message());
    return cli_fail(CLI_EXIT_USAGE, "--%s: expected %s, found '%s'", row->name, row->expected,
                    text);
}

/* Which options go together is known when all are read: they may stand before the command. */
static int check_rows(const cli_options *options, const bool used[ROW_COUNT])
{
    unsigned groups = CLI_GLOBAL | CLI_PROGRAM | (options->list_devices ? CLI_JSON : 0);
    if (options->command)
        groups = CLI_GLOBAL | options->command->groups;
    for (int i = 0; i < ROW_COUNT; i++) {
        if (!used[i] || (groups & rows[i].group))
            continue;
        if (!options->command)
            return cli_fail(CLI_EXIT_USAGE, "--%s needs a command: see 'cnn-cl --help'",
                            rows[i].name);
        return cli_fail(CLI_EXIT_USAGE, "--%s is no option of the command %s: see '%s'",
                        rows[i].name, options->command->name, help_command(options));
    }
    return 0;
}

static int check_together(const cli_options *options)
{
    bool whole = options->help || options->version || options->list_devices;
    if (!options->command && !whole)
        return cli_fail(CLI_EXIT_USAGE, "a command is missing: see 'cnn-cl --help'");
    if (options->quiet && options->verbose)
        return cli_fail(CLI_EXIT_USAGE, "--quiet and --verbose exclude each other: leave one out");
    if (options->model && options->network_given)
        return cli_fail(CLI_EXIT_USAGE,
                        "--%s and --model exclude each other, the network is the file's: leave "
                        "--%s out",
                        options->network_given, options->network_given);
    return 0;
}

static void set_defaults(cli_options *options)
{
    memset(options, 0, sizeof *options);
    cnn_config_init(&options->config);
    cnn_train_options_init(&options->train);
    options->split = CNN_SPLIT_TEST;
    options->samples = CLI_DEFAULT_SAMPLES;
}

int cli_options_parse(cli_options *options, int argc, char **argv)
{
    struct option longs[ROW_COUNT + 1];
    char letters[ROW_COUNT + 3];
    bool used[ROW_COUNT] = {false};
    int code = 0, token = 0;
    set_defaults(options);
    describe_rows(longs, letters);
    opterr = 0;
    while (code == 0 && (token = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const option_row *row = find_row(token);
        if (token == PLAIN_WORD) {
            code = take_word(options, optarg);
        } else if (row) {
            used[row - rows] = true;
            code = take_option(options, row, optarg);
        } else {
            code = refuse_token(options, token, argv[optind - 1]);
        }
    }
    for (; code == 0 && optind < argc; optind++) /* what follows "--" */
        code = take_word(options, argv[optind]);
    if (code == 0)
        code = check_rows(options, used);
    if (code == 0)
        code = check_together(options);
    options->train.seed = options->seed;
    return code;
}

static void print_row(const option_row *row)
{
    char letter[8] = "", left[32];
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    cli_print("  %-17s %s\n", left, row->help);
}

static void print_rows(unsigned groups)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (rows[i].group & groups)
            print_row(&rows[i]);
}

static void print_program_help(void)
{
    cli_print("Usage: cnn-cl [options] COMMAND [options]\n"
              "Trains convolutional neural networks on any OpenCL device.\n\nCommands:\n");
    for (const cli_command *at = cli_commands; at->name; at++)
        cli_print("  %-10s %s\n", at->name, at->summary);
    cli_print("\nOptions, before or after the command:\n");
    print_rows(CLI_PROGRAM | CLI_GLOBAL);
    cli_print("\nExit codes: 0 done; 1 it failed; 2 the command line is wrong;\n"
              "3 no such OpenCL device, or none; 130 and 143 after SIGINT and SIGTERM.\n");
}

void cli_help_print(const cli_command *command)
{
    if (!command) {
        print_program_help();
        return;
    }
    cli_print("Usage: cnn-cl %s [options]\n%s.\n%s\n", command->name, command->summary,
              command->notes);
    print_rows(command->groups);
    cli_print("Also --device SEL, --seed N, -q, -v, -h: see 'cnn-cl --help'.\n");
}
