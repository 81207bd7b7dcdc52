/* Random test images, what a model takes them for, and their picture. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/ranks.h"
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

/* Chosen images' bytes, `count` from number `first` on, one after the other; to be freed. NULL after saying what
 * failed. */
static uint8_t *read_images(const cli_samples *samples, const cnn_dataset *dataset, size_t first,
                            size_t count)
{
    size_t size = image_size(dataset);
    uint8_t *bytes = cli_allocate(count, size);
    for (size_t i = 0; bytes && i < count; i++)
        if (cli_check(cnn_dataset_read(bytes + i * size, dataset, cnn_dataset_judge(dataset),
                                       samples->indices[first + i])) != 0) {
            free(bytes);
            return NULL;
        }
    return bytes;
}

/* What all ranks work on, and rank 0's result. */
typedef struct job {
    cli_samples *samples;
    const cli_session *session;
    const cli_options *options;
} job;

static size_t batch_of(const job *all)
{
    size_t batch = (size_t)all->options->train.batch, count = all->samples->count;
    return count < batch ? count : batch;
}

/* A batch of the samples: predicted (count) from number `first` on. */
static int predict_batch(int *predicted, cnn_predictor *predictor, const job *all, size_t first,
                         size_t count)
{
    const cnn_dataset *dataset = all->session->dataset;
    int classes = cnn_network_classes(cnn_model_network(all->session->model));
    size_t values = count * image_size(dataset);
    uint8_t *bytes = read_images(all->samples, dataset, first, count);
    float *images = cli_allocate(values, sizeof *images);
    float *logits = cli_allocate(count, (size_t)classes * sizeof *logits);
    int code = bytes && images && logits ? 0 : CLI_EXIT_FAILURE;
    CLI_TRY(code);
    for (size_t i = 0; i < values; i++)
        images[i] = (float)bytes[i] / 255.0f;
    CLI_TRY(cli_check(cnn_predictor_run(logits, predictor, images, count)));
    for (size_t i = 0; i < count; i++)
        predicted[first + i] = largest(logits + i * (size_t)classes, classes);
out:
    free(bytes);
    free(images);
    free(logits);
    return code;
}

/* Batches are dealt out in turn: this rank's, or to rank 0 those of another. */
static int bring(int *predicted, const job *all, cnn_comm *comm, int rank)
{
    size_t batch = batch_of(all), count = all->samples->count, bytes = count * sizeof *predicted;
    size_t step = batch * (size_t)cnn_comm_size(comm);
    void *data = predicted;
    int code = cli_check(cnn_comm_bring(&data, &bytes, comm, rank));
    if (code != 0 || cnn_comm_rank(comm) == rank)
        return code;
    const int *there = data;
    for (size_t first = (size_t)rank * batch; first < count; first += step)
        for (size_t i = first; i < count && i < first + batch; i++)
            predicted[i] = there[i];
    free(data);
    return 0;
}

static int meet(cnn_predictor *predictor, const job *all, cnn_comm *comm)
{
    char chosen[64];
    int code = cli_check(cnn_predictor_share(predictor, comm, all->session->dataset));
    code = code == 0 ? cli_ranks_compare_options(comm, all->options) : code;
    snprintf(chosen, sizeof chosen, "%zu of seed %" PRIu64, all->samples->count, all->options->seed);
    return code != 0 ? code
                     : cli_check(cnn_comm_compare(comm, "random images", chosen,
                                                  "start every rank with the same options"));
}

static int predict_share(cnn_comm *comm, cnn_device *device, void *user)
{
    const job *all = user;
    size_t batch = batch_of(all), count = all->samples->count;
    int size = cnn_comm_size(comm), mine = cnn_comm_rank(comm), code = 0;
    cli_session own = *all->session;
    cnn_predictor *predictor = NULL;
    int *predicted = cli_allocate(count, sizeof *predicted);
    if (!predicted)
        return CLI_EXIT_FAILURE;
    own.device = device;
    CLI_TRY(cli_session_create_predictor(&predictor, &own, all->options, batch));
    if (comm)
        CLI_TRY(meet(predictor, all, comm));
    for (size_t at = (size_t)mine * batch; at < count; at += (size_t)size * batch)
        CLI_TRY(predict_batch(predicted, predictor, all, at,
                              count - at < batch ? count - at : batch));
    for (int rank = 1; rank < size; rank++)
        if (mine == 0 || mine == rank)
            CLI_TRY(bring(predicted, all, comm, rank));
    if (mine == 0)
        memcpy(all->samples->predicted, predicted, count * sizeof *predicted);
out:
    cnn_predictor_destroy(predictor);
    free(predicted);
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

static void count_hits(cli_samples *samples, const cnn_dataset *dataset)
{
    for (size_t i = 0; i < samples->count; i++)
        samples->hits += samples->predicted[i] == cli_samples_label(samples, dataset, i);
}

int cli_samples_predict(cli_samples *samples, const cli_session *session,
                        const cli_options *options, size_t count)
{
    job all = {samples, session, options};
    int code = 0;
    CLI_TRY(choose(samples, session, options, count));
    CLI_TRY(cli_ranks_run(session->devices, session->device_count, predict_share, &all));
    count_hits(samples, session->dataset);
out:
    return code;
}

int cli_samples_take(cli_samples *samples, const cli_session *session, const cli_options *options,
                     size_t count, const cnn_prediction *predictions)
{
    int code = choose(samples, session, options, count);
    if (code != 0)
        return code;
    for (size_t i = 0; i < samples->count; i++)
        samples->predicted[i] = predictions[samples->indices[i]].label;
    count_hits(samples, session->dataset);
    return 0;
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
    uint8_t *images = read_images(samples, dataset, 0, samples->count);
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

int cli_shown_take(cli_shown *taken, cnn_trainer *trainer, const cnn_dataset *dataset)
{
    size_t most = CLI_DEFAULT_SAMPLES;
    taken->images = cli_allocate(most, image_size(dataset));
    taken->shown = cli_allocate(most, sizeof *taken->shown);
    if (!taken->images || !taken->shown)
        return CLI_EXIT_FAILURE;
    taken->count = most;
    return cli_check(cnn_trainer_augmented(taken->images, taken->shown, &taken->count, trainer));
}

int cli_shown_draw(const cli_shown *taken, const cnn_dataset *dataset, const char *path)
{
    size_t count = taken->count;
    cnn_grid_cell *cells = cli_allocate(count, sizeof *cells);
    char(*titles)[TITLE_SIZE] = cli_allocate(count, sizeof *titles);
    int code = cells && titles ? 0 : CLI_EXIT_FAILURE;
    for (size_t i = 0; code == 0 && i < count; i++) {
        name_shown(titles[i], &taken->shown[i], dataset);
        cells[i] = (cnn_grid_cell){.pixels = taken->images + i * image_size(dataset),
                                   .title = titles[i]};
    }
    if (code == 0)
        code = cli_check(cnn_picture_grid(path, cells, (int)count, square_side(count),
                                          cnn_dataset_shape(dataset)));
    free(cells);
    free(titles);
    return code;
}

void cli_shown_finish(cli_shown *taken)
{
    free(taken->images);
    free(taken->shown);
    *taken = (cli_shown){0};
}

void cli_samples_finish(cli_samples *samples)
{
    free(samples->indices);
    free(samples->predicted);
    memset(samples, 0, sizeof *samples);
}
