/* Layer: core.  Counters of a log: sequential rules and popularity with decay by event
 * time. Fed row by row; what they say at any moment becomes the tables of a snapshot
 * (training), of a refresh (stream, updater) or of a baseline. One code for all three, so
 * that a table in a snapshot equals what the stream would have had at that moment.
 *
 * Rules (Ludewig & Jannach's SR, MODELS 1.10): an event on i adds, for the item j at distance
 * d before it in the user's events of the same session, w(d) to (j, i) and 1 to the support
 * of j. Every sum decays with event time by its half-life; a rule's weight is
 * count(j, i) / (support(j) + shrink). */
#ifndef EDDY_CORE_COUNTERS_H
#define EDDY_CORE_COUNTERS_H

#include "core/interactions.h"
#include "core/table.h"

enum { EDDY_HALF_LIVES_MAX = 6, EDDY_RULES_WINDOW_MAX = 20 };

struct eddy_counters_options {
    uint32_t items;  /* known at first; grows by itself when an item beyond comes */
    uint32_t window; /* distances 1..window; 0: no rules */
    double distance_decay;    /* w(d) = exp(-(d - 1) / distance_decay) */
    double rules_half_life_s; /* 0: no decay */
    double shrink;            /* added to the support */
    double
        reverse; /* share of an event that also counts backwards, for (i, j): what was
                       read together, in whatever order; 0: none */
    double half_life_s[EDDY_HALF_LIVES_MAX]; /* of popularity; 0: plain count */
    uint32_t half_lives;
};
struct eddy_counters;
/* No events yet. EDDY_ECONFIG: window or half_lives out of range. Owned:
 * eddy_counters_free. */
int eddy_counters_new(const struct eddy_counters_options *options,
                      struct eddy_counters **ret, struct eddy_err *err);
void eddy_counters_free(struct eddy_counters *counters);

/* One event, in log order; recent: the user's items before it in his session, oldest
 * first. Times may step back (late events): age then counts as 0. 0 or EDDY_ENOMEM. */
int eddy_counters_add(struct eddy_counters *counters, int64_t ts_ms, uint32_t item,
                      const uint32_t *recent, uint32_t recent_count);

/* Rows of interactions, order[0..count) in log order (core/log_order.h). recent are the
 * rows before it of the same user with no gap above session_gap_s between (0: any gap). 0 or
 * EDDY_ENOMEM. */
int eddy_counters_add_rows(struct eddy_counters *counters,
                           const struct eddy_interactions *interactions,
                           const uint64_t *order, uint64_t count,
                           uint32_t session_gap_s);

/* The rules as of now_ms, `width` per row, over `items` items. 0 or EDDY_ENOMEM. */
int eddy_counters_rules(struct eddy_counters *counters, int64_t now_ms, uint32_t items,
                        uint32_t width, struct eddy_table *ret);
/* Pairs that are held: what a call of eddy_counters_rules passes over. */
uint32_t eddy_counters_pairs(const struct eddy_counters *counters);
/* log of the smoothed share of events of each item, as of now_ms, for one half-life:
 * log((count + 0.5) / (sum + 0.5 items)); ret: (items) floats. */
void eddy_counters_prior(struct eddy_counters *counters, int64_t now_ms, uint32_t items,
                         uint32_t half_life, float *ret);

#endif
