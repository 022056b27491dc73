/* Layer: core.  Models that count, for the recipes without a network: most popular, trending,
 * what goes together (SIMS), and which items are new (PERSONALIZE 3.3). */
#ifndef EDDY_CORE_COUNTING_H
#define EDDY_CORE_COUNTING_H

#include <stdbool.h>

#include "core/interactions.h"
#include "core/table.h"

/* Number of distinct users who have each item; ret: (items) floats. 0 or EDDY_ENOMEM. */
int eddy_count_users(const struct eddy_interactions *interactions, float *ret);
/* The same as shares of the users who have events: (items), free(). NULL: memory. */
float *eddy_count_shares(const struct eddy_interactions *interactions);

/* By how many interactions each item rose from the interval before the last to the last
 * one; the last ends with the newest row. ret: (items) floats: the increase where there is
 * one, plus a part below one half that orders equals (and those without an increase) by
 * their number of users. 0 or EDDY_ENOMEM. */
int eddy_count_trend(const struct eddy_interactions *interactions, int64_t interval_s,
                     float *ret);

struct eddy_cold_options {
    uint64_t interactions_max;
    double days_max;
    int64_t now_ms; /* age counts from here; INT64_MIN: from the newest item */
};
/* Which items are cold: few interactions, and young. An item's time is its
 * CREATION_TIMESTAMP (column of `catalog`, which may be NULL), else its first interaction,
 * else that of the newest interaction. *ret: (items), free(); *ret_count: cold ones. 0 or
 * EDDY_ENOMEM. */
int eddy_count_cold(const struct eddy_interactions *interactions,
                    const struct eddy_catalog *catalog,
                    const struct eddy_cold_options *options, bool **ret,
                    uint32_t *ret_count);

struct eddy_sims_options {
    double discount; /* 0..1: weight = users in common / users of the item^discount */
    uint32_t common_min; /* pairs with fewer users in common are left out */
    uint32_t window;     /* only items at most so many of his events apart count */
    uint32_t width;      /* entries kept per row */
    uint32_t threads;
};
/* For each item the items that the same users have had near it. Time: events times twice
 * the window. 0, EDDY_ENOMEM, EDDY_EIO. */
int eddy_sims_fit(const struct eddy_interactions *interactions,
                  const struct eddy_sims_options *options, struct eddy_table *ret,
                  struct eddy_err *err);

#endif
