/* Layer: app.  `eddy recommend --input-lists`: given items in the order of each user's
 * liking (PERSONALIZED_RANKING). */
#ifndef EDDY_APP_RECOMMEND_RANKING_H
#define EDDY_APP_RECOMMEND_RANKING_H

#include <stdio.h>

#include "core/interactions.h"
#include "core/snapshot.h"

struct eddy_ranking {
    const struct eddy_snapshot *snapshot;
    const struct eddy_interactions *interactions; /* histories */
    const char *input_lists; /* CSV: USER_ID, ITEM_IDS joined by '|' */
    uint32_t threads;
    const struct eddy_user_queries *users;  /* core/metadata.h; NULL: none */
    const struct eddy_context_row *request; /* NULL: nothing is known of its context */
};
/* Appends the lines of all lists, in the order of the file, to out: items known to the
 * model by falling score (softmax over the list, 7 decimals), then the unknown ones in
 * their order with an empty score; an item named twice counts once. Users without a known
 * event are scored by popularity. EDDY_EIO, EDDY_EFORMAT "FILE:LINE: ...", EDDY_ENOMEM. */
int eddy_ranking_run(const struct eddy_ranking *ranking, struct eddy_buf *out,
                     uint64_t *ret_lists, struct eddy_err *err);

#endif
