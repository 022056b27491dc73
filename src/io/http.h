/* Layer: io.  HTTP server on a thread of its own (libmicrohttpd): a table of routes, each
 * with a handler that fills a buffer. */
#ifndef EDDY_IO_HTTP_H
#define EDDY_IO_HTTP_H

#include <stdint.h>

#include "base/buf.h"
#include "eddy/error.h"

struct eddy_http;

/* Borrowed for the call of the handler. */
struct eddy_http_request {
    const char *method; /* "GET" for HEAD too */
    const char *path;   /* percent-decoded, without the query */
    const char
        *rest; /* of a route that ends in '*': what the star stands for, else "" */
    struct eddy_span body;
    void *connection; /* libmicrohttpd's, for eddy_http_query and eddy_http_header */
};

/* To be filled by the handler; 200, text/plain and empty when it begins. */
enum { EDDY_HTTP_HEADERS = 4 };
struct eddy_http_response {
    int status;
    const char *content_type; /* static, or living until the handler returns */
    struct eddy_buf body;     /* one that failed becomes status 500 */
    struct eddy_http_header {
        const char *name; /* static; NULL: none */
        char value[104];
    } headers[EDDY_HTTP_HEADERS]; /* further ones, by eddy_http_add_header */
};

/* Thread: the server's (EDDY_ROLE_HTTP). All requests wait for it, so it must not block. */
typedef void (*eddy_http_handler_fn)(void *context,
                                     const struct eddy_http_request *request,
                                     struct eddy_http_response *response);

struct eddy_http_route {
    const char *method; /* "GET" (answers HEAD too), "POST", ... */
    const char *path; /* "/metrics"; "/v1/lists/" and a '*' matches every path below */
    eddy_http_handler_fn handler;
    void *context;
};

/* 0 takes the default. */
struct eddy_http_limits {
    uint32_t connections; /* open at once; 256. More wait to be accepted             */
    uint32_t body_size;   /* largest request body, 1 MiB; 413 beyond                 */
    uint32_t idle_s;      /* a connection without traffic is closed after this; 15 s */
};

/* Listen and serve. listen: "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; ":8080"
 * listens on every address; port 0 takes any free one. routes are kept until stop; the
 * first that matches counts. limits may be NULL.
 * EDDY_ECONFIG says what is wrong with the address, who has the port and what to do;
 * EDDY_ENOMEM. Thread: init. */
int eddy_http_start(const char *listen, const struct eddy_http_route *routes,
                    size_t count, const struct eddy_http_limits *limits,
                    struct eddy_http **ret, struct eddy_err *err);
/* Close the port and every connection, wait for the thread, free. NULL is fine. */
void eddy_http_stop(struct eddy_http *http);
/* The port that is listened on. Thread: any, until stop. */
uint16_t eddy_http_port(const struct eddy_http *http);

/* Argument of the query, false when it is not there; *ret is empty for one without a
 * value (?verbose). The same for a request header. Borrowed as the request. */
bool eddy_http_query(const struct eddy_http_request *request, const char *name,
                     struct eddy_span *ret);
bool eddy_http_header(const struct eddy_http_request *request, const char *name,
                      struct eddy_span *ret);

/* A further header of the answer; a value that is too long is cut. At most
 * EDDY_HTTP_HEADERS of them, more are left out. name: static. */
void eddy_http_add_header(struct eddy_http_response *response, const char *name,
                          const char *value);

/* Answer with a status and a plain text. */
__attribute__((format(printf, 3, 4))) void eddy_http_text(
    struct eddy_http_response *response, int status, const char *fmt, ...);

#endif
