/* Users are taken in one by one: the head's sparse additions of each are worked out at once
 * and copied into a pool that all rows share; when the pool or the rows are full, the caller
 * runs the scorer. So what a user may add is bounded by the tables alone, and the pool does
 * not have to hold that bound for every row. */
#include "core/rank.h"

#include <stdlib.h>
#include <string.h>

enum { POOL_MIN = 65536 };

struct eddy_ranker {
    struct eddy_rank_model model;
    struct eddy_head_scratch *head; /* NULL: a plain head */
    struct eddy_score_scratch *score;
    struct eddy_score_row *rows; /* (rows_max) */
    struct eddy_addition *pool;
    uint32_t rows_max, count;
    size_t pool_size, pool_used;
    uint32_t dense_count;
    uint8_t dense_prior[EDDY_HALF_LIVES_MAX]; /* priors in use, rising */
};

struct eddy_rank_model eddy_rank_model_of(const struct eddy_snapshot *snapshot)
{
    return (struct eddy_rank_model){
        .kernels = eddy_hrnn_kernels(snapshot->hrnn),
        .items = snapshot->matrix.panels > 0 ? &snapshot->matrix
                                             : eddy_hrnn_items(snapshot->hrnn),
        .hidden = snapshot->layout.shape.hidden,
        .tables = &snapshot->tables,
        .head = &snapshot->head,
    };
}

static uint32_t used_priors(const struct eddy_head *head,
                            const struct eddy_tables *tables,
                            uint8_t ret[EDDY_HALF_LIVES_MAX])
{
    uint32_t count = 0;
    for (uint32_t h = 0; h < tables->priors; h++)
        if (eddy_head_uses_prior(head, h) && tables->prior[h])
            ret[count++] = (uint8_t)h;
    return count;
}

bool eddy_rank_is_dense(const struct eddy_tables *tables, const struct eddy_head *head)
{
    bool dense = tables->cold.count > 0;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        dense = dense || !head->network[b];
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        dense = dense || eddy_head_uses_prior(head, h);
    return dense;
}

void eddy_rank_set_priors(struct eddy_packed *matrix, uint32_t hidden,
                          const struct eddy_tables *tables,
                          const struct eddy_head *head)
{
    uint8_t used[EDDY_HALF_LIVES_MAX];
    uint32_t count = used_priors(head, tables, used);
    for (uint32_t i = 0; i < count; i++)
        eddy_packed_set(matrix, hidden + 1 + i, 1, tables->prior[used[i]]);
}

/* Items without events stand where the tables say. */
static void place_cold(struct eddy_packed *matrix, uint32_t hidden,
                       const struct eddy_cold_items *cold)
{
    for (uint32_t k = 0; k < cold->count; k++) {
        const float spread = cold->place[0], shift = cold->place[1];
        const float *level = cold->place + 2;
        uint32_t item = cold->items[k];
        float *column =
            matrix->data + (size_t)(item / 16) * matrix->inputs * 16 + item % 16;
        for (uint32_t h = 0; h < hidden; h++)
            column[(size_t)h * 16] = spread * column[(size_t)h * 16] + level[h];
        column[(size_t)hidden * 16] = spread * column[(size_t)hidden * 16] + shift;
    }
}

int eddy_rank_pack(struct eddy_packed *ret, const struct eddy_layout *layout,
                   const float *params, uint32_t items, float cold_bias,
                   const struct eddy_tables *tables, const struct eddy_head *head)
{
    const uint32_t V = layout->shape.items, H = layout->shape.hidden;
    float *block = (float *)params; /* only read; eddy_global serves both */
    const float *embedding = eddy_global(layout, block, EDDY_G_ITEM);
    const float *bias = eddy_global(layout, block, EDDY_G_ITEM_BIAS);
    uint8_t used[EDDY_HALF_LIVES_MAX];
    if (eddy_packed_zero(ret, items, H + 1 + used_priors(head, tables, used)) < 0)
        return EDDY_ENOMEM;
    ret->outputs = V; /* the items that the network knows come first */
    if (embedding)
        eddy_packed_set(ret, 0, H, embedding);
    eddy_packed_set(ret, H, 1, bias);
    place_cold(ret, H, &tables->cold);
    ret->outputs = items;
    for (uint32_t i = V; i < items; i++) {
        size_t at = (size_t)(i / 16) * ret->inputs + H;
        ret->data[at * 16 + i % 16] = cold_bias;
    }
    eddy_rank_set_priors(ret, H, tables, head);
    return 0;
}

bool eddy_rank_knows(const struct eddy_rank_model *model,
                     const struct eddy_rank_user *user)
{
    const struct eddy_head *head = model->head;
    uint32_t bucket = eddy_head_bucket(user->recent.count);
    bool any = user->query != NULL;
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        any = any || head->prior[bucket][h] != 0;
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES && user->recent.count > 0; f++)
        any = any || (f != EDDY_HEAD_SHOWN && head->weight[bucket][f] != 0);
    return any;
}

struct eddy_ranker *eddy_ranker_new(const struct eddy_rank_model *model,
                                    uint32_t rows_max, uint32_t k_max)
{
    struct eddy_ranker *ranker = calloc(1, sizeof *ranker);
    if (ranker == NULL)
        return NULL;
    ranker->model = *model;
    ranker->rows_max = rows_max;
    ranker->dense_count = used_priors(model->head, model->tables, ranker->dense_prior);
    ranker->score = eddy_score_scratch_new(rows_max, k_max);
    ranker->rows = calloc(rows_max, sizeof *ranker->rows);
    bool good = ranker->score && ranker->rows;
    bool sparse = false;
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
        sparse = sparse || eddy_head_uses(model->head, (enum eddy_head_feature)f);
    if (good && sparse) {
        size_t items = model->tables->items;
        ranker->pool_size = items > POOL_MIN ? items : POOL_MIN;
        ranker->pool = malloc(ranker->pool_size * sizeof *ranker->pool);
        ranker->head = eddy_head_scratch_new(model->tables, model->head);
        good = ranker->pool && ranker->head;
    }
    if (!good) {
        eddy_ranker_free(ranker);
        return NULL;
    }
    return ranker;
}

void eddy_ranker_free(struct eddy_ranker *ranker)
{
    if (ranker == NULL)
        return;
    eddy_head_scratch_free(ranker->head);
    eddy_score_scratch_free(ranker->score);
    free(ranker->rows);
    free(ranker->pool);
    free(ranker);
}

bool eddy_ranker_add(struct eddy_ranker *ranker, const struct eddy_rank_user *user)
{
    const struct eddy_head *head = ranker->model.head;
    const struct eddy_addition *additions = NULL;
    uint32_t bucket = eddy_head_bucket(user->recent.count), count = 0;
    if (ranker->count == ranker->rows_max)
        return false;
    if (ranker->head)
        count = eddy_head_additions(ranker->model.tables, head, ranker->head,
                                    user->recent, &additions);
    if (count > ranker->pool_size - ranker->pool_used)
        return false; /* an empty pool has room for all items */
    bool network = user->query != NULL && head->network[bucket];
    struct eddy_score_row *row = &ranker->rows[ranker->count++];
    *row = (struct eddy_score_row){
        .query = network ? user->query : NULL,
        .dense = {network ? 1.0f : 0.0f},
        .excluded = user->excluded,
        .excluded_count = user->excluded ? user->excluded_count : 0,
        .additions = count > 0 ? ranker->pool + ranker->pool_used : NULL,
        .addition_count = count,
    };
    for (uint32_t i = 0; i < ranker->dense_count; i++)
        row->dense[1 + i] = head->prior[bucket][ranker->dense_prior[i]];
    if (count > 0)
        memcpy(ranker->pool + ranker->pool_used, additions, count * sizeof *additions);
    ranker->pool_used += count;
    return true;
}

void eddy_ranker_clear(struct eddy_ranker *ranker)
{
    ranker->count = 0;
    ranker->pool_used = 0;
}

uint32_t eddy_ranker_run(struct eddy_ranker *ranker, uint32_t k,
                         struct eddy_scored *ret, uint32_t *ret_count)
{
    uint32_t count = ranker->count;
    if (count > 0)
        eddy_score_rows(ranker->model.items, ranker->model.hidden,
                        ranker->model.kernels, ranker->score, count, ranker->rows, k,
                        ret, ret_count);
    eddy_ranker_clear(ranker);
    return count;
}

uint32_t eddy_ranker_run_all(struct eddy_ranker *ranker, float *ret)
{
    uint32_t count = ranker->count;
    if (count > 0)
        eddy_score_rows_all(ranker->model.items, ranker->model.hidden,
                            ranker->model.kernels, ranker->score, count, ranker->rows,
                            ret);
    eddy_ranker_clear(ranker);
    return count;
}

bool eddy_rank_moves(const struct eddy_state *state,
                     const struct eddy_snapshot *snapshot)
{
    return state->event_count > 0 && eddy_head_uses(&snapshot->head, EDDY_HEAD_SHOWN);
}

uint32_t eddy_rank_shown(const struct eddy_shown_ring *ring,
                         const struct eddy_catalog *catalog, uint32_t items,
                         struct eddy_head_shown *ret)
{
    uint32_t ages[EDDY_SHOWN_MAX], count = 0;
    eddy_shown_ages(ring, ages);
    for (uint32_t i = 0; i < ring->count; i++) {
        const struct eddy_shown *shown = &ring->entries[i];
        uint32_t item = eddy_catalog_find_hash(catalog, shown->item_hash);
        if (item < items)
            ret[count++] = (struct eddy_head_shown){item, shown->times, ages[i]};
    }
    return count;
}

uint32_t eddy_rank_recent(const struct eddy_state *state,
                          const struct eddy_catalog *catalog, uint32_t *ret)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->recent_count; i++) {
        uint32_t item = eddy_catalog_find_hash(catalog, state->recent[i].item_hash);
        if (item != EDDY_ITEM_NONE)
            ret[count++] = item;
    }
    return count;
}
