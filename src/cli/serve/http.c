/* The one file that sees libmicrohttpd. Each connection has a thread, which waits for its image's
 * turn on the device. */
#include "cli/serve/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/serve/page.h"
#include "cli/serve/watch.h"

enum {
    BODY_LIMIT = 8 << 20,
    DRAIN_LIMIT = 64 << 20, /* a body up to this is read and dropped: then a client sees why */
    CONNECTION_LIMIT = 128, /* those beyond it are told to come back later */
    SOCKET_LIMIT = 256,     /* those beyond it are closed */
    IDLE_SECONDS = 10,
    STACK_SIZE = 512 << 10,
    DRAIN_SECONDS = 10,
    POLLS_A_SECOND = 20,
    QUIET_POLLS = 3, /* with nothing asked for: then what was on its way has arrived */
};

struct cli_server {
    const cli_service *service;
    struct MHD_Daemon *daemon;
    cli_watch *watch;
    int socket;
    pthread_mutex_t lock; /* of what follows */
    int active;           /* requests whose answer is not out yet */
    int connections;
    bool draining;
};

/* A request while its body arrives. */
typedef struct request {
    char *body;
    size_t size, room;
    bool too_large;
} request;

static const char json_type[] = "application/json; charset=utf-8";
static const char too_large_message[] = "expected an image of at most 8 MiB: scale it down";

typedef enum MHD_Result outcome;

static bool change_active(cli_server *server, int change)
{
    pthread_mutex_lock(&server->lock);
    server->active += change;
    bool draining = server->draining;
    pthread_mutex_unlock(&server->lock);
    return draining;
}

/* Sends and gives up the response. */
static outcome send_response(cli_server *server, struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response, const char *type, const char *allow)
{
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "Content-Security-Policy",
                            type == json_type ? "default-src 'none'" : cli_page_policy);
    if (allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    if (change_active(server, 0) || status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    outcome sent = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return sent;
}

static outcome send_answer(cli_server *server, struct MHD_Connection *connection, cli_answer answer,
                           const char *allow)
{
    static char no_memory[] = "{\"error\": \"out of memory\"}\n";
    struct MHD_Response *response =
        answer.json
            ? MHD_create_response_from_buffer(strlen(answer.json), answer.json,
                                              MHD_RESPMEM_MUST_FREE)
            : MHD_create_response_from_buffer(strlen(no_memory), no_memory, MHD_RESPMEM_PERSISTENT);
    if (!response)
        free(answer.json);
    return send_response(server, connection, answer.status, response, json_type, allow);
}

static outcome send_page(cli_server *server, struct MHD_Connection *connection)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        cli_page_size, (void *)cli_page, MHD_RESPMEM_PERSISTENT);
    return send_response(server, connection, MHD_HTTP_OK, response, "text/html; charset=utf-8",
                         NULL);
}

static outcome send_health(cli_server *server, struct MHD_Connection *connection)
{
    return send_answer(server, connection, cli_answer_health(server->service), NULL);
}

static outcome send_model(cli_server *server, struct MHD_Connection *connection)
{
    return send_answer(server, connection, cli_answer_model(server->service), NULL);
}

/* What can be asked for. */
static const struct route {
    const char *path;
    const char *allow;
    outcome (*get)(cli_server *server, struct MHD_Connection *connection); /* NULL: POST */
} routes[] = {
    {"/", "GET, HEAD", send_page},
    {"/healthz", "GET, HEAD", send_health},
    {"/model", "GET, HEAD", send_model},
    {"/predict", "POST", NULL},
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(path, routes[i].path) == 0)
            return &routes[i];
    return NULL;
}

static bool is_allowed(const struct route *route, const char *method)
{
    if (!route->get)
        return strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* The size of the body by its own account; 0 where it does not say. */
static unsigned long long announced_size(struct MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length ? strtoull(length, NULL, 10) : 0;
}

static bool is_crowded(cli_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool crowded = server->connections > CONNECTION_LIMIT;
    pthread_mutex_unlock(&server->lock);
    return crowded;
}

static void append_body(request *asked, const char *data, size_t size)
{
    if (asked->too_large)
        return;
    if (asked->size + size > BODY_LIMIT) {
        free(asked->body);
        asked->body = NULL;
        asked->size = asked->room = 0;
        asked->too_large = true;
        return;
    }
    if (asked->size + size > asked->room) {
        size_t room = 2 * (asked->size + size);
        char *larger = realloc(asked->body, room);
        if (!larger) {
            asked->too_large = true;
            return;
        }
        asked->body = larger;
        asked->room = room;
    }
    memcpy(asked->body + asked->size, data, size);
    asked->size += size;
}

static cli_watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static outcome refuse(cli_server *server, struct MHD_Connection *connection, unsigned status,
                      const char *message, const char *allow)
{
    return send_answer(server, connection, cli_answer_error(status, message), allow);
}

/* The wait for the device is not the client's: it must not count as idle. */
static void restart_clock(struct MHD_Connection *connection)
{
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)IDLE_SECONDS);
}

static outcome send_prediction(cli_server *server, struct MHD_Connection *connection,
                               const request *asked)
{
    if (asked->too_large)
        return refuse(server, connection, MHD_HTTP_CONTENT_TOO_LARGE, too_large_message, NULL);
    bool seen = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "seen") != NULL;
    cli_answer answer = cli_answer_image(server->service, asked->body, asked->size, seen);
    restart_clock(connection);
    return send_answer(server, connection, answer, NULL);
}

/* The headers are there, the body is not. Refuses, or goes on. */
static outcome begin_request(cli_server *server, struct MHD_Connection *connection,
                             const char *path, const char *method)
{
    const struct route *route = find_route(path);
    if (is_crowded(server))
        return refuse(server, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                      "too many connections: come back later", NULL);
    if (!route)
        return refuse(server, connection, MHD_HTTP_NOT_FOUND,
                      "there is no such page: see /, /predict and /healthz", NULL);
    if (!is_allowed(route, method))
        return refuse(server, connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                      "this method is not allowed here", route->allow);
    if (announced_size(connection) > DRAIN_LIMIT)
        return refuse(server, connection, MHD_HTTP_CONTENT_TOO_LARGE, too_large_message, NULL);
    return MHD_YES;
}

/* Called with the headers, then with each part of the body, then with none. */
static outcome handle(void *user, struct MHD_Connection *connection, const char *path,
                      const char *method, const char *version, const char *data, size_t *size,
                      void **state)
{
    cli_server *server = user;
    request *asked = *state;
    (void)version;
    if (!asked) {
        asked = *state = calloc(1, sizeof *asked);
        if (!asked)
            return MHD_NO;
        change_active(server, 1);
        return begin_request(server, connection, path, method);
    }
    if (*size > 0) {
        append_body(asked, data, *size);
        *size = 0;
        return MHD_YES;
    }
    cli_watch_set_busy(server->watch, watched_of(connection), true);
    const struct route *route = find_route(path);
    if (route && route->get)
        return route->get(server, connection);
    return send_prediction(server, connection, asked);
}

static void end_request(void *user, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode code)
{
    cli_server *server = user;
    request *asked = *state;
    (void)code;
    if (!asked)
        return;
    free(asked->body);
    free(asked);
    *state = NULL;
    cli_watch_set_busy(server->watch, watched_of(connection), false);
    change_active(server, -1);
}

static void notice_connection(void *user, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
    cli_server *server = user;
    pthread_mutex_lock(&server->lock);
    server->connections += code == MHD_CONNECTION_NOTIFY_CLOSED ? -1 : 1;
    pthread_mutex_unlock(&server->lock);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        cli_watch_remove(server->watch, *context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = info ? cli_watch_add(server->watch, info->connect_fd) : NULL;
}

int cli_server_start(cli_server **server, const cli_service *service, int socket)
{
    cli_server *result = *server = calloc(1, sizeof *result);
    if (result)
        result->watch = cli_watch_create();
    if (!result || !result->watch) {
        free(result);
        close(socket);
        return cli_fail(CLI_EXIT_FAILURE, "out of memory for the server");
    }
    result->service = service;
    result->socket = socket;
    pthread_mutex_init(&result->lock, NULL);
    result->daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC, 0, NULL, NULL,
        handle, result, MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)SOCKET_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE, MHD_OPTION_NOTIFY_COMPLETED, end_request,
        result, MHD_OPTION_NOTIFY_CONNECTION, notice_connection, result, MHD_OPTION_END);
    if (result->daemon)
        return 0;
    close(socket);
    cli_watch_destroy(result->watch);
    free(result);
    *server = NULL;
    return cli_fail(CLI_EXIT_FAILURE, "the HTTP server cannot be started: end other programs");
}

void cli_server_tend(cli_server *server)
{
    cli_watch_check(server->watch);
}

static int count_active(cli_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->draining = true;
    int active = server->active;
    pthread_mutex_unlock(&server->lock);
    return active;
}

void cli_server_stop(cli_server *server)
{
    const struct timespec pause = {.tv_nsec = 1000000000 / POLLS_A_SECOND};
    if (!server)
        return;
    count_active(server);
    MHD_socket socket = MHD_quiesce_daemon(server->daemon);
    if (socket != MHD_INVALID_SOCKET)
        close(socket);
    for (int polls = 0, quiet = 0; polls < DRAIN_SECONDS * POLLS_A_SECOND && quiet < QUIET_POLLS;
         polls++) {
        quiet = count_active(server) == 0 ? quiet + 1 : 0;
        nanosleep(&pause, NULL);
    }
    MHD_stop_daemon(server->daemon);
    cli_watch_destroy(server->watch);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
