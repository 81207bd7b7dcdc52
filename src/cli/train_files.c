/* The files of a training run. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out_file.h"
#include "cli/output.h"
#include "cli/train_run.h"

/* What a file tells of: the run; the model as it is then; the same, and 'report' writes it, too. */
typedef enum subject { OF_RUN, OF_MODEL, OF_REPORT } subject;

static const struct {
    const char *ending;
    bool is_named; /* after the run, whose name stands before the ending */
    subject subject;
} kinds[TRAIN_FILES] = {
    [TRAIN_MODEL] = {".safetensors", .is_named = true},
    [TRAIN_PICTURE] = {"predictions.png", .subject = OF_MODEL},
    [TRAIN_AUGMENTED] = {"augmented.png", .subject = OF_MODEL},
    [TRAIN_REPORT] = {"report.html", .subject = OF_REPORT},
    [TRAIN_CURVES] = {"curves.svg", .subject = OF_REPORT},
    [TRAIN_CONFUSION] = {"confusion.png", .subject = OF_REPORT},
    [TRAIN_FILTERS] = {"filters.png", .subject = OF_REPORT},
    [TRAIN_BEST] = {".best.safetensors", .is_named = true},
    [TRAIN_CHECKPOINT] = {".ckpt.safetensors", .is_named = true},
    [TRAIN_PREVIOUS] = {".ckpt.prev.safetensors", .is_named = true},
    [TRAIN_METRICS] = {".metrics.csv", .is_named = true},
    [TRAIN_RUN] = {".run.json", .is_named = true},
    [TRAIN_LOCK] = {.ending = ".cnn-cl.lock"},
};

int cli_train_files_init(train_files *files, const char *out, const char *name)
{
    files->folder = out ? cli_concatenate((const char *[]){out, NULL})
                        : cli_concatenate((const char *[]){"runs/", name, NULL});
    for (int i = 0; files->folder && i < TRAIN_FILES; i++) {
        const char *parts[] = {files->folder, "/", kinds[i].is_named ? name : "", kinds[i].ending,
                               NULL};
        files->paths[i] = cli_concatenate(parts);
        if (!files->paths[i])
            return CLI_EXIT_FAILURE;
    }
    return files->folder ? 0 : CLI_EXIT_FAILURE;
}

void cli_train_files_finish(train_files *files)
{
    for (int i = 0; i < TRAIN_FILES; i++)
        free(files->paths[i]);
    free(files->folder);
    memset(files, 0, sizeof *files);
}

/* Is it the path of a file of the run, however that is written? Their folder is there. */
static bool is_of_run(const char *path, const train_files *files)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *folder = cli_out_file_folder(path);
    bool same = folder && cli_is_same_file(folder, files->folder), found = false;
    for (int i = 0; same && !found && i < TRAIN_FILES; i++)
        found = strcmp(name, strrchr(files->paths[i], '/') + 1) == 0;
    free(folder);
    return found;
}

int cli_train_files_check(const train_files *files, const cli_options *options)
{
    const char *written[TRAIN_LOCK + 1] = {NULL}; /* the lock is the last, and taken already */
    const char *log = options->log_json;
    cli_out_folder made = {0};
    int code = 0;
    for (int i = 0; i < TRAIN_LOCK; i++)
        written[i] = files->paths[i];
    CLI_TRY(cli_out_folder_make(&made, files->folder));
    CLI_TRY(cli_out_folder_check(files->folder, written, options->no_clobber));
    if (log && is_of_run(log, files))
        code = cli_fail(CLI_EXIT_USAGE,
                        "--log-json: %s is another file of the run: give another name", log);
    else
        code = cli_out_file_check("--log-json", log, CLI_FILE_LOG, options);
out:
    cli_out_folder_leave(&made, true);
    return code;
}

int cli_train_files_check_page(const train_files *files, const cli_options *options)
{
    int code = 0;
    for (int i = 0; code == 0 && i < TRAIN_FILES; i++)
        if (kinds[i].subject == OF_REPORT)
            code = cli_out_file_check("report", files->paths[i], CLI_FILE_ANY, options);
    return code;
}

void cli_train_files_remove_page(const train_files *files, bool augments)
{
    for (int i = 0; i < TRAIN_FILES; i++)
        if (kinds[i].subject != OF_RUN && !(augments && i == TRAIN_AUGMENTED))
            (void)unlink(files->paths[i]);
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

/* The names of runs in a folder, as a list. */
typedef struct run_names {
    char *first, *list; /* "cat, dog" */
    int count;
} run_names;

static int add_name(run_names *names, const char *entry, size_t length)
{
    char *name = cli_concatenate((const char *[]){entry, NULL}), *longer = NULL;
    if (name) {
        name[length] = '\0';
        longer = names->list ? cli_concatenate((const char *[]){names->list, ", ", name, NULL})
                             : cli_concatenate((const char *[]){name, NULL});
    }
    if (!longer) {
        free(name);
        return CLI_EXIT_FAILURE;
    }
    free(names->list);
    names->list = longer;
    if (names->count++ == 0)
        names->first = name;
    else
        free(name);
    return 0;
}

/* Of a checkpoint, or of one before where there is no other. */
static int add_run(run_names *names, const char *folder, const char *entry)
{
    const char *ending = kinds[TRAIN_CHECKPOINT].ending, *previous = kinds[TRAIN_PREVIOUS].ending;
    if (cli_ends_with(entry, ending))
        return add_name(names, entry, strlen(entry) - strlen(ending));
    if (!cli_ends_with(entry, previous))
        return 0;
    char *other = cli_concatenate((const char *[]){folder, "/", entry, NULL});
    if (!other)
        return CLI_EXIT_FAILURE;
    memcpy(other + strlen(other) - strlen(previous), ending, strlen(ending) + 1);
    bool alone = access(other, F_OK) != 0;
    free(other);
    return alone ? add_name(names, entry, strlen(entry) - strlen(previous)) : 0;
}

int cli_train_only_run(char **name, const char *path)
{
    run_names names = {0};
    struct dirent **entries = NULL;
    int code = 0, count = scandir(path, &entries, NULL, alphasort); /* -1: no folder */
    *name = NULL;
    for (int i = 0; i < count; i++) {
        if (code == 0)
            code = add_run(&names, path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (code == 0 && names.count > 1)
        code = cli_fail(CLI_EXIT_USAGE,
                        "--resume: %s: expected one run, found %d (%s): name one with --name", path,
                        names.count, names.list);
    if (code == 0)
        *name = names.first;
    else
        free(names.first);
    free(names.list);
    return code;
}

void cli_train_files_clean(const train_files *files)
{
    DIR *folder = opendir(files->folder);
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        for (int i = 0; i < TRAIN_FILES; i++)
            if (is_left_over(entry->d_name, files->paths[i]))
                (void)unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}
