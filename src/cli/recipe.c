#include "cli/recipe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/option_rows.h"
#include "cli/output.h"

enum { MOST_BYTES = 1 << 16 };

static const char blanks[] = " \t\r";

bool cli_recipe_is_path(const char *recipe)
{
    static const char ending[] = ".recipe";
    size_t length = strlen(recipe), tail = sizeof ending - 1;
    return strchr(recipe, '/') || (length > tail && strcmp(recipe + length - tail, ending) == 0);
}

/* The whole file as text in memory of options, whose options point into it. */
static int read_text(cli_options *options, const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) /* a pipe would be waited for */
        return cli_fail(CLI_EXIT_USAGE, "--recipe: %s: expected a regular file", path);
    FILE *file = fopen(path, "rb");
    if (!file)
        return cli_fail(CLI_EXIT_USAGE, "--recipe: %s: cannot be opened: %s", path,
                        strerror(errno));
    options->recipe_text = malloc(MOST_BYTES + 1);
    size_t size = options->recipe_text ? fread(options->recipe_text, 1, MOST_BYTES + 1, file) : 0;
    bool failed = ferror(file) != 0;
    fclose(file);
    if (!options->recipe_text)
        return cli_fail(CLI_EXIT_FAILURE, "%s: out of memory", path);
    if (failed || size > MOST_BYTES || memchr(options->recipe_text, '\0', size))
        return cli_fail(CLI_EXIT_USAGE,
                        "--recipe: %s: expected options of train, one a line, found no such text",
                        path);
    options->recipe_text[size] = '\0';
    return 0;
}

/* What describes a network of the family. */
static const char *const family[] = {"cdims", "hdims", "ksize",  "batchnorm",
                                     "xdim",  "ydim",  "dropout"};
enum { FAMILY = sizeof family / sizeof family[0] };

static bool is_of_family(const char *name)
{
    for (int i = 0; i < FAMILY; i++)
        if (strcmp(family[i], name) == 0)
            return true;
    return false;
}

/* Options that a recipe gives for another one, which the command line gives in its place. */
static bool is_moot(const bool *given, const char *name)
{
    static const char *const pairs[][2] = {
        {"net", "cdims"},          {"net", "hdims"},       {"net", "ksize"},
        {"net", "batchnorm"},      {"net", "dropout"},     {"cdims", "net"},
        {"hdims", "net"},          {"ksize", "net"},       {"batchnorm", "net"},
        {"dropout", "net"},        {"model", "net"},       {"optimizer", "momentum"},
        {"optimizer", "nesterov"}, {"schedule", "warmup"}, {"schedule", "fixed-momentum"},
        {"model", "init"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strcmp(pairs[i][1], name) == 0 && given[cli_option_find(pairs[i][0])])
            return true;
    if (is_of_family(name) && given[cli_option_find("model")])
        return true;
    return given[cli_option_find(name)];
}

/* Those that a recipe cannot be about. */
static bool is_refused(const cli_option_row *row)
{
    static const char *const refused[] = {"recipe", "resume", "resume-from", "help"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(row->name, refused[i]) == 0)
            return true;
    return !(row->group & (CLI_GLOBAL | CLI_DATA | CLI_PREPARE | CLI_TRAIN | CLI_BATCH | CLI_FUSE |
                           CLI_MODEL | CLI_NETWORK));
}

/* "--name value", "name value" or "name = value"; given: by the command line. */
static int take_line(cli_options *options, char *line, const bool *given, const char *where)
{
    char *name = line + strspn(line, "-");
    char *value = name + strcspn(name, " \t=");
    if (*value)
        *value++ = '\0';
    value += strspn(value, " \t");
    if (*value == '=')
        value += 1 + strspn(value + 1, " \t");
    int index = cli_option_find(name);
    if (index < 0 || is_refused(&cli_option_rows[index]))
        return cli_fail(CLI_EXIT_USAGE,
                        "%s: expected an option of train, found '%s': see 'cnn-cl train --help'",
                        where, name);
    const cli_option_row *row = &cli_option_rows[index];
    if (row->argument && !*value)
        return cli_fail(CLI_EXIT_USAGE, "%s: --%s: a value is missing: give %s", where, name,
                        row->argument);
    if (!row->argument && *value)
        return cli_fail(CLI_EXIT_USAGE, "%s: --%s takes no value, found '%s'", where, name, value);
    if (is_moot(given, name))
        return 0;
    options->given[index] = options->of_recipe[index] = true;
    return cli_option_take(options, row, row->argument ? value : NULL, where);
}

/* Without the blanks at both ends, and what stands behind a '#'. */
static char *trim(char *line)
{
    line += strspn(line, blanks);
    char *end = line + strlen(line);
    for (char *at = line; *at; at++)
        if (*at == '#' && (at == line || strchr(blanks, at[-1]))) {
            end = at;
            break;
        }
    while (end > line && strchr(blanks, end[-1]))
        end--;
    *end = '\0';
    return line;
}

static int take_lines(cli_options *options, const char *path)
{
    bool given[CLI_MAX_OPTIONS];
    int code = 0, number = 1;
    memcpy(given, options->given, sizeof given);
    char *first = options->recipe_text;
    if (strncmp(first, "\xef\xbb\xbf", 3) == 0) /* some editors begin UTF-8 files with it */
        first += 3;
    for (char *line = first, *next; code == 0 && line; line = next, number++) {
        char where[512];
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line = trim(line);
        snprintf(where, sizeof where, "%s: line %d", path, number);
        if (*line)
            code = take_line(options, line, given, where);
    }
    return code;
}

void cli_recipe_forget(cli_options *options)
{
    for (int i = 0; cli_option_rows[i].name; i++)
        options->given[i] = options->given[i] && !options->of_recipe[i];
    if (!cli_option_is_given(options, "net"))
        options->net = NULL;
    if (!cli_option_is_given(options, "init"))
        options->init = NULL;
    if (!cli_option_is_given(options, "normalize"))
        options->normalize = NULL;
    options->fit_given = cli_option_is_given(options, "fit");
    if (!cli_option_is_given(options, "size"))
        options->prepare.height = options->prepare.width = 0;
    options->network_given = NULL;
    for (int i = 0; i < FAMILY; i++)
        if (cli_option_is_given(options, family[i]))
            options->network_given = family[i];
}

/* Options that say nothing of the network, its training or the preparation of pictures. */
static bool is_beside(const cli_option_row *row)
{
    static const char *const names[] = {
        "data",     "out",          "name",        "no-clobber", "log-json", "checkpoint-every",
        "stream",   "trust-device", "skip-broken", "no-cache",   "help",     "checkpoint-steps",
        "sentinel",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(row->name, names[i]) == 0)
            return true;
    return row->group == CLI_GLOBAL;
}

int cli_recipe_take_untold(cli_options *options)
{
    bool pictures = false;
    if (!options->command || !(options->command->groups & CLI_TRAIN))
        return 0;
    for (int i = 0; cli_option_rows[i].name; i++)
        if (options->given[i] && !is_beside(&cli_option_rows[i]))
            return 0;
    int code = cli_check(cnn_dataset_is_folder_of_pictures(&pictures, options->data));
    if (code != 0 || !pictures)
        return code;
    options->untold_recipe = "folder";
    return cli_recipe_take(options, options->untold_recipe);
}

int cli_recipe_take(cli_options *options, const char *recipe)
{
    char *path = NULL;
    int code = 0;
    if (!cli_recipe_is_path(recipe))
        CLI_TRY(cli_check(cnn_recipe_preset(&path, recipe)));
    CLI_TRY(read_text(options, path ? path : recipe));
    code = take_lines(options, path ? path : recipe);
out:
    cnn_string_free(path);
    return code;
}
