/* How much room packs take. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "data/listing.h"
#include "data/pack_head.h"

uint64_t cnn_pack_limit(void)
{
    enum { USUAL_MIB = 20 * 1024 };
    return cnn_mebibytes("CNN_CL_CACHE_LIMIT", USUAL_MIB);
}

uint64_t cnn_mebibytes(const char *variable, uint64_t usual)
{
    enum { SHIFT = 20 };
    const char *value = getenv(variable);
    int64_t number;
    if (!value || !*value)
        return usual << SHIFT;
    if (cnn_parse_int(&number, value, 0, INT32_MAX))
        return (uint64_t)number << SHIFT;
    cnn_log_once(CNN_LOG_WARNING, "%s: expected a whole number of MiB, found '%s': taken as %llu",
                 variable, value, (unsigned long long)usual);
    return usual << SHIFT;
}

/* Does nobody write it any more? */
static bool is_left_over(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int file = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    bool left = file >= 0 && fcntl(file, F_GETLK, &whole) == 0 && whole.l_type == F_UNLCK;
    if (file >= 0)
        close(file);
    return left;
}

/* One that this process writes in another thread has no lock in its own eyes. */
static bool is_mine(const char *name)
{
    char own[48];
    snprintf(own, sizeof own, ".%ld%s", (long)getpid(), CNN_PACK_UNFINISHED);
    return cnn_ends_with(name, own);
}

static void remove_left_over(const char *folder, const cnn_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        const char *name = listing->entries[i].name;
        char *path = NULL;
        if (!cnn_starts_with(name, CNN_PACK_PREFIX) || !cnn_ends_with(name, CNN_PACK_UNFINISHED) ||
            is_mine(name) || cnn_path_join(&path, folder, name) != CNN_OK)
            continue;
        if (is_left_over(path))
            (void)unlink(path);
        free(path);
    }
}

/* Packs of the folder but `kept`: what they take together, and the one that was used last the
 * longest time ago; NULL: there is none. */
static const cnn_entry *find_oldest(uint64_t *total, const cnn_listing *listing, const char *kept)
{
    const cnn_entry *oldest = NULL;
    *total = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const cnn_entry *entry = &listing->entries[i];
        if (entry->is_folder || entry->size == 0 || strcmp(entry->name, kept) == 0 ||
            !cnn_starts_with(entry->name, CNN_PACK_PREFIX) ||
            !cnn_ends_with(entry->name, CNN_PACK_END))
            continue;
        *total += entry->size;
        if (!oldest || entry->time < oldest->time)
            oldest = entry;
    }
    return oldest;
}

bool cnn_pack_make_room(const char *path, uint64_t size)
{
    cnn_listing listing = {0};
    char *folder = NULL;
    uint64_t limit = cnn_pack_limit(), total = 0;
    bool fits = false;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (size > limit || cnn_path_directory(&folder, path) != CNN_OK ||
        cnn_listing_read(&listing, folder) != CNN_OK)
        goto out;
    remove_left_over(folder, &listing);
    for (const cnn_entry *oldest; (oldest = find_oldest(&total, &listing, name)) != NULL;) {
        char *other = NULL;
        if (total + size <= limit)
            break;
        if (cnn_path_join(&other, folder, oldest->name) != CNN_OK)
            break;
        if (unlink(other) == 0)
            cnn_log(CNN_LOG_INFO, "%s: removed to make room (CNN_CL_CACHE_LIMIT)", other);
        free(other);
        listing.entries[oldest - listing.entries].size = 0; /* gone, or not to be had */
    }
    fits = total + size <= limit;
out:
    cnn_listing_finish(&listing);
    free(folder);
    return fits;
}
