/* The socket that a server listens on. */
#ifndef CLI_SERVE_LISTEN_H
#define CLI_SERVE_LISTEN_H

enum { CLI_ADDRESS_SIZE = 128 };

/* host NULL is loopback; port 0 is any free one. address becomes "127.0.0.1:8080", or
 * "[::1]:8080". Returns an exit code, after saying what failed. */
int cli_listen(int *socket, char address[CLI_ADDRESS_SIZE], const char *host, int port);

#endif
