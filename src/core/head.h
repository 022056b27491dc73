/* Layer: core.  The hybrid head: what is added to the network's logit (DESIGN 6, prior(i)).
 *
 *   score(i) = n_b (q . E[i] + bias[i]) + sum_h p_bh prior_h(i)
 *            + sum_f w_bf log1p(c_f s_f(i))
 *
 * b: bucket of how many known recent events the state holds (EDDY_HEAD_BUCKETS);
 * n_b: 1 or 0 (no network, or it does not help); prior_h: log-popularity per half-life, a
 * dense table of the snapshot; s_f: sparse features from the state's recent events
 *   related, rules   sum over the newest `recent` events, newest first at p = 0, of
 *                    exp(-p / decay_f) T_f[item_p, i]
 *   neighbours       votes of eddy_neighbours_vote
 *   seen             sum over all recent events equal to i of exp(-p / decay_f)
 *   shown            n exp(-p / decay_f), when i was shown n times and not chosen since;
 *                    p: lists shown later than the last of those
 * In place of q . E[i] + bias[i], items of which the log knew no event have
 * spread (q . E[i] + bias[i]) + q . level + shift (eddy_cold_items): what metadata says,
 * drawn together and put on the level of the list.
 * Weights are fitted on validation events per bucket (core/head_fit.h) and are zero where
 * they do not help; `seen` and `shown` may have a negative weight, the others never have.
 * A function of state and snapshot alone: single floats in a fixed order, exp and log of
 * base/vmath.h. */
#ifndef EDDY_CORE_HEAD_H
#define EDDY_CORE_HEAD_H

#include <stdbool.h>

#include "core/counters.h"
#include "core/neighbours.h"
#include "core/table.h"

enum eddy_head_feature {
    EDDY_HEAD_RELATED,
    EDDY_HEAD_RULES,
    EDDY_HEAD_NEIGHBOURS,
    EDDY_HEAD_SEEN,
    EDDY_HEAD_SHOWN,
    EDDY_HEAD_FEATURES
};
/* Whether a feature may count against an item. */
bool eddy_head_is_signed(enum eddy_head_feature feature);
enum { EDDY_HEAD_BUCKETS = 6, EDDY_HEAD_RECENT_MAX = 20 };
/* Known recent events: 0, 1, 2, 3-5, 6-19, 20 and more. */
uint32_t eddy_head_bucket(uint32_t known_recent_events);

struct eddy_head {
    bool network[EDDY_HEAD_BUCKETS];
    float weight[EDDY_HEAD_BUCKETS][EDDY_HEAD_FEATURES];
    float prior[EDDY_HEAD_BUCKETS][EDDY_HALF_LIVES_MAX];
    float scale[EDDY_HEAD_FEATURES]; /* c_f > 0 */
    float decay[EDDY_HEAD_FEATURES]; /* positions */
    uint32_t recent;                 /* newest events that related and rules look at */
    struct eddy_neighbours_options neighbours;
};
/* The network alone: what a snapshot without tables has. */
extern const struct eddy_head eddy_head_plain;
/* Whether any bucket gives a weight to the feature, to the prior; to neither of them all,
 * with the network in every bucket. */
bool eddy_head_uses(const struct eddy_head *head, enum eddy_head_feature feature);
bool eddy_head_uses_prior(const struct eddy_head *head, uint32_t prior);
bool eddy_head_is_plain(const struct eddy_head *head);

/* Items without events, and how their scores are changed. */
struct eddy_cold_items {
    uint32_t count;  /* 0: none, or nothing is changed */
    uint32_t *items; /* (count) rising */
    float *place;    /* (2 + H) spread, shift, level */
};

/* What a snapshot holds besides the network; any part may be empty. */
struct eddy_tables {
    uint32_t items;
    struct eddy_cold_items cold;
    struct eddy_table related, rules;
    struct eddy_sessions sessions;
    uint32_t priors;
    double half_life_s[EDDY_HALF_LIVES_MAX];
    float *prior[EDDY_HALF_LIVES_MAX]; /* (items) each; NULL: no bucket uses it */
};
/* Frees what the tables hold. Thread: the holder's. */
void eddy_tables_fini(struct eddy_tables *tables);

/* An item that was shown and not chosen: how often, and how many lists came later. */
struct eddy_head_shown {
    uint32_t item, times, age;
};
/* What a state remembers, as the head sees it: the known items of recent events and those
 * shown and not chosen, each of the latter once; oldest first. */
struct eddy_head_recent {
    const uint32_t *items;
    uint32_t count;
    const struct eddy_head_shown *shown;
    uint32_t shown_count;
};

/* Sparse additions of one user, by rising item. */
struct eddy_addition {
    uint32_t item;
    float value;
};
struct eddy_head_scratch; /* one thread's */
struct eddy_head_scratch *eddy_head_scratch_new(const struct eddy_tables *tables,
                                                const struct eddy_head *head);
void eddy_head_scratch_free(struct eddy_head_scratch *scratch);
/* The sum over f, each item once, rising; borrowed until the next call with the scratch.
 * No allocation. Thread: the scratch's owner. */
uint32_t eddy_head_additions(const struct eddy_tables *tables,
                             const struct eddy_head *head,
                             struct eddy_head_scratch *scratch,
                             struct eddy_head_recent recent,
                             const struct eddy_addition **ret);
/* One raw feature s_f for fitting and baselines: each item once, unordered. */
uint32_t eddy_head_feature_values(const struct eddy_tables *tables,
                                  const struct eddy_head *head,
                                  struct eddy_head_scratch *scratch,
                                  enum eddy_head_feature feature,
                                  struct eddy_head_recent recent,
                                  const struct eddy_addition **ret);

#endif
