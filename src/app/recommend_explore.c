#include "app/recommend_explore.h"

#include <stdlib.h>

#include "app/model.h"
#include "app/recipe.h"
#include "core/counting.h"

/* Events and impressions of the model's items in the histories. */
static void count_exposures(const struct eddy_interactions *in, uint32_t items,
                            float *ret)
{
    for (uint64_t i = 0; i < in->count; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        if (row->item < items)
            ret[row->item]++;
        if (in->shown_begin == NULL)
            continue;
        for (uint64_t s = in->shown_begin[row->row]; s < in->shown_begin[row->row + 1];
             s++) {
            uint32_t item = eddy_catalog_find_hash(in->items, in->shown[s]);
            if (item < items)
                ret[item]++;
        }
    }
}

/* (items), free(); NULL: memory. */
static float *exposures_of(const struct eddy_snapshot *snapshot,
                           const struct eddy_interactions *histories)
{
    uint32_t items = snapshot->layout.shape.items;
    float users = (float)eddy_model_users(&snapshot->manifest);
    float *ret = calloc((size_t)items + 1, sizeof *ret);
    if (ret == NULL)
        return NULL;
    count_exposures(histories, items, ret);
    for (uint32_t i = 0; i < items; i++) {
        float known = snapshot->popularity[i] * users;
        ret[i] = ret[i] > known ? ret[i] : known;
    }
    return ret;
}

int eddy_recommend_explore(const struct eddy_snapshot *snapshot,
                           const struct eddy_interactions *histories,
                           const struct eddy_recommend_explore_options *options,
                           struct eddy_explorer **ret, struct eddy_err *err)
{
    const struct eddy_recipe *recipe = eddy_recipe_find(snapshot->manifest.recipe);
    struct eddy_cold_options age = {.interactions_max = UINT64_MAX,
                                    .days_max = options->cut_off_days,
                                    .now_ms = INT64_MIN};
    uint32_t count;
    bool *is_new = NULL;

    if (recipe && eddy_hyper_find(recipe, "exploration_weight") == NULL)
        return eddy_fail(err, EDDY_EUSAGE,
                         "--exploration-weight goes with aws-user-personalization; the "
                         "model is one of %s",
                         recipe->name);
    for (uint64_t i = 0; i < histories->count; i++)
        if (histories->rows[i].ts_ms > age.now_ms)
            age.now_ms = histories->rows[i].ts_ms;
    float *exposure = exposures_of(snapshot, histories);
    int r = exposure == NULL || eddy_count_cold(histories, snapshot->catalog, &age,
                                                &is_new, &count) < 0
                ? EDDY_ENOMEM
                : 0;
    if (r == 0) {
        struct eddy_explore_options explore = {.weight = options->weight,
                                               .is_new = is_new,
                                               .exposure = exposure,
                                               .items = snapshot->layout.shape.items,
                                               .seed = options->seed};
        *ret = eddy_explorer_new(&explore);
    }
    free(exposure);
    free(is_new);
    if (r < 0 || *ret == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for exploration");
    return 0;
}
