/* Layer: core.  Rows of an item-item table, made one by one and in any order (by several
 * threads), then put together. */
#ifndef EDDY_CORE_TABLE_ROWS_H
#define EDDY_CORE_TABLE_ROWS_H

#include "core/table.h"
#include "core/topk.h"

struct eddy_table_rows {
    uint32_t items;
    uint32_t *counts;
    struct eddy_scored **rows; /* owned, NULL: empty */
};

/* No entries yet. 0 or EDDY_ENOMEM. */
int eddy_table_rows_init(struct eddy_table_rows *rows, uint32_t items);
void eddy_table_rows_fini(struct eddy_table_rows *rows);

/* The `width` heaviest of the entries (reordered in place), by (weight falling, item
 * rising); weights that are not > 0 are left out. Each row once; different rows may be put
 * by different threads. 0 or EDDY_ENOMEM. */
int eddy_table_rows_put(struct eddy_table_rows *rows, uint32_t row,
                        struct eddy_scored *entries, uint32_t count, uint32_t width);
/* The table of all rows. 0 or EDDY_ENOMEM. */
int eddy_table_rows_finish(const struct eddy_table_rows *rows, struct eddy_table *ret);

#endif
