/* Layer: app.  eddy eval --protocol segments: of each item, or each value of a categorical
 * column, that the held out events ask about, how many of the users who had it stand in its
 * segment, the likeliest hundredth of all users (PERSONALIZE 8.1: hits and recall at 1 %). */
#ifndef EDDY_APP_EVAL_SEGMENTS_H
#define EDDY_APP_EVAL_SEGMENTS_H

#include "app/eval.h"
#include "core/metadata.h"
#include "core/segment.h"

/* Figures of the model, and of two ways to do without one. */
enum eddy_segments_by {
    EDDY_SEGMENTS_MODEL,
    EDDY_SEGMENTS_ACTIVE, /* the same segment for all: who has most training events */
    EDDY_SEGMENTS_HAD, /* who has most training events on the query's items, then most */
    EDDY_SEGMENTS_WAYS
};
extern const char *const eddy_segments_names[EDDY_SEGMENTS_WAYS];

/* Of one way: per query hits (as HR) and hits / users who had it (as RECALL), in the first
 * cut-off; means and intervals over queries. */
struct eddy_segments_way {
    struct eddy_user_score *scores;                /* (queries) */
    struct eddy_evaluation evaluation, difference; /* difference: the model minus it */
    uint8_t *listed;                               /* (users) */
    uint32_t covered;                              /* users in any segment */
};

struct eddy_segments {
    const struct eddy_snapshot *snapshot;
    const struct eddy_interactions
        *interactions;                     /* parsed with the snapshot's catalogue */
    const uint8_t *marks;                  /* of EDDY_PROTOCOL_SEGMENTS */
    const struct eddy_user_queries *users; /* metadata; NULL: none */
    uint32_t threads, resamples;
    uint64_t seed;
    bool baselines, quiet;
    /* ---- filled by eddy_segments_ask ---- */
    bool attributes;           /* queries are values of columns, not items */
    uint32_t user_count, size; /* size: users per segment, a hundredth, at least 1 */
    size_t count;              /* queries */
    uint64_t answers, wanted;  /* held out events; users to be found, over queries */
    uint64_t unknown;          /* queries of items that the model does not know */
    double seconds;
    struct eddy_segments_way ways[EDDY_SEGMENTS_WAYS];
};
/* Queries are values of columns for aws-item-attribute-affinity, items for all others. Users
 * whose probability equals that of the first one outside the segment count as outside it.
 * EDDY_EUSAGE: a model without a network, or without a categorical column where values are
 * asked; EDDY_ENOMEM. Ended by eddy_segments_fini, also after an error. */
int eddy_segments_ask(struct eddy_segments *segments, struct eddy_err *err);
void eddy_segments_fini(struct eddy_segments *segments);

/* The table on standard output, and all of it as JSON. Thread: the caller's. */
void eddy_segments_print(const struct eddy_eval *eval,
                         const struct eddy_segments *segments);
void eddy_segments_json(const struct eddy_eval *eval,
                        const struct eddy_segments *segments, struct eddy_buf *out);

#endif
