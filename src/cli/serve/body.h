/* The body of a request while it arrives. */
#ifndef CLI_SERVE_BODY_H
#define CLI_SERVE_BODY_H

#include "cli/serve/crowd.h"

enum { CLI_BODY_LIMIT = 8 << 20 };

/* Zeros are a body that has not begun. */
typedef struct cli_body {
    unsigned char *data; /* (room) NULL where it is not kept */
    size_t size, room;
    bool too_large, no_room; /* it is then not kept, but may go on arriving */
} cli_body;

/* Appends a part. The first one makes room for `announced` bytes, for the largest body where that
 * is 0 because it was not told; it may wait for others to end. Returns whether it did. */
bool cli_body_append(cli_body *body, cli_crowd *crowd, cli_visitor *visitor, size_t announced,
                     const char *part, size_t size);
/* Gives everything back. */
void cli_body_finish(cli_body *body, cli_crowd *crowd, cli_visitor *visitor);

#endif
