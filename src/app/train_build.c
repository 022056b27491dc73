#include "app/train_build.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/exchange.h"

/* Entries per row of an item-item table: a list of 25 takes out what the user has had. */
enum { WIDTH = 200 };
/* Events of a user to either side in which two items go together. Validation slice (of the
 * training part of ML-1M's workshop split the last tenth of each user, asked from his last
 * item before), MRR@25: 5 0.174, 10 0.168, 20 0.167; of Beauty's and Toys' last training
 * events 5 0.026 and 0.024, 10 and 20 the same. The one that counts most pairs of small
 * data. */
enum { SIMS_WINDOW = 20 }; /* app/recipe.c tells users */
/* How many cold items the service wants for aws-hrnn-coldstart. */
enum { COLD_ITEMS_MIN = 100, COLD_ITEMS_MAX = 80000 };

static int count(const struct eddy_build_inputs *inputs,
                 const struct eddy_recipe *recipe,
                 const struct eddy_recipe_options *options,
                 struct eddy_build_result *ret, struct eddy_err *err)
{
    struct eddy_counting_options counting = {
        .kind = recipe->counting,
        .trend_interval_s = eddy_trend_intervals_s[options->trend_discovery_frequency],
        .sims = {.discount = options->popularity_discount_factor,
                 .common_min = (uint32_t)options->min_cointeraction_count,
                 .window = SIMS_WINDOW,
                 .width = WIDTH,
                 .threads = (uint32_t)options->train.threads},
        .similar = {.id_dimension = (uint32_t)options->item_id_hidden_dim,
                    .metadata_dimension = (uint32_t)options->item_metadata_hidden_dim,
                    .width = WIDTH,
                    .threads = (uint32_t)options->train.threads,
                    .seed = options->train.seed},
    };
    return eddy_counting_model(inputs, &counting, ret, err);
}

static int keep_cold(const struct eddy_build_inputs *inputs,
                     const struct eddy_recipe_options *options,
                     struct eddy_build_result *result, struct eddy_err *err)
{
    struct eddy_cold_options cold = {
        .interactions_max = (uint64_t)options->cold_start_max_interactions,
        .days_max = options->cold_start_max_duration,
        .now_ms = options->cold_start_relative_from == EDDY_COLD_FROM_NOW
                      ? eddy_now_ms()
                      : INT64_MIN,
    };
    const struct eddy_exchange *group = options->train.exchange;
    bool *is_cold = NULL, leads = group == NULL || group->rank == 0;
    uint32_t count_cold = 0;
    if (eddy_count_cold(inputs->interactions, inputs->items, &cold, &is_cold,
                        &count_cold) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the age of items");
    int r = eddy_counting_keep_cold(result, is_cold, err);
    free(is_cold);
    if (r == 0 && leads && (count_cold < COLD_ITEMS_MIN || count_cold > COLD_ITEMS_MAX))
        (void)fprintf(stderr,
                      "eddy train: warning: lists will hold %u item%s, as so many are "
                      "cold; Amazon's service trains this recipe with %d to %d: see "
                      "cold_start_max_interactions and cold_start_max_duration\n",
                      count_cold, count_cold == 1 ? "" : "s", COLD_ITEMS_MIN,
                      COLD_ITEMS_MAX);
    return r;
}

int eddy_train_build(const struct eddy_build_inputs *inputs,
                     const struct eddy_recipe *recipe,
                     const struct eddy_recipe_options *options,
                     const struct eddy_build_steps *steps,
                     eddy_train_progress_fn progress, void *context,
                     struct eddy_build_result *ret, struct eddy_err *err)
{
    if (!recipe->network) {
        if (steps != NULL)
            steps->begin(steps->context, "counting", 0, 0);
        return count(inputs, recipe, options, ret, err);
    }
    struct eddy_build_options build = {
        .train = options->train,
        .steps = steps ? *steps : (struct eddy_build_steps){0},
        .network = true,
        .tables = recipe->tables && !recipe->cold_only,
        .impressions = recipe->impressions,
        .item_metadata = recipe->item_metadata,
        .user_metadata = recipe->user_metadata,
        .context_metadata = recipe->user_metadata,
    };
    struct eddy_build_result result;
    int r = eddy_build(inputs, &build, progress, context, &result, err);
    if (r == 0 && recipe->cold_only &&
        (r = keep_cold(inputs, options, &result, err)) < 0)
        eddy_build_result_fini(&result);
    if (r == 0)
        *ret = result;
    return r;
}
