/* Forms as browsers and `curl -F` send them: multipart/form-data, RFC 7578. */
#ifndef CLI_SERVE_FORM_H
#define CLI_SERVE_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* Does a request's body begin as a form? */
bool cli_form_is(const void *data, size_t size);
/* The content of the form's first file, within data. Returns how many there are that end and are
 * not empty, as a field is where nothing was chosen; where there is none the outputs stay as they
 * are. */
int cli_form_find_files(const void **file, size_t *file_size, const void *data, size_t size);

#endif
