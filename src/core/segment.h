/* Layer: core.  Users for items (USER_SEGMENTATION): of all users those who are likeliest to
 * have one of a query's items next, by the code that serves. For `eddy segment` and its
 * evaluation. */
#ifndef EDDY_CORE_SEGMENT_H
#define EDDY_CORE_SEGMENT_H

#include "core/play.h"

struct eddy_segment_user {
    uint32_t user;
    float probability; /* above 0 */
};
struct eddy_segment_query {
    const uint32_t *items; /* of the snapshot, rising; borrowed */
    uint32_t item_count;   /* 0: nobody is in the segment */
    struct eddy_segment_user
        *best; /* (keep) room of the caller; best first, of equals the
                                       user of the lower number */
    size_t count;
};
struct eddy_segment_options {
    const struct eddy_snapshot *snapshot;
    /* Parsed with the snapshot's catalogue first: the users to choose from. */
    const struct eddy_interactions *interactions;
    const struct eddy_user_queries *users; /* as in eddy_play */
    uint32_t threads;
    size_t keep; /* users per query, at least 1 */
    void (*progress)(void *context, uint64_t users_done); /* NULL: none */
    void *context;
};
/* Fills best and count of all queries. A user's probability of an item is the softmax of his
 * scores over the catalogue, of several their sum; where nothing is known of him, the share of
 * popularity. Thread: the caller's, which starts threads - 1 more. 0 or EDDY_ENOMEM. */
int eddy_segment_users(const struct eddy_segment_options *options,
                       struct eddy_segment_query *queries, size_t query_count,
                       struct eddy_err *err);

#endif
