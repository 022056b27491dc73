/* Layer: core.  Exact top-K over the whole catalogue. */
#ifndef EDDY_CORE_SCORE_H
#define EDDY_CORE_SCORE_H

#include "core/head.h"
#include "core/hrnn.h"
#include "core/topk.h"

/* One thread's: scores of a tile for rows_max rows (3 KiB each), buffers of the selection.
 * 64 rows reach the full rate and fit a second-level cache. NULL: memory. */
struct eddy_score_scratch;
struct eddy_score_scratch *eddy_score_scratch_new(uint32_t rows_max, uint32_t k_max);
void eddy_score_scratch_free(struct eddy_score_scratch *scratch);

/* For each of n users the k best items by (score descending, item index ascending), without
 * the items in excluded[r] (rising indices, may be NULL with excluded_count[r] = 0).
 * query[r]: H floats. ret: (n, k); ret_count[r] < k only when fewer items are left.
 * k <= k_max. Scores NaN and -infinity are never returned (a bias of
 * -infinity hides an item). n may exceed rows_max (done in slices). No allocation.
 * Thread: the scratch's owner. */
void eddy_score_topk(const struct eddy_hrnn *hrnn, struct eddy_score_scratch *scratch,
                     uint32_t n, const float *const *query, uint32_t k,
                     const uint32_t *const *excluded, const uint32_t *excluded_count,
                     struct eddy_scored *ret, uint32_t *ret_count);

/* One user's part of a call. The matrix of items has hidden inputs (the query), or more: the
 * dense part of a head (core/rank.h). */
struct eddy_score_row {
    const float *query;                    /* hidden floats; NULL: zeros */
    float dense[1 + EDDY_HALF_LIVES_MAX];  /* the further inputs */
    const uint32_t *excluded;              /* rising; may be NULL when there are none */
    const struct eddy_addition *additions; /* by rising item; NULL: none */
    uint32_t excluded_count, addition_count;
};
/* As eddy_score_topk; to the score of an item comes what a row adds to it. items: (V,
 * hidden + at most 1 + EDDY_HALF_LIVES_MAX). */
void eddy_score_rows(const struct eddy_packed *items, uint32_t hidden,
                     const struct eddy_kernels *kernels,
                     struct eddy_score_scratch *scratch, uint32_t n,
                     const struct eddy_score_row *rows, uint32_t k,
                     struct eddy_scored *ret, uint32_t *ret_count);

/* The scores of all items instead, for n rows (at most the scratch's): ret (n, V); those of
 * excluded items are -infinity. */
void eddy_score_rows_all(const struct eddy_packed *items, uint32_t hidden,
                         const struct eddy_kernels *kernels,
                         struct eddy_score_scratch *scratch, uint32_t n,
                         const struct eddy_score_row *rows, float *ret);

/* All V scores of one user into ret (V floats rounded up to 16): evaluation, tests. */
void eddy_score_all(const struct eddy_hrnn *hrnn, const float *query, float *ret);

#endif
