/* Layer: app.  Exploration for `eddy recommend`: what is new and how often it was seen, from
 * the histories and the model. */
#ifndef EDDY_APP_RECOMMEND_EXPLORE_H
#define EDDY_APP_RECOMMEND_EXPLORE_H

#include "core/explore.h"
#include "core/interactions.h"
#include "core/snapshot.h"

struct eddy_recommend_explore_options {
    double weight;       /* 0..1 */
    double cut_off_days; /* an item is new up to this age */
    uint64_t seed;
};
/* An item's age is counted from its CREATION_TIMESTAMP in the model's catalogue (else its
 * first event in the histories, else it has none) to the newest event of the histories; its
 * exposures are the users whom the model knows to have it, or its events and impressions in
 * the histories where those are more. Owned: eddy_explorer_free. EDDY_EUSAGE: the model's
 * recipe does not explore; EDDY_ENOMEM. */
int eddy_recommend_explore(const struct eddy_snapshot *snapshot,
                           const struct eddy_interactions *histories,
                           const struct eddy_recommend_explore_options *options,
                           struct eddy_explorer **ret, struct eddy_err *err);

#endif
