#include "data/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/status.h"

enum { FIRST_ROOM = 64 };

static cnn_status add(cnn_listing *listing, DIR *folder, const char *name)
{
    static const int64_t second = 1000000000;
    struct stat info = {0};
    size_t size = strlen(name) + 1;
    if (listing->count == listing->room) {
        size_t room = listing->room ? 2 * listing->room : FIRST_ROOM;
        cnn_entry *larger = realloc(listing->entries, room * sizeof *larger);
        if (!larger)
            return cnn_fail_memory(room * sizeof *larger, "a folder's content");
        listing->entries = larger;
        listing->room = room;
    }
    cnn_entry entry = {0};
    cnn_status status = cnn_allocate(&entry.name, size, 1, "a folder's content");
    if (status != CNN_OK)
        return status;
    memcpy(entry.name, name, size);
    entry.is_folder = fstatat(dirfd(folder), name, &info, 0) == 0 && S_ISDIR(info.st_mode);
    entry.size = (uint64_t)info.st_size;
    entry.time = (int64_t)info.st_mtim.tv_sec * second + info.st_mtim.tv_nsec;
    listing->entries[listing->count++] = entry;
    return CNN_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const cnn_entry *)a)->name, ((const cnn_entry *)b)->name);
}

cnn_status cnn_listing_read(cnn_listing *listing, const char *folder)
{
    cnn_status status = CNN_OK;
    DIR *opened = opendir(folder);
    if (!opened)
        return cnn_fail(CNN_ERROR_FILE, "%s: the folder cannot be opened: %s", folder,
                        strerror(errno));
    for (const struct dirent *entry; status == CNN_OK && (entry = readdir(opened)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = add(listing, opened, entry->d_name);
    closedir(opened);
    if (status != CNN_OK)
        cnn_listing_finish(listing);
    else if (listing->count > 0)
        qsort(listing->entries, listing->count, sizeof *listing->entries, compare);
    return status;
}

void cnn_listing_finish(cnn_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    *listing = (cnn_listing){0};
}

bool cnn_entry_is_hidden(const cnn_entry *entry)
{
    return entry->is_folder && (entry->name[0] == '.' || strcmp(entry->name, "__MACOSX") == 0);
}

const cnn_entry *cnn_listing_find(const cnn_listing *listing, const char *name)
{
    const cnn_entry wanted = {.name = (char *)name};
    if (listing->count == 0)
        return NULL;
    return bsearch(&wanted, listing->entries, listing->count, sizeof wanted, compare);
}
