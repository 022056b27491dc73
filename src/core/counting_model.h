/* Layer: core.  Recipes without a network as models: a layout without hidden part, tables,
 * and a head that reads them, so that worker, play and stream serve them like any other. And
 * the model of a network whose lists are to hold cold items alone. */
#ifndef EDDY_CORE_COUNTING_MODEL_H
#define EDDY_CORE_COUNTING_MODEL_H

#include "core/build.h"
#include "core/counting.h"
#include "core/similar.h"

enum eddy_counting {
    EDDY_COUNTING_NONE,
    EDDY_COUNTING_POPULAR,  /* the same list for all, by distinct users */
    EDDY_COUNTING_TRENDING, /* the same list for all, by eddy_count_trend */
    EDDY_COUNTING_SIMS,     /* items for the newest known item of a user */
    EDDY_COUNTING_SIMILAR
};
struct eddy_counting_options {
    enum eddy_counting kind;
    int64_t trend_interval_s;
    struct eddy_sims_options sims;
    struct eddy_similar_options similar;
};
/* What is related to nothing known (SIMS, SIMILAR), and the end of such lists, is what is
 * popular, with scores near 0; the item itself is never in its list before the others.
 * ret->network.popularity: the scores of POPULAR and TRENDING, the number of distinct users
 * of the related ones. inputs->users is not used. Thread: trainer. EDDY_ENOMEM. Owned:
 * eddy_build_result_fini. */
int eddy_counting_model(const struct eddy_build_inputs *inputs,
                        const struct eddy_counting_options *options,
                        struct eddy_build_result *ret, struct eddy_err *err);

/* Hides all items but the cold ones: EDDY_HIDDEN_BIAS, popularity 0; users without a known
 * event get the most popular cold items. The head becomes that of the network alone.
 * EDDY_EFORMAT: no item is cold; EDDY_ENOMEM. */
int eddy_counting_keep_cold(struct eddy_build_result *result, const bool *cold,
                            struct eddy_err *err);

#endif
