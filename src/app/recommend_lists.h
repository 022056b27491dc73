/* Layer: app.  LISTS, the TSV of `eddy recommend`: query, rank, item, score. */
#ifndef EDDY_APP_RECOMMEND_LISTS_H
#define EDDY_APP_RECOMMEND_LISTS_H

#include "core/catalog.h"
#include "core/explore.h"
#include "core/topk.h"

/* An id as a field: tab, line feed, carriage return and backslash become \t, \n, \r and \\
 * (as in PostgreSQL's text format), so that no id can break a line. */
void eddy_lists_put_id(struct eddy_span id, struct eddy_buf *out);
/* Lines of a drawn list, with the propensity as a fifth field. */
void eddy_lists_put_explored(const struct eddy_catalog *items, struct eddy_span query,
                             uint64_t n, const struct eddy_explored *list,
                             uint32_t count, struct eddy_buf *out);
/* Lines of a list. n > 0: the query is "ID:n". */
void eddy_lists_put(const struct eddy_catalog *items, struct eddy_span query,
                    uint64_t n, const struct eddy_scored *list, uint32_t count,
                    struct eddy_buf *out);

#endif
