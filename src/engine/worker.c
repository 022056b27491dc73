/* A worker thread: one libuv loop that joins two descriptors of librdkafka, timers and a
 * wake-up for the end.
 *
 *   in_ready   the consumer's queue got its first entry  -> more
 *   more       idle handle: one poll and its turns per iteration of the loop, so that timers
 *              and reports are served between turns; stops when a poll brings nothing
 *   out_ready  delivery reports wait                      -> eddy_path_service
 *   tick       every 100 ms: service, health, a poll at least (max.poll.interval.ms);
 *              every second: Kafka's copy of the offsets, lag
 *   retry      back-off after trouble, or single partitions tried again
 *   stop_asked the only handle that other threads touch
 *
 * librdkafka tells the descriptor only when its queue becomes non-empty (STREAMING 2.2):
 * whoever stops before the queue is empty must wake himself, which is what `more` does. */
#include "engine/worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "engine/worker_internal.h"

enum { TICK_MS = 100, SLOW_TICKS = 10 };

/* ---- the end ---- */

/* kept: the one handle that stays open, or NULL. */
static void close_handle(uv_handle_t *handle, void *kept)
{
    if (handle != kept && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

void worker_end(struct eddy_worker *worker, int code, const char *text)
{
    if (worker->phase == WORKER_ENDED)
        return;
    worker->end_code = code;
    if (code)
        (void)eddy_fail(&worker->end_err, code, "%s", text);
    worker_drop_batch(worker);
    worker_copy_offsets(worker);
    worker_release_all(worker);
    worker->phase = WORKER_ENDED;
    /* Others may still ask for a stop: that handle stays until join, but holds nothing up. */
    uv_walk(&worker->loop, close_handle, &worker->stop_asked);
    uv_unref((uv_handle_t *)&worker->stop_asked);
}

static void look_at_drain(struct eddy_worker *worker)
{
    uint32_t waiting = eddy_path_unconfirmed(worker->path);
    struct eddy_err err = {0};
    char text[120];

    if (waiting == 0) {
        (void)eddy_path_tidy(worker->path, &err); /* a courtesy to the next owner */
        worker_end(worker, 0, NULL);
    } else if (eddy_monotonic_ns() > worker->drain_end_ns) {
        (void)snprintf(text, sizeof text,
                       "%" PRIu32
                       " lists were not confirmed within worker.drain_timeout; "
                       "the next owner publishes them",
                       waiting);
        worker_end(worker, EDDY_EKAFKA, text);
    }
}

static void on_stop(uv_async_t *handle)
{
    struct eddy_worker *worker = handle->data;

    if (worker->phase >= WORKER_DRAINING)
        return;
    if (worker->phase != WORKER_RUNNING) {
        worker_end(worker, 0, NULL);
        return;
    }
    worker_drop_batch(
        worker); /* between turns: at most a held batch, which is read again */
    (void)uv_idle_stop(&worker->more);
    (void)uv_timer_stop(&worker->retry);
    eddy_kafka_in_unassign(worker->in);
    worker->phase = WORKER_DRAINING;
    worker->drain_end_ns = eddy_monotonic_ns() +
                           (uint64_t)worker->config->worker.drain_timeout_ms * 1000000;
    (void)eddy_health_set(&worker->health, EDDY_HEALTH_PARTITIONS, false, "stopping");
    look_at_drain(worker);
}

/* ---- the loop ---- */

static void service(struct eddy_worker *worker)
{
    struct eddy_err err = {0};
    int rc = eddy_path_service(worker->path, &err);

    if (rc && (eddy_err_class(rc) == EDDY_CLASS_FATAL ||
               (rc != EDDY_EKAFKA && worker->phase == WORKER_DRAINING))) {
        worker_end(worker, rc, err.text);
        return;
    }
    if (rc && rc != EDDY_EKAFKA) { /* the store was asked, and did not say yes */
        worker_trouble(worker, &err, false);
        return;
    }
    if (rc && !worker->delivery.code)
        eddy_log(EDDY_LOG_WARN, "worker", worker->fields, "%s", err.text);
    if (!rc && worker->delivery.code && worker->delivery.code != EDDY_EFULL)
        eddy_log(EDDY_LOG_INFO, "worker", worker->fields, "lists are delivered again");
    if (rc)
        worker->delivery = err;
    else if (!worker->held)
        worker->delivery.code = 0;
}

/* A worker without events has to notice, too, that Redis came back with an older state, or
 * that somebody else took a partition. */
static void probe(struct eddy_worker *worker)
{
    struct eddy_err err = {0};
    int rc = 0;

    if (worker->phase != WORKER_RUNNING || eddy_path_pending(worker->path))
        return;
    rc = eddy_path_probe(worker->path, &err);
    if (rc)
        worker_trouble(worker, &err, false);
    else
        worker_note_fenced(worker);
}

static void read_event(int fd)
{
    uint64_t count = 0;

    while (read(fd, &count, sizeof count) > 0) {
    }
}

static void on_more(uv_idle_t *idle)
{
    worker_step(idle->data);
}

static void on_in(uv_poll_t *poll, int status, int events)
{
    struct eddy_worker *worker = poll->data;

    (void)status;
    (void)events;
    read_event(eddy_kafka_in_fd(worker->in));
    if (worker->phase < WORKER_DRAINING && !worker->held)
        (void)uv_idle_start(&worker->more, on_more);
}

static void on_out(uv_poll_t *poll, int status, int events)
{
    struct eddy_worker *worker = poll->data;

    (void)status;
    (void)events;
    read_event(eddy_kafka_out_fd(worker->sink));
    service(worker);
    if (worker->held)
        worker_resume(worker);
    if (worker->phase == WORKER_DRAINING)
        look_at_drain(worker);
}

static void on_tick(uv_timer_t *timer)
{
    struct eddy_worker *worker = timer->data;

    service(worker);
    if (worker->phase == WORKER_ENDED)
        return;
    if (worker->held)
        worker_resume(worker);
    if (worker->phase == WORKER_DRAINING)
        look_at_drain(worker);
    if (worker->phase >= WORKER_DRAINING)
        return;
    if (++worker->ticks % SLOW_TICKS == 0) {
        worker_copy_offsets(worker);
        worker_measure(worker);
        probe(worker);
    }
    if (worker->phase == WORKER_ENDED)
        return;
    worker_report(worker);
    if (!worker->held)
        (void)uv_idle_start(&worker->more, on_more);
}

static void begin(struct eddy_worker *worker)
{
    struct eddy_err err = {0};
    int rc = 0;

    if (worker->assigned) {
        rc = worker_set_target(worker, worker->assigned, worker->assigned_count, &err);
        if (rc == 0)
            worker_own(worker);
    } else {
        rc = eddy_kafka_in_subscribe(worker->in, &err);
    }
    if (rc)
        worker_end(worker, rc, err.text);
}

static int open_handles(struct eddy_worker *worker)
{
    int rc =
        uv_poll_init(&worker->loop, &worker->in_ready, eddy_kafka_in_fd(worker->in));

    if (rc == 0)
        rc = uv_poll_init(&worker->loop, &worker->out_ready,
                          eddy_kafka_out_fd(worker->sink));
    (void)uv_timer_init(&worker->loop, &worker->tick);
    (void)uv_timer_init(&worker->loop, &worker->retry);
    (void)uv_idle_init(&worker->loop, &worker->more);
    worker->in_ready.data = worker->out_ready.data = worker;
    worker->tick.data = worker->retry.data = worker->more.data = worker;
    worker->more.idle_cb = on_more;
    if (rc == 0)
        rc = uv_poll_start(&worker->in_ready, UV_READABLE, on_in);
    if (rc == 0)
        rc = uv_poll_start(&worker->out_ready, UV_READABLE, on_out);
    if (rc == 0)
        rc = uv_timer_start(&worker->tick, on_tick, TICK_MS, TICK_MS);
    return rc;
}

static void *run(void *argument)
{
    struct eddy_worker *worker = argument;

    begin(worker);
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    /* Leaving the group moves the partitions at once instead of after the session; but it
     * waits for a broker, and after a drain that ran out of time there may be none. */
    eddy_kafka_in_close(worker->in, worker->end_code == 0);
    worker->in = NULL;
    eddy_path_free(worker->path);
    worker->path = NULL;
    eddy_sink_close(worker->sink);
    worker->sink = NULL;
    eddy_store_close(worker->store);
    worker->store = NULL;
    if (worker->on_end)
        worker->on_end(worker->context, worker->index);
    return NULL;
}

/* ---- life ---- */

static void free_worker(struct eddy_worker *worker)
{
    eddy_kafka_in_close(worker->in, false);
    eddy_path_free(worker->path);
    if (worker->sink)
        eddy_sink_close(worker->sink);
    eddy_store_close(worker->store);
    if (worker->loop_open) {
        uv_walk(&worker->loop, close_handle, NULL);
        (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&worker->loop);
    }
    eddy_metrics_free(worker->metrics);
    eddy_health_fini(&worker->health);
    free(worker->assigned);
    free(worker->places);
    free(worker->place_of);
    free(worker->list);
    free(worker);
}

static int open_parts(struct eddy_worker *worker, struct eddy_err *err)
{
    const struct eddy_config *config = worker->config;
    struct eddy_path_options options = {
        .prefix = config->group,
        .partitions = worker->partitions,
        .cache_users = (uint32_t)config->worker.cache_users,
        .outbox_max = (uint32_t)config->worker.outbox_max,
        .initial_policy = worker->meta.policy,
    };
    char client[32];
    int rc = 0;

    memcpy(options.initial_snapshot, worker->meta.initial,
           sizeof options.initial_snapshot);
    (void)snprintf(client, sizeof client, "eddy-out-%" PRIu32, worker->index);
    rc = eddy_kafka_in_open(&config->kafka, worker->index, &worker->in, err);
    if (rc == 0)
        rc = eddy_kafka_out_open(&config->kafka, client, &worker->sink, err);
    if (rc)
        return rc;
    worker->metrics = eddy_metrics_new();
    worker->store = eddy_store_redis_open(&config->redis, config->group, worker->owner,
                                          worker->metrics);
    if (!worker->metrics || !worker->store)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a worker");
    worker->path = eddy_path_new(&options, worker->store, worker->sink,
                                 worker->registry, worker->metrics, err);
    return worker->path ? 0 : EDDY_ENOMEM;
}

static int open_loop(struct eddy_worker *worker, struct eddy_err *err)
{
    int rc = uv_loop_init(&worker->loop);

    if (rc == 0) {
        worker->loop_open = true;
        rc = uv_async_init(&worker->loop, &worker->stop_asked, on_stop);
        worker->stop_asked.data = worker;
    }
    if (rc == 0)
        rc = open_handles(worker);
    return rc ? eddy_fail(err, EDDY_EIO, "event loop: %s", uv_strerror(rc)) : 0;
}

static struct eddy_worker *new_worker(const struct eddy_worker_start *start)
{
    struct eddy_worker *worker = calloc(1, sizeof *worker);
    uint32_t count = start->meta->partitions ? start->meta->partitions : 1;
    char host[64] = "host";

    if (!worker)
        return NULL;
    worker->config = start->config;
    worker->registry = start->registry;
    worker->index = start->index;
    worker->partitions = start->meta->partitions;
    worker->meta = *start->meta;
    worker->on_end = start->on_end;
    worker->context = start->context;
    eddy_health_init(&worker->health);
    (void)gethostname(host, sizeof host - 1); /* only a name in fences */
    (void)snprintf(worker->owner, sizeof worker->owner, "%s:%ld:%" PRIu32, host,
                   (long)getpid(), worker->index);
    (void)snprintf(worker->fields, sizeof worker->fields, "worker=%" PRIu32,
                   worker->index);
    worker->places = calloc(count, sizeof *worker->places);
    worker->place_of = malloc(count * sizeof *worker->place_of);
    worker->list = calloc(count, sizeof *worker->list);
    worker->assigned_count = start->assigned_count;
    if (start->assigned)
        worker->assigned = calloc(count, sizeof *worker->assigned);
    if (!worker->places || !worker->place_of || !worker->list ||
        (start->assigned && !worker->assigned)) {
        free_worker(worker);
        return NULL;
    }
    memset(worker->place_of, 0xff, count * sizeof *worker->place_of);
    if (start->assigned)
        memcpy(worker->assigned, start->assigned,
               start->assigned_count * sizeof *worker->assigned);
    return worker;
}

int eddy_worker_start(const struct eddy_worker_start *start, struct eddy_worker **ret,
                      struct eddy_err *err)
{
    struct eddy_worker *worker = new_worker(start);
    char name[16];
    int rc = 0;

    if (!worker)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a worker");
    rc = open_parts(worker, err);
    if (rc == 0)
        rc = open_loop(worker, err);
    (void)snprintf(name, sizeof name, "worker-%" PRIu32, worker->index);
    if (rc == 0)
        rc = eddy_thread_start(&worker->thread, EDDY_ROLE_WORKER, name, run, worker,
                               err);
    if (rc) {
        free_worker(worker);
        return rc;
    }
    worker->started = true;
    *ret = worker;
    return 0;
}

void eddy_worker_stop(struct eddy_worker *worker)
{
    (void)uv_async_send(&worker->stop_asked);
}

int eddy_worker_join(struct eddy_worker *worker, struct eddy_err *err)
{
    int code = 0;

    (void)pthread_join(worker->thread, NULL);
    code = worker->end_code;
    if (code)
        *err = worker->end_err;
    free_worker(worker);
    return code;
}

struct eddy_health *eddy_worker_health(struct eddy_worker *worker)
{
    return &worker->health;
}
