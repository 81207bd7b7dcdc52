/* What is in a folder. */
#ifndef DATA_LISTING_H
#define DATA_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

typedef struct cnn_entry {
    char *name; /* owned */
    bool is_folder;
    uint64_t size; /* of a file, in bytes */
    int64_t time;  /* when it was changed, in nanoseconds */
} cnn_entry;

/* Start from {0}. */
typedef struct cnn_listing {
    size_t count;
    cnn_entry *entries; /* (count) in the order of their names' bytes; owned */
    size_t room;
} cnn_listing;

/* Everything but "." and ".."; links are what they lead to. What is neither a file nor a folder, or
 * leads nowhere, is a file here: opening it says why it cannot be read. Errors: FILE, MEMORY. */
cnn_status cnn_listing_read(cnn_listing *listing, const char *folder);
void cnn_listing_finish(cnn_listing *listing);
/* A folder whose name begins with a dot, or what macOS packs beside: no data is in it. */
bool cnn_entry_is_hidden(const cnn_entry *entry);
/* The entry of a name; NULL where there is none. */
const cnn_entry *cnn_listing_find(const cnn_listing *listing, const char *name);

#endif
