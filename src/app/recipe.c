/* The table of recipes. Defaults, ranges and "may be tuned" are those of the service's
 * documentation (developer guide, pages native-recipe-*, item-affinity-recipe,
 * item-attribute-affinity-recipe, how-to-hpo); Amazon calls the types Integer, Float,
 * Boolean and Categorical. Messages, `eddy recipes`, the default settings of a training and
 * the search of hyper-parameters are made from these rows. */
#include "app/recipe.h"

#include <string.h>

#include "core/text.h"

/* clang-format off */
#define PERCENTILES                                                                    \
    {"min_user_history_length_percentile", "0.0", "continuous", 0, 1, NULL, false, false, \
     "Users with shorter histories than this share of all users are not trained on."}, \
    {"max_user_history_length_percentile", "0.99", "continuous", 0, 1, NULL, false, false, \
     "Users with longer histories than this share of all users (robots) are not trained on."}
#define NETWORK(hidden_)                                                               \
    {"hidden_dimension", hidden_, "integer", 32, 256, NULL, true, false,               \
     "Width of embeddings and states."},                                               \
    {"bptt", "32", "integer", 2, 32, NULL, true, false,                                \
     "Events that a gradient crosses."},                                               \
    {"recency_mask", "true", "boolean", 0, 0, NULL, true, false,                       \
     "Whether what is popular of late weighs more."}

static const struct eddy_hyper user_personalization[] = {
    NETWORK("149"), PERCENTILES,
    {"exploration_weight", "0.3", "continuous", 0, 1, NULL, false, true,
     "How much of a list is given to items with few interactions."},
    {"exploration_item_age_cut_off", "30.0", "continuous", 0, 1e9, NULL, false, true,
     "Days after which an item is no longer new."},
};
static const struct eddy_hyper hrnn[] = {NETWORK("43"), PERCENTILES};
static const struct eddy_hyper coldstart[] = {
    NETWORK("149"), PERCENTILES,
    {"cold_start_max_interactions", "15", "integer", 1, 1e9, NULL, false, false,
     "A cold item has at most so many interactions."},
    {"cold_start_max_duration", "5.0", "continuous", 1e-6, 1e6, NULL, false, false,
     "A cold item came at most so many days before cold_start_relative_from."},
    {"cold_start_relative_from", "latestItem", "categorical", 0, 0,
     "currentTime|latestItem", false, false,
     "What the age of an item is counted from: now, or the newest item of the data."},
};
static const struct eddy_hyper ranking[] = {NETWORK("149"), PERCENTILES};
static const struct eddy_hyper trending[] = {
    {"trend_discovery_frequency", "3 hours", "categorical", 0, 0,
     "30 minutes|1 hour|3 hours|1 day", false, false,
     "Length of the two intervals that are compared."},
};
static const struct eddy_hyper sims[] = {
    {"popularity_discount_factor", "0.5", "continuous", 0, 1, NULL, true, false,
     "0: items that go together most often; 1: most often beyond their popularity."},
    {"min_cointeraction_count", "3", "integer", 0, 10, NULL, true, false,
     "Pairs with fewer users in common do not count."},
    {"min_user_history_length_percentile", "0.005", "continuous", 0, 1, NULL, false, false,
     "Users with shorter histories than this share of all users are not counted."},
    {"max_user_history_length_percentile", "0.995", "continuous", 0, 1, NULL, false, false,
     "Users with longer histories than this share of all users are not counted."},
    {"min_item_interaction_count_percentile", "0.01", "continuous", 0, 1, NULL, false, false,
     "The rarest items, that hold this share of all interactions, are not counted."},
    {"max_item_interaction_count_percentile", "0.9", "continuous", 0, 1, NULL, false, false,
     "The most frequent items, beyond this share of all interactions, are not counted."},
};
static const struct eddy_hyper similar[] = {
    {"item_id_hidden_dim", "100", "integer", 30, 200, NULL, true, false,
     "Width of what is learnt of an item from interactions."},
    {"item_metadata_hidden_dim", "100", "integer", 30, 200, NULL, true, false,
     "Width of what is learnt of an item from its metadata."},
};
static const struct eddy_hyper affinity[] = {
    {"hidden_dimension", "149", "integer", 32, 256, NULL, false, false,
     "Width of embeddings and states."},
};

#define HYPERS(rows) .hypers = (rows), .hyper_count = sizeof(rows) / sizeof *(rows)

const struct eddy_recipe eddy_recipes[] = {
    {.name = "aws-user-personalization", .kind = EDDY_RECIPE_PERSONALIZE, .network = true,
     .item_metadata = true, .user_metadata = true, .tables = true, .impressions = true,
     HYPERS(user_personalization),
     .about = "Lists for users that follow every event; items and users with their metadata. "
              "The one to begin with."},
    {.name = "aws-hrnn", .kind = EDDY_RECIPE_PERSONALIZE, .network = true, HYPERS(hrnn),
     .about = "Lists for users by the hierarchical recurrent network alone, from "
              "interactions."},
    {.name = "aws-hrnn-metadata", .kind = EDDY_RECIPE_PERSONALIZE, .network = true,
     .item_metadata = true, .user_metadata = true, HYPERS(hrnn),
     .about = "aws-hrnn that also learns from the columns of items and users."},
    {.name = "aws-hrnn-coldstart", .kind = EDDY_RECIPE_PERSONALIZE, .network = true,
     .item_metadata = true, .user_metadata = true, .cold_only = true, HYPERS(coldstart),
     .about = "Lists for users that hold new items only, found by their metadata."},
    {.name = "aws-popularity-count", .kind = EDDY_RECIPE_POPULAR,
     .counting = EDDY_COUNTING_POPULAR,
     .about = "One list for all: the items that most users have. The baseline."},
    {.name = "aws-trending-now", .kind = EDDY_RECIPE_POPULAR,
     .counting = EDDY_COUNTING_TRENDING, HYPERS(trending),
     .about = "One list for all: the items whose interactions rose most against the interval "
              "before; made anew on the way by eddy recommend --stream --refresh."},
    {.name = "aws-personalized-ranking", .kind = EDDY_RECIPE_RANKING, .network = true,
     .item_metadata = true, .user_metadata = true, .tables = true, HYPERS(ranking),
     .about = "Orders items that you give (search results, a shelf) for each user: "
              "eddy recommend --input-lists."},
    {.name = "aws-sims", .kind = EDDY_RECIPE_RELATED, .counting = EDDY_COUNTING_SIMS,
     HYPERS(sims),
     .about = "Items that the same users have within 20 of their events, for an item: "
              "eddy recommend --for-items."},
    {.name = "aws-similar-items", .kind = EDDY_RECIPE_RELATED, .item_metadata = true,
     .counting = EDDY_COUNTING_SIMILAR, HYPERS(similar),
     .about = "Items like an item, by interactions and metadata, new items too: "
              "eddy recommend --for-items."},
    {.name = "aws-item-affinity", .kind = EDDY_RECIPE_SEGMENT, .network = true,
     .item_metadata = true, .user_metadata = true, .tables = true, HYPERS(affinity),
     .about = "Users for an item, the likeliest first: eddy segment."},
    {.name = "aws-item-attribute-affinity", .kind = EDDY_RECIPE_SEGMENT, .network = true,
     .item_metadata = true, .user_metadata = true, .tables = true, HYPERS(affinity),
     .about = "Users for an attribute of items, the likeliest first: eddy segment."},
};
/* clang-format on */
const uint32_t eddy_recipe_count = sizeof eddy_recipes / sizeof *eddy_recipes;

const struct eddy_recipe *eddy_recipe_find(const char *name)
{
    static const char arn[] = "arn:aws:personalize:::recipe/";
    if (strncmp(name, arn, sizeof arn - 1) == 0)
        name += sizeof arn - 1;
    for (uint32_t i = 0; i < eddy_recipe_count; i++) {
        const char *known = eddy_recipes[i].name;
        if (strcmp(name, known) == 0 || strcmp(name, known + 4) == 0)
            return &eddy_recipes[i];
    }
    return NULL;
}

const char *eddy_recipe_names(void)
{
    return "aws-user-personalization, aws-hrnn, aws-hrnn-metadata, aws-hrnn-coldstart, "
           "aws-popularity-count, aws-trending-now, aws-personalized-ranking, aws-sims, "
           "aws-similar-items, aws-item-affinity, aws-item-attribute-affinity";
}

const char *eddy_recipe_type(const struct eddy_recipe *recipe)
{
    static const char *const names[] = {
        [EDDY_RECIPE_PERSONALIZE] = "USER_PERSONALIZATION",
        [EDDY_RECIPE_POPULAR] = "POPULAR_ITEMS",
        [EDDY_RECIPE_RANKING] = "PERSONALIZED_RANKING",
        [EDDY_RECIPE_RELATED] = "RELATED_ITEMS",
        [EDDY_RECIPE_SEGMENT] = "USER_SEGMENTATION",
    };
    return names[recipe->kind];
}

const struct eddy_hyper *eddy_hyper_find(const struct eddy_recipe *recipe,
                                         const char *name)
{
    for (uint32_t i = 0; i < recipe->hyper_count; i++)
        if (strcmp(recipe->hypers[i].name, name) == 0)
            return &recipe->hypers[i];
    return NULL;
}

static bool is_number(const struct eddy_hyper *hyper)
{
    return strcmp(hyper->kind, "integer") == 0 ||
           strcmp(hyper->kind, "continuous") == 0;
}

void eddy_hyper_put_range(const struct eddy_hyper *hyper, struct eddy_buf *out)
{
    if (is_number(hyper)) {
        eddy_buf_puts(out, hyper->kind[0] == 'i' ? "an integer" : "a number");
        if (hyper->max >= 1e6)
            eddy_buf_puts(out, " above 0");
        else
            eddy_buf_printf(out, " from %g to %g", hyper->min, hyper->max);
        return;
    }
    if (hyper->choices == NULL) {
        eddy_buf_puts(out, "true or false");
        return;
    }
    eddy_buf_puts(out, "one of ");
    for (const char *at = hyper->choices; *at; at++)
        eddy_buf_puts(out, *at == '|' ? ", " : (char[]){*at, 0});
}

bool eddy_hyper_takes(const struct eddy_hyper *hyper, const char *text)
{
    double number;
    size_t size = strlen(text);
    if (is_number(hyper))
        return eddy_number_parse(eddy_span_of(text), &number) && number >= hyper->min &&
               number <= hyper->max &&
               (hyper->kind[0] != 'i' ||
                ((double)(int64_t)number == number && strpbrk(text, ".eE") == NULL));
    if (hyper->choices == NULL)
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    for (const char *at = hyper->choices; at != NULL && size > 0;
         at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strcspn(at, "|") == size && memcmp(at, text, size) == 0)
            return true;
    return false;
}
