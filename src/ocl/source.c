/* Expands includes here, because -I paths with blanks or quotes break several drivers. */
#include "ocl/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

enum { MAX_FILES = 64, MAX_NAME = 128, MAX_BYTES = 1 << 20 };

struct expansion {
    const char *folder;
    cnn_text text;
    char names[MAX_FILES][MAX_NAME]; /* the files that were taken */
    int count;
};

/* False where the file was taken before, or there is no room: *full. */
static bool take_name(struct expansion *expansion, const char *name, bool *full)
{
    for (int i = 0; i < expansion->count; i++)
        if (strcmp(expansion->names[i], name) == 0)
            return false;
    *full = expansion->count == MAX_FILES;
    if (!*full)
        strcpy(expansion->names[expansion->count++], name);
    return !*full;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* Is the line an `#include "name"`? */
static bool parse_include(char name[MAX_NAME], const char *line, const char *end)
{
    static const char keyword[] = "include";
    const size_t length = sizeof keyword - 1;
    const char *at = skip_blanks(line, end);
    if (at == end || *at != '#')
        return false;
    at = skip_blanks(at + 1, end);
    if ((size_t)(end - at) < length || memcmp(at, keyword, length) != 0)
        return false;
    at = skip_blanks(at + length, end);
    if (at == end || *at != '"')
        return false;
    at++;
    const char *quote = memchr(at, '"', (size_t)(end - at));
    if (!quote || (size_t)(quote - at) >= MAX_NAME)
        return false;
    memcpy(name, at, (size_t)(quote - at));
    name[quote - at] = '\0';
    return true;
}

/* Reads a kernel file; `from` and `line` are where it is included, NULL for the outermost. */
static cnn_status read_source(char **data, size_t *size, const char *folder, const char *name,
                              const char *from, int line)
{
    char *path;
    cnn_status status = cnn_path_join(&path, folder, name);
    if (status != CNN_OK)
        return status;
    void *bytes = NULL;
    if (cnn_file_exists(path))
        status = cnn_file_read(&bytes, size, path, MAX_BYTES);
    else if (from)
        status = cnn_fail(CNN_ERROR_KERNEL, "%s: no such kernel file, included at %s:%d", path,
                          from, line);
    else
        status = cnn_fail(CNN_ERROR_KERNEL,
                          "%s: no such kernel file; CNN_CL_KERNEL_DIR can name the folder of the "
                          "kernels",
                          path);
    *data = bytes;
    free(path);
    return status;
}

static cnn_status expand(struct expansion *expansion, const char *name, const char *from,
                         int from_line)
{
    bool full = false;
    if (!take_name(expansion, name, &full))
        return full ? cnn_fail(CNN_ERROR_KERNEL, "%s: more than %d kernel files included", name,
                               MAX_FILES)
                    : CNN_OK;
    cnn_status status = CNN_OK;
    char *data = NULL;
    size_t size = 0;
    CNN_TRY(read_source(&data, &size, expansion->folder, name, from, from_line));
    cnn_text_append(&expansion->text, "#line 1 \"%s\"\n", name);
    int line = 1;
    for (const char *at = data, *end = data + size; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        char included[MAX_NAME];
        if (parse_include(included, at, stop)) {
            CNN_TRY(expand(expansion, included, name, line));
            cnn_text_append(&expansion->text, "#line %d \"%s\"\n", line + 1, name);
        } else {
            cnn_text_append_bytes(&expansion->text, at, (size_t)(stop - at));
            cnn_text_append(&expansion->text, "\n");
        }
        at = newline ? newline + 1 : end;
    }

out:
    free(data);
    return status;
}

/* A folder of kernels may do without: compilers know the functions, too. */
static cnn_status expand_builtins(struct expansion *expansion)
{
    static const char name[] = "builtins.cl";
    char *path;
    cnn_status status = cnn_path_join(&path, expansion->folder, name);
    if (status == CNN_OK && cnn_file_exists(path))
        status = expand(expansion, name, NULL, 0);
    free(path);
    return status;
}

cnn_status cnn_source_load(char **source, const char *folder, const char *file)
{
    *source = NULL;
    struct expansion *expansion;
    cnn_status status = cnn_allocate(&expansion, 1, sizeof *expansion, "a kernel's source");
    if (status != CNN_OK)
        return status;
    expansion->folder = folder;
    /* Compilers make one operation of a * b + c else, where they can. */
    cnn_text_append(&expansion->text, "#ifdef EXACT\n#pragma OPENCL FP_CONTRACT OFF\n#endif\n");
    status = expand_builtins(expansion);
    if (status == CNN_OK && strlen(file) >= MAX_NAME)
        status = cnn_fail(CNN_ERROR_KERNEL, "%s: a kernel file's name is at most %d characters",
                          file, MAX_NAME - 1);
    if (status == CNN_OK)
        status = expand(expansion, file, NULL, 0);
    if (status == CNN_OK)
        status = cnn_text_take(source, &expansion->text);
    cnn_text_finish(&expansion->text);
    free(expansion);
    return status;
}
