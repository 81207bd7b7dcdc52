#define _XOPEN_SOURCE 700 /* realpath() */
#include "cli/out_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/recipe.h"
#include "cli/session.h"

/* How files of each kind begin; '?' is any byte. */
static const struct {
    const char *name, *begin;
} kinds[] = {
    [CLI_FILE_SAFETENSORS] = {"safetensors file", "????????{"},
    [CLI_FILE_ANY] = {"file", ""},
    [CLI_FILE_ONNX] = {"ONNX model", "\x08?"},
    [CLI_FILE_NPZ] = {"npz file", "PK\x03\x04"},
    [CLI_FILE_PNG] = {"PNG picture", "\x89PNG\r\n"},
    [CLI_FILE_TRACE] = {"trace of a bench", "{\"displayTimeUnit\":"},
    [CLI_FILE_LOG] = {"log of a run", "{\"epoch\":"},
};

/* Returns 0, or errno. */
static int compare_kind(bool *same, const char *path, cli_file_kind kind)
{
    const char *begin = kinds[kind].begin;
    struct stat info;
    *same = false;
    if (stat(path, &info) != 0)
        return errno;
    if (!S_ISREG(info.st_mode)) /* a pipe would be waited for */
        return 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return errno;
    for (*same = true; *same && *begin; begin++) {
        int byte = getc(file);
        *same = byte != EOF && (*begin == '?' || byte == (unsigned char)*begin);
    }
    int reason = ferror(file) ? EIO : 0;
    fclose(file);
    return reason;
}

/* Not links, hard or symbolic: they are replaced, and what they lead to stays. */
static bool is_lost_when_replaced(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && !S_ISLNK(info.st_mode) &&
           (!S_ISREG(info.st_mode) || (info.st_size > 0 && info.st_nlink == 1));
}

/* Devices and what is open already; for a log pipes, too. */
static bool is_written_as_it_is(const char *path, cli_file_kind kind)
{
    static const char *const opened[] = {"/dev/stdout", "/dev/stderr", "/dev/fd/",
                                         "/proc/self/fd/"};
    struct stat info;
    if (stat(path, &info) != 0 || S_ISDIR(info.st_mode))
        return false;
    for (size_t i = 0; i < sizeof opened / sizeof opened[0]; i++) {
        size_t length = strlen(opened[i]);
        bool is_folder = opened[i][length - 1] == '/';
        if (strncmp(path, opened[i], length) == 0 &&
            (is_folder || path[length] == '\0') && strspn(path + length, "0123456789") == strlen(path + length))
            return true;
    }
    return S_ISCHR(info.st_mode) || (kind == CLI_FILE_LOG && !S_ISREG(info.st_mode));
}

/* What the command reads there; NULL for nothing. */
static const char *find_read(const char *path, const cli_options *options)
{
    bool imports = options->command->groups & CLI_IMPORT;
    const struct {
        const char *path, *what;
    } reads[] = {
        {options->model, "the model itself"},
        {imports ? options->words[0] : NULL, "what is imported"},
        {options->net && cli_net_is_path(options->net) ? options->net : NULL,
         "the network file itself"},
        {options->init, "what --init reads"},
        {options->resume_from, "the checkpoint itself"},
        {options->recipe && cli_recipe_is_path(options->recipe) ? options->recipe : NULL,
         "the recipe itself"},
        {options->data, "the data itself"},
    };
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
        if (reads[i].path && cli_is_same_file(reads[i].path, path))
            return reads[i].what;
    return NULL;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *cli_out_file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = cli_concatenate((const char *[]){slash ? path : ".", NULL});
    if (folder && slash)
        folder[slash - path + 1] = '\0';
    return folder;
}

int cli_out_file_try(const char *start)
{
    char *path = cli_concatenate((const char *[]){start, ".cnn-cl.XXXXXX", NULL});
    if (!path)
        return ENOMEM;
    int file = mkstemp(path), reason = file < 0 ? errno : 0;
    if (file >= 0) {
        close(file);
        unlink(path);
    }
    free(path);
    return reason;
}

int cli_out_file_check(const char *who, const char *path, cli_file_kind kind,
                       const cli_options *options)
{
    if (!path || cli_ranks_follow())
        return 0;
    if (!*path)
        return cli_fail(CLI_EXIT_USAGE, "%s: expected a file, found ''", who);
    if (strcmp(path, "-") == 0)
        return cli_fail(
            CLI_EXIT_USAGE,
            "%s: expected a file, found '-': standard output is /dev/stdout, and a file "
            "of that name ./-",
            who);
    if (is_written_as_it_is(path, kind))
        return 0;
    if (is_folder(path))
        return cli_fail(CLI_EXIT_FAILURE,
                        "%s: %s: expected a file to replace, found a folder: move it, or give "
                        "another name",
                        who, path);
    const char *read = is_lost_when_replaced(path) ? find_read(path, options) : NULL;
    if (read)
        return cli_fail(CLI_EXIT_USAGE, "%s: %s is %s: give another name", who, path, read);
    bool same = true;
    int reason = is_lost_when_replaced(path) ? compare_kind(&same, path, kind) : 0;
    if (reason != 0)
        return cli_fail(CLI_EXIT_FAILURE,
                        "%s: %s is there already, and cannot be read: %s: give another name", who,
                        path, strerror(reason));
    if (!same)
        return cli_fail(CLI_EXIT_USAGE, "%s: %s is there already, and no %s: give another name",
                        who, path, kinds[kind].name);
    reason = cli_out_file_try(path);
    if (reason == 0)
        return 0;
    return cli_fail(CLI_EXIT_FAILURE,
                    "%s: %s cannot be written in its folder: %s: give another name", who, path,
                    strerror(reason));
}

static bool is_class(const cnn_dataset *dataset, const char *name, size_t length)
{
    for (int label = 0; label < cnn_dataset_class_count(dataset); label++) {
        const char *class = cnn_dataset_class_name(dataset, label);
        if (strlen(class) == length && strncmp(class, name, length) == 0)
            return true;
    }
    return false;
}

/* Is one of the folders a class's? "/train/cat" */
static bool leads_to_class(const cnn_dataset *dataset, const char *folders)
{
    while (*folders) {
        folders += strspn(folders, "/");
        size_t length = strcspn(folders, "/");
        if (length > 0 && is_class(dataset, folders, length))
            return true;
        folders += length;
    }
    return false;
}

int cli_out_file_check_data(const char *who, const char *path, const cnn_dataset *dataset)
{
    if (!path || cli_ranks_follow() || !cnn_dataset_is_of_pictures(dataset, NULL) ||
        !is_lost_when_replaced(path))
        return 0;
    char *folder = cli_out_file_folder(path), *real = folder ? realpath(folder, NULL) : NULL;
    char *data = realpath(cnn_dataset_source(dataset), NULL);
    size_t length = data ? strlen(data) : 0;
    bool inside = real && data && strncmp(real, data, length) == 0 && real[length] == '/' &&
                  leads_to_class(dataset, real + length);
    free(folder);
    free(real);
    free(data);
    if (!inside)
        return 0;
    return cli_fail(CLI_EXIT_USAGE, "%s: %s is a picture of the data in %s: give another name", who,
                    path, cnn_dataset_source(dataset));
}
