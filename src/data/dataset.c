/* A data set in memory, made of what sources give. */
#include <cnncl/dataset.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/folder.h"
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
    cnn_names names; /* may be fewer than classes: the others are called by their numbers */
    char *source;
    char *home; /* NULL where it is the source */
};

static void count_classes(cnn_dataset *dataset)
{
    for (int i = 0; i < CNN_SPLITS; i++)
        for (size_t n = 0; n < dataset->splits[i].count; n++)
            if (dataset->splits[i].labels[n] >= dataset->class_count)
                dataset->class_count = dataset->splits[i].labels[n] + 1;
}

/* Links are left as they are: they are there to be moved. */
static cnn_status find_home(char **home, const char *path)
{
    char here[PATH_MAX];
    if (path[0] == '/' || !getcwd(here, sizeof here))
        return CNN_OK;
    return cnn_path_join(home, here, path);
}

/* Every image of a source, one after the other. */
static cnn_status fill_images(uint8_t **images, const cnn_source *source, const int shape[3])
{
    size_t image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    cnn_status status = cnn_allocate(images, source->count, image, "images");
    for (size_t i = 0; status == CNN_OK && i < source->count; i++)
        status = source->kind->fill(*images + i * image, source, i, shape);
    return status;
}

static cnn_status take_split(split_data *samples, cnn_source *source, const int shape[3])
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&samples->labels, source->count, sizeof *samples->labels, "labels"));
    for (size_t i = 0; i < source->count; i++)
        samples->labels[i] = source->kind->label(source, i);
    if (source->kind->take && memcmp(source->shape, shape, sizeof source->shape) == 0)
        samples->images = source->kind->take(source);
    else
        CNN_TRY(fill_images(&samples->images, source, shape));
    samples->count = source->count;
out:
    return status;
}

static cnn_status take_splits(cnn_dataset *dataset, cnn_sources *sources)
{
    cnn_status status = CNN_OK;
    memcpy(dataset->shape, sources->splits[CNN_SPLIT_TRAIN]->shape, sizeof dataset->shape);
    for (int i = 0; status == CNN_OK && i < CNN_SPLITS; i++)
        if (sources->splits[i])
            status = take_split(&dataset->splits[i], sources->splits[i], dataset->shape);
    count_classes(dataset);
    dataset->names = sources->names;
    sources->names = (cnn_names){0};
    return status;
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
    CNN_TRY(cnn_labels_read(&dataset->names, path, dataset->class_count));
    cnn_log(CNN_LOG_INFO, "data from %s: %zu training and %zu test images of %d x %d x %d", path,
            dataset->splits[0].count, dataset->splits[1].count, dataset->shape[0],
            dataset->shape[1], dataset->shape[2]);
out:
    return status;
}

cnn_status cnn_dataset_from_sources(cnn_dataset **dataset, cnn_sources *sources, const char *path)
{
    *dataset = NULL;
    cnn_dataset *result = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a data set"));
    CNN_TRY(take_splits(result, sources));
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
    for (int i = 0; i < CNN_SPLITS; i++) {
        free(dataset->splits[i].images);
        free(dataset->splits[i].labels);
    }
    cnn_names_finish(&dataset->names);
    free(dataset->source);
    free(dataset->home);
    free(dataset);
}

const int *cnn_dataset_shape(const cnn_dataset *dataset)
{
    return dataset->shape;
}

size_t cnn_dataset_count(const cnn_dataset *dataset, cnn_split split)
{
    return dataset->splits[split].count;
}

const uint8_t *cnn_dataset_images(const cnn_dataset *dataset, cnn_split split)
{
    return dataset->splits[split].images;
}

const uint16_t *cnn_dataset_labels(const cnn_dataset *dataset, cnn_split split)
{
    return dataset->splits[split].labels;
}

int cnn_dataset_class_count(const cnn_dataset *dataset)
{
    return dataset->class_count;
}

const char *cnn_dataset_class_name(const cnn_dataset *dataset, int label)
{
    if (label >= 0 && label < dataset->names.count)
        return dataset->names.at[label];
    return label < CNN_CLASS_LIMIT ? cnn_number_name(label) : "?";
}

const char *cnn_dataset_source(const cnn_dataset *dataset)
{
    return dataset->source;
}

const char *cnn_dataset_home(const cnn_dataset *dataset)
{
    return dataset->home ? dataset->home : dataset->source;
}
