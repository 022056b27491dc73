/* Layer: core.  Metrics of lists against what was chosen, with intervals. */
#ifndef EDDY_CORE_EVALUATE_H
#define EDDY_CORE_EVALUATE_H

#include "core/score.h"

enum { EDDY_CUTOFFS = 5 };
extern const uint32_t eddy_cutoffs[EDDY_CUTOFFS]; /* 1, 5, 10, 20, 25 */
/* A list must be this long for ranks up to the last cut-off to be certain under ties. */
enum { EDDY_EVALUATE_LIST = 26 };
/* The most that GetRecommendations gives: what rewards are counted over. */
enum { EDDY_REWARD_LIST = 500 };

/* Of one list with its hits at ranks r_1 < r_2 < ... and `answers` that were asked. With one
 * answer HR is recall, and NDCG is that of Amazon.
 *   HR             1 if there is a hit in the first K
 *   NDCG           sum 1 / log2(1 + r) / the same sum for ranks 1 .. min(K, answers)
 *   MRR            1 / r_1 if r_1 <= K
 *   RECALL         hits / answers
 *   PRECISION      hits / K
 *   NDCG_AWS       Amazon's solution metrics: weights 1 / log(1 + r), ideal = all hits of the
 *                  list of 25 moved to its front (not the answers)
 *   NDCG_WORKSHOP  the same ideal, weights 1, 1, 1 / log2(r): metrics.py of AWS' workshop
 *   REWARD         reward of the hits / reward of all answers
 *   REWARD_AWS     Amazon's average_rewards_at_k: reward of the hits among the K items of the
 *                  list that are worth most / reward of all hits of the list. The list is as
 *                  long as the service makes one (EDDY_REWARD_LIST); without a rewarded hit
 *                  it is 0
 */
enum eddy_measure {
    EDDY_HR,
    EDDY_NDCG,
    EDDY_MRR,
    EDDY_RECALL,
    EDDY_PRECISION,
    EDDY_NDCG_AWS,
    EDDY_NDCG_WORKSHOP,
    EDDY_REWARD,
    EDDY_REWARD_AWS,
    EDDY_MEASURES
};
/* "hr", "ndcg", "mrr", "recall", "precision", "ndcg_aws", "ndcg_workshop",
 * "average_rewards", "average_rewards_aws": keys of JSON. */
const char *eddy_measure_key(enum eddy_measure measure);

/* Rank of answer in a list (best first, scores falling), ties counted against us: the
 * number of items with a score at least as high. 0: not in the list, or not a number. */
uint32_t eddy_rank_of(const struct eddy_scored *list, uint32_t count, uint32_t answer);

/* What one rank (0: a miss) is worth at a cut-off when there is one answer. */
double eddy_measure_of(enum eddy_measure measure, uint32_t rank, uint32_t cutoff);

/* What was asked: distinct items, rising. */
struct eddy_answers {
    const uint32_t *items;
    const float *rewards; /* >= 0; NULL: none */
    uint32_t count;
};
struct eddy_hits {
    uint32_t answers, count;
    uint32_t ranks[EDDY_EVALUATE_LIST]; /* rising */
    double rewards[EDDY_EVALUATE_LIST]; /* of the hit at ranks[i] */
    double reward;                      /* of all answers; 0: none is known */
    double rewarded[EDDY_CUTOFFS];      /* REWARD_AWS; 0 until eddy_hits_reward */
};
/* The hits of a list that was asked for k items. Ties count against us: among items of one
 * score the hits stand last, and a score that reaches the end of a full list may go on
 * behind it: its hits are misses. Scores that are no numbers are misses. */
void eddy_hits_of(const struct eddy_scored *list, uint32_t count, uint32_t k,
                  const struct eddy_answers *answers, struct eddy_hits *ret);
/* Fills hits->rewarded of a list of at most EDDY_REWARD_LIST items. worth: of the first
 * worth_count items, others are worth nothing; the list is ordered anew by it (of equal ones
 * the hits stand last); NULL: an item is worth what its hit is. */
void eddy_hits_reward(const struct eddy_scored *list, uint32_t count,
                      const struct eddy_answers *answers, const float *worth,
                      uint32_t worth_count, struct eddy_hits *hits);
double eddy_measure_hits(enum eddy_measure measure, const struct eddy_hits *hits,
                         uint32_t cutoff);

/* Sums of a user over his queries. */
struct eddy_user_score {
    uint32_t queries;
    double sums[EDDY_MEASURES][EDDY_CUTOFFS];
};
void eddy_user_score_add(struct eddy_user_score *score, const struct eddy_hits *hits);

struct eddy_estimate {
    double mean, low, high; /* over queries; 95 % interval */
};
struct eddy_evaluation {
    uint64_t users, queries; /* users with a query */
    struct eddy_estimate estimates[EDDY_MEASURES][EDDY_CUTOFFS];
};

/* Means over all queries, and percentile bootstrap over users (`resamples` of them, drawn
 * from seed): the queries of a user come or stay away together. Above 20,000 users they are
 * drawn in as many groups. 0 or EDDY_ENOMEM. */
int eddy_evaluate(const struct eddy_user_score *scores, uint32_t user_count,
                  uint32_t resamples, uint64_t seed, struct eddy_evaluation *ret);

/* Paired: estimates of a minus b, which were asked the same queries; each resample draws
 * the same users for both. 0 or EDDY_ENOMEM. */
int eddy_evaluate_difference(const struct eddy_user_score *a,
                             const struct eddy_user_score *b, uint32_t user_count,
                             uint32_t resamples, uint64_t seed,
                             struct eddy_evaluation *ret);

/* Means of one value per query in groups of queries (by history length, by week), with
 * intervals that know that a user's queries hang together (linearised cluster variance). */
struct eddy_group {
    uint64_t queries;
    uint32_t users;
    struct eddy_estimate estimate;
};
enum { EDDY_GROUPS_MAX = 64 };
/* user[i] (all queries of a user stand together) and group[i] of query i; groups at or
 * above `groups` and values that are NaN stay out. ret: (groups), groups <= the limit. */
void eddy_evaluate_groups(const float *values, const uint32_t *user,
                          const uint8_t *group, uint64_t count, uint32_t groups,
                          struct eddy_group *ret);

#endif
