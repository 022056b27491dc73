/* Layer: core.  Nearest sessions (V-SKNN, VSTAN: Ludewig et al., UMUAI 2020): past sessions
 * that share items with the present one vote for what they hold. No training: a store of
 * sessions and an inverted index. */
#ifndef EDDY_CORE_NEIGHBOURS_H
#define EDDY_CORE_NEIGHBOURS_H

#include "core/related.h"

struct eddy_posting {
    uint32_t session, place; /* place: the item's newest event within the session */
};
/* Stored: the newest sessions, oldest first. Derived at opening: the inverted index. */
struct eddy_sessions {
    uint32_t items, count;
    uint64_t *begin;               /* (count + 1) */
    uint32_t *entries;             /* items in order of events */
    float *age;                    /* (count) days before the newest session */
    float *root;                   /* (count) of the number of events; derived */
    uint64_t *posting_begin;       /* (items + 1); derived */
    struct eddy_posting *postings; /* of an item, newest session first; derived */
};
/* Copies the newest sessions with 2 events or more until events_max are held, builds the
 * index. 0 or EDDY_ENOMEM. */
int eddy_sessions_init(struct eddy_sessions *store,
                       const struct eddy_session_view *views, uint32_t count,
                       uint32_t items, uint64_t events_max);
/* begin, entries and age are there (from a file): check them and derive. EDDY_EFORMAT. */
int eddy_sessions_index(struct eddy_sessions *store, struct eddy_err *err);
void eddy_sessions_fini(struct eddy_sessions *store);

enum { EDDY_NEIGHBOURS_CANDIDATES_MAX = 5000 };
struct eddy_neighbours_options {
    uint32_t
        candidates; /* newest sessions looked at per query, at most ..._MAX count */
    uint32_t neighbours;                                   /* of them that vote */
    double position_decay, age_decay_days, distance_decay; /* VSTAN's three; 0: none */
    bool idf;
};
struct eddy_neighbours_scratch; /* one thread's */
struct eddy_neighbours_scratch *eddy_neighbours_scratch_new(
    const struct eddy_sessions *s);
void eddy_neighbours_scratch_free(struct eddy_neighbours_scratch *scratch);
/* Votes for the next item after recent[0..count) (oldest first): (item, weight > 0) pairs,
 * at most room, each item once, unordered; number returned. Weights sum to at most 1.
 * Deterministic, no allocation; single floats and the exp of base/vmath.h, so that the
 * bits are those of every machine. */
uint32_t eddy_neighbours_vote(const struct eddy_sessions *store,
                              const struct eddy_neighbours_options *options,
                              struct eddy_neighbours_scratch *scratch,
                              const uint32_t *recent, uint32_t count,
                              uint32_t *ret_items, float *ret_weights, uint32_t room);

#endif
