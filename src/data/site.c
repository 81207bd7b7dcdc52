/* What is at a place: every format is asked in turn. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/signature.h"
#include "base/status.h"
#include "base/text.h"
#include "data/place.h"

static const cnn_format_open formats[] = {cnn_idx_open, cnn_cifar_open, cnn_npz_open,
                                          cnn_folders_open, cnn_csv_open};

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
