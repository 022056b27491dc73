/* Heads of recipes that only count (core/head.h has the formula).
 *
 * One list for all: a prior of weight 1 in every bucket and nothing else.
 *
 * Related items: the feature `related` over the newest event alone. log1p(c s) with a large
 * c keeps the order of s and lies far above the prior, log popularity times a weight so
 * small that it decides nothing but the order of items that the table does not name. The
 * feature `seen`, with a decay that leaves the newest event alone, takes the item itself to
 * the end of its list. */
#include "core/counting_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/snapshot.h"

#define RELATED_SCALE 1e6f
#define PRIOR_WEIGHT  1e-9f
#define SEEN_WEIGHT   (-100.0f)
#define NEWEST_ALONE  1e-3f /* positions */

static void head_of_prior(struct eddy_head *head, float weight)
{
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        head->network[b] = false;
        head->prior[b][0] = weight;
    }
}

static void head_of_related(struct eddy_head *head)
{
    head_of_prior(head, PRIOR_WEIGHT);
    for (uint32_t b = 1; b < EDDY_HEAD_BUCKETS; b++) {
        head->weight[b][EDDY_HEAD_RELATED] = 1;
        head->weight[b][EDDY_HEAD_SEEN] = SEEN_WEIGHT;
    }
    head->scale[EDDY_HEAD_RELATED] = RELATED_SCALE;
    head->decay[EDDY_HEAD_SEEN] = NEWEST_ALONE;
    head->recent = 1;
}

/* Layout, parameters (all 0) and room for popularity and one prior. */
static int begin(const struct eddy_build_inputs *inputs, struct eddy_build_result *ret,
                 struct eddy_err *err)
{
    const struct eddy_interactions *in = inputs->interactions;
    struct eddy_train_result *network = &ret->network;
    struct eddy_shape shape = {.items = eddy_catalog_count(in->items),
                               .types = in->type_count,
                               .cell = EDDY_CELL_MINGRU,
                               .mode = EDDY_MODE_FLAT};
    *ret = (struct eddy_build_result){.head = eddy_head_plain};
    int r = eddy_layout_init(&network->layout, &shape, err);
    if (r < 0)
        return r;
    network->best_ndcg = network->best_hr = -1;
    network->params = eddy_params_new(&network->layout);
    network->popularity = calloc(shape.items, sizeof *network->popularity);
    ret->tables.items = shape.items;
    ret->tables.priors = 1;
    ret->tables.prior[0] = calloc(shape.items, sizeof(float));
    return network->params && network->popularity && ret->tables.prior[0] ? 0
                                                                          : EDDY_ENOMEM;
}

static int similar(const struct eddy_build_inputs *inputs,
                   const struct eddy_counting_options *options,
                   struct eddy_build_result *ret, struct eddy_err *err)
{
    struct eddy_features features = {0};
    int r = 0;
    if (inputs->items != NULL) {
        r = eddy_vocabulary_learn(inputs->items, inputs->item_kinds,
                                  &ret->vocabularies.items, err);
        if (r == 0)
            r = eddy_features_align(ret->vocabularies.items, inputs->items,
                                    inputs->interactions->items, &features);
    }
    if (r == 0)
        r = eddy_similar_fit(inputs->interactions, features.size > 0 ? &features : NULL,
                             &options->similar, &ret->tables.related, err);
    eddy_features_fini(&features);
    /* It has done its work: what serving needs is in the table. */
    eddy_vocabulary_free(ret->vocabularies.items);
    ret->vocabularies.items = NULL;
    return r;
}

static int fill(const struct eddy_build_inputs *inputs,
                const struct eddy_counting_options *options,
                struct eddy_build_result *ret, struct eddy_err *err)
{
    const struct eddy_interactions *in = inputs->interactions;
    float *popularity = ret->network.popularity, *prior = ret->tables.prior[0];
    uint32_t items = ret->tables.items;
    int r = options->kind == EDDY_COUNTING_TRENDING
                ? eddy_count_trend(in, options->trend_interval_s, popularity)
                : eddy_count_users(in, popularity);
    if (r < 0)
        return r;
    if (options->kind == EDDY_COUNTING_POPULAR ||
        options->kind == EDDY_COUNTING_TRENDING) {
        memcpy(prior, popularity, items * sizeof *prior);
        head_of_prior(&ret->head, 1);
        return 0;
    }
    for (uint32_t i = 0; i < items; i++)
        prior[i] = log1pf(popularity[i]);
    head_of_related(&ret->head);
    if (options->kind == EDDY_COUNTING_SIMS)
        return eddy_sims_fit(in, &options->sims, &ret->tables.related, err);
    return similar(inputs, options, ret, err);
}

int eddy_counting_model(const struct eddy_build_inputs *inputs,
                        const struct eddy_counting_options *options,
                        struct eddy_build_result *ret, struct eddy_err *err)
{
    struct eddy_build_result result;
    int r = begin(inputs, &result, err);
    if (r == 0)
        r = fill(inputs, options, &result, err);
    if (r < 0) {
        eddy_build_result_fini(&result);
        return r == EDDY_ENOMEM ? eddy_fail(err, r, "no memory to count") : r;
    }
    *ret = result;
    return 0;
}

int eddy_counting_keep_cold(struct eddy_build_result *result, const bool *cold,
                            struct eddy_err *err)
{
    struct eddy_train_result *network = &result->network;
    uint32_t items = network->layout.shape.items, count = 0;
    float *bias = eddy_global(&network->layout, network->params, EDDY_G_ITEM_BIAS);
    for (uint32_t i = 0; i < items; i++)
        count += cold[i];
    if (count == 0)
        return eddy_fail(err, EDDY_EFORMAT,
                         "no item is cold: raise cold_start_max_interactions or "
                         "cold_start_max_duration, or give new items with --items");
    float *prior = calloc((size_t)items + 1, sizeof *prior);
    if (prior == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the cold items");
    for (uint32_t i = 0; i < items; i++) {
        prior[i] = log1pf(network->popularity[i]);
        if (!cold[i]) {
            bias[i] = EDDY_HIDDEN_BIAS;
            network->popularity[i] = 0;
        }
    }
    eddy_tables_fini(&result->tables);
    result->tables =
        (struct eddy_tables){.items = items, .priors = 1, .prior = {prior}};
    result->head = eddy_head_plain;
    /* A user whom the network does not know yet: 0 times a bias of -infinity is no number,
     * which no list holds. */
    result->head.prior[0][0] = 1;
    return 0;
}
