/* Layer: core.  The k best of a stream of scores, exactly: tiles of scores come in, a
 * threshold drops nearly all, a small buffer keeps what may still be among the best. */
#ifndef EDDY_CORE_TOPK_H
#define EDDY_CORE_TOPK_H

#include <stdint.h>

#include "core/kernel.h"

struct eddy_scored {
    uint32_t item;
    float score;
};

/* Most scores that may be pushed at once. */
enum { EDDY_TOPK_TILE = 768 };

struct eddy_topk {
    uint64_t *keys; /* owned: candidates, unordered */
    float *maxima;  /* owned: best score of each of groups groups of items */
    uint32_t k_max, k, groups, count, tiles;
    float threshold; /* what is not above it is not among the best */
};

/* Room for selections of at most k_max. 0 or EDDY_ENOMEM. */
int eddy_topk_init(struct eddy_topk *topk, uint32_t k_max);
void eddy_topk_fini(struct eddy_topk *topk);

/* Start a selection of k <= k_max. */
void eddy_topk_begin(struct eddy_topk *topk, uint32_t k);

/* Scores of the items first_item .. first_item + n - 1, n <= EDDY_TOPK_TILE; first_item
 * rises from call to call. Scores NaN and -infinity never enter. */
void eddy_topk_push(struct eddy_topk *topk, const struct eddy_kernels *kernels,
                    const float *scores, uint32_t n, uint32_t first_item);

/* Write the best, at most k, by (score descending, item ascending); returns how many. */
uint32_t eddy_topk_finish(struct eddy_topk *topk, const struct eddy_kernels *kernels,
                          struct eddy_scored *ret);

#endif
