/* One number for all kernels: what passed with others has not passed with these. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/text.h"
#include "ocl/source.h"

static cnn_status add_file(cnn_text *hashes, const char *path)
{
    enum { MAX_BYTES = 1 << 20 };
    char hash[CNN_HASH_SIZE];
    void *data;
    size_t size;
    const char *name = strrchr(path, '/');
    cnn_status status = cnn_file_read(&data, &size, path, MAX_BYTES);
    if (status != CNN_OK)
        return status;
    cnn_hash(hash, (cnn_piece[]){{name, strlen(name) + 1}, {data, size}}, 2);
    cnn_text_append(hashes, "%s\n", hash);
    free(data);
    return CNN_OK;
}

cnn_status cnn_source_digest(uint64_t *digest)
{
    char *folder = NULL, *pattern = NULL, *list = NULL;
    cnn_text hashes = {0};
    glob_t found = {0};
    cnn_status status = CNN_OK;
    *digest = 0;
    CNN_TRY(cnn_kernel_folder(&folder));
    CNN_TRY(cnn_path_join(&pattern, folder, "*.cl"));
    if (glob(pattern, 0, NULL, &found) != 0) {
        status = cnn_fail(
            CNN_ERROR_KERNEL,
            "%s: no kernel files (*.cl) there; CNN_CL_KERNEL_DIR can name the folder of the "
            "kernels",
            folder);
        goto out;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        CNN_TRY(add_file(&hashes, found.gl_pathv[i]));
    CNN_TRY(cnn_text_take(&list, &hashes));
    *digest = cnn_hash_text(list);
out:
    cnn_text_finish(&hashes);
    free(list);
    globfree(&found);
    free(pattern);
    free(folder);
    return status;
}
