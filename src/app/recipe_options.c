/* Settings of a training. Names come from two tables: what the network takes
 * (core/train_options.c), and what only a recipe has (here). A recipe's row (app/recipe.c)
 * narrows a range to Amazon's and gives the default when the recipe is asked for by name;
 * `eddy train` without --recipe keeps eddy's own defaults, which were chosen on data. */
#include "app/recipe_options.h"

#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct eddy_recipe_options, name)

/* clang-format off */
const struct eddy_option eddy_recipe_option_table[] = {
    {"min_user_history_length_percentile", EDDY_OPTION_FLOAT, FIELD(min_user_history), "0", 0, 1,
     NULL, 0, "Users with shorter histories than this share of all users are not trained on."},
    {"max_user_history_length_percentile", EDDY_OPTION_FLOAT, FIELD(max_user_history), "1", 0, 1,
     NULL, 0, "Users with longer histories than this share of all users (robots) are not trained on."},
    {"min_item_interaction_count_percentile", EDDY_OPTION_FLOAT, FIELD(min_item_count), "0", 0, 1,
     NULL, 0, "The rarest items, that hold this share of all interactions, are not counted."},
    {"max_item_interaction_count_percentile", EDDY_OPTION_FLOAT, FIELD(max_item_count), "1", 0, 1,
     NULL, 0, "The most frequent items, beyond this share of all interactions, are not counted."},
    {"popularity_discount_factor", EDDY_OPTION_FLOAT, FIELD(popularity_discount_factor), "0.5",
     0, 1, NULL, 0, "How much the popularity of an item counts against it."},
    {"min_cointeraction_count", EDDY_OPTION_INT, FIELD(min_cointeraction_count), "3", 0, 10, NULL, 0,
     "Pairs of items with fewer users in common do not count."},
    {"item_id_hidden_dim", EDDY_OPTION_INT, FIELD(item_id_hidden_dim), "100", 30, 200, NULL, 0,
     "Width of what is learnt of an item from interactions."},
    {"item_metadata_hidden_dim", EDDY_OPTION_INT, FIELD(item_metadata_hidden_dim), "100", 30, 200,
     NULL, 0, "Width of what is learnt of an item from its metadata."},
    {"cold_start_max_interactions", EDDY_OPTION_INT, FIELD(cold_start_max_interactions), "15", 1,
     1e9, NULL, 0, "A cold item has at most so many interactions."},
    {"cold_start_max_duration", EDDY_OPTION_FLOAT, FIELD(cold_start_max_duration), "5", 1e-6, 1e6,
     NULL, 0, "A cold item came at most so many days ago."},
    {"cold_start_relative_from", EDDY_OPTION_CHOICE, FIELD(cold_start_relative_from), "latestItem",
     0, 0, "currentTime|latestItem", 0, "What the age of an item is counted from."},
    {"trend_discovery_frequency", EDDY_OPTION_CHOICE, FIELD(trend_discovery_frequency), "3 hours",
     0, 0, "30 minutes|1 hour|3 hours|1 day", 0, "Length of the two intervals that are compared."},
};
/* clang-format on */
const size_t eddy_recipe_option_count =
    sizeof eddy_recipe_option_table / sizeof *eddy_recipe_option_table;
const int64_t eddy_trend_intervals_s[4] = {1800, 3600, 10800, 86400};

/* Settings of training that states, not the network, depend on. */
static const char *const state_options[] = {"session_gap_s", "recent_events",
                                            "allow_small"};
enum { STATE_OPTION_COUNT = sizeof state_options / sizeof *state_options };

static bool is_in(const struct eddy_option *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return true;
    return false;
}

bool eddy_recipe_uses(const struct eddy_recipe *recipe, const char *train_option)
{
    for (int i = 0; i < STATE_OPTION_COUNT; i++)
        if (strcmp(state_options[i], train_option) == 0)
            return true;
    return recipe->network || eddy_hyper_find(recipe, train_option) != NULL;
}

static struct eddy_conf *open_conf(struct eddy_recipe_options *options,
                                   struct eddy_option_group groups[2],
                                   struct eddy_err *err)
{
    groups[0] = (struct eddy_option_group){"train", eddy_train_option_table,
                                           eddy_train_option_count, &options->train};
    groups[1] = (struct eddy_option_group){"recipe", eddy_recipe_option_table,
                                           eddy_recipe_option_count, options};
    return eddy_conf_new(groups, 2, err);
}

int eddy_recipe_options_init(struct eddy_recipe_options *options,
                             const struct eddy_recipe *recipe, bool by_name,
                             struct eddy_err *err)
{
    struct eddy_option_group groups[2];
    memset(options, 0, sizeof *options);
    eddy_train_options_init(&options->train);
    struct eddy_conf *conf = open_conf(options, groups, err);
    int r = conf ? 0 : EDDY_ENOMEM;
    for (uint32_t i = 0; r == 0 && by_name && i < recipe->hyper_count; i++) {
        const struct eddy_hyper *hyper = &recipe->hypers[i];
        if (!hyper->serving)
            r = eddy_conf_set(conf, hyper->name, hyper->fallback, EDDY_FROM_FILE,
                              recipe->name, err);
    }
    /* Neither table has texts, so that freeing it leaves the values. */
    eddy_conf_free(conf);
    return r;
}

/* Append "; aws-sims has: a, b, c" to what is wrong with name. */
static int unknown(const struct eddy_recipe *recipe, const char *name,
                   struct eddy_err *err)
{
    const char *names[96];
    size_t count = 0;
    for (uint32_t i = 0; i < recipe->hyper_count && count < 96; i++)
        names[count++] = recipe->hypers[i].name;
    for (size_t i = 0; i < eddy_train_option_count && count < 96; i++)
        if (eddy_recipe_uses(recipe, eddy_train_option_table[i].name))
            names[count++] = eddy_train_option_table[i].name;
    const char *nearest = eddy_args_nearest(name, names, count);
    if (nearest != NULL)
        return eddy_fail(err, EDDY_EUSAGE,
                         "--set %s: %s has no such setting; did you mean %s?", name,
                         recipe->name, nearest);
    return eddy_fail(err, EDDY_EUSAGE,
                     "--set %s: %s has no such setting; see `eddy recipes %s` and "
                     "`eddy train --set help`",
                     name, recipe->name, recipe->name);
}

static int set_one(struct eddy_conf *conf, const struct eddy_recipe *recipe,
                   bool by_name, const char *name, const char *value,
                   struct eddy_err *err)
{
    const struct eddy_hyper *hyper = eddy_hyper_find(recipe, name);
    char where[96];
    if (hyper != NULL && hyper->serving)
        return eddy_fail(err, EDDY_EUSAGE,
                         "--set %s: belongs to serving (a campaign), training does not "
                         "take it; see `eddy recommend --exploration-weight`",
                         name);
    if (hyper != NULL && by_name && !eddy_hyper_takes(hyper, value)) {
        struct eddy_buf range;
        eddy_buf_init(&range, 0);
        eddy_hyper_put_range(hyper, &range);
        int r = eddy_fail(err, EDDY_EUSAGE, "--set %s=%s: %s takes %s", name, value,
                          recipe->name, range.data ? range.data : "");
        eddy_buf_fini(&range);
        return r;
    }
    if (hyper == NULL &&
        (!is_in(eddy_train_option_table, eddy_train_option_count, name) ||
         !eddy_recipe_uses(recipe, name)))
        return unknown(recipe, name, err);
    (void)snprintf(where, sizeof where, "--set %s", name);
    return eddy_conf_set(conf, name, value, EDDY_FROM_COMMAND_LINE, where, err);
}

int eddy_recipe_options_set(struct eddy_recipe_options *options,
                            const struct eddy_recipe *recipe, bool by_name,
                            const struct eddy_arg_list *set, struct eddy_err *err)
{
    struct eddy_recipe_options before = *options;
    struct eddy_option_group groups[2];
    struct eddy_conf *conf = open_conf(options, groups, err); /* fills in defaults */
    int r = conf ? 0 : EDDY_ENOMEM;
    *options = before;
    for (size_t i = 0; r == 0 && i < set->count; i++) {
        const char *text = set->values[i];
        const char *equals = strchr(text, '=');
        char name[64];
        size_t size = equals ? (size_t)(equals - text) : 0;
        if (equals == NULL || size == 0 || size >= sizeof name) {
            r = eddy_fail(err, EDDY_EUSAGE,
                          "--set %s: write NAME=VALUE, e.g. --set dropout=0.5", text);
            break;
        }
        memcpy(name, text, size);
        name[size] = '\0';
        r = set_one(conf, recipe, by_name, name, equals + 1, err);
    }
    eddy_conf_free(conf);
    if (r == 0 && (options->min_user_history > options->max_user_history ||
                   options->min_item_count > options->max_item_count))
        r = eddy_fail(err, EDDY_EUSAGE,
                      "--set: a percentile min_... is above its max_...; nothing would "
                      "be left");
    return r;
}

static void put_option(const struct eddy_option *option, const void *target,
                       struct eddy_buf *out)
{
    const void *field = (const char *)target + option->offset;
    if (out->size > 0 && out->data[out->size - 1] != '{')
        eddy_buf_putc(out, ',');
    eddy_buf_put_json_string(out, eddy_span_of(option->name));
    eddy_buf_putc(out, ':');
    const char *quote = option->type == EDDY_OPTION_CHOICE ? "\"" : "";
    eddy_buf_puts(out, quote);
    eddy_conf_format(option, field, out);
    eddy_buf_puts(out, quote);
}

void eddy_recipe_options_encode(const struct eddy_recipe_options *options,
                                const struct eddy_recipe *recipe, struct eddy_buf *out)
{
    eddy_buf_putc(out, '{');
    for (size_t i = 0; i < eddy_train_option_count; i++)
        if (eddy_recipe_uses(recipe, eddy_train_option_table[i].name))
            put_option(&eddy_train_option_table[i], &options->train, out);
    for (size_t i = 0; i < eddy_recipe_option_count; i++)
        if (eddy_hyper_find(recipe, eddy_recipe_option_table[i].name) != NULL)
            put_option(&eddy_recipe_option_table[i], options, out);
    eddy_buf_putc(out, '}');
}
