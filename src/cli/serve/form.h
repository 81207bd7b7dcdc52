/* Forms as browsers and `curl -F` send them: multipart/form-data, RFC 7578. */
#ifndef CLI_SERVE_FORM_H
#define CLI_SERVE_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* Does a request's body begin as a form? */
bool cli_form_is(const void *data, size_t size);
/* The content of the form's first file, within data. False where it has none that ends. */
bool cli_form_find_file(const void **file, size_t *file_size, const void *data, size_t size);

#endif
