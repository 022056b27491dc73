/* Layer: core.  The rows of a log in the order in which they happened: by (time, row),
 * whoever's they are. */
#ifndef EDDY_CORE_LOG_ORDER_H
#define EDDY_CORE_LOG_ORDER_H

#include "core/interactions.h"

/* Whether a row is wanted. */
typedef bool eddy_log_wants_fn(const void *context,
                               const struct eddy_interactions *interactions,
                               uint64_t row);

/* Indices of the newest `most` rows that `wants` (NULL: every row) says yes to, oldest
 * first; *ret_count of them. Memory, or disk where the interactions have some: 56 bytes for
 * each of these, nothing for others. Owned: eddy_spill_free. NULL with *ret_code and err
 * set: EDDY_ENOMEM, EDDY_EIO. */
uint64_t *eddy_log_newest(const struct eddy_interactions *interactions, uint64_t most,
                          eddy_log_wants_fn *wants, const void *context,
                          uint64_t *ret_count, int *ret_code, struct eddy_err *err);

#endif
