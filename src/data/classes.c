#include "data/classes.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/content.h"

enum { SHOWN = 3 };

static int label_of(const char *name, int count)
{
    int label = 0;
    if (!*name)
        return -1;
    for (; *name; name++) {
        if (*name < '0' || *name > '9')
            return -1;
        label = 10 * label + (*name - '0');
        if (label >= count)
            return -1;
    }
    return label;
}

bool cnn_classes_is_label(const char *name, int count)
{
    return label_of(name, count) >= 0;
}

/* "ants, bees, cats, ..." */
static cnn_status list(char **text, const cnn_names *names)
{
    cnn_text all = {0};
    for (int i = 0; i < names->count && i < SHOWN; i++)
        cnn_text_append(&all, "%s%s", i ? ", " : "", names->at[i]);
    cnn_text_append(&all, "%s", names->count > SHOWN ? ", ..." : "");
    return cnn_text_take(text, &all);
}

static cnn_status copy(cnn_names *names, const char *const *from, int count)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = cnn_names_add(names, from[i]);
    return status;
}

/* The folders by the labels that they are called by, (count) with NULL where there is none. Leaves
 * *numbered false where one says no label, or two the same. */
static cnn_status number(const char ***folders, bool *numbered, const cnn_names *found, int count)
{
    cnn_status status =
        cnn_allocate(folders, (size_t)count, sizeof **folders, "the classes' folders");
    *numbered = status == CNN_OK;
    for (int i = 0; *numbered && i < found->count; i++) {
        int label = label_of(found->at[i], count);
        *numbered = label >= 0 && !(*folders)[label];
        if (*numbered)
            (*folders)[label] = found->at[i];
    }
    return status;
}

static cnn_status take_numbered(cnn_names *names, const char *const *folders, const char *folder,
                                int count)
{
    cnn_status status = CNN_OK;
    cnn_log(CNN_LOG_INFO,
            "%s: the model knows no names of its classes: the folders are taken by number, as "
            "labels",
            folder);
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = cnn_names_add(names, folders[i] ? folders[i] : cnn_number_name(i));
    return status;
}

static cnn_status take_in_order(cnn_names *names, const cnn_names *found, const char *folder)
{
    cnn_log(CNN_LOG_INFO,
            "%s: the model knows no names of its classes: the folders are taken in the order of "
            "their names, %s as label 0, %s as label 1%s",
            folder, found->at[0], found->at[1], found->count > 2 ? ", ..." : "");
    return copy(names, (const char *const *)found->at, found->count);
}

static cnn_status refuse_folders(const cnn_names *found, const char *folder, bool numbered,
                                 int count)
{
    char *listed = NULL;
    cnn_status status = list(&listed, found);
    if (status != CNN_OK)
        return status;
    if (numbered)
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: the folders %s are labels in one order by number and in another by "
                          "name, and the model knows no names of its classes: rename them 00, 01, "
                          "... where the number is the label, or c0, c1, c10, ... where the order "
                          "of names is (as in PyTorch)",
                          folder, listed);
    else
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected folders of all %d classes, or such as are called by their "
                          "labels (0 to %d), as the model knows no names of its classes, found %d "
                          "(%s): give the --data it was trained on, or rename them; train --init "
                          "takes its weights for other classes",
                          folder, count, count - 1, found->count, listed);
    free(listed);
    return status;
}

/* Are the names numbers whose order is another than theirs? 1, 10, 2 */
static bool are_numbers_out_of_order(const cnn_names *names)
{
    int64_t before = -1, number;
    bool out_of_order = false;
    for (int i = 0; i < names->count; i++) {
        if (!cnn_parse_int(&number, names->at[i], 0, INT64_MAX))
            return false;
        out_of_order = out_of_order || number < before;
        before = number;
    }
    return out_of_order;
}

static cnn_status of_unnamed_model(cnn_names *names, const cnn_names *found, const char *folder,
                                   int count)
{
    const char **folders = NULL;
    bool numbered, whole = found->count >= count, ordered = whole;
    cnn_status status = CNN_OK;
    CNN_TRY(number(&folders, &numbered, found, count));
    for (int i = 0; numbered && ordered && i < count; i++)
        ordered = folders[i] == found->at[i];
    if (numbered && (ordered || !whole))
        status = take_numbered(names, folders, folder, count);
    else if (whole && !numbered &&
             !are_numbers_out_of_order(found)) /* too many: with the network */
        status = take_in_order(names, found, folder);
    else
        status = refuse_folders(found, folder, whole, count);
out:
    free(folders);
    return status;
}

cnn_status cnn_classes_of_folders(cnn_names *names, const cnn_names *found, const char *folder,
                                  const cnn_data_options *options)
{
    if (options->class_names)
        return copy(names, options->class_names, options->class_count);
    if (options->class_count > 0)
        return of_unnamed_model(names, found, folder, options->class_count);
    return copy(names, (const char *const *)found->at, found->count);
}

static cnn_status refuse(const char *name, const char *path, const cnn_names *names, bool of_model)
{
    char *listed = NULL;
    cnn_status status = CNN_OK;
    if (!of_model)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: the class %s is not one of those to train on: remove its folder, or "
                        "add such pictures",
                        path, name);
    CNN_TRY(list(&listed, names));
    status =
        cnn_fail(CNN_ERROR_DATA,
                 "%s: the class %s is not one of the model's, which are %s: give data (and "
                 "--labels) of these, or call them so (folders, labels.txt); train --init takes "
                 "its weights for other classes",
                 path, name, listed);
out:
    free(listed);
    return status;
}

cnn_status cnn_classes_find(int *label, const cnn_names *names, const char *name, const char *path,
                            const cnn_data_options *options)
{
    bool of_model = options->class_count > 0;
    *label = cnn_names_find(names, name, 0);
    if (*label < 0)
        return refuse(name, path, names, of_model);
    if (of_model && cnn_names_find(names, name, *label + 1) >= 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: the class %s may be one of two of the model's, which are both called "
                        "so: leave it out",
                        path, name);
    return CNN_OK;
}

/* The model's label of each of the data's, (class_count). */
static cnn_status map(uint16_t *labels, bool *moved, const cnn_dataset *dataset, const char *path,
                      const cnn_names *classes, const cnn_data_options *options)
{
    cnn_status status = CNN_OK;
    *moved = false;
    for (int i = 0; status == CNN_OK && i < dataset->class_count; i++) {
        const char *name = cnn_dataset_class_name(dataset, i);
        int label = i;
        if (i >= classes->count || strcmp(classes->at[i], name) != 0)
            status = cnn_classes_find(&label, classes, name, path, options);
        labels[i] = (uint16_t)label;
        *moved = *moved || label != i;
    }
    return status;
}

/* Do the data have these names, and more behind them? As a model has that saw some of the labels.
 */
static bool begin_with(const cnn_names *names, const cnn_names *classes)
{
    bool same = names->count > classes->count;
    for (int i = 0; same && i < classes->count; i++)
        same = strcmp(names->at[i], classes->at[i]) == 0;
    return same;
}

/* Are the names 0, 1, ..., in any order? */
static bool are_labels(const cnn_names *classes)
{
    bool all = true;
    for (int i = 0; all && i < classes->count; i++)
        all = cnn_names_find(classes, cnn_number_name(i), 0) >= 0;
    return all;
}

static void relabel(cnn_dataset *dataset, const uint16_t *labels)
{
    for (int i = 0; i < CNN_SPLITS; i++)
        for (size_t n = 0; n < dataset->splits[i].count; n++)
            dataset->splits[i].labels[n] = labels[dataset->splits[i].labels[n]];
}

cnn_status cnn_classes_adopt(cnn_dataset *dataset, const char *path,
                             const cnn_data_options *options)
{
    cnn_names classes = {0};
    uint16_t *labels = NULL;
    bool moved = false;
    cnn_status status = CNN_OK;
    if (!options->class_names)
        return CNN_OK;
    CNN_TRY(copy(&classes, options->class_names, options->class_count));
    if (begin_with(&dataset->names, &classes))
        goto out;
    bool named = dataset->names.count > 0;
    CNN_TRY(cnn_allocate(&labels, (size_t)dataset->class_count, sizeof *labels, "the labels"));
    if (named || (are_numbers_out_of_order(&classes) && are_labels(&classes)))
        CNN_TRY(map(labels, &moved, dataset, path, &classes, options));
    if (moved) {
        cnn_log(CNN_LOG_INFO,
                "%s: the classes have other labels than the model's: they are taken by their names",
                path);
        relabel(dataset, labels);
    }
    cnn_names_finish(&dataset->names);
    dataset->names = classes;
    classes = (cnn_names){0};
    if (moved || (named && dataset->class_count < dataset->names.count))
        dataset->class_count = dataset->names.count;
out:
    cnn_names_finish(&classes);
    free(labels);
    return status;
}
