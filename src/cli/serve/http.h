/* The HTTP server: what is asked for, how large it may be, and how long it may take. */
#ifndef CLI_SERVE_HTTP_H
#define CLI_SERVE_HTTP_H

#include "cli/serve/answer.h"
#include "cli/serve/gate.h"

typedef struct cli_server cli_server;

/* Serves on a listening socket, which it closes in the end; service and gate must outlive it.
 * Returns an exit code, after saying what failed. */
int cli_server_start(cli_server **server, const cli_service *service, const cli_gate *gate,
                     int socket);
/* To be called a few times a second: cuts connections that are late. */
void cli_server_tend(cli_server *server);
/* Accepts nothing new, answers what has been asked, and ends. */
void cli_server_stop(cli_server *server);

#endif
