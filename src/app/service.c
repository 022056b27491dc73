/* HTTP routes of the daemon.
 *
 * /livez asks only whether the main loop turns: were it to ask Redis, an outage of Redis
 * would become a storm of restarts. /readyz asks everything. Handlers run one at a time on
 * the server's thread, so reads from Redis have a short time-out, and after a failure they
 * fail at once for a second: probes and metrics are answered also while Redis hangs. */
#include "app/service.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/aws.h"
#include "app/inspect.h"
#include "app/jobs.h"
#include "app/tools.h"
#include "app/version.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/metric.h"
#include "io/registry.h"

static const uint64_t second_ns = UINT64_C(1000000000);
static const char json_content[] = "application/json";

enum { ROUTES = 10, REDIS_TIMEOUT_MS = 1000 };
/* SDKs send up to 2 MB, and keep idle connections for a minute. */
enum { API_BODY_SIZE = 4 << 20, API_IDLE_S = 75 };

struct eddy_service {
    const struct eddy_config *config;
    struct eddy_registry *registry;
    struct eddy_http *http;
    /* Pairs with the HTTP thread's loads; written by the loop. */
    _Atomic(struct eddy_supervisor *) supervisor;
    _Atomic uint64_t beat_ns;
    atomic_bool draining;
    struct eddy_http_route routes[ROUTES];
    struct eddy_control control; /* HTTP thread only, as what follows */
    struct eddy_jobs *jobs;      /* NULL without the role api */
    /* HTTP thread only. */
    struct eddy_redis_options redis; /* the configuration's with a short time-out */
    struct eddy_store *store;
    struct eddy_arena *arena;
    uint64_t redis_away_ns; /* when Redis failed last */
    struct eddy_err redis_err;
    uint32_t partitions; /* of the deployment, 0: not read yet */
};

/* ---- Redis ----------------------------------------------------------------------- */

/* Whether Redis failed less than a second ago: then its last words are the answer. */
static bool is_away(const struct eddy_service *service, struct eddy_err *err)
{
    if (!service->redis_away_ns ||
        eddy_monotonic_ns() - service->redis_away_ns >= second_ns)
        return false;
    *err = service->redis_err;
    return true;
}

/* Remember how an exchange went. */
static int note(struct eddy_service *service, int code, const struct eddy_err *err)
{
    service->redis_away_ns = 0;
    if (code == EDDY_ESTORE) {
        service->redis_away_ns = eddy_monotonic_ns();
        service->redis_err = *err;
    }
    return code;
}

static int read_key(struct eddy_service *service, const struct eddy_buf *key,
                    struct eddy_span *ret, struct eddy_err *err)
{
    if (is_away(service, err))
        return err->code;
    return note(service,
                eddy_store_get(service->store, eddy_buf_span(key), service->arena, ret,
                               err),
                err);
}

static int read_partitions(struct eddy_service *service, struct eddy_err *err)
{
    if (service->partitions)
        return 0;
    if (is_away(service, err))
        return err->code;
    return note(service,
                eddy_tool_partitions(service->store, &service->partitions, err), err);
}

static void answer_error(struct eddy_http_response *response, int status,
                         const char *message)
{
    response->status = status;
    response->content_type = json_content;
    eddy_buf_puts(&response->body, "{\"error\":");
    eddy_buf_put_json_string(&response->body, eddy_span_of(message));
    eddy_buf_puts(&response->body, "}\n");
}

static void get_list(void *context, const struct eddy_http_request *request,
                     struct eddy_http_response *response)
{
    struct eddy_service *service = context;
    struct eddy_err err = {0};
    struct eddy_span value = {0};
    struct eddy_buf key;
    eddy_arena_reset(service->arena);
    eddy_buf_init(&key, 0);
    eddy_key_list(service->store, eddy_span_of(request->rest), &key);
    int r = read_key(service, &key, &value, &err);
    if (r == 0 && !value.data) {
        eddy_buf_clear(&key);
        eddy_key_list_default(service->store, &key);
        r = read_key(service, &key, &value, &err);
    }
    eddy_buf_fini(&key);
    if (r < 0) {
        answer_error(response, 503, err.text);
    } else if (!value.data) {
        answer_error(response, 404, "no list for this user, and no default list yet");
    } else {
        response->content_type = json_content;
        eddy_buf_put(&response->body, value.data, value.size);
        eddy_buf_putc(&response->body, '\n');
    }
}

static void put_state(struct eddy_service *service, struct eddy_span user,
                      uint32_t partition, struct eddy_span blob,
                      struct eddy_http_response *response)
{
    enum { FLOATS = (EDDY_LAYERS_MAX + 2) * EDDY_HIDDEN_MAX };
    struct eddy_err err = {0};
    struct eddy_snapshot *snapshot = NULL;
    void *memory =
        eddy_arena_take(service->arena, eddy_state_size(FLOATS, EDDY_RECENT_MAX));
    struct eddy_state *state =
        memory ? eddy_state_init(memory, FLOATS, EDDY_RECENT_MAX) : NULL;
    if (!state || eddy_state_decode(blob, state, &err) < 0) {
        answer_error(response, 500, state ? err.text : "out of memory");
        return;
    }
    if (state->snapshot[0])
        (void)eddy_registry_get(service->registry, state->snapshot, &snapshot, &err);
    json_t *object = eddy_inspect_state_json(user, partition, state, snapshot);
    char *text =
        object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (text) {
        response->content_type = json_content;
        eddy_buf_puts(&response->body, text);
        eddy_buf_putc(&response->body, '\n');
    } else {
        answer_error(response, 500, "out of memory");
    }
    free(text);
    json_decref(object);
    if (snapshot)
        eddy_snapshot_release(snapshot);
}

static void get_user(void *context, const struct eddy_http_request *request,
                     struct eddy_http_response *response)
{
    struct eddy_service *service = context;
    struct eddy_err err = {0};
    struct eddy_span user = eddy_span_of(request->rest), blob = {0};
    struct eddy_buf key;
    eddy_arena_reset(service->arena);
    if (read_partitions(service, &err) < 0) {
        answer_error(response, 503, err.text);
        return;
    }
    uint32_t partition = eddy_partition_of(user, service->partitions);
    eddy_buf_init(&key, 0);
    eddy_key_state(service->store, partition, user, &key);
    int r = read_key(service, &key, &blob, &err);
    eddy_buf_fini(&key);
    if (r < 0)
        answer_error(response, 503, err.text);
    else if (!blob.data)
        answer_error(response, 404, "no state for this user");
    else
        put_state(service, user, partition, blob, response);
}

/* ---- health ---------------------------------------------------------------------- */

static void get_livez(void *context, const struct eddy_http_request *request,
                      struct eddy_http_response *response)
{
    struct eddy_service *service = context;
    uint64_t beat_ns = atomic_load_explicit(&service->beat_ns, memory_order_relaxed);
    uint64_t age_s = (eddy_monotonic_ns() - beat_ns) / second_ns;
    (void)request;
    if (age_s >= 10)
        eddy_http_text(response, 503, "main loop has been stuck for %" PRIu64 " s\n",
                       age_s);
    else
        eddy_http_text(response, 200, "ok\n");
}

/* Without workers in the process the one thing to need is Redis. */
static bool check_api(struct eddy_service *service,
                      struct eddy_health_check ret_checks[EDDY_HEALTH_COUNT])
{
    struct eddy_err err = {0};
    struct eddy_span value = {0};
    struct eddy_buf key;
    eddy_arena_reset(service->arena);
    eddy_buf_init(&key, 0);
    eddy_key_meta(service->store, &key);
    bool ok = read_key(service, &key, &value, &err) == 0;
    eddy_buf_fini(&key);
    ret_checks[0] = (struct eddy_health_check){.name = "redis", .ok = ok};
    (void)snprintf(ret_checks[0].text, sizeof ret_checks[0].text, "%s",
                   ok ? "answers" : err.text);
    return ok;
}

/* Fills the checks, *ret_count of them: what /readyz and eddy_ready are made of. */
static bool is_ready(struct eddy_service *service,
                     struct eddy_health_check ret_checks[EDDY_HEALTH_COUNT],
                     uint32_t *ret_count)
{
    struct eddy_supervisor *supervisor =
        atomic_load_explicit(&service->supervisor, memory_order_acquire);
    bool ready = false;
    *ret_count = EDDY_HEALTH_COUNT;
    if (supervisor) {
        ready = eddy_supervisor_health(supervisor, ret_checks);
    } else if (eddy_config_has_role(service->config, "worker")) {
        *ret_count = 0; /* between the start of HTTP and of the workers */
    } else {
        ready = check_api(service, ret_checks);
        *ret_count = 1;
    }
    return ready && !atomic_load_explicit(&service->draining, memory_order_relaxed);
}

static void get_readyz(void *context, const struct eddy_http_request *request,
                       struct eddy_http_response *response)
{
    struct eddy_service *service = context;
    struct eddy_health_check checks[EDDY_HEALTH_COUNT];
    struct eddy_span verbose;
    uint32_t count = 0;
    bool ready = is_ready(service, checks, &count);
    bool all = eddy_http_query(request, "verbose", &verbose);
    response->status = ready ? 200 : 503;
    for (uint32_t i = 0; i < count; i++) {
        const struct eddy_health_check *check = &checks[i];
        if (all || !check->ok)
            eddy_buf_printf(&response->body, "[%c]%s %s%s%s\n", check->ok ? '+' : '-',
                            check->name, check->ok ? "ok" : "failed",
                            check->text[0] ? ": " : "", check->text);
    }
    if (count == 0)
        eddy_buf_puts(&response->body,
                      "[-]start failed: the workers are being set up\n");
    if (atomic_load_explicit(&service->draining, memory_order_relaxed))
        eddy_buf_puts(&response->body, "[-]draining: the process is about to end\n");
    eddy_buf_puts(&response->body, ready ? "ok\n" : "not ready\n");
}

/* ---- the process ----------------------------------------------------------------- */

static void get_metrics(void *context, const struct eddy_http_request *request,
                        struct eddy_http_response *response)
{
    static const char head[] =
        "# HELP eddy_ready 1 while /readyz answers 200, else 0.\n"
        "# TYPE eddy_ready gauge\n"
        "eddy_ready ";
    struct eddy_health_check checks[EDDY_HEALTH_COUNT];
    uint32_t count = 0;
    (void)request;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    eddy_metrics_print(&response->body);
    eddy_buf_puts(&response->body, head);
    eddy_buf_puts(&response->body, is_ready(context, checks, &count) ? "1\n" : "0\n");
}

static void get_version(void *context, const struct eddy_http_request *request,
                        struct eddy_http_response *response)
{
    (void)context, (void)request;
    response->content_type = json_content;
    eddy_version_print_json(&response->body);
}

static void get_config(void *context, const struct eddy_http_request *request,
                       struct eddy_http_response *response)
{
    struct eddy_service *service = context;
    (void)request;
    response->content_type = json_content;
    eddy_conf_print_json(service->config->conf, &response->body);
}

static void get_index(void *context, const struct eddy_http_request *request,
                      struct eddy_http_response *response)
{
    struct eddy_service *service = context;
    (void)request;
    eddy_buf_puts(&response->body, "eddy " EDDY_VERSION "\n\n");
    for (size_t i = 0; i < ROUTES && service->routes[i].path; i++)
        eddy_buf_printf(&response->body, "%s %s%s\n", service->routes[i].method,
                        service->routes[i].path,
                        strchr(service->routes[i].path, '*') ? "  (* is a user id)"
                                                             : "");
}

static size_t fill_routes(struct eddy_service *service)
{
    static const struct {
        const char *path;
        eddy_http_handler_fn handler;
        const char *role; /* only with this role */
    } table[] = {
        {"/", get_index, NULL},           {"/livez", get_livez, NULL},
        {"/readyz", get_readyz, NULL},    {"/healthz", get_readyz, NULL},
        {"/metrics", get_metrics, NULL},  {"/version", get_version, NULL},
        {"/config", get_config, NULL},    {"/v1/lists/*", get_list, "api"},
        {"/v1/users/*", get_user, "api"},
    };
    size_t count = 0;
    _Static_assert(sizeof table / sizeof *table <= ROUTES, "room for every route");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].role && !eddy_config_has_role(service->config, table[i].role))
            continue;
        service->routes[count++] =
            (struct eddy_http_route){"GET", table[i].path, table[i].handler, service};
    }
    if (eddy_config_has_role(service->config, "api"))
        service->routes[count++] =
            (struct eddy_http_route){"POST", "/", eddy_aws_post, &service->control};
    return count;
}

/* The control plane and its jobs. */
static int start_api(struct eddy_service *service, struct eddy_err *err)
{
    int r = eddy_control_open(&service->control, service->config, err);
    if (r == 0)
        r = eddy_jobs_start(service->config, &service->jobs, err);
    service->control.wake = eddy_jobs_wake;
    service->control.wake_context = service->jobs;
    return r;
}

int eddy_service_start(const struct eddy_config *config, struct eddy_registry *registry,
                       struct eddy_service **ret, struct eddy_err *err)
{
    struct eddy_service *service = calloc(1, sizeof *service);
    if (!service)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    service->config = config;
    service->registry = registry;
    service->redis = config->redis;
    if (service->redis.timeout_ms > REDIS_TIMEOUT_MS)
        service->redis.timeout_ms = REDIS_TIMEOUT_MS;
    service->arena = eddy_arena_new(1 << 16, 1 << 24);
    service->store =
        eddy_store_redis_open(&service->redis, config->group, "eddy-api", NULL);
    eddy_service_beat(service);
    bool api = eddy_config_has_role(config, "api");
    struct eddy_http_limits limits = {.body_size = api ? API_BODY_SIZE : 0,
                                      .idle_s = api ? API_IDLE_S : 0};
    int r = service->arena && service->store
                ? 0
                : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (r == 0 && api)
        r = start_api(service, err);
    if (r == 0)
        r = eddy_http_start(config->http.listen, service->routes, fill_routes(service),
                            &limits, &service->http, err);
    if (r < 0) {
        eddy_service_stop(service);
        return r;
    }
    *ret = service;
    return 0;
}

void eddy_service_stop(struct eddy_service *service)
{
    if (!service)
        return;
    eddy_http_stop(service->http);
    eddy_jobs_stop(service->jobs);
    eddy_control_close(&service->control);
    eddy_store_close(service->store);
    eddy_arena_free(service->arena);
    free(service);
}

void eddy_service_set_supervisor(struct eddy_service *service,
                                 struct eddy_supervisor *supervisor)
{
    /* Pairs with the load in get_readyz. */
    atomic_store_explicit(&service->supervisor, supervisor, memory_order_release);
}

void eddy_service_beat(struct eddy_service *service)
{
    atomic_store_explicit(&service->beat_ns, eddy_monotonic_ns(), memory_order_relaxed);
}

void eddy_service_drain(struct eddy_service *service)
{
    atomic_store_explicit(&service->draining, true, memory_order_relaxed);
}
