/* Layer: app.  What a search of hyper-parameters varies: from Amazon's hpoConfig, from
 * --range, or the tunable ones of the recipe. */
#ifndef EDDY_APP_TUNE_PLAN_H
#define EDDY_APP_TUNE_PLAN_H

#include "app/recipe.h"
#include "core/tune.h"

enum { EDDY_TUNE_JOBS = 40, EDDY_TUNE_PARALLEL = 10 }; /* the service's limits */

struct eddy_tune_plan {
    const struct eddy_recipe *recipe;
    bool by_name; /* --recipe was given: Amazon's defaults; else eddy's own */
    struct eddy_tune_space space;
    int64_t jobs, parallel; /* 0: not said */
    bool objective_given;   /* hpoObjective stands in the file: it cannot be chosen */
};

/* Ranges and limits of a JSON text: {"hpoConfig": {...}}, a solutionConfig around it, or
 * what is in it (PERSONALIZE 9). Numbers may be strings. EDDY_ECONFIG says which name or
 * value is not accepted and what is. */
int eddy_tune_plan_read(struct eddy_tune_plan *plan, struct eddy_span json,
                        const char *name, struct eddy_err *err);
/* "hidden_dimension=32..128" or "recency_mask=true|false". EDDY_ECONFIG. */
int eddy_tune_plan_add(struct eddy_tune_plan *plan, const char *text,
                       struct eddy_err *err);
/* Everything that the recipe allows to tune, over its whole range. EDDY_ECONFIG: nothing. */
int eddy_tune_plan_default(struct eddy_tune_plan *plan, struct eddy_err *err);
/* The point that training takes without a search. False: it lies outside the ranges. */
bool eddy_tune_plan_start(const struct eddy_tune_plan *plan,
                          double ret[EDDY_TUNE_DIMENSIONS]);

#endif
