/* Folders of pictures as PyTorch's ImageFolder takes them: DIR/train/CLASS and DIR/val/CLASS or
 * DIR/test/CLASS, or DIR/CLASS. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/pictures.h"
#include "data/place.h"

static const struct split_folder {
    const char *name;
    cnn_split split;
} split_folders[] = {
    {"train", CNN_SPLIT_TRAIN},  {"training", CNN_SPLIT_TRAIN}, {"val", CNN_SPLIT_VAL},
    {"valid", CNN_SPLIT_VAL},    {"validation", CNN_SPLIT_VAL}, {"test", CNN_SPLIT_TEST},
    {"testing", CNN_SPLIT_TEST},
};

enum { SPLIT_FOLDERS = sizeof split_folders / sizeof split_folders[0] };

/* A folder on the way: hidden ones hold no class. */
static bool is_class(const cnn_entry *entry)
{
    return entry->is_folder && !cnn_entry_is_hidden(entry);
}

/* The split that a folder's name says, in any case; -1: none. */
static int split_of(const char *name)
{
    for (int i = 0; i < SPLIT_FOLDERS; i++)
        if (strlen(name) == strlen(split_folders[i].name) &&
            cnn_contains_ignoring_case(name, split_folders[i].name))
            return (int)split_folders[i].split;
    return -1;
}

/* Of the folders that hold classes; owned names. */
static cnn_status list_classes(cnn_names *names, const char *folder)
{
    cnn_listing listing = {0};
    char quoted[CNN_QUOTE_SIZE];
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_listing_read(&listing, folder));
    for (size_t i = 0; i < listing.count; i++) {
        const char *name = listing.entries[i].name;
        if (!is_class(&listing.entries[i]))
            continue;
        if (!cnn_is_line(name)) {
            status = cnn_fail(CNN_ERROR_DATA,
                              "%s: the name of the class '%s' is not one line of UTF-8: rename "
                              "the folder",
                              folder, cnn_quote(quoted, name));
            goto out;
        }
        if (names->count == CNN_CLASS_LIMIT) {
            status = cnn_fail(CNN_ERROR_DATA, "%s: expected at most %d classes, found more", folder,
                              CNN_CLASS_LIMIT);
            goto out;
        }
        CNN_TRY(cnn_names_add(names, name));
    }
out:
    cnn_listing_finish(&listing);
    return status;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A class's label; -1 where there is no such class. Names that the caller gave have their own
 * order. */
static int label_of(const cnn_names *names, bool sorted, const char *name)
{
    if (sorted) {
        char **found = names->count > 0 ? bsearch(&name, names->at, (size_t)names->count,
                                                  sizeof *names->at, compare)
                                        : NULL;
        return found ? (int)(found - names->at) : -1;
    }
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->at[i], name) == 0)
            return i;
    return -1;
}

typedef struct collection {
    const cnn_names *names; /* of all classes */
    bool sorted;
    bool whole; /* every class must have pictures */
    cnn_tree tree;
    uint16_t *labels; /* (room) */
    size_t room;
} collection;

/* Gives the pictures from number `first` on their label. */
static cnn_status label_pictures(collection *all, size_t first, int label)
{
    if (all->tree.count > all->room) {
        size_t room = 2 * all->tree.count;
        uint16_t *larger = realloc(all->labels, room * sizeof *larger);
        if (!larger)
            return cnn_fail_memory(room * sizeof *larger, "labels");
        all->labels = larger;
        all->room = room;
    }
    for (size_t i = first; i < all->tree.count; i++)
        all->labels[i] = (uint16_t)label;
    return CNN_OK;
}

static cnn_status add_class(collection *all, const char *folder, const char *name)
{
    char *path = NULL;
    int label = label_of(all->names, all->sorted, name);
    size_t before = all->tree.count;
    cnn_status status = CNN_OK;
    if (label < 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: the class %s is not one of those to train on: remove its folder, or "
                        "add such pictures",
                        folder, name);
    CNN_TRY(cnn_path_join(&path, folder, name));
    CNN_TRY(cnn_tree_add(&all->tree, path));
    CNN_TRY(label_pictures(all, before, label));
    if (all->whole && all->tree.count == before)
        status =
            cnn_fail(CNN_ERROR_DATA,
                     "%s: expected pictures of the class (.jpg, .png, ...), found none: remove "
                     "the folder, or fill it",
                     path);
out:
    free(path);
    return status;
}

/* What is passed over as PyTorch does. */
static void tell_others(const cnn_tree *tree, const char *folder)
{
    char quoted[CNN_QUOTE_SIZE];
    if (tree->others == 1)
        cnn_log(CNN_LOG_INFO, "%s: a file that is no picture by its name is passed over: %s",
                folder, cnn_quote(quoted, strrchr(tree->other, '/') + 1));
    else if (tree->others > 1)
        cnn_log(CNN_LOG_INFO,
                "%s: %zu files that are no pictures by their names are passed over: %s, ...",
                folder, tree->others, cnn_quote(quoted, strrchr(tree->other, '/') + 1));
}

static cnn_status open_split(cnn_sources *sources, cnn_split split, const char *folder, bool sorted,
                             bool gifs)
{
    collection all = {.names = &sources->names,
                      .sorted = sorted,
                      .whole = split == CNN_SPLIT_TRAIN,
                      .tree.gifs = gifs};
    cnn_names classes = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(list_classes(&classes, folder));
    for (int i = 0; i < classes.count; i++)
        CNN_TRY(add_class(&all, folder, classes.at[i]));
    tell_others(&all.tree, folder);
    if (all.tree.count == 0 && split == CNN_SPLIT_TRAIN)
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected a folder of pictures for each class, found none", folder);
    if (all.tree.count == 0)
        goto out;
    status = cnn_source_from_pictures(&sources->splits[split], &all.tree, all.labels);
    all.labels = NULL;
out:
    cnn_names_finish(&classes);
    cnn_tree_finish(&all.tree);
    free(all.labels);
    return status;
}

/* The classes: those of the caller's model, or those of the folder to train on. */
static cnn_status name_classes(cnn_sources *sources, bool *sorted, const char *folder,
                               const cnn_data_options *options)
{
    cnn_names *names = &sources->names;
    cnn_status status = CNN_OK;
    sources->closed = true;
    *sorted = options->class_count == 0;
    for (int i = 0; i < options->class_count; i++)
        CNN_TRY(cnn_names_add(names, options->class_names[i]));
    if (!*sorted)
        return CNN_OK;
    CNN_TRY(list_classes(names, folder));
    if (names->count == 1)
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected folders of two or more classes, found %s alone: add "
                          "another with other pictures",
                          folder, names->at[0]);
    for (int i = 0; i + 1 < names->count; i++)
        for (int j = i + 1; j < names->count && names->count <= 1000; j++)
            if (strlen(names->at[i]) == strlen(names->at[j]) &&
                cnn_contains_ignoring_case(names->at[i], names->at[j]))
                cnn_log(CNN_LOG_WARNING,
                        "%s: %s and %s are two classes: their names differ by case", folder,
                        names->at[i], names->at[j]);
out:
    return status;
}

/* Which folders of the site are splits. */
static cnn_status find_splits(const char *folders[CNN_SPLITS], const cnn_site *site)
{
    for (size_t i = 0; i < site->listing.count; i++) {
        const cnn_entry *entry = &site->listing.entries[i];
        int split = entry->is_folder ? split_of(entry->name) : -1;
        if (split < 0)
            continue;
        if (folders[split])
            return cnn_fail(CNN_ERROR_DATA,
                            "%s: expected one folder for each split, found %s and %s: move one "
                            "away",
                            site->path, folders[split], entry->name);
        folders[split] = entry->name;
    }
    return CNN_OK;
}

static cnn_status open_splits(cnn_sources *sources, const char *const folders[CNN_SPLITS],
                              const cnn_site *site, bool gifs, const cnn_data_options *options)
{
    static const cnn_split order[CNN_SPLITS] = {CNN_SPLIT_TRAIN, CNN_SPLIT_VAL, CNN_SPLIT_TEST};
    bool sorted = true;
    cnn_status status = CNN_OK;
    for (int i = 0; i < CNN_SPLITS; i++) {
        char *path = NULL;
        if (!folders[order[i]])
            continue;
        status = cnn_path_join(&path, site->path, folders[order[i]]);
        if (status == CNN_OK && order[i] == CNN_SPLIT_TRAIN)
            status = name_classes(sources, &sorted, path, options);
        if (status == CNN_OK)
            status = open_split(sources, order[i], path, sorted, gifs);
        free(path);
        if (status != CNN_OK)
            return status;
    }
    return CNN_OK;
}

/* Is there a folder, other than those, with pictures? */
static cnn_status has_classes(bool *found, const cnn_site *site, bool gifs)
{
    cnn_status status = CNN_OK;
    *found = false;
    for (size_t i = 0; status == CNN_OK && !*found && i < site->listing.count; i++) {
        char *path = NULL;
        if (!is_class(&site->listing.entries[i]))
            continue;
        status = cnn_path_join(&path, site->path, site->listing.entries[i].name);
        if (status == CNN_OK)
            status = cnn_tree_has_pictures(found, path, gifs);
        free(path);
    }
    return status;
}

/* Where there is nothing else, GIF files are taken. */
cnn_status cnn_folders_find(bool *found, bool *gifs, const cnn_site *site)
{
    cnn_status status = CNN_OK;
    *found = *gifs = false;
    if (site->kind != CNN_SITE_FOLDER)
        return CNN_OK;
    CNN_TRY(has_classes(found, site, false));
    *gifs = !*found;
    if (*gifs)
        status = has_classes(found, site, true);
out:
    return status;
}

cnn_status cnn_folders_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                            const cnn_data_options *options)
{
    const char *folders[CNN_SPLITS] = {NULL};
    bool sorted = true, gifs;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_folders_find(taken, &gifs, site));
    if (!*taken)
        return CNN_OK;
    CNN_TRY(find_splits(folders, site));
    if (folders[CNN_SPLIT_TRAIN])
        return open_splits(sources, folders, site, gifs, options);
    if (folders[CNN_SPLIT_VAL] || folders[CNN_SPLIT_TEST])
        return cnn_fail(
            CNN_ERROR_FILE, "%s: expected a folder train, with a folder for each class, beside %s",
            site->path, folders[CNN_SPLIT_VAL] ? folders[CNN_SPLIT_VAL] : folders[CNN_SPLIT_TEST]);
    CNN_TRY(name_classes(sources, &sorted, site->path, options));
    status = open_split(sources, CNN_SPLIT_TRAIN, site->path, sorted, gifs);
out:
    return status;
}
