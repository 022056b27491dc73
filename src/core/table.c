/* Item-item tables: room for them, and checking what came from a file. */
#include "core/table.h"

#include <math.h>
#include <stdlib.h>

int eddy_table_init(struct eddy_table *table, uint32_t items, uint64_t entries)
{
    *table = (struct eddy_table){.items = items};
    table->begin = calloc((size_t)items + 1, sizeof *table->begin);
    table->index = malloc(((size_t)entries + 1) * sizeof *table->index);
    table->weight = malloc(((size_t)entries + 1) * sizeof *table->weight);
    if (table->begin && table->index && table->weight)
        return 0;
    eddy_table_fini(table);
    return EDDY_ENOMEM;
}

void eddy_table_fini(struct eddy_table *table)
{
    free(table->begin);
    free(table->index);
    free(table->weight);
    *table = (struct eddy_table){0};
}

static int check_row(const struct eddy_table *table, uint32_t row, struct eddy_err *err)
{
    for (uint64_t i = table->begin[row]; i < table->begin[row + 1]; i++) {
        float weight = table->weight[i];
        if (table->index[i] >= table->items)
            return eddy_fail(err, EDDY_EFORMAT, "row %u names item %u of %u", row,
                             table->index[i], table->items);
        if (!(weight > 0) || !isfinite(weight))
            return eddy_fail(err, EDDY_EFORMAT, "row %u has a weight of %g", row,
                             (double)weight);
        if (i == table->begin[row])
            continue;
        float before = table->weight[i - 1];
        if (before < weight ||
            (before == weight && table->index[i - 1] >= table->index[i]))
            return eddy_fail(err, EDDY_EFORMAT, "row %u is out of order", row);
    }
    return 0;
}

int eddy_table_check(const struct eddy_table *table, struct eddy_err *err)
{
    int r = 0;
    if (table->items == 0)
        return 0;
    if (table->begin[0] != 0)
        return eddy_fail(err, EDDY_EFORMAT, "the first row begins at %llu",
                         (unsigned long long)table->begin[0]);
    for (uint32_t row = 0; row < table->items; row++) {
        if (table->begin[row + 1] < table->begin[row])
            return eddy_fail(err, EDDY_EFORMAT, "row %u ends before it begins", row);
    }
    for (uint32_t row = 0; r == 0 && row < table->items; row++)
        r = check_row(table, row, err);
    return r;
}
