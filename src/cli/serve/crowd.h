/* How much a client may have at a time: connections, and bytes of bodies that are arriving. A
 * client is an address of IPv4, or a network of IPv6 (64 bits: a household has as many). One client
 * alone never takes everything. */
#ifndef CLI_SERVE_CROWD_H
#define CLI_SERVE_CROWD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    CLI_CROWD_SERVED = 128,       /* connections that are served; others are told to come back */
    CLI_CROWD_SERVED_EACH = 64,   /* of one client */
    CLI_CROWD_SOCKETS = 256,      /* with those that are told so; others are closed */
    CLI_CROWD_SOCKETS_EACH = 192, /* of one client */
    CLI_CROWD_BYTES = 96 << 20,   /* of bodies */
    CLI_CROWD_BYTES_EACH = 64 << 20,
    CLI_CROWD_WAIT_SECONDS = 5 /* for room for a body */
};

typedef struct cli_crowd cli_crowd;
typedef struct cli_visitor cli_visitor; /* a connection */

/* NULL where there is no memory. */
cli_crowd *cli_crowd_create(void);
void cli_crowd_destroy(cli_crowd *crowd);

/* May a client at this address open one more socket? */
bool cli_crowd_may_enter(cli_crowd *crowd, const struct in6_addr *address);
/* It has; NULL where there is no memory: it is then not served. */
cli_visitor *cli_crowd_enter(cli_crowd *crowd, const struct in6_addr *address);
/* The connection has ended. NULL is taken. */
void cli_crowd_leave(cli_crowd *crowd, cli_visitor *visitor);
/* Is it served, or can it be now? NULL is not. */
bool cli_crowd_serves(cli_crowd *crowd, cli_visitor *visitor);

/* Room for a body of `size` bytes, until it is given back; waits for it a while. A connection has
 * one body at a time. */
bool cli_crowd_take(cli_crowd *crowd, cli_visitor *visitor, size_t size);
void cli_crowd_give_back(cli_crowd *crowd, cli_visitor *visitor);

#endif
