/* Which files of a folder are a data set's tables: train.csv and test.csv, mnist_train.csv, ... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "data/csv.h"
#include "data/place.h"

static bool is_csv(const char *name)
{
    return cnn_ends_with_ignoring_case(name, ".csv") ||
           cnn_ends_with_ignoring_case(name, ".csv.gz");
}

static bool is_table(const char *name)
{
    return is_csv(name) || cnn_ends_with_ignoring_case(name, ".tsv") ||
           cnn_ends_with_ignoring_case(name, ".tsv.gz");
}

/* Files .tsv where there is no .csv. */
static bool is_table_of(const cnn_site *site, const cnn_entry *entry)
{
    bool others = false;
    for (size_t i = 0; i < site->listing.count; i++)
        others = others ||
                 (!site->listing.entries[i].is_folder && is_csv(site->listing.entries[i].name));
    return !entry->is_folder && (others ? is_csv(entry->name) : is_table(entry->name));
}

static const struct {
    const char *word;
    int split;
} words[] = {{"train", CNN_SPLIT_TRAIN}, {"test", CNN_SPLIT_TEST}, {"val", CNN_SPLIT_VAL}};

/* The split that a table's name tells; -1 where it tells none. */
static int split_of(const char *name)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (cnn_contains_ignoring_case(name, words[i].word))
            return words[i].split;
    return -1;
}

/* The folder's tables of the splits; with one table alone that. */
static cnn_status choose(const char *names[CNN_SPLITS], const cnn_site *site)
{
    const char *only = NULL;
    char quoted[CNN_QUOTE_SIZE];
    size_t tables = 0;
    for (size_t i = 0; i < site->listing.count; i++) {
        const cnn_entry *entry = &site->listing.entries[i];
        int split = split_of(entry->name);
        if (!is_table_of(site, entry))
            continue;
        tables++;
        only = entry->name;
        if (split >= 0 && names[split])
            return cnn_fail(CNN_ERROR_DATA,
                            "%s: expected one table for each split, found %s and %s: name one file",
                            site->path, names[split], entry->name);
        if (split >= 0)
            names[split] = entry->name;
    }
    if (tables == 1 && !names[CNN_SPLIT_TRAIN]) {
        memset(names, 0, CNN_SPLITS * sizeof *names);
        names[CNN_SPLIT_TRAIN] = only;
    }
    for (size_t i = 0; names[CNN_SPLIT_TRAIN] && i < site->listing.count; i++) {
        const cnn_entry *entry = &site->listing.entries[i];
        if (is_table_of(site, entry) && entry->name != names[CNN_SPLIT_TRAIN] &&
            split_of(entry->name) < 0)
            cnn_log(CNN_LOG_INFO, "%s: the table %s is passed over: its name says no split",
                    site->path, cnn_quote(quoted, entry->name));
    }
    if (tables > 0 && !names[CNN_SPLIT_TRAIN])
        return cnn_fail(CNN_ERROR_FILE,
                        "%s: expected train.csv (and test.csv), found tables of other names: name "
                        "one file",
                        site->path);
    return CNN_OK;
}

static cnn_status check_side(const cnn_sources *sources, int split, const char *path)
{
    const int *found = sources->splits[split]->shape;
    const int *expected = sources->splits[CNN_SPLIT_TRAIN]->shape;
    if (found[1] == expected[1])
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected images of %d x %d, as those to train on, found %d x %d", path,
                    expected[1], expected[2], found[1], found[2]);
}

/* Text, gzipped or not: what else is called so is named. */
static cnn_status check_text(const char *path)
{
    char found[CNN_SIGNATURE_TEXT];
    uint8_t head[CNN_SIGNATURE_BYTES];
    size_t size;
    cnn_status status = cnn_site_head(head, &size, path);
    const cnn_signature *signature = status == CNN_OK ? cnn_signature_find(head, size) : NULL;
    if (signature && strcmp(signature->name, "gzip") != 0)
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected a table, a row label,pixel,... for each "
                          "image, found %s",
                          path, cnn_signature_found(found, head, size, CNN_WANTED_DATA));
    return status;
}

static cnn_status open_table(cnn_sources *sources, int split, const char *path)
{
    cnn_status status = check_text(path);
    if (status == CNN_OK)
        status = cnn_csv_read(&sources->splits[split], path);
    if (status != CNN_OK)
        return status;
    if (sources->splits[split])
        return check_side(sources, split, path);
    if (split == CNN_SPLIT_TRAIN)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected a label beside each image's pixels, found pixels alone",
                        path);
    cnn_log(CNN_LOG_INFO, "%s has no labels: it is left out", path);
    return CNN_OK;
}

cnn_status cnn_csv_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                        const cnn_data_options *options)
{
    const char *names[CNN_SPLITS] = {NULL};
    cnn_status status = CNN_OK;
    (void)options;
    if (site->kind == CNN_SITE_FILE && is_table(site->path)) {
        *taken = true;
        return open_table(sources, CNN_SPLIT_TRAIN, site->path);
    }
    CNN_TRY(choose(names, site));
    for (int i = 0; status == CNN_OK && i < CNN_SPLITS; i++) {
        char *path = NULL;
        if (!names[i])
            continue;
        *taken = true;
        status = cnn_path_join(&path, site->path, names[i]);
        if (status == CNN_OK)
            status = open_table(sources, i, path);
        free(path);
    }
out:
    return status;
}
