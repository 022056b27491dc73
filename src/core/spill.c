/* A header in front of the memory says where it came from.
 *
 * Sorting where memory cannot hold the elements is an external merge sort over mapped
 * arrays: runs are sorted where they lie, then merged into the second array. Every pass
 * reads and writes front to back, which disks and the page cache are good at. One merge is
 * enough: 2^32 rows of a log are 2,048 runs. Room: the elements twice while sorting. */
#include "core/spill.h"

#include <stdlib.h>
#include <string.h>

struct header {
    const struct eddy_spill *spill; /* NULL: malloc */
    size_t bytes;                   /* with the header */
};

enum { ROOM = 64 }; /* for the header: keeps what follows aligned to a cache line */

void *eddy_spill_new(const struct eddy_spill *spill, size_t bytes, int *ret_code,
                     struct eddy_err *err)
{
    struct header *header = NULL;
    int code = 0;

    if (bytes > SIZE_MAX - ROOM)
        code = eddy_fail(err, EDDY_ENOMEM, "%zu bytes cannot be had", bytes);
    else if (spill != NULL && bytes >= spill->threshold) {
        header = spill->map(spill->context, bytes + ROOM, err);
        code = header != NULL ? 0 : EDDY_EIO;
    } else {
        spill = NULL;
        header = malloc(bytes + ROOM);
        if (header == NULL)
            code = eddy_fail(err, EDDY_ENOMEM,
                             "no memory for %zu bytes: give --scratch FOLDER on a disk "
                             "with room",
                             bytes);
    }
    if (ret_code != NULL && code < 0)
        *ret_code = code;
    if (code < 0)
        return NULL;
    *header = (struct header){spill, bytes + ROOM};
    return (char *)header + ROOM;
}

void eddy_spill_free(void *memory)
{
    if (memory == NULL)
        return;
    struct header *header = (void *)((char *)memory - ROOM);
    if (header->spill == NULL)
        free(header);
    else
        header->spill->unmap(header->spill->context, header, header->bytes);
}

/* ---- sorting ------------------------------------------------------------------------ */

enum { RUN_BYTES = 1 << 26 }; /* qsort needs as much again */

struct run {
    const char *at, *end;
};
struct merge {
    struct run *heap; /* the run with the smallest next element in front */
    size_t count, size;
    int (*compare)(const void *, const void *);
};

static void sink(struct merge *merge, size_t at)
{
    struct run *heap = merge->heap, moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < merge->count; at = child) {
        if (child + 1 < merge->count &&
            merge->compare(heap[child + 1].at, heap[child].at) < 0)
            child++;
        if (merge->compare(moving.at, heap[child].at) <= 0)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* Runs in order -> one order. */
static void merge_runs(struct merge *merge, char *ret)
{
    for (size_t r = merge->count; r-- > 0;)
        sink(merge, r);
    while (merge->count > 0) {
        struct run *first = &merge->heap[0];
        memcpy(ret, first->at, merge->size);
        ret += merge->size;
        first->at += merge->size;
        if (first->at == first->end)
            *first = merge->heap[--merge->count];
        if (merge->count > 0)
            sink(merge, 0);
    }
}

void *eddy_spill_sort(void *array, uint64_t count, size_t size, uint64_t run,
                      int (*compare)(const void *, const void *), int *ret_code,
                      struct eddy_err *err)
{
    const struct header *header = (void *)((char *)array - ROOM);
    struct merge merge = {.size = size, .compare = compare};
    run = run > 0 ? run : RUN_BYTES / size;
    if (header->spill == NULL || count <= run) {
        qsort(array, (size_t)count, size, compare);
        return array;
    }
    char *from = array, *sorted = NULL;
    sorted = eddy_spill_new(header->spill, count * size, ret_code, err);
    size_t runs = (size_t)((count + run - 1) / run);
    merge.heap = sorted ? malloc(runs * sizeof *merge.heap) : NULL;
    if (sorted != NULL && merge.heap == NULL)
        *ret_code = eddy_fail(err, EDDY_ENOMEM, "no memory to merge %zu runs", runs);
    for (; merge.heap != NULL && merge.count < runs; merge.count++) {
        char *first = from + merge.count * run * size;
        uint64_t left = count - merge.count * run, n = left < run ? left : run;
        qsort(first, (size_t)n, size, compare);
        merge.heap[merge.count] = (struct run){first, first + n * size};
    }
    if (merge.heap == NULL) {
        eddy_spill_free(sorted);
        sorted = NULL;
    } else {
        merge_runs(&merge, sorted);
    }
    free(merge.heap);
    eddy_spill_free(array);
    return sorted;
}
