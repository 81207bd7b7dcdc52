#include "cli/serve/form.h"

#include <string.h>
#include <strings.h>

/* Where the text begins; NULL where it is not there. */
static const char *find(const char *data, size_t size, const char *text, size_t length)
{
    for (const char *at = data; size >= length && at <= data + size - length; at++) {
        at = memchr(at, text[0], (size_t)(data + size - at) - length + 1);
        if (!at)
            return NULL;
        if (memcmp(at, text, length) == 0)
            return at;
    }
    return NULL;
}

#define FIND(data, size, text) find(data, size, text, sizeof(text) - 1)

/* A boundary of RFC 2046: two dashes and at most 70 characters, ended by the line. */
static size_t boundary_length(const char *data, size_t size)
{
    enum { MOST = 72 };
    const char *end = FIND(data, size < MOST + 2 ? size : MOST + 2, "\r\n");
    return size > 2 && memcmp(data, "--", 2) == 0 && end ? (size_t)(end - data) : 0;
}

static bool has_header(const char *headers, size_t size)
{
    static const char name[] = "\r\nContent-Disposition: form-data";
    for (size_t i = 0; i + sizeof name - 1 <= size; i++)
        if (strncasecmp(headers + i, name, sizeof name - 1) == 0)
            return true;
    return false;
}

bool cli_form_is(const void *data, size_t size)
{
    size_t boundary = boundary_length(data, size);
    const char *rest = (const char *)data + boundary;
    const char *end = boundary > 0 ? FIND(rest, size - boundary, "\r\n\r\n") : NULL;
    return end && has_header(rest, (size_t)(end - rest));
}

/* Parts follow each other: the boundary, headers, an empty line, the content, CR LF. */
bool cli_form_find_file(const void **file, size_t *file_size, const void *data, size_t size)
{
    const char *text = data, *at = data, *end = text + size;
    size_t boundary = boundary_length(data, size);
    char mark[80] = "\r\n";
    memcpy(mark + 2, text, boundary);
    while (at) {
        const char *content = FIND(at, (size_t)(end - at), "\r\n\r\n");
        if (!content)
            return false;
        bool is_file = FIND(at, (size_t)(content - at), "filename") != NULL;
        content += strlen("\r\n\r\n");
        const char *next = find(content, (size_t)(end - content), mark, boundary + 2);
        if (is_file && next) {
            *file = content;
            *file_size = (size_t)(next - content);
            return true;
        }
        at = next ? next + boundary + 2 : NULL;
    }
    return false;
}
