/* Items without events beside a head: who they are, what priors and biases they get. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/build_parts.h"

enum { V = 40, H = 4, WARM = 30, CASES = 60 };

static struct eddy_layout layout;
static float *params;
static uint8_t is_cold[V];
static struct eddy_build_cold cold = {V, V - WARM, is_cold, false};
static float queries[CASES][H];
static uint32_t recents[CASES];
static struct eddy_head_case cases[CASES];
static struct eddy_tables tables;

/* Warm and cold items of one kind: random vectors, cold ones last. */
static void make_world(void)
{
    struct eddy_shape shape = {.items = V, .hidden = H, .layers = 1, .types = 1};
    uint32_t draw = 1;
    CHECK_INT(eddy_layout_init(&layout, &shape, NULL), 0);
    params = eddy_params_new(&layout);
    float *e = eddy_global(&layout, params, EDDY_G_ITEM);
    for (uint32_t i = 0; i < V * H; i++) {
        draw = draw * 1664525 + 1013904223;
        e[i] = (float)(draw >> 8) / 16777216.0f - 0.5f;
    }
    for (uint32_t i = 0; i < V; i++)
        is_cold[i] = i >= WARM;
    for (uint32_t c = 0; c < CASES; c++) {
        for (uint32_t h = 0; h < H; h++) {
            draw = draw * 1664525 + 1013904223;
            queries[c][h] = (float)(draw >> 8) / 4194304.0f - 2;
        }
        recents[c] = c % WARM;
        cases[c] = (struct eddy_head_case){.query = queries[c],
                                           .recent = {.items = &recents[c], .count = 1},
                                           .answer = c % V,
                                           .user = c};
    }
}

static void cases_with_a_new_answer_are_left_out(void)
{
    struct eddy_head_case warm[CASES];
    uint32_t count = eddy_build_cold_cases(&cold, cases, CASES, warm);
    CHECK_INT(count, WARM + (CASES - V));
    for (uint32_t c = 0; c < count; c++)
        CHECK(warm[c].answer < WARM);
}

static void priors_of_new_items_are_the_mean_of_the_others(void)
{
    tables = (struct eddy_tables){.items = V, .priors = 2};
    tables.prior[0] = calloc(V, sizeof(float));
    for (uint32_t i = 0; i < WARM; i++)
        tables.prior[0][i] = (float)i;
    tables.prior[0][V - 1] = -9; /* prior 1 is not there */
    eddy_build_cold_priors(&cold, &tables);
    CHECK_NEAR((double)tables.prior[0][3], 3, 0);
    CHECK_NEAR((double)tables.prior[0][V - 1], (WARM - 1) / 2.0, 1e-5);
    eddy_tables_fini(&tables);
}

/* The item that a query likes best, of those below `end`. */
static uint32_t best_of(uint32_t c, uint32_t end)
{
    const float *e = eddy_global(&layout, params, EDDY_G_ITEM);
    float best = -1000;
    uint32_t found = 0;
    for (uint32_t i = 0; i < end; i++) {
        float score = 0;
        for (uint32_t h = 0; h < H; h++)
            score += queries[c][h] * e[i * H + h];
        if (score > best && i != recents[c]) {
            best = score;
            found = i;
        }
    }
    return found;
}

enum { PLACES = V / 4 + 1, RANKED = 10 };

/* Score of an item under a prior that lifts warm ones, in a place. */
static double score_of(uint32_t c, uint32_t item, float lift, const float *place)
{
    const float *e = eddy_global(&layout, params, EDDY_G_ITEM) + item * H;
    double sum = 0, level = 0;
    for (uint32_t h = 0; h < H; h++) {
        sum += (double)(queries[c][h] * e[h]);
        level += (double)(queries[c][h] * place[2 + h]);
    }
    return is_cold[item] ? (double)place[0] * sum + level + (double)place[1]
                         : sum + (double)lift;
}

struct seen {
    double share, ndcg; /* of new items' places; NDCG@10 */
};

static struct seen look(float lift, const float *place)
{
    struct seen seen = {0};
    for (uint32_t c = 0; c < CASES; c++) {
        double own = score_of(c, cases[c].answer, lift, place);
        uint32_t rank = 1;
        for (uint32_t i = 0; i < V; i++) {
            double score = score_of(c, i, lift, place);
            uint32_t above = 0;
            if (i == recents[c])
                continue;
            for (uint32_t j = 0; j < V; j++)
                above += j != recents[c] && score_of(c, j, lift, place) > score ? 1 : 0;
            seen.share += is_cold[i] && above < PLACES ? 1.0 / PLACES / CASES : 0;
            rank += score > own ? 1 : 0;
        }
        seen.ndcg += rank <= RANKED ? 1 / log2(rank + 1.0) / CASES : 0;
    }
    return seen;
}

/* A head whose prior lifts warm items. */
static struct eddy_head head;
static const struct eddy_build_lists lists = {&layout, NULL,  &tables,
                                              &head,   cases, CASES};

static void lift_by(float lift)
{
    eddy_tables_fini(&tables);
    tables = (struct eddy_tables){.items = V, .priors = 1};
    tables.prior[0] = calloc(V, sizeof(float));
    for (uint32_t i = 0; i < WARM; i++)
        tables.prior[0][i] = lift;
    head = eddy_head_plain;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        head.prior[b][0] = 1;
}

/* The place for a head that lifts them so much. */
static void place_of(float lift, float place[2 + H])
{
    struct eddy_build_lists now = lists;
    struct eddy_build_stand stand;
    now.params = params;
    lift_by(lift);
    CHECK_INT(eddy_build_cold_stand(&cold, &now, &stand), 0);
    CHECK_INT(eddy_build_cold_place(&cold, &now, &stand, place), 0);
}

/* And for users who take the best of the first `end` items. */
static void find_place(float lift, uint32_t end, float place[2 + H])
{
    for (uint32_t c = 0; c < CASES; c++)
        cases[c].answer = best_of(c, end);
    place_of(lift, place);
}

static const float untouched[2 + H] = {1};

/* Where users take new items as often as the network says, a prior that lifts warm items by
 * 3 has to be made up for by 3, and one that lowers them must not favour new ones. */
static void a_place_makes_up_for_what_a_head_does(void)
{
    float place[2 + H];
    double plain = look(0, untouched).share;
    find_place(0, V, place);
    CHECK_NEAR((double)place[0], 1, 0);
    CHECK_NEAR((double)place[1], 0, 0.05);
    find_place(3, V, place);
    CHECK_NEAR((double)place[0], 1, 0);
    CHECK_NEAR((double)place[1], 3, 0.05);
    find_place(-3, V, place);
    double before = look(-3, untouched).share, after = look(-3, place).share;
    CHECK(before > plain * 1.5);
    CHECK(after < before * 0.6 && after > before * 0.45);
}

/* Where they never do, new items come down until they cost little, but not out of the
 * lists. */
static void new_items_that_nobody_takes_come_down(void)
{
    for (uint32_t lift = 0; lift <= 3; lift += 3) {
        float place[2 + H], beyond[2 + H] = {1, -100};
        find_place((float)lift, WARM, place);
        struct seen seen = look((float)lift, place), none = look((float)lift, beyond);
        double plain = look(0, untouched).share;
        CHECK(seen.share > 0.45 * plain);
        CHECK(seen.ndcg > 0.97 * none.ndcg);
        CHECK_NEAR(none.share, 0, 0.02); /* there are known items enough */
        CHECK(lift > 0 || look(0, untouched).ndcg < 0.9 * none.ndcg);
    }
}

/* The warm item that stands RANKED-th for a query: it is lost to any new item before it. */
static uint32_t last_of_ten(uint32_t c)
{
    for (uint32_t i = 0; i < WARM; i++) {
        uint32_t above = 0;
        for (uint32_t j = 0; j < WARM; j++)
            above += j != recents[c] &&
                             score_of(c, j, 0, untouched) > score_of(c, i, 0, untouched)
                         ? 1
                         : 0;
        if (i != recents[c] && above == RANKED - 1)
            return i;
    }
    return 0;
}

/* Places that the network does not give are not kept at any cost. */
static void places_that_cost_too_much_are_not_given(void)
{
    float place[2 + H], *bias = eddy_global(&layout, params, EDDY_G_ITEM_BIAS);
    for (uint32_t i = WARM; i < V; i++)
        bias[i] = -8;
    cold.learned = true;
    for (uint32_t c = 0; c < CASES; c++)
        cases[c].answer = last_of_ten(c);
    place_of(0, place);
    place[1] += place[0] * -8;
    struct seen seen = look(0, place), none = look(0, (float[2 + H]){1, -100});
    CHECK(seen.ndcg > none.ndcg * 0.98);
    cold.learned = false;
    memset(bias, 0, V * sizeof *bias);
}

/* A network that has learned to rank new items, and a head that shuts them out: they get some
 * places where they cost little, and none of the sort where nobody has learned anything. */
static void new_items_that_can_be_ranked_get_places(void)
{
    float place[2 + H], *bias = eddy_global(&layout, params, EDDY_G_ITEM_BIAS);
    for (uint32_t i = WARM; i < V; i++)
        bias[i] = -8;
    find_place(0, WARM, place);
    CHECK_NEAR((double)place[0], 1, 0);
    CHECK_NEAR((double)place[1], 0, 0.05);
    cold.learned = true;
    find_place(0, WARM, place);
    place[1] += place[0] * -8; /* score_of knows of no bias */
    struct seen seen = look(0, place), none = look(0, (float[2 + H]){1, -100});
    CHECK(seen.share > 0.09 && seen.share < 0.26);
    CHECK(seen.ndcg > none.ndcg * 0.95);
    cold.learned = false;
    memset(bias, 0, V * sizeof *bias);
}

static void a_head_without_a_network_hears_it_faintly(void)
{
    struct eddy_head mixed = eddy_head_plain, plain = eddy_head_plain;
    mixed.network[1] = false;
    mixed.weight[1][EDDY_HEAD_RULES] = 2;
    mixed.weight[2][EDDY_HEAD_RULES] = 3;
    mixed.prior[1][0] = 0.5f;
    eddy_build_cold_network(&mixed);
    CHECK(mixed.network[1]);
    CHECK_NEAR((double)mixed.weight[1][EDDY_HEAD_RULES], 100, 0);
    CHECK_NEAR((double)mixed.weight[2][EDDY_HEAD_RULES], 3, 0);
    CHECK_NEAR((double)mixed.prior[1][0], 25, 0);
    eddy_build_cold_network(&plain);
    CHECK(eddy_head_is_plain(&plain));
}

/* What was chosen before a network was finished holds in the lists that it makes then, which
 * nobody has answered. */
static void places_are_kept_when_scores_move(void)
{
    struct eddy_build_lists now = lists;
    struct eddy_build_stand stand;
    float place[2 + H], *e = eddy_global(&layout, params, EDDY_G_ITEM);
    now.params = params;
    for (uint32_t c = 0; c < CASES; c++)
        cases[c].answer = best_of(c, V);
    lift_by(3);
    CHECK_INT(eddy_build_cold_stand(&cold, &now, &stand), 0);
    CHECK(stand.places == PLACES && stand.share > 0.15 && stand.share < 0.35);
    for (uint32_t c = 0; c < CASES; c++)
        cases[c].answer = EDDY_BUILD_NO_ANSWER;
    lift_by(5);
    for (uint32_t i = 0; i < WARM * H; i++)
        e[i] *= 2;
    CHECK_INT(eddy_build_cold_place(&cold, &now, &stand, place), 0);
    for (uint32_t c = 0; c < CASES; c++)
        cases[c].answer = 0;
    CHECK_NEAR(look(5, place).share, stand.share, 0.03);
    for (uint32_t i = 0; i < WARM * H; i++)
        e[i] /= 2;
}

static void without_cases_nothing_is_moved(void)
{
    struct eddy_build_lists none = {&layout,          params, &tables,
                                    &eddy_head_plain, cases,  0};
    struct eddy_build_stand stand = {.places = 7};
    struct eddy_cold_items items;
    float place[2 + H] = {7};
    CHECK_INT(eddy_build_cold_stand(&cold, &none, &stand), 0);
    CHECK_INT(stand.places, 0);
    CHECK_INT(eddy_build_cold_place(&cold, &none, &stand, place), 0);
    CHECK(memcmp(place, untouched, sizeof place) == 0);
    CHECK_INT(eddy_build_cold_items(&cold, H, place, &items), 0);
    CHECK_INT(items.count, 0);
    place[1] = -1;
    CHECK_INT(eddy_build_cold_items(&cold, H, place, &tables.cold), 0);
    CHECK_INT(tables.cold.count, V - WARM);
    CHECK_INT(tables.cold.items[0], WARM);
    CHECK_NEAR((double)tables.cold.place[1], -1, 0);
    eddy_tables_fini(&tables);
}

int main(void)
{
    make_world();
    RUN(cases_with_a_new_answer_are_left_out);
    RUN(priors_of_new_items_are_the_mean_of_the_others);
    RUN(a_place_makes_up_for_what_a_head_does);
    RUN(new_items_that_nobody_takes_come_down);
    RUN(a_head_without_a_network_hears_it_faintly);
    RUN(places_that_cost_too_much_are_not_given);
    RUN(new_items_that_can_be_ranked_get_places);
    RUN(places_are_kept_when_scores_move);
    RUN(without_cases_nothing_is_moved);
    free(params);
    return check_done();
}
