/* MAP_ANONYMOUS: memory that is the system's again at once, whatever malloc() would keep. */
#define _DEFAULT_SOURCE
#include "cli/serve/body.h"

#include <string.h>
#include <sys/mman.h>

static void begin(cli_body *body, cli_crowd *crowd, cli_visitor *visitor, size_t announced)
{
    body->room = announced > 0 ? announced : CLI_BODY_LIMIT;
    body->too_large = body->room > CLI_BODY_LIMIT;
    if (body->too_large)
        return;
    body->no_room = !visitor || !cli_crowd_take(crowd, visitor, body->room);
    if (body->no_room)
        return;
    void *memory =
        mmap(NULL, body->room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        cli_crowd_give_back(crowd, visitor);
        body->no_room = true;
        return;
    }
    body->data = memory;
}

bool cli_body_append(cli_body *body, cli_crowd *crowd, cli_visitor *visitor, size_t announced,
                     const char *part, size_t size)
{
    bool first = body->room == 0;
    if (first)
        begin(body, crowd, visitor, announced);
    if (body->data && body->size + size > body->room) {
        cli_body_finish(body, crowd, visitor);
        body->too_large = true;
    }
    if (body->data) {
        memcpy(body->data + body->size, part, size);
        body->size += size;
    }
    return first;
}

void cli_body_finish(cli_body *body, cli_crowd *crowd, cli_visitor *visitor)
{
    if (!body->data)
        return;
    munmap(body->data, body->room);
    body->data = NULL;
    body->size = 0;
    cli_crowd_give_back(crowd, visitor);
}
