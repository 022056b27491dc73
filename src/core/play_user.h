/* Layer: core.  One user of a play or a stream: what a worker keeps in his state, without
 * the stored form. Private to core/play.c and core/stream.c. */
#ifndef EDDY_CORE_PLAY_USER_H
#define EDDY_CORE_PLAY_USER_H

#include "core/interactions.h"
#include "core/metadata.h"
#include "core/rank.h"
#include "core/score.h"
#include "core/snapshot.h"

struct eddy_play_user {
    float *hidden; /* owned; eddy_hrnn_state_floats */
    float *query;  /* owned; (H), room for a query with metadata; NULL: none is used */
    int64_t previous_s; /* newest stepped event, -1: none */
    bool stepped;
    bool keeps_seen; /* else seen stays empty: nothing is excluded by it */
    uint32_t *seen;  /* known items, owned: rising ones, then the newest as they came */
    uint32_t seen_count, seen_capacity;
    uint32_t seen_sorted; /* how many are rising */
    /* Streams only: the newest events, whatever their items, oldest first; owned. */
    uint32_t *ring;
    uint32_t ring_count, ring_capacity;
    uint32_t session_events;       /* of the present session */
    struct eddy_shown_ring *shown; /* owned; NULL: nobody asks */
    int64_t newest_ms;             /* event of all */
};

/* Back to a new user; keeps the memory. */
void eddy_play_user_reset(struct eddy_play_user *user, uint32_t hidden_floats);
/* Keep the item where keeps_seen. 0 or EDDY_ENOMEM. */
int eddy_play_user_see(struct eddy_play_user *user, uint32_t item);
/* Bring seen into order, without duplicates: before it is read. */
void eddy_play_user_settle(struct eddy_play_user *user);
/* The step for a row: 1 (in *ret), 0 when the snapshot does not know the item, EDDY_ENOMEM
 * (nothing has happened). */
int eddy_play_user_step(struct eddy_play_user *user,
                        const struct eddy_snapshot *snapshot,
                        const struct eddy_interactions *interactions,
                        const struct eddy_interaction *row, const uint16_t *types,
                        struct eddy_step *ret);

/* One more event into the ring, which keeps the newest `room`. 0 or EDDY_ENOMEM. */
int eddy_play_user_remember(struct eddy_play_user *user,
                            const struct eddy_interaction *row, uint32_t room,
                            uint32_t session_gap_s);

/* Whether lists of these interactions take what was shown into account. */
bool eddy_play_has_shown(const struct eddy_interactions *interactions,
                         const struct eddy_head *head);
/* The row's item is chosen, the rest of its impression is shown. */
void eddy_play_user_show(struct eddy_shown_ring *ring,
                         const struct eddy_interactions *interactions,
                         const struct eddy_interaction *row);

/* What scores items for the user at index: his state's query, with his metadata where users
 * (may be NULL) know some, and with the context of the request (may be NULL), then in room
 * (H floats). NULL: no step, no metadata, no context. */
const float *eddy_play_user_query(const struct eddy_play_user *user,
                                  const struct eddy_snapshot *snapshot,
                                  const struct eddy_user_queries *users, uint32_t index,
                                  const struct eddy_context_row *request, float *room);

/* Types of the file -> types of the snapshot; free(). NULL: memory. */
uint16_t *eddy_play_types(const struct eddy_snapshot *snapshot,
                          const struct eddy_interactions *interactions);
/* The k best of `items` scores by (score falling, index rising); count returned. */
uint32_t eddy_play_popular(const float *popularity, uint32_t items, uint32_t k,
                           struct eddy_scored *ret);

#endif
