/* Layer: core.  The list of a user as JSON: a function of his state and its snapshot.
 *
 *   {"user":"u1","rev":42,"ts":1625133870000,"model":"<version>","policy":"relevance",
 *    "recommendationId":"<32 hex>","items":[{"id":"i9","score":3.141593,"p":1},...]}
 * ts: newest event time of the state in ms. p: propensity, 1 while nothing explores.
 * recommendationId: from (prefix, user, rev, model): the same list has the same id. */
#ifndef EDDY_CORE_LIST_H
#define EDDY_CORE_LIST_H

#include "core/score.h"
#include "core/state.h"

/* Append the JSON. prefix: the dataset group. */
void eddy_list_encode(struct eddy_span prefix, struct eddy_span user,
                      const struct eddy_state *state,
                      const struct eddy_snapshot *snapshot,
                      const struct eddy_scored *items, uint32_t count,
                      struct eddy_buf *out);

/* The default list: the k most popular items of the snapshot; user "", rev 0, score =
 * popularity. */
void eddy_list_encode_default(struct eddy_span prefix,
                              const struct eddy_snapshot *snapshot, uint32_t k,
                              struct eddy_buf *out);

/* The k most popular items of a snapshot by (popularity descending, index ascending): what
 * a user with no step so far gets. ret has room for k; count returned. */
uint32_t eddy_list_popular(const struct eddy_snapshot *snapshot, uint32_t k,
                           struct eddy_scored *ret);

#endif
