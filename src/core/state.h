/* Layer: core.  A user's state, the session rules, and its stored form.
 *
 * The rule (DESIGN 2, 3): the new state is a function of (old state, record, snapshot) and
 * of nothing else. Time is event time in whole seconds.
 *
 * Fold of one event e, in this order:
 *   ts = min(e.ts, record timestamp + 5 min) when the record has a timestamp
 *   e.id among the recent event ids                    -> duplicate, only revision moves
 *   ts < newest - lateness                             -> late, only revision moves
 *   kind impression                                    -> noted: shown, event ids
 *   item unknown to the snapshot                       -> remembered by hash, no step
 *   else                                               -> remembered, one HRNN step with
 *          gap = max(0, ts - stepped); stepped = max(stepped, ts)
 *   remembered: newest = max(newest, ts), into the rings of recent events and event ids;
 *          the item leaves what was shown, the others of its impression enter it
 * The network is shown the time since the last event that it saw (stepped), not since the
 * last event of all (newest): an unknown item leaves no trace in hidden.
 * A state whose snapshot is not the partition's is re-encoded first: hidden = 0, then every
 * recent event is stepped again by the same code. While the ring has not overflowed, that
 * gives the bits that folding gave; once it has, the oldest event in the ring counts as the
 * user's first. */
#ifndef EDDY_CORE_STATE_H
#define EDDY_CORE_STATE_H

#include "core/event.h"
#include "core/shown.h"
#include "core/snapshot.h"

struct eddy_recent {
    uint64_t item_hash;
    uint32_t ts_s;
    uint32_t type_hash;
    float value;    /* as given; 0 when absent */
    uint32_t flags; /* bit 0: has value; bits 1..3: values of context */
};
enum { EDDY_RECENT_FLAGS_MAX = EDDY_CONTEXT_MAX << 1 | 1 };

enum { EDDY_EVENT_IDS = 32 };

struct eddy_state {
    uint64_t revision; /* offset of the newest record folded in, plus 1; 0: new user */
    char snapshot[EDDY_SNAPSHOT_ID_SIZE]; /* that encoded hidden; "" for a new user */
    int64_t first_s, newest_s;            /* event times; newest_s -1 for a new user */
    int64_t stepped_s;          /* newest time among the events stepped; -1: none */
    uint64_t event_count;       /* events remembered so far */
    uint64_t session_count;     /* sessions begun so far, as the network saw them */
    uint32_t step_count_low;    /* steps since hidden was zero, saturating */
    uint32_t id_count, id_next; /* ring of recent event-id hashes */
    uint32_t ids[EDDY_EVENT_IDS];
    struct eddy_shown_ring shown;
    uint32_t recent_count, recent_capacity;
    struct eddy_recent *recent; /* oldest first, behind the struct */
    uint32_t hidden_count, hidden_capacity;
    float
        *hidden; /* eddy_hrnn_state_floats of the snapshot's shape, behind the struct */
    /* Of the recent events one after the other, as many each as its flags say; behind the
     * struct. */
    uint32_t context_count;
    struct eddy_context *context;
};

/* How many values of context a recent event has. */
static inline uint32_t eddy_recent_contexts(const struct eddy_recent *recent)
{
    return recent->flags >> 1;
}

/* Bytes of a state slot (64-byte aligned) for shapes up to hidden_floats and recent rings up to recent_max. */
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
    EDDY_FOLD_NOTED,     /* impression: what was shown, no step            */
};
/* Session rules of one event at `offset`, record timestamp record_ms (<= 0: none). Moves
 * everything but hidden; the caller steps hidden by *ret_step when EDDY_FOLD_STEP comes
 * back. The state must be of this snapshot (eddy_state_is_stale false) or new, and its slot
 * big enough for the snapshot. Asserts offset >= revision, and that event is no snapshot
 * record. */
enum eddy_fold eddy_state_fold(struct eddy_state *state, const struct eddy_event *event,
                               uint64_t offset, int64_t record_ms,
                               const struct eddy_snapshot *snapshot,
                               const struct eddy_policy *policy,
                               struct eddy_step *ret_step);

/* Encoded by another snapshot. A new user's state never is. */
bool eddy_state_is_stale(const struct eddy_state *state,
                         const struct eddy_snapshot *snapshot);
/* Begin re-encoding: hidden = 0 (of the snapshot's size), snapshot id set, the ring cut to
 * the snapshot's recent_events newest. Returns how many steps eddy_state_resteps will give
 * (recent events whose item the snapshot knows). */
uint32_t eddy_state_reencode(struct eddy_state *state,
                             const struct eddy_snapshot *snapshot);
/* To be called once after eddy_state_reencode: the steps of all recent events in order into
 * ret (room: recent_count); count returned. The caller steps hidden by them, from zero.
 * eddy_state_fold's later steps continue them. */
uint32_t eddy_state_resteps(struct eddy_state *state,
                            const struct eddy_snapshot *snapshot,
                            struct eddy_step *ret);

/* Stored form: 'E' 'S' version 2, then a msgpack array written with msgpack-c's packer;
 * ids, recent, hidden, context and shown as binaries, little-endian. Equal states give equal
 * bytes. Version 1, without the last two, is still read. */
void eddy_state_encode(const struct eddy_state *state, struct eddy_buf *out);
/* Into a slot; everything is checked. A hidden state larger than the slot is left out and
 * of a ring longer than the slot the newest events are kept: such a state is of a larger
 * snapshot than the slot was made for, and stale. EDDY_EFORMAT: damaged, or a newer
 * version; *state is a new user's then. */
int eddy_state_decode(struct eddy_span bytes, struct eddy_state *state,
                      struct eddy_err *err);
/* The version of the snapshot that encoded a blob, and its revision, without decoding the
 * rest. EDDY_EFORMAT. */
int eddy_state_peek(struct eddy_span bytes, char ret_snapshot[EDDY_SNAPSHOT_ID_SIZE],
                    uint64_t *ret_revision);

#endif
