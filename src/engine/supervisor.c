/* The supervisor: from "nothing answers yet" to running workers, and back.
 *
 *   wait     Kafka's topic and Redis are asked until both answer: one line when one is away,
 *            one when it is back; /readyz says which
 *   check    eddy:meta: the partition count and the layout are part of the state
 *   run      workers work; a probe every two seconds keeps the checks "kafka" and "redis"
 *            true while no event comes by
 *   end      all workers are asked to drain, then joined; the first bad end is the process's
 *
 * One thread and one condition variable: stop, a worker's own end, and the probe's clock
 * all wake it there. Lock: `lock`, around the flags and the list of workers, which the HTTP
 * thread reads. */
#include "engine/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "engine/meta.h"
#include "engine/worker.h"

enum { PROBE_MS = 2000, WAIT_MS = 1000, ASK_TIMEOUT_MS = 3000 };

struct eddy_supervisor {
    const struct eddy_config *config;
    struct eddy_registry *registry;
    void (*on_end)(void *context);
    void *context;
    pthread_t thread;
    struct eddy_health health;
    struct eddy_kafka_admin *admin;
    struct eddy_store *store;
    uint32_t partitions;
    struct eddy_meta meta; /* in force, once both answered */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop_asked, worker_ended;
    struct eddy_worker *workers[EDDY_WORKERS_MAX];
    uint32_t worker_count;
    int end_code;
    struct eddy_err end_err;
};

/* ---- asking ---- */

/* A check that changed is logged, once. */
static void note(struct eddy_supervisor *supervisor, enum eddy_health_id id, int rc,
                 const char *what, const struct eddy_err *err)
{
    struct eddy_health_check before[EDDY_HEALTH_COUNT];

    (void)eddy_health_read(&supervisor->health, before);
    (void)eddy_health_set(&supervisor->health, id, rc == 0, "%s", rc ? err->text : "");
    /* While waiting for a start every new reason is news; later only the change is. */
    if (rc && (before[id].ok || (supervisor->worker_count == 0 &&
                                 strcmp(before[id].text, err->text) != 0)))
        eddy_log(EDDY_LOG_WARN, "supervisor", "", "%s; waiting", err->text);
    else if (rc == 0 && !before[id].ok)
        eddy_log(EDDY_LOG_INFO, "supervisor", "", "%s answers", what);
}

static int ask_kafka(struct eddy_supervisor *supervisor, uint32_t *ret_count,
                     struct eddy_err *err)
{
    const char *topic = supervisor->config->kafka.events;
    int rc = eddy_kafka_admin_partitions(supervisor->admin, topic, ASK_TIMEOUT_MS,
                                         ret_count, err);

    if (rc == 0 && *ret_count == 0)
        rc = eddy_fail(
            err, EDDY_EKAFKA,
            "topic %s does not exist at %s: create it (64 partitions is a good "
            "number; it can never change)",
            topic, supervisor->config->kafka.brokers);
    note(supervisor, EDDY_HEALTH_KAFKA, rc, "Kafka", err);
    return rc;
}

static int ask_redis(struct eddy_supervisor *supervisor, struct eddy_err *err)
{
    int rc = eddy_store_redis_check(supervisor->store, NULL, err);

    note(supervisor, EDDY_HEALTH_REDIS, rc, "Redis", err);
    return rc;
}

/* Sleep until woken or ms are over. True: a stop is asked or a worker has ended. */
static bool pause_for(struct eddy_supervisor *supervisor, int ms)
{
    struct timespec end;
    bool woken = false;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += (long)(ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&supervisor->lock);
    while (!supervisor->stop_asked && !supervisor->worker_ended)
        if (pthread_cond_timedwait(&supervisor->wake, &supervisor->lock, &end) ==
            ETIMEDOUT)
            break;
    woken = supervisor->stop_asked || supervisor->worker_ended;
    (void)pthread_mutex_unlock(&supervisor->lock);
    return woken;
}

/* The meta in force; a configuration that differs is told so, once. */
static int settle_meta(struct eddy_supervisor *supervisor, uint32_t partitions,
                       struct eddy_err *err)
{
    const char *initial = supervisor->config->model.initial;
    struct eddy_meta meta = eddy_meta_of(supervisor->config, partitions);
    int rc = eddy_meta_settle(supervisor->store, &meta, err);

    if (rc)
        return rc;
    if (initial[0] && strcmp(initial, meta.initial) != 0 &&
        supervisor->meta.partitions == 0)
        eddy_log(EDDY_LOG_WARN, "supervisor", "",
                 "model.initial %s is not used: this deployment began on %s; `eddy "
                 "deploy` moves it to another model",
                 initial, meta.initial[0] ? meta.initial : "no snapshot");
    supervisor->meta = meta;
    return 0;
}

/* While workers run. A Redis that comes back empty, or restored from before the deployment
 * began, gets the meta that they work with; one that was given another meta ends them. */
static int keep_meta(struct eddy_supervisor *supervisor, uint32_t partitions,
                     struct eddy_err *err)
{
    const struct eddy_meta *ours = &supervisor->meta;
    struct eddy_meta meta = *ours;
    int rc = 0;

    meta.partitions = partitions ? partitions : ours->partitions;
    rc = eddy_meta_settle(supervisor->store, &meta, err);
    if (rc && eddy_err_class(rc) == EDDY_CLASS_RETRY)
        return 0; /* /readyz says that Redis is away */
    if (rc)
        return rc;
    if (strcmp(meta.initial, ours->initial) != 0 ||
        meta.policy.list_size != ours->policy.list_size ||
        meta.policy.exclude_recent != ours->policy.exclude_recent ||
        meta.policy.lateness_s != ours->policy.lateness_s)
        return eddy_fail(err, EDDY_EFATAL,
                         "%s:meta has changed while workers were running: ending, so "
                         "that the next start takes the new one",
                         supervisor->config->group);
    return 0;
}

/* Until both answer and agree on the partition count: 0; 1 when a stop came first. */
static int wait_for_both(struct eddy_supervisor *supervisor, struct eddy_err *err)
{
    for (;;) {
        int kafka = ask_kafka(supervisor, &supervisor->partitions, err);
        int redis = ask_redis(supervisor, err);
        int rc = kafka ? kafka : redis;
        if (redis && eddy_err_class(redis) == EDDY_CLASS_FATAL)
            return redis;
        if (rc == 0)
            rc = settle_meta(supervisor, supervisor->partitions, err);
        if (rc == 0 || eddy_err_class(rc) == EDDY_CLASS_FATAL) {
            (void)eddy_health_set(&supervisor->health, EDDY_HEALTH_META, rc == 0, "%s",
                                  rc ? err->text : "");
            return rc;
        }
        if (pause_for(supervisor, WAIT_MS))
            return 1;
    }
}

/* ---- workers ---- */

static void on_worker_end(void *context, uint32_t index)
{
    struct eddy_supervisor *supervisor = context;

    (void)index;
    (void)pthread_mutex_lock(&supervisor->lock);
    supervisor->worker_ended = true;
    (void)pthread_cond_signal(&supervisor->wake);
    (void)pthread_mutex_unlock(&supervisor->lock);
}

/* Every n-th partition of the explicit assignment to worker n. */
static uint32_t share(const uint32_t *all, uint32_t count, uint32_t index,
                      uint32_t threads, uint32_t *ret)
{
    uint32_t used = 0;

    for (uint32_t i = index; i < count; i += threads)
        ret[used++] = all[i];
    return used;
}

static int start_worker(struct eddy_supervisor *supervisor, uint32_t index,
                        const uint32_t *assigned, uint32_t assigned_count,
                        struct eddy_err *err)
{
    struct eddy_worker_start start = {
        .config = supervisor->config,
        .registry = supervisor->registry,
        .index = index,
        .meta = &supervisor->meta,
        .assigned = assigned,
        .assigned_count = assigned_count,
        .on_end = on_worker_end,
        .context = supervisor,
    };
    struct eddy_worker *worker = NULL;
    int rc = eddy_worker_start(&start, &worker, err);

    if (rc)
        return rc;
    (void)pthread_mutex_lock(&supervisor->lock);
    supervisor->workers[supervisor->worker_count++] = worker;
    (void)pthread_mutex_unlock(&supervisor->lock);
    return 0;
}

static int start_workers(struct eddy_supervisor *supervisor, struct eddy_err *err)
{
    const struct eddy_config *config = supervisor->config;
    uint32_t threads = (uint32_t)config->worker.threads;
    uint32_t *all = calloc(supervisor->partitions, sizeof *all);
    uint32_t *own = calloc(supervisor->partitions, sizeof *own);
    bool group = eddy_kafka_uses_group(&config->kafka);
    int rc = 0;

    if (!all || !own)
        rc = eddy_fail(err, EDDY_ENOMEM, "no memory for an assignment");
    int count =
        rc ? 0
           : eddy_kafka_assignment(&config->kafka, supervisor->partitions, all, err);
    if (count < 0)
        rc = count;
    for (uint32_t i = 0; rc == 0 && i < threads; i++) {
        uint32_t own_count = group ? 0 : share(all, (uint32_t)count, i, threads, own);
        rc = start_worker(supervisor, i, group ? NULL : own, own_count, err);
    }
    free(all);
    free(own);
    if (rc == 0)
        eddy_log(EDDY_LOG_INFO, "supervisor", "",
                 "%" PRIu32 " worker(s) on %s, %" PRIu32 " partitions", threads,
                 config->kafka.events, supervisor->partitions);
    return rc;
}

static void note_end(struct eddy_supervisor *supervisor, int code,
                     const struct eddy_err *err)
{
    bool worse = code && (!supervisor->end_code ||
                          (eddy_err_class(code) == EDDY_CLASS_FATAL &&
                           eddy_err_class(supervisor->end_code) != EDDY_CLASS_FATAL));

    if (worse) {
        supervisor->end_code = code;
        supervisor->end_err = *err;
    }
}

static void stop_workers(struct eddy_supervisor *supervisor)
{
    struct eddy_worker *workers[EDDY_WORKERS_MAX];
    uint32_t count = 0;

    (void)pthread_mutex_lock(&supervisor->lock);
    for (; count < supervisor->worker_count; count++)
        workers[count] = supervisor->workers[count];
    (void)pthread_mutex_unlock(&supervisor->lock);
    for (uint32_t i = 0; i < count; i++)
        eddy_worker_stop(workers[i]);
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_err err = {0};
        int code = 0;
        /* Off the list first: the HTTP thread must not see a worker that is being freed. */
        (void)pthread_mutex_lock(&supervisor->lock);
        for (uint32_t k = 0; k < supervisor->worker_count; k++)
            if (supervisor->workers[k] == workers[i])
                supervisor->workers[k] = NULL;
        (void)pthread_mutex_unlock(&supervisor->lock);
        code = eddy_worker_join(workers[i], &err);
        note_end(supervisor, code, &err);
    }
}

/* ---- the thread ---- */

static void work(struct eddy_supervisor *supervisor)
{
    struct eddy_err err = {0};
    int rc = wait_for_both(supervisor, &err);

    if (rc > 0)
        return; /* stopped before anything began */
    if (rc == 0)
        rc = start_workers(supervisor, &err);
    while (rc == 0 && !pause_for(supervisor, PROBE_MS)) {
        uint32_t count = supervisor->partitions;
        int redis = ask_redis(supervisor, &err);
        (void)ask_kafka(supervisor, &count, &err);
        if (redis == 0)
            rc = keep_meta(supervisor, count, &err);
    }
    note_end(supervisor, rc, &err);
    stop_workers(supervisor);
}

static void *run(void *argument)
{
    struct eddy_supervisor *supervisor = argument;

    work(supervisor);
    if (supervisor->end_code)
        eddy_log(EDDY_LOG_ERROR, "supervisor", "", "%s", supervisor->end_err.text);
    if (supervisor->on_end)
        supervisor->on_end(supervisor->context);
    return NULL;
}

static void free_supervisor(struct eddy_supervisor *supervisor)
{
    eddy_kafka_admin_close(supervisor->admin);
    eddy_store_close(supervisor->store);
    (void)pthread_cond_destroy(&supervisor->wake);
    (void)pthread_mutex_destroy(&supervisor->lock);
    eddy_health_fini(&supervisor->health);
    free(supervisor);
}

int eddy_supervisor_start(const struct eddy_config *config,
                          struct eddy_registry *registry, void (*on_end)(void *context),
                          void *context, struct eddy_supervisor **ret,
                          struct eddy_err *err)
{
    struct eddy_supervisor *supervisor = calloc(1, sizeof *supervisor);
    pthread_condattr_t monotonic;
    int rc = 0;

    if (!supervisor)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the supervisor");
    supervisor->config = config;
    supervisor->registry = registry;
    supervisor->on_end = on_end;
    supervisor->context = context;
    eddy_health_init(&supervisor->health);
    (void)pthread_mutex_init(&supervisor->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&supervisor->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    supervisor->store =
        eddy_store_redis_open(&config->redis, config->group, "supervisor", NULL);
    if (!supervisor->store)
        rc = eddy_fail(err, EDDY_ENOMEM, "no memory for the supervisor");
    if (rc == 0)
        rc = eddy_kafka_admin_open(&config->kafka, &supervisor->admin, err);
    if (rc == 0)
        rc = eddy_thread_start(&supervisor->thread, EDDY_ROLE_NONE, "supervisor", run,
                               supervisor, err);
    if (rc) {
        free_supervisor(supervisor);
        return rc;
    }
    *ret = supervisor;
    return 0;
}

void eddy_supervisor_stop(struct eddy_supervisor *supervisor)
{
    (void)pthread_mutex_lock(&supervisor->lock);
    supervisor->stop_asked = true;
    (void)pthread_cond_signal(&supervisor->wake);
    (void)pthread_mutex_unlock(&supervisor->lock);
}

int eddy_supervisor_join(struct eddy_supervisor *supervisor, struct eddy_err *err)
{
    int code = 0;

    (void)pthread_join(supervisor->thread, NULL);
    code = supervisor->end_code;
    if (code && err)
        *err = supervisor->end_err;
    free_supervisor(supervisor);
    return code;
}

/* ---- health ---- */

/* What the workers say about one check: all must be well. */
static void add_worker(struct eddy_health_check *check,
                       const struct eddy_health_check *worker, uint32_t index)
{
    size_t size = strlen(check->text);

    if (check->ok && !worker->ok) {
        check->ok = false;
        (void)snprintf(check->text, sizeof check->text, "worker %" PRIu32 ": %.200s",
                       index, worker->text);
    } else if (check->ok && worker->text[0]) {
        (void)snprintf(check->text + size, sizeof check->text - size, "%s%.40s",
                       size ? "; " : "", worker->text);
    }
}

bool eddy_supervisor_health(struct eddy_supervisor *supervisor,
                            struct eddy_health_check ret_checks[EDDY_HEALTH_COUNT])
{
    struct eddy_health_check theirs[EDDY_HEALTH_COUNT];
    uint32_t seen = 0;
    bool ready = true;

    (void)eddy_health_read(&supervisor->health, ret_checks);
    (void)pthread_mutex_lock(&supervisor->lock);
    for (uint32_t i = 0; i < supervisor->worker_count; i++) {
        if (!supervisor->workers[i])
            continue;
        (void)eddy_health_read(eddy_worker_health(supervisor->workers[i]), theirs);
        if (seen++ == 0) /* only workers know of these */
            for (int k = EDDY_HEALTH_PARTITIONS; k < EDDY_HEALTH_COUNT; k++) {
                ret_checks[k].ok = true;
                ret_checks[k].text[0] = '\0';
            }
        for (int k = 0; k < EDDY_HEALTH_COUNT; k++)
            add_worker(&ret_checks[k], &theirs[k], i);
    }
    (void)pthread_mutex_unlock(&supervisor->lock);
    for (int k = 0; k < EDDY_HEALTH_COUNT; k++)
        ready = ready && ret_checks[k].ok;
    return ready && seen > 0;
}
