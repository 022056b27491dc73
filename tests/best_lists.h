/* The slow twin of a list: all scores sorted, and the list compared with what comes first. */
#ifndef EDDY_TESTS_BEST_LISTS_H
#define EDDY_TESTS_BEST_LISTS_H

#include <stdlib.h>

#include "check.h"
#include "core/topk.h"

static inline int better_first(const void *a, const void *b)
{
    const struct eddy_scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->item < y->item ? -1 : 1;
}

/* Sorts all `left` that may be in the list. Equal items and scores up to the first that is
 * not. */
static inline bool check_best(const struct eddy_scored *list, uint32_t count,
                              struct eddy_scored *all, uint32_t left, uint32_t k)
{
    qsort(all, left, sizeof *all, better_first);
    bool same = CHECK_INT(count, left < k ? left : k);
    for (uint32_t i = 0; same && i < count; i++)
        same = CHECK_INT(list[i].item, all[i].item) &&
               CHECK(list[i].score == all[i].score);
    return same;
}

#endif
