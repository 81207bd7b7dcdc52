/* JSON strings (RFC 8259, section 7), written to a file. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdio.h>

/* With its quotes; what is not UTF-8 becomes U+FFFD. cli_print_json_string() is the same on stdout.
 */
void cli_json_write_string(FILE *file, const char *string);

#endif
