/* eddy run: the daemon.
 *
 * The checklist: arguments, configuration, log, HTTP, supervisor (it opens snapshots and
 * store and starts the workers), loop; then drain and stop in reverse order. The main
 * thread owns a libuv loop with signals and a one-second tick and nothing else; it never
 * waits for Kafka or Redis, so it answers signals also while those are away.
 *
 * SIGTERM, SIGINT  drain: finish the turn, confirm lists, leave the group; a second one
 *                  ends at once (exit code 75)
 * SIGHUP           read the configuration again; what can change at run time does
 * SIGUSR2          all health checks into the log
 * SIGPIPE          ignored */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "app/app.h"
#include "app/notify.h"
#include "app/service.h"
#include "app/settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/thread.h"
#include "core/kernel.h"
#include "io/registry.h"

struct options {
    struct eddy_settings settings;
    const char *role, *listen;
    bool print_config, print_example, print_reference, json;
};

/* clang-format off */
static const struct eddy_arg rows[] = {
    EDDY_SETTINGS_ROWS(struct options),
    {.name = "role", .type = EDDY_ARG_TEXT, .offset = offsetof(struct options, role),
     .value = "ROLE,...", .help = "worker, api or both (default: roles of the configuration, worker,api)."},
    {.name = "listen", .type = EDDY_ARG_TEXT, .offset = offsetof(struct options, listen),
     .value = "ADDR", .help = "HTTP address, e.g. :8080 or 127.0.0.1:8080; \"\" for none (http.listen)."},
    {.name = "print-config", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, print_config),
     .help = "Print every option with its value and where that came from, and exit."},
    {.name = "json", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, json),
     .help = "With --print-config: as JSON."},
    {.name = "print-example", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, print_example),
     .help = "Print an example configuration (deploy/eddy.yaml.example) and exit."},
    {.name = "print-reference", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, print_reference),
     .help = "Print the table of all options in Markdown and exit."},
};
/* clang-format on */

static const struct eddy_args args = {
    .command = "run",
    .usage = "-c FILE [--role ROLE,...] [--listen ADDR] [--set NAME=VALUE]...",
    .about =
        "The daemon. Role worker: events from Kafka move states in Redis, lists go to Redis\n"
        "and to the list topic. Role api: lists and states over HTTP. Every role serves\n"
        "/livez /readyz[?verbose] /metrics /version /config.\n"
        "\n"
        "Options come from: default < FILE < EDDY_* in the environment < command line.\n"
        "\n"
        "Signals: TERM and INT drain and end (a second one ends at once), HUP reads the\n"
        "configuration again (log.level changes, the rest at the next start), USR2 writes\n"
        "all health checks to the log.\n"
        "\n"
        "Exit codes: 0 drained, 64 command line, 70 fatal, 75 the drain ran out of time,\n"
        "78 configuration.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "  eddy run -c eddy.yaml\n"
                "  eddy run -c eddy.yaml --role worker --set worker.threads=4\n"
                "  EDDY_REDIS_PASSWORD_FILE=/run/secrets/redis eddy run -c eddy.yaml\n"
                "  eddy run -c eddy.yaml --print-config",
};

enum { TICK_MS = 1000, GRACE_MS = 5000 };

struct daemon {
    const struct options *options;
    struct eddy_config *config;
    struct eddy_registry *registry;
    struct eddy_metrics *metrics;
    struct eddy_supervisor *supervisor; /* NULL without the role worker */
    struct eddy_service *service;       /* NULL without HTTP */
    uv_loop_t loop;
    uv_signal_t signals[4];
    uv_timer_t tick;
    uv_async_t end; /* sent by the supervisor's thread */
    uint64_t watchdog_ms, give_up_ns;
    bool stopping, ready, was_ready;
};

/* ---- configuration --------------------------------------------------------------- */

static struct eddy_config *load_config(const struct options *options,
                                       struct eddy_err *err)
{
    struct eddy_config *config = eddy_settings_read(&options->settings, err);
    int r = config ? 0 : EDDY_ECONFIG;
    if (r == 0 && options->role)
        r = eddy_config_set(config, "roles", options->role, "--role", err);
    if (r == 0 && options->listen)
        r = eddy_config_set(config, "http.listen", options->listen, "--listen", err);
    if (r == 0)
        r = eddy_config_finish(config, err);
    if (r < 0) {
        eddy_config_free(config);
        return NULL;
    }
    return config;
}

static int print_and_exit(const struct options *options,
                          const struct eddy_config *config)
{
    struct eddy_buf text;
    eddy_buf_init(&text, 0);
    if (options->print_example)
        eddy_conf_print_example(config->conf, &text);
    else if (options->print_reference)
        eddy_conf_print_reference(config->conf, &text);
    else if (options->json)
        eddy_conf_print_json(config->conf, &text);
    else
        eddy_conf_print(config->conf, &text);
    bool failed = text.failed;
    if (!failed)
        (void)fwrite(text.data, 1, text.size, stdout); /* main looks at ferror */
    eddy_buf_fini(&text);
    return failed ? EDDY_EXIT_SOFTWARE : EDDY_EXIT_OK;
}

static void set_up_log(const struct eddy_config *config)
{
    eddy_log_setup(STDERR_FILENO, (enum eddy_log_level)config->log.level,
                   config->log.format == 1);
}

/* ---- signals --------------------------------------------------------------------- */

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Nothing is left to wait for: the loop ends when all handles are closed. */
static void end_loop(struct daemon *daemon)
{
    uv_walk(&daemon->loop, close_handle, NULL);
}

static void begin_drain(struct daemon *daemon, const char *why)
{
    int64_t drain_ms = daemon->config->worker.drain_timeout_ms;
    daemon->stopping = true;
    daemon->give_up_ns =
        eddy_monotonic_ns() + (uint64_t)(drain_ms + GRACE_MS) * UINT64_C(1000000);
    eddy_log(EDDY_LOG_INFO, "main", "", "%s: draining, at most %lld s", why,
             (long long)(drain_ms / 1000));
    (void)eddy_notify("STOPPING=1\nSTATUS=draining");
    if (daemon->service)
        eddy_service_drain(daemon->service);
    if (daemon->supervisor)
        eddy_supervisor_stop(daemon->supervisor);
    else
        end_loop(daemon);
}

static void on_stop_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    const char *name = number == SIGINT ? "SIGINT" : "SIGTERM";
    if (daemon->stopping) {
        eddy_log(EDDY_LOG_WARN, "main", "", "%s again: ending at once, not drained",
                 name);
        _exit(EDDY_EXIT_TEMPORARY);
    }
    begin_drain(daemon, name);
}

static bool same_but_log(const struct eddy_config *a, const struct eddy_config *b)
{
    struct eddy_buf left, right;
    eddy_buf_init(&left, 0);
    eddy_buf_init(&right, 0);
    eddy_conf_print(a->conf, &left);
    eddy_conf_print(b->conf, &right);
    bool same = eddy_span_eq(eddy_buf_span(&left), eddy_buf_span(&right));
    eddy_buf_fini(&left);
    eddy_buf_fini(&right);
    return same;
}

/* The new configuration is read aside; on an error the old one stays in force. */
static void on_reload_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    struct eddy_err err = {0};
    (void)number;
    if (daemon->was_ready) /* before that, READY=1 would be a lie */
        (void)eddy_notify("RELOADING=1\nMONOTONIC_USEC=%llu",
                          (unsigned long long)(eddy_monotonic_ns() / 1000));
    struct eddy_config *config = load_config(daemon->options, &err);
    eddy_metric_set(daemon->metrics, EDDY_M_RELOAD_OK, config ? 1 : 0);
    if (!config) {
        eddy_log(EDDY_LOG_ERROR, "main", "", "configuration not reloaded: %s",
                 err.text);
    } else {
        eddy_metric_set(daemon->metrics, EDDY_M_RELOAD_TIME,
                        (double)eddy_now_ms() / 1000);
        set_up_log(config);
        eddy_log(EDDY_LOG_INFO, "main", "", "configuration reloaded%s",
                 same_but_log(daemon->config, config)
                     ? ": nothing has changed"
                     : ": log.level is in force, any other change at the next start");
    }
    eddy_config_free(config);
    if (daemon->was_ready)
        (void)eddy_notify("READY=1");
}

static void on_dump_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    struct eddy_health_check checks[EDDY_HEALTH_COUNT];
    (void)number;
    if (!daemon->supervisor) {
        eddy_log(EDDY_LOG_INFO, "health", "", "role api only: see /readyz?verbose");
        return;
    }
    (void)eddy_supervisor_health(daemon->supervisor, checks);
    for (size_t i = 0; i < EDDY_HEALTH_COUNT; i++)
        eddy_log(EDDY_LOG_INFO, "health", "", "%s %s: %s", checks[i].name,
                 checks[i].ok ? "ok" : "failed", checks[i].text);
}

/* ---- the tick -------------------------------------------------------------------- */

static void look_at_readiness(struct daemon *daemon)
{
    struct eddy_health_check checks[EDDY_HEALTH_COUNT];
    bool ready =
        !daemon->supervisor || eddy_supervisor_health(daemon->supervisor, checks);
    if (ready == daemon->ready)
        return;
    daemon->ready = ready;
    if (ready) {
        eddy_log(EDDY_LOG_INFO, "main", "",
                 daemon->was_ready ? "ready again" : "ready");
        (void)eddy_notify("READY=1\nSTATUS=ready");
        daemon->was_ready = true;
        return;
    }
    for (size_t i = 0; i < EDDY_HEALTH_COUNT; i++) {
        if (!checks[i].ok) {
            eddy_log(EDDY_LOG_WARN, "main", "", "not ready: %s: %s", checks[i].name,
                     checks[i].text);
            (void)eddy_notify("STATUS=not ready: %s", checks[i].name);
        }
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    if (daemon->service)
        eddy_service_beat(daemon->service);
    if (daemon->watchdog_ms)
        (void)eddy_notify("WATCHDOG=1");
    if (!daemon->stopping) {
        look_at_readiness(daemon);
        /* Kafka or Redis may be away for longer than a start may take: that is waiting, no
         * failure to start. */
        if (!daemon->was_ready)
            (void)eddy_notify("EXTEND_TIMEOUT_USEC=30000000");
    } else if (eddy_monotonic_ns() > daemon->give_up_ns) {
        eddy_log(EDDY_LOG_ERROR, "main", "",
                 "not drained within worker.drain_timeout; ending, the log will be "
                 "replayed from the last commit");
        _exit(EDDY_EXIT_TEMPORARY);
    }
}

/* ---- start and stop -------------------------------------------------------------- */

static void on_end(uv_async_t *async)
{
    end_loop(async->data);
}

/* On the supervisor's thread. */
static void on_supervisor_end(void *context)
{
    struct daemon *daemon = context;
    (void)uv_async_send(&daemon->end); /* fails only on a closed handle */
}

static int start_loop(struct daemon *daemon, struct eddy_err *err)
{
    static const struct {
        int number;
        uv_signal_cb act;
    } table[] = {{SIGTERM, on_stop_signal},
                 {SIGINT, on_stop_signal},
                 {SIGHUP, on_reload_signal},
                 {SIGUSR2, on_dump_signal}};
    uint64_t tick_ms = TICK_MS;
    int r = uv_async_init(&daemon->loop, &daemon->end, on_end);
    daemon->end.data = daemon;
    for (size_t i = 0; i < 4 && r == 0; i++) {
        r = uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        if (r == 0)
            r = uv_signal_start(&daemon->signals[i], table[i].act, table[i].number);
    }
    daemon->watchdog_ms = eddy_notify_watchdog_ms();
    if (daemon->watchdog_ms && daemon->watchdog_ms < tick_ms)
        tick_ms = daemon->watchdog_ms;
    if (r == 0)
        r = uv_timer_init(&daemon->loop, &daemon->tick);
    daemon->tick.data = daemon;
    if (r == 0)
        r = uv_timer_start(&daemon->tick, on_tick, tick_ms < 200 ? tick_ms : 200,
                           tick_ms);
    return r < 0 ? eddy_fail(err, EDDY_EFATAL, "event loop: %s", uv_strerror(r)) : 0;
}

/* One connection to Redis per partition and Kafka's own: take what the limits allow. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* the old limit may do as well */
    }
}

static int start(struct daemon *daemon, struct eddy_err *err)
{
    const struct eddy_config *config = daemon->config;
    bool worker = eddy_config_has_role(config, "worker");
    eddy_log(EDDY_LOG_INFO, "main", "",
             "eddy " EDDY_VERSION " starts: group %s, roles %s, %s kernels, pid %ld",
             config->group, config->roles, eddy_kernels_get()->name, (long)getpid());
    raise_file_limit();
    daemon->metrics = eddy_metrics_new();
    daemon->registry = eddy_registry_new(config->model.folder, eddy_kernels_get());
    if (!daemon->metrics || !daemon->registry)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    eddy_metric_set(daemon->metrics, EDDY_M_RELOAD_OK, 1);
    eddy_metric_set(daemon->metrics, EDDY_M_RELOAD_TIME, (double)eddy_now_ms() / 1000);
    if (!worker && !config->http.listen[0])
        return eddy_fail(
            err, EDDY_ECONFIG,
            "role api without an HTTP address does nothing: set http.listen");
    int r = start_loop(daemon, err);
    if (r == 0 && config->http.listen[0])
        r = eddy_service_start(config, daemon->registry, &daemon->service, err);
    if (r == 0 && worker)
        r = eddy_supervisor_start(config, daemon->registry, on_supervisor_end, daemon,
                                  &daemon->supervisor, err);
    if (r == 0 && daemon->service && worker)
        eddy_service_set_supervisor(daemon->service, daemon->supervisor);
    return r;
}

static void tear_down(struct daemon *daemon)
{
    eddy_registry_free(daemon->registry);
    eddy_metrics_free(daemon->metrics);
    eddy_config_free(daemon->config);
}

static int exit_code(const struct eddy_err *err)
{
    if (err->code == 0)
        return EDDY_EXIT_OK;
    if (eddy_err_class(err->code) == EDDY_CLASS_RETRY)
        return EDDY_EXIT_TEMPORARY;
    return err->code == EDDY_ECONFIG ? EDDY_EXIT_CONFIG : EDDY_EXIT_SOFTWARE;
}

/* From the first handle to the last line of the log. */
static int serve(struct daemon *daemon)
{
    struct eddy_err err = {0};
    if (start(daemon, &err) < 0) /* the supervisor comes last: there is none */
        end_loop(daemon);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT); /* until all handles are closed */
    eddy_service_stop(daemon->service);
    if (daemon->supervisor)
        (void)eddy_supervisor_join(daemon->supervisor, &err);
    (void)uv_loop_close(&daemon->loop); /* nothing is open in it */
    if (err.code)
        eddy_log(EDDY_LOG_ERROR, "main", "", "%s", err.text);
    eddy_log(EDDY_LOG_INFO, "main", "", "ended, exit code %d", exit_code(&err));
    return exit_code(&err);
}

int eddy_cmd_run(int argc, char **argv)
{
    struct options options = {0};
    struct eddy_err err = {0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    int code = 0;
    if (!eddy_args_parse(&args, argc, argv, &options, NULL, &code))
        return code;
    struct daemon daemon = {.options = &options};
    daemon.config = load_config(&options, &err);
    if (!daemon.config)
        return eddy_app_fail("run", &err);
    if (options.print_config || options.print_example || options.print_reference) {
        code = print_and_exit(&options, daemon.config);
    } else {
        (void)sigaction(SIGPIPE, &ignore, NULL);
        eddy_thread_set_role(EDDY_ROLE_LOOP);
        set_up_log(daemon.config);
        code = uv_loop_init(&daemon.loop) == 0 ? serve(&daemon) : EDDY_EXIT_SOFTWARE;
    }
    tear_down(&daemon);
    return code;
}
