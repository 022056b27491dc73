/* Layer: core.  Between the files of core/interactions.h. */
#ifndef EDDY_CORE_INTERACTIONS_PARTS_H
#define EDDY_CORE_INTERACTIONS_PARTS_H

#include "core/interactions.h"

/* The rows by (user, time, row) into ret_sorted (count); rows are left in runs. run_rows:
 * rows sorted at once in memory, 0: 2 million. 0 or EDDY_ENOMEM. */
int eddy_interactions_merge_sort(struct eddy_interaction *rows, uint64_t count,
                                 uint64_t run_rows,
                                 struct eddy_interaction *ret_sorted);

#endif
