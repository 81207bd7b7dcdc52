/* Pictures are converted one by one and go through the network together, a batch at a time. */
#include "cli/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/picture_run.h"
#include "cli/ranks.h"

enum { STDIN_LIMIT = 1 << 28, STDIN_CHUNK = 1 << 16 };

/* What all ranks work on. */
typedef struct job {
    const cli_options *options;
    cli_session session;
    cli_conversion conversion;
    bool failed; /* an image could not be read, on any rank */
} job;

/* The message of an image that could not be read, in its entry and on stderr. */
static void fail_entry(pictures *run, entry *at, const char *message)
{
    char number[32] = "";
    if (at->index != NOT_IDX)
        snprintf(number, sizeof number, "#%lld", at->index);
    snprintf(at->error, sizeof at->error, "%s%s: %s", at->path, number, message);
    cli_fail(CLI_EXIT_FAILURE, "%s", at->error);
    run->failed = true;
}

static void warn_entry(const entry *at)
{
    if (at->index == NOT_IDX)
        cli_info("%s: %s", at->path, at->warning);
    else
        cli_info("%s#%lld: %s", at->path, at->index, at->warning);
}

static void print_entry(pictures *run, entry *at)
{
    float *probabilities = run->outputs + at->slot * (size_t)run->classes;
    if (!at->error[0] && !cli_softmax(probabilities, run->classes))
        fail_entry(run, at,
                   "the network's output is not finite: train it again with a smaller --lr");
    cli_picture_print(run, at, probabilities);
}

/* Runs what has gathered, and prints it. */
static int run_batch(pictures *run)
{
    int code = 0;
    bool many = run->unit_begun + run->entry_count > run->unit;
    cnn_predictor **predictor = &run->predictors[many];
    size_t most = !many ? run->unit
                  : run->options->word_count > 1 ? (size_t)run->options->train.batch
                                                 : run->slot_count;
    if (run->slot_count > 0 && !*predictor)
        CLI_TRY(cli_session_create_predictor(predictor, &run->session, run->options, most));
    if (run->slot_count > 0)
        CLI_TRY(cli_check(
            cnn_predictor_run(run->outputs, *predictor, run->inputs, run->slot_count)));
    for (size_t i = 0; i < run->entry_count; i++)
        print_entry(run, &run->entries[i]);
    run->unit_begun += run->entry_count;
    run->entry_count = run->slot_count = 0;
    CLI_TRY(cli_flush());
out:
    return code;
}

/* An image, or why there is none. */
static int add_entry(pictures *run, const char *path, long long index, const cnn_image *image,
                     const char *message)
{
    entry *at = &run->entries[run->entry_count++];
    *at = (entry){.path = path, .index = index, .slot = run->slot_count};
    float *input = run->inputs + run->slot_count * run->conversion.size;
    if (!image)
        fail_entry(run, at, message);
    else if (cli_conversion_apply(input, at->warning, &run->conversion, image, index != NOT_IDX) !=
             CNN_OK)
        fail_entry(run, at, cnn_error_message());
    else
        run->slot_count++;
    if (at->warning[0])
        warn_entry(at);
    return run->entry_count == (size_t)run->options->train.batch ? run_batch(run) : 0;
}

/* Reads to the end. NULL where there is no memory for it. */
static char *read_stdin(size_t *size)
{
    char *data = NULL;
    size_t room = 0, count = 1;
    for (*size = 0; count > 0 && *size < STDIN_LIMIT; *size += count) {
        if (room - *size < STDIN_CHUNK) {
            room = 2 * room + STDIN_CHUNK;
            char *larger = realloc(data, room);
            if (!larger) {
                free(data);
                return NULL;
            }
            data = larger;
        }
        count = fread(data + *size, 1, STDIN_CHUNK, stdin);
    }
    return data;
}

/* The library's messages start with the name of what was read, which the entry has, too. */
static const char *without_name(const char *message, const char *name)
{
    size_t length = strlen(name);
    bool named = strncmp(message, name, length) == 0 && strncmp(message + length, ": ", 2) == 0;
    return named ? message + length + 2 : message;
}

static int add_file(pictures *run, const char *path)
{
    cnn_images *images = NULL;
    cnn_status status;
    int code = 0;
    if (strcmp(path, "-") == 0) {
        size_t size;
        char *data = read_stdin(&size);
        if (!data || ferror(stdin) || size >= STDIN_LIMIT) {
            const char *message = !data           ? "out of memory"
                                  : ferror(stdin) ? "cannot be read to its end"
                                                  : "longer than 256 MiB: give the file's path";
            free(data);
            return add_entry(run, path, NOT_IDX, NULL, message);
        }
        status = cnn_images_decode(&images, data, size, path, 0);
        free(data);
    } else {
        status = cnn_images_load(&images, path);
    }
    if (status != CNN_OK)
        return add_entry(run, path, NOT_IDX, NULL, without_name(cnn_error_message(), path));
    bool is_idx = cnn_images_are_idx(images);
    for (size_t i = 0; code == 0 && i < cnn_images_count(images); i++) {
        cnn_image image = cnn_images_get(images, i);
        code = add_entry(run, path, is_idx ? (long long)i : NOT_IDX, &image, NULL);
    }
    cnn_images_destroy(images);
    return code;
}

/* A few for each of many ranks, and not too many for a batch. */
static size_t choose_unit(const cli_options *options)
{
    enum { UNITS = 16, MOST = 32 };
    size_t unit = ((size_t)options->word_count + UNITS - 1) / UNITS;
    return unit < MOST ? unit : MOST;
}

static size_t unit_end(const pictures *run, size_t unit)
{
    size_t end = (unit + 1) * run->unit, count = (size_t)run->options->word_count;
    return end < count ? end : count;
}

/* Standard input is rank 0's. */
static bool has_stdin(size_t unit, void *user)
{
    const pictures *run = user;
    for (size_t i = unit * run->unit; i < unit_end(run, unit); i++)
        if (strcmp(run->options->words[i], "-") == 0)
            return true;
    return false;
}

static int run_unit(size_t unit, void *user)
{
    pictures *run = user;
    int code = 0;
    run->unit_begun = 0;
    for (size_t i = unit * run->unit; i < unit_end(run, unit); i++)
        CLI_TRY(add_file(run, run->options->words[i]));
    code = run_batch(run);
out:
    return code;
}

/* All have the same model and the same list of files. */
static int meet(const pictures *run, cnn_comm *comm)
{
    static const char advice[] = "start every rank with the same files and options";
    const cli_options *options = run->options;
    char number[32];
    int code = 0;
    snprintf(number, sizeof number, "%d", options->word_count);
    CLI_TRY(cli_check(cnn_model_compare(run->session.model, comm, run->session.device)));
    CLI_TRY(cli_ranks_compare_options(comm, options));
    CLI_TRY(cli_check(cnn_comm_compare(comm, "number of IMAGEs", number, advice)));
    for (int i = 0; i < options->word_count; i++)
        CLI_TRY(cli_check(cnn_comm_compare(comm, "IMAGE", options->words[i], advice)));
out:
    return code;
}

/* Did any rank fail to read an image? Rank 0 is told. */
static int collect_failed(bool *failed, cnn_comm *comm)
{
    int code = 0;
    for (int rank = 1; code == 0 && rank < cnn_comm_size(comm); rank++) {
        void *data = failed;
        size_t size = sizeof *failed;
        bool here = cnn_comm_rank(comm) == 0;
        if (!here && cnn_comm_rank(comm) != rank)
            continue;
        code = cli_check(cnn_comm_bring(&data, &size, comm, rank));
        if (here && code == 0)
            *failed = *failed || *(const bool *)data;
        if (here)
            free(data);
    }
    return code;
}

static int begin(pictures *run)
{
    const cli_options *options = run->options;
    size_t batch = (size_t)options->train.batch;
    run->unit = choose_unit(options);
    run->classes = cnn_network_classes(cnn_model_network(run->session.model));
    run->inputs = cli_allocate(batch, run->conversion.size * sizeof *run->inputs);
    run->outputs = cli_allocate(batch, (size_t)run->classes * sizeof *run->outputs);
    run->entries = cli_allocate(batch, sizeof *run->entries);
    run->order = cli_allocate((size_t)run->classes, sizeof *run->order);
    bool whole = run->inputs && run->outputs && run->entries && run->order;
    return whole ? 0 : CLI_EXIT_FAILURE;
}

static void finish(pictures *run)
{
    cnn_predictor_destroy(run->predictors[0]);
    cnn_predictor_destroy(run->predictors[1]);
    free(run->inputs);
    free(run->outputs);
    free(run->entries);
    free(run->order);
}

/* This rank's part of the files. */
static int predict(cnn_comm *comm, cnn_device *device, void *user)
{
    job *all = user;
    pictures run = {.options = all->options,
                    .session = all->session,
                    .conversion = all->conversion,
                    .comma = cnn_comm_rank(comm) > 0};
    int code = 0;
    run.session.device = device;
    CLI_TRY(begin(&run));
    if (comm)
        CLI_TRY(meet(&run, comm));
    const cli_units units = {.count = ((size_t)run.options->word_count + run.unit - 1) / run.unit,
                             .is_first = has_stdin,
                             .run = run_unit,
                             .user = &run};
    CLI_TRY(cli_units_run(&units, comm));
    CLI_TRY(collect_failed(&run.failed, comm));
    if (cnn_comm_rank(comm) == 0)
        all->failed = run.failed;
out:
    finish(&run);
    return code;
}

static int prepare(job *all)
{
    const cli_options *options = all->options;
    int code = 0;
    CLI_TRY(cli_session_load_model(&all->session, options));
    CLI_TRY(cli_session_normalize(&all->session, options));
    all->conversion = cli_conversion_choose(all->session.model, options);
    CLI_TRY(cli_session_open_device(&all->session, options));
    cli_conversion_say(&all->conversion);
out:
    return code;
}

int cli_pictures_predict(const cli_options *options)
{
    job all = {.options = options};
    int code = 0;
    CLI_TRY(prepare(&all));
    if (options->json) {
        CLI_TRY(cli_hold());
        cli_print("{\n  \"model\": ");
        cli_print_json_string(options->model);
        cli_print(",\n  \"digits\": %s,\n  \"images\": [",
                  all.conversion.digits ? "true" : "false");
    }
    CLI_TRY(cli_ranks_run(all.session.devices, all.session.device_count, predict, &all));
    if (options->json)
        cli_print("\n  ]\n}\n");
    cli_print_held();
    CLI_TRY(cli_flush());
    code = all.failed ? CLI_EXIT_FAILURE : 0;
out:
    cli_session_finish(&all.session);
    return code;
}
