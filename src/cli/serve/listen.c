#include "cli/serve/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/output.h"

enum { BACKLOG = 511, NAME_SIZE = 64, PORT_SIZE = 16 };

/* Which address and port it became. */
static int describe(cli_gate *gate, char address[CLI_ADDRESS_SIZE], int file,
                    const cli_options *options)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char name[NAME_SIZE], port[PORT_SIZE];
    if (getsockname(file, (struct sockaddr *)&bound, &size) != 0 ||
        getnameinfo((struct sockaddr *)&bound, size, name, sizeof name, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return cli_fail(CLI_EXIT_FAILURE, "the address of the server's socket cannot be read");
    bool six = strchr(name, ':') != NULL;
    snprintf(address, CLI_ADDRESS_SIZE, "%s%s%s:%s", six ? "[" : "", name, six ? "]" : "", port);
    cli_gate_init(gate, (struct sockaddr *)&bound, options);
    if (!gate->loopback)
        cli_info("whoever can reach %s can use the model: there is no password, and no encryption",
                 address);
    if (!gate->loopback && options->allow_host_count == 0)
        cli_info("it answers to its addresses; names that lead to it are for --allow-host");
    return 0;
}

static int open_socket(int *file, const struct addrinfo *at)
{
    static const int on = 1;
    *file = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (*file < 0)
        return -1;
    (void)setsockopt(*file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(*file, at->ai_addr, at->ai_addrlen) == 0 && listen(*file, BACKLOG) == 0)
        return 0;
    int error = errno;
    close(*file);
    errno = error;
    return -1;
}

/* The addresses of a host; an address of IPv6 may have brackets, as it has in a browser. */
static int look_up(struct addrinfo **found, const char *host, const char *service)
{
    struct addrinfo wanted = {
        .ai_flags = AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char inner[NAME_SIZE];
    size_t size = strlen(host);
    if (host[0] != '[')
        return getaddrinfo(host, service, &wanted, found);
    if (size < 3 || size - 2 >= sizeof inner || host[size - 1] != ']')
        return EAI_NONAME;
    snprintf(inner, sizeof inner, "%.*s", (int)(size - 2), host + 1);
    wanted.ai_flags |= AI_NUMERICHOST;
    wanted.ai_family = AF_INET6;
    return getaddrinfo(inner, service, &wanted, found);
}

int cli_listen(int *socket, cli_gate *gate, char address[CLI_ADDRESS_SIZE],
               const cli_options *options)
{
    struct addrinfo *found = NULL;
    char service[PORT_SIZE];
    const char *name = options->host ? options->host : "127.0.0.1";
    snprintf(service, sizeof service, "%d", options->port);
    int problem = look_up(&found, name, service);
    if (problem != 0)
        return cli_fail(CLI_EXIT_FAILURE, "--host %s: expected an address of this machine: %s",
                        name, gai_strerror(problem));
    int opened = -1;
    for (const struct addrinfo *at = found; at && opened != 0; at = at->ai_next)
        opened = open_socket(socket, at);
    int error = errno;
    freeaddrinfo(found);
    if (opened != 0)
        return cli_fail(CLI_EXIT_FAILURE,
                        "%s port %d: cannot be listened on: %s: try another --port or --host", name,
                        options->port, strerror(error));
    int code = describe(gate, address, *socket, options);
    if (code != 0)
        close(*socket);
    return code;
}
