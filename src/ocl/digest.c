/* One number for all kernels: what passed with others has not passed with these. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "ocl/source.h"

/* FNV-1a, 64 bits: G. Fowler, L. C. Noll, K.-P. Vo. */
uint64_t cnn_digest(uint64_t digest, const void *bytes, size_t count)
{
    static const uint64_t basis = UINT64_C(0xcbf29ce484222325), prime = UINT64_C(0x100000001b3);
    const unsigned char *at = bytes;
    if (digest == 0)
        digest = basis;
    for (size_t i = 0; i < count; i++)
        digest = (digest ^ at[i]) * prime;
    return digest;
}

static cnn_status add_file(uint64_t *digest, const char *path)
{
    enum { MAX_BYTES = 1 << 20 };
    void *data;
    size_t size;
    const char *name = strrchr(path, '/');
    cnn_status status = cnn_file_read(&data, &size, path, MAX_BYTES);
    if (status != CNN_OK)
        return status;
    *digest = cnn_digest(*digest, name, strlen(name) + 1);
    *digest = cnn_digest(*digest, data, size);
    free(data);
    return CNN_OK;
}

cnn_status cnn_source_digest(uint64_t *digest)
{
    char *folder = NULL, *pattern = NULL;
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
    for (size_t i = 0; status == CNN_OK && i < found.gl_pathc; i++)
        status = add_file(digest, found.gl_pathv[i]);
out:
    globfree(&found);
    free(pattern);
    free(folder);
    return status;
}
