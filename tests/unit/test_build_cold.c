/* Items without events beside a head: who they are, what priors and biases they get. */
#include <stdlib.h>

#include "check.h"
#include "core/build_parts.h"

enum { V = 40, H = 4, WARM = 30, CASES = 60 };

static struct eddy_layout layout;
static float *params;
static uint8_t is_cold[V];
static const struct eddy_build_cold cold = {V, V - WARM, is_cold};
static float queries[CASES][H];
static uint32_t recents[CASES];
static struct eddy_head_case cases[CASES];

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
    struct eddy_tables tables = {.items = V, .priors = 2};
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

/* For a head whose prior lifts warm items so much, and users who take the best of the
 * first `end` items. */
static double shift_for(float lift, uint32_t end)
{
    struct eddy_tables tables = {.items = V, .priors = 1};
    struct eddy_head head = eddy_head_plain;
    float shift = -100;
    tables.prior[0] = calloc(V, sizeof(float));
    for (uint32_t i = 0; i < WARM; i++)
        tables.prior[0][i] = lift;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        head.prior[b][0] = 1;
    for (uint32_t c = 0; c < CASES; c++)
        cases[c].answer = best_of(c, end);
    CHECK_INT(eddy_build_cold_shift(&cold, &layout, params, &tables, &head, cases,
                                    CASES, &shift),
              0);
    eddy_tables_fini(&tables);
    return (double)shift;
}

/* Where users take new items as often as the network says, a prior that lifts warm items by
 * 3 has to be made up for by 3, and one that lowers them must not favour new ones. */
static void a_shift_makes_up_for_what_a_head_does(void)
{
    CHECK_NEAR(shift_for(0, V), 0, 0.05);
    CHECK_NEAR(shift_for(3, V), 3, 0.05);
    CHECK_NEAR(shift_for(-3, V), -2.5, 0.2); /* half of the places are left */
}

/* Where they never do, new items come down, by as much with every head: to below the best
 * warm item, not out of the lists. */
static void new_items_that_nobody_takes_come_down(void)
{
    double shift = shift_for(0, WARM);
    CHECK(shift < -0.2 && shift > -3);
    CHECK_NEAR(shift_for(3, WARM), shift + 3, 0.13);
}

static void a_head_without_a_network_hears_it_faintly(void)
{
    struct eddy_head head = eddy_head_plain, plain = eddy_head_plain;
    head.network[1] = false;
    head.weight[1][EDDY_HEAD_RULES] = 2;
    head.weight[2][EDDY_HEAD_RULES] = 3;
    head.prior[1][0] = 0.5f;
    eddy_build_cold_network(&head);
    CHECK(head.network[1]);
    CHECK_NEAR((double)head.weight[1][EDDY_HEAD_RULES], 100, 0);
    CHECK_NEAR((double)head.weight[2][EDDY_HEAD_RULES], 3, 0);
    CHECK_NEAR((double)head.prior[1][0], 25, 0);
    eddy_build_cold_network(&plain);
    CHECK(eddy_head_is_plain(&plain));
}

static void without_cases_nothing_is_shifted(void)
{
    struct eddy_tables tables = {.items = V};
    float shift = 1;
    CHECK_INT(eddy_build_cold_shift(&cold, &layout, params, &tables, &eddy_head_plain,
                                    cases, 0, &shift),
              0);
    CHECK_NEAR((double)shift, 0, 0);
}

int main(void)
{
    make_world();
    RUN(cases_with_a_new_answer_are_left_out);
    RUN(priors_of_new_items_are_the_mean_of_the_others);
    RUN(a_shift_makes_up_for_what_a_head_does);
    RUN(new_items_that_nobody_takes_come_down);
    RUN(a_head_without_a_network_hears_it_faintly);
    RUN(without_cases_nothing_is_shifted);
    free(params);
    return check_done();
}
