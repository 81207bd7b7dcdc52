/* Images of the wanted shape, from sources into memory or into a pack. */
#include "data/content.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"

enum { PIECE = 64 << 20 /* bytes of images that are made before they are written */ };

size_t cnn_content_image(const cnn_dataset *dataset)
{
    const int *shape = dataset->shape;
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

void cnn_content_drop(cnn_dataset *dataset)
{
    for (int i = 0; i < CNN_SPLITS; i++) {
        free(dataset->splits[i].images);
        free(dataset->splits[i].labels);
        dataset->splits[i] = (cnn_split_content){0};
    }
    cnn_pack_close(dataset->pack);
    dataset->pack = NULL;
}

cnn_status cnn_content_label(cnn_split_content *split, const cnn_source *source,
                             const uint32_t *samples, size_t count)
{
    cnn_status status = cnn_allocate(&split->labels, count, sizeof *split->labels, "labels");
    for (size_t i = 0; status == CNN_OK && i < count; i++)
        split->labels[i] = source->kind->label(source, samples[i]);
    split->count = count;
    return status;
}

/* What lies in memory has one size. */
static cnn_status check_shape(const cnn_source *source, const int shape[3], const char *split,
                              const char *path)
{
    const int *have = source->shape;
    if (source->kind->measure || memcmp(have, shape, sizeof source->shape) == 0)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected images of %d x %d x %d, as those to train on, found %d x %d x %d "
                    "in the %s split",
                    path, shape[0], shape[1], shape[2], have[0], have[1], have[2], split);
}

/* A line now and then where it takes long. */
static void tell_progress(cnn_taking *taking, size_t done, size_t count)
{
    static const double seconds = 10.0;
    double now = cnn_seconds();
    if (taking->told == 0.0)
        taking->told = now;
    if (now - taking->told < seconds || done == count)
        return;
    taking->told = now;
    cnn_log(CNN_LOG_INFO, "%s: %zu of %zu pictures are read", taking->path, done, count);
}

static cnn_status fill_images(cnn_taking *taking, cnn_split_content *split, uint32_t *samples,
                              cnn_filling *filling)
{
    size_t image = cnn_content_image(taking->dataset), count = filling->source->count, kept = 0;
    size_t piece = image < PIECE ? PIECE / image : 1;
    uint8_t *buffer = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(taking->writer ? cnn_allocate(&buffer, piece < count ? piece : count, image, "images")
                           : cnn_allocate(&split->images, count, image, "images"));
    for (size_t first = 0, n; first < count; first += n) {
        uint8_t *images = buffer ? buffer : split->images + kept * image;
        size_t made;
        n = piece < count - first ? piece : count - first;
        CNN_TRY(cnn_source_fill(images, samples + kept, &made, filling, first, n));
        if (buffer) {
            status = cnn_pack_add(taking->writer, images, samples + kept, made);
            taking->unwritable = status == CNN_ERROR_FILE;
            CNN_TRY(status);
        }
        kept += made;
        tell_progress(taking, first + n, count);
    }
    split->count = kept;
out:
    free(buffer);
    return status;
}

static cnn_status take_split(cnn_taking *taking, int number, const cnn_aim *aim)
{
    cnn_source *source = taking->sources->splits[number];
    cnn_split_content *split = &taking->dataset->splits[number];
    uint32_t *samples = NULL;
    cnn_filling filling = {source, aim, taking->options->skip_broken, 0, ""};
    cnn_status status = CNN_OK;
    if (source->count > UINT32_MAX)
        return cnn_fail(CNN_ERROR_DATA, "expected at most %u images, found %zu", UINT32_MAX,
                        source->count);
    CNN_TRY(cnn_allocate(&samples, source->count, sizeof *samples, "a data set"));
    if (source->kind->take && memcmp(source->shape, aim->shape, sizeof source->shape) == 0) {
        for (size_t i = 0; i < source->count; i++)
            samples[i] = (uint32_t)i;
        split->count = source->count;
        split->images = source->kind->take(source);
    } else {
        CNN_TRY(fill_images(taking, split, samples, &filling));
    }
    CNN_TRY(cnn_content_label(split, source, samples, split->count));
    if (filling.skipped > 0 && taking->content.skipped == 0)
        memcpy(taking->content.note, filling.message, sizeof taking->content.note);
    taking->content.skipped += filling.skipped;
    taking->content.counts[number] = split->count;
out:
    free(samples);
    return status;
}

static size_t count_samples(const cnn_sources *sources)
{
    size_t count = 0;
    for (int i = 0; i < CNN_SPLITS; i++)
        count += sources->splits[i] ? sources->splits[i]->count : 0;
    return count;
}

static cnn_status take_all(cnn_taking *taking, bool exact)
{
    cnn_dataset *dataset = taking->dataset;
    cnn_aim aim = {.fit = dataset->fit, .exact = exact, .bits = taking->bits};
    cnn_status status = CNN_OK;
    memcpy(aim.shape, dataset->shape, sizeof aim.shape);
    memcpy(taking->content.shape, dataset->shape, sizeof aim.shape);
    taking->content.skipped = 0;
    if (taking->pack_path)
        CNN_TRY(cnn_pack_begin(&taking->writer, taking->pack_path, aim.shape,
                               count_samples(taking->sources)));
    if (!taking->writer) { /* and that was told */
        free(taking->pack_path);
        taking->pack_path = NULL;
    }
    static const cnn_split order[CNN_SPLITS] = {CNN_SPLIT_TRAIN, CNN_SPLIT_TEST, CNN_SPLIT_VAL};
    for (int i = 0; i < CNN_SPLITS; i++)
        if (taking->sources->splits[order[i]])
            CNN_TRY(take_split(taking, (int)order[i], &aim));
out:
    return status;
}

/* Pictures of one size stay as they are; where they differ, all get the usual one. */
static cnn_status take_as_they_are(cnn_taking *taking)
{
    enum { USUAL = 224 };
    cnn_dataset *dataset = taking->dataset;
    cnn_status status = CNN_ERROR_ARGUMENT;
    if (dataset->shape[1] > 0)
        status = take_all(taking, true);
    if (status != CNN_ERROR_ARGUMENT)
        return status;
    cnn_content_drop(dataset);
    cnn_pack_abandon(taking->writer);
    taking->writer = NULL;
    dataset->shape[1] = dataset->shape[2] = USUAL;
    taking->content.resized = true;
    return take_all(taking, false);
}

cnn_status cnn_content_fill(cnn_taking *taking)
{
    cnn_dataset *dataset = taking->dataset;
    const cnn_data_options *options = taking->options;
    cnn_source *first = NULL;
    cnn_status status = CNN_OK;
    for (int i = 0; i < CNN_SPLITS && !first; i++) /* to train on, where there are such */
        first = taking->sources->splits[i];
    if (!first)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected images, found none",
                        taking->path ? taking->path : "memory");
    if (dataset->of_pictures)
        CNN_TRY(first->kind->measure(first));
    taking->bits = first->bits;
    memcpy(dataset->shape, first->shape, sizeof dataset->shape);
    bool asked = options->height > 0;
    if (dataset->of_pictures && options->input[0] > 0)
        memcpy(dataset->shape, options->input, sizeof dataset->shape);
    if (asked) {
        dataset->shape[1] = options->height;
        dataset->shape[2] = options->width;
    }
    if (dataset->of_pictures && !asked && options->input[0] == 0)
        return take_as_they_are(taking);
    for (int i = 0; i < CNN_SPLITS && !asked; i++)
        if (taking->sources->splits[i])
            CNN_TRY(check_shape(taking->sources->splits[i], dataset->shape,
                                cnn_split_name((cnn_split)i), taking->path));
    status = take_all(taking, false);
out:
    return status;
}
