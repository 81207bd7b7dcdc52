/* What is at a place: every format is asked in turn. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/signature.h"
#include "base/status.h"
#include "base/text.h"
#include "data/place.h"

static const cnn_format_open formats[] = {cnn_idx_open, cnn_cifar_open, cnn_npz_open,
                                          cnn_folders_open, cnn_csv_open};

static const char wanted[] =
    "a data set: the four IDX files of one like MNIST (train-images-idx3-ubyte, "
    "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, gzipped or not), "
    "CIFAR's binary files, a folder of pictures for each class, train.csv and test.csv in a "
    "folder, or a .csv or .npz file";

cnn_status cnn_site_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                         const cnn_data_options *options)
{
    cnn_status status = CNN_OK;
    *taken = false;
    for (size_t i = 0; status == CNN_OK && !*taken && i < sizeof formats / sizeof formats[0]; i++)
        status = formats[i](sources, taken, site, options);
    return status;
}

cnn_status cnn_site_has_pictures(bool *found, const cnn_site *site)
{
    const cnn_data_options options = {0};
    bool gifs;
    cnn_status status = cnn_folders_find(found, &gifs, site);
    for (size_t i = 0; status == CNN_OK && *found && formats[i] != cnn_folders_open; i++) {
        cnn_sources sources = {0};
        bool taken = false;
        if (formats[i](&sources, &taken, site, &options) != CNN_OK || taken)
            *found = false;
        cnn_sources_finish(&sources);
    }
    return status;
}

cnn_status cnn_site_head(uint8_t head[CNN_SIGNATURE_BYTES], size_t *size, const char *path)
{
    struct stat info;
    /* O_NONBLOCK: a pipe is refused, not waited for. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *size = 0;
    if (file < 0 || fstat(file, &info) != 0) {
        int error = errno;
        if (file >= 0)
            close(file);
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(error));
    }
    ssize_t count = S_ISREG(info.st_mode) ? read(file, head, CNN_SIGNATURE_BYTES) : -1;
    close(file);
    if (count < 0)
        return cnn_fail(CNN_ERROR_FILE, "%s: expected a regular file that can be read", path);
    *size = (size_t)count;
    return CNN_OK;
}

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

/* What the first file that is of a known format is. */
static cnn_status append_signature(cnn_text *text, const cnn_site *site)
{
    cnn_status status = CNN_OK;
    const cnn_signature *signature = NULL;
    for (size_t i = 0; !signature && i < site->listing.count; i++) {
        char *path = NULL, quoted[CNN_QUOTE_SIZE];
        uint8_t head[CNN_SIGNATURE_BYTES];
        size_t size;
        if (site->listing.entries[i].is_folder)
            continue;
        status = cnn_path_join(&path, site->path, site->listing.entries[i].name);
        if (status != CNN_OK)
            return status;
        if (cnn_site_head(head, &size, path) == CNN_OK)
            signature = cnn_signature_find(head, size);
        if (signature)
            cnn_text_append(text, ", of which %s is %s",
                            cnn_quote(quoted, site->listing.entries[i].name), signature->text);
        free(path);
    }
    return CNN_OK;
}

static cnn_status refuse_folder(const cnn_site *site)
{
    cnn_text text = {0};
    char *found;
    append_entries(&text, &site->listing, true);
    append_entries(&text, &site->listing, false);
    if (text.length == 0)
        cnn_text_append(&text, "an empty folder");
    cnn_status status = append_signature(&text, site);
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
                    cnn_signature_found(found, head, size));
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
