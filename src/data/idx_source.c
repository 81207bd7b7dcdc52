/* A data set's four IDX files: where they are, and what is in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/idx_names.h"
#include "data/place.h"
#include "image/idx.h"

static cnn_status check_count(const cnn_idx *images, const cnn_idx *labels, const char *image_path,
                              const char *label_path)
{
    if (labels->shape[0] == images->shape[0])
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: count: expected %u labels, one for each image of %s, found %u", label_path,
                    (unsigned)images->shape[0], image_path, (unsigned)labels->shape[0]);
}

/* expected: of the training images, NULL for those themselves. */
static cnn_status check_shape(const int shape[3], const cnn_source *expected, const char *path,
                              const cnn_idx_set *set)
{
    if (!expected || memcmp(shape, expected->shape, sizeof expected->shape) == 0)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: images: expected %d x %d x %d, as in %s, found %d x %d x %d", path,
                    expected->shape[0], expected->shape[1], expected->shape[2],
                    set->paths[CNN_IDX_IMAGES], shape[0], shape[1], shape[2]);
}

static cnn_status take_labels(uint16_t **labels, const cnn_idx *idx, const char *path)
{
    cnn_status status = cnn_allocate(labels, idx->shape[0], sizeof **labels, "labels");
    for (size_t i = 0; status == CNN_OK && i < idx->shape[0]; i++) {
        int64_t label = cnn_idx_label(idx, i);
        if (label < 0 || label >= CNN_CLASS_LIMIT)
            status = cnn_fail(CNN_ERROR_DATA, "%s: label %zu: expected 0 to %d, found %lld", path,
                              i, CNN_CLASS_LIMIT - 1, (long long)label);
        else
            (*labels)[i] = (uint16_t)label;
    }
    if (status != CNN_OK) {
        free(*labels);
        *labels = NULL;
    }
    return status;
}

static cnn_status turn(cnn_idx *images)
{
    uint32_t *height = &images->shape[images->rank - 2], *width = &images->shape[images->rank - 1];
    size_t plane = (size_t)*height * *width;
    cnn_status status = cnn_images_turn(images->values, images->size / plane, *height, *width);
    uint32_t side = *height;
    *height = *width;
    *width = side;
    return status;
}

static cnn_status open_split(cnn_sources *sources, cnn_split split, const cnn_idx_set *set)
{
    const char *image_path = set->paths[2 * (int)split + CNN_IDX_IMAGES];
    const char *label_path = set->paths[2 * (int)split + CNN_IDX_LABELS];
    cnn_status status = CNN_OK;
    cnn_idx images = {0}, labels = {0};
    uint16_t *own = NULL;
    int shape[3] = {1};
    CNN_TRY(cnn_idx_read(&labels, label_path, 1, 2));
    CNN_TRY(cnn_idx_read(&images, image_path, 3, 4));
    if (cnn_is_emnist(set->prefix))
        CNN_TRY(turn(&images));
    for (int axis = 1; axis < images.rank; axis++)
        shape[axis + 3 - images.rank] = (int)images.shape[axis];
    CNN_TRY(check_shape(shape, sources->splits[CNN_SPLIT_TRAIN], image_path, set));
    CNN_TRY(check_count(&images, &labels, image_path, label_path));
    CNN_TRY(take_labels(&own, &labels, label_path));
    if (split == CNN_SPLIT_TRAIN && labels.rank > 1 && labels.shape[1] > 1)
        cnn_log(CNN_LOG_INFO, "%s: %u columns: the first is taken for the class", label_path,
                (unsigned)labels.shape[1]);
    status =
        cnn_source_from_memory(&sources->splits[split], shape, images.shape[0], images.values, own);
    images.values = NULL;
out:
    cnn_idx_finish(&images);
    cnn_idx_finish(&labels);
    return status;
}

/* What a folder has of the set; the folder of the file where the site is one of the files; of the
 * set DIR/PREFIX where there is no such file. */
static cnn_status find_here(cnn_idx_set *set, char **folder, const cnn_site *site)
{
    cnn_idx_name parsed;
    const char *slash = strrchr(site->path, '/'), *name = slash ? slash + 1 : site->path;
    cnn_status status = CNN_OK;
    if (site->kind == CNN_SITE_FOLDER) {
        CNN_TRY(cnn_path_join(folder, site->path, ""));
        (*folder)[strlen(site->path)] = '\0';
        return cnn_idx_set_find(set, *folder, NULL);
    }
    CNN_TRY(cnn_path_directory(folder, site->path));
    if (site->kind == CNN_SITE_ABSENT)
        return cnn_file_exists(*folder) && *name ? cnn_idx_set_find(set, *folder, name) : CNN_OK;
    if (cnn_idx_name_parse(&parsed, name))
        status = cnn_idx_set_find(set, *folder, parsed.prefix);
out:
    return status;
}

/* Into the folder's own folder, where that has files of a set. */
static cnn_status find_in(cnn_idx_set *set, char **folder, const char *path, const char *name)
{
    char *inner = NULL;
    cnn_idx_set found = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_path_join(&inner, path, name));
    CNN_TRY(cnn_idx_set_find(&found, inner, NULL));
    if (found.found > 0 && set->found > 0) {
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected the IDX files of one data set, found some in %s and in %s: "
                          "name one of these folders",
                          path, *folder, inner);
        goto out;
    }
    if (found.found > 0) {
        free(*folder);
        *folder = inner;
        inner = NULL;
        *set = found;
        found = (cnn_idx_set){0};
    }
out:
    free(inner);
    cnn_idx_set_finish(&found);
    return status;
}

/* torchvision has MNIST/raw below its root, and EMNIST's archive a folder gzip. */
static cnn_status find_below(cnn_idx_set *set, char **folder, const cnn_site *site)
{
    static const char *const usual[] = {"raw", "gzip"};
    enum { USUAL_NAMES = sizeof usual / sizeof usual[0], NAME_SIZE = 1024 };
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < site->listing.count; i++) {
        const cnn_entry *entry = &site->listing.entries[i];
        for (int j = 0; entry->is_folder && j < USUAL_NAMES; j++) {
            char name[NAME_SIZE];
            if (strcmp(entry->name, usual[j]) == 0)
                CNN_TRY(find_in(set, folder, site->path, usual[j]));
            snprintf(name, sizeof name, "%s/%s", entry->name, usual[j]);
            char *path = NULL;
            CNN_TRY(cnn_path_join(&path, site->path, name));
            bool there = cnn_file_exists(path);
            free(path);
            if (there)
                CNN_TRY(find_in(set, folder, site->path, name));
        }
    }
out:
    return status;
}

static void tell(const cnn_idx_set *set, const char *folder, const cnn_site *site)
{
    if (site->kind == CNN_SITE_FOLDER && strcmp(folder, site->path) != 0)
        cnn_log(CNN_LOG_INFO, "the IDX files are those in %s", folder);
    if (cnn_is_emnist(set->prefix))
        cnn_images_tell_turned(set->prefix);
}

static cnn_status open_set(cnn_sources *sources, const cnn_idx_set *set, const char *folder)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_idx_set_check(set, folder));
    CNN_TRY(open_split(sources, CNN_SPLIT_TRAIN, set));
    CNN_TRY(open_split(sources, CNN_SPLIT_TEST, set));
    if (set->paths[2 * CNN_SPLIT_VAL + CNN_IDX_IMAGES] &&
        set->paths[2 * CNN_SPLIT_VAL + CNN_IDX_LABELS])
        status = open_split(sources, CNN_SPLIT_VAL, set);
out:
    return status;
}

cnn_status cnn_idx_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                        const cnn_data_options *options)
{
    (void)options;
    cnn_idx_set set = {0};
    char *folder = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(find_here(&set, &folder, site));
    if (set.found == 0)
        CNN_TRY(find_below(&set, &folder, site));
    *taken = set.found > 0;
    if (!*taken)
        goto out;
    tell(&set, folder, site);
    status = open_set(sources, &set, folder);
out:
    cnn_idx_set_finish(&set);
    free(folder);
    return status;
}
