/* HTTP server: libmicrohttpd with one thread of its own (epoll inside).
 *
 * A request comes in as a series of callbacks: headers, body in pieces, end. What can be
 * refused is refused before a body is read or kept: announced bodies that are too large,
 * unknown paths, wrong methods. The body is collected in a buffer with a limit, the
 * handler runs once at the end.
 *
 * The socket is made here and not by libmicrohttpd, because only here can a failure say
 * what happened, and because port 0 must be asked for its number. */
#include "io/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"

enum {
    CONNECTIONS = 256,
    BODY_SIZE = 1 << 20,
    IDLE_S = 15,
    HEADER_SIZE = 32 << 10, /* request line and headers of one connection */
    PATIENCE = 4,           /* bodies over so many times the limit are cut off */
};

struct eddy_http {
    struct MHD_Daemon *daemon;
    const struct eddy_http_route *routes;
    size_t route_count;
    size_t body_size;
    uint16_t port;
};

/* One request between its callbacks. */
struct exchange {
    const struct eddy_http_route *route;
    struct eddy_buf body;
    size_t received;
};

static bool is_method(const struct eddy_http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* Size of the part before a final star; SIZE_MAX when the path holds none. */
static size_t stem_of(const struct eddy_http_route *route)
{
    size_t size = strlen(route->path);
    return size > 0 && route->path[size - 1] == '*' ? size - 1 : SIZE_MAX;
}

static bool is_path(const struct eddy_http_route *route, const char *path)
{
    size_t stem = stem_of(route);
    return stem == SIZE_MAX ? strcmp(route->path, path) == 0
                            : strncmp(route->path, path, stem) == 0 && path[stem];
}

/* The route of a request, or NULL and in allow (may be NULL) the path's methods. */
static const struct eddy_http_route *find_route(const struct eddy_http *http,
                                                const char *method, const char *path,
                                                struct eddy_buf *allow)
{
    for (size_t i = 0; i < http->route_count; i++) {
        const struct eddy_http_route *route = &http->routes[i];
        if (!is_path(route, path)) {
            continue;
        }
        if (is_method(route, method)) {
            return route;
        }
        if (allow) {
            eddy_buf_printf(allow, "%s%s", allow->size ? ", " : "", route->method);
        }
    }
    return NULL;
}

/* Hand response to libmicrohttpd; takes the body's memory. */
static enum MHD_Result send_response(struct MHD_Connection *connection,
                                     struct eddy_http_response *response,
                                     const char *allow)
{
    struct eddy_buf *body = &response->body;
    if (body->failed) {
        eddy_buf_fini(body);
        response->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        response->content_type = "text/plain; charset=utf-8";
    }
    struct MHD_Response *reply =
        MHD_create_response_from_buffer(body->size, body->data,
                                        body->data ? MHD_RESPMEM_MUST_FREE
                                                   : MHD_RESPMEM_PERSISTENT);
    if (!reply) {
        eddy_buf_fini(body);
        return MHD_NO; /* closes the connection */
    }
    eddy_buf_init(body, 0);
    enum MHD_Result result =
        MHD_add_response_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE,
                                response->content_type);
    if (allow && allow[0]) {
        (void)MHD_add_response_header(reply, MHD_HTTP_HEADER_ALLOW, allow);
    }
    for (size_t i = 0; i < EDDY_HTTP_HEADERS && response->headers[i].name; i++) {
        (void)MHD_add_response_header(reply, response->headers[i].name,
                                      response->headers[i].value);
    }
    if (result == MHD_YES) {
        result = MHD_queue_response(connection, (unsigned)response->status, reply);
    }
    MHD_destroy_response(reply);
    return result;
}

static void init_response(struct eddy_http_response *response)
{
    response->status = MHD_HTTP_OK;
    response->content_type = "text/plain; charset=utf-8";
    eddy_buf_init(&response->body, 0);
    for (size_t i = 0; i < EDDY_HTTP_HEADERS; i++) {
        response->headers[i].name = NULL;
    }
}

void eddy_http_add_header(struct eddy_http_response *response, const char *name,
                          const char *value)
{
    size_t i = 0;
    while (i < EDDY_HTTP_HEADERS && response->headers[i].name) {
        i++;
    }
    if (i < EDDY_HTTP_HEADERS) {
        response->headers[i].name = name;
        (void)snprintf(response->headers[i].value, sizeof response->headers[i].value,
                       "%s", value); /* cut on purpose */
    }
}

void eddy_http_text(struct eddy_http_response *response, int status, const char *fmt,
                    ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    response->status = status;
    response->content_type = "text/plain; charset=utf-8";
    eddy_buf_clear(&response->body);
    eddy_buf_puts(&response->body, text);
}

static enum MHD_Result send_text(struct MHD_Connection *connection, int status,
                                 const char *text, const char *allow)
{
    struct eddy_http_response response;
    init_response(&response);
    eddy_http_text(&response, status, "%s", text);
    return send_response(connection, &response, allow);
}

static enum MHD_Result send_too_large(const struct eddy_http *http,
                                      struct MHD_Connection *connection)
{
    char text[80];
    (void)snprintf(text, sizeof text, "the body is larger than %zu bytes\n",
                   http->body_size);
    return send_text(connection, MHD_HTTP_CONTENT_TOO_LARGE, text, NULL);
}

/* The headers are here. What has no route is answered at the end too: a reply at once
 * would cost the client his connection. */
static enum MHD_Result begin_exchange(struct eddy_http *http,
                                      struct MHD_Connection *connection,
                                      const char *path, const char *method,
                                      void **exchange_slot)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                     MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length && strtoull(length, NULL, 10) > http->body_size) {
        return send_too_large(http, connection);
    }
    struct exchange *exchange = malloc(sizeof *exchange);
    if (!exchange) {
        return MHD_NO;
    }
    exchange->route = find_route(http, method, path, NULL);
    exchange->received = 0;
    eddy_buf_init(&exchange->body, http->body_size);
    *exchange_slot = exchange;
    return MHD_YES;
}

static enum MHD_Result send_no_route(const struct eddy_http *http,
                                     struct MHD_Connection *connection,
                                     const char *path, const char *method)
{
    struct eddy_buf allow;
    eddy_buf_init(&allow, 0);
    (void)find_route(http, method, path, &allow);
    enum MHD_Result result =
        allow.size > 0 ? send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                                   "method not allowed\n", allow.data)
                       : send_text(connection, MHD_HTTP_NOT_FOUND, "not found\n", NULL);
    eddy_buf_fini(&allow);
    return result;
}

static enum MHD_Result run_handler(const struct eddy_http *http,
                                   struct MHD_Connection *connection, const char *path,
                                   const struct exchange *exchange)
{
    if (exchange->received > http->body_size) {
        return send_too_large(http, connection);
    }
    if (exchange->body.failed) {
        return send_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n",
                         NULL);
    }
    const struct eddy_http_route *route = exchange->route;
    size_t stem = stem_of(route);
    struct eddy_http_request request = {.method = route->method,
                                        .path = path,
                                        .rest = stem == SIZE_MAX ? "" : path + stem,
                                        .body = eddy_buf_span(&exchange->body),
                                        .connection = connection};
    struct eddy_http_response response;
    init_response(&response);
    route->handler(route->context, &request, &response);
    return send_response(connection, &response, NULL);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **exchange_slot)
{
    struct eddy_http *http = context;
    struct exchange *exchange = *exchange_slot;
    (void)version;
    eddy_thread_set_role(EDDY_ROLE_HTTP); /* the thread is libmicrohttpd's */
    if (!exchange) {
        return begin_exchange(http, connection, path, method, exchange_slot);
    }
    if (*upload_size == 0 && !exchange->route) {
        return send_no_route(http, connection, path, method);
    }
    if (*upload_size == 0) {
        return run_handler(http, connection, path, exchange);
    }
    exchange->received += *upload_size;
    if (exchange->received <= http->body_size && exchange->route) {
        eddy_buf_put(&exchange->body, upload, *upload_size);
    } else if (exchange->received / PATIENCE > http->body_size) {
        return MHD_NO; /* a body without end: no reply would be read either */
    }
    *upload_size = 0;
    return MHD_YES;
}

static void on_end(void *context, struct MHD_Connection *connection,
                   void **exchange_slot, enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *exchange_slot;
    (void)context;
    (void)connection;
    (void)code;
    if (exchange) {
        eddy_buf_fini(&exchange->body);
        free(exchange);
        *exchange_slot = NULL;
    }
}

/* "HOST:PORT" into its parts; brackets of an IPv6 address are taken off. */
static int split_address(const char *listen, char *host, size_t size, const char **port,
                         struct eddy_err *err)
{
    const char *colon = strrchr(listen, ':');
    const char *begin = listen, *end = colon ? colon : listen;
    if (end > begin + 1 && *begin == '[' && end[-1] == ']') {
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t)(end - begin))) {
        colon = NULL; /* an IPv6 address without brackets: where is its end? */
    }
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (digits == 0 || digits > 5 || colon[1 + digits] ||
        strtoul(colon + 1, NULL, 10) > 65535 || (size_t)(end - begin) >= size) {
        return eddy_fail(err, EDDY_ECONFIG,
                         "listen address \"%s\" is not ADDRESS:PORT, such as "
                         "127.0.0.1:8080 or [::1]:8080 (port 0: any free one)",
                         listen);
    }
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    *port = colon + 1;
    return 0;
}

static int fail_listen(const char *listen, const char *port, int reason,
                       struct eddy_err *err)
{
    switch (reason) {
    case EADDRINUSE:
        return eddy_fail(err, EDDY_ECONFIG,
                         "cannot listen on %s: another process has the port; stop it "
                         "(`ss -ltnp sport = :%s` names it) or choose another port",
                         listen, port);
    case EACCES:
        return eddy_fail(err, EDDY_ECONFIG,
                         "cannot listen on %s: ports below 1024 need the capability "
                         "CAP_NET_BIND_SERVICE; choose a higher port",
                         listen);
    case EADDRNOTAVAIL:
        return eddy_fail(err, EDDY_ECONFIG,
                         "cannot listen on %s: this machine does not have the address",
                         listen);
    default:
        return eddy_fail(err, EDDY_ECONFIG, "cannot listen on %s: %s", listen,
                         strerror(reason));
    }
}

/* A listening socket, or -1 with the reason in errno. */
static int open_socket(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, 128) < 0) {
        int reason = errno;
        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    (void)getsockname(fd, (struct sockaddr *)(void *)&address, &size);
    return ntohs(address.ss_family == AF_INET6
                     ? ((struct sockaddr_in6 *)(void *)&address)->sin6_port
                     : ((struct sockaddr_in *)(void *)&address)->sin_port);
}

static int listen_on(const char *text, int *ret_fd, struct eddy_err *err)
{
    char host[256];
    const char *port = "";
    if (split_address(text, host, sizeof host, &port, err) < 0) {
        return EDDY_ECONFIG;
    }
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    int code = getaddrinfo(host[0] ? host : NULL, port, &hints, &addresses);
    if (code != 0) {
        return eddy_fail(err, EDDY_ECONFIG, "listen address \"%s\": %s", text,
                         gai_strerror(code));
    }
    int fd = -1, reason = 0;
    for (struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next) {
        fd = open_socket(a);
        reason = fd < 0 && reason == 0 ? errno : reason; /* the first tells most */
    }
    freeaddrinfo(addresses);
    if (fd < 0) {
        return fail_listen(text, port, reason, err);
    }
    *ret_fd = fd;
    return 0;
}

/* Start the daemon on fd, which is its own from then on. Signals are for the main thread:
 * the new one inherits a full mask. */
static struct MHD_Daemon *start_daemon(struct eddy_http *http, int fd,
                                       const struct eddy_http_limits *limits)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, http,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL,
        MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(limits->connections ? limits->connections : CONNECTIONS),
        MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(limits->idle_s ? limits->idle_s : IDLE_S),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_SIZE, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

int eddy_http_start(const char *listen, const struct eddy_http_route *routes,
                    size_t count, const struct eddy_http_limits *limits,
                    struct eddy_http **ret, struct eddy_err *err)
{
    static const struct eddy_http_limits defaults;
    int fd = -1;
    limits = limits ? limits : &defaults;
    struct eddy_http *http = calloc(1, sizeof *http);
    if (!http) {
        return eddy_fail(err, EDDY_ENOMEM, "HTTP server: out of memory");
    }
    http->routes = routes;
    http->route_count = count;
    http->body_size = limits->body_size ? limits->body_size : BODY_SIZE;
    int code = listen_on(listen, &fd, err);
    if (code < 0) {
        free(http);
        return code;
    }
    http->port = port_of(fd);
    http->daemon = start_daemon(http, fd, limits);
    if (!http->daemon) {
        (void)close(fd);
        free(http);
        return eddy_fail(err, EDDY_ENOMEM,
                         "HTTP server on %s: its thread could not be started", listen);
    }
    *ret = http;
    return 0;
}

void eddy_http_stop(struct eddy_http *http)
{
    if (http) {
        MHD_stop_daemon(http->daemon); /* closes the socket, joins the thread */
        free(http);
    }
}

uint16_t eddy_http_port(const struct eddy_http *http)
{
    return http->port;
}

static bool look_up(const struct eddy_http_request *request, enum MHD_ValueKind kind,
                    const char *name, struct eddy_span *ret)
{
    const char *value = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(request->connection, kind, name, strlen(name),
                                      &value, &size) != MHD_YES) {
        return false;
    }
    *ret = (struct eddy_span){value ? value : "", value ? size : 0};
    return true;
}

bool eddy_http_query(const struct eddy_http_request *request, const char *name,
                     struct eddy_span *ret)
{
    return look_up(request, MHD_GET_ARGUMENT_KIND, name, ret);
}

bool eddy_http_header(const struct eddy_http_request *request, const char *name,
                      struct eddy_span *ret)
{
    return look_up(request, MHD_HEADER_KIND, name, ret);
}
