/* Layer: app.  What one training is to do: the settings of the network (core/train.h) and
 * the hyper-parameters that belong to a recipe, from defaults and --set. */
#ifndef EDDY_APP_RECIPE_OPTIONS_H
#define EDDY_APP_RECIPE_OPTIONS_H

#include "app/args.h"
#include "app/recipe.h"

enum eddy_cold_from { EDDY_COLD_FROM_NOW, EDDY_COLD_FROM_LATEST };

struct eddy_recipe_options {
    struct eddy_train_options train;
    double min_user_history, max_user_history; /* percentiles, 0..1 */
    double min_item_count, max_item_count;     /* percentiles, 0..1 */
    double popularity_discount_factor;
    int64_t min_cointeraction_count;
    int64_t item_id_hidden_dim, item_metadata_hidden_dim;
    int64_t cold_start_max_interactions;
    double cold_start_max_duration;    /* days */
    int64_t cold_start_relative_from;  /* enum eddy_cold_from */
    int64_t trend_discovery_frequency; /* index into eddy_trend_intervals_s */
};
extern const struct eddy_option eddy_recipe_option_table[];
extern const size_t eddy_recipe_option_count;
extern const int64_t eddy_trend_intervals_s[4];

/* eddy's own defaults and, when the recipe was asked for by name, Amazon's over them. */
int eddy_recipe_options_init(struct eddy_recipe_options *options,
                             const struct eddy_recipe *recipe, bool by_name,
                             struct eddy_err *err);
/* The NAME=VALUE texts of --set over the options: hyper-parameters of a recipe that was
 * asked for by name within Amazon's ranges, all else within eddy's (bptt: 2 to 32, or 0 to
 * 1000). EDDY_EUSAGE says what is allowed. */
int eddy_recipe_options_set(struct eddy_recipe_options *options,
                            const struct eddy_recipe *recipe, bool by_name,
                            const struct eddy_arg_list *set, struct eddy_err *err);
/* Whether a setting of core/train.h (its name in eddy_train_option_table) matters to the
 * recipe: without a network only those of states do. */
bool eddy_recipe_uses(const struct eddy_recipe *recipe, const char *train_option);
/* The hyper-parameters as a JSON object for the manifest: what the recipe uses. */
void eddy_recipe_options_encode(const struct eddy_recipe_options *options,
                                const struct eddy_recipe *recipe, struct eddy_buf *out);

#endif
