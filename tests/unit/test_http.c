/* The HTTP server with real sockets on the loopback interface. */
#include "io/http.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/thread.h"
#include "check.h"

static struct eddy_err err;
static atomic_int calls;

static void hello(void *context, const struct eddy_http_request *request,
                  struct eddy_http_response *response)
{
    struct eddy_span name = {"", 0}, agent = {"", 0};
    EDDY_ON(HTTP);
    atomic_fetch_add(&calls, 1);
    bool named = eddy_http_query(request, "name", &name);
    bool loud = eddy_http_query(request, "loud", &name);
    (void)eddy_http_query(request, "name", &name);
    (void)eddy_http_header(request, "X-Agent", &agent);
    response->content_type = "application/json";
    eddy_buf_printf(&response->body,
                    "%s %s rest=%s named=%d loud=%d name=%.*s agent=%.*s",
                    (const char *)context, request->path, request->rest, named, loud,
                    (int)name.size, name.data, (int)agent.size, agent.data);
}

static void echo(void *context, const struct eddy_http_request *request,
                 struct eddy_http_response *response)
{
    (void)context;
    eddy_buf_put(&response->body, request->body.data, request->body.size);
}

static void refuse(void *context, const struct eddy_http_request *request,
                   struct eddy_http_response *response)
{
    (void)context;
    (void)request;
    eddy_http_text(response, 503, "not ready: %s\n", "redis");
}

static void overflow(void *context, const struct eddy_http_request *request,
                     struct eddy_http_response *response)
{
    (void)context;
    (void)request;
    response->body.max_size = 10;
    eddy_buf_puts(&response->body, "longer than ten bytes");
}

static void with_headers(void *context, const struct eddy_http_request *request,
                         struct eddy_http_response *response)
{
    char value[200];
    (void)context;
    (void)request;
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    eddy_http_add_header(response, "x-one", "first");
    eddy_http_add_header(response, "x-long", value);
    eddy_http_add_header(response, "x-three", "3");
    eddy_http_add_header(response, "x-four", "4");
    eddy_http_add_header(response, "x-five", "5");
}

static char context_text[] = "hi";
static const struct eddy_http_route routes[] = {
    {"GET", "/hello", hello, context_text},  {"GET", "/below/*", hello, context_text},
    {"POST", "/echo", echo, NULL},           {"PUT", "/echo", echo, NULL},
    {"GET", "/readyz", refuse, NULL},        {"GET", "/overflow", overflow, NULL},
    {"GET", "/headers", with_headers, NULL},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

static struct eddy_http *start(const struct eddy_http_limits *limits)
{
    struct eddy_http *http = NULL;
    if (!CHECK_INT(eddy_http_start("127.0.0.1:0", routes, ROUTES, limits, &http, &err),
                   0)) {
        fprintf(stderr, "    %s\n", err.text);
        exit(1);
    }
    return http;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {20, 0}; /* a server that hangs fails the test */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (!CHECK(connect(fd, (struct sockaddr *)(void *)&address, sizeof address) == 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the server may hang up on us: the reply tells */
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void receive_all(int fd, struct eddy_buf *reply)
{
    char part[4096];
    for (;;) {
        ssize_t got = recv(fd, part, sizeof part, 0);
        if (got <= 0) {
            return;
        }
        eddy_buf_put(reply, part, (size_t)got);
    }
}

/* One request on a connection of its own, the whole reply in the static buffer. */
static const char *ask(struct eddy_http *http, const char *request, size_t size)
{
    static struct eddy_buf reply;
    eddy_buf_fini(&reply);
    eddy_buf_puts(&reply, "");
    int fd = connect_to(eddy_http_port(http));
    send_all(fd, request, size);
    receive_all(fd, &reply);
    (void)close(fd);
    return reply.data;
}

static const char *get(struct eddy_http *http, const char *head)
{
    char request[512];
    int size = snprintf(request, sizeof request,
                        "%s HTTP/1.1\r\nHost: x\r\nX-Agent: me\r\n"
                        "Connection: close\r\n\r\n",
                        head);
    return ask(http, request, (size_t)size);
}

static const char *body_of(const char *reply)
{
    const char *end = strstr(reply, "\r\n\r\n");
    return end ? end + 4 : "(no reply)";
}

static void routes_are_found_by_method_and_path(void)
{
    static const struct {
        const char *request, *status, *body;
    } rows[] = {
        {"GET /hello", "200 OK", "hi /hello rest= named=0 loud=0 name= agent=me"},
        {"HEAD /hello", "200 OK", ""},
        {"GET /hello?name=a%20b&loud", "200 OK",
         "hi /hello rest= named=1 loud=1 name=a b agent=me"},
        {"GET /below/a/b?x=1", "200 OK",
         "hi /below/a/b rest=a/b named=0 loud=0 name= agent=me"},
        {"GET /below/", "404 Not Found", "not found\n"},
        {"GET /hello/", "404 Not Found", "not found\n"},
        {"GET /", "404 Not Found", "not found\n"},
        {"POST /hello", "405 Method Not Allowed", "method not allowed\n"},
        {"BREW /hello", "405 Method Not Allowed", "method not allowed\n"},
        {"GET /readyz", "503 Service Unavailable", "not ready: redis\n"},
        {"GET /overflow", "500 Internal Server Error", ""},
    };
    struct eddy_http *http = start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *reply = get(http, rows[i].request);
        char want[64];
        (void)snprintf(want, sizeof want, "HTTP/1.1 %s\r\n", rows[i].status);
        if (!CHECK(strncmp(reply, want, strlen(want)) == 0) ||
            !CHECK_STR(body_of(reply), rows[i].body)) {
            fprintf(stderr, "    %s: %s\n", rows[i].request, reply);
        }
    }
    CHECK(strstr(get(http, "GET /echo"), "\r\nAllow: POST, PUT\r\n") != NULL);
    CHECK(strstr(get(http, "GET /hello"), "\r\nContent-Type: application/json\r\n"));
    CHECK(strstr(get(http, "HEAD /hello"), "\r\nContent-Length: 45\r\n"));
    eddy_http_stop(http);
    eddy_http_stop(NULL);
}

static const char *post(struct eddy_http *http, const char *headers, size_t size)
{
    struct eddy_buf request;
    eddy_buf_init(&request, 0);
    eddy_buf_printf(&request,
                    "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s"
                    "Content-Length: %zu\r\n\r\n",
                    headers, size);
    for (size_t i = 0; i < size; i++) {
        eddy_buf_putc(&request, (char)('a' + i % 26));
    }
    const char *reply = ask(http, request.data, request.size);
    eddy_buf_fini(&request);
    return reply;
}

static void bodies_are_taken_up_to_the_limit(void)
{
    struct eddy_http_limits limits = {.body_size = 100000};
    struct eddy_http *http = start(&limits);
    CHECK_STR(body_of(post(http, "", 0)), "");
    CHECK_STR(body_of(post(http, "", 5)), "abcde");
    const char *reply = post(http, "", 100000);
    CHECK(strncmp(reply, "HTTP/1.1 200 ", 13) == 0);
    CHECK_INT(strlen(body_of(reply)), 100000);
    reply = post(http, "", 100001);
    /* Refused at the headers; hanging up on the rest may cost the reply, never give a 200. */
    CHECK(strncmp(reply, "HTTP/1.1 413 ", 13) == 0 || reply[0] == '\0');
    reply = post(http, "Expect: 100-continue\r\n", 5);
    CHECK(strstr(reply, "HTTP/1.1 200 ") != NULL);
    eddy_http_stop(http);
}

/* A body in chunks, whose size nobody announced. */
static const char *post_chunks(struct eddy_http *http, int chunks)
{
    struct eddy_buf request;
    eddy_buf_init(&request, 0);
    eddy_buf_puts(&request, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < chunks; i++) {
        eddy_buf_puts(&request, "a\r\n0123456789\r\n");
    }
    eddy_buf_puts(&request, "0\r\n\r\n");
    const char *reply = ask(http, request.data, request.size);
    eddy_buf_fini(&request);
    return reply;
}

static void chunked_bodies_have_the_same_limit(void)
{
    struct eddy_http_limits limits = {.body_size = 1000};
    struct eddy_http *http = start(&limits);
    CHECK_INT(strlen(body_of(post_chunks(http, 100))), 1000);
    const char *reply = post_chunks(http, 101);
    CHECK(strncmp(reply, "HTTP/1.1 413 ", 13) == 0);
    CHECK_STR(body_of(reply), "the body is larger than 1000 bytes\n");
    CHECK_STR(post_chunks(http, 5000), ""); /* without end: cut off */
    eddy_http_stop(http);
}

static void garbage_gets_no_handler(void)
{
    static const char *const requests[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /hello\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01",
        "GET /hello HTTP/9.9\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"};
    struct eddy_http_limits limits = {.idle_s = 1};
    struct eddy_http *http = start(&limits);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const char *reply = ask(http, requests[i], strlen(requests[i]));
        CHECK(strstr(reply, " 200 ") == NULL);
    }
    struct eddy_buf large; /* headers beyond what a connection may hold */
    eddy_buf_init(&large, 0);
    eddy_buf_puts(&large, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: ");
    for (int i = 0; i < 100000; i++) {
        eddy_buf_putc(&large, 'x');
    }
    eddy_buf_puts(&large, "\r\n\r\n");
    CHECK(strstr(ask(http, large.data, large.size), " 200 ") == NULL);
    eddy_buf_fini(&large);
    CHECK(strstr(get(http, "GET /hello"), " 200 ") != NULL); /* it still serves */
    eddy_http_stop(http);
}

static void several_requests_share_a_connection(void)
{
    struct eddy_http *http = start(NULL);
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                                  "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                                  "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                                  "GET /hello HTTP/1.1\r\nHost: x\r\n"
                                  "Connection: close\r\n\r\n";
    const char *reply = ask(http, request, sizeof request - 1);
    int good = 0;
    for (const char *at = reply; (at = strstr(at, "HTTP/1.1 200 ")) != NULL; at++) {
        good++;
    }
    CHECK_INT(good, 3);
    eddy_http_stop(http);
}

static void a_stop_does_not_wait_for_idle_clients(void)
{
    struct eddy_http *http = start(NULL);
    int silent = connect_to(eddy_http_port(http));
    int half = connect_to(eddy_http_port(http));
    uint16_t port = eddy_http_port(http);
    static const char part[] = "POST /echo HTTP/1.1\r\nHost: x\r\n"
                               "Content-Length: 10\r\n\r\nabc";
    send_all(half, part, sizeof part - 1);
    CHECK(strstr(get(http, "GET /hello"), " 200 ") !=
          NULL); /* half has been read by now */
    eddy_http_stop(http);
    char byte;
    CHECK(recv(silent, &byte, 1, 0) <= 0);
    (void)close(silent);
    (void)close(half);
    /* The port is free again. */
    char listen[32];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    http = NULL;
    CHECK_INT(eddy_http_start(listen, routes, ROUTES, NULL, &http, &err), 0);
    eddy_http_stop(http);
}

static void a_taken_port_says_what_to_do(void)
{
    struct eddy_http *first = start(NULL), *second = NULL;
    char listen[32], want[240];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", eddy_http_port(first));
    (void)snprintf(
        want, sizeof want,
        "cannot listen on %s: another process has the port; stop it (`ss -ltnp "
        "sport = :%d` names it) or choose another port",
        listen, eddy_http_port(first));
    CHECK_INT(eddy_http_start(listen, routes, ROUTES, NULL, &second, &err),
              EDDY_ECONFIG);
    CHECK_STR(err.text, want);
    CHECK(second == NULL);
    eddy_http_stop(first);
}

static void addresses_that_are_none_are_refused(void)
{
    static const char *const malformed[] = {
        "",         "8080",        "127.0.0.1",       "127.0.0.1:", "127.0.0.1:x",
        "a:70000",  "::1:8080",    "127.0.0.1:8080x", "[::1]",      "127.0.0.1:-1",
        "a:123456", "127.0.0.1: 1"};
    struct eddy_http *http = NULL;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        char want[240];
        (void)snprintf(
            want, sizeof want,
            "listen address \"%s\" is not ADDRESS:PORT, such as 127.0.0.1:8080 "
            "or [::1]:8080 (port 0: any free one)",
            malformed[i]);
        CHECK_INT(eddy_http_start(malformed[i], routes, ROUTES, NULL, &http, &err),
                  EDDY_ECONFIG);
        CHECK_STR(err.text, want);
    }
    CHECK_INT(eddy_http_start("192.0.2.1:0", routes, ROUTES, NULL, &http, &err),
              EDDY_ECONFIG);
    CHECK_STR(err.text,
              "cannot listen on 192.0.2.1:0: this machine does not have the address");
    CHECK(http == NULL);
}

static void ipv6_and_every_address_are_listened_on(void)
{
    struct eddy_http *http = NULL;
    CHECK_INT(eddy_http_start(":0", routes, ROUTES, NULL, &http, &err), 0);
    CHECK(strstr(get(http, "GET /hello"), " 200 ") != NULL);
    eddy_http_stop(http);
    http = NULL;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_ipv6 = probe >= 0 && bind(probe, (struct sockaddr *)(void *)&loopback,
                                       sizeof loopback) == 0;
    if (probe >= 0) {
        (void)close(probe);
    }
    int code = eddy_http_start("[::1]:0", routes, ROUTES, NULL, &http, &err);
    CHECK_INT(code, has_ipv6 ? 0 : EDDY_ECONFIG);
    CHECK(!has_ipv6 || eddy_http_port(http) > 0);
    eddy_http_stop(http);
}

static void *ask_in_thread(void *argument)
{
    struct eddy_http *http = argument;
    char part[256];
    for (int i = 0; i < 50; i++) {
        static const char request[] =
            "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        int fd = connect_to(eddy_http_port(http));
        send_all(fd, request, sizeof request - 1);
        CHECK(recv(fd, part, sizeof part, MSG_WAITALL) > 0);
        (void)close(fd);
    }
    return NULL;
}

static void clients_in_parallel_are_all_answered(void)
{
    struct eddy_http_limits limits = {.connections = 3}; /* fewer than clients */
    struct eddy_http *http = start(&limits);
    pthread_t threads[6];
    atomic_store(&calls, 0);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(eddy_thread_start(&threads[i], EDDY_ROLE_NONE, "client",
                                    ask_in_thread, http, &err),
                  0);
    }
    for (int i = 0; i < 6; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    CHECK_INT(atomic_load(&calls), 300);
    eddy_http_stop(http);
}

static void answers_carry_further_headers(void)
{
    struct eddy_http *http = start(NULL);
    const char *reply = get(http, "GET /headers");
    CHECK(strstr(reply, "\r\nx-one: first\r\n") != NULL);
    CHECK(strstr(reply, "\r\nx-long: vvv") != NULL); /* cut, not lost */
    CHECK(strstr(reply, "\r\nx-four: 4\r\n") != NULL);
    CHECK(strstr(reply, "x-five") == NULL); /* there is room for four */
    CHECK(strstr(get(http, "GET /hello"), "x-one") == NULL);
    eddy_http_stop(http);
}

int main(void)
{
    RUN(answers_carry_further_headers);
    RUN(routes_are_found_by_method_and_path);
    RUN(bodies_are_taken_up_to_the_limit);
    RUN(chunked_bodies_have_the_same_limit);
    RUN(garbage_gets_no_handler);
    RUN(several_requests_share_a_connection);
    RUN(a_stop_does_not_wait_for_idle_clients);
    RUN(a_taken_port_says_what_to_do);
    RUN(addresses_that_are_none_are_refused);
    RUN(ipv6_and_every_address_are_listened_on);
    RUN(clients_in_parallel_are_all_answered);
    return check_done();
}
