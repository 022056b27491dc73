/* What the head adds to the network's scores, from tables and recent events.
 *
 * A feature is summed in an array over all items, with a list of the items touched; its
 * logarithm times its weight goes into a second array, with a bit per item that was added
 * to. Reading the bits word by word gives the items in rising order, each once, without
 * sorting. Both arrays are back at zero when a call returns, so a call costs what it
 * touches. Sums run in a fixed order: newest event first, entries as the table has them,
 * features by number. */
#include "core/head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/vmath.h"
#include "core/kernel.h"

#define ALL6(x)                                                                        \
    {                                                                                  \
        x, x, x, x, x, x                                                               \
    }
const struct eddy_head eddy_head_plain = {
    .network = ALL6(true),
    .scale = {1, 1, 1, 1, 1},
    .decay = {1, 1, 1, 1, 1},
    .recent = EDDY_HEAD_RECENT_MAX,
};
_Static_assert(EDDY_HEAD_BUCKETS == 6 && EDDY_HEAD_FEATURES == 5, "plain lists them");

uint32_t eddy_head_bucket(uint32_t known_recent_events)
{
    if (known_recent_events < 3)
        return known_recent_events;
    return known_recent_events < 6 ? 3 : known_recent_events < 20 ? 4 : 5;
}

bool eddy_head_is_signed(enum eddy_head_feature feature)
{
    return feature == EDDY_HEAD_SEEN || feature == EDDY_HEAD_SHOWN;
}

bool eddy_head_uses(const struct eddy_head *head, enum eddy_head_feature feature)
{
    bool any = false;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        any = any || head->weight[b][feature] != 0;
    return any;
}

bool eddy_head_uses_prior(const struct eddy_head *head, uint32_t prior)
{
    bool any = false;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        any = any || head->prior[b][prior] != 0;
    return any;
}

bool eddy_head_is_plain(const struct eddy_head *head)
{
    bool plain = true;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        plain = plain && head->network[b];
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
        plain = plain && !eddy_head_uses(head, (enum eddy_head_feature)f);
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        plain = plain && !eddy_head_uses_prior(head, h);
    return plain;
}

void eddy_tables_fini(struct eddy_tables *tables)
{
    eddy_table_fini(&tables->related);
    eddy_table_fini(&tables->rules);
    eddy_sessions_fini(&tables->sessions);
    free(tables->cold.items);
    free(tables->cold.place);
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        free(tables->prior[h]);
    *tables = (struct eddy_tables){0};
}

/* ---- features ----------------------------------------------------------------------- */

struct eddy_head_scratch {
    uint32_t items;
    float *sum;        /* (items) of one feature; zeros between calls */
    uint32_t *touched; /* (items) where it is not zero */
    float *total;      /* (items) zeros between calls */
    uint64_t *bits;    /* (items / 64 + 1) where it was added to; zeros between calls */
    float *values;     /* (items) of the touched, in their order */
    struct eddy_addition *out; /* (items) */
    struct eddy_neighbours_scratch *near;
    uint32_t *near_items; /* (items) */
    float *near_weights;
};

struct eddy_head_scratch *eddy_head_scratch_new(const struct eddy_tables *tables,
                                                const struct eddy_head *head)
{
    struct eddy_head_scratch *scratch = calloc(1, sizeof *scratch);
    size_t items = (size_t)tables->items + 1;
    bool near =
        eddy_head_uses(head, EDDY_HEAD_NEIGHBOURS) || tables->sessions.count > 0;
    if (scratch == NULL)
        return NULL;
    scratch->items = tables->items;
    scratch->sum = calloc(items, sizeof *scratch->sum);
    scratch->touched = malloc(items * sizeof *scratch->touched);
    scratch->total = calloc(items, sizeof *scratch->total);
    scratch->bits = calloc(items / 64 + 1, sizeof *scratch->bits);
    scratch->values = malloc(items * sizeof *scratch->values);
    scratch->out = malloc(items * sizeof *scratch->out);
    bool good = scratch->sum && scratch->touched && scratch->total && scratch->bits &&
                scratch->values && scratch->out;
    if (good && near) {
        scratch->near = eddy_neighbours_scratch_new(&tables->sessions);
        scratch->near_items = malloc(items * sizeof *scratch->near_items);
        scratch->near_weights = malloc(items * sizeof *scratch->near_weights);
        good = scratch->near && scratch->near_items && scratch->near_weights;
    }
    if (!good) {
        eddy_head_scratch_free(scratch);
        return NULL;
    }
    return scratch;
}

void eddy_head_scratch_free(struct eddy_head_scratch *scratch)
{
    if (scratch == NULL)
        return;
    free(scratch->sum);
    free(scratch->touched);
    free(scratch->total);
    free(scratch->bits);
    free(scratch->values);
    free(scratch->out);
    eddy_neighbours_scratch_free(scratch->near);
    free(scratch->near_items);
    free(scratch->near_weights);
    free(scratch);
}

/* Add to the sum of an item; the new number of items touched. A product may vanish: then
 * the item stays untouched. */
static uint32_t touch(struct eddy_head_scratch *scratch, uint32_t count, uint32_t item,
                      float value)
{
    if (!(value > 0) || item >= scratch->items)
        return count;
    if (scratch->sum[item] == 0)
        scratch->touched[count++] = item;
    scratch->sum[item] += value;
    return count;
}

static uint32_t add_rows(const struct eddy_table *table,
                         struct eddy_head_scratch *scratch,
                         struct eddy_head_recent recent, uint32_t newest, float decay)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < newest && p < recent.count; p++) {
        uint32_t row = recent.items[recent.count - 1 - p];
        float share = eddy_expf(-(float)p / decay);
        if (row >= table->items)
            continue;
        for (uint64_t i = table->begin[row]; i < table->begin[row + 1]; i++)
            count = touch(scratch, count, table->index[i], share * table->weight[i]);
    }
    return count;
}

static uint32_t add_seen(struct eddy_head_scratch *scratch,
                         struct eddy_head_recent recent, float decay)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < recent.count; p++)
        count = touch(scratch, count, recent.items[recent.count - 1 - p],
                      eddy_expf(-(float)p / decay));
    return count;
}

static uint32_t add_shown(struct eddy_head_scratch *scratch,
                          struct eddy_head_recent recent, float decay)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < recent.shown_count; i++)
        count = touch(scratch, count, recent.shown[i].item,
                      (float)recent.shown[i].times *
                          eddy_expf(-(float)recent.shown[i].age / decay));
    return count;
}

static uint32_t add_votes(const struct eddy_tables *tables,
                          const struct eddy_head *head,
                          struct eddy_head_scratch *scratch,
                          struct eddy_head_recent recent)
{
    uint32_t count = 0;
    if (scratch->near == NULL || tables->sessions.count == 0)
        return 0;
    uint32_t votes =
        eddy_neighbours_vote(&tables->sessions, &head->neighbours, scratch->near,
                             recent.items, recent.count, scratch->near_items,
                             scratch->near_weights, scratch->items);
    for (uint32_t i = 0; i < votes; i++)
        count = touch(scratch, count, scratch->near_items[i], scratch->near_weights[i]);
    return count;
}

/* s_f into sum; how many items were touched. */
static uint32_t add_feature(const struct eddy_tables *tables,
                            const struct eddy_head *head,
                            struct eddy_head_scratch *scratch,
                            enum eddy_head_feature feature,
                            struct eddy_head_recent recent)
{
    float decay = head->decay[feature];
    switch (feature) {
    case EDDY_HEAD_RELATED:
        return add_rows(&tables->related, scratch, recent, head->recent, decay);
    case EDDY_HEAD_RULES:
        return add_rows(&tables->rules, scratch, recent, head->recent, decay);
    case EDDY_HEAD_NEIGHBOURS: return add_votes(tables, head, scratch, recent);
    case EDDY_HEAD_SEEN: return add_seen(scratch, recent, decay);
    case EDDY_HEAD_SHOWN: return add_shown(scratch, recent, decay);
    case EDDY_HEAD_FEATURES: break;
    }
    return 0;
}

uint32_t eddy_head_feature_values(const struct eddy_tables *tables,
                                  const struct eddy_head *head,
                                  struct eddy_head_scratch *scratch,
                                  enum eddy_head_feature feature,
                                  struct eddy_head_recent recent,
                                  const struct eddy_addition **ret)
{
    uint32_t count = add_feature(tables, head, scratch, feature, recent);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t item = scratch->touched[i];
        scratch->out[i] = (struct eddy_addition){item, scratch->sum[item]};
        scratch->sum[item] = 0;
    }
    *ret = scratch->out;
    return count;
}

/* The marked items by rising index out of total, which is zeros again afterwards. */
static uint32_t collect(struct eddy_head_scratch *scratch)
{
    uint32_t count = 0;
    for (uint32_t word = 0; word <= scratch->items / 64; word++) {
        uint64_t bits = scratch->bits[word];
        scratch->bits[word] = 0;
        for (; bits != 0; bits &= bits - 1) {
            uint32_t item = word * 64 + (uint32_t)__builtin_ctzll(bits);
            scratch->out[count++] = (struct eddy_addition){item, scratch->total[item]};
            scratch->total[item] = 0;
        }
    }
    return count;
}

uint32_t eddy_head_additions(const struct eddy_tables *tables,
                             const struct eddy_head *head,
                             struct eddy_head_scratch *scratch,
                             struct eddy_head_recent recent,
                             const struct eddy_addition **ret)
{
    const struct eddy_kernels *kernels = eddy_kernels_get();
    const float *weight = head->weight[eddy_head_bucket(recent.count)];
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++) {
        if (weight[f] == 0)
            continue;
        uint32_t count =
            add_feature(tables, head, scratch, (enum eddy_head_feature)f, recent);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t item = scratch->touched[i];
            scratch->values[i] = head->scale[f] * scratch->sum[item];
            scratch->sum[item] = 0;
        }
        kernels->log1p(scratch->values, count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t item = scratch->touched[i];
            scratch->total[item] += weight[f] * scratch->values[i];
            scratch->bits[item / 64] |= UINT64_C(1) << item % 64;
        }
    }
    *ret = scratch->out;
    return collect(scratch);
}
