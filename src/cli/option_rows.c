/* The table of options, and how the text of each becomes a value. */
#include "cli/option_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/serve/gate.h"

enum { MAX_COUNT = 1000000, MAX_PORT = 65535 };

#define FIELD(name) offsetof(cli_options, name)

static void *field_of(cli_options *options, const cli_option_row *row)
{
    return (char *)options + row->field;
}

static bool set_true(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)text;
    *(bool *)field_of(options, row) = true;
    return true;
}

static bool set_false(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)text;
    *(bool *)field_of(options, row) = false;
    return true;
}

static bool set_text(cli_options *options, const cli_option_row *row, const char *text)
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

static bool set_int(cli_options *options, const cli_option_row *row, const char *text)
{
    unsigned long long value;
    if (!parse_digits(&value, text) || value < (unsigned long long)row->low || value > MAX_COUNT)
        return false;
    *(int *)field_of(options, row) = (int)value;
    return true;
}

static bool set_port(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)row;
    unsigned long long value;
    if (!parse_digits(&value, text) || value > MAX_PORT)
        return false;
    options->port = (int)value;
    return true;
}

/* May be given again: the names add up. */
static bool add_allow_host(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)row;
    if (options->allow_host_count == CLI_MAX_ALLOW_HOSTS || !cli_gate_takes_names(text))
        return false;
    options->allow_hosts[options->allow_host_count++] = text;
    return true;
}

static bool set_seed(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)row;
    unsigned long long value;
    if (!parse_digits(&value, text))
        return false;
    options->seed = value;
    return true;
}

static bool set_number(cli_options *options, const cli_option_row *row, const char *text)
{
    return cnn_train_options_set(&options->train, row->name, text) == CNN_OK;
}

/* Nothing held out is said by leaving it out. */
static bool set_share(cli_options *options, const cli_option_row *row, const char *text)
{
    return set_number(options, row, text) && options->train.val_split > 0.0;
}

static bool set_split(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)row;
    for (int i = CNN_SPLIT_TRAIN; i <= CNN_SPLIT_VAL; i++)
        if (strcmp(text, cnn_split_name((cnn_split)i)) == 0) {
            options->split = (cnn_split)i;
            return true;
        }
    return false;
}

static bool set_tta(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)row;
    options->tta = strcmp(text, "flip") == 0 ? CNN_TTA_FLIP : CNN_TTA_NONE;
    return options->tta == CNN_TTA_FLIP || strcmp(text, "none") == 0;
}

static bool set_size(cli_options *options, const cli_option_row *row, const char *text)
{
    int end = 0;
    cnn_data_options *prepare = &options->prepare;
    (void)row;
    return text[0] >= '1' && text[0] <= '9' && strlen(text) < sizeof "65535,65535" &&
           sscanf(text, "%d,%d%n", &prepare->height, &prepare->width, &end) == 2 &&
           text[end] == '\0' && strspn(text, "0123456789,") == strlen(text) &&
           prepare->height <= UINT16_MAX && prepare->width >= 1 && prepare->width <= UINT16_MAX;
}

static bool set_fit(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)row;
    options->fit_given = true;
    return cnn_picture_fit_find(&options->prepare.fit, text);
}

static bool set_labels(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)row;
    options->prepare.coarse_labels = strcmp(text, "coarse") == 0;
    return options->prepare.coarse_labels || strcmp(text, "fine") == 0;
}

static bool set_numbers(cli_options *options, const cli_option_row *row, const char *text)
{
    *(const char **)field_of(options, row) = text;
    return text[0] != '\0' && text[strspn(text, "0123456789.,eE+-")] == '\0';
}

static bool set_patterns(cli_options *options, const cli_option_row *row, const char *text)
{
    bool none = strcmp(text, "none") == 0; /* against a recipe's */
    snprintf(field_of(options, row), CNN_MAX_PATTERNS, "%s", none ? "" : text);
    return text[0] != '\0' && strlen(text) < CNN_MAX_PATTERNS;
}

/* The numbers are read where the channels are known. */
static bool set_normalize(cli_options *options, const cli_option_row *row, const char *text)
{
    const char *colon = strchr(text, ':');
    (void)row;
    options->normalize = text;
    return strcmp(text, "none") == 0 || strcmp(text, "data") == 0 ||
           strcmp(text, "imagenet") == 0 ||
           (colon && colon[1] != '\0' && colon != text &&
            text[strspn(text, "0123456789.,eE+-:")] == '\0');
}

static bool set_format(cli_options *options, const cli_option_row *row, const char *text)
{
    (void)row;
    options->format = text;
    return strcmp(text, "onnx") == 0 || strcmp(text, "npz") == 0;
}

static bool set_name(cli_options *options, const cli_option_row *row, const char *text)
{
    options->name_given = true;
    return cnn_config_set(&options->config, row->name, text) == CNN_OK;
}

static bool set_network(cli_options *options, const cli_option_row *row, const char *text)
{
    options->network_given = row->name;
    options->xdim_given = options->xdim_given || strcmp(row->name, "xdim") == 0;
    options->ydim_given = options->ydim_given || strcmp(row->name, "ydim") == 0;
    options->dropout_given = options->dropout_given || strcmp(row->name, "dropout") == 0;
    return cnn_config_set(&options->config, row->name, text ? text : "true") == CNN_OK;
}

static const char count_expected[] = "an integer of 1 to 1000000";
static const char count_or_none_expected[] = "an integer of 0 to 1000000";
static const char numbers_expected[] = "a number, or one for each channel with commas between";
static const char file_expected[] = "a path";

const cli_option_row cli_option_rows[] = {
    {"list-devices", NULL, 0, CLI_PROGRAM, "list the OpenCL devices, best first (with --json too)",
     set_true, FIELD(list_devices), 0, NULL},
    {"version", NULL, 0, CLI_PROGRAM, "print the version", set_true, FIELD(version), 0, NULL},

    {"data", "PATH", 0, CLI_DATA, "a data set (default: the usual places)", set_text, FIELD(data),
     0, file_expected},
    {"size", "H,W", 0, CLI_PREPARE, "the images' height and width (default: as they are)", set_size,
     0, 0, "two integers of 1 to 65535: height,width"},
    {"fit", "KIND", 0, CLI_PREPARE | CLI_IMPORT, "crop, pad or stretch to a size (default crop)", set_fit, 0, 0,
     "crop, pad or stretch"},
    {"normalize", "KIND", 0, CLI_PREPARE | CLI_IMPORT,
     "pixels by data, imagenet, MEANS:STDS or none (default none)", set_normalize, 0, 0,
     "none, data, imagenet or MEANS:STDS, numbers with commas between them"},
    {"skip-broken", NULL, 0, CLI_PREPARE, "go on without pictures that cannot be read", set_true,
     FIELD(prepare.skip_broken), 0, NULL},
    {"no-cache", NULL, 0, CLI_PREPARE | CLI_RARE, "decode pictures anew, and keep nothing of that",
     set_true, FIELD(prepare.no_cache), 0, NULL},
    {"labels", "KIND", 0, CLI_PREPARE, "CIFAR-100's coarse or fine classes (default fine)",
     set_labels, 0, 0, "coarse or fine"},
    {"out", "DIR", 0, CLI_TRAIN, "folder of model, checkpoint, report (default runs/NAME)",
     set_text, FIELD(out), 0, file_expected},
    {"init", "FILE", 0, CLI_TRAIN, "start from this file's tensors, where they fit", set_text,
     FIELD(init), 0, file_expected},
    {"freeze", "PATTERN,...", 0, CLI_TRAIN | CLI_RARE, "layers that stay as they are, by name: '*' fits any",
     set_patterns, FIELD(train.freeze), 0, "patterns of layers' names with commas between them"},
    {"lr-scale", "PATTERN=F,...", 0, CLI_TRAIN | CLI_RARE, "factors of the rate, by layers' names",
     set_patterns, FIELD(train.lr_scale), 0, "PATTERN=F with commas between them"},
    {"whiten", "LAYER", 0, CLI_TRAIN | CLI_RARE, "a first convolution that begins by whitening",
     set_patterns, FIELD(train.whiten), 0, "the name of a layer"},
    {"recompute", NULL, 0, CLI_TRAIN | CLI_RARE, "compute frozen layers in every step, not once",
     set_true, FIELD(train.recompute), 0, NULL},
    {"recipe", "RECIPE", 0, CLI_TRAIN, "finetune, finetune_all, folder, mnist99, cifar94, or a file",
     set_text, FIELD(recipe), 0, "the name of a recipe or the path of a recipe file"},
    {"epochs", "N", 0, CLI_TRAIN, "passes over the training split (default 10)", set_int,
     FIELD(train.epochs), 0, count_or_none_expected},
    {"lr", "RATE", 0, CLI_TRAIN, "learning rate (default 1e-3)", set_number, 0, 0, NULL},
    {"optimizer", "NAME", 0, CLI_TRAIN | CLI_UPDATE | CLI_RARE, "adam, adamw or sgd (default adam)", set_number, 0, 0, NULL},
    {"schedule", "KIND", 0, CLI_TRAIN | CLI_RARE, "constant, cosine, onecycle or step=E,E:F, of the rate",
     set_number, 0, 0, NULL},
    {"warmup", "E", 0, CLI_TRAIN | CLI_RARE, "epochs in which the rate rises (default 0)",
     set_number, 0, 0, NULL},
    {"fixed-momentum", NULL, 0, CLI_TRAIN | CLI_RARE, "onecycle leaves the momentum alone",
     set_true, FIELD(train.fixed_momentum), 0, NULL},
    {"momentum", "M", 0, CLI_TRAIN | CLI_UPDATE | CLI_RARE, "of sgd (default 0)", set_number, 0, 0, NULL},
    {"nesterov", NULL, 0, CLI_TRAIN | CLI_UPDATE | CLI_RARE, "Nesterov's momentum", set_true,
     FIELD(train.nesterov), 0, NULL},
    {"weight-decay", "W", 0, CLI_TRAIN | CLI_UPDATE | CLI_RARE, "of weights (default 0; adamw: 0.01)",
     set_number, 0, 0, NULL},
    {"decay-all", NULL, 0, CLI_TRAIN | CLI_UPDATE | CLI_RARE, "of biases and norms, too", set_true,
     FIELD(train.decay_all), 0, NULL},
    {"label-smoothing", "S", 0, CLI_TRAIN | CLI_RARE, "of the loss (default 0)", set_number, 0, 0,
     NULL},
    {"class-weights", "KIND", 0, CLI_TRAIN | CLI_RARE, "none or balanced (default none)",
     set_number, 0, 0, NULL},
    {"ema", "D", 0, CLI_TRAIN | CLI_UPDATE | CLI_RARE, "average the weights with this decay (default 0: not)",
     set_number, 0, 0, NULL},
    {"clip-norm", "N", 0, CLI_TRAIN | CLI_UPDATE | CLI_RARE, "largest norm of the gradients (default 0: any)",
     set_number, 0, 0, NULL},
    {"augment", "LIST", 0, CLI_TRAIN | CLI_PLAN | CLI_BENCH, "change the images: flip,shift=2,rotate=10,...; or none",
     set_number, 0, 0, NULL},
    {"views", "K", 0, CLI_TRAIN | CLI_RARE, "change each image K times alone: what is frozen runs once on each",
     set_int, FIELD(train.views), 0, count_or_none_expected},
    {"sentinel", "N", 0, CLI_TRAIN | CLI_RARE, "recompute some values on the host every N steps (default 0)",
     set_int, FIELD(train.sentinel), 0, count_or_none_expected},
    {"print-every", "N", 0, CLI_TRAIN | CLI_RARE, "evaluate every N epochs, and after the last (default 1)",
     set_int, FIELD(train.print_every), 1, count_expected},
    {"val-split", "F", 0, CLI_PREPARE, "hold out this part of the training split to validate",
     set_share, 0, 0, "a number between 0 and 1"},
    {"early-stop", "N", 0, CLI_TRAIN | CLI_RARE, "stop after N evaluations that validate no better", set_int,
     FIELD(train.early_stop), 1, count_expected},
    {"checkpoint-every", "N", 0, CLI_TRAIN | CLI_RARE, "save a checkpoint every N epochs (default 1)", set_int,
     FIELD(train.checkpoint_every), 0, count_or_none_expected},
    {"checkpoint-steps", "N", 0, CLI_TRAIN | CLI_RARE, "and every N steps (default 0: never)", set_int,
     FIELD(train.checkpoint_steps), 0, count_or_none_expected},
    {"resume", NULL, 0, CLI_TRAIN, "go on from the folder's checkpoint with its options", set_true,
     FIELD(resume), 0, NULL},
    {"resume-from", "FILE", 0, CLI_TRAIN | CLI_RARE, "go on from this checkpoint", set_text,
     FIELD(resume_from), 0, file_expected},
    {"log-json", "FILE", 0, CLI_TRAIN | CLI_RARE, "the metrics as JSON too, an object a line", set_text,
     FIELD(log_json), 0, file_expected},
    {"stream", NULL, 0, CLI_TRAIN | CLI_RARE, "stream batches from the host even where the data fits",
     set_true, FIELD(train.stream), 0, NULL},
    {"no-clobber", NULL, 0, CLI_TRAIN | CLI_RARE, "refuse a folder that has this run's files already",
     set_true, FIELD(no_clobber), 0, NULL},
    {"split", "SPLIT", 0, CLI_SPLIT, "train, val or test (default test)", set_split, 0, 0,
     "train, val or test"},
    {"tta", "KIND", 0, CLI_TTA, "flip: mean of an image and its mirror (default none)",
     set_tta, 0, 0, "flip or none"},
    {"samples", "N", 0, CLI_SAMPLES, "how many random test images (default 25)", set_int,
     FIELD(samples), 1, count_expected},
    {"grid", "FILE", 0, CLI_SAMPLES, "draw them with their labels into a PNG file", set_text,
     FIELD(grid), 0, file_expected},
    {"top", "K", 0, CLI_PICTURES, "of an IMAGE, the K most probable classes (default 1)", set_int,
     FIELD(top), 1, count_expected},
    {"show", NULL, 0, CLI_PICTURES, "draw what the network saw in the terminal", set_true,
     FIELD(show), 0, NULL},
    {"digits", NULL, 0, CLI_CONVERT | CLI_IMPORT,
     "convert pictures as MNIST was made (default for its models)", set_true, FIELD(digits), 0,
     NULL},
    {"no-preprocess", NULL, 0, CLI_CONVERT, "never; scale them to the network's input alone",
     set_true, FIELD(no_preprocess), 0, NULL},
    {"port", "N", 0, CLI_SERVE, "to listen on; 0 is any free one (default 8080)", set_port, 0, 0,
     "an integer of 0 to 65535"},
    {"host", "ADDR", 0, CLI_SERVE, "address to listen on (default 127.0.0.1: this machine alone)",
     set_text, FIELD(host), 0, "an address"},
    {"allow-host", "NAME", 0, CLI_SERVE, "a name, or several with commas, that leads here, too",
     add_allow_host, 0, 0, "up to 32 lists of names or addresses, without scheme and port"},
    {"plan", NULL, 0, CLI_PLAN, "print the steps of training on this device instead", set_true,
     FIELD(plan), 0, NULL},
    {"print", NULL, 0, CLI_PLAN, "print the network as a network file instead",
     set_true, FIELD(print), 0, NULL},
    {"steps", "N", 0, CLI_BENCH, "batches to measure (default: about a second of them)", set_int,
     FIELD(steps), 1, count_expected},
    {"eval", NULL, 0, CLI_BENCH, "measure evaluation (forward and loss) instead of training",
     set_true, FIELD(evaluation), 0, NULL},
    {"trace", "FILE", 0, CLI_BENCH, "write the times as Chrome trace events", set_text,
     FIELD(trace), 0, file_expected},
    {"format", "FORMAT", 0, CLI_EXPORT, "onnx or npz (default: as the output's name ends)",
     set_format, 0, 0, "onnx or npz"},
    {"tune", NULL, 0, CLI_BENCH, "search fast parameters for CLBlast's products; keep them",
     set_true, FIELD(tune), 0, NULL},
    {"all", NULL, 0, CLI_DOCTOR, "check every usable device", set_true, FIELD(all_devices), 0,
     NULL},
    {"trust-device", NULL, 0, CLI_TRAIN | CLI_RARE, "train on a device that computes wrong, too", set_true,
     FIELD(trust_device), 0, NULL},
    {"batch", "N", 0, CLI_BATCH, "images that go through together (default 256)", set_int,
     FIELD(train.batch), 1, count_expected},
    {"micro-batch", "N", 0, CLI_TRAIN | CLI_PLAN | CLI_RARE, "in pieces of N: the same result in less memory",
     set_int, FIELD(train.micro_batch), 1, count_expected},
    {"slices", "S", 0, CLI_TRAIN | CLI_PLAN | CLI_BENCH | CLI_RARE, "of a batch, summed in a tree (default: one a rank)",
     set_int, FIELD(train.slices), 1, count_expected},
    {"rank-timeout", "SEC", 0, CLI_TRAIN | CLI_SPLIT | CLI_PICTURES | CLI_BENCH | CLI_RARE, "wait for a rank (default 300)",
     set_int, FIELD(rank_timeout), 1, count_expected},
    {"no-fuse", NULL, 0, CLI_FUSE | CLI_RARE, "run each layer as a step of its own", set_false,
     FIELD(train.fuse), 0, NULL},
    {"exact", NULL, 0, CLI_FUSE | CLI_DOCTOR | CLI_RARE, "the same bits on every device and host", set_true,
     FIELD(train.exact), 0, NULL},
    {"json", NULL, 0, CLI_JSON, "print a JSON document", set_true, FIELD(json), 0, NULL},

    {"no-bench", NULL, 0, CLI_REPORT, "leave the time of the plan's steps out", set_true,
     FIELD(no_bench), 0, NULL},

    {"model", "FILE", 0, CLI_MODEL | CLI_REPORT | CLI_RARE,
     "a saved model (default: a fresh network, or the run's)", set_text, FIELD(model), 0,
     file_expected},
    {"name", "NAME", 0, CLI_NETWORK | CLI_IMPORT | CLI_REPORT,
     "of the network and its files (default cnn)", set_name, 0, 0, NULL},
    {"net", "NET", 0, CLI_NETWORK | CLI_IMPORT,
     "a network file, or one that comes with cnn-cl (resnet20)", set_text, FIELD(net), 0,
     "the name of a network or the path of a network file"},
    {"xdim", "C,H,W", 0, CLI_NETWORK | CLI_IMPORT,
     "shape of an image (default: data's or file's, or 1,28,28)", set_network, 0, 0, NULL},
    {"ksize", "N", 0, CLI_NETWORK, "side of the convolutions' kernels, 1 to 11 (default 3)",
     set_network, 0, 0, NULL},
    {"cdims", "N,...", 0, CLI_NETWORK, "channels of each convolution, or none (default 32,64)",
     set_network, 0, 0, NULL},
    {"hdims", "N,...", 0, CLI_NETWORK, "widths of the hidden layers, or none (default 32)",
     set_network, 0, 0, NULL},
    {"ydim", "N", 0, CLI_NETWORK | CLI_IMPORT,
     "classes (default 10, or as many more as the data has)", set_network, 0, 0, NULL},
    {"batchnorm", NULL, 0, CLI_NETWORK, "batch norm after each convolution", set_network, 0, 0,
     NULL},
    {"dropout", "P", 0, CLI_NETWORK | CLI_IMPORT, "probability of dropping a channel (default 0.5)",
     set_network, 0, 0, NULL},

    {"mean", "M,...", 0, CLI_IMPORT, "mean of its pixels, from 0 to 1, in training (default 0)",
     set_numbers, FIELD(mean), 0, numbers_expected},
    {"std", "S,...", 0, CLI_IMPORT, "and their deviation: they were (pixel - M) / S (default 1)",
     set_numbers, FIELD(std), 0, numbers_expected},

    {"device", "SEL", 0, CLI_GLOBAL, "index, P:D or part of a name (default: the best)", set_text,
     FIELD(device), 0, "an index, P:D or part of a name"},
    {"seed", "N", 0, CLI_GLOBAL, "of everything random (default 0)", set_seed, 0, 0,
     "an integer of 0 to 18446744073709551615"},
    {"quiet", NULL, 'q', CLI_GLOBAL, "no information on stderr, only warnings and errors", set_true,
     FIELD(quiet), 0, NULL},
    {"verbose", NULL, 'v', CLI_GLOBAL, "details on stderr", set_true, FIELD(verbose), 0, NULL},
    {"help", NULL, 'h', CLI_GLOBAL, "print this; 'cnn-cl COMMAND --help' for a command", set_true,
     FIELD(help), 0, NULL},
    {0},
};

_Static_assert(sizeof cli_option_rows / sizeof cli_option_rows[0] <= CLI_MAX_OPTIONS,
               "more options than CLI_MAX_OPTIONS");
