/* The names of classes: labels.txt. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "data/folder.h"

enum { MOST_TEXT = 1 << 20 };

/* H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017, table 2. */
static const char *const fashion_names[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                            "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                            "Bag",         "Ankle boot"};

static bool is_same_folder(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* jansson takes nothing but UTF-8, which is what pictures and pages need. */
static bool is_text(const char *line)
{
    for (const char *at = line; *at; at++)
        if ((unsigned char)*at < ' ' || *at == '\x7f')
            return false;
    json_t *string = json_string(line);
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

static cnn_status split_lines(const char *names[CNN_CLASS_LIMIT], int *count, char *text,
                              const char *path)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors open UTF-8 files with it */
    char *line = cnn_starts_with(text, mark) ? text + strlen(mark) : text;
    *count = 0;
    while (line && *line) {
        char *next = cut_line(line);
        if (*count == CNN_CLASS_LIMIT)
            return cnn_fail(CNN_ERROR_DATA, "%s: expected at most %d names, found more", path,
                            CNN_CLASS_LIMIT);
        if (!*line || !is_text(line))
            return cnn_fail(CNN_ERROR_DATA, "%s: line %d: expected a class's name in UTF-8, %s",
                            path, *count + 1, *line ? "found other bytes" : "found nothing");
        names[(*count)++] = line;
        line = next;
    }
    return CNN_OK;
}

static cnn_status read_names(char **text, const char *names[CNN_CLASS_LIMIT], int *count,
                             const char *path)
{
    void *data = NULL;
    size_t size;
    cnn_status status = cnn_file_read(&data, &size, path, MOST_TEXT);
    if (status != CNN_OK)
        return status;
    *text = data;
    if (memchr(data, '\0', size))
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected text, one class's name a line, found a zero "
                        "byte",
                        path);
    return split_lines(names, count, *text, path);
}

cnn_status cnn_labels_read(char **text, const char *names[CNN_CLASS_LIMIT], int *count,
                           const char *directory, int class_count)
{
    *text = NULL;
    *count = 0;
    cnn_status status = CNN_OK;
    char *path = NULL;
    CNN_TRY(cnn_path_join(&path, directory, "labels.txt"));
    if (cnn_file_exists(path)) {
        CNN_TRY(read_names(text, names, count, path));
        if (*count < class_count)
            status = cnn_fail(CNN_ERROR_DATA,
                              "%s: expected %d names, one a line, as the labels go up to %d, found "
                              "%d",
                              path, class_count, class_count - 1, *count);
    } else if (is_same_folder(directory, CNN_DEBIAN_FASHION_MNIST)) {
        *count = (int)(sizeof fashion_names / sizeof fashion_names[0]);
        memcpy(names, fashion_names, sizeof fashion_names);
    }
out:
    free(path);
    if (status != CNN_OK) {
        free(*text);
        *text = NULL;
        *count = 0;
    }
    return status;
}
