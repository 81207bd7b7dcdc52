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
#include "cli/serve/body.h"
#include "cli/serve/page.h"
#include "cli/serve/watch.h"
#include "cli/session.h"

enum {
    DRAIN_LIMIT = 64 << 20, /* a body up to this is read and dropped: then a client sees why */
    IDLE_SECONDS = 10,
    STACK_SIZE = 512 << 10,
    DRAIN_SECONDS = 10,
    POLLS_A_SECOND = 20,
    QUIET_POLLS = 3, /* with nothing asked for: then what was on its way has arrived */
};

struct cli_server {
    const cli_service *service;
    const cli_gate *gate;
    struct MHD_Daemon *daemon;
    cli_watch *watch;
    cli_crowd *crowd;
    int socket;
    pthread_mutex_t lock; /* of what follows */
    int active;           /* requests whose answer is not out yet */
    bool draining;
};

/* What is known of a connection; each is NULL where there was no memory. */
typedef struct guest {
    cli_watched *watched;
    cli_visitor *visitor;
} guest;

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
    struct MHD_Response *response =
        MHD_create_response_from_buffer(cli_page_size, (void *)cli_page, MHD_RESPMEM_PERSISTENT);
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

static const guest *guest_of(struct MHD_Connection *connection)
{
    static const guest unknown;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info && info->socket_context ? info->socket_context : &unknown;
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
                               cli_body *body)
{
    if (body->too_large)
        return refuse(server, connection, MHD_HTTP_CONTENT_TOO_LARGE, too_large_message, NULL);
    if (body->no_room)
        return refuse(server, connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                      "too many images arrive at once: come back later", NULL);
    const char *wanted = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "seen");
    bool seen = wanted && strcmp(wanted, "0") != 0;
    cli_answer answer = cli_answer_image(server->service, body->data, body->size, seen);
    cli_body_finish(body, server->crowd, guest_of(connection)->visitor);
    restart_clock(connection);
    return send_answer(server, connection, answer, NULL);
}

static outcome note_field(void *user, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    cli_gate_note(user, key, value);
    return MHD_YES;
}

/* The headers are there, the body is not. Refuses, or goes on. */
static outcome begin_request(cli_server *server, struct MHD_Connection *connection,
                             const char *path, const char *method, const char *version)
{
    char message[CLI_GATE_MESSAGE];
    cli_head head = {0};
    const struct route *route = find_route(path);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, note_field, &head);
    unsigned refused = cli_gate_check(message, server->gate, &head, version, method);
    if (refused)
        return refuse(server, connection, refused, message, NULL);
    if (!cli_crowd_serves(server->crowd, guest_of(connection)->visitor))
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
    cli_body *body = *state;
    if (!body) {
        body = *state = calloc(1, sizeof *body);
        if (!body)
            return MHD_NO;
        change_active(server, 1);
        return begin_request(server, connection, path, method, version);
    }
    if (*size > 0) {
        if (cli_body_append(body, server->crowd, guest_of(connection)->visitor,
                            (size_t)announced_size(connection), data, *size))
            restart_clock(connection);
        *size = 0;
        return MHD_YES;
    }
    cli_watch_set_busy(server->watch, guest_of(connection)->watched, true);
    const struct route *route = find_route(path);
    if (route && route->get)
        return route->get(server, connection);
    return send_prediction(server, connection, body);
}

static void end_request(void *user, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode code)
{
    cli_server *server = user;
    cli_body *body = *state;
    (void)code;
    if (!body)
        return;
    cli_body_finish(body, server->crowd, guest_of(connection)->visitor);
    free(body);
    *state = NULL;
    cli_watch_set_busy(server->watch, guest_of(connection)->watched, false);
    change_active(server, -1);
}

static outcome may_connect(void *user, const struct sockaddr *address, socklen_t size)
{
    cli_server *server = user;
    (void)size;
    struct in6_addr client = cli_gate_address(address);
    return cli_crowd_may_enter(server->crowd, &client) ? MHD_YES : MHD_NO;
}

static guest *welcome(cli_server *server, struct MHD_Connection *connection)
{
    guest *arrived = calloc(1, sizeof *arrived);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (arrived && info)
        arrived->watched = cli_watch_add(server->watch, info->connect_fd);
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (arrived && info) {
        struct in6_addr client = cli_gate_address(info->client_addr);
        arrived->visitor = cli_crowd_enter(server->crowd, &client);
    }
    return arrived;
}

static void notice_connection(void *user, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
    cli_server *server = user;
    guest *known = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = welcome(server, connection);
    } else if (known) {
        cli_watch_remove(server->watch, known->watched);
        cli_crowd_leave(server->crowd, known->visitor);
        free(known);
        *context = NULL;
    }
}

static void destroy(cli_server *server)
{
    cli_watch_destroy(server->watch);
    cli_crowd_destroy(server->crowd);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int cli_server_start(cli_server **server, const cli_service *service, const cli_gate *gate,
                     int socket)
{
    cli_server *result = *server = cli_allocate(1, sizeof *result);
    if (!result) {
        close(socket);
        return CLI_EXIT_FAILURE;
    }
    *result = (cli_server){.service = service,
                           .gate = gate,
                           .watch = cli_watch_create(),
                           .crowd = cli_crowd_create(),
                           .socket = socket};
    pthread_mutex_init(&result->lock, NULL);
    if (result->watch && result->crowd)
        result->daemon = MHD_start_daemon(
            MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC, 0,
            may_connect, result, handle, result, MHD_OPTION_LISTEN_SOCKET, socket,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CLI_CROWD_SOCKETS, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)IDLE_SECONDS, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE,
            MHD_OPTION_NOTIFY_COMPLETED, end_request, result, MHD_OPTION_NOTIFY_CONNECTION,
            notice_connection, result, MHD_OPTION_END);
    if (result->daemon)
        return 0;
    close(socket);
    destroy(result);
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
    destroy(server);
}
