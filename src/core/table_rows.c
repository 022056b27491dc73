#include "core/table_rows.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int eddy_table_rows_init(struct eddy_table_rows *rows, uint32_t items)
{
    rows->items = items;
    rows->counts = calloc((size_t)items + 1, sizeof *rows->counts);
    rows->rows = calloc((size_t)items + 1, sizeof *rows->rows);
    if (rows->counts != NULL && rows->rows != NULL)
        return 0;
    eddy_table_rows_fini(rows);
    return EDDY_ENOMEM;
}

void eddy_table_rows_fini(struct eddy_table_rows *rows)
{
    for (uint32_t i = 0; rows->rows != NULL && i < rows->items; i++)
        free(rows->rows[i]);
    free(rows->counts);
    free(rows->rows);
    *rows = (struct eddy_table_rows){0};
}

static bool is_better(struct eddy_scored a, struct eddy_scored b)
{
    return a.score > b.score || (!(a.score < b.score) && a.item < b.item);
}

static int by_weight(const void *a, const void *b)
{
    struct eddy_scored x = *(const struct eddy_scored *)a;
    struct eddy_scored y = *(const struct eddy_scored *)b;
    return is_better(x, y) ? -1 : is_better(y, x);
}

/* Bring the k best to the front (Hoare's selection; the middle element splits). */
static void select_best(struct eddy_scored *entries, uint32_t count, uint32_t k)
{
    int64_t low = 0, high = (int64_t)count - 1;
    while (low < high) {
        struct eddy_scored pivot = entries[(low + high) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (is_better(entries[i], pivot))
                i++;
            while (is_better(pivot, entries[j]))
                j--;
            if (i <= j) {
                struct eddy_scored swap = entries[i];
                entries[i++] = entries[j];
                entries[j--] = swap;
            }
        }
        if ((int64_t)k <= j)
            high = j;
        else if ((int64_t)k >= i)
            low = i;
        else
            break;
    }
}

int eddy_table_rows_put(struct eddy_table_rows *rows, uint32_t row,
                        struct eddy_scored *entries, uint32_t count, uint32_t width)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (entries[i].score > 0)
            entries[kept++] = entries[i];
    if (kept > width) {
        select_best(entries, kept, width);
        kept = width;
    }
    if (kept == 0)
        return 0;
    qsort(entries, kept, sizeof *entries, by_weight);
    struct eddy_scored *copy = malloc(kept * sizeof *copy);
    if (copy == NULL)
        return EDDY_ENOMEM;
    memcpy(copy, entries, kept * sizeof *copy);
    rows->rows[row] = copy;
    rows->counts[row] = kept;
    return 0;
}

int eddy_table_rows_finish(const struct eddy_table_rows *rows, struct eddy_table *ret)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < rows->items; i++)
        total += rows->counts[i];
    if (eddy_table_init(ret, rows->items, total) < 0)
        return EDDY_ENOMEM;
    uint64_t at = 0;
    for (uint32_t i = 0; i < rows->items; i++) {
        ret->begin[i] = at;
        for (uint32_t e = 0; e < rows->counts[i]; e++, at++) {
            ret->index[at] = rows->rows[i][e].item;
            ret->weight[at] = rows->rows[i][e].score;
        }
    }
    ret->begin[rows->items] = at;
    return 0;
}
