/* Item-item tables: building from loose entries, and checking what came from a file. */
#include "core/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static int by_place(const void *a, const void *b)
{
    const struct eddy_table_entry *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return 0;
}

static int by_weight(const void *a, const void *b)
{
    const struct eddy_table_entry *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* Equal places added up, weights that are not > 0 dropped; the new count. */
static uint64_t merge_equal(struct eddy_table_entry *entries, uint64_t count)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < count;) {
        struct eddy_table_entry sum = entries[i];
        uint64_t end = i + 1;
        for (; end < count && by_place(&sum, &entries[end]) == 0; end++)
            sum.weight += entries[end].weight;
        if (sum.weight > 0 && isfinite(sum.weight))
            entries[kept++] = sum;
        i = end;
    }
    return kept;
}

int eddy_table_build(struct eddy_table *table, uint32_t items,
                     struct eddy_table_entry *entries, uint64_t count, uint32_t width)
{
    uint64_t kept = 0;
    if (count > 0)
        qsort(entries, (size_t)count, sizeof *entries, by_place);
    count = merge_equal(entries, count);
    for (uint64_t i = 0; i < count;) { /* the heaviest of each row move to the front */
        uint64_t end = i;
        while (end < count && entries[end].row == entries[i].row)
            end++;
        uint64_t n = end - i;
        qsort(entries + i, (size_t)n, sizeof *entries, by_weight);
        n = n < width ? n : width;
        memmove(entries + kept, entries + i, (size_t)n * sizeof *entries);
        kept += n;
        i = end;
    }
    if (eddy_table_init(table, items, kept) < 0)
        return EDDY_ENOMEM;
    for (uint64_t i = 0; i < kept; i++) {
        table->begin[entries[i].row + 1]++;
        table->index[i] = entries[i].item;
        table->weight[i] = entries[i].weight;
    }
    for (uint32_t r = 0; r < items; r++)
        table->begin[r + 1] += table->begin[r];
    return 0;
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
