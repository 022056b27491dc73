/* Everything is made for items_max items at once; a refresh replaces the rules, writes the
 * priors into the matrix of items and says how many items count. The matrix is the head's
 * own (eddy_rank_pack) even where the snapshot's head has none. */
#include "core/live.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rank.h"
#include "core/snapshot.h"

/* A refresh passes over all live pairs; it waits for one event per PAIRS_PER_EVENT of them,
 * so that an event never costs more than about a microsecond of refreshes. */
enum { PAIRS_PER_EVENT = 2000 };
#define COLD_QUANTILE 0.1

struct eddy_live {
    const struct eddy_stream_head *stream;
    struct eddy_counters *counters;
    struct eddy_tables tables; /* related and sessions are the snapshot's */
    struct eddy_packed matrix;
    struct eddy_rank_model model;
    uint32_t items_max;
    uint64_t events; /* since the last refresh */
    bool fresh;      /* there was one */
};

static int rising(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* A low quantile of the biases: where an item that nobody knows should stand. */
static int cold_bias(const struct eddy_snapshot *snapshot, float *ret)
{
    const struct eddy_layout *layout = &snapshot->layout;
    const uint32_t V = layout->shape.items;
    const float *bias = eddy_global(layout, snapshot->params, EDDY_G_ITEM_BIAS);
    float *sorted = malloc((size_t)V * sizeof *sorted);
    uint32_t count = 0;
    *ret = 0;
    if (sorted == NULL)
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < V; i++)
        if (isfinite(bias[i]) && bias[i] > EDDY_HIDDEN_BIAS)
            sorted[count++] = bias[i];
    qsort(sorted, count, sizeof *sorted, rising);
    if (count > 0)
        *ret = sorted[(uint32_t)(COLD_QUANTILE * (count - 1))];
    free(sorted);
    return 0;
}

static int allocate(struct eddy_live *live, const struct eddy_snapshot *snapshot)
{
    const struct eddy_head *head = &live->stream->head;
    const uint32_t V = snapshot->layout.shape.items;
    struct eddy_counters_options options = live->stream->counters;
    float cold = 0;
    options.items = live->items_max;
    options.window = eddy_head_uses(head, EDDY_HEAD_RULES) ? options.window : 0;
    live->tables = (struct eddy_tables){
        .items = live->items_max,
        .related = snapshot->tables.related,
        .sessions = snapshot->tables.sessions,
        .cold = snapshot->tables.cold,
        .priors = options.half_lives,
    };
    for (uint32_t h = 0; h < options.half_lives; h++) {
        live->tables.half_life_s[h] = options.half_life_s[h];
        if (!eddy_head_uses_prior(head, h))
            continue;
        live->tables.prior[h] = calloc((size_t)live->items_max, sizeof(float));
        if (live->tables.prior[h] == NULL)
            return EDDY_ENOMEM;
    }
    if (eddy_counters_new(&options, &live->counters, NULL) < 0 ||
        cold_bias(snapshot, &cold) < 0 ||
        eddy_table_init(&live->tables.rules, V, 0) < 0)
        return EDDY_ENOMEM;
    return eddy_rank_pack(&live->matrix, &snapshot->layout, snapshot->params,
                          live->items_max, cold, &live->tables, head);
}

int eddy_live_new(const struct eddy_snapshot *snapshot, uint32_t items_max,
                  struct eddy_live **ret, struct eddy_err *err)
{
    const uint32_t V = snapshot->layout.shape.items;
    struct eddy_live *live = calloc(1, sizeof *live);
    if (live) {
        live->stream = &snapshot->stream_head;
        live->items_max = items_max > V ? items_max : V;
    }
    if (live == NULL || allocate(live, snapshot) < 0) {
        eddy_live_free(live);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for live tables of %u items",
                         items_max);
    }
    live->model = eddy_rank_model_of(snapshot);
    live->model.items = &live->matrix;
    live->model.tables = &live->tables;
    live->model.head = &live->stream->head;
    if (eddy_live_refresh(live, INT64_MIN, V) < 0) {
        eddy_live_free(live);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for live tables of %u items",
                         items_max);
    }
    *ret = live;
    return 0;
}

void eddy_live_free(struct eddy_live *live)
{
    if (live == NULL)
        return;
    eddy_table_fini(&live->tables.rules);
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        free(live->tables.prior[h]);
    eddy_packed_fini(&live->matrix);
    eddy_counters_free(live->counters);
    free(live);
}

int eddy_live_add(struct eddy_live *live, int64_t ts_ms, uint32_t item,
                  const uint32_t *recent, uint32_t recent_count)
{
    live->events++;
    return eddy_counters_add(live->counters, ts_ms, item, recent, recent_count);
}

static void show_items(struct eddy_live *live, uint32_t items)
{
    live->matrix.outputs = items;
    live->matrix.panels = (items + 15) / 16;
}

int eddy_live_refresh(struct eddy_live *live, int64_t now_ms, uint32_t items)
{
    const struct eddy_head *head = &live->stream->head;
    items = items < live->items_max ? items : live->items_max;
    if (live->fresh &&
        live->events < eddy_counters_pairs(live->counters) / PAIRS_PER_EVENT)
        return 0;
    if (eddy_head_uses(head, EDDY_HEAD_RULES)) {
        struct eddy_table rules;
        if (eddy_counters_rules(live->counters, now_ms, items, live->stream->width,
                                &rules) < 0)
            return EDDY_ENOMEM;
        eddy_table_fini(&live->tables.rules);
        live->tables.rules = rules;
    }
    for (uint32_t h = 0; h < live->tables.priors; h++)
        if (live->tables.prior[h])
            eddy_counters_prior(live->counters, now_ms, items, h,
                                live->tables.prior[h]);
    show_items(live, items);
    eddy_rank_set_priors(&live->matrix, live->model.hidden, &live->tables, head);
    live->events = 0;
    live->fresh = true;
    return 0;
}

const struct eddy_rank_model *eddy_live_model(const struct eddy_live *live)
{
    return &live->model;
}

uint32_t eddy_live_items(const struct eddy_live *live)
{
    return live->matrix.outputs;
}
