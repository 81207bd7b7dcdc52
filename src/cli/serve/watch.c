#include "cli/serve/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

struct cli_watched {
    int socket;
    bool busy;
    time_t since;
    cli_watched *next, *previous;
};

struct cli_watch {
    pthread_mutex_t lock;
    cli_watched *first;
};

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

cli_watch *cli_watch_create(void)
{
    cli_watch *watch = calloc(1, sizeof *watch);
    if (watch)
        pthread_mutex_init(&watch->lock, NULL);
    return watch;
}

void cli_watch_destroy(cli_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

cli_watched *cli_watch_add(cli_watch *watch, int socket)
{
    cli_watched *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->socket = socket;
    connection->since = now();
    pthread_mutex_lock(&watch->lock);
    connection->next = watch->first;
    if (watch->first)
        watch->first->previous = connection;
    watch->first = connection;
    pthread_mutex_unlock(&watch->lock);
    return connection;
}

void cli_watch_remove(cli_watch *watch, cli_watched *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&watch->lock);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        watch->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    pthread_mutex_unlock(&watch->lock);
    free(connection);
}

void cli_watch_set_busy(cli_watch *watch, cli_watched *connection, bool busy)
{
    if (!connection)
        return;
    pthread_mutex_lock(&watch->lock);
    connection->busy = busy;
    connection->since = now();
    pthread_mutex_unlock(&watch->lock);
}

void cli_watch_check(cli_watch *watch)
{
    time_t time = now();
    pthread_mutex_lock(&watch->lock);
    for (cli_watched *at = watch->first; at; at = at->next)
        if (!at->busy && time - at->since > CLI_WATCH_SECONDS)
            shutdown(at->socket, SHUT_RDWR);
    pthread_mutex_unlock(&watch->lock);
}
