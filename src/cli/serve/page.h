/* page.html, with page.css and page.js in it, as it is built into the program by embed_page.py. */
#ifndef CLI_SERVE_PAGE_H
#define CLI_SERVE_PAGE_H

#include <stddef.h>

extern const unsigned char cli_page[];
extern const size_t cli_page_size;
/* The Content-Security-Policy that allows the page's own script and style, and nothing else. */
extern const char cli_page_policy[];

#endif
