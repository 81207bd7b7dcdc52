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

/* A boundary of RFC 2046: two dashes and at most 70 characters, and blanks up to the line's end. */
static size_t boundary_length(const char *data, size_t size)
{
    enum { MOST = 72, BLANKS = 64 };
    const char *end = FIND(data, size < MOST + BLANKS + 2 ? size : MOST + BLANKS + 2, "\r\n");
    if (size <= 2 || memcmp(data, "--", 2) != 0 || !end)
        return 0;
    size_t length = (size_t)(end - data);
    while (length > 2 && (data[length - 1] == ' ' || data[length - 1] == '\t'))
        length--;
    return length <= MOST ? length : 0;
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

/* Is there a parameter `filename` among the headers of a part, outside of quotes? */
static bool names_file(const char *headers, size_t size)
{
    static const char name[] = "filename";
    bool quoted = false;
    for (size_t i = 0; i + sizeof name <= size; i++) {
        quoted = quoted != (headers[i] == '"' && (i == 0 || headers[i - 1] != '\\'));
        bool begins = i > 0 && strchr("; \t", headers[i - 1]) && headers[i - 1];
        if (!quoted && begins && strncasecmp(headers + i, name, sizeof name - 1) == 0 &&
            strchr("*=", headers[i + sizeof name - 1]) && headers[i + sizeof name - 1])
            return true;
    }
    return false;
}

/* Where the boundary's line begins: behind it stand two dashes, or blanks and the line's end. */
static const char *find_mark(const char *data, const char *end, const char *mark, size_t length)
{
    for (const char *at = find(data, (size_t)(end - data), mark, length); at;
         at = find(at + 1, (size_t)(end - at) - 1, mark, length)) {
        const char *behind = at + length;
        if (end - behind >= 2 && memcmp(behind, "--", 2) == 0)
            return at;
        while (behind < end && (*behind == ' ' || *behind == '\t'))
            behind++;
        if (end - behind >= 2 && memcmp(behind, "\r\n", 2) == 0)
            return at;
    }
    return NULL;
}

/* Parts follow each other: the boundary, headers, an empty line, the content, CR LF. */
int cli_form_find_files(const void **file, size_t *file_size, const void *data, size_t size)
{
    const char *text = data, *at = data, *end = text + size;
    size_t boundary = boundary_length(data, size);
    int count = 0;
    char mark[80] = "\r\n";
    memcpy(mark + 2, text, boundary);
    while (at) {
        const char *content = FIND(at, (size_t)(end - at), "\r\n\r\n");
        if (!content)
            return count;
        bool is_file = names_file(at, (size_t)(content - at));
        content += strlen("\r\n\r\n");
        const char *next = find_mark(content, end, mark, boundary + 2);
        if (is_file && next && next > content && count++ == 0) {
            *file = content;
            *file_size = (size_t)(next - content);
        }
        at = next ? next + boundary + 2 : NULL;
    }
    return count;
}
