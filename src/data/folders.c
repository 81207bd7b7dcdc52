/* Folders of pictures as PyTorch's ImageFolder takes them: DIR/train/CLASS and DIR/val/CLASS or
 * DIR/test/CLASS, or DIR/CLASS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/classes.h"
#include "data/pictures.h"
#include "data/split_folders.h"

/* Of the folders that hold classes; owned names. */
static cnn_status list_classes(cnn_names *names, const char *folder, bool tell)
{
    cnn_listing listing = {0};
    char quoted[CNN_QUOTE_SIZE];
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_listing_read(&listing, folder));
    for (size_t i = 0; i < listing.count; i++) {
        const char *name = listing.entries[i].name;
        if (!listing.entries[i].is_folder || cnn_entry_is_hidden(&listing.entries[i]))
            continue;
        bool of_runs;
        CNN_TRY(cnn_entry_is_of_runs(&of_runs, &listing.entries[i], folder));
        if (of_runs) {
            if (tell)
                cnn_log(CNN_LOG_INFO, "%s: the folder %s holds runs of cnn-cl: it is passed over",
                        folder, cnn_quote(quoted, name));
            continue;
        }
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

/* A class's label. The names of a model have their own order. Errors: DATA (there is none). */
static cnn_status find_label(int *label, const cnn_names *names, const char *name,
                             const char *folder, const cnn_data_options *options)
{
    if (options->class_count == 0 && names->count > 0) {
        char **found = bsearch(&name, names->at, (size_t)names->count, sizeof *names->at, compare);
        *label = found ? (int)(found - names->at) : -1;
        if (found)
            return CNN_OK;
    }
    return cnn_classes_find(label, names, name, folder, options);
}

typedef struct collection {
    const cnn_names *names; /* of all classes */
    const cnn_data_options *options;
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

/* "IMG.HEIC, a HEIC picture: convert it: ..." of a file that is no picture by its name. */
static void append_other(cnn_text *text, const char *path)
{
    char quoted[CNN_QUOTE_SIZE];
    const cnn_signature *signature = NULL;
    cnn_text_append(text, "%s", cnn_quote(quoted, strrchr(path, '/') + 1));
    if (cnn_signature_read(&signature, path) != CNN_OK || !signature)
        return;
    const char *way = cnn_signature_conversion(signature, CNN_WANTED_PICTURE);
    if (signature->group == CNN_SIGNATURE_PICTURE)
        way = cnn_is_picture_name(path, true) ? "beside other pictures such are not taken"
                                              : "its name should say so (.jpg, .png, ...)";
    else if (signature->group != CNN_SIGNATURE_OTHER_PICTURE)
        return;
    cnn_text_append(text, ", %s%s%s", signature->text, way ? ": " : "", way ? way : "");
}

/* A class has no pictures: what it has. */
static cnn_status fail_class(const char *path, bool gifs)
{
    cnn_tree tree = {.gifs = gifs};
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_tree_add(&tree, path));
    if (tree.other) {
        cnn_text_append(&text, "%zu other file%s (", tree.others, tree.others == 1 ? "" : "s");
        append_other(&text, tree.other);
        cnn_text_append(&text, "%s)", tree.others > 1 ? "; ..." : "");
    }
    status = cnn_fail(CNN_ERROR_DATA,
                      "%s: expected pictures of the class (.jpg, .png, ...), found %s: %s", path,
                      text.data ? text.data : "none",
                      text.data ? "make pictures of these, or remove the folder"
                                : "remove the folder, or fill it");
out:
    cnn_text_finish(&text);
    cnn_tree_finish(&tree);
    return status;
}

static cnn_status add_class(collection *all, const char *folder, const char *name)
{
    char *path = NULL;
    int label;
    size_t before = all->tree.count;
    cnn_status status = CNN_OK;
    CNN_TRY(find_label(&label, all->names, name, folder, all->options));
    CNN_TRY(cnn_path_join(&path, folder, name));
    CNN_TRY(cnn_tree_add(&all->tree, path));
    CNN_TRY(label_pictures(all, before, label));
    if (all->whole && all->tree.count == before)
        status = fail_class(path, all->tree.gifs);
out:
    free(path);
    return status;
}

/* What is passed over as PyTorch does. */
static void tell_others(const cnn_tree *tree, const char *folder)
{
    cnn_text text = {0};
    if (tree->others == 0)
        return;
    append_other(&text, tree->other);
    if (tree->others == 1)
        cnn_log(CNN_LOG_INFO, "%s: a file that is no picture by its name is passed over: %s",
                folder, text.data ? text.data : "");
    else
        cnn_log(CNN_LOG_INFO,
                "%s: %zu files that are no pictures by their names are passed over: %s, ...",
                folder, tree->others, text.data ? text.data : "");
    cnn_text_finish(&text);
}

static cnn_status open_split(cnn_sources *sources, cnn_split split, const char *folder, bool gifs,
                             const cnn_data_options *options)
{
    collection all = {.names = &sources->names,
                      .options = options,
                      .whole = split == CNN_SPLIT_TRAIN,
                      .tree.gifs = gifs};
    cnn_names classes = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(list_classes(&classes, folder, false));
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

/* Perhaps the folder above the one that is meant was named. */
static cnn_status fail_one(const char *folder, const char *name)
{
    cnn_listing listing = {0};
    char *path = NULL;
    bool found = false;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_path_join(&path, folder, name));
    CNN_TRY(cnn_listing_read(&listing, path));
    CNN_TRY(cnn_folder_has_classes(&found, &listing, path, true));
    status = cnn_fail(CNN_ERROR_DATA,
                      "%s: expected folders of two or more classes, found %s alone: %s%s%s", folder,
                      name, found ? "is --data " : "add another with other pictures",
                      found ? path : "", found ? " meant, which has folders of pictures?" : "");
out:
    cnn_listing_finish(&listing);
    free(path);
    return status;
}

static void tell_similar(const cnn_names *names, const char *folder)
{
    for (int i = 0; i + 1 < names->count; i++)
        for (int j = i + 1; j < names->count && names->count <= 1000; j++)
            if (strlen(names->at[i]) == strlen(names->at[j]) &&
                cnn_contains_ignoring_case(names->at[i], names->at[j]))
                cnn_log(CNN_LOG_WARNING,
                        "%s: %s and %s are two classes: their names differ by case", folder,
                        names->at[i], names->at[j]);
}

/* The classes: those of the caller's model, or those of the folder to train on. */
static cnn_status name_classes(cnn_sources *sources, const char *folder,
                               const cnn_data_options *options)
{
    cnn_names names = {0};
    cnn_status status = CNN_OK;
    sources->closed = true;
    CNN_TRY(list_classes(&names, folder, true));
    if (!options->class_names) {
        if (names.count == 1 && !cnn_classes_is_label(names.at[0], options->class_count))
            CNN_TRY(fail_one(folder, names.at[0]));
        tell_similar(&names, folder);
    }
    status = cnn_classes_of_folders(&sources->names, &names, folder, options);
out:
    cnn_names_finish(&names);
    return status;
}

static cnn_status check_any(const cnn_sources *sources, const cnn_site *site)
{
    for (int i = 0; i < CNN_SPLITS; i++)
        if (sources->splits[i])
            return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA, "%s: expected folders of pictures for classes, found none",
                    site->path);
}

static cnn_status open_splits(cnn_sources *sources, const cnn_split_folders *folders,
                              const cnn_site *site, bool gifs, const cnn_data_options *options)
{
    static const cnn_split order[CNN_SPLITS] = {CNN_SPLIT_TRAIN, CNN_SPLIT_VAL, CNN_SPLIT_TEST};
    bool named = false;
    cnn_status status = CNN_OK;
    for (int i = 0; i < CNN_SPLITS; i++) {
        char *path = NULL;
        if (!folders->names[order[i]])
            continue;
        status = cnn_path_join(&path, site->path, folders->names[order[i]]);
        if (status == CNN_OK && !named)
            status = name_classes(sources, path, options);
        named = true;
        if (status == CNN_OK)
            status = open_split(sources, order[i], path, gifs, options);
        free(path);
        if (status != CNN_OK)
            return status;
    }
    return check_any(sources, site);
}

/* Where there is nothing else, GIF files are taken. */
cnn_status cnn_folders_find(bool *found, bool *gifs, const cnn_site *site)
{
    cnn_status status = CNN_OK;
    *found = *gifs = false;
    if (site->kind != CNN_SITE_FOLDER)
        return CNN_OK;
    CNN_TRY(cnn_folder_has_classes(found, &site->listing, site->path, false));
    *gifs = !*found;
    if (*gifs)
        status = cnn_folder_has_classes(found, &site->listing, site->path, true);
out:
    return status;
}

cnn_status cnn_folders_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                            const cnn_data_options *options)
{
    cnn_split_folders folders;
    bool gifs;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_folders_find(taken, &gifs, site));
    if (!*taken)
        return CNN_OK;
    CNN_TRY(cnn_split_folders_find(&folders, site, gifs));
    bool known = options->class_count > 0; /* nothing is trained, or what was goes on */
    if (folders.names[CNN_SPLIT_TRAIN] || (known && folders.count > 0))
        return open_splits(sources, &folders, site, gifs, options);
    if (folders.count > 0)
        return cnn_fail(CNN_ERROR_FILE,
                        "%s: expected a folder train, with a folder for each class, beside %s",
                        site->path,
                        folders.names[CNN_SPLIT_VAL] ? folders.names[CNN_SPLIT_VAL]
                                                     : folders.names[CNN_SPLIT_TEST]);
    CNN_TRY(name_classes(sources, site->path, options));
    status = open_split(sources, CNN_SPLIT_TRAIN, site->path, gifs, options);
out:
    return status;
}
