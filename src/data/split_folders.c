/* Which folders of a place are the splits of a data set. */
#include "data/split_folders.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "data/runs.h"
#include "data/tree.h"

static const struct {
    const char *name;
    cnn_split split;
} words[] = {
    {"train", CNN_SPLIT_TRAIN}, {"training", CNN_SPLIT_TRAIN}, {"val", CNN_SPLIT_VAL},
    {"valid", CNN_SPLIT_VAL},   {"validation", CNN_SPLIT_VAL}, {"dev", CNN_SPLIT_VAL},
    {"test", CNN_SPLIT_TEST},   {"testing", CNN_SPLIT_TEST},
};

enum { NONE = -1 };

/* The split that a word says, in any case. */
static int split_of_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t at = 0;
        while (at < length && words[i].name[at] == cnn_to_lower(word[at]))
            at++;
        if (at == length && words[i].name[at] == '\0')
            return (int)words[i].split;
    }
    return NONE;
}

/* The split that one of a name's words says: "training_set", "seg-test". */
static int split_of_words(const char *name)
{
    static const char between[] = "_-. ";
    int split = NONE;
    for (const char *at = name; *at && split == NONE; at += strspn(at, between)) {
        size_t length = strcspn(at, between);
        split = split_of_word(at, length);
        at += length;
    }
    return split;
}

cnn_status cnn_entry_is_of_runs(bool *runs, const cnn_entry *entry, const char *folder)
{
    char *path = NULL;
    *runs = false;
    cnn_status status = cnn_path_join(&path, folder, entry->name);
    if (status == CNN_OK)
        status = cnn_is_folder_of_runs(runs, path);
    free(path);
    return status;
}

cnn_status cnn_folder_has_classes(bool *found, const cnn_listing *listing, const char *folder,
                                  bool gifs)
{
    cnn_status status = CNN_OK;
    *found = false;
    for (size_t i = 0; status == CNN_OK && !*found && i < listing->count; i++) {
        char *path = NULL;
        if (!listing->entries[i].is_folder || cnn_entry_is_hidden(&listing->entries[i]))
            continue;
        status = cnn_path_join(&path, folder, listing->entries[i].name);
        if (status == CNN_OK)
            status = cnn_tree_has_pictures(found, path, gifs);
        free(path);
    }
    return status;
}

/* What a folder of the place is made of. */
enum content { EMPTY, PICTURES, CLASSES };

static cnn_status examine(enum content *content, const cnn_site *site, const cnn_entry *entry,
                          bool gifs)
{
    cnn_listing listing = {0};
    char *path = NULL;
    bool found = false;
    cnn_status status = CNN_OK;
    *content = EMPTY;
    CNN_TRY(cnn_path_join(&path, site->path, entry->name));
    CNN_TRY(cnn_tree_has_pictures(&found, path, gifs));
    if (!found)
        goto out;
    *content = PICTURES;
    CNN_TRY(cnn_listing_read(&listing, path));
    CNN_TRY(cnn_folder_has_classes(&found, &listing, path, gifs));
    if (found)
        *content = CLASSES;
out:
    cnn_listing_finish(&listing);
    free(path);
    return status;
}

static cnn_status take(cnn_split_folders *folders, const cnn_site *site, int split,
                       const char *name)
{
    if (folders->names[split])
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected one folder for each split, found %s and %s: move one away",
                        site->path, folders->names[split], name);
    folders->names[split] = name;
    folders->count++;
    return CNN_OK;
}

/* By names that say nothing else; a folder without classes is a class that is called so, or what
 * has no labels. */
static cnn_status take_plain_names(cnn_split_folders *folders, const cnn_site *site, bool gifs)
{
    cnn_status status = CNN_OK;
    for (size_t i = 0; status == CNN_OK && i < site->listing.count; i++) {
        const cnn_entry *entry = &site->listing.entries[i];
        enum content content;
        int split = entry->is_folder ? split_of_word(entry->name, strlen(entry->name)) : NONE;
        if (split == NONE)
            continue;
        status = examine(&content, site, entry, gifs);
        if (status == CNN_OK && content == CLASSES)
            status = take(folders, site, split, entry->name);
    }
    return status;
}

/* How many folders two folders of the place both have. */
static cnn_status count_shared(size_t *count, const cnn_site *site, const char *one,
                               const char *other)
{
    const char *names[] = {one, other};
    cnn_listing listings[2] = {{0}};
    cnn_status status = CNN_OK;
    *count = 0;
    for (int i = 0; i < 2; i++) {
        char *path = NULL;
        CNN_TRY(cnn_path_join(&path, site->path, names[i]));
        status = cnn_listing_read(&listings[i], path);
        free(path);
        if (status != CNN_OK)
            goto out;
    }
    for (size_t i = 0; i < listings[0].count; i++) {
        const cnn_entry *entry = &listings[0].entries[i];
        const cnn_entry *same = cnn_listing_find(&listings[1], entry->name);
        *count += entry->is_folder && !cnn_entry_is_hidden(entry) && same && same->is_folder;
    }
out:
    cnn_listing_finish(&listings[0]);
    cnn_listing_finish(&listings[1]);
    return status;
}

/* By a word in their names, where the folders to train and to judge by have the same classes. */
static cnn_status take_words(cnn_split_folders *folders, const cnn_site *site, bool gifs)
{
    cnn_split_folders found = {0};
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < site->listing.count; i++) {
        const cnn_entry *entry = &site->listing.entries[i];
        int split = entry->is_folder ? split_of_words(entry->name) : NONE;
        enum content content = EMPTY;
        if (split != NONE)
            CNN_TRY(examine(&content, site, entry, gifs));
        if (content == CLASSES && found.names[split]) /* kinds of trains, or of tests */
            return CNN_OK;
        if (content == CLASSES)
            CNN_TRY(take(&found, site, split, entry->name));
    }
    const char *train = found.names[CNN_SPLIT_TRAIN];
    for (int i = 0; train && i < CNN_SPLITS; i++) {
        size_t shared = 0;
        if (!found.names[i])
            continue;
        CNN_TRY(count_shared(&shared, site, train, found.names[i]));
        if (shared < 2)
            train = NULL;
    }
    for (size_t i = 0; train && i < site->listing.count; i++) {
        const cnn_entry *entry = &site->listing.entries[i];
        size_t shared = 0;
        if (entry->is_folder && split_of_words(entry->name) == NONE)
            CNN_TRY(count_shared(&shared, site, train, entry->name));
        if (shared > 1) /* one more class, sorted as those are */
            train = NULL;
    }
    if (!train || found.count < 2)
        return CNN_OK;
    for (int i = 0; i < CNN_SPLITS; i++)
        if (found.names[i])
            cnn_log(CNN_LOG_INFO, "%s: %s is taken for the split %s, by its name", site->path,
                    found.names[i], cnn_split_name((cnn_split)i));
    *folders = found;
out:
    return status;
}

/* Pictures beside the splits are left out. */
static cnn_status tell_rest(const cnn_split_folders *folders, const cnn_site *site, bool gifs)
{
    enum { SHOWN = 3 };
    cnn_text text = {0};
    char quoted[CNN_QUOTE_SIZE];
    size_t count = 0;
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < site->listing.count; i++) {
        const cnn_entry *entry = &site->listing.entries[i];
        enum content content = EMPTY;
        bool taken = false;
        for (int split = 0; split < CNN_SPLITS; split++)
            taken = taken || entry->name == folders->names[split];
        if (!taken && entry->is_folder && !cnn_entry_is_hidden(entry))
            CNN_TRY(examine(&content, site, entry, gifs));
        if (content != EMPTY && count++ < SHOWN)
            cnn_text_append(&text, "%s%s%s", count > 1 ? ", " : "", cnn_quote(quoted, entry->name),
                            content == PICTURES ? " (without classes)" : "");
    }
    if (count > 0)
        cnn_log(CNN_LOG_INFO, "%s: %zu folder%s of pictures beside the splits %s passed over: %s%s",
                site->path, count, count == 1 ? "" : "s", count == 1 ? "is" : "are",
                text.data ? text.data : "", count > SHOWN ? ", ..." : "");
out:
    cnn_text_finish(&text);
    return status;
}

cnn_status cnn_split_folders_find(cnn_split_folders *folders, const cnn_site *site, bool gifs)
{
    cnn_status status = CNN_OK;
    *folders = (cnn_split_folders){0};
    CNN_TRY(take_plain_names(folders, site, gifs));
    if (folders->count == 0)
        CNN_TRY(take_words(folders, site, gifs));
    if (folders->count > 0)
        status = tell_rest(folders, site, gifs);
out:
    return status;
}
