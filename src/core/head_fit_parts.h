/* Layer: core.  Parts of head_fit.c: cases with their candidates, and the conditional logit
 * over them. Private to head_fit*.c. */
#ifndef EDDY_CORE_HEAD_FIT_PARTS_H
#define EDDY_CORE_HEAD_FIT_PARTS_H

#include "core/head_fit.h"

/* Columns of a design: the network's logit, the transformed features, the priors. */
enum {
    EDDY_DESIGN_NETWORK,
    EDDY_DESIGN_FEATURE,
    EDDY_DESIGN_PRIOR = EDDY_DESIGN_FEATURE + EDDY_HEAD_FEATURES,
    EDDY_DESIGN_DIMS = EDDY_DESIGN_PRIOR + EDDY_HALF_LIVES_MAX
};

/* Raw values of a feature under one setting that changes them. */
struct eddy_head_setting {
    enum eddy_head_feature feature;
    float decay;
    struct eddy_neighbours_options neighbours; /* of the feature neighbours */
};
enum { EDDY_HEAD_SETTINGS = 18 };
extern const struct eddy_head_setting eddy_head_settings[EDDY_HEAD_SETTINGS];

/* Of one case, from all sources; more are left out. */
enum { EDDY_FIT_CANDIDATES_MAX = 1200 };

struct eddy_fit_case {
    uint32_t count;  /* candidates */
    uint32_t answer; /* which of them */
    uint32_t bucket, fold;
    bool found;      /* some source put the answer forward */
    uint32_t *items; /* (count) rising */
    float *design;   /* (EDDY_DESIGN_DIMS, count) */
    float *raw;      /* (EDDY_HEAD_SETTINGS, count) */
};
struct eddy_fit_cases {
    struct eddy_fit_case *cases; /* owned */
    uint32_t count, threads;
    uint32_t available; /* bits of the columns that have data */
};

/* In an order drawn by seed, so that the first n are a sample.
 * Candidates of each case: the best by the network, what any feature touches (the
 * heaviest), the most popular by each prior, the recent items and the answer. The design
 * has network and priors, features are left at 0. EDDY_ENOMEM. */
int eddy_fit_cases_init(struct eddy_fit_cases *set, const struct eddy_tables *tables,
                        const float *embedding, const float *bias, uint32_t hidden,
                        const struct eddy_head_case *cases, uint32_t count,
                        uint32_t threads, uint64_t seed);
void eddy_fit_cases_fini(struct eddy_fit_cases *set);
/* Column of a feature: log1p(scale x raw values of the setting), in the first `count`
 * cases. */
void eddy_fit_cases_design(struct eddy_fit_cases *set, uint32_t count, uint32_t setting,
                           float scale);

/* Which cases: all whose bucket's and fold's bits are set, of the first `count`. */
struct eddy_fit_part {
    uint32_t count, buckets, folds;
};

/* Minimise mean over the cases of the part whose answer was found of -log softmax(w . x)[answer] + ridge |w - centre|^2 / 2
 * over the columns of mask; the others are 0. Weights stay >= 0 but those of
 * features that may count against an item.
 * w: start and result. Newton with halving; at most `rounds`. 0 or EDDY_ENOMEM. */
int eddy_fit_weights(const struct eddy_fit_cases *set, struct eddy_fit_part part,
                     uint32_t mask, double ridge, const double *centre, uint32_t rounds,
                     double *w);

struct eddy_fit_quality {
    double cases;                 /* number */
    double loss;                  /* sum of -log softmax where the answer was found */
    double ndcg10, mrr20, ndcg20; /* sums */
};
/* Quality of one set of weights over a part; ties count against the answer. */
struct eddy_fit_quality eddy_fit_measure(const struct eddy_fit_cases *set,
                                         struct eddy_fit_part part, const double *w);

#endif
