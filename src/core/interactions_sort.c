/* Rows in file order -> rows by (user, time, row), where memory cannot hold them: an
 * external merge sort over mapped arrays. Runs of RUN_ROWS rows are sorted where they lie,
 * then merged into the second array: every pass reads and writes front to back, which disks
 * and the page cache are good at. One merge is enough: 2^32 rows are 2,048 runs.
 * Room: 32 bytes per row, twice while sorting. */
#include <stdlib.h>

#include "core/interactions_parts.h"

enum { RUN_ROWS = 1 << 21 }; /* 64 MiB; the sort needs as much again */

struct run {
    const struct eddy_interaction *at, *end;
};

static int compare(const void *a, const void *b)
{
    const struct eddy_interaction *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    if (x->ts_ms != y->ts_ms)
        return x->ts_ms < y->ts_ms ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* A heap of runs, the one with the smallest next row in front. */
static void sink(struct run *heap, size_t count, size_t at)
{
    struct run moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(heap[child + 1].at, heap[child].at) < 0)
            child++;
        if (compare(moving.at, heap[child].at) <= 0)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

int eddy_interactions_merge_sort(struct eddy_interaction *rows, uint64_t count,
                                 uint64_t run_rows, struct eddy_interaction *ret_sorted)
{
    if (run_rows == 0)
        run_rows = RUN_ROWS;
    size_t runs = (size_t)((count + run_rows - 1) / run_rows);
    struct run *heap = malloc((runs + 1) * sizeof *heap);
    if (heap == NULL)
        return EDDY_ENOMEM;
    for (size_t r = 0; r < runs; r++) {
        uint64_t first = r * run_rows;
        uint64_t size = count - first < run_rows ? count - first : run_rows;
        qsort(rows + first, size, sizeof *rows, compare);
        heap[r] = (struct run){rows + first, rows + first + size};
    }
    for (size_t r = runs; r-- > 0;)
        sink(heap, runs, r);
    while (runs > 0) {
        *ret_sorted++ = *heap[0].at++;
        if (heap[0].at == heap[0].end)
            heap[0] = heap[--runs];
        if (runs > 0)
            sink(heap, runs, 0);
    }
    free(heap);
    return 0;
}
