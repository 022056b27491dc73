/* Layer: core.  What is trained on, what is history and what is asked, per protocol: the
 * same marks for `eddy train --hold-out`, `eddy eval` and the baselines, so that they cannot
 * disagree (MODELS 2, 8; PERSONALIZE 8). */
#ifndef EDDY_CORE_SPLIT_H
#define EDDY_CORE_SPLIT_H

#include "core/interactions.h"

enum eddy_protocol {
    EDDY_PROTOCOL_LOO,        /* each user's last event; seen items excluded          */
    EDDY_PROTOCOL_SESSIONS,   /* the file is a test file: every event after the first */
    EDDY_PROTOCOL_SUCCESSIVE, /* every event from a time on, states moving on         */
    EDDY_PROTOCOL_WORKSHOP,   /* AWS workshop: per user the events with rank > 90 %, one
                                * list per user, seen items kept                       */
    EDDY_PROTOCOL_SOLUTION,   /* AWS solution metrics: 10 % of users; of them the oldest
                                * 90 % are history, the newest 10 % the answers        */
    EDDY_PROTOCOL_PREQUENTIAL, /* test, then learn: the whole file in order, as a stream */
    EDDY_PROTOCOL_COLD_ITEMS, /* a seeded half of the items is never trained on; events
                                * on them are the answers                              */
};

enum eddy_mark {
    EDDY_MARK_TRAIN,   /* trained on, and history               */
    EDDY_MARK_HISTORY, /* history at the query, not trained on  */
    EDDY_MARK_ANSWER,  /* asked                                 */
    EDDY_MARK_UNUSED
};

struct eddy_split_options {
    enum eddy_protocol protocol;
    int64_t
        from_ms; /* successive: INT64_MIN takes the `fraction` quantile of all times */
    double fraction; /* 0.9 */
    uint64_t seed;   /* solution: which users; cold-items: which items (default 42) */
};
/* marks: one per row of interactions, owned by the caller (free). *ret_from_ms (may be NULL):
 * the time that successive begins at. 0, EDDY_ENOMEM, EDDY_EFORMAT (nothing to ask). */
int eddy_split(const struct eddy_interactions *interactions,
               const struct eddy_split_options *options, uint8_t **ret_marks,
               int64_t *ret_from_ms, struct eddy_err *err);

#endif
