/* Layer: core.  Fitting the hybrid head on validation events. */
#ifndef EDDY_CORE_HEAD_FIT_H
#define EDDY_CORE_HEAD_FIT_H

#include "core/head.h"

/* One validation event. query: H floats of the network's state before it, NULL: none. */
struct eddy_head_case {
    const float *query;
    struct eddy_head_recent recent;
    uint32_t answer;
    uint32_t user; /* cases of a user stay together in the check */
};
struct eddy_head_fit_result {
    struct eddy_head head;
    /* Means of NDCG@10 and MRR@20 over a part of the cases that the weights were not fitted
     * on, network alone and with the head; 0 when there are too few. */
    double plain_ndcg, plain_mrr, ndcg, mrr;
};
/* Fewer cases than this: nothing is fitted, the head is plain. */
enum { EDDY_HEAD_FIT_CASES_MIN = 100 };
/* Weights per bucket by penalised likelihood over candidates (best of every source and the
 * answer), scales and decays from small grids; a feature stays only where it helps on cases
 * it was not fitted on, a bucket with few cases takes the weights of all. embedding (V, H),
 * bias (V): the network's, NULL: none. EDDY_ENOMEM. */
int eddy_head_fit(const struct eddy_tables *tables, const float *embedding,
                  const float *bias, uint32_t hidden,
                  const struct eddy_head_case *cases, uint32_t count, uint32_t threads,
                  uint64_t seed, struct eddy_head_fit_result *ret,
                  struct eddy_err *err);

#endif
