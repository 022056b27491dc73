/* Metrics on worked examples. */
#include "core/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

static const struct eddy_scored list[] = {
    {7, 5.0f}, {3, 4.0f}, {9, 4.0f}, {1, 4.0f}, {8, 2.0f}, {2, NAN},
};
enum { COUNT = sizeof list / sizeof *list };

static void a_rank_counts_ties_against_the_answer(void)
{
    CHECK_INT(eddy_rank_of(list, COUNT, 7), 1);
    CHECK_INT(eddy_rank_of(list, COUNT, 3), 4);
    CHECK_INT(eddy_rank_of(list, COUNT, 9), 4);
    CHECK_INT(eddy_rank_of(list, COUNT, 1), 4);
    CHECK_INT(eddy_rank_of(list, COUNT, 8), 5);
}

static void what_is_missing_or_no_number_is_a_miss(void)
{
    CHECK_INT(eddy_rank_of(list, COUNT, 100), 0);
    CHECK_INT(eddy_rank_of(list, COUNT, 2), 0);
    CHECK_INT(eddy_rank_of(list, 0, 7), 0);
}

/* All scores equal: a model that says nothing gets nothing. */
static void constant_scores_win_nothing(void)
{
    struct eddy_scored flat[EDDY_EVALUATE_LIST];
    for (uint32_t i = 0; i < EDDY_EVALUATE_LIST; i++)
        flat[i] = (struct eddy_scored){i, 1.0f};
    for (int c = 0; c < EDDY_CUTOFFS; c++)
        CHECK_NEAR(eddy_measure_of(EDDY_HR, eddy_rank_of(flat, EDDY_EVALUATE_LIST, 0),
                                   eddy_cutoffs[c]),
                   0, 0);
}

static void measures_follow_their_definitions(void)
{
    CHECK_NEAR(eddy_measure_of(EDDY_HR, 10, 10), 1, 0);
    CHECK_NEAR(eddy_measure_of(EDDY_HR, 11, 10), 0, 0);
    CHECK_NEAR(eddy_measure_of(EDDY_HR, 0, 10), 0, 0);
    CHECK_NEAR(eddy_measure_of(EDDY_NDCG, 1, 10), 1, 1e-12);
    CHECK_NEAR(eddy_measure_of(EDDY_NDCG, 2, 10), 0.6309, 1e-4);
    CHECK_NEAR(eddy_measure_of(EDDY_NDCG, 3, 10), 0.5, 1e-12);
    CHECK_NEAR(eddy_measure_of(EDDY_NDCG, 7, 10), 1.0 / 3, 1e-12);
    CHECK_NEAR(eddy_measure_of(EDDY_MRR, 4, 5), 0.25, 1e-12);
    CHECK_NEAR(eddy_measure_of(EDDY_MRR, 6, 5), 0, 0);
}

/* Two users: ranks 1 and a miss; rank 3. Three queries. */
static void means_are_over_queries(void)
{
    struct eddy_user_score scores[3] = {0};
    struct eddy_evaluation evaluation;
    eddy_user_score_add(&scores[0], 1);
    eddy_user_score_add(&scores[0], 0);
    eddy_user_score_add(&scores[2], 3);
    CHECK_INT(eddy_evaluate(scores, 3, 200, 1, &evaluation), 0);
    CHECK_INT(evaluation.users, 2);
    CHECK_INT(evaluation.queries, 3);
    CHECK_NEAR(evaluation.estimates[EDDY_HR][0].mean, 1.0 / 3, 1e-12);
    CHECK_NEAR(evaluation.estimates[EDDY_HR][2].mean, 2.0 / 3, 1e-12);
    CHECK_NEAR(evaluation.estimates[EDDY_NDCG][2].mean, 1.5 / 3, 1e-12);
    CHECK_NEAR(evaluation.estimates[EDDY_MRR][2].mean, (1 + 1.0 / 3) / 3, 1e-12);
}

/* 400 users, 30 % hits: the interval is about +- 1.96 sqrt(.3 .7 / 400) = .045. */
static void the_interval_covers_the_mean_with_the_right_width(void)
{
    enum { USERS = 400 };
    struct eddy_user_score *scores = calloc(USERS, sizeof *scores);
    struct eddy_evaluation one, again;
    for (uint32_t u = 0; u < USERS; u++)
        eddy_user_score_add(&scores[u], u % 10 < 3 ? 1 : 0);
    CHECK_INT(eddy_evaluate(scores, USERS, 2000, 1, &one), 0);
    struct eddy_estimate e = one.estimates[EDDY_HR][0];
    CHECK_NEAR(e.mean, 0.3, 1e-12);
    CHECK_NEAR(e.high - e.mean, 0.045, 0.006);
    CHECK_NEAR(e.mean - e.low, 0.045, 0.006);
    CHECK_INT(eddy_evaluate(scores, USERS, 2000, 1, &again), 0);
    CHECK(memcmp(&one, &again, sizeof one) == 0);
    CHECK_INT(eddy_evaluate(scores, USERS, 0, 1, &again), 0);
    CHECK_NEAR(again.estimates[EDDY_HR][0].low, again.estimates[EDDY_HR][0].mean, 0);
    free(scores);
}

int main(void)
{
    RUN(a_rank_counts_ties_against_the_answer);
    RUN(what_is_missing_or_no_number_is_a_miss);
    RUN(constant_scores_win_nothing);
    RUN(measures_follow_their_definitions);
    RUN(means_are_over_queries);
    RUN(the_interval_covers_the_mean_with_the_right_width);
    return check_done();
}
