/* Lists drawn for exploration: propensities against brute force and against frequencies, no
 * exploration at weight 0, the share of new items. */
#include "core/explore.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "eddy/error.h"

enum { ITEMS = 600, K = 25, DRAWS = 40000 };

static float scores[ITEMS];
static bool is_new[ITEMS];
static float exposure[ITEMS];
static struct eddy_explored list[ITEMS];

/* Every third item is new; scores as a network gives them, new ones lower. */
static void make_world(uint32_t items)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 5);
    for (uint32_t i = 0; i < items; i++) {
        is_new[i] = i % 3 == 0;
        exposure[i] = is_new[i] ? 0 : 100;
        scores[i] = (float)eddy_rng_normal(&rng) - (is_new[i] ? 1.0f : 0.0f);
    }
}

static struct eddy_explorer *open_explorer(uint32_t items, double weight)
{
    struct eddy_explore_options options = {.weight = weight,
                                           .is_new = is_new,
                                           .exposure = exposure,
                                           .items = items,
                                           .seed = 11};
    return eddy_explorer_new(&options);
}

static double share_of_new(double weight, uint32_t lists)
{
    struct eddy_explorer *explorer = open_explorer(ITEMS, weight);
    uint32_t found = 0;
    for (uint32_t u = 0; u < lists; u++) {
        int count = eddy_explorer_draw(explorer, scores, u, 1, K, list);
        CHECK_INT(count, K);
        for (int i = 0; i < count; i++)
            found += is_new[list[i].item];
    }
    eddy_explorer_free(explorer);
    return (double)found / ((double)lists * K);
}

static void weight_zero_gives_the_best_items_with_propensity_one(void)
{
    make_world(ITEMS);
    struct eddy_explorer *explorer = open_explorer(ITEMS, 0);
    for (uint64_t user = 0; user < 3; user++) {
        CHECK_INT(eddy_explorer_draw(explorer, scores, user, user, K, list), K);
        for (uint32_t i = 0; i < K; i++) {
            uint32_t better = 0;
            for (uint32_t j = 0; j < ITEMS; j++)
                better += scores[j] > scores[list[i].item];
            CHECK_INT(better, i);
            CHECK(list[i].propensity == 1);
            CHECK(list[i].score == scores[list[i].item]);
        }
    }
    eddy_explorer_free(explorer);
}

static void the_same_keys_draw_the_same_list_and_others_another(void)
{
    struct eddy_explored again[K];
    make_world(ITEMS);
    struct eddy_explorer *explorer = open_explorer(ITEMS, 0.5);
    uint32_t differ = 0;
    eddy_explorer_draw(explorer, scores, 7, 3, K, list);
    eddy_explorer_draw(explorer, scores, 7, 3, K, again);
    CHECK(memcmp(list, again, sizeof again) == 0);
    eddy_explorer_draw(explorer, scores, 7, 4, K, again);
    for (uint32_t i = 0; i < K; i++)
        differ += list[i].item != again[i].item;
    CHECK(differ > 0);
    for (uint32_t i = 1; i < K; i++)
        CHECK(list[i].score <= list[i - 1].score);
    eddy_explorer_free(explorer);
}

/* Five items, lists of two: each ordered pair's frequency is the product of its two
 * propensities, and the products of all twenty add up to 1. */
static void propensities_are_the_frequencies_of_what_is_drawn(void)
{
    enum { FEW = 5 };
    uint32_t seen[FEW][FEW] = {{0}};
    double chance[FEW][FEW] = {{0}}, sum = 0;
    make_world(FEW);
    struct eddy_explorer *explorer = open_explorer(FEW, 1);
    for (uint64_t u = 0; u < DRAWS; u++) {
        CHECK_INT(eddy_explorer_draw(explorer, scores, u, 0, 2, list), 2);
        seen[list[0].item][list[1].item]++;
        chance[list[0].item][list[1].item] = list[0].propensity * list[1].propensity;
    }
    for (uint32_t a = 0; a < FEW; a++) {
        for (uint32_t b = 0; b < FEW; b++) {
            double p = chance[a][b], off = seen[a][b] / (double)DRAWS - p;
            sum += p;
            CHECK(fabs(off) <= 4.5 * sqrt(p * (1 - p) / DRAWS) + 1e-9);
        }
    }
    CHECK(sum > 0.999 && sum <= 1 + 1e-9); /* the rarest pair may not have come */
    eddy_explorer_free(explorer);
}

/* The whole catalogue as the list: the last slot had no choice left. */
static void the_last_of_all_items_has_propensity_one(void)
{
    make_world(40);
    scores[3] = -INFINITY;
    struct eddy_explorer *explorer = open_explorer(40, 0.3);
    CHECK_INT(eddy_explorer_draw(explorer, scores, 1, 1, 60, list), 39);
    CHECK_NEAR(list[38].propensity, 1, 1e-12);
    for (uint32_t i = 0; i < 39; i++)
        CHECK(list[i].item != 3 && list[i].propensity > 0 && list[i].propensity <= 1);
    eddy_explorer_free(explorer);
}

static void the_share_of_new_items_grows_with_the_weight(void)
{
    make_world(ITEMS);
    double before = share_of_new(0, 200);
    for (int w = 1; w <= 5; w++) {
        double share = share_of_new(0.2 * w, 200);
        CHECK(share > before);
        before = share;
    }
}

static void what_was_shown_often_is_shown_less(void)
{
    double before = 1;
    make_world(ITEMS);
    for (int shown = 1; shown <= 64; shown *= 4) {
        for (uint32_t i = 0; i < ITEMS; i += 3)
            exposure[i] = (float)shown;
        double share = share_of_new(1, 200);
        CHECK(share < before);
        before = share;
    }
}

static void items_that_are_not_new_get_no_bonus(void)
{
    make_world(ITEMS);
    double with = share_of_new(1, 100);
    for (uint32_t i = 0; i < ITEMS; i++)
        exposure[i] = 0;
    memset(is_new, 0, sizeof is_new);
    struct eddy_explorer *explorer = open_explorer(ITEMS, 1);
    uint32_t thirds = 0;
    CHECK_INT(eddy_explorer_new_items(explorer), 0);
    for (uint32_t u = 0; u < 100; u++) {
        eddy_explorer_draw(explorer, scores, u, 1, K, list);
        for (uint32_t i = 0; i < K; i++)
            thirds += list[i].item % 3 == 0;
    }
    CHECK(thirds / (100.0 * K) < with / 2);
    eddy_explorer_free(explorer);
}

static void equal_scores_are_drawn_evenly(void)
{
    enum { FEW = 8 };
    uint32_t first[FEW] = {0};
    make_world(FEW);
    memset(is_new, 0, sizeof is_new);
    for (uint32_t i = 0; i < FEW; i++)
        scores[i] = 3;
    struct eddy_explorer *explorer = open_explorer(FEW, 0.1);
    for (uint64_t u = 0; u < DRAWS; u++) {
        eddy_explorer_draw(explorer, scores, u, 0, 1, list);
        first[list[0].item]++;
        CHECK_NEAR(list[0].propensity, 1.0 / FEW, 1e-12);
    }
    for (uint32_t i = 0; i < FEW; i++)
        CHECK(fabs(first[i] - DRAWS / (double)FEW) < 4.5 * sqrt(DRAWS / (double)FEW));
    eddy_explorer_free(explorer);
}

int main(void)
{
    RUN(weight_zero_gives_the_best_items_with_propensity_one);
    RUN(the_same_keys_draw_the_same_list_and_others_another);
    RUN(propensities_are_the_frequencies_of_what_is_drawn);
    RUN(the_last_of_all_items_has_propensity_one);
    RUN(the_share_of_new_items_grows_with_the_weight);
    RUN(what_was_shown_often_is_shown_less);
    RUN(items_that_are_not_new_get_no_bonus);
    RUN(equal_scores_are_drawn_evenly);
    return check_done();
}
