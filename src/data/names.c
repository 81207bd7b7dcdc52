#include "data/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

enum { MOST_TEXT = 1 << 24, FIRST_ROOM = 16 };

cnn_status cnn_names_add(cnn_names *names, const char *name)
{
    size_t size = strlen(name) + 1;
    if (names->count == names->room) {
        int room = names->room ? 2 * names->room : FIRST_ROOM;
        char **larger = realloc(names->at, (size_t)room * sizeof *larger);
        if (!larger)
            return cnn_fail_memory((size_t)room * sizeof *larger, "the classes' names");
        names->at = larger;
        names->room = room;
    }
    char *copy;
    cnn_status status = cnn_allocate(&copy, size, 1, "a class's name");
    if (status != CNN_OK)
        return status;
    memcpy(copy, name, size);
    names->at[names->count++] = copy;
    return CNN_OK;
}

void cnn_names_finish(cnn_names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->at);
    *names = (cnn_names){0};
}

int cnn_names_find(const cnn_names *names, const char *name, int from)
{
    for (int i = from; i < names->count; i++)
        if (strcmp(names->at[i], name) == 0)
            return i;
    return -1;
}

/* jansson takes nothing but UTF-8, which is what pictures and pages need. */
bool cnn_is_line(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == '\x7f')
            return false;
    json_t *string = json_string(text);
    bool good = string != NULL;
    json_decref(string);
    return good;
}

/* Ends the line at `line` and returns the next one, NULL behind the last. */
static char *cut_line(char *line)
{
    char *end = line + strcspn(line, "\n");
    char *next = *end ? end + 1 : NULL;
    *end = '\0';
    while (end > line && strchr(" \t\r", end[-1]))
        *--end = '\0';
    return next && *next ? next : NULL;
}

/* Is there anything but blank lines? */
static bool has_more(const char *lines)
{
    return lines && lines[strspn(lines, " \t\r\n")] != '\0';
}

static cnn_status split_lines(cnn_names *names, char *text, const char *path, int limit)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors open UTF-8 files with it */
    char *line = cnn_starts_with(text, mark) ? text + strlen(mark) : text;
    cnn_status status = CNN_OK;
    while (status == CNN_OK && line && *line) {
        char *next = cut_line(line);
        if (!*line && !has_more(next))
            return CNN_OK;
        if (names->count == limit)
            return cnn_fail(CNN_ERROR_DATA, "%s: expected at most %d names, found more", path,
                            limit);
        if (!*line || !cnn_is_line(line))
            return cnn_fail(CNN_ERROR_DATA, "%s: line %d: expected a class's name in UTF-8, %s",
                            path, names->count + 1, *line ? "found other bytes" : "found nothing");
        status = cnn_names_add(names, line);
        line = next;
    }
    return status;
}

cnn_status cnn_names_read(cnn_names *names, const char *path, int limit)
{
    void *data = NULL;
    size_t size;
    cnn_status status = cnn_file_read(&data, &size, path, MOST_TEXT);
    if (status != CNN_OK)
        return status;
    if (memchr(data, '\0', size))
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected text, one class's name a line, found a zero byte", path);
    else
        status = split_lines(names, data, path, limit);
    free(data);
    return status;
}
