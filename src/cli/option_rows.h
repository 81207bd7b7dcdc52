/* The table of options. */
#ifndef CLI_OPTION_ROWS_H
#define CLI_OPTION_ROWS_H

#include <stddef.h>

#include "cli/options.h"

typedef struct cli_option_row cli_option_row;

struct cli_option_row {
    const char *name;
    const char *argument; /* NULL for a flag */
    char letter;          /* 0 for none */
    unsigned group;       /* of cli_group */
    const char *help;
    /* False where the text does not fit. A flag gets NULL. */
    bool (*set)(cli_options *options, const cli_option_row *row, const char *text);
    size_t field;         /* offset in cli_options */
    int low;              /* of set_int() */
    const char *expected; /* NULL where the library's message says it */
};

/* The index of an option's row; -1 where there is none. */
int cli_option_find(const char *name);
/* Sets an option from text (of a flag NULL). where: what a message begins with; NULL for a command
 * line. Returns 0, or 2 after saying what is wrong. */
int cli_option_take(cli_options *options, const cli_option_row *row, const char *text,
                    const char *where);

/* Ended by a row without a name. */
extern const cli_option_row cli_option_rows[];

#endif
