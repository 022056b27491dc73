/* Layer: core.  What is trained on, what is history and what is asked, per protocol: the
 * same marks for `eddy train --hold-out`, `eddy eval` and the baselines, so that they cannot
 * disagree (MODELS 2, 8; PERSONALIZE 8). */
#ifndef EDDY_CORE_SPLIT_H
#define EDDY_CORE_SPLIT_H

#include <stdbool.h>

#include "core/interactions.h"

enum eddy_protocol {
    EDDY_PROTOCOL_LOO,        /* each user's last event; seen items excluded          */
    EDDY_PROTOCOL_SESSIONS,   /* the file is a test file: every event after the first */
    EDDY_PROTOCOL_SUCCESSIVE, /* every event from a time on, states moving on         */
    EDDY_PROTOCOL_WORKSHOP,   /* AWS workshop: per user the events with rank > 90 %, one
                                * list per user, seen items kept                       */
    EDDY_PROTOCOL_SOLUTION,   /* AWS solution metrics: 10 % of users; of them the oldest
                                * 90 % are history, the newest 10 % the answers        */
    EDDY_PROTOCOL_PREQUENTIAL, /* test, then learn: the file in order, as a stream,
                                * asked from a time on (without one: all of it)        */
    EDDY_PROTOCOL_COLD_ITEMS,  /* a seeded half of the items is never trained on; events
                                * on them are the answers                              */
    EDDY_PROTOCOL_SEGMENTS,    /* AWS user segmentation: the newest fifth of each user's
                                * events; users are sought for items                   */
    EDDY_PROTOCOLS
};
/* Names of --protocol and --hold-out in the order of the enum. */
#define EDDY_PROTOCOL_CHOICES                                                          \
    "loo|sessions|successive|aws-workshop|solution-metrics|"                           \
    "prequential|cold-items|segments"
const char *eddy_protocol_name(enum eddy_protocol protocol);
/* One list per user, from all his events that are not answers; otherwise each answer has a
 * list of its own, from the user's events before it. */
bool eddy_protocol_asks_once(enum eddy_protocol protocol);

enum eddy_mark {
    EDDY_MARK_TRAIN,   /* trained on, and history               */
    EDDY_MARK_HISTORY, /* history at the query, not trained on  */
    EDDY_MARK_ANSWER,  /* asked                                 */
    EDDY_MARK_UNUSED
};

struct eddy_split_options {
    enum eddy_protocol protocol;
    int64_t
        from_ms; /* successive, prequential; INT64_MIN: successive takes the `fraction`
                      * quantile of all times, prequential asks about the whole file */
    double fraction; /* 0.9 */
    uint64_t seed;   /* solution: which users; cold-items: which items (default 42) */
};
/* fraction .9, seed 42, from_ms INT64_MIN. */
struct eddy_split_options eddy_split_defaults(enum eddy_protocol protocol);

/* marks: one per row of interactions, owned by the caller (free). *ret_from_ms (may be NULL):
 * the time that successive and prequential begin at, INT64_MIN for the others. The marks
 * depend on the file alone, not on the indices of its items. 0, EDDY_ENOMEM, EDDY_EFORMAT
 * (nothing to ask). */
int eddy_split(const struct eddy_interactions *interactions,
               const struct eddy_split_options *options, uint8_t **ret_marks,
               int64_t *ret_from_ms, struct eddy_err *err);

#define EDDY_KEEP(mark) (1u << (mark)) /* bits of `keep` below */

/* The rows whose mark is in keep, with the users, items and types of interactions, borrowed:
 * ret must not outlive them and is ended by eddy_interactions_view_fini alone. 0 or
 * EDDY_ENOMEM. */
int eddy_interactions_view(const struct eddy_interactions *interactions,
                           const uint8_t *marks, unsigned keep,
                           struct eddy_interactions *ret, struct eddy_err *err);
void eddy_interactions_view_fini(struct eddy_interactions *view);

/* Drops the other rows from interactions itself; users and items keep their indices, also
 * those that have no row left. */
void eddy_interactions_filter(struct eddy_interactions *interactions,
                              const uint8_t *marks, unsigned keep);

/* What `eddy train --hold-out` does: a split, of which the rows to train on stay. Refuses
 * sessions (its answers are a file of their own) and a prequential without a time.
 * *ret_from_ms, *ret_held_out (rows dropped) may be NULL. EDDY_ECONFIG and those of
 * eddy_split. */
int eddy_split_hold_out(struct eddy_interactions *interactions,
                        const struct eddy_split_options *options, int64_t *ret_from_ms,
                        uint64_t *ret_held_out, struct eddy_err *err);

#endif
