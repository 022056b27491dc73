/* Layer: core.  What stands near an item in histories, in order: the direct part of similar
 * items. Private to similar*.c. */
#ifndef EDDY_CORE_SIMILAR_NEAR_H
#define EDDY_CORE_SIMILAR_NEAR_H

#include "core/interactions.h"

struct eddy_near {
    const struct eddy_interactions *in; /* borrowed */
    uint32_t items;
    uint64_t *begin;   /* (items + 2) into rows_of */
    uint64_t *rows_of; /* rows of each item, by user */
    float *discount;   /* (items) */
};
/* 0, EDDY_ENOMEM, EDDY_EIO (then nothing to free). */
int eddy_near_init(struct eddy_near *near, const struct eddy_interactions *in,
                   struct eddy_err *err);
void eddy_near_fini(struct eddy_near *near);

/* One thread's. */
struct eddy_near_scratch {
    float *weights;  /* (items), zero between calls */
    uint32_t *found; /* (items) */
};
int eddy_near_scratch_init(struct eddy_near_scratch *scratch,
                           uint32_t items); /* 0, EDDY_ENOMEM */
void eddy_near_scratch_fini(struct eddy_near_scratch *scratch);

/* Adds to ret (items) how much of its neighbourhood each other item is: below 1, the most
 * for the nearest one, 0 for what never stood near it. Time: the item's events times the
 * window. Thread: any. */
void eddy_near_add(const struct eddy_near *near, struct eddy_near_scratch *scratch,
                   uint32_t item, float *ret);

#endif
