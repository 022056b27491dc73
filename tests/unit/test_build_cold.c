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

/* A prior that lifts warm items by 3 has to be made up for by 3, one that lowers them by
 * nothing: a head may favour new items. */
static void a_shift_makes_up_for_what_a_head_takes(void)
{
    static const float lifts[] = {0, 3, -3};
    static const double wanted[] = {0, 3, 0};
    for (int l = 0; l < 3; l++) {
        struct eddy_tables tables = {.items = V, .priors = 1};
        struct eddy_head head = eddy_head_plain;
        float shift = -1;
        tables.prior[0] = calloc(V, sizeof(float));
        for (uint32_t i = 0; i < WARM; i++)
            tables.prior[0][i] = lifts[l];
        for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
            head.prior[b][0] = 1;
        CHECK_INT(eddy_build_cold_shift(&cold, &layout, params, &tables, &head, cases,
                                        CASES, &shift),
                  0);
        CHECK_NEAR((double)shift, wanted[l], 0.05);
        eddy_tables_fini(&tables);
    }
}

int main(void)
{
    make_world();
    RUN(cases_with_a_new_answer_are_left_out);
    RUN(priors_of_new_items_are_the_mean_of_the_others);
    RUN(a_shift_makes_up_for_what_a_head_takes);
    free(params);
    return check_done();
}
