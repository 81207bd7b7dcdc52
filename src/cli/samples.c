/* Random test images, what a model takes them for, and their picture. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/session.h"

enum { TITLE_SIZE = 256 };

static size_t image_size(const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

static int largest(const float *logits, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

int cli_samples_label(const cli_samples *samples, const cnn_dataset *dataset, size_t index)
{
    return cnn_dataset_labels(dataset, cnn_dataset_judge(dataset))[samples->indices[index]];
}

/* The chosen images' bytes, one after the other; to be freed. NULL after saying what failed. */
static uint8_t *read_images(const cli_samples *samples, const cnn_dataset *dataset)
{
    size_t size = image_size(dataset);
    uint8_t *bytes = cli_allocate(samples->count, size);
    for (size_t i = 0; bytes && i < samples->count; i++)
        if (cli_check(cnn_dataset_read(bytes + i * size, dataset, cnn_dataset_judge(dataset),
                                       samples->indices[i])) != 0) {
            free(bytes);
            return NULL;
        }
    return bytes;
}

static int run_predictor(float *logits, const float *images, size_t count,
                         const cli_session *session, const cli_options *options)
{
    cnn_predictor *predictor = NULL;
    int code = 0;
    size_t batch = (size_t)options->train.batch;
    CLI_TRY(cli_session_create_predictor(&predictor, session, options,
                                         count < batch ? count : batch));
    CLI_TRY(cli_check(cnn_predictor_run(logits, predictor, images, count)));
out:
    cnn_predictor_destroy(predictor);
    return code;
}

static int choose(cli_samples *samples, const cli_session *session, const cli_options *options,
                  size_t count)
{
    cnn_split judge = cnn_dataset_judge(session->dataset);
    size_t total = cnn_dataset_count(session->dataset, judge);
    if (total == 0)
        return cli_fail(CLI_EXIT_FAILURE, "%s: expected test images, found none",
                        cnn_dataset_source(session->dataset));
    samples->count = count < total ? count : total;
    if (count > total && count != CLI_DEFAULT_SAMPLES)
        cli_info("the %s split has %zu images: all of them are taken", cnn_split_name(judge),
                 total);
    if (judge == CNN_SPLIT_VAL)
        cli_info("%s has no test images: the validation images are taken",
                 cnn_dataset_source(session->dataset));
    samples->indices = cli_allocate(samples->count, sizeof *samples->indices);
    samples->predicted = cli_allocate(samples->count, sizeof *samples->predicted);
    if (!samples->indices || !samples->predicted)
        return CLI_EXIT_FAILURE;
    return cli_check(cnn_random_choice(samples->indices, samples->count, total, options->seed));
}

int cli_samples_predict(cli_samples *samples, const cli_session *session,
                        const cli_options *options, size_t count)
{
    int code = 0;
    int ydim = cnn_network_classes(cnn_model_network(session->model));
    float *images = NULL, *logits = NULL;
    uint8_t *bytes = NULL;
    CLI_TRY(choose(samples, session, options, count));
    bytes = read_images(samples, session->dataset);
    images = cli_allocate(samples->count, image_size(session->dataset) * sizeof *images);
    logits = cli_allocate(samples->count, (size_t)ydim * sizeof *logits);
    if (!images || !logits || !bytes) {
        code = CLI_EXIT_FAILURE;
        goto out;
    }
    for (size_t i = 0; i < samples->count * image_size(session->dataset); i++)
        images[i] = (float)bytes[i] / 255.0f;
    CLI_TRY(run_predictor(logits, images, samples->count, session, options));
    for (size_t i = 0; i < samples->count; i++) {
        samples->predicted[i] = largest(logits + i * (size_t)ydim, ydim);
        samples->hits += samples->predicted[i] == cli_samples_label(samples, session->dataset, i);
    }
out:
    free(images);
    free(logits);
    free(bytes);
    return code;
}

int cli_samples_take(cli_samples *samples, const cli_session *session, const cli_options *options,
                     size_t count, const cnn_prediction *predictions)
{
    int code = choose(samples, session, options, count);
    for (size_t i = 0; code == 0 && i < samples->count; i++) {
        samples->predicted[i] = predictions[samples->indices[i]].label;
        samples->hits += samples->predicted[i] == cli_samples_label(samples, session->dataset, i);
    }
    return code;
}

static int square_side(size_t count)
{
    int side = 1;
    while ((size_t)side * (size_t)side < count)
        side++;
    return side;
}

int cli_samples_draw(const cli_samples *samples, const cnn_dataset *dataset, const char *path)
{
    int code = CLI_EXIT_FAILURE;
    uint8_t *images = read_images(samples, dataset);
    cnn_grid_cell *cells = cli_allocate(samples->count, sizeof *cells);
    char(*titles)[TITLE_SIZE] = cli_allocate(samples->count, sizeof *titles);
    if (images && cells && titles) {
        for (size_t i = 0; i < samples->count; i++) {
            int label = cli_samples_label(samples, dataset, i);
            int predicted = samples->predicted[i];
            snprintf(titles[i], sizeof titles[i], "Pred:%s, Label:%s",
                     cnn_dataset_class_name(dataset, predicted),
                     cnn_dataset_class_name(dataset, label));
            cells[i].pixels = images + i * image_size(dataset);
            cells[i].title = titles[i];
            cells[i].wrong = predicted != label;
        }
        code = cli_check(cnn_picture_grid(path, cells, (int)samples->count,
                                          square_side(samples->count), cnn_dataset_shape(dataset)));
    }
    free(images);
    free(cells);
    free(titles);
    return code;
}

/* "cat", or what a mixture is of, the larger part first: "cat 70% dog". */
static void name_shown(char title[TITLE_SIZE], const cnn_shown *shown, const cnn_dataset *dataset)
{
    const char *own = cnn_dataset_class_name(dataset, shown->label);
    const char *other = cnn_dataset_class_name(dataset, shown->other);
    double part = shown->part;
    bool more = part < 0.5;
    if (part < 1.0)
        snprintf(title, TITLE_SIZE, "%s %.0f%% %s", more ? other : own,
                 100.0 * (more ? 1.0 - part : part), more ? own : other);
    else
        snprintf(title, TITLE_SIZE, "%s", own);
}

static int draw_shown(const char *path, const uint8_t *images, const cnn_shown *shown, int count,
                      const cnn_dataset *dataset)
{
    cnn_grid_cell *cells = cli_allocate((size_t)count, sizeof *cells);
    char(*titles)[TITLE_SIZE] = cli_allocate((size_t)count, sizeof *titles);
    int code = cells && titles ? 0 : CLI_EXIT_FAILURE;
    for (int i = 0; code == 0 && i < count; i++) {
        name_shown(titles[i], &shown[i], dataset);
        cells[i] = (cnn_grid_cell){.pixels = images + (size_t)i * image_size(dataset),
                                   .title = titles[i]};
    }
    if (code == 0)
        code = cli_check(cnn_picture_grid(path, cells, count, square_side((size_t)count),
                                          cnn_dataset_shape(dataset)));
    free(cells);
    free(titles);
    return code;
}

int cli_samples_draw_augmented(cnn_trainer *trainer, const cnn_dataset *dataset, const char *path)
{
    size_t count = CLI_DEFAULT_SAMPLES;
    uint8_t *images = cli_allocate(count, image_size(dataset));
    cnn_shown *shown = cli_allocate(count, sizeof *shown);
    int code = images && shown ? 0 : CLI_EXIT_FAILURE;
    if (code == 0)
        code = cli_check(cnn_trainer_augmented(images, shown, &count, trainer));
    if (code == 0)
        code = draw_shown(path, images, shown, (int)count, dataset);
    free(images);
    free(shown);
    return code;
}

void cli_samples_finish(cli_samples *samples)
{
    free(samples->indices);
    free(samples->predicted);
    memset(samples, 0, sizeof *samples);
}
