/* Layer: app.  `eddy recommend --batch`: JSON Lines in and out, as Amazon's batch inference
 * jobs have them. */
#ifndef EDDY_APP_RECOMMEND_BATCH_H
#define EDDY_APP_RECOMMEND_BATCH_H

#include <stdio.h>

#include "app/recipe.h"
#include "core/interactions.h"
#include "core/snapshot.h"

struct eddy_user_queries; /* core/metadata.h */

struct eddy_batch {
    const struct eddy_snapshot *snapshot;
    const struct eddy_recipe *recipe; /* of the snapshot, NULL: not known */
    const struct eddy_interactions *interactions;
    bool has_histories; /* false: interactions are empty, no file was given */
    const struct eddy_user_queries *users; /* NULL: none */
    const char *path;                      /* of the requests */
    uint32_t k, threads;
    bool exclude_seen;
    struct eddy_context_row request; /* context of all requests */
};
struct eddy_batch_counts {
    uint64_t lines, errors;
};
/* A line to out for each line of the file that is not blank, in its order:
 *   {"userId":"4638"} -> {"input":{...},"output":{"recommendedItems":[...],"scores":[...]},
 *                         "error":null}
 *   {"itemId":"105"}                     the same without scores
 *   {"userId":"891","itemList":[...]}    those items in the user's order
 * scores: softmax over the catalogue, of an itemList over the list; none from recipes of
 * related or popular items. Unknown users get what is popular. What cannot be answered has
 * "output":null and says why in "error", and the others are answered. EDDY_EIO, EDDY_ENOMEM. */
int eddy_batch_run(const struct eddy_batch *batch, FILE *out,
                   struct eddy_batch_counts *ret_counts, struct eddy_err *err);

#endif
