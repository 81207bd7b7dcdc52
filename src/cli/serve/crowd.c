#include "cli/serve/crowd.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NETWORK_BYTES = 8 }; /* of an address of IPv6 */

/* As long as it has a connection. */
typedef struct client {
    struct in6_addr address;
    int sockets, served;
    size_t bytes;
    struct client *next;
} client;

struct cli_visitor {
    client *client;
    bool served;
    size_t bytes;
};

struct cli_crowd {
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t freed; /* bytes were */
    client *first;
    int served;
    size_t bytes;
};

cli_crowd *cli_crowd_create(void)
{
    pthread_condattr_t monotonic;
    cli_crowd *crowd = calloc(1, sizeof *crowd);
    if (!crowd)
        return NULL;
    pthread_mutex_init(&crowd->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&crowd->freed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return crowd;
}

void cli_crowd_destroy(cli_crowd *crowd)
{
    if (!crowd)
        return;
    pthread_cond_destroy(&crowd->freed);
    pthread_mutex_destroy(&crowd->lock);
    free(crowd);
}

/* Neighbours on a link share its network, and are clients of their own. */
static bool is_of(const client *known, const struct in6_addr *address)
{
    bool whole = IN6_IS_ADDR_V4MAPPED(address) || IN6_IS_ADDR_LINKLOCAL(address) ||
                 IN6_IS_ADDR_V4MAPPED(&known->address);
    return memcmp(&known->address, address, whole ? sizeof *address : NETWORK_BYTES) == 0;
}

static client *find(const cli_crowd *crowd, const struct in6_addr *address)
{
    client *at = crowd->first;
    while (at && !is_of(at, address))
        at = at->next;
    return at;
}

static client *find_or_add(cli_crowd *crowd, const struct in6_addr *address)
{
    client *found = find(crowd, address);
    if (found)
        return found;
    found = calloc(1, sizeof *found);
    if (!found)
        return NULL;
    found->address = *address;
    found->next = crowd->first;
    crowd->first = found;
    return found;
}

static void remove_client(cli_crowd *crowd, client *gone)
{
    client **at = &crowd->first;
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    free(gone);
}

static bool serve(cli_crowd *crowd, cli_visitor *visitor)
{
    if (!visitor->served && crowd->served < CLI_CROWD_SERVED &&
        visitor->client->served < CLI_CROWD_SERVED_EACH) {
        visitor->served = true;
        crowd->served++;
        visitor->client->served++;
    }
    return visitor->served;
}

bool cli_crowd_may_enter(cli_crowd *crowd, const struct in6_addr *address)
{
    pthread_mutex_lock(&crowd->lock);
    const client *known = find(crowd, address);
    bool may = !known || known->sockets < CLI_CROWD_SOCKETS_EACH;
    pthread_mutex_unlock(&crowd->lock);
    return may;
}

cli_visitor *cli_crowd_enter(cli_crowd *crowd, const struct in6_addr *address)
{
    cli_visitor *visitor = calloc(1, sizeof *visitor);
    if (!visitor)
        return NULL;
    pthread_mutex_lock(&crowd->lock);
    visitor->client = find_or_add(crowd, address);
    if (visitor->client) {
        visitor->client->sockets++;
        serve(crowd, visitor);
    }
    pthread_mutex_unlock(&crowd->lock);
    if (!visitor->client) {
        free(visitor);
        return NULL;
    }
    return visitor;
}

static void give_back(cli_crowd *crowd, cli_visitor *visitor)
{
    crowd->bytes -= visitor->bytes;
    visitor->client->bytes -= visitor->bytes;
    visitor->bytes = 0;
    pthread_cond_broadcast(&crowd->freed);
}

void cli_crowd_leave(cli_crowd *crowd, cli_visitor *visitor)
{
    if (!visitor)
        return;
    pthread_mutex_lock(&crowd->lock);
    give_back(crowd, visitor);
    crowd->served -= visitor->served;
    visitor->client->served -= visitor->served;
    if (--visitor->client->sockets == 0)
        remove_client(crowd, visitor->client);
    pthread_mutex_unlock(&crowd->lock);
    free(visitor);
}

bool cli_crowd_serves(cli_crowd *crowd, cli_visitor *visitor)
{
    if (!visitor)
        return false;
    pthread_mutex_lock(&crowd->lock);
    bool serves = serve(crowd, visitor);
    pthread_mutex_unlock(&crowd->lock);
    return serves;
}

static bool has_room(const cli_crowd *crowd, const cli_visitor *visitor, size_t size)
{
    return crowd->bytes + size <= CLI_CROWD_BYTES &&
           visitor->client->bytes + size <= CLI_CROWD_BYTES_EACH;
}

bool cli_crowd_take(cli_crowd *crowd, cli_visitor *visitor, size_t size)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CLI_CROWD_WAIT_SECONDS;
    pthread_mutex_lock(&crowd->lock);
    int late = 0;
    while (!has_room(crowd, visitor, size) && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&crowd->freed, &crowd->lock, &until);
    bool taken = has_room(crowd, visitor, size);
    if (taken) {
        crowd->bytes += size;
        visitor->client->bytes += size;
        visitor->bytes += size;
    }
    pthread_mutex_unlock(&crowd->lock);
    return taken;
}

void cli_crowd_give_back(cli_crowd *crowd, cli_visitor *visitor)
{
    pthread_mutex_lock(&crowd->lock);
    give_back(crowd, visitor);
    pthread_mutex_unlock(&crowd->lock);
}
