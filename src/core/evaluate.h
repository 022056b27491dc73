/* Layer: core.  Metrics of lists against what was chosen, with intervals. */
#ifndef EDDY_CORE_EVALUATE_H
#define EDDY_CORE_EVALUATE_H

#include "core/score.h"

enum { EDDY_CUTOFFS = 5 };
extern const uint32_t eddy_cutoffs[EDDY_CUTOFFS]; /* 1, 5, 10, 20, 25 */
/* A list must be this long for ranks up to the last cut-off to be certain under ties. */
enum { EDDY_EVALUATE_LIST = 26 };

enum eddy_measure { EDDY_HR, EDDY_NDCG, EDDY_MRR, EDDY_MEASURES };

/* Rank of answer in a list (best first, scores falling), ties counted against us: the
 * number of items with a score at least as high. 0: not in the list, or not a number. */
uint32_t eddy_rank_of(const struct eddy_scored *list, uint32_t count, uint32_t answer);

/* What one rank (0: a miss) is worth at a cut-off. One answer per query: HR is recall,
 * NDCG 1 / log2(1 + rank), MRR 1 / rank. */
double eddy_measure_of(enum eddy_measure measure, uint32_t rank, uint32_t cutoff);

/* Sums of a user over his queries. */
struct eddy_user_score {
    uint32_t queries;
    double sums[EDDY_MEASURES][EDDY_CUTOFFS];
};
void eddy_user_score_add(struct eddy_user_score *score, uint32_t rank);

struct eddy_estimate {
    double mean, low, high; /* over queries; 95 % interval */
};
struct eddy_evaluation {
    uint64_t users, queries; /* users with a query */
    struct eddy_estimate estimates[EDDY_MEASURES][EDDY_CUTOFFS];
};

/* Means over all queries, and percentile bootstrap over users (`resamples` of them, drawn
 * from seed): the queries of a user come or stay away together. 0 or EDDY_ENOMEM. */
int eddy_evaluate(const struct eddy_user_score *scores, uint32_t user_count,
                  uint32_t resamples, uint64_t seed, struct eddy_evaluation *ret);

#endif
