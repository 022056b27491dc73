/* Layer: core.  A user's state, the session rules, and its stored form.
 *
 * The rule (DESIGN 2, 3): the new state is a function of (old state, record, snapshot) and
 * of nothing else. Time is event time in whole seconds.
 *
 * Fold of one event e (STREAMING 5):
 *   ts = min(e.ts, record timestamp + 5 min) when the record has a timestamp
 *   e.id among the recent event ids                    -> duplicate, only revision moves
 *   ts < newest - lateness                             -> late, counted, only revision moves
 *   item unknown to the snapshot                       -> remembered by hash, no step
 *   else                                               -> remembered, one HRNN step with
 *          gap = max(0, ts - newest); newest = max(newest, ts)
 * A state whose snapshot is not the partition's is re-encoded first: hidden = 0, then every
 * recent event is stepped again by the same code. */
#ifndef EDDY_CORE_STATE_H
#define EDDY_CORE_STATE_H

#include "core/event.h"
#include "core/snapshot.h"

struct eddy_recent {
    uint64_t item_hash;
    uint32_t ts_s;
    uint32_t type_hash;
    float value;      /* as given; 0 when absent */
    uint32_t flags;   /* bit 0: has value */
};

enum { EDDY_EVENT_IDS = 32 };

struct eddy_state {
    uint64_t revision;     /* offset of the newest record folded in, plus 1; 0: new user */
    char snapshot[EDDY_SNAPSHOT_ID_SIZE]; /* that encoded hidden; "" for a new user */
    int64_t first_s, newest_s; /* event times; newest_s -1 for a new user */
    int64_t stepped_s;     /* newest_s as of the last step, -1: none (gap and session) */
    uint64_t event_count;  /* events remembered so far */
    uint64_t session_count;
    uint32_t step_count_low; /* steps since hidden was zero, saturating */
    uint32_t id_count, id_next; /* ring of recent event-id hashes */
    uint32_t ids[EDDY_EVENT_IDS];
    uint32_t recent_count, recent_capacity;
    struct eddy_recent *recent; /* oldest first, behind the struct */
    uint32_t hidden_count;
    float *hidden; /* eddy_hrnn_state_floats of the snapshot's shape, behind the struct */
};

/* Bytes of a state slot for shapes up to hidden_floats and recent rings up to recent_max. */
size_t eddy_state_size(uint32_t hidden_floats, uint32_t recent_max);
/* Make memory of that size (64-byte aligned) a new user's state. */
struct eddy_state *eddy_state_init(void *memory, uint32_t hidden_floats,
                                   uint32_t recent_max);
/* Back to a new user's state. */
void eddy_state_reset(struct eddy_state *state);

enum eddy_fold {
    EDDY_FOLD_STEP,      /* *ret_step is to be stepped                     */
    EDDY_FOLD_UNKNOWN,   /* remembered, the item is not in the snapshot    */
    EDDY_FOLD_DUPLICATE, /* event id seen before                           */
    EDDY_FOLD_LATE,      /* older than the lateness bound                  */
    EDDY_FOLD_NOTED,     /* impression: nothing of the state but revision  */
};
/* Session rules of one event at `offset`, record timestamp record_ms (<= 0: none). Moves
 * everything but hidden; the caller steps hidden by *ret_step when EDDY_FOLD_STEP comes
 * back. The state must be of this snapshot (eddy_state_is_stale false) or new. Asserts
 * offset >= revision. */
enum eddy_fold eddy_state_fold(struct eddy_state *state, const struct eddy_event *event,
                               uint64_t offset, int64_t record_ms,
                               const struct eddy_snapshot *snapshot,
                               const struct eddy_policy *policy,
                               struct eddy_step *ret_step);

bool eddy_state_is_stale(const struct eddy_state *state,
                         const struct eddy_snapshot *snapshot);
/* Begin re-encoding: hidden = 0 (of the snapshot's size), snapshot id set. Returns how many
 * steps eddy_state_restep has to give (recent events whose item the snapshot knows). */
uint32_t eddy_state_reencode(struct eddy_state *state,
                             const struct eddy_snapshot *snapshot);
/* The steps of all recent events in order into ret (room: recent_count); count returned.
 * A pure function of recent and snapshot; eddy_state_fold's later steps continue it. */
uint32_t eddy_state_resteps(struct eddy_state *state,
                            const struct eddy_snapshot *snapshot, struct eddy_step *ret);

/* Stored form: 'E' 'S' version 1, then a msgpack array written with msgpack-c's packer; hidden and
 * recent as binaries, little-endian. Equal states give equal bytes. */
void eddy_state_encode(const struct eddy_state *state, struct eddy_buf *out);
/* Into a slot big enough for it. EDDY_EFORMAT: damaged, or a newer version. */
int eddy_state_decode(struct eddy_span bytes, struct eddy_state *state,
                      struct eddy_err *err);
/* The version of the snapshot that encoded a blob, without decoding the rest. */
int eddy_state_peek(struct eddy_span bytes, char ret_snapshot[EDDY_SNAPSHOT_ID_SIZE],
                    uint64_t *ret_revision);

#endif
