/* Records to turns.
 *
 * Gaps. On a log without holes librdkafka delivers every offset; if one is missing, either
 * the library lost it (2.0.2 can, around barriers) or it does not exist (compaction, the
 * control records of transactions). The difference shows when the partition is read again
 * from the missing offset: what comes first then is what the log has. So the first gap of a
 * partition costs one new assignment, and after a hole is proven, holes are passed over. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/worker_internal.h"

enum { HELD_MAX_S = 30 }; /* then the batch is dropped and read again: guess */

void worker_drop_batch(struct eddy_worker *worker)
{
    eddy_kafka_in_done(worker->in);
    worker->record_count = 0;
    worker->record_at = 0;
    worker->held = false;
    worker->reseat = false;
}

void worker_note_fenced(struct eddy_worker *worker)
{
    uint32_t count = 0;
    const uint32_t *fenced = eddy_path_fenced(worker->path, &count);

    for (uint32_t i = 0; i < count; i++)
        EDDY_LOG_LIMITED(EDDY_LOG_WARN, "worker", worker->fields,
                         "another owner has taken partition %" PRIu32
                         "; it is tried again later. Is a second eddy running with the "
                         "same partitions?",
                         fenced[i]);
    if (count && !uv_is_active((uv_handle_t *)&worker->retry)) {
        uint64_t delay_ms = 500ull << (worker->losses < 6 ? worker->losses : 6);
        worker->losses++;
        (void)uv_timer_start(&worker->retry, worker_on_retry, delay_ms, 0);
    }
}

/* False: the batch cannot go on now; it is held or dropped. */
static bool turn(struct eddy_worker *worker)
{
    struct eddy_err err = {0};
    int rc = eddy_path_turn(worker->path, &err);

    if (rc == 0) {
        worker->held = false;
        worker_turn_succeeded(worker);
        worker_note_fenced(worker);
        return true;
    }
    if (rc == EDDY_EFULL) {
        if (!worker->held)
            worker->held_since_ns = eddy_monotonic_ns();
        worker->held = true;
        worker->delivery = err;
        if (eddy_monotonic_ns() - worker->held_since_ns < HELD_MAX_S * 1000000000ull)
            return false;
    }
    worker_drop_batch(worker);
    worker_trouble(worker, &err, true);
    return false;
}

enum fed { FED_NEXT, FED_TURN };

static enum fed note_gap(struct eddy_worker *worker, struct worker_place *place,
                         const struct eddy_record *record)
{
    place->hole_at = record->offset;
    worker->reseat = true;
    EDDY_LOG_LIMITED(EDDY_LOG_INFO, "worker", worker->fields,
                     "partition %" PRIu32 ": record %" PRIu64
                     " came where an earlier one was due; reading again from there",
                     place->partition, record->offset);
    return FED_NEXT;
}

static void note_taken(struct eddy_worker *worker, struct worker_place *place,
                       const struct eddy_record *record, bool first_behind_gap)
{
    if (first_behind_gap && !place->holes) {
        place->holes = true;
        eddy_log(
            EDDY_LOG_INFO, "worker", worker->fields,
            "partition %" PRIu32 ": the log has no record right before %" PRIu64
            " (compaction or transactions); such holes are passed over from now on",
            place->partition, record->offset);
    }
    place->hole_at = WORKER_NO_HOLE;
    if (record->timestamp_ms > 0)
        place->newest_ms = record->timestamp_ms;
}

static enum fed feed_one(struct eddy_worker *worker, const struct eddy_record *record)
{
    struct worker_place *place = worker_place(worker, record->partition);
    bool awaited = false;

    if (!place || !eddy_path_owns(worker->path, record->partition))
        return FED_NEXT;
    if (place->fresh && record->offset > 0)
        (void)eddy_path_start_at(worker->path, record->partition, record->offset, NULL);
    place->fresh = false;
    if (worker->reseat && place->hole_at != WORKER_NO_HOLE)
        return FED_NEXT; /* a gap in this very batch: all behind it is read again */
    awaited = place->hole_at == record->offset;
    switch (eddy_path_push(worker->path, record, place->holes || awaited)) {
    case EDDY_PUSH_TAKEN: note_taken(worker, place, record, awaited); return FED_NEXT;
    case EDDY_PUSH_OLD: return FED_NEXT;
    case EDDY_PUSH_FULL: return FED_TURN;
    case EDDY_PUSH_GAP: return note_gap(worker, place, record);
    }
    return FED_NEXT;
}

static void feed(struct eddy_worker *worker)
{
    const struct eddy_record *records = eddy_kafka_in_records(worker->in);

    while (worker->record_at < worker->record_count) {
        if (feed_one(worker, &records[worker->record_at]) == FED_NEXT)
            worker->record_at++;
        else if (!turn(worker))
            return;
    }
    if (eddy_path_pending(worker->path) && !turn(worker))
        return;
    bool reseat = worker->reseat;
    worker_drop_batch(worker);
    if (reseat)
        worker_seat(worker);
}

/* What the poll brought besides records. True: the assignment changed, so that the batch
 * belongs to the past. */
static bool take_news(struct eddy_worker *worker)
{
    struct eddy_kafka_news *news = eddy_kafka_in_news(worker->in);
    bool changed = news->revoked || news->assigned;

    if (news->trouble.code == EDDY_EFATAL) {
        worker_end(worker, EDDY_EFATAL, news->trouble.text);
        return true;
    }
    if (news->revoked) {
        news->revoked = false;
        worker_give_up(worker);
    }
    if (news->assigned) {
        uint32_t count = 0;
        const uint32_t *target = eddy_kafka_in_target(worker->in, &count);
        struct eddy_err err = {0};
        news->assigned = false;
        if (worker_set_target(worker, target, count, &err))
            worker_end(worker, err.code, err.text);
        else
            worker_own(worker);
    }
    if (news->lost_count) {
        uint32_t count = news->lost_count;
        news->lost_count = 0;
        worker_note_lost(worker, news->lost, count);
    }
    return changed;
}

void worker_step(struct eddy_worker *worker)
{
    if (worker->held || worker->phase >= WORKER_DRAINING)
        return;
    worker->record_count =
        eddy_kafka_in_poll(worker->in, (uint32_t)worker->config->worker.batch);
    worker->record_at = 0;
    if (worker->record_count == 0)
        (void)uv_idle_stop(&worker->more);
    if (take_news(worker) || worker->phase != WORKER_RUNNING) {
        worker_drop_batch(worker);
        return;
    }
    feed(worker);
}

void worker_resume(struct eddy_worker *worker)
{
    if (turn(worker))
        feed(worker);
}
