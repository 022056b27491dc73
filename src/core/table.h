/* Layer: core.  Item-item tables in compressed rows: for item j the items that follow or
 * accompany it, with weights. Closed-form and counting models end as one of these, and so
 * does what a snapshot stores of them. */
#ifndef EDDY_CORE_TABLE_H
#define EDDY_CORE_TABLE_H

#include <stdint.h>

#include "eddy/error.h"

struct eddy_table {
    uint32_t items;  /* rows; 0: there is no table */
    uint64_t *begin; /* (items + 1) */
    uint32_t
        *index;    /* item of each entry; falling weight, then rising index, per row */
    float *weight; /* > 0, finite */
};

/* Room for `entries` entries in `items` rows, begin zeroed. 0 or EDDY_ENOMEM. */
int eddy_table_init(struct eddy_table *table, uint32_t items, uint64_t entries);
void eddy_table_fini(struct eddy_table *table);

/* Rows begin at 0 and never fall, indices in range, weights finite and > 0, in order: what
 * a file must satisfy (that begin[items] entries are there is the reader's to see).
 * EDDY_EFORMAT. */
int eddy_table_check(const struct eddy_table *table, struct eddy_err *err);

#endif
