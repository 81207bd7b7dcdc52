#include "base/preset.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/installed.h"
#include "base/status.h"
#include "base/text.h"

enum { MOST_LISTED = 64 };

static int compare_names(const void *a, const void *b)
{
    const char *const *first = a, *const *second = b;
    return strcmp(*first, *second);
}

/* The names in the folder, sorted, as many as there is room for. */
static size_t list_names(char **names, size_t room, const char *folder, const char *ending)
{
    size_t count = 0, tail = strlen(ending);
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

static cnn_status refuse(const char *name, const cnn_preset_kind *kind, const char *folder)
{
    char *names[MOST_LISTED], quoted[CNN_QUOTE_SIZE], *list = NULL;
    size_t count = list_names(names, MOST_LISTED, folder, kind->ending);
    cnn_text text = {0};
    for (size_t i = 0; i < count; i++) {
        cnn_text_append(&text, "%s%s", i ? ", " : "", names[i]);
        free(names[i]);
    }
    cnn_status status = cnn_text_take(&list, &text);
    if (status == CNN_OK && count == 0)
        status = cnn_fail(CNN_ERROR_ARGUMENT,
                          "no %s is called '%s': %s, where those of cnn-cl are looked for, %s: "
                          "install cnn-cl again, which puts them into %s above its program; a file "
                          "of your own is named with its path (./%s%s)",
                          kind->what, cnn_quote(quoted, name), folder,
                          cnn_file_exists(folder) ? "has none" : "is not there", kind->relative,
                          name, kind->ending);
    else if (status == CNN_OK)
        status = cnn_fail(CNN_ERROR_ARGUMENT,
                          "no %s is called '%s' in %s: expected %s; a file of your own is "
                          "named with its path (./%s%s)",
                          kind->what, cnn_quote(quoted, name), folder, list, name, kind->ending);
    free(list);
    return status;
}

static cnn_status find_folder(char **folder, const cnn_preset_kind *kind)
{
    return cnn_installed_folder(folder, kind->build, kind->relative, kind->installed);
}

size_t cnn_preset_list(char **names, size_t room, const cnn_preset_kind *kind)
{
    char *folder = NULL;
    size_t count =
        find_folder(&folder, kind) == CNN_OK ? list_names(names, room, folder, kind->ending) : 0;
    free(folder);
    return count;
}

cnn_status cnn_preset_find(char **path, const cnn_preset_kind *kind, const char *name)
{
    char *folder = NULL, *found = NULL, *file = NULL;
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    *path = NULL;
    CNN_TRY(find_folder(&folder, kind));
    cnn_text_append(&text, "%s%s", name, kind->ending);
    CNN_TRY(cnn_text_take(&file, &text));
    CNN_TRY(cnn_path_join(&found, folder, file));
    if (strchr(name, '/') || !cnn_file_exists(found)) {
        status = refuse(name, kind, folder);
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
