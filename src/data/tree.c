#include "data/tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/listing.h"
#include "data/names.h"
#include "data/runs.h"

enum { MOST_DEPTH = 64, FIRST_ROOM = 64 };

bool cnn_is_picture_name(const char *name, bool gifs)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png",  ".ppm",  ".bmp",
                                       ".pgm", ".tif",  ".tiff", ".webp", ".gif"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0] - !gifs; i++)
        if (cnn_ends_with_ignoring_case(name, ends[i]))
            return true;
    return false;
}

/* A run draws pictures, which are none of a class. */
static bool is_of_run(const cnn_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        if (cnn_is_run_file(listing->entries[i].name))
            return true;
    return false;
}

/* The folders that were seen, through whatever links: each is looked into once. */
typedef struct seen {
    struct folder_id {
        dev_t device;
        ino_t inode;
    } * at; /* (room) */
    size_t count, room;
} seen;

/* *is_new is false for one that was seen, that is too deep or that cannot be looked at. */
static cnn_status see(bool *is_new, seen *all, const char *path, int depth)
{
    struct stat info;
    *is_new = false;
    if (depth > MOST_DEPTH || stat(path, &info) != 0)
        return CNN_OK;
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i].device == info.st_dev && all->at[i].inode == info.st_ino)
            return CNN_OK;
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : FIRST_ROOM;
        struct folder_id *larger = realloc(all->at, room * sizeof *larger);
        if (!larger)
            return cnn_fail_memory(room * sizeof *larger, "the folders of pictures");
        all->at = larger;
        all->room = room;
    }
    all->at[all->count++] = (struct folder_id){info.st_dev, info.st_ino};
    *is_new = true;
    return CNN_OK;
}

/* The folder and all in it, each after the one that it lies in. */
static cnn_status collect_folders(cnn_names *folders, seen *all, const char *folder, int depth)
{
    cnn_listing listing = {0};
    bool is_new;
    cnn_status status = see(&is_new, all, folder, depth);
    if (status != CNN_OK || !is_new)
        return status;
    CNN_TRY(cnn_listing_read(&listing, folder));
    if (folders->count > 0 && is_of_run(&listing))
        goto out;
    CNN_TRY(cnn_names_add(folders, folder));
    for (size_t i = 0; i < listing.count; i++) {
        char *path = NULL;
        if (!listing.entries[i].is_folder)
            continue;
        CNN_TRY(cnn_path_join(&path, folder, listing.entries[i].name));
        status = collect_folders(folders, all, path, depth + 1);
        free(path);
        if (status != CNN_OK)
            goto out;
    }
out:
    cnn_listing_finish(&listing);
    return status;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static cnn_status add_file(cnn_tree *tree, char *path, const cnn_entry *entry)
{
    if (tree->count == tree->room) {
        size_t room = tree->room ? 2 * tree->room : FIRST_ROOM;
        cnn_tree_file *larger = realloc(tree->files, room * sizeof *larger);
        if (!larger) {
            free(path);
            return cnn_fail_memory(room * sizeof *larger, "the pictures' paths");
        }
        tree->files = larger;
        tree->room = room;
    }
    tree->files[tree->count++] = (cnn_tree_file){path, entry->size, entry->time};
    return CNN_OK;
}

static cnn_status add_files(cnn_tree *tree, const char *folder)
{
    cnn_listing listing = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_listing_read(&listing, folder));
    for (size_t i = 0; i < listing.count; i++) {
        const cnn_entry *entry = &listing.entries[i];
        char *path = NULL;
        if (entry->is_folder)
            continue;
        bool picture = cnn_is_picture_name(entry->name, tree->gifs);
        tree->others += !picture;
        if (!picture && tree->other)
            continue;
        CNN_TRY(cnn_path_join(&path, folder, entry->name));
        if (picture)
            CNN_TRY(add_file(tree, path, entry));
        else
            tree->other = path;
    }
out:
    cnn_listing_finish(&listing);
    return status;
}

cnn_status cnn_tree_add(cnn_tree *tree, const char *folder)
{
    cnn_names folders = {0};
    char *parent = NULL;
    seen all = {0};
    bool is_new;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_path_directory(&parent, folder));
    CNN_TRY(see(&is_new, &all, parent, 0)); /* a link back to all classes is a loop, too */
    CNN_TRY(collect_folders(&folders, &all, folder, 1));
    if (folders.count > 1)
        qsort(folders.at, (size_t)folders.count, sizeof *folders.at, compare);
    for (int i = 0; i < folders.count; i++)
        CNN_TRY(add_files(tree, folders.at[i]));
out:
    cnn_names_finish(&folders);
    free(all.at);
    free(parent);
    return status;
}

static cnn_status look_for(bool *found, seen *all, const char *folder, bool gifs, int depth)
{
    cnn_listing listing = {0};
    bool is_new;
    cnn_status status = see(&is_new, all, folder, depth);
    if (status != CNN_OK || !is_new)
        return status;
    status = cnn_listing_read(&listing, folder);
    if (status != CNN_OK)
        return status == CNN_ERROR_FILE ? CNN_OK : status;
    if (is_of_run(&listing))
        goto out;
    for (size_t i = 0; i < listing.count && !*found; i++)
        *found =
            !listing.entries[i].is_folder && cnn_is_picture_name(listing.entries[i].name, gifs);
    for (size_t i = 0; i < listing.count && !*found; i++) {
        char *path = NULL;
        if (!listing.entries[i].is_folder)
            continue;
        CNN_TRY(cnn_path_join(&path, folder, listing.entries[i].name));
        status = look_for(found, all, path, gifs, depth + 1);
        free(path);
        if (status != CNN_OK)
            goto out;
    }
out:
    cnn_listing_finish(&listing);
    return status;
}

cnn_status cnn_tree_has_pictures(bool *found, const char *folder, bool gifs)
{
    seen all = {0};
    *found = false;
    cnn_status status = look_for(found, &all, folder, gifs, 0);
    free(all.at);
    return status;
}

void cnn_tree_finish(cnn_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->files[i].path);
    free(tree->files);
    free(tree->other);
    *tree = (cnn_tree){0};
}
