#include "data/folder.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

static const struct role {
    const char *stem;
    const char *kinds[2]; /* in the order of preference */
} roles[CNN_FOLDER_FILES] = {
    {"train-images", {"idx3", "idx4"}},
    {"train-labels", {"idx1", NULL}},
    {"t10k-images", {"idx3", "idx4"}},
    {"t10k-labels", {"idx1", NULL}},
};

static cnn_status try_name(char **path, const char *directory, const char *stem,
                           const char *separator, const char *kind, const char *suffix)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s%s-ubyte%s", stem, separator, kind, suffix);
    cnn_status status = cnn_path_join(path, directory, name);
    if (status == CNN_OK && !cnn_file_exists(*path)) {
        free(*path);
        *path = NULL;
    }
    return status;
}

static cnn_status find_role(char **path, const char *directory, const struct role *role)
{
    static const char *const separators[] = {"-", "."}, *const suffixes[] = {"", ".gz"};
    enum { SPELLINGS = 8 };
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && !*path && i < SPELLINGS; i++) {
        const char *kind = role->kinds[i / 2 % 2];
        if (kind)
            status =
                try_name(path, directory, role->stem, separators[i % 2], kind, suffixes[i / 4]);
    }
    return status;
}

cnn_status cnn_folder_find(cnn_folder *folder, const char *directory)
{
    *folder = (cnn_folder){0};
    cnn_status status = CNN_OK;
    for (int i = 0; i < CNN_FOLDER_FILES; i++) {
        CNN_TRY(find_role(&folder->paths[i], directory, &roles[i]));
        folder->found += folder->paths[i] != NULL;
    }
out:
    if (status != CNN_OK)
        cnn_folder_finish(folder);
    return status;
}

void cnn_folder_finish(cnn_folder *folder)
{
    for (int i = 0; i < CNN_FOLDER_FILES; i++)
        free(folder->paths[i]);
    *folder = (cnn_folder){0};
}

cnn_status cnn_folder_check(const cnn_folder *folder, const char *directory)
{
    if (!cnn_file_exists(directory))
        return cnn_fail(CNN_ERROR_FILE,
                        "%s: there is no such folder of data: give one with the four IDX "
                        "files, or fetch MNIST with scripts/fetch_mnist.sh",
                        directory);
    for (int i = 0; i < CNN_FOLDER_FILES; i++)
        if (!folder->paths[i])
            return cnn_fail(CNN_ERROR_FILE,
                            "%s: expected the four IDX files of a data set, but %s-%s-ubyte (or "
                            "%s-%s-ubyte.gz) is missing",
                            directory, roles[i].stem, roles[i].kinds[0], roles[i].stem,
                            roles[i].kinds[0]);
    return CNN_OK;
}
