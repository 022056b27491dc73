/* Layer: core.  Which rows a recipe learns from: event type, event value, and the
 * percentiles of history lengths and item counts (PERSONALIZE 1.4, 3.2). */
#ifndef EDDY_CORE_SELECT_H
#define EDDY_CORE_SELECT_H

#include "core/interactions.h"

/* Of rows of this type only those whose value is there and at least this. */
struct eddy_event_threshold {
    const char *type; /* borrowed */
    double threshold;
};
struct eddy_select_options {
    const char *event_type; /* only rows of this type; NULL: all */
    bool has_threshold;
    double threshold; /* only rows whose value is there and at least this */
    const struct eddy_event_threshold
        *type_thresholds; /* in its place for these types */
    uint32_t type_threshold_count;
    /* Users whose number of rows is below the first or above the second percentile of all
     * users' numbers go; 0 and 1 keep everyone. Of items, ordered by their number of rows,
     * go those that hold the first share of all rows and those beyond the second. */
    double min_user_history, max_user_history, min_item_count, max_item_count;
};
struct eddy_select_counts {
    uint64_t by_type, by_value; /* rows dropped */
    uint32_t short_users, long_users, rare_items,
        frequent_items; /* of those with rows */
};
/* Drops the other rows, type and value first, items before users; users, items and types
 * keep their indices. EDDY_ECONFIG: a type that no row has, percentiles out of order;
 * EDDY_ENOMEM. */
int eddy_select(struct eddy_interactions *interactions,
                const struct eddy_select_options *options,
                struct eddy_select_counts *ret, struct eddy_err *err);

/* Enough to train on, in Amazon's words: EDDY_EFORMAT below 1000 interactions or 25 users
 * with two. */
int eddy_select_check(const struct eddy_interactions *interactions,
                      struct eddy_err *err);

#endif
