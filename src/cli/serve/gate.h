/* Which requests are answered at all: those that say in one way how long they are, that name this
 * server as their Host (else a page elsewhere reaches it under a name that it points here, which is
 * DNS rebinding), and that no page of another origin sends. */
#ifndef CLI_SERVE_GATE_H
#define CLI_SERVE_GATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"

enum { CLI_GATE_MESSAGE = 256 };

/* Under which names the server is reached. */
typedef struct cli_gate {
    struct in6_addr address;    /* that it listens on; one of IPv4 as ::ffff:a.b.c.d */
    bool loopback, all;         /* what kind of address that is */
    const cli_options *options; /* --host, --allow-host */
} cli_gate;

/* Of a request's header: how often each field is there, and its last value, NULL without one. */
typedef struct cli_field {
    int count;
    const char *value;
} cli_field;
typedef struct cli_head {
    cli_field host, origin, site, length, coding;
    bool blank; /* a name with a blank in it */
} cli_head;

/* IPv4 becomes ::ffff:a.b.c.d. */
struct in6_addr cli_gate_address(const struct sockaddr *address);

/* For a server that is bound to this address. The options must outlive it. */
void cli_gate_init(cli_gate *gate, const struct sockaddr *bound, const cli_options *options);

/* Notes a field of the header, where it matters here. The value must outlive the head. */
void cli_gate_note(cli_head *head, const char *name, const char *value);

/* 0 where the request may go on, else HTTP's status, and why in message. */
unsigned cli_gate_check(char message[CLI_GATE_MESSAGE], const cli_gate *gate, const cli_head *head,
                        const char *version, const char *method);

/* Is this a list of names and addresses for --allow-host? */
bool cli_gate_takes_names(const char *list);

#endif
