#include "cli/out_folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/out_file.h"
#include "cli/output.h"
#include "cli/session.h"

/* The length of the next longer leading part of a path that is a folder's name. */
static size_t next_part(const char *path, size_t length)
{
    length += strspn(path + length, "/");
    return length + strcspn(path + length, "/");
}

/* Makes what is missing of a path. *made is the length of the first part that was, 0 for none. */
static int make_parts(char *path, size_t *made)
{
    size_t total = strlen(path);
    *made = 0;
    for (size_t length = next_part(path, 0);; length = next_part(path, length)) {
        char kept = path[length];
        path[length] = '\0';
        int failed = mkdir(path, 0777) != 0 ? errno : 0;
        if (failed == 0 && *made == 0)
            *made = length;
        path[length] = kept;
        if (failed != 0 && failed != EEXIST)
            return cli_fail(CLI_EXIT_FAILURE,
                            "%s: the folder cannot be made: %s: give another --out", path,
                            strerror(failed));
        if (length + strspn(path + length, "/") >= total)
            return 0;
    }
}

/* Of the parts that were made those that are empty. */
static void remove_parts(char *path, size_t made)
{
    size_t length = strlen(path);
    while (made > 0 && length >= made) {
        path[length] = '\0';
        rmdir(path);
        while (length > 0 && path[length - 1] != '/')
            length--;
        while (length > 0 && path[length - 1] == '/')
            length--;
    }
}

static int check_file(const char *path, bool no_clobber)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return 0;
    if (S_ISDIR(info.st_mode))
        return cli_fail(CLI_EXIT_FAILURE,
                        "%s: expected a file to replace, found a folder: give "
                        "another --out or --name",
                        path);
    if (no_clobber)
        return cli_fail(CLI_EXIT_FAILURE,
                        "%s: is there already: give another --out, or leave --no-clobber out",
                        path);
    return 0;
}

int cli_out_folder_make(cli_out_folder *made, const char *folder)
{
    *made = (cli_out_folder){.path = cli_concatenate((const char *[]){folder, NULL})};
    return made->path ? make_parts(made->path, &made->made) : CLI_EXIT_FAILURE;
}

void cli_out_folder_leave(cli_out_folder *made, bool unused)
{
    if (made->path && unused)
        remove_parts(made->path, made->made);
    free(made->path);
    *made = (cli_out_folder){0};
}

int cli_out_folder_check(const char *folder, const char *const *files, bool no_clobber)
{
    char *start = cli_concatenate((const char *[]){folder, "/", NULL});
    if (!start)
        return CLI_EXIT_FAILURE;
    int code = 0, reason = cli_out_file_try(start);
    if (reason != 0)
        code =
            cli_fail(CLI_EXIT_FAILURE, "%s: no file can be written there: %s: give another --out",
                     folder, strerror(reason));
    for (; code == 0 && *files; files++)
        code = check_file(*files, no_clobber);
    free(start);
    return code;
}
