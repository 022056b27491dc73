/* Layer: engine.  THE STRAIGHT PATH: one turn of a worker.
 *
 *   push records  ->  decode -> load -> apply -> score -> list -> commit -> publish
 *
 * The path knows neither Kafka nor Redis nor threads: records are pushed in, states go to a
 * store, lists and dead letters to a sink. The worker drives it from librdkafka and libuv,
 * the simulator and `eddy replay` from memory. See src/README.md for the rules P1..P9. */
#ifndef EDDY_ENGINE_PATH_H
#define EDDY_ENGINE_PATH_H

#include "base/metric.h"
#include "io/registry.h"
#include "io/sink.h"
#include "io/store.h"

struct eddy_path;

struct eddy_path_options {
    const char *prefix;       /* dataset group, "eddy" */
    uint32_t partitions;      /* of the event topic; 0: keys are not checked (tests) */
    uint32_t cache_users;     /* decoded states kept; >= 1024 */
    uint32_t outbox_max;      /* unconfirmed users per partition before commits wait */
    char initial_snapshot[EDDY_SNAPSHOT_ID_SIZE]; /* where a partition starts that has no
                                                     position yet */
    struct eddy_policy initial_policy;
};

struct eddy_path *eddy_path_new(const struct eddy_path_options *options,
                                struct eddy_store *store, struct eddy_sink *sink,
                                struct eddy_registry *registry,
                                struct eddy_metrics *metrics, struct eddy_err *err);
void eddy_path_free(struct eddy_path *path);

/* Become owner of a partition: new fence, position, outbox users re-scored and published
 * again. *ret_offset: where to read from. Drops whatever was known about the partition.
 * 0, EDDY_ESTORE, EDDY_ENOMODEL, EDDY_EFORMAT. */
int eddy_path_acquire(struct eddy_path *path, uint32_t partition, uint64_t *ret_offset,
                      struct eddy_err *err);
/* Stop owning it; nothing is written. */
void eddy_path_release(struct eddy_path *path, uint32_t partition);
bool eddy_path_owns(const struct eddy_path *path, uint32_t partition);
/* Next offset to commit, as of the last successful turn. */
uint64_t eddy_path_offset(const struct eddy_path *path, uint32_t partition);

enum eddy_push {
    EDDY_PUSH_TAKEN, /* part of the coming turn; record borrowed until it has ended     */
    EDDY_PUSH_OLD,   /* offset already applied, or partition not owned: forget it       */
    EDDY_PUSH_FULL,  /* run the turn, then push this record again                       */
    EDDY_PUSH_GAP,   /* offset beyond the next one: re-acquire the partition and seek   */
};
/* Add a record. FULL: the batch holds its maximum of records, the partition its 64 users,
 * or a snapshot record has to begin the partition's next turn. Compacted or transactional
 * logs have holes: allow_gaps turns GAP into TAKEN. */
enum eddy_push eddy_path_push(struct eddy_path *path, const struct eddy_record *record,
                              bool allow_gaps);
uint32_t eddy_path_pending(const struct eddy_path *path); /* records pushed */

/* Run the stages over what was pushed. On 0 everything pushed is committed, except the
 * partitions in the fenced list below. On an error nothing may be assumed: release and
 * acquire every owned partition (their offsets tell what happened) and feed from there.
 * Class RETRY: back off first. Class FATAL: stop. */
int eddy_path_turn(struct eddy_path *path, struct eddy_err *err);
/* Partitions that the last turn lost to another owner; they are released already. */
const uint32_t *eddy_path_fenced(const struct eddy_path *path, uint32_t *ret_count);

/* Lists confirmed or failed since: to be called between turns (polls the sink, publishes
 * again what failed). Returns EDDY_EKAFKA while deliveries keep failing, with the reason. */
int eddy_path_service(struct eddy_path *path, struct eddy_err *err);
/* Lists not yet confirmed, over all owned partitions. */
uint32_t eddy_path_unconfirmed(const struct eddy_path *path);

/* Fault injection: before stage `stage` (by name) of a turn, call hook; a negative return
 * is the stage's result. NULL removes it. Tests only. */
typedef int (*eddy_path_hook_fn)(void *context, const char *stage);
void eddy_path_set_hook(struct eddy_path *path, eddy_path_hook_fn hook, void *context);

/* Time per stage since the last reset, thread CPU ns, in stage order; for `eddy bench`. */
struct eddy_stage_time {
    const char *name;
    uint64_t cpu_ns;
    uint64_t calls;
};
uint32_t eddy_path_times(const struct eddy_path *path,
                         const struct eddy_stage_time **ret);
void eddy_path_reset_times(struct eddy_path *path);

#endif
