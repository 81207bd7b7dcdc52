/* The network files that come with the library. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/installed.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "build_config.h"
#include "net/network.h"

static const char ending[] = ".net";

static int compare_names(const void *a, const void *b)
{
    const char *const *first = a, *const *second = b;
    return strcmp(*first, *second);
}

/* The names in the folder, sorted, as many as there is room for. */
static size_t list_names(char **names, size_t room, const char *folder)
{
    size_t count = 0, tail = sizeof ending - 1;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && count < room && (entry = readdir(entries)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length <= tail || strcmp(entry->d_name + length - tail, ending) != 0)
            continue;
        names[count] = strdup(entry->d_name);
        if (names[count])
            names[count++][length - tail] = '\0';
    }
    if (entries)
        closedir(entries);
    qsort(names, count, sizeof *names, compare_names);
    return count;
}

static cnn_status refuse(const char *name, const char *folder)
{
    char *names[CNN_MAX_PRESETS], quoted[CNN_QUOTE_SIZE], *list = NULL;
    size_t count = list_names(names, CNN_MAX_PRESETS, folder);
    cnn_text text = {0};
    for (size_t i = 0; i < count; i++) {
        cnn_text_append(&text, "%s%s", i ? ", " : "", names[i]);
        free(names[i]);
    }
    cnn_status status = cnn_text_take(&list, &text);
    if (status == CNN_OK)
        status = cnn_fail(CNN_ERROR_ARGUMENT,
                          "no network is called '%s' in %s: expected %s; a file of your own is "
                          "named with its path (./%s.net)",
                          cnn_quote(quoted, name), folder, *list ? list : "files NAME.net", name);
    free(list);
    return status;
}

static cnn_status find_folder(char **folder)
{
    return cnn_installed_folder(folder, CNN_NETS_BUILD_DIR, CNN_NETS_DATA_DIR,
                                CNN_NETS_INSTALL_DIR);
}

size_t cnn_network_list_presets(char *names[CNN_MAX_PRESETS])
{
    char *folder = NULL;
    size_t count = find_folder(&folder) == CNN_OK ? list_names(names, CNN_MAX_PRESETS, folder) : 0;
    free(folder);
    return count;
}

cnn_status cnn_preset_file(char **path, const char *name)
{
    char *folder = NULL;
    cnn_status status = CNN_OK;
    *path = NULL;
    CNN_TRY(find_folder(&folder));
    CNN_TRY(cnn_path_join(path, folder, name));
    if (!cnn_file_exists(*path)) {
        status = cnn_fail(CNN_ERROR_FILE, "%s: it comes with the network files, and is not there",
                          *path);
        free(*path);
        *path = NULL;
    }
out:
    free(folder);
    return status;
}

bool cnn_network_is_preset(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *found = NULL;
    cnn_status status = cnn_preset_file(&found, slash ? slash + 1 : path);
    bool same = status == CNN_OK && found && strcmp(found, path) == 0;
    free(found);
    return same;
}

cnn_status cnn_network_preset(char **path, const char *name)
{
    CNN_NEED(path, name);
    char *folder = NULL, *found = NULL, *file = NULL;
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    *path = NULL;
    CNN_TRY(find_folder(&folder));
    cnn_text_append(&text, "%s%s", name, ending);
    CNN_TRY(cnn_text_take(&file, &text));
    CNN_TRY(cnn_path_join(&found, folder, file));
    if (strchr(name, '/') || !cnn_file_exists(found)) {
        status = refuse(name, folder);
        goto out;
    }
    *path = found;
    found = NULL;
out:
    free(folder);
    free(file);
    free(found);
    return status;
}
