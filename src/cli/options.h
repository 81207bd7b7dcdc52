/* The command line: every option of every command is a row of one table in options.c. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <cnncl/dataset.h>
#include <cnncl/network.h>
#include <cnncl/predictor.h>
#include <cnncl/trainer.h>

/* Options come in groups; a command takes some of them. */
typedef enum cli_group {
    CLI_GLOBAL = 1 << 0,
    CLI_PROGRAM = 1 << 1, /* --list-devices and --version, where no command is */
    CLI_MODEL = 1 << 2,
    CLI_NETWORK = 1 << 3,
    CLI_DATA = 1 << 4,
    CLI_TRAIN = 1 << 5,
    CLI_BATCH = 1 << 6,
    CLI_SPLIT = 1 << 7,
    CLI_SAMPLES = 1 << 8,
    CLI_PLAN = 1 << 9,
    CLI_FUSE = 1 << 10,
    CLI_JSON = 1 << 11,
    CLI_BENCH = 1 << 12,
    CLI_EXPORT = 1 << 13,
    CLI_IMPORT = 1 << 14,
    CLI_REPORT = 1 << 15,
    CLI_PICTURES = 1 << 16, /* predict IMAGE */
    CLI_CONVERT = 1 << 17,  /* how pictures become input */
    CLI_SERVE = 1 << 18,
    CLI_DOCTOR = 1 << 19,
    CLI_PREPARE = 1 << 20, /* how the data is loaded */
    CLI_UPDATE = 1 << 21,  /* how parameters are updated */
    CLI_TTA = 1 << 22,     /* how often an image is looked at */
    CLI_RARE = 1 << 30     /* no group: where a help has many rows, the name alone is there */
} cli_group;

enum {
    CLI_DEFAULT_SAMPLES = 25,
    CLI_DEFAULT_PORT = 8080,
    CLI_MAX_ALLOW_HOSTS = 32,
    CLI_MAX_DEVICES = 64, /* of one process */
    CLI_MAX_OPTIONS = 128 /* with the row that ends them */
};

typedef struct cli_options cli_options;

typedef struct cli_command {
    const char *name;
    const char *summary;              /* one line */
    const char *notes;                /* more lines for its help; may be empty */
    unsigned groups;                  /* of cli_group */
    int (*run)(cli_options *options); /* returns the exit code */
    const char *words;                /* what follows the command, "FILE OUT"; NULL for nothing */
    int min_words, max_words;         /* how many of them */
} cli_command;

struct cli_options {
    const cli_command *command; /* NULL where none was given */
    bool help, version, list_devices;

    const char *device; /* NULL for the default */
    uint64_t seed;
    bool quiet, verbose;
    bool json;

    bool given[CLI_MAX_OPTIONS];     /* by row of the table */
    const char *texts[CLI_MAX_OPTIONS]; /* what was given; NULL: none, or it takes no value */
    bool of_recipe[CLI_MAX_OPTIONS]; /* by a recipe, not by the command line */

    const char *model; /* NULL for a fresh network */
    const char *init;  /* the file whose weights it starts from; NULL: none */
    cnn_config config;
    const char *net;            /* NULL for a network of the family's options */
    const cnn_network *network; /* of a checkpoint, not the family's; NULL for none */
    bool name_given, xdim_given, ydim_given, dropout_given;
    const char *network_given; /* a network option other than name that was given, else NULL */

    const char *data;          /* NULL for the usual places */
    const char *recipe;        /* NULL for none */
    const char *untold_recipe; /* taken without being asked for; NULL for none */
    char *recipe_text;         /* its options point into it */
    const char *out;           /* NULL for runs/NAME */
    bool no_clobber;
    bool resume;
    const char *resume_from; /* NULL for the folder of the run */
    const char *log_json;    /* NULL for none */
    cnn_train_options train; /* batch and fuse serve the other commands too */
    cnn_split split;
    cnn_tta tta;
    cnn_data_options prepare; /* how the data is loaded */
    bool fit_given;
    int samples;
    const char *grid; /* NULL for no picture */
    bool plan, print;
    int steps; /* 0: as many as take about a second */
    bool evaluation;
    const char *trace;      /* NULL for none */
    const char *format;     /* of an export; NULL: as the output's name ends */
    const char *mean, *std; /* of an import; NULL: not given */
    const char *normalize;  /* none, data, imagenet, MEANS:STDS; NULL: as the model says */
    bool no_bench;
    bool tune;

    int top; /* 0: the best class alone */
    bool show;
    bool digits, no_preprocess; /* neither: as the model's data says */
    const char *host;           /* NULL for loopback */
    int port;
    const char *allow_hosts[CLI_MAX_ALLOW_HOSTS]; /* each a list with commas */
    int allow_host_count;
    bool all_devices;
    bool trust_device;
    int rank_timeout; /* seconds; 0: the default */

    const char **words; /* (word_count) what follows the command, in order */
    int word_count;
};

/* The commands, ended by a row without a name. */
extern const cli_command cli_commands[];

/* Fills options from the command line. Returns 0, or 2 after saying what is wrong. */
int cli_options_parse(cli_options *options, int argc, char **argv);

/* Frees what the options own. */
void cli_options_finish(cli_options *options);

/* Is --net's value a path, not a preset's name? */
bool cli_net_is_path(const char *net);

/* Was the option of this name on the command line? */
bool cli_option_is_given(const cli_options *options, const char *name);

/* Prints the program's help, or that of a command. */
void cli_help_print(const cli_command *command);

#endif
