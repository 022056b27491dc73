/* Layer: app.  Given items in the order of each user's liking (PERSONALIZED_RANKING): lists
 * of `eddy recommend --input-lists` and of `--batch`. */
#ifndef EDDY_APP_RECOMMEND_RANKING_H
#define EDDY_APP_RECOMMEND_RANKING_H

#include "core/interactions.h"
#include "core/snapshot.h"

struct eddy_user_queries; /* core/metadata.h */

struct eddy_ranked {
    struct eddy_span id;
    uint32_t item; /* EDDY_ITEM_NONE: unknown to the model, or hidden by it; no share */
    float score;
    double share; /* of the known ones of the list, adding up to 1 */
    uint32_t place;
};
struct eddy_ranking; /* input lists, one after the other */

/* snapshot and interactions (histories) are borrowed. NULL: memory. */
struct eddy_ranking *eddy_ranking_new(const struct eddy_snapshot *snapshot,
                                      const struct eddy_interactions *interactions);
void eddy_ranking_free(struct eddy_ranking *ranking);

/* Begin the list of a user, whether he has a history or not; then its items. An item named
 * twice counts once. Ids are copied. False: memory. */
bool eddy_ranking_add_list(struct eddy_ranking *ranking, struct eddy_span user);
bool eddy_ranking_add_item(struct eddy_ranking *ranking, struct eddy_span id);
uint32_t eddy_ranking_count(const struct eddy_ranking *ranking); /* lists */

/* The context of the requests; without this call nothing is known of it. */
void eddy_ranking_set_request(struct eddy_ranking *ranking,
                              const struct eddy_context_row *request);
/* Order all lists: items known to the model by falling score, then the others in their
 * order. Users without a known event are scored by popularity. users: what -U says of them;
 * NULL: nothing. EDDY_ENOMEM. */
int eddy_ranking_run(struct eddy_ranking *ranking, uint32_t threads,
                     const struct eddy_user_queries *users, struct eddy_err *err);
/* A list after that, borrowed; its user. */
const struct eddy_ranked *eddy_ranking_list(const struct eddy_ranking *ranking,
                                            uint32_t list, uint32_t *ret_count,
                                            struct eddy_span *ret_user);

/* `--input-lists`: CSV with USER_ID, ITEM_IDS joined by '|', to lists. EDDY_EIO,
 * EDDY_EFORMAT "FILE:LINE: ...", EDDY_ENOMEM. */
int eddy_ranking_read(struct eddy_ranking *ranking, const char *path,
                      struct eddy_err *err);
/* Append the lines of LISTS (recommend_lists.h), shares with 7 decimals. */
void eddy_ranking_put(const struct eddy_ranking *ranking, struct eddy_buf *out);

#endif
