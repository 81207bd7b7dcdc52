/* Pictures are converted one by one and go through the network together, a batch at a time. */
#include "cli/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/conversion.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/show.h"

enum { NOT_IDX = -1, ERROR_SIZE = 512, STDIN_LIMIT = 1 << 28, STDIN_CHUNK = 1 << 16 };

/* An image and what became of it. */
typedef struct entry {
    const char *path;
    long long index;                /* within an IDX file, or NOT_IDX */
    size_t slot;                    /* in the batch, where nothing failed */
    char error[ERROR_SIZE];         /* empty where nothing failed */
    char warning[CLI_WARNING_SIZE]; /* empty where there is none */
} entry;

typedef struct pictures {
    const cli_options *options;
    cli_session session;
    cli_conversion conversion;
    cnn_predictor *predictor; /* made for the first batch: no later one is larger */
    int classes;
    float *inputs, *outputs; /* (batch, C, H, W); (batch, classes) */
    entry *entries;          /* those since the last batch ran: (batch) */
    int *order;              /* (classes) */
    size_t entry_count, slot_count;
    size_t printed;
    bool failed; /* an image could not be read */
} pictures;

static void print_name(const pictures *run, int label)
{
    const char *name = cnn_model_class_name(run->session.model, label);
    if (run->options->json)
        cli_print_json_string(name);
    else
        cli_print("%s", name);
}

/* The classes, most probable first. */
static void sort_classes(int *order, const float *probabilities, int classes, int top)
{
    for (int i = 0; i < classes; i++)
        order[i] = i;
    for (int i = 0; i < top; i++)
        for (int j = i + 1; j < classes; j++)
            if (probabilities[order[j]] > probabilities[order[i]]) {
                int other = order[i];
                order[i] = order[j];
                order[j] = other;
            }
}

static int top_of(const pictures *run)
{
    int top = run->options->top > 0 ? run->options->top : 1;
    return top < run->classes ? top : run->classes;
}

static void print_line(const pictures *run, const entry *at, const float *probabilities)
{
    int top = top_of(run);
    cli_print("image:[%s", at->path);
    if (at->index != NOT_IDX)
        cli_print("#%lld", at->index);
    cli_print("] pred:[");
    for (int i = 0; i < top; i++) {
        cli_print("%s", i ? "," : "");
        print_name(run, run->order[i]);
    }
    cli_print("] prob:[");
    for (int i = 0; i < top; i++)
        cli_print("%s%.3f", i ? "," : "", (double)probabilities[run->order[i]]);
    cli_print("].\n");
    if (run->options->show)
        cli_show_image(run->inputs + at->slot * run->conversion.size, run->conversion.shape);
}

static void print_json_entry(pictures *run, const entry *at, const float *probabilities)
{
    cli_print("%s\n    {\"path\": ", run->printed++ ? "," : "");
    cli_print_json_string(at->path);
    if (at->index == NOT_IDX)
        cli_print(", \"index\": null");
    else
        cli_print(", \"index\": %lld", at->index);
    if (at->error[0]) {
        cli_print(", \"error\": ");
        cli_print_json_string(at->error);
        cli_print("}");
        return;
    }
    cli_print(", \"label\": %d, \"name\": ", run->order[0]);
    print_name(run, run->order[0]);
    cli_print(", \"probability\": %.6g, \"top\": [", (double)probabilities[run->order[0]]);
    for (int i = 0; i < top_of(run); i++) {
        cli_print("%s{\"label\": %d, \"name\": ", i ? ", " : "", run->order[i]);
        print_name(run, run->order[i]);
        cli_print(", \"probability\": %.6g}", (double)probabilities[run->order[i]]);
    }
    cli_print("]");
    if (at->warning[0]) {
        cli_print(", \"warning\": ");
        cli_print_json_string(at->warning);
    }
    cli_print("}");
}

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
    if (!at->error[0]) {
        sort_classes(run->order, probabilities, run->classes, top_of(run));
    }
    if (run->options->json)
        print_json_entry(run, at, probabilities);
    else if (!at->error[0])
        print_line(run, at, probabilities);
}

/* Runs what has gathered, and prints it. */
static int run_batch(pictures *run)
{
    int code = 0;
    if (run->slot_count > 0 && !run->predictor)
        CLI_TRY(cli_session_create_predictor(&run->predictor, &run->session, run->options,
                                             run->slot_count));
    if (run->slot_count > 0)
        CLI_TRY(cli_check(
            cnn_predictor_run(run->outputs, run->predictor, run->inputs, run->slot_count)));
    for (size_t i = 0; i < run->entry_count; i++)
        print_entry(run, &run->entries[i]);
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

static int prepare(pictures *run)
{
    const cli_options *options = run->options;
    size_t batch = (size_t)options->train.batch;
    int code = 0;
    CLI_TRY(cli_session_load_model(&run->session, options));
    CLI_TRY(cli_session_normalize(&run->session, options));
    run->conversion = cli_conversion_choose(run->session.model, options);
    run->classes = cnn_network_classes(cnn_model_network(run->session.model));
    CLI_TRY(cli_session_open_device(&run->session, options));
    run->inputs = cli_allocate(batch, run->conversion.size * sizeof *run->inputs);
    run->outputs = cli_allocate(batch, (size_t)run->classes * sizeof *run->outputs);
    run->entries = cli_allocate(batch, sizeof *run->entries);
    run->order = cli_allocate((size_t)run->classes, sizeof *run->order);
    if (!run->inputs || !run->outputs || !run->entries || !run->order)
        return CLI_EXIT_FAILURE;
    cli_conversion_say(&run->conversion);
out:
    return code;
}

static void finish(pictures *run)
{
    cnn_predictor_destroy(run->predictor);
    cli_session_finish(&run->session);
    free(run->inputs);
    free(run->outputs);
    free(run->entries);
    free(run->order);
}

int cli_pictures_predict(const cli_options *options)
{
    pictures run = {.options = options};
    int code = 0;
    CLI_TRY(prepare(&run));
    if (options->json) {
        CLI_TRY(cli_hold());
        cli_print("{\n  \"model\": ");
        cli_print_json_string(options->model);
        cli_print(",\n  \"digits\": %s,\n  \"images\": [",
                  run.conversion.digits ? "true" : "false");
    }
    for (int i = 0; i < options->word_count; i++)
        CLI_TRY(add_file(&run, options->words[i]));
    CLI_TRY(run_batch(&run));
    if (options->json)
        cli_print("\n  ]\n}\n");
    cli_print_held();
    CLI_TRY(cli_flush());
    code = run.failed ? CLI_EXIT_FAILURE : 0;
out:
    finish(&run);
    return code;
}
