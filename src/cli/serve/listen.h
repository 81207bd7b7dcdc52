/* The socket that a server listens on. */
#ifndef CLI_SERVE_LISTEN_H
#define CLI_SERVE_LISTEN_H

#include "cli/serve/gate.h"

enum { CLI_ADDRESS_SIZE = 128 };

/* On --host and --port, and the gate becomes theirs. address becomes "127.0.0.1:8080", or
 * "[::1]:8080". Returns an exit code, after saying what failed. */
int cli_listen(int *socket, cli_gate *gate, char address[CLI_ADDRESS_SIZE],
               const cli_options *options);

#endif
