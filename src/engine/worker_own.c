/* Which partitions a worker owns, and what it does in trouble.
 *
 *   IDLE --assigned--> RUNNING --turn failed--> TROUBLED --retry timer--> RUNNING
 *    ^                    |  ^                      |
 *    +----revoked---------+  +--fenced: only these partitions, again later
 *    +----revoked-----------------------------------+
 *
 * In trouble nothing is assigned and nothing owned, but the queue is polled on: heartbeats,
 * rebalances and max.poll.interval.ms go on as ever, however long Redis is away. Trying
 * again begins with acquiring, which is the one way to learn what became of the last commit
 * (io/store.h S3). */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "engine/worker_internal.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    STUCK_RETRY_MS = 15000,
    BOUNDS_TIMEOUT_MS = 1000,
    REVOKE_FLUSH_MS = 1000,
};
#define HELD_NS                                                                        \
    2000000000ull /* a full outbox is a bound at work; for longer, a trouble */

struct worker_place *worker_place(struct eddy_worker *worker, uint32_t partition)
{
    uint32_t i =
        partition < worker->partitions ? worker->place_of[partition] : UINT32_MAX;

    return i == UINT32_MAX ? NULL : &worker->places[i];
}

int worker_set_target(struct eddy_worker *worker, const uint32_t *partitions,
                      uint32_t count, struct eddy_err *err)
{
    for (uint32_t i = 0; i < worker->place_count; i++)
        worker->place_of[worker->places[i].partition] = UINT32_MAX;
    worker->place_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (partitions[i] >= worker->partitions)
            return eddy_fail(err, EDDY_ECONFIG,
                             "topic %s has grown beyond %" PRIu32 " partitions "
                             "(%" PRIu32
                             " was assigned): the count is part of the state",
                             worker->config->kafka.events, worker->partitions,
                             partitions[i]);
        worker->place_of[partitions[i]] = i;
        worker->places[i] = (struct worker_place){.partition = partitions[i],
                                                  .hole_at = WORKER_NO_HOLE};
        worker->place_count++;
    }
    worker->losses = 0;
    return 0;
}

void worker_release_all(struct eddy_worker *worker)
{
    for (uint32_t p = 0; p < worker->partitions; p++)
        if (eddy_path_owns(worker->path, p)) {
            eddy_path_release(worker->path, p);
            eddy_metric_drop_lag(worker->metrics, worker->config->kafka.events, p);
        }
}

/* ---- trouble ---- */

static uint64_t backoff_ms(struct eddy_worker *worker)
{
    uint64_t delay = (uint64_t)BACKOFF_MIN_MS
                     << (worker->failures < 10 ? worker->failures : 10);
    double jitter = eddy_draw_unit(eddy_monotonic_ns(), worker->index, 0, 0);

    worker->failures++;
    if (delay > BACKOFF_MAX_MS)
        delay = BACKOFF_MAX_MS;
    return delay / 2 + (uint64_t)((double)(delay / 2) * jitter);
}

static void end_trouble(struct eddy_worker *worker)
{
    worker->failures = 0;
    if (!worker->trouble.code)
        return;
    eddy_log(EDDY_LOG_INFO, "worker", worker->fields, "works again after %.1f s (%s)",
             (double)(eddy_monotonic_ns() - worker->trouble_since_ns) / 1e9,
             eddy_err_reason(worker->trouble.code));
    worker->trouble.code = 0;
}

void worker_turn_succeeded(struct eddy_worker *worker)
{
    worker->losses = 0;
    if (worker->failures || worker->trouble.code)
        end_trouble(worker);
}

static enum eddy_metric_id error_metric(int code)
{
    switch (code) {
    case EDDY_ESTORE:
    case EDDY_EFENCED: return EDDY_M_ERRORS_STORE;
    case EDDY_ENOMODEL: return EDDY_M_ERRORS_MODEL;
    default: return EDDY_M_ERRORS_KAFKA;
    }
}

void worker_trouble(struct eddy_worker *worker, const struct eddy_err *err,
                    bool of_turn)
{
    struct eddy_err none = {0};
    uint64_t delay_ms = 0;

    if (eddy_err_class(err->code) != EDDY_CLASS_RETRY) {
        worker_end(worker, err->code, err->text);
        return;
    }
    worker_drop_batch(worker);
    worker_release_all(worker);
    (void)eddy_kafka_in_assign(worker->in, NULL, 0, &none);
    eddy_metric_add(worker->metrics, error_metric(err->code), 1);
    delay_ms = backoff_ms(worker);
    if (worker->trouble.code != err->code) {
        if (!worker->trouble.code)
            worker->trouble_since_ns = eddy_monotonic_ns();
        eddy_log(EDDY_LOG_WARN, "worker", worker->fields, "%s; retrying", err->text);
    }
    worker->trouble = *err;
    worker->trouble_of_turn = of_turn && err->code != EDDY_ESTORE;
    worker->phase = WORKER_TROUBLED;
    (void)uv_timer_start(&worker->retry, worker_on_retry, delay_ms, 0);
    worker_report(worker);
}

/* ---- acquiring ---- */

/* A stored offset that the log does not have would only come back as the same error. */
static bool is_in_log(struct eddy_worker *worker, uint32_t partition, uint64_t offset)
{
    uint64_t start = 0, end = 0;

    return offset == 0 || (eddy_kafka_in_bounds(worker->in, partition,
                                                BOUNDS_TIMEOUT_MS, &start, &end) &&
                           offset >= start && offset <= end);
}

static int own_missing(struct eddy_worker *worker, uint32_t *ret_missing,
                       struct eddy_err *err)
{
    uint32_t missing = 0;

    for (uint32_t i = 0; i < worker->place_count; i++) {
        struct worker_place *place = &worker->places[i];
        uint64_t offset = 0;
        int rc = 0;
        if (eddy_path_owns(worker->path, place->partition))
            continue;
        rc = eddy_path_acquire(worker->path, place->partition, &offset, err);
        if (rc == EDDY_EFENCED) {
            missing++;
            continue;
        }
        if (rc)
            return rc;
        if (place->stuck && !is_in_log(worker, place->partition, offset)) {
            eddy_path_release(worker->path, place->partition);
            continue;
        }
        if (place->stuck)
            eddy_log(EDDY_LOG_INFO, "worker", worker->fields,
                     "partition %" PRIu32 " goes on at offset %" PRIu64,
                     place->partition, offset);
        place->stuck = false;
        place->fresh = offset == 0;
        place->hole_at = WORKER_NO_HOLE;
        place->copied = offset;
    }
    *ret_missing = missing;
    return 0;
}

void worker_seat(struct eddy_worker *worker)
{
    struct eddy_err err = {0};
    uint32_t count = 0;

    for (uint32_t i = 0; i < worker->place_count; i++) {
        uint32_t partition = worker->places[i].partition;
        if (eddy_path_owns(worker->path, partition))
            worker->list[count++] =
                (struct eddy_kafka_place){partition,
                                          eddy_path_offset(worker->path, partition)};
    }
    if (eddy_kafka_in_assign(worker->in, worker->list, count, &err))
        worker_trouble(worker, &err, false);
}

static bool has_stuck(const struct eddy_worker *worker)
{
    for (uint32_t i = 0; i < worker->place_count; i++)
        if (worker->places[i].stuck)
            return true;
    return false;
}

void worker_own(struct eddy_worker *worker)
{
    struct eddy_err err = {0};
    uint32_t missing = 0;

    (void)uv_timer_stop(&worker->retry);
    if (own_missing(worker, &missing, &err)) {
        worker_trouble(worker, &err, false);
        return;
    }
    if (!worker->trouble_of_turn)
        end_trouble(worker);
    worker->phase = WORKER_RUNNING;
    worker_seat(worker);
    if (worker->phase != WORKER_RUNNING)
        return;
    if (missing || has_stuck(worker))
        (void)uv_timer_start(&worker->retry, worker_on_retry,
                             missing ? BACKOFF_MAX_MS : STUCK_RETRY_MS, 0);
    (void)uv_idle_start(&worker->more, worker->more.idle_cb);
    worker_report(worker);
}

void worker_on_retry(uv_timer_t *timer)
{
    struct eddy_worker *worker = timer->data;

    if (worker->held) /* positions must not move under a batch */
        (void)uv_timer_start(timer, worker_on_retry, BACKOFF_MIN_MS, 0);
    else if (worker->phase == WORKER_TROUBLED || worker->phase == WORKER_RUNNING)
        worker_own(worker);
}

/* Nothing is to overtake the next owner's lists (engine/path.h, release), and he should
 * have nothing to publish again: flush, tell the path, commit the empty outbox. All of it
 * is a courtesy and may fail. */
void worker_give_up(struct eddy_worker *worker)
{
    struct eddy_err err = {0};

    worker_drop_batch(worker);
    if (!eddy_kafka_out_flush(worker->sink, REVOKE_FLUSH_MS))
        eddy_kafka_out_purge(worker->sink); /* the next owner publishes it */
    else if (worker->phase == WORKER_RUNNING &&
             eddy_path_service(worker->path, &err) == 0)
        (void)eddy_path_tidy(worker->path, &err);
    worker_copy_offsets(worker);
    worker_release_all(worker);
    (void)worker_set_target(worker, NULL, 0, &err);
    (void)uv_timer_stop(&worker->retry);
    eddy_kafka_in_unassign(worker->in);
    worker->phase = WORKER_IDLE;
    worker->trouble_of_turn = false;
    worker_report(worker);
}

void worker_note_lost(struct eddy_worker *worker, const struct eddy_kafka_place *lost,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct worker_place *place = worker_place(worker, lost[i].partition);
        uint64_t offset = 0, start = 0, end = 0;
        if (!place || place->stuck || !eddy_path_owns(worker->path, lost[i].partition))
            continue;
        offset = eddy_path_offset(worker->path, place->partition);
        (void)eddy_kafka_in_bounds(worker->in, place->partition, BOUNDS_TIMEOUT_MS,
                                   &start, &end);
        eddy_log(EDDY_LOG_ERROR, "worker", worker->fields,
                 "partition %" PRIu32 " stands at offset %" PRIu64
                 ", but the log holds %" PRIu64 " to %" PRIu64
                 ": %s. It stays idle; restore a newer Redis, or erase its keys "
                 "({%s:%" PRIu32 "}:*) to begin again from what is left",
                 place->partition, offset, start, end,
                 offset < start ? "records are gone (retention)"
                                : "the log was cut or made anew",
                 worker->config->group, place->partition);
        place->stuck = true;
        eddy_path_release(worker->path, place->partition);
    }
    if (worker->phase == WORKER_RUNNING && has_stuck(worker))
        (void)uv_timer_start(&worker->retry, worker_on_retry, STUCK_RETRY_MS, 0);
    worker_report(worker);
}

/* ---- what is told ---- */

void worker_copy_offsets(struct eddy_worker *worker)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < worker->place_count; i++) {
        struct worker_place *place = &worker->places[i];
        uint64_t offset = eddy_path_offset(worker->path, place->partition);
        if (!eddy_path_owns(worker->path, place->partition) || offset == place->copied)
            continue;
        place->copied = offset;
        worker->list[count++] = (struct eddy_kafka_place){place->partition, offset};
    }
    eddy_kafka_in_commit(worker->in, worker->list, count, false);
}

void worker_measure(struct eddy_worker *worker)
{
    uint32_t owned = 0;

    for (uint32_t i = 0; i < worker->place_count; i++) {
        const struct worker_place *place = &worker->places[i];
        uint64_t offset = eddy_path_offset(worker->path, place->partition), end = 0;
        int64_t lag = 0, lag_ms = 0;
        if (!eddy_path_owns(worker->path, place->partition))
            continue;
        owned++;
        if (!eddy_kafka_in_end(worker->in, place->partition, &end))
            continue;
        lag = end > offset ? (int64_t)(end - offset) : 0;
        if (lag && place->newest_ms)
            lag_ms = eddy_now_ms() - place->newest_ms;
        eddy_metric_set_lag(worker->metrics, worker->config->kafka.events,
                            place->partition, lag, lag_ms > 0 ? lag_ms : 0);
    }
    eddy_metric_set(worker->metrics, EDDY_M_PARTITIONS_OWNED, owned);
}

static void report_partitions(struct eddy_worker *worker)
{
    struct eddy_health *health = &worker->health;
    uint32_t owned = 0, stuck = 0;

    for (uint32_t i = 0; i < worker->place_count; i++) {
        owned += eddy_path_owns(worker->path, worker->places[i].partition);
        stuck += worker->places[i].stuck;
    }
    if (worker->phase == WORKER_IDLE)
        (void)eddy_health_set(health, EDDY_HEALTH_PARTITIONS, false,
                              "no assignment from the consumer group yet");
    else if (stuck)
        (void)eddy_health_set(health, EDDY_HEALTH_PARTITIONS, false,
                              "%" PRIu32 " partition(s) stand at offsets that the log "
                              "does not have; the log line says what to do",
                              stuck);
    else if (worker->phase != WORKER_RUNNING || owned < worker->place_count)
        (void)eddy_health_set(health, EDDY_HEALTH_PARTITIONS, false,
                              "%" PRIu32 " of %" PRIu32
                              " assigned partitions are owned",
                              owned, worker->place_count);
    else
        (void)eddy_health_set(health, EDDY_HEALTH_PARTITIONS, true,
                              "%" PRIu32 " of %" PRIu32, owned, worker->partitions);
}

void worker_report(struct eddy_worker *worker)
{
    struct eddy_health *health = &worker->health;
    const struct eddy_kafka_news *news = eddy_kafka_in_news(worker->in);
    const struct eddy_err *trouble = &worker->trouble;
    struct eddy_err out = {0};
    bool refused = false;

    (void)eddy_kafka_out_health(worker->sink, &refused, &out);
    (void)eddy_health_set(health, EDDY_HEALTH_META, true, "checked");
    (void)eddy_health_set(health, EDDY_HEALTH_REDIS,
                          trouble->code != EDDY_ESTORE && trouble->code != EDDY_EFENCED,
                          "%s", trouble->code == EDDY_ESTORE ? trouble->text : "");
    (void)eddy_health_set(health, EDDY_HEALTH_MODEL, trouble->code != EDDY_ENOMODEL,
                          "%s", trouble->code == EDDY_ENOMODEL ? trouble->text : "");
    bool waits =
        worker->delivery.code &&
        (worker->delivery.code != EDDY_EFULL ||
         (worker->held && eddy_monotonic_ns() - worker->held_since_ns > HELD_NS));

    if (trouble->code == EDDY_EKAFKA || trouble->code == EDDY_EFULL)
        (void)eddy_health_set(health, EDDY_HEALTH_KAFKA, false, "%s", trouble->text);
    else if (waits)
        (void)eddy_health_set(health, EDDY_HEALTH_KAFKA, false, "%s%s%s",
                              worker->delivery.text, out.code ? ": " : "",
                              out.code ? out.text : "");
    else
        (void)eddy_health_set(health, EDDY_HEALTH_KAFKA, true, "%s", "");
    (void)eddy_health_set(health, EDDY_HEALTH_AUTHORIZATION, !refused && !news->refused,
                          "%s",
                          refused         ? out.text
                          : news->refused ? news->trouble.text
                                          : "");
    report_partitions(worker);
}
