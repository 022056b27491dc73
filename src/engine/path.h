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
    const char *prefix;   /* dataset group, "eddy" */
    uint32_t partitions;  /* of the event topic; 0: keys are not checked (tests) */
    uint32_t cache_users; /* decoded states kept; >= 1024 */
    uint32_t outbox_max;  /* unconfirmed users per partition before commits wait */
    char
        initial_snapshot[EDDY_SNAPSHOT_ID_SIZE]; /* where a partition starts that has no
                                                     position yet */
    struct eddy_policy initial_policy;
};

/* sink NULL: lists stand in the store only, dead letters are only counted (replay).
 * metrics may be NULL. All four are kept until eddy_path_free, which closes none of them.
 * Thread: one at a time, for all that follows. NULL: memory, or options (err says). */
struct eddy_path *eddy_path_new(const struct eddy_path_options *options,
                                struct eddy_store *store, struct eddy_sink *sink,
                                struct eddy_registry *registry,
                                struct eddy_metrics *metrics, struct eddy_err *err);
void eddy_path_free(struct eddy_path *path);

/* Become owner of a partition: new fence, position; the committed lists of the outbox's
 * users are published again; partition 0 writes the default list. *ret_offset: where to
 * read from. Drops whatever was known about the partition, pushed records included. On an
 * error the partition is not owned. 0, EDDY_ESTORE, EDDY_EFENCED (another owner took it
 * meanwhile), EDDY_ENOMODEL, EDDY_EFORMAT. */
int eddy_path_acquire(struct eddy_path *path, uint32_t partition, uint64_t *ret_offset,
                      struct eddy_err *err);
/* The log begins later than acquire said (retention): begin there. Only for a partition
 * of which no record was ever applied, else EDDY_EFATAL: records are missing. */
int eddy_path_start_at(struct eddy_path *path, uint32_t partition, uint64_t offset,
                       struct eddy_err *err);
/* Stop owning it; nothing is written. A list of it that is still in the sink's queue may
 * overtake the next owner's: flush the sink first where that is possible. */
void eddy_path_release(struct eddy_path *path, uint32_t partition);
bool eddy_path_owns(const struct eddy_path *path, uint32_t partition);
/* Next offset to commit, as of the last successful turn. */
uint64_t eddy_path_offset(const struct eddy_path *path, uint32_t partition);

enum eddy_push {
    EDDY_PUSH_TAKEN, /* part of the coming turn; record borrowed until it has ended     */
    EDDY_PUSH_OLD, /* offset already applied, or partition not owned: forget it       */
    EDDY_PUSH_FULL, /* run the turn, then push this record again                       */
    EDDY_PUSH_GAP,  /* offset beyond the next one, or the last turn failed: re-acquire
                        the partition and seek                                          */
};
/* Add a record. FULL: the turn holds its maximum of records. Compacted or transactional
 * logs have holes: allow_gaps turns the GAP of a hole into TAKEN. */
enum eddy_push eddy_path_push(struct eddy_path *path, const struct eddy_record *record,
                              bool allow_gaps);
uint32_t eddy_path_pending(const struct eddy_path *path); /* records pushed */

/* Run the stages over what was pushed, in as many waves as commits need (64 users of a
 * partition each; a snapshot record begins a new one). On 0 everything pushed is committed,
 * except the partitions in the fenced list below.
 * EDDY_EFULL: too many lists are unconfirmed. Nothing is lost and no ownership: the
 * records stay pushed (and borrowed); call eddy_path_service, then eddy_path_turn again.
 * On any other error nothing may be assumed: acquire every owned partition again (their
 * offsets tell what happened) and feed from there; until then push says GAP. Class RETRY:
 * back off first. Class FATAL: stop. */
int eddy_path_turn(struct eddy_path *path, struct eddy_err *err);
/* Partitions that the last turn, probe or tidy lost to another owner; they are released
 * already. */
const uint32_t *eddy_path_fenced(const struct eddy_path *path, uint32_t *ret_count);

/* Lists confirmed or failed since: to be called between turns (polls the sink, publishes
 * again what failed, after asking the store whether we still own its partition). Returns
 * EDDY_EKAFKA while deliveries keep failing, with the reason: nothing is lost, go on. Any
 * other error (EDDY_ESTORE, EDDY_EFENCED) is as one of eddy_path_turn. */
int eddy_path_service(struct eddy_path *path, struct eddy_err *err);
/* Ask the store whether every owned partition still stands where we think: a worker without
 * events would not notice otherwise that the store came back with an older state, or that
 * it has lost a partition. To be called about once a second while nothing is pushed; one
 * exchange. Errors and the fenced list as of eddy_path_turn. */
int eddy_path_probe(struct eddy_path *path, struct eddy_err *err);
/* Before a planned stop, when nothing is pushed and everything is confirmed: commit the
 * empty outbox of partitions whose stored one still names users, so that the next owner
 * has nothing to publish again. Errors as of eddy_path_turn. */
int eddy_path_tidy(struct eddy_path *path, struct eddy_err *err);
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
