/* The files of a training run. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out_folder.h"
#include "cli/output.h"
#include "cli/train_run.h"

enum { FILES = 8 };

static void list_files(char **list[FILES], train_files *files)
{
    char **const all[FILES] = {&files->model,   &files->best, &files->checkpoint, &files->previous,
                               &files->metrics, &files->run,  &files->picture,    &files->report};
    memcpy(list, all, sizeof all);
}

int cli_train_files_init(train_files *files, const char *out, const char *name)
{
    static const struct {
        const char *name; /* behind the run's name, or by itself */
        bool fixed;
    } names[FILES] = {
        {".safetensors", false},      {".best.safetensors", false},
        {".ckpt.safetensors", false}, {".ckpt.prev.safetensors", false},
        {".metrics.csv", false},      {".run.json", false},
        {"predictions.png", true},    {"report.html", true},
    };
    char **list[FILES];
    files->folder = out ? cli_concatenate((const char *[]){out, NULL})
                        : cli_concatenate((const char *[]){"runs/", name, NULL});
    if (!files->folder)
        return CLI_EXIT_FAILURE;
    list_files(list, files);
    for (int i = 0; i < FILES; i++) {
        const char *first = names[i].fixed ? "" : name;
        *list[i] =
            cli_concatenate((const char *[]){files->folder, "/", first, names[i].name, NULL});
        if (!*list[i])
            return CLI_EXIT_FAILURE;
    }
    return 0;
}

void cli_train_files_finish(train_files *files)
{
    char **list[FILES];
    list_files(list, files);
    for (int i = 0; i < FILES; i++)
        free(*list[i]);
    free(files->folder);
    memset(files, 0, sizeof *files);
}

int cli_train_files_check(const train_files *files, bool no_clobber)
{
    const char *const list[] = {files->model,      files->picture,  files->best,
                                files->checkpoint, files->previous, files->metrics,
                                files->run,        files->report,   NULL};
    return cli_out_folder_check(files->folder, list, no_clobber);
}

/* Is `entry` the name of a file of this run, and ".PID-N.tmp" behind it, of a process that is gone?
 */
static bool is_left_over(const char *entry, const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    size_t length = strlen(name), whole = strlen(entry);
    char *end;
    if (strncmp(entry, name, length) != 0 || entry[length] != '.' || whole < 4 ||
        strcmp(entry + whole - 4, ".tmp") != 0)
        return false;
    long process = strtol(entry + length + 1, &end, 10);
    return *end == '-' && process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

void cli_train_files_clean(const train_files *files)
{
    const char *const list[] = {files->model,      files->picture,  files->best,
                                files->checkpoint, files->previous, files->metrics,
                                files->run,        files->report,   NULL};
    DIR *folder = opendir(files->folder);
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        for (const char *const *path = list; *path; path++)
            if (is_left_over(entry->d_name, *path))
                (void)unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}
