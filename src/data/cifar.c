/* CIFAR-10's and CIFAR-100's binary files (Krizhevsky, 2009): records of one label or two, then the
 * pixels of an image (3, 32, 32). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "data/cifar.h"
#include "data/place.h"

enum {
    SIDE = 32,
    CHANNELS = 3,
    PIXELS = CHANNELS * SIDE * SIDE,
    MOST_BATCHES = 99,
    NAME_SIZE = 32
};

static const size_t file_limit = (size_t)1 << 31;

/* What is in the files, and which of a record's labels is taken. */
typedef struct layout {
    int labels; /* of a record */
    int taken;
    int classes;
    const char *names; /* the file of the classes' names */
} layout;

static const layout layouts[] = {
    [CNN_CIFAR10] = {1, 0, 10, "batches.meta.txt"},
    [CNN_CIFAR100_COARSE] = {2, 0, 20, "coarse_label_names.txt"},
    [CNN_CIFAR100_FINE] = {2, 1, 100, "fine_label_names.txt"},
};

/* The samples of the files so far. */
typedef struct samples {
    size_t count;
    uint8_t *images;
    uint16_t *labels;
} samples;

static cnn_status make_room(samples *all, size_t more, const char *path)
{
    size_t count = all->count + more;
    uint8_t *images = realloc(all->images, count * PIXELS);
    if (images)
        all->images = images;
    uint16_t *labels = realloc(all->labels, count * sizeof *labels);
    if (labels)
        all->labels = labels;
    if (images && labels)
        return CNN_OK;
    cnn_fail_memory(count * PIXELS, path);
    return CNN_ERROR_MEMORY;
}

static cnn_status take_records(samples *all, const uint8_t *data, size_t size, const layout *kind,
                               const char *path)
{
    size_t record = (size_t)kind->labels + PIXELS, count = size / record;
    if (count == 0 || size % record != 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected CIFAR's records of %zu bytes each, found a file of %zu bytes",
                        path, record, size);
    cnn_status status = make_room(all, count, path);
    if (status != CNN_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = data + i * record;
        if (at[kind->taken] >= kind->classes)
            return cnn_fail(CNN_ERROR_DATA, "%s: label of image %zu: expected 0 to %d, found %d",
                            path, i, kind->classes - 1, at[kind->taken]);
        all->labels[all->count] = at[kind->taken];
        memcpy(all->images + all->count++ * PIXELS, at + kind->labels, PIXELS);
    }
    return CNN_OK;
}

static cnn_status read_path(samples *all, const char *path, const layout *kind)
{
    void *data = NULL;
    size_t size;
    cnn_status status = cnn_file_read(&data, &size, path, file_limit);
    if (status == CNN_OK)
        status = take_records(all, data, size, kind, path);
    free(data);
    return status;
}

static cnn_status read_file(samples *all, const char *folder, const char *name, const layout *kind)
{
    char *path = NULL;
    cnn_status status = cnn_path_join(&path, folder, name);
    if (status == CNN_OK)
        status = read_path(all, path, kind);
    free(path);
    return status;
}

static cnn_status close_split(cnn_source **source, samples *all)
{
    static const int shape[3] = {CHANNELS, SIDE, SIDE};
    samples taken = *all;
    *all = (samples){0};
    return cnn_source_from_memory(source, shape, taken.count, taken.images, taken.labels);
}

cnn_status cnn_cifar_read(cnn_source **source, const char *path, cnn_cifar_labels labels)
{
    samples all = {0};
    *source = NULL;
    cnn_status status = read_path(&all, path, &layouts[labels]);
    if (status == CNN_OK)
        status = close_split(source, &all);
    free(all.images);
    free(all.labels);
    return status;
}

/* The classes' names, where their file is there. */
static cnn_status read_names(cnn_sources *sources, const char *folder, const layout *kind)
{
    char *path = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_path_join(&path, folder, kind->names));
    if (cnn_file_exists(path)) {
        CNN_TRY(cnn_names_read(&sources->names, path, kind->classes));
        if (sources->names.count < kind->classes)
            status = cnn_fail(CNN_ERROR_DATA, "%s: expected %d names, one a line, found %d", path,
                              kind->classes, sources->names.count);
    }
out:
    free(path);
    return status;
}

static cnn_status fail_missing(const char *folder, const char *name)
{
    return cnn_fail(CNN_ERROR_FILE, "%s: expected CIFAR's binary files, but %s is missing", folder,
                    name);
}

/* data_batch_1.bin and on, without a gap. */
static cnn_status read_batches(samples *all, const char *folder, const cnn_listing *listing)
{
    int last = 0;
    char name[NAME_SIZE];
    cnn_status status = CNN_OK;
    for (int i = 1; i <= MOST_BATCHES; i++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        last = cnn_listing_find(listing, name) ? i : last;
    }
    for (int i = 1; status == CNN_OK && i <= last; i++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        status = cnn_listing_find(listing, name)
                     ? read_file(all, folder, name, &layouts[CNN_CIFAR10])
                     : fail_missing(folder, name);
    }
    return status;
}

static cnn_status open_cifar10(cnn_sources *sources, const char *folder, const cnn_listing *listing)
{
    static const char test[] = "test_batch.bin";
    samples all = {0};
    cnn_status status = CNN_OK;
    if (!cnn_listing_find(listing, test))
        return fail_missing(folder, test);
    CNN_TRY(read_batches(&all, folder, listing));
    CNN_TRY(close_split(&sources->splits[CNN_SPLIT_TRAIN], &all));
    CNN_TRY(read_file(&all, folder, test, &layouts[CNN_CIFAR10]));
    CNN_TRY(close_split(&sources->splits[CNN_SPLIT_TEST], &all));
    status = read_names(sources, folder, &layouts[CNN_CIFAR10]);
out:
    free(all.images);
    free(all.labels);
    return status;
}

static cnn_status open_cifar100(cnn_sources *sources, const char *folder,
                                const cnn_listing *listing, const layout *kind)
{
    static const char *const files[] = {
        [CNN_SPLIT_TRAIN] = "train.bin", [CNN_SPLIT_TEST] = "test.bin"};
    samples all = {0};
    cnn_status status = CNN_OK;
    sources->has_coarse = true;
    for (int i = CNN_SPLIT_TRAIN; i <= CNN_SPLIT_TEST; i++) {
        if (!cnn_listing_find(listing, files[i])) {
            status = fail_missing(folder, files[i]);
            goto out;
        }
        CNN_TRY(read_file(&all, folder, files[i], kind));
        CNN_TRY(close_split(&sources->splits[i], &all));
    }
    status = read_names(sources, folder, kind);
out:
    free(all.images);
    free(all.labels);
    return status;
}

/* The files lie in the folder, or in the one that the archive makes. */
static cnn_status open_folder(cnn_sources *sources, bool *taken, const char *folder,
                              const cnn_listing *listing, const cnn_data_options *options)
{
    static const char *const signs[] = {"data_batch_1.bin", "test_batch.bin"};
    cnn_status status = CNN_OK;
    if (cnn_listing_find(listing, signs[0]) || cnn_listing_find(listing, signs[1]))
        status = open_cifar10(sources, folder, listing);
    else if (cnn_listing_find(listing, "train.bin") && cnn_listing_find(listing, "test.bin"))
        status = open_cifar100(
            sources, folder, listing,
            &layouts[options->coarse_labels ? CNN_CIFAR100_COARSE : CNN_CIFAR100_FINE]);
    else
        return CNN_OK;
    *taken = true;
    return status;
}

cnn_status cnn_cifar_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                          const cnn_data_options *options)
{
    static const char *const inner[] = {"cifar-10-batches-bin", "cifar-100-binary"};
    cnn_status status = open_folder(sources, taken, site->path, &site->listing, options);
    if (status == CNN_OK && !*taken && cnn_listing_find(&site->listing, inner[0]) &&
        cnn_listing_find(&site->listing, inner[1]))
        status = cnn_fail(CNN_ERROR_DATA, "%s: expected one data set, found %s and %s: name one",
                          site->path, inner[0], inner[1]);
    for (size_t i = 0; i < sizeof inner / sizeof inner[0] && status == CNN_OK && !*taken; i++) {
        cnn_listing listing = {0};
        char *path = NULL;
        if (!cnn_listing_find(&site->listing, inner[i]))
            continue;
        status = cnn_path_join(&path, site->path, inner[i]);
        if (status == CNN_OK)
            status = cnn_listing_read(&listing, path);
        if (status == CNN_OK)
            status = open_folder(sources, taken, path, &listing, options);
        cnn_listing_finish(&listing);
        free(path);
    }
    return status;
}
