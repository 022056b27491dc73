/* Metadata of items in training (core/train_items.h).
 *
 * The network reads two arrays, E and bias, and leaves the gradients by them in the places
 * of e and b. Here they are made before a batch and taken apart after it: with F_i the
 * sparse row of item i, dF = sum_i f_i dE_i, de_i = m_i dE_i. So forward, loss and backward
 * know nothing of metadata. The cost is two passes over the non-zero features of all
 * items (3,700 items of 30 features at H = 128: about 2 ms each), not of the batch; with
 * drawn negatives a batch reads few items, and the passes are over those. */
#include "core/train_items.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "core/kernel.h"
#include "core/team.h"

enum { PIECE = 256 };

/* What F and w lose per step, times the rate. On a part of ML-1M, Recall@25 of held-out items
 * at 1 % of warm NDCG@10: 0 .026, 0.5 .025, 2 .031, 8 .034; with less of the titles
 * (core/features_rows.c) 2 .036, 8 .027. */
static const double shrinking = 2;

/* Far enough below any logit that exp() of it is nothing, near enough to stay exact. */
static const float never = -10000.0f;
/* Of the mean scores of known items: where one without event and metadata begins. */
static const double cold_quantile = 0.02;
/* Items without events that nobody wants, per item of Chao's lower bound; and the least
 * logarithm of the chance to be new. */
static const double unwanted_per_chao = 3, log_new_min = -3;

int eddy_train_items_init(struct eddy_train_items *items,
                          const struct eddy_layout *layout,
                          const struct eddy_features *features, double dropout,
                          uint32_t threads)
{
    const struct eddy_shape *shape = &layout->shape;
    *items = (struct eddy_train_items){
        .layout = layout,
        .features = shape->item_features > 0 ? features : NULL,
        .items = shape->items,
        .hidden = shape->hidden,
        .threads = threads,
        .dropout = dropout,
    };
    items->known = calloc(shape->items, sizeof *items->known);
    if (items->known == NULL)
        return EDDY_ENOMEM;
    if (items->features == NULL)
        return 0;
    items->table = eddy_floats_new((size_t)shape->items * shape->hidden);
    items->bias = eddy_floats_new(shape->items);
    if (items->table != NULL && items->bias != NULL)
        return 0;
    eddy_train_items_fini(items);
    return EDDY_ENOMEM;
}

int eddy_train_items_read_few(struct eddy_train_items *items)
{
    size_t floats = (size_t)items->items * items->hidden;
    if (items->features == NULL)
        return 0;
    items->reads = calloc(items->items, sizeof *items->reads);
    if (items->reads == NULL)
        return EDDY_ENOMEM;
    for (size_t i = 0; i < floats; i++) /* who reads what is not named is found out */
        items->table[i] = NAN;
    return 0;
}

void eddy_train_items_forget(struct eddy_train_items *items)
{
    if (items->reads != NULL)
        memset(items->reads, 0, items->items * sizeof *items->reads);
}

void eddy_train_items_fini(struct eddy_train_items *items)
{
    free(items->known);
    free(items->kept);
    free(items->kept_bias);
    free(items->table);
    free(items->bias);
    free(items->reads);
    *items = (struct eddy_train_items){0};
}

static float *tensor(const struct eddy_train_items *items, float *block,
                     enum eddy_global_tensor which)
{
    return eddy_global(items->layout, block, which);
}

/* Read only. */
static const float *value(const struct eddy_train_items *items, const float *block,
                          enum eddy_global_tensor which)
{
    return eddy_global(items->layout, (float *)(uintptr_t)block, which);
}

static void start_item(const struct eddy_train_items *items, uint64_t seed,
                       uint32_t item, float bias, float *params)
{
    float *row = tensor(items, params, EDDY_G_ITEM) + (size_t)item * items->hidden;
    struct eddy_rng rng;
    eddy_rng_seed(&rng, eddy_mix64(seed, item));
    for (uint32_t h = 0; h < items->hidden; h++)
        row[h] = (float)(0.02 * eddy_rng_normal(&rng));
    tensor(items, params, EDDY_G_ITEM_BIAS)[item] = bias;
}

int eddy_train_items_keep(struct eddy_train_items *items, uint32_t item,
                          const float *params)
{
    if (items->kept == NULL) {
        items->kept = calloc(items->items, sizeof *items->kept);
        items->kept_bias = calloc(items->items, sizeof *items->kept_bias);
    }
    if (items->kept == NULL || items->kept_bias == NULL)
        return EDDY_ENOMEM;
    items->kept[item] = 1;
    items->kept_bias[item] = value(items, params, EDDY_G_ITEM_BIAS)[item];
    return 0;
}

/* Whether an item is out of training with what an older model knew of it. */
static bool is_resting(const struct eddy_train_items *items, uint32_t item)
{
    return items->kept != NULL && items->kept[item] && !items->known[item];
}

/* E and bias, in the places of e and b, become e and b. */
static void take_out_features(const struct eddy_train_items *items, uint32_t item,
                              float *params)
{
    const struct eddy_features *features = items->features;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    const float *table = value(items, params, EDDY_G_ITEM_FEATURES);
    const float *weights = value(items, params, EDDY_G_ITEM_FEATURE_BIAS);
    float *row = tensor(items, params, EDDY_G_ITEM) + (size_t)item * items->hidden;
    float *bias = tensor(items, params, EDDY_G_ITEM_BIAS) + item;
    for (uint64_t j = features ? features->begin[item] : 0;
         features && j < features->begin[item + 1]; j++) {
        size_t feature = features->index[j];
        vector->axpy(items->hidden, -features->weight[j],
                     table + feature * items->hidden, row);
        *bias -= features->weight[j] * weights[feature];
    }
}

/* What an item has that has become known in the last phase. */
static void wake_item(const struct eddy_train_items *items, uint64_t seed,
                      uint32_t item, float bias, float *params)
{
    if (items->kept == NULL || !items->kept[item]) {
        start_item(items, seed, item, bias, params);
        return;
    }
    tensor(items, params, EDDY_G_ITEM_BIAS)[item] = items->kept_bias[item];
    take_out_features(items, item, params);
}

/* Mean bias of the items that were known until now. */
static float mean_bias(const struct eddy_train_items *items, const float *params)
{
    const float *bias = value(items, params, EDDY_G_ITEM_BIAS);
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < items->items; i++) {
        if (items->known[i]) {
            sum += (double)bias[i];
            count++;
        }
    }
    return count > 0 ? (float)(sum / count) : 0;
}

/* One more event of an item, up to three. */
static void see(struct eddy_train_items *items, uint32_t item)
{
    items->known[item] += (items->known[item] & 3) < 3 ? 1 : 0;
}

void eddy_train_items_know(struct eddy_train_items *items,
                           const struct eddy_sequence *sequences, uint32_t count,
                           uint64_t seed, float *params)
{
    enum { COUNT = 3, BEFORE = 4, TARGET = 8 };
    bool first = true;
    float bias = mean_bias(items, params);
    float *b = tensor(items, params, EDDY_G_ITEM_BIAS);

    for (uint32_t i = 0; i < items->items; i++) {
        first = first && items->known[i] == 0;
        items->known[i] = items->known[i] > 0 ? BEFORE : 0;
    }
    for (uint32_t s = 0; s < count; s++) {
        const struct eddy_sequence *sequence = &sequences[s];
        for (uint32_t j = 0; j < sequence->count; j++) {
            see(items, sequence->steps[j].item);
            if (sequence->targets && sequence->targets[j] != EDDY_ITEM_NONE)
                items->known[sequence->targets[j]] |= TARGET;
        }
        /* the last target is no step; the others are */
        if (sequence->count > 0 && sequence->targets &&
            sequence->targets[sequence->count - 1] != EDDY_ITEM_NONE)
            see(items, sequence->targets[sequence->count - 1]);
    }
    items->unknown = 0;
    for (uint32_t i = 0; i < items->items; i++) {
        bool before = (items->known[i] & BEFORE) != 0;
        bool now = (items->known[i] & (COUNT | TARGET)) != 0;
        items->known[i] &= COUNT;
        items->known[i] += now && items->known[i] == 0 ? 1 : 0;
        items->unknown += now || is_resting(items, i) ? 0 : 1;
        if (now && !before && !first)
            wake_item(items, seed, i, bias, params);
        if (now)
            continue;
        if (!is_resting(items, i))
            memset(tensor(items, params, EDDY_G_ITEM) + (size_t)i * items->hidden, 0,
                   items->hidden * sizeof *params);
        b[i] = items->features ? 0 : never;
    }
}

/* m of an item. */
static bool counts(const struct eddy_train_items *items, uint32_t item)
{
    if (!items->known[item])
        return false;
    return !items->drops || eddy_draw_unit(items->key, item, 0, 0) >= items->dropout;
}

struct build {
    const struct eddy_train_items *items;
    const float *params;
    float *table, *bias;
    const bool *only; /* these; NULL: all */
};

/* Sparse row times the tables of features, added to a row and a number. */
static void add_features(const struct eddy_train_items *items, const float *params,
                         uint32_t item, float *row, float *bias)
{
    const struct eddy_features *features = items->features;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    const float *table = value(items, params, EDDY_G_ITEM_FEATURES);
    const float *weights = value(items, params, EDDY_G_ITEM_FEATURE_BIAS);
    for (uint64_t i = features->begin[item]; i < features->begin[item + 1]; i++) {
        size_t feature = features->index[i];
        vector->axpy(items->hidden, features->weight[i],
                     table + feature * items->hidden, row);
        *bias += features->weight[i] * weights[feature];
    }
}

static void build_piece(void *context, uint32_t piece, uint32_t worker)
{
    struct build *build = context;
    const struct eddy_train_items *items = build->items;
    const float *e = value(items, build->params, EDDY_G_ITEM);
    const float *b = value(items, build->params, EDDY_G_ITEM_BIAS);
    float cold = *value(items, build->params, EDDY_G_ITEM_COLD_BIAS);
    size_t hidden = items->hidden, bytes = hidden * sizeof *e;
    uint32_t end =
        (piece + 1) * PIECE < items->items ? (piece + 1) * PIECE : items->items;
    (void)worker; /* needs no scratch */
    for (uint32_t i = piece * PIECE; i < end; i++) {
        if (build->only != NULL && !build->only[i])
            continue;
        float *row = build->table + i * hidden;
        bool itself = counts(items, i), resting = is_resting(items, i);
        if (items->fixed != NULL && itself) {
            memcpy(row, items->fixed + i * hidden, bytes);
            build->bias[i] = items->fixed_bias[i];
            continue;
        }
        float bias = resting ? items->kept_bias[i] : itself ? b[i] : cold;
        if (itself || resting)
            memmove(row, e + i * hidden, bytes); /* table may be e */
        else
            memset(row, 0, bytes);
        if (!resting)
            add_features(items, build->params, i, row, &bias);
        build->bias[i] = items->known[i] || items->serving ? bias : never;
    }
}

static void build(const struct eddy_train_items *items, const float *params,
                  float *table, float *bias, const bool *only)
{
    struct build build = {items, params, table, bias, only};
    eddy_team_run(items->threads, (items->items + PIECE - 1) / PIECE, build_piece,
                  &build);
}

int eddy_train_items_fix(struct eddy_train_items *items, const float *params)
{
    size_t values = (size_t)items->items * items->hidden;
    float *fixed = eddy_floats_new(values), *bias = eddy_floats_new(items->items);
    if (fixed == NULL || bias == NULL) {
        free(fixed);
        free(bias);
        return EDDY_ENOMEM;
    }
    items->drops = items->serving = false;
    build(items, params, fixed, bias, NULL);
    items->fixed = fixed;
    items->fixed_bias = bias;
    return 0;
}

void eddy_train_items_let_go(struct eddy_train_items *items, float *params)
{
    float *e = tensor(items, params, EDDY_G_ITEM);
    float *b = tensor(items, params, EDDY_G_ITEM_BIAS);
    for (uint32_t i = 0; i < items->items; i++) {
        size_t at = (size_t)i * items->hidden;
        if (!items->known[i])
            continue;
        memcpy(e + at, items->fixed + at, items->hidden * sizeof *e);
        b[i] = items->fixed_bias[i];
        take_out_features(items, i, params);
    }
    free(items->fixed);
    free(items->fixed_bias);
    items->fixed = items->fixed_bias = NULL;
}

void eddy_train_items_batch(struct eddy_train_items *items, const float *params,
                            bool hides, uint64_t key)
{
    if (items->features == NULL)
        return;
    items->key = key;
    items->drops = hides && items->dropout > 0;
    items->serving = false;
    build(items, params, items->table, items->bias, items->reads);
}

void eddy_train_items_all(struct eddy_train_items *items, const float *params)
{
    if (items->features == NULL)
        return;
    items->drops = false;
    items->serving = false;
    build(items, params, items->table, items->bias, NULL);
}

void eddy_train_items_view(const struct eddy_train_items *items,
                           struct eddy_net_view *view)
{
    if (items->features == NULL)
        return;
    view->tensor[EDDY_G_ITEM] = items->table;
    view->tensor[EDDY_G_ITEM_BIAS] = items->bias;
}

static bool is_zero(const float *row, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (row[i] != 0)
            return false;
    return true;
}

void eddy_train_items_chain(const struct eddy_train_items *items, float *gradients)
{
    const struct eddy_features *features = items->features;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    size_t hidden = items->hidden;
    if (features == NULL)
        return;
    float *de = tensor(items, gradients, EDDY_G_ITEM);
    float *db = tensor(items, gradients, EDDY_G_ITEM_BIAS);
    float *dtable = tensor(items, gradients, EDDY_G_ITEM_FEATURES);
    float *dweights = tensor(items, gradients, EDDY_G_ITEM_FEATURE_BIAS);
    float *dcold = tensor(items, gradients, EDDY_G_ITEM_COLD_BIAS);
    for (uint32_t i = 0; i < items->items; i++) {
        float *row = de + i * hidden;
        if (items->reads != NULL && !items->reads[i])
            continue;
        if (db[i] == 0 && is_zero(row, items->hidden))
            continue;
        if (items->fixed != NULL && counts(items, i))
            continue;
        for (uint64_t j = features->begin[i]; j < features->begin[i + 1]; j++) {
            size_t feature = features->index[j];
            vector->axpy(items->hidden, features->weight[j], row,
                         dtable + feature * hidden);
            dweights[feature] += features->weight[j] * db[i];
        }
        if (counts(items, i))
            continue;
        *dcold += db[i];
        db[i] = 0;
        memset(row, 0, hidden * sizeof *row);
    }
}

void eddy_train_items_shrink(const struct eddy_train_items *items, double rate,
                             float *params)
{
    if (items->features == NULL)
        return;
    float kept = (float)(1 - rate * shrinking);
    size_t features = items->layout->shape.item_features;
    float *table = tensor(items, params, EDDY_G_ITEM_FEATURES);
    float *weights = tensor(items, params, EDDY_G_ITEM_FEATURE_BIAS);
    for (size_t i = 0; i < features * items->hidden; i++)
        table[i] *= kept;
    for (size_t i = 0; i < features; i++)
        weights[i] *= kept;
}

static int compare_floats(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The quantile of mean scores of the known items; 0 when there is none. */
static float low_score(const struct eddy_train_items *items, const float *mean_query,
                       const float *params)
{
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    const float *e = value(items, params, EDDY_G_ITEM);
    const float *b = value(items, params, EDDY_G_ITEM_BIAS);
    float *scores = malloc(items->items * sizeof *scores), score = 0;
    uint32_t count = 0;
    if (scores == NULL) /* as if all were equal */
        return 0;
    for (uint32_t i = 0; i < items->items; i++)
        if (items->known[i])
            scores[count++] = b[i] + vector->dot(items->hidden, mean_query,
                                                 e + (size_t)i * items->hidden);
    qsort(scores, count, sizeof *scores, compare_floats);
    if (count > 0)
        score = scores[(uint32_t)(cold_quantile * (count - 1))];
    free(scores);
    return score;
}

/* Logarithm of the chance that an item without events is new. */
static float log_new(const struct eddy_train_items *items)
{
    double once = 0, twice = 0, unwanted, share;
    for (uint32_t i = 0; i < items->items; i++) {
        once += items->known[i] == 1 ? 1 : 0;
        twice += items->known[i] == 2 ? 1 : 0;
    }
    if (items->unknown == 0)
        return 0;
    unwanted = unwanted_per_chao * once * once / (2 * (twice + 1));
    share = 1 - unwanted / items->unknown;
    return share > 0 && log(share) > log_new_min ? (float)log(share)
                                                 : (float)log_new_min;
}

void eddy_train_items_finish(struct eddy_train_items *items, const float *mean_query,
                             float *params)
{
    float *b = tensor(items, params, EDDY_G_ITEM_BIAS);
    if (items->features != NULL) {
        items->drops = false;
        items->serving = true;
        build(items, params, tensor(items, params, EDDY_G_ITEM), b, NULL);
        float less = log_new(items);
        for (uint32_t i = 0; i < items->items; i++)
            b[i] += items->known[i] || is_resting(items, i) ? 0 : less;
        return;
    }
    float score = items->unknown > 0 ? low_score(items, mean_query, params) : 0;
    for (uint32_t i = 0; i < items->items; i++)
        if (!items->known[i])
            b[i] = is_resting(items, i) ? items->kept_bias[i] : score;
}

void eddy_train_items_resume(struct eddy_train_items *items, float *params)
{
    for (uint32_t i = 0; i < items->items; i++)
        if (items->kept != NULL && items->kept[i] && items->known[i])
            take_out_features(items, i, params);
}
