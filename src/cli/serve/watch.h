/* Connections that take too long over a request are cut: one that sends a byte now and then never
 * looks idle. */
#ifndef CLI_SERVE_WATCH_H
#define CLI_SERVE_WATCH_H

#include <stdbool.h>

enum { CLI_WATCH_SECONDS = 30 }; /* from the connection, or the last answer, to a whole request */

typedef struct cli_watch cli_watch;
typedef struct cli_watched cli_watched;

/* NULL where there is no memory. */
cli_watch *cli_watch_create(void);
void cli_watch_destroy(cli_watch *watch);

/* A connection begins; NULL where there is no memory: it is then not watched. */
cli_watched *cli_watch_add(cli_watch *watch, int socket);
/* It ends; its socket is still open. NULL is taken. */
void cli_watch_remove(cli_watch *watch, cli_watched *connection);
/* A whole request is there and being answered, or its answer has gone out. NULL is taken. */
void cli_watch_set_busy(cli_watch *watch, cli_watched *connection, bool busy);
/* Cuts those that are late. */
void cli_watch_check(cli_watch *watch);

#endif
