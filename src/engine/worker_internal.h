/* Layer: engine.  The worker's own parts: worker.c (life and loop), worker_own.c (which
 * partitions, and what to do in trouble), worker_feed.c (records to turns). */
#ifndef EDDY_ENGINE_WORKER_INTERNAL_H
#define EDDY_ENGINE_WORKER_INTERNAL_H

#include <pthread.h>
#include <uv.h>

#include "engine/path.h"
#include "engine/worker.h"
#include "io/kafka_in.h"
#include "io/kafka_out.h"

enum worker_phase {
    WORKER_IDLE, /* nothing to own: no assignment yet, or more workers than partitions */
    WORKER_TROUBLED, /* owns nothing; tries again when the retry timer fires */
    WORKER_RUNNING,  /* owns its target, or what of it was not taken by others */
    WORKER_DRAINING, /* reads nothing; waits for confirmations */
    WORKER_ENDED,
};

#define WORKER_NO_HOLE UINT64_MAX

/* A partition of the target. */
struct worker_place {
    uint32_t partition;
    bool fresh; /* no record ever applied: the log may begin later than 0 */
    bool stuck; /* its offset is not in the log: nothing can be read */
    bool holes; /* the log is known to have holes (compaction, transactions) */
    uint64_t
        hole_at; /* first offset behind a gap, until it is seen whether it is a hole */
    int64_t newest_ms; /* timestamp of the newest record taken */
    uint64_t copied;   /* offset last committed to Kafka */
};

struct eddy_worker {
    const struct eddy_config *config;
    struct eddy_registry *registry;
    uint32_t index, partitions;
    struct eddy_meta meta;
    uint32_t *assigned; /* explicit assignment, or NULL */
    uint32_t assigned_count;
    void (*on_end)(void *context, uint32_t index);
    void *context;
    pthread_t thread;
    bool started;
    char owner[96], fields[24]; /* "host:pid:index"; "worker=N" for log lines */

    struct eddy_health health;
    struct eddy_metrics *metrics;
    struct eddy_store *store;
    struct eddy_sink *sink;
    struct eddy_kafka_in *in;
    struct eddy_path *path;

    uv_loop_t loop;
    bool loop_open;
    uv_async_t stop_asked;
    uv_poll_t in_ready, out_ready;
    uv_timer_t tick, retry;
    uv_idle_t more; /* active while there may be more to take */
    uint64_t ticks;

    enum worker_phase phase;
    struct worker_place *places; /* the target */
    uint32_t place_count;
    uint32_t *place_of; /* partition -> index into places, UINT32_MAX: none */
    struct eddy_kafka_place *list; /* scratch, one per partition */

    uint32_t record_count, record_at; /* of the batch under way */
    bool held;                        /* a turn waits for room in the outbox (EFULL) */
    uint64_t held_since_ns;
    bool reseat; /* set positions anew after this batch */

    uint32_t failures, losses; /* in a row: of everything, of single partitions */
    struct eddy_err trouble;   /* code 0: none */
    bool trouble_of_turn; /* ends with a successful turn, not with an acquisition */
    uint64_t trouble_since_ns;
    struct eddy_err delivery; /* lists cannot be delivered; code 0: they can */
    uint64_t drain_end_ns;
    int end_code;
    struct eddy_err end_err;
};

/* ---- worker_own.c ---- */

/* The group or the configuration wants exactly these partitions. */
int worker_set_target(struct eddy_worker *worker, const uint32_t *partitions,
                      uint32_t count, struct eddy_err *err);
struct worker_place *worker_place(struct eddy_worker *worker, uint32_t partition);
/* Acquire what is missing of the target and read all of it from where it stands. */
void worker_own(struct eddy_worker *worker);
/* Read all owned partitions from their next offsets. */
void worker_seat(struct eddy_worker *worker);
/* Give everything back to the group after a last flush. */
void worker_give_up(struct eddy_worker *worker);
/* Something failed: back off and try again, or end when the class is FATAL. */
void worker_trouble(struct eddy_worker *worker, const struct eddy_err *err,
                    bool of_turn);
void worker_turn_succeeded(struct eddy_worker *worker);
/* Partitions whose offset the log does not have. */
void worker_note_lost(struct eddy_worker *worker, const struct eddy_kafka_place *lost,
                      uint32_t count);
void worker_release_all(struct eddy_worker *worker);
void worker_on_retry(uv_timer_t *timer);
/* Kafka's copy of the offsets, lag metrics. */
void worker_copy_offsets(struct eddy_worker *worker);
void worker_measure(struct eddy_worker *worker);
void worker_report(struct eddy_worker *worker);

/* ---- worker_feed.c ---- */

/* One poll and its turns. */
void worker_step(struct eddy_worker *worker);
/* Try the turn again that waits for room in the outbox. */
void worker_resume(struct eddy_worker *worker);
void worker_drop_batch(struct eddy_worker *worker);
/* Partitions that turn or probe lost to another owner are tried again later. */
void worker_note_fenced(struct eddy_worker *worker);

/* ---- worker.c ---- */

/* End the loop with this outcome. */
void worker_end(struct eddy_worker *worker, int code, const char *text);

#endif
