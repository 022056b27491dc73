/* Lists over the whole catalogue against a full sort of all scores: sizes that are no
 * multiple of anything, exclusions, hidden items, slices, small catalogues. */
#include "core/score.h"

#include <stdlib.h>

#include "base/rng.h"
#include "best_lists.h"
#include "torture.h"

enum { USERS = 21, K_MAX = 60 };

static struct eddy_layout layout;
static float *block;
static struct eddy_hrnn *hrnn;
static float *queries;     /* (USERS, H) */
static uint32_t *excluded; /* rising, every excluded_step-th item */
static uint32_t excluded_size;

static void open_model(uint32_t items, uint32_t hidden, const char *kernels)
{
    struct eddy_shape shape = {
        .items = items, .hidden = hidden, .layers = 1, .types = 1};
    CHECK_INT(eddy_layout_init(&layout, &shape, NULL), 0);
    block = eddy_params_new(&layout);
    for (size_t i = 0; i < layout.size; i++) {
        block[i] = (float)eddy_draw_unit(7, i, 0, 0) - 0.5F;
    }
    queries = eddy_floats_new((size_t)USERS * hidden);
    for (size_t i = 0; i < (size_t)USERS * hidden; i++) {
        queries[i] = (float)eddy_draw_unit(8, i, 0, 0) - 0.5F;
    }
    excluded = calloc(items + 2, sizeof(*excluded));
    excluded_size = 0;
    hrnn = eddy_hrnn_new(&layout, block, eddy_kernels_find(kernels));
}

static void close_model(void)
{
    eddy_hrnn_free(hrnn);
    free(block);
    free(queries);
    free(excluded);
}

static void check_list(const struct eddy_scored *list, uint32_t count, uint32_t user,
                       uint32_t k, bool excluding)
{
    const struct eddy_shape *shape = eddy_hrnn_shape(hrnn);
    float *all = eddy_floats_new(shape->items + 16);
    struct eddy_scored *want = calloc(shape->items, sizeof(*want));
    uint32_t left = 0, next = 0;
    eddy_score_all(hrnn, queries + (size_t)user * shape->hidden, all);
    for (uint32_t i = 0; i < shape->items; i++) {
        bool hidden = false;
        for (; excluding && next < excluded_size && excluded[next] <= i; next++) {
            hidden = hidden || excluded[next] == i;
        }
        if (!hidden && all[i] > -INFINITY) {
            want[left++] = (struct eddy_scored){i, all[i]};
        }
    }
    check_best(list, count, want, left, k);
    free(want);
    free(all);
}

/* Lists of all users, every second one with exclusions, checked one by one. */
static void check_lists(uint32_t rows_max, uint32_t k)
{
    const uint32_t H = eddy_hrnn_shape(hrnn)->hidden;
    struct eddy_score_scratch *scratch = eddy_score_scratch_new(rows_max, K_MAX);
    struct eddy_scored *lists = calloc((size_t)USERS * k, sizeof(*lists));
    const float *query[USERS];
    const uint32_t *no[USERS];
    uint32_t no_count[USERS], count[USERS];
    for (uint32_t user = 0; user < USERS; user++) {
        query[user] = queries + (size_t)user * H;
        no[user] = user % 2 ? excluded : NULL;
        no_count[user] = user % 2 ? excluded_size : 0;
    }
    eddy_score_topk(hrnn, scratch, USERS, query, k, no, no_count, lists, count);
    for (uint32_t user = 0; user < USERS; user++) {
        check_list(lists + (size_t)user * k, count[user], user, k, user % 2);
    }
    free(lists);
    eddy_score_scratch_free(scratch);
}

static const char *const names[] = {"naive", "avx2", "avx512"};

static void lists_are_those_of_a_full_sort(void)
{
    static const uint32_t shapes[][2] = {{1, 5},     {16, 16},   {17, 33},
                                         {767, 7},   {768, 8},   {769, 9},
                                         {1000, 33}, {1600, 17}, {3001, 5}};
    for (size_t c = 0; c < 9 * 3; c++) {
        if (!eddy_kernels_find(names[c % 3])) {
            continue;
        }
        open_model(shapes[c / 3][0], shapes[c / 3][1], names[c % 3]);
        check_lists(USERS, 25);
        for (uint32_t i = 0; i < shapes[c / 3][0]; i += 1 + i % 3) {
            excluded[excluded_size++] = i;
        }
        check_lists(USERS, 25);
        check_lists(8, K_MAX);
        check_lists(1, 1);
        close_model();
    }
}

static void excluding_every_item_leaves_an_empty_list(void)
{
    open_model(800, 8, "naive");
    for (uint32_t i = 0; i < 800; i++) {
        excluded[excluded_size++] = i;
    }
    excluded[excluded_size++] = 5000; /* beyond the catalogue: no harm */
    check_lists(4, 10);
    close_model();
}

static void items_with_a_bias_of_minus_infinity_are_hidden(void)
{
    open_model(100, 8, "naive");
    eddy_hrnn_free(hrnn);
    float *bias = eddy_global(&layout, block, EDDY_G_ITEM_BIAS);
    for (int i = 0; i < 100; i += 2) {
        bias[i] = -INFINITY;
    }
    bias[1] = NAN;
    hrnn = eddy_hrnn_new(&layout, block, eddy_kernels_find("naive"));
    check_lists(4, K_MAX);
    close_model();
}

static void equal_scores_are_ordered_by_item(void)
{
    open_model(2000, 4, "naive");
    eddy_hrnn_free(hrnn);
    float *items = eddy_global(&layout, block, EDDY_G_ITEM);
    float *bias = eddy_global(&layout, block, EDDY_G_ITEM_BIAS);
    for (int i = 0; i < 2000; i++) {
        memcpy(items + (size_t)i * 4, items + (i % 5) * 4, 4 * sizeof(float));
        bias[i] = 0.5F;
    }
    hrnn = eddy_hrnn_new(&layout, block, eddy_kernels_get());
    check_lists(USERS, 25);
    close_model();
}

static void a_score_is_query_times_embedding_plus_bias(void)
{
    enum { H = 33, V = 50 };
    open_model(V, H, "naive");
    float all[64];
    eddy_score_all(hrnn, queries, all);
    for (int i = 0; i < V; i++) {
        double sum = (double)eddy_global(&layout, block, EDDY_G_ITEM_BIAS)[i];
        for (int k = 0; k < H; k++) {
            sum += (double)eddy_global(&layout, block, EDDY_G_ITEM)[i * H + k] *
                   (double)queries[k];
        }
        CHECK_NEAR(all[i], sum, 1e-5);
    }
    close_model();
}

static bool a_scratch_is_made(void)
{
    struct eddy_score_scratch *scratch = eddy_score_scratch_new(3, 10);
    eddy_score_scratch_free(scratch);
    return scratch != NULL;
}

static void a_lack_of_memory_is_reported_and_leaks_nothing(void)
{
    TORTURE(a_scratch_is_made);
}

static void scoring_allocates_nothing(void)
{
    open_model(900, 8, "naive");
    struct eddy_score_scratch *scratch = eddy_score_scratch_new(2, 10);
    const float *query[3] = {queries, queries + 8, queries + 16};
    const uint32_t *no[3] = {NULL, NULL, NULL};
    uint32_t no_count[3] = {0}, count[3] = {0};
    struct eddy_scored lists[30];
    torture_arm(0);
    eddy_score_topk(hrnn, scratch, 3, query, 10, no, no_count, lists, count);
    CHECK(!atomic_load(&torture_hit));
    torture_arm(-1);
    CHECK_INT(count[2], 10);
    eddy_score_scratch_free(scratch);
    close_model();
}

int main(void)
{
    RUN(lists_are_those_of_a_full_sort);
    RUN(excluding_every_item_leaves_an_empty_list);
    RUN(items_with_a_bias_of_minus_infinity_are_hidden);
    RUN(equal_scores_are_ordered_by_item);
    RUN(a_score_is_query_times_embedding_plus_bias);
    RUN(a_lack_of_memory_is_reported_and_leaks_nothing);
    RUN(scoring_allocates_nothing);
    eddy_score_scratch_free(NULL);
    return check_done();
}
