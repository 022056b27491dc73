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

/* Amazon's worked example: five recommended, the second and the fifth were chosen. */
static void amazons_worked_example_gives_amazons_numbers(void)
{
    static const struct eddy_scored five[] = {
        {10, 9}, {11, 8}, {12, 7}, {13, 6}, {14, 5}};
    static const uint32_t chosen[] = {11, 14, 99};
    struct eddy_answers answers = {chosen, NULL, 3};
    struct eddy_hits hits;
    eddy_hits_of(five, 5, EDDY_EVALUATE_LIST, &answers, &hits);
    CHECK_INT(hits.count, 2);
    CHECK_INT(hits.ranks[0], 2);
    CHECK_INT(hits.ranks[1], 5);
    CHECK_NEAR(eddy_measure_hits(EDDY_MRR, &hits, 25), 0.5, 1e-12);
    CHECK_NEAR(eddy_measure_hits(EDDY_PRECISION, &hits, 5), 0.4, 1e-12);
    CHECK_NEAR(eddy_measure_hits(EDDY_NDCG_AWS, &hits, 5), 0.6241, 5e-5);
    /* Textbook: three were asked, so the ideal has three in front. */
    CHECK_NEAR(eddy_measure_hits(EDDY_NDCG, &hits, 5), 1.017783 / 2.130930, 1e-5);
    /* metrics.py: (1 + 1 / log2(5)) / (1 + 1). */
    CHECK_NEAR(eddy_measure_hits(EDDY_NDCG_WORKSHOP, &hits, 5), 0.715338, 1e-5);
    CHECK_NEAR(eddy_measure_hits(EDDY_RECALL, &hits, 5), 2.0 / 3, 1e-12);
    CHECK_NEAR(eddy_measure_hits(EDDY_HR, &hits, 1), 0, 0);
    CHECK_NEAR(eddy_measure_hits(EDDY_HR, &hits, 5), 1, 0);
}

/* Hits at 2 and 20: what the ideal of a short list knows of hits behind it. */
static void amazons_ideal_counts_hits_of_the_whole_list(void)
{
    struct eddy_hits hits = {.answers = 7, .count = 2, .ranks = {2, 20}};
    CHECK_NEAR(eddy_measure_hits(EDDY_NDCG_AWS, &hits, 5), 0.630930 / 1.630930, 1e-5);
    CHECK_NEAR(eddy_measure_hits(EDDY_NDCG_WORKSHOP, &hits, 5), 0.5, 1e-12);
    CHECK_NEAR(eddy_measure_hits(EDDY_NDCG_AWS, &hits, 1), 0, 0);
    hits.ranks[1] = 26; /* behind the list of 25 */
    CHECK_NEAR(eddy_measure_hits(EDDY_NDCG_WORKSHOP, &hits, 5), 1, 1e-12);
}

static void of_equal_scores_the_hits_stand_last(void)
{
    static const uint32_t two[] = {3, 9}, all[] = {1, 3, 7, 8, 9};
    struct eddy_answers answers = {two, NULL, 2};
    struct eddy_hits hits;
    eddy_hits_of(list, COUNT, EDDY_EVALUATE_LIST, &answers, &hits);
    CHECK_INT(hits.count, 2);
    CHECK_INT(hits.ranks[0], 3);
    CHECK_INT(hits.ranks[1], 4);
    answers = (struct eddy_answers){all, NULL, 5};
    eddy_hits_of(list, COUNT, EDDY_EVALUATE_LIST, &answers, &hits);
    CHECK_INT(hits.count, 5);
    for (uint32_t i = 0; i < 5; i++)
        CHECK_INT(hits.ranks[i], i + 1);
    /* The list was cut at 4: its last score may go on. */
    eddy_hits_of(list, 4, 4, &answers, &hits);
    CHECK_INT(hits.count, 1);
    CHECK_INT(hits.ranks[0], 1);
}

static void one_answer_is_ranked_as_before(void)
{
    for (uint32_t answer = 0; answer < 12; answer++) {
        struct eddy_answers answers = {&answer, NULL, 1};
        struct eddy_hits hits;
        uint32_t rank = eddy_rank_of(list, COUNT, answer);
        eddy_hits_of(list, COUNT, EDDY_EVALUATE_LIST, &answers, &hits);
        CHECK_INT(hits.count, rank > 0);
        for (int m = 0; m < EDDY_MEASURES; m++)
            for (int c = 0; c < EDDY_CUTOFFS; c++)
                CHECK_NEAR(
                    eddy_measure_hits((enum eddy_measure)m, &hits, eddy_cutoffs[c]),
                    eddy_measure_of((enum eddy_measure)m, rank, eddy_cutoffs[c]), 0);
    }
}

static void the_average_reward_is_the_share_that_lists_caught(void)
{
    static const uint32_t asked[] = {3, 8, 40};
    static const float rewards[] = {1, 3, 4};
    struct eddy_answers answers = {asked, rewards, 3};
    struct eddy_hits hits;
    eddy_hits_of(list, COUNT, EDDY_EVALUATE_LIST, &answers, &hits);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD, &hits, 1), 0, 0);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD, &hits, 5), 0.5, 1e-12);
    answers.rewards = NULL;
    eddy_hits_of(list, COUNT, EDDY_EVALUATE_LIST, &answers, &hits);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD, &hits, 5), 0, 0);
}

/* The documentation's words: "total revenue generated by the items the user clicked from
 * their top 25 most expensive recommendations by the revenue from all of the recommended
 * items the user clicked". Thirty are recommended; item i costs i: 4 and 29 were clicked,
 * and 40, which was not recommended. */
static void amazons_average_reward_looks_at_the_dearest_of_the_recommended(void)
{
    static const uint32_t clicked[] = {4, 29, 40};
    static const float revenue[] = {4, 29, 40};
    struct eddy_answers answers = {clicked, revenue, 3};
    struct eddy_scored thirty[30];
    float price[41];
    struct eddy_hits hits;
    for (uint32_t i = 0; i < 41; i++)
        price[i] = (float)i;
    for (uint32_t i = 0; i < 30; i++)
        thirty[i] = (struct eddy_scored){i, 100.0f - (float)i};
    eddy_hits_of(thirty, 30, EDDY_EVALUATE_LIST, &answers, &hits);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD_AWS, &hits, 25), 0, 0);
    eddy_hits_reward(thirty, 30, &answers, price, 41, &hits);
    /* The 25 dearest of 0..29 are 5..29. */
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD_AWS, &hits, 25), 29.0 / 33, 1e-6);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD_AWS, &hits, 1), 29.0 / 33, 1e-6);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD, &hits, 25), 4.0 / 73, 1e-6);
    /* Item 29 is worth nothing to the objective: 4..28 are the dearest then. */
    eddy_hits_reward(thirty, 30, &answers, price, 29, &hits);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD_AWS, &hits, 25), 4.0 / 33, 1e-6);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD_AWS, &hits, 20), 0, 0);
    /* All cost the same: the clicked ones stand last. */
    for (uint32_t i = 0; i < 41; i++)
        price[i] = 1;
    eddy_hits_reward(thirty, 30, &answers, price, 41, &hits);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD_AWS, &hits, 25), 0, 0);
    /* Without prices: hits by what they brought. */
    eddy_hits_reward(thirty, 30, &answers, NULL, 0, &hits);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD_AWS, &hits, 1), 29.0 / 33, 1e-6);
    CHECK_NEAR(eddy_measure_hits(EDDY_REWARD_AWS, &hits, 5), 1, 1e-12);
    /* The one click beyond the 26 that ranks look at counts for the mean, too. */
    static const uint32_t late[] = {28};
    answers = (struct eddy_answers){late, revenue, 1};
    struct eddy_user_score score = {0};
    eddy_hits_of(thirty, 30, EDDY_EVALUATE_LIST, &answers, &hits);
    CHECK_INT(hits.count, 0);
    eddy_hits_reward(thirty, 30, &answers, NULL, 0, &hits);
    eddy_user_score_add(&score, &hits);
    CHECK_NEAR(score.sums[EDDY_REWARD_AWS][EDDY_CUTOFFS - 1], 1, 1e-12);
    CHECK_NEAR(score.sums[EDDY_HR][EDDY_CUTOFFS - 1], 0, 0);
}

static void score_rank(struct eddy_user_score *score, uint32_t rank)
{
    struct eddy_hits hits = {.answers = 1, .count = rank > 0, .ranks = {rank}};
    eddy_user_score_add(score, &hits);
}

/* Two users: ranks 1 and a miss; rank 3. Three queries. */
static void means_are_over_queries(void)
{
    struct eddy_user_score scores[3] = {0};
    struct eddy_evaluation evaluation;
    score_rank(&scores[0], 1);
    score_rank(&scores[0], 0);
    score_rank(&scores[2], 3);
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
        score_rank(&scores[u], u % 10 < 3 ? 1 : 0);
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

/* b misses where a hits in 5 % of the users, both agree elsewhere: the paired interval is
 * +- 1.96 sqrt(.05 .95 / 400) = .021, that of independent samples three times as wide. */
static void a_paired_difference_is_sharper_than_two_intervals(void)
{
    enum { USERS = 400 };
    struct eddy_user_score *a = calloc(USERS, sizeof *a), *b = calloc(USERS, sizeof *b);
    struct eddy_evaluation difference;
    for (uint32_t u = 0; u < USERS; u++) {
        score_rank(&a[u], u % 2);
        score_rank(&b[u], u % 20 == 1 ? 0 : u % 2);
    }
    CHECK_INT(eddy_evaluate_difference(a, b, USERS, 2000, 1, &difference), 0);
    struct eddy_estimate e = difference.estimates[EDDY_HR][0];
    CHECK_NEAR(e.mean, 0.05, 1e-12);
    CHECK_NEAR(e.high - e.mean, 0.021, 0.004);
    CHECK_NEAR(e.mean - e.low, 0.021, 0.004);
    CHECK_INT(eddy_evaluate_difference(a, a, USERS, 100, 1, &difference), 0);
    CHECK_NEAR(difference.estimates[EDDY_HR][0].high, 0, 0);
    free(a);
    free(b);
}

/* 100,000 users are drawn in groups; the interval stays that of 100,000. */
static void many_users_are_drawn_in_groups(void)
{
    enum { USERS = 100000 };
    struct eddy_user_score *scores = calloc(USERS, sizeof *scores);
    struct eddy_evaluation evaluation;
    for (uint32_t u = 0; u < USERS; u++)
        score_rank(&scores[u], (u * 7919) % 10 < 3 ? 1 : 0);
    CHECK_INT(eddy_evaluate(scores, USERS, 100, 1, &evaluation), 0);
    CHECK_INT(evaluation.users, USERS);
    struct eddy_estimate e = evaluation.estimates[EDDY_HR][0];
    CHECK_NEAR(e.mean, 0.3, 1e-3);
    CHECK(e.high - e.low > 0.001 && e.high - e.low < 0.009); /* .0057 */
    free(scores);
}

static void groups_of_queries_have_means_and_clustered_intervals(void)
{
    /* User 0: 1 1 in group 0; user 1: 0 in 0, .5 in 1; user 2: a NaN, one outside. */
    static const float values[] = {1, 1, 0, 0.5f, NAN, 1};
    static const uint32_t user[] = {0, 0, 1, 1, 2, 2};
    static const uint8_t group[] = {0, 0, 0, 1, 0, 9};
    struct eddy_group groups[3];
    eddy_evaluate_groups(values, user, group, 6, 3, groups);
    CHECK_INT(groups[0].queries, 3);
    CHECK_INT(groups[0].users, 2);
    CHECK_NEAR(groups[0].estimate.mean, 2.0 / 3, 1e-6);
    /* residues 2 - 4/3 and 0 - 2/3: 1.96 sqrt(8/9) / 3 */
    CHECK_NEAR(groups[0].estimate.high - groups[0].estimate.mean, 0.61597, 1e-4);
    CHECK_INT(groups[1].queries, 1);
    CHECK_NEAR(groups[1].estimate.mean, 0.5, 1e-6);
    CHECK_INT(groups[2].queries, 0);
}

int main(void)
{
    RUN(amazons_worked_example_gives_amazons_numbers);
    RUN(amazons_ideal_counts_hits_of_the_whole_list);
    RUN(of_equal_scores_the_hits_stand_last);
    RUN(one_answer_is_ranked_as_before);
    RUN(the_average_reward_is_the_share_that_lists_caught);
    RUN(amazons_average_reward_looks_at_the_dearest_of_the_recommended);
    RUN(a_paired_difference_is_sharper_than_two_intervals);
    RUN(many_users_are_drawn_in_groups);
    RUN(groups_of_queries_have_means_and_clustered_intervals);
    RUN(a_rank_counts_ties_against_the_answer);
    RUN(what_is_missing_or_no_number_is_a_miss);
    RUN(constant_scores_win_nothing);
    RUN(measures_follow_their_definitions);
    RUN(means_are_over_queries);
    RUN(the_interval_covers_the_mean_with_the_right_width);
    return check_done();
}
