/* A data set in memory, made of what sources give. */
#include <cnncl/dataset.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/place.h"
#include "data/source.h"

typedef struct split_data {
    uint8_t *images;  /* (N, C, H, W) */
    uint16_t *labels; /* (N) */
    size_t count;
} split_data;

struct cnn_dataset {
    int shape[3];
    split_data splits[CNN_SPLITS];
    int class_count;
    double held_out;
    bool of_pictures; /* from files */
    cnn_data_options options;
    cnn_picture_fit fit;
    cnn_names names; /* may be fewer than classes: the others are called by their numbers */
    char *source;
    char *home; /* NULL where it is the source */
};

static const char *const fit_words[] = {[CNN_FIT_CROP] = "cropped",
                                        [CNN_FIT_PAD] = "with black beside them",
                                        [CNN_FIT_STRETCH] = "stretched"};

/* As many as the largest label says, as in PyTorch, but no fewer than have names: labels from 1
 * leave class 0 empty. */
static void count_classes(cnn_dataset *dataset, bool closed, const char *path)
{
    int least = CNN_CLASS_LIMIT, largest = -1;
    for (int i = 0; i < CNN_SPLITS; i++)
        for (size_t n = 0; n < dataset->splits[i].count; n++) {
            int label = dataset->splits[i].labels[n];
            least = label < least ? label : least;
            largest = label > largest ? label : largest;
        }
    dataset->class_count = largest + 1;
    if (closed && dataset->names.count > largest)
        dataset->class_count = dataset->names.count;
    if (path && least > 0 && largest > 0 && dataset->names.count == 0)
        cnn_log(CNN_LOG_INFO,
                "%s: labels go from %d to %d: a network needs %d classes, as there is a class 0, "
                "which has no images",
                path, least, largest, largest + 1);
}

/* Links are left as they are: they are there to be moved. */
static cnn_status find_home(char **home, const char *path)
{
    char here[PATH_MAX];
    if (path[0] == '/' || !getcwd(here, sizeof here))
        return CNN_OK;
    return cnn_path_join(home, here, path);
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

/* Leaves out the samples that are marked. */
static void drop(split_data *samples, const bool *skip, size_t image)
{
    size_t kept = 0, count = samples->count;
    for (size_t i = 0; i < count; i++) {
        if (skip[i])
            continue;
        if (kept < i) {
            samples->labels[kept] = samples->labels[i];
            memcpy(samples->images + kept * image, samples->images + i * image, image);
        }
        kept++;
    }
    samples->count = kept;
}

static cnn_status fill_split(split_data *samples, const cnn_source *source, const cnn_aim *aim,
                             bool skip_broken)
{
    const int *shape = aim->shape;
    bool *skip = NULL;
    cnn_status status = CNN_OK;
    if (skip_broken)
        CNN_TRY(cnn_allocate(&skip, source->count, sizeof *skip, "a data set"));
    CNN_TRY(cnn_source_fill(&samples->images, skip, source, aim));
    if (skip)
        drop(samples, skip, (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2]);
out:
    free(skip);
    return status;
}

static cnn_status take_split(split_data *samples, cnn_source *source, const cnn_aim *aim,
                             bool skip_broken)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&samples->labels, source->count, sizeof *samples->labels, "labels"));
    for (size_t i = 0; i < source->count; i++)
        samples->labels[i] = source->kind->label(source, i);
    samples->count = source->count;
    if (source->kind->take && memcmp(source->shape, aim->shape, sizeof source->shape) == 0)
        samples->images = source->kind->take(source);
    else
        status = fill_split(samples, source, aim, skip_broken);
out:
    return status;
}

/* Data of one split. */
static cnn_status hold_out(cnn_dataset *dataset, cnn_sources *sources, const char *path,
                           const cnn_data_options *options)
{
    static const double usual = 0.2;
    double share = options->val_split > 0.0 ? options->val_split : usual;
    cnn_status status = cnn_sources_divide(sources, share);
    if (status != CNN_OK)
        return status;
    dataset->held_out = share;
    cnn_log(CNN_LOG_INFO,
            "%s has one split: %g of it (%zu of %zu images) is held out to validate%s", path, share,
            sources->splits[CNN_SPLIT_VAL]->count,
            sources->splits[CNN_SPLIT_VAL]->count + sources->splits[CNN_SPLIT_TRAIN]->count,
            options->val_split > 0.0 ? "" : " (--val-split)");
    return CNN_OK;
}

static cnn_status take_all(cnn_dataset *dataset, cnn_sources *sources, bool exact,
                           const cnn_data_options *options)
{
    cnn_aim aim = {.fit = dataset->fit, .exact = exact};
    cnn_status status = CNN_OK;
    memcpy(aim.shape, dataset->shape, sizeof aim.shape);
    for (int i = 0; status == CNN_OK && i < CNN_SPLITS; i++)
        if (sources->splits[i])
            status =
                take_split(&dataset->splits[i], sources->splits[i], &aim, options->skip_broken);
    return status;
}

static void drop_splits(cnn_dataset *dataset)
{
    for (int i = 0; i < CNN_SPLITS; i++) {
        split_data *samples = &dataset->splits[i];
        free(samples->images);
        free(samples->labels);
        samples->images = NULL;
        samples->labels = NULL;
        samples->count = 0;
    }
}

/* Pictures of one size stay as they are; where they differ, all get the usual one. */
static cnn_status take_as_they_are(cnn_dataset *dataset, cnn_sources *sources, const char *path,
                                   const cnn_data_options *options)
{
    enum { USUAL = 224 };
    cnn_status status = CNN_ERROR_ARGUMENT;
    if (dataset->shape[1] > 0)
        status = take_all(dataset, sources, true, options);
    if (status != CNN_ERROR_ARGUMENT)
        return status;
    drop_splits(dataset);
    dataset->shape[1] = dataset->shape[2] = USUAL;
    cnn_log(CNN_LOG_INFO,
            "%s: the pictures differ in size: all are brought to %d x %d (--size), %s "
            "(--fit)",
            path, USUAL, USUAL, fit_words[dataset->fit]);
    return take_all(dataset, sources, false, options);
}

/* The images of the asked shape; those that lie in memory are changed only where a size is asked
 * for. */
static cnn_status take_images(cnn_dataset *dataset, cnn_sources *sources, const char *path,
                              const cnn_data_options *options)
{
    cnn_source *first = sources->splits[CNN_SPLIT_TRAIN];
    cnn_status status = CNN_OK;
    if (first->kind->measure) {
        CNN_TRY(first->kind->measure(first));
        dataset->of_pictures = true;
    }
    memcpy(dataset->shape, first->shape, sizeof dataset->shape);
    bool asked = options->height > 0;
    if (dataset->of_pictures && options->input[0] > 0)
        memcpy(dataset->shape, options->input, sizeof dataset->shape);
    if (asked) {
        dataset->shape[1] = options->height;
        dataset->shape[2] = options->width;
    }
    if (dataset->of_pictures && !asked && options->input[0] == 0)
        return take_as_they_are(dataset, sources, path, options);
    for (int i = 0; i < CNN_SPLITS && !asked; i++)
        if (sources->splits[i])
            CNN_TRY(check_shape(sources->splits[i], dataset->shape, cnn_split_name((cnn_split)i),
                                path));
    status = take_all(dataset, sources, false, options);
out:
    return status;
}

static cnn_status take_splits(cnn_dataset *dataset, cnn_sources *sources, const char *path,
                              const cnn_data_options *options)
{
    cnn_status status = CNN_OK;
    dataset->options = *options;
    dataset->options.class_names = NULL;
    dataset->options.class_count = 0;
    dataset->fit = dataset->options.fit;
    CNN_TRY(take_images(dataset, sources, path, options));
    dataset->names = sources->names;
    sources->names = (cnn_names){0};
    count_classes(dataset, sources->closed, path);
    if (dataset->splits[CNN_SPLIT_TRAIN].count == 0)
        status = cnn_fail(CNN_ERROR_DATA, "%s: none of the pictures to train on can be read", path);
out:
    return status;
}

static void tell_counts(const cnn_dataset *dataset, const char *path)
{
    char validation[48] = "";
    const int *shape = dataset->shape;
    size_t held = dataset->splits[CNN_SPLIT_VAL].count;
    if (held > 0)
        snprintf(validation, sizeof validation, ", %zu validation", held);
    cnn_log(CNN_LOG_INFO, "data from %s: %zu training%s and %zu test images of %d x %d x %d", path,
            dataset->splits[CNN_SPLIT_TRAIN].count, validation,
            dataset->splits[CNN_SPLIT_TEST].count, shape[0], shape[1], shape[2]);
}

/* Where it is from, and what the folder's labels.txt calls the classes. */
static cnn_status take_place(cnn_dataset *dataset, const char *path)
{
    cnn_status status = CNN_OK;
    cnn_text text = {0};
    cnn_text_append(&text, "%s", path ? path : "memory");
    CNN_TRY(cnn_text_take(&dataset->source, &text));
    if (!path)
        return CNN_OK;
    CNN_TRY(find_home(&dataset->home, path));
    if (!dataset->of_pictures) /* those are called as their folders */
        CNN_TRY(cnn_labels_read(&dataset->names, path, dataset->class_count));
    tell_counts(dataset, path);
out:
    return status;
}

cnn_status cnn_dataset_from_sources(cnn_dataset **dataset, cnn_sources *sources, const char *path,
                                    const cnn_data_options *options)
{
    static const cnn_data_options defaults = {0};
    *dataset = NULL;
    options = options ? options : &defaults;
    cnn_dataset *result = NULL;
    cnn_status status = CNN_OK;
    if (options->coarse_labels && !sources->has_coarse)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: --labels coarse: expected CIFAR-100, whose images have two labels: "
                        "leave the option out",
                        path);
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a data set"));
    if (path && !sources->splits[CNN_SPLIT_TEST] && !sources->splits[CNN_SPLIT_VAL])
        CNN_TRY(hold_out(result, sources, path, options));
    CNN_TRY(take_splits(result, sources, path, options));
    CNN_TRY(take_place(result, path));
    *dataset = result;
    return CNN_OK;
out:
    cnn_dataset_destroy(result);
    return status;
}

void cnn_dataset_destroy(cnn_dataset *dataset)
{
    if (!dataset)
        return;
    drop_splits(dataset);
    cnn_names_finish(&dataset->names);
    free(dataset->source);
    free(dataset->home);
    free(dataset);
}

const int *cnn_dataset_shape(const cnn_dataset *dataset)
{
    if (!dataset)
        return NULL;
    return dataset->shape;
}

static bool is_split(cnn_split split)
{
    return (int)split >= 0 && (int)split < CNN_SPLITS;
}

size_t cnn_dataset_count(const cnn_dataset *dataset, cnn_split split)
{
    if (!dataset || !is_split(split))
        return 0;
    return dataset->splits[split].count;
}

const uint8_t *cnn_dataset_images(const cnn_dataset *dataset, cnn_split split)
{
    if (!dataset || !is_split(split))
        return NULL;
    return dataset->splits[split].images;
}

const uint16_t *cnn_dataset_labels(const cnn_dataset *dataset, cnn_split split)
{
    if (!dataset || !is_split(split))
        return NULL;
    return dataset->splits[split].labels;
}

int cnn_dataset_class_count(const cnn_dataset *dataset)
{
    if (!dataset)
        return 0;
    return dataset->class_count;
}

const char *cnn_dataset_class_name(const cnn_dataset *dataset, int label)
{
    if (!dataset)
        return "";
    if (label >= 0 && label < dataset->names.count)
        return dataset->names.at[label];
    return label >= 0 && label < CNN_CLASS_LIMIT ? cnn_number_name(label) : "?";
}

const char *cnn_dataset_source(const cnn_dataset *dataset)
{
    if (!dataset)
        return "";
    return dataset->source;
}

const char *cnn_dataset_home(const cnn_dataset *dataset)
{
    return dataset->home ? dataset->home : dataset->source;
}

double cnn_dataset_held_out(const cnn_dataset *dataset)
{
    if (!dataset)
        return 0;
    return dataset->held_out;
}

cnn_split cnn_dataset_judge(const cnn_dataset *dataset)
{
    if (!dataset)
        return CNN_SPLIT_TEST;
    bool tests = dataset->splits[CNN_SPLIT_TEST].count > 0;
    return tests || dataset->splits[CNN_SPLIT_VAL].count == 0 ? CNN_SPLIT_TEST : CNN_SPLIT_VAL;
}

const char *cnn_split_name(cnn_split split)
{
    static const char *const names[CNN_SPLITS] = {
        [CNN_SPLIT_TRAIN] = "train", [CNN_SPLIT_TEST] = "test", [CNN_SPLIT_VAL] = "val"};
    return (int)split >= 0 && (int)split < CNN_SPLITS ? names[split] : "?";
}

const cnn_data_options *cnn_dataset_options(const cnn_dataset *dataset)
{
    if (!dataset)
        return NULL;
    return &dataset->options;
}

bool cnn_dataset_is_of_pictures(const cnn_dataset *dataset, cnn_picture_fit *fit)
{
    if (!dataset)
        return false;
    if (fit)
        *fit = dataset->fit;
    return dataset->of_pictures;
}
