/* What is where a data set should be, and what is wanted there. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "data/place.h"

static const char wanted[] =
    "a data set: the four IDX files of one like MNIST (train-images-idx3-ubyte, "
    "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, gzipped or not), "
    "CIFAR's binary files, a folder of pictures for each class, train.csv and test.csv in a "
    "folder, or a .csv or .npz file";

enum { SHOWN = 3 };

static void append_entries(cnn_text *text, const cnn_listing *listing, bool folders)
{
    size_t count = 0, shown = 0;
    char quoted[CNN_QUOTE_SIZE];
    for (size_t i = 0; i < listing->count; i++)
        count += listing->entries[i].is_folder == folders;
    if (count == 0)
        return;
    cnn_text_append(text, "%s%zu %s%s (", text->length > 0 ? " and " : "", count,
                    folders ? "folder" : "file", count == 1 ? "" : "s");
    for (size_t i = 0; i < listing->count && shown < SHOWN; i++)
        if (listing->entries[i].is_folder == folders)
            cnn_text_append(text, "%s%s", shown++ ? ", " : "",
                            cnn_quote(quoted, listing->entries[i].name));
    cnn_text_append(text, "%s)", count > SHOWN ? ", ..." : "");
}

/* What a file below the folder is that is of a known format. */
struct known {
    const cnn_signature *signature; /* NULL: none is found */
    char *path;                     /* owned */
};

static void look_at_file(struct known *known, char **path)
{
    uint8_t head[CNN_SIGNATURE_BYTES];
    size_t size;
    if (cnn_site_head(head, &size, *path) == CNN_OK)
        known->signature = cnn_signature_find(head, size);
    if (known->signature) {
        known->path = *path;
        *path = NULL;
    }
}

/* Files before folders, and not deep: links may lead around. Folders that cannot be read are passed
 * over. */
static cnn_status find_known(struct known *known, const cnn_listing *listing, const char *folder,
                             int depth)
{
    cnn_status status = CNN_OK;
    const size_t count = listing->count;
    for (size_t i = 0; status == CNN_OK && !known->signature && i < 2 * count; i++) {
        bool folders = i >= count;
        const cnn_entry *entry = &listing->entries[folders ? i - count : i];
        cnn_listing below = {0};
        char *path = NULL;
        if (entry->is_folder != folders || (folders && depth == 0) || cnn_entry_is_hidden(entry))
            continue;
        status = cnn_path_join(&path, folder, entry->name);
        if (status == CNN_OK && !folders)
            look_at_file(known, &path);
        else if (status == CNN_OK && cnn_listing_read(&below, path) == CNN_OK)
            status = find_known(known, &below, path, depth - 1);
        cnn_listing_finish(&below);
        free(path);
    }
    return status;
}

/* What the first known file is, and what to do with it. */
static cnn_status append_known(cnn_text *text, const cnn_site *site)
{
    enum { DEPTH = 3 };
    struct known known = {0};
    char quoted[CNN_QUOTE_SIZE];
    cnn_status status = find_known(&known, &site->listing, site->path, DEPTH);
    if (status == CNN_OK && known.signature) {
        const char *name = known.path + strlen(site->path);
        const char *conversion = cnn_signature_conversion(known.signature, CNN_WANTED_DATA);
        cnn_text_append(text, ", of which %s is %s%s%s", cnn_quote(quoted, name + (*name == '/')),
                        known.signature->text, conversion ? ": " : "",
                        conversion ? conversion : "");
    }
    free(known.path);
    return status;
}

static cnn_status refuse_folder(const cnn_site *site)
{
    cnn_text text = {0};
    char *found;
    append_entries(&text, &site->listing, true);
    append_entries(&text, &site->listing, false);
    if (text.length == 0)
        cnn_text_append(&text, "an empty folder");
    cnn_status status = append_known(&text, site);
    if (status == CNN_OK)
        status = cnn_text_take(&found, &text);
    else
        cnn_text_finish(&text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_FILE, "%s: expected %s; found %s", site->path, wanted, found);
    free(found);
    return status;
}

static cnn_status refuse_file(const cnn_site *site)
{
    char found[CNN_SIGNATURE_TEXT];
    uint8_t head[CNN_SIGNATURE_BYTES];
    size_t size;
    cnn_status status = cnn_site_head(head, &size, site->path);
    if (status != CNN_OK)
        return status;
    return cnn_fail(CNN_ERROR_DATA, "%s: expected %s; found %s", site->path, wanted,
                    cnn_signature_found(found, head, size, CNN_WANTED_DATA));
}

cnn_status cnn_site_refuse(const cnn_site *site)
{
    if (site->kind == CNN_SITE_FOLDER)
        return refuse_folder(site);
    if (site->kind == CNN_SITE_FILE)
        return refuse_file(site);
    return cnn_fail(CNN_ERROR_FILE,
                    "%s: there is no such folder of data: name %s; scripts/fetch_mnist.sh fetches "
                    "MNIST",
                    site->path, wanted);
}
