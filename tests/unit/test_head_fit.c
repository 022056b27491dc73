/* The head's fit on made-up logs of which we know what helps. */
#include "core/head_fit.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "check.h"

enum { ITEMS = 400, HIDDEN = 8, CASES = 500, RECENT = 4, SHOWN = 6, SUCCESSORS = 5 };

static float embedding[ITEMS * HIDDEN], bias[ITEMS], queries[CASES * HIDDEN];
static float prior[ITEMS];
static uint32_t recent[CASES][RECENT];
static struct eddy_head_case cases[CASES];
static struct eddy_tables tables;

/* Item i is followed by i + 1 .. i + SUCCESSORS, the nearer the likelier. */
static void make_tables(struct eddy_rng *rng)
{
    tables = (struct eddy_tables){.items = ITEMS};
    CHECK_INT(eddy_table_init(&tables.rules, ITEMS, ITEMS * SUCCESSORS), 0);
    for (uint32_t i = 0, n = 0; i < ITEMS; i++) {
        for (uint32_t k = 1; k <= SUCCESSORS; k++, n++) {
            tables.rules.index[n] = (i + k) % ITEMS;
            tables.rules.weight[n] = 0.5f / (float)k;
        }
        tables.rules.begin[i + 1] = n;
    }
    tables.priors = 1;
    tables.prior[0] = malloc(sizeof prior);
    for (uint32_t i = 0; i < ITEMS; i++)
        tables.prior[0][i] = (float)eddy_rng_normal(rng);
}

/* share of the cases whose answer follows the last item; the others are drawn at random.
 * The network points at the answer with a strength of `skill` in noise. */
static void make_cases(uint64_t seed, double share, double skill)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    make_tables(&rng);
    for (uint32_t i = 0; i < ITEMS * HIDDEN; i++)
        embedding[i] = (float)eddy_rng_normal(&rng);
    for (uint32_t c = 0; c < CASES; c++) {
        uint32_t last = 0;
        for (uint32_t r = 0; r < RECENT; r++)
            recent[c][r] = last = eddy_rng_below(&rng, ITEMS);
        uint32_t answer = eddy_rng_below(&rng, ITEMS);
        if (eddy_rng_unit(&rng) < share)
            answer = (last + 1 + eddy_rng_below(&rng, 2)) % ITEMS;
        for (uint32_t h = 0; h < HIDDEN; h++)
            queries[c * HIDDEN + h] =
                (float)(skill * (double)embedding[answer * HIDDEN + h] +
                        0.3 * eddy_rng_normal(&rng));
        cases[c] = (struct eddy_head_case){.query = queries + c * HIDDEN,
                                           .recent = {.items = recent[c],
                                                      .count = 1 + c % RECENT},
                                           .answer = answer,
                                           .user = c / 3};
        /* recent is oldest first: short ones end at the last item too */
        cases[c].recent.items = recent[c] + RECENT - cases[c].recent.count;
    }
}

static struct eddy_head_fit_result fit(const float *network, uint32_t count,
                                       uint32_t threads)
{
    struct eddy_head_fit_result result;
    struct eddy_err err = {0};
    CHECK_INT(eddy_head_fit(&tables, network, bias, HIDDEN, cases, count, threads, 1,
                            &result, &err),
              0);
    return result;
}

static void rules_that_predict_get_a_weight(void)
{
    make_cases(1, 0.7, 0.2);
    struct eddy_head_fit_result got = fit(embedding, CASES, 2);
    CHECK(eddy_head_uses(&got.head, EDDY_HEAD_RULES));
    CHECK(!eddy_head_uses(&got.head, EDDY_HEAD_RELATED));
    CHECK(!eddy_head_uses(&got.head, EDDY_HEAD_NEIGHBOURS));
    CHECK(got.ndcg > got.plain_ndcg + 0.2);
    CHECK(got.mrr > got.plain_mrr + 0.2);
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        CHECK(got.head.weight[b][EDDY_HEAD_RULES] >= 0);
        CHECK(got.head.prior[b][0] >= 0);
    }
    eddy_tables_fini(&tables);
}

static void a_network_without_skill_is_left_out(void)
{
    make_cases(2, 0.9, 0);
    struct eddy_head_fit_result got = fit(embedding, CASES, 1);
    bool network = false;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        network =
            network || (got.head.network[b] && got.head.weight[b][EDDY_HEAD_RULES] < 5);
    CHECK(!network);
    CHECK(got.ndcg > 0.3);
    eddy_tables_fini(&tables);
}

static void what_does_not_help_leaves_the_network_alone(void)
{
    make_cases(3, 0, 2.0); /* answers follow nothing; the network knows them */
    struct eddy_head_fit_result got = fit(embedding, CASES, 2);
    CHECK(got.ndcg >= got.plain_ndcg);
    CHECK(got.plain_ndcg > 0.5);
    CHECK(got.ndcg < got.plain_ndcg + 0.02);
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        CHECK(got.head.network[b]);
    eddy_tables_fini(&tables);
}

/* Items that nothing puts forward, as new ones are, answer every third case: the others are
 * ordered as well as without them. */
static void answers_beyond_reach_do_not_disturb_the_others(void)
{
    enum { HIDDEN_FROM = ITEMS - 8 };
    double ndcg[2];
    for (uint32_t beyond = 0; beyond < 2; beyond++) {
        make_cases(9, 0.5, 0.6);
        for (uint32_t i = HIDDEN_FROM; i < ITEMS; i++) {
            bias[i] = -60;
            tables.prior[0][i] = -9;
        }
        for (uint32_t n = 0; n < ITEMS * SUCCESSORS; n++)
            if (tables.rules.index[n] >= HIDDEN_FROM)
                tables.rules.weight[n] = 0;
        for (uint32_t c = 0; c < CASES && beyond; c += 3)
            cases[c].answer = HIDDEN_FROM + c / 3 % (ITEMS - HIDDEN_FROM);
        struct eddy_head_fit_result got = fit(embedding, CASES, 2);
        CHECK(got.head.network[3]);
        CHECK(eddy_head_uses(&got.head, EDDY_HEAD_RULES));
        ndcg[beyond] = got.ndcg;
        eddy_tables_fini(&tables);
    }
    memset(bias, 0, sizeof bias);
    CHECK_NEAR(ndcg[1] / ndcg[0], 2.0 / 3, 0.02);
}

static void items_that_never_return_are_put_down(void)
{
    make_cases(4, 0.5, 0.5);
    for (uint32_t c = 0; c < CASES; c++) /* the network likes what has just been */
        for (uint32_t h = 0; h < HIDDEN; h++)
            queries[c * HIDDEN + h] +=
                2 * embedding[recent[c][RECENT - 1] * HIDDEN + h];
    struct eddy_head_fit_result got = fit(embedding, CASES, 2);
    CHECK(got.head.weight[3][EDDY_HEAD_SEEN] < 0);
    CHECK(got.ndcg > got.plain_ndcg);
    eddy_tables_fini(&tables);
}

/* The network likes a handful of items that are shown to everybody; who was shown one takes
 * it never (chance 0) or always. */
static void show_items(struct eddy_head_shown shown[CASES][SHOWN], double chance)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 12);
    for (uint32_t c = 0; c < CASES; c++) {
        for (uint32_t i = 0; i < SHOWN; i++) {
            uint32_t item = eddy_rng_below(&rng, ITEMS);
            shown[c][i] = (struct eddy_head_shown){item, 1, i / 3};
            for (uint32_t h = 0; h < HIDDEN && chance == 0; h++)
                queries[c * HIDDEN + h] += embedding[item * HIDDEN + h] / 2;
        }
        cases[c].recent.shown = shown[c];
        cases[c].recent.shown_count = SHOWN;
        if (eddy_rng_unit(&rng) < chance)
            cases[c].answer = shown[c][eddy_rng_below(&rng, SHOWN)].item;
    }
}

static void what_was_shown_counts_for_or_against_as_the_log_says(void)
{
    static struct eddy_head_shown shown[CASES][SHOWN];
    for (int taken = 0; taken < 2; taken++) {
        make_cases(9, 0.3, 0.5);
        struct eddy_head_fit_result without = fit(embedding, CASES, 1);
        show_items(shown, taken);
        struct eddy_head_fit_result got = fit(embedding, CASES, 2);
        CHECK(!eddy_head_uses(&without.head, EDDY_HEAD_SHOWN));
        CHECK(eddy_head_uses(&got.head, EDDY_HEAD_SHOWN));
        CHECK(taken ? got.head.weight[3][EDDY_HEAD_SHOWN] > 0
                    : got.head.weight[3][EDDY_HEAD_SHOWN] < 0);
        CHECK(got.ndcg > got.plain_ndcg + 0.03);
        eddy_tables_fini(&tables);
    }
}

static void what_was_shown_and_says_nothing_has_no_weight(void)
{
    static struct eddy_head_shown shown[CASES][SHOWN];
    make_cases(10, 0.7, 0.3);
    struct eddy_head_fit_result without = fit(embedding, CASES, 2);
    for (uint32_t c = 0; c < CASES; c++) { /* to the next user */
        shown[c][0] = (struct eddy_head_shown){cases[(c + 9) % CASES].answer, 1, 0};
        cases[c].recent.shown = shown[c];
        cases[c].recent.shown_count = 1;
    }
    struct eddy_head_fit_result got = fit(embedding, CASES, 2);
    CHECK(!eddy_head_uses(&got.head, EDDY_HEAD_SHOWN));
    CHECK_NEAR(got.ndcg, without.ndcg, 0.01);
    eddy_tables_fini(&tables);
}

static void few_cases_fit_nothing(void)
{
    make_cases(5, 0.7, 0.2);
    struct eddy_head_fit_result got = fit(embedding, EDDY_HEAD_FIT_CASES_MIN - 1, 1);
    CHECK(eddy_head_is_plain(&got.head));
    CHECK_NEAR(got.ndcg, 0, 0);
    eddy_tables_fini(&tables);
}

static void tables_alone_are_weighed_too(void)
{
    make_cases(6, 0.8, 0);
    struct eddy_head_fit_result got = fit(NULL, CASES, 2);
    CHECK(eddy_head_uses(&got.head, EDDY_HEAD_RULES));
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        CHECK(!got.head.network[b]);
    CHECK_NEAR(got.plain_ndcg, 0, 0);
    CHECK(got.ndcg > 0.3);
    eddy_tables_fini(&tables);
}

static void where_nothing_predicts_popularity_is_left(void)
{
    make_cases(8, 0, 0);
    struct eddy_head_fit_result got = fit(NULL, CASES, 2);
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        bool says = got.head.prior[b][0] != 0;
        for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
            says = says || got.head.weight[b][f] != 0;
        CHECK(says);
    }
    eddy_tables_fini(&tables);
}

static void the_number_of_threads_changes_nothing(void)
{
    make_cases(7, 0.5, 0.5);
    struct eddy_head_fit_result one = fit(embedding, CASES, 1);
    struct eddy_head_fit_result three = fit(embedding, CASES, 3);
    CHECK_MEM(&one.head.weight, &three.head.weight, sizeof one.head.weight);
    CHECK_MEM(&one.head.prior, &three.head.prior, sizeof one.head.prior);
    CHECK_NEAR(one.ndcg, three.ndcg, 0);
    eddy_tables_fini(&tables);
}

int main(void)
{
    RUN(rules_that_predict_get_a_weight);
    RUN(a_network_without_skill_is_left_out);
    RUN(what_does_not_help_leaves_the_network_alone);
    RUN(answers_beyond_reach_do_not_disturb_the_others);
    RUN(items_that_never_return_are_put_down);
    RUN(what_was_shown_counts_for_or_against_as_the_log_says);
    RUN(what_was_shown_and_says_nothing_has_no_weight);
    RUN(few_cases_fit_nothing);
    RUN(tables_alone_are_weighed_too);
    RUN(where_nothing_predicts_popularity_is_left);
    RUN(the_number_of_threads_changes_nothing);
    return check_done();
}
