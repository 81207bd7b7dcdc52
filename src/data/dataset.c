/* A data set, made of what sources give. */
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
#include "data/classes.h"
#include "data/content.h"
#include "data/place.h"
#include "data/source.h"

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

/* Data of one split. */
static cnn_status hold_out(cnn_dataset *dataset, cnn_sources *sources, const char *path,
                           const cnn_data_options *options)
{
    double share = options->val_split > 0.0 ? options->val_split : CNN_USUAL_VAL_SPLIT;
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

static cnn_status take_splits(cnn_dataset *dataset, cnn_sources *sources, const char *path,
                              const cnn_data_options *options)
{
    cnn_status status = CNN_OK;
    dataset->options = *options;
    dataset->options.class_names = NULL;
    dataset->options.class_count = 0;
    dataset->fit = dataset->options.fit;
    cnn_taking taking = {.dataset = dataset, .sources = sources, .path = path, .options = options};
    CNN_TRY(cnn_content_take(&taking));
    dataset->names = sources->names;
    sources->names = (cnn_names){0};
    count_classes(dataset, sources->closed, path);
    bool trains = dataset->splits[CNN_SPLIT_TRAIN].count > 0;
    if (!trains && sources->splits[CNN_SPLIT_TRAIN])
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
static cnn_status take_place(cnn_dataset *dataset, const char *path,
                             const cnn_data_options *options)
{
    cnn_status status = CNN_OK;
    cnn_text text = {0};
    cnn_text_append(&text, "%s", path ? path : "memory");
    CNN_TRY(cnn_text_take(&dataset->source, &text));
    if (!path)
        return CNN_OK;
    CNN_TRY(find_home(&dataset->home, path));
    if (!dataset->of_pictures) { /* those are called as their folders */
        CNN_TRY(cnn_labels_read(&dataset->names, path, dataset->class_count));
        CNN_TRY(cnn_classes_adopt(dataset, path, options));
    }
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
    CNN_TRY(take_place(result, path, options));
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
    cnn_content_drop(dataset);
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

cnn_status cnn_dataset_read(uint8_t *image, const cnn_dataset *dataset, cnn_split split,
                            size_t index)
{
    CNN_NEED(image, dataset);
    if (index >= cnn_dataset_count(dataset, split))
        return cnn_fail(CNN_ERROR_ARGUMENT, "expected an image below %zu, found %zu",
                        cnn_dataset_count(dataset, split), index);
    if (dataset->pack)
        return cnn_pack_read(image, dataset->pack, cnn_pack_first(dataset->pack, split) + index);
    size_t size = cnn_content_image(dataset);
    memcpy(image, dataset->splits[split].images + index * size, size);
    return CNN_OK;
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

bool cnn_dataset_has_class_names(const cnn_dataset *dataset)
{
    return dataset && dataset->names.count > 0;
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
