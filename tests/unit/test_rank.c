/* Lists of a model with a head against scores worked out item by item; models without a
 * network; batches cut anyhow. */
#include "core/rank.h"

#include <stdlib.h>

#include "best_lists.h"
#include "tiny_model.h"
#include "torture.h"

enum { USERS = 40, K = 12, ITEMS = 133 };

static struct tiny model_of(uint32_t hidden, bool tables)
{
    struct tiny tiny = tiny_default;
    tiny.items = ITEMS;
    tiny.hidden = hidden;
    tiny.layers = hidden > 0 ? 2 : 0;
    tiny.tables = tables;
    return tiny;
}

static float queries[USERS][16];
static uint32_t recents[USERS][EDDY_RECENT_MAX];
static struct eddy_head_shown shown[USERS][USERS];
static struct eddy_rank_user users[USERS];
static const uint32_t excluded[] = {0, 5, 17, 18, 60, 132};

static void make_users(void)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 21);
    for (uint32_t u = 0; u < USERS; u++) {
        for (int i = 0; i < 16; i++)
            queries[u][i] = (float)eddy_rng_normal(&rng);
        uint32_t count = u < 30 ? u : 0;
        for (uint32_t i = 0; i < count; i++)
            recents[u][i] = eddy_rng_below(&rng, ITEMS);
        for (uint32_t i = 0; i < u; i++)
            shown[u][i] =
                (struct eddy_head_shown){eddy_rng_below(&rng, ITEMS), 1, i / 5};
        users[u] = (struct eddy_rank_user){
            .recent = {recents[u], count, shown[u], u % 3 ? u : 0},
            .query = u % 7 == 6 ? NULL : queries[u],
            .excluded = u % 2 ? excluded : NULL,
            .excluded_count = u % 2 ? 6 : 0,
        };
    }
}

/* The score that the contract of the head gives an item, one fused chain. */
static float slow_score(struct eddy_snapshot *snapshot,
                        const struct eddy_rank_user *user, uint32_t item,
                        struct eddy_head_scratch *scratch)
{
    const struct eddy_head *head = &snapshot->head;
    const struct eddy_layout *layout = &snapshot->layout;
    uint32_t bucket = eddy_head_bucket(user->recent.count), H = layout->shape.hidden;
    const float *embedding = eddy_global(layout, snapshot->params, EDDY_G_ITEM);
    float bias = eddy_global(layout, snapshot->params, EDDY_G_ITEM_BIAS)[item];
    bool network = user->query && head->network[bucket];
    bool dense = eddy_rank_is_dense(&snapshot->tables, head);
    const float *place = NULL; /* of an item without events */
    for (uint32_t i = 0; i < snapshot->tables.cold.count; i++)
        place = snapshot->tables.cold.items[i] == item ? snapshot->tables.cold.place
                                                       : place;
    bias = place ? place[0] * bias + place[1] : bias;
    float sum = dense ? 0 : bias;
    for (uint32_t i = 0; i < H; i++) {
        float e = embedding[item * H + i];
        e = place ? place[0] * e + place[2 + i] : e;
        sum = fmaf(e, network ? user->query[i] : 0, sum);
    }
    if (dense) {
        sum = fmaf(bias, network ? 1 : 0, sum);
        for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
            if (eddy_head_uses_prior(head, h))
                sum =
                    fmaf(snapshot->tables.prior[h][item], head->prior[bucket][h], sum);
    }
    if (scratch == NULL)
        return sum;
    const struct eddy_addition *list;
    uint32_t count =
        eddy_head_additions(&snapshot->tables, head, scratch, user->recent, &list);
    for (uint32_t i = 0; i < count; i++)
        sum += list[i].item == item ? list[i].value : 0;
    return sum;
}

static void check_list(struct eddy_snapshot *snapshot,
                       const struct eddy_rank_user *user,
                       struct eddy_head_scratch *scratch,
                       const struct eddy_scored *list, uint32_t count)
{
    struct eddy_scored want[ITEMS];
    uint32_t left = 0;
    for (uint32_t item = 0; item < ITEMS; item++) {
        bool hidden = false;
        for (uint32_t e = 0; e < user->excluded_count; e++)
            hidden = hidden || user->excluded[e] == item;
        if (!hidden)
            want[left++] =
                (struct eddy_scored){item, slow_score(snapshot, user, item, scratch)};
    }
    check_best(list, count, want, left, K);
}

static struct eddy_snapshot *open_with(const struct tiny *tiny, const char *kernels)
{
    struct tiny_files files;
    struct eddy_err err = {0};
    struct eddy_snapshot *snapshot = NULL;
    CHECK_INT(tiny_encode(tiny, &files, &err), 0);
    struct eddy_snapshot_files bytes = tiny_bytes(&files);
    CHECK_INT(eddy_snapshot_decode(&bytes, eddy_kernels_find(kernels), &snapshot, &err),
              0);
    CHECK_STR(err.text, "");
    tiny_files_fini(&files);
    return snapshot;
}

static void check_model(const struct tiny *tiny, const char *kernels, uint32_t rows)
{
    struct eddy_snapshot *snapshot = open_with(tiny, kernels);
    struct eddy_rank_model model = eddy_rank_model_of(snapshot);
    struct eddy_ranker *ranker = eddy_ranker_new(&model, rows, K);
    struct eddy_head_scratch *scratch =
        tiny->tables ? eddy_head_scratch_new(&snapshot->tables, &snapshot->head) : NULL;
    struct eddy_scored lists[USERS * K];
    uint32_t counts[USERS], first = 0;
    for (uint32_t u = 0; u <= USERS; u++) {
        if (u < USERS && eddy_ranker_add(ranker, &users[u]))
            continue;
        CHECK_INT(eddy_ranker_run(ranker, K, lists, counts), u - first);
        for (uint32_t i = first; i < u; i++)
            check_list(snapshot, &users[i], scratch, lists + (size_t)(i - first) * K,
                       counts[i - first]);
        first = u;
        if (u < USERS)
            CHECK(eddy_ranker_add(ranker, &users[u]));
    }
    eddy_head_scratch_free(scratch);
    eddy_ranker_free(ranker);
    eddy_snapshot_release(snapshot);
}

static void lists_are_those_of_scores_item_by_item(void)
{
    static const char *const names[] = {"naive", "avx2", "avx512"};
    static const uint32_t rows[] = {1, 7, 64};
    for (int i = 0; i < 3; i++) {
        if (!eddy_kernels_find(names[i]))
            continue;
        for (int r = 0; r < 3; r++) {
            struct tiny tiny = model_of(16, true);
            check_model(&tiny, names[i], rows[r]);
            tiny.tables = false;
            check_model(&tiny, names[i], rows[r]);
        }
    }
}

static void models_without_a_network_have_lists(void)
{
    for (int tables = 0; tables < 2; tables++) {
        struct tiny tiny = model_of(0, tables == 1);
        tiny.mode = EDDY_MODE_FLAT;
        check_model(&tiny, "naive", 16);
        struct eddy_snapshot *snapshot = open_with(&tiny, "naive");
        CHECK_INT(eddy_hrnn_state_floats(&snapshot->layout.shape), 0);
        struct eddy_hrnn_scratch *scratch =
            eddy_hrnn_scratch_new(&snapshot->layout.shape, 4);
        float nothing = 7, *hidden = &nothing;
        struct eddy_step step = {.item = 1, .begin = true, .first = true};
        eddy_hrnn_step(snapshot->hrnn, scratch, 1, &step, &hidden);
        CHECK_NEAR(nothing, 7, 0);
        eddy_hrnn_scratch_free(scratch);
        eddy_snapshot_release(snapshot);
    }
}

static void a_plain_head_gives_the_bits_of_the_network(void)
{
    struct tiny tiny = model_of(16, false);
    struct eddy_snapshot *snapshot = tiny_open(&tiny);
    struct eddy_rank_model model = eddy_rank_model_of(snapshot);
    struct eddy_ranker *ranker = eddy_ranker_new(&model, 4, K);
    struct eddy_score_scratch *scratch = eddy_score_scratch_new(4, K);
    struct eddy_scored a[K], b[K];
    uint32_t count, no_count = 0;
    const uint32_t *no = NULL;
    const float *query = queries[3];
    CHECK(model.items == eddy_hrnn_items(snapshot->hrnn));
    CHECK(eddy_ranker_add(ranker, &users[3]) == true);
    eddy_ranker_clear(ranker);
    struct eddy_rank_user user = {.query = query};
    CHECK(eddy_ranker_add(ranker, &user));
    CHECK_INT(eddy_ranker_run(ranker, K, a, &count), 1);
    eddy_score_topk(snapshot->hrnn, scratch, 1, &query, K, &no, &no_count, b, &count);
    CHECK(memcmp(a, b, sizeof a) == 0);
    eddy_score_scratch_free(scratch);
    eddy_ranker_free(ranker);
    eddy_snapshot_release(snapshot);
}

static void who_has_no_step_is_known_through_priors_alone(void)
{
    struct tiny tiny = model_of(16, true);
    struct eddy_snapshot *with = tiny_open(&tiny);
    tiny.tables = false;
    struct eddy_snapshot *plain = tiny_open(&tiny);
    struct eddy_rank_model a = eddy_rank_model_of(with), b = eddy_rank_model_of(plain);
    struct eddy_rank_user nobody = {.query = NULL}, somebody = {.query = queries[0]};
    CHECK(eddy_rank_knows(&a, &nobody));
    CHECK(!eddy_rank_knows(&b, &nobody));
    CHECK(eddy_rank_knows(&b, &somebody));
    eddy_snapshot_release(with);
    eddy_snapshot_release(plain);
}

static struct eddy_snapshot *torture_snapshot;

static bool ranker_is_made(void)
{
    struct eddy_rank_model model = eddy_rank_model_of(torture_snapshot);
    struct eddy_ranker *ranker = eddy_ranker_new(&model, 4, K);
    eddy_ranker_free(ranker);
    return ranker != NULL;
}

static void memory_may_run_out(void)
{
    struct tiny tiny = model_of(16, true);
    torture_snapshot = tiny_open(&tiny);
    TORTURE(ranker_is_made);
    eddy_snapshot_release(torture_snapshot);
}

int main(void)
{
    make_users();
    RUN(lists_are_those_of_scores_item_by_item);
    RUN(models_without_a_network_have_lists);
    RUN(a_plain_head_gives_the_bits_of_the_network);
    RUN(who_has_no_step_is_known_through_priors_alone);
    RUN(memory_may_run_out);
    return check_done();
}
