/* Ranges of a search, checked against what the recipe allows.
 *
 * Amazon's hyper-parameters may be tuned where its documentation says so (eddy recipes
 * shows it); others are refused, as exploration_weight, which belongs to a campaign. Beyond
 * Amazon, settings of training that decide quality may be searched as well (--set help
 * lists them), but none that decides what is trained on or how quality is measured, or the
 * search would choose the easiest exam. */
#include "app/tune_plan.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

/* Settings of training worth a search. */
static const char *const searchable[] = {"layers",        "cell",      "mode",
                                         "batch_users",   "negatives", "history_events",
                                         "learning_rate", "dropout",   "average",
                                         "clip_norm",     NULL};

static void list_tunable(const struct eddy_recipe *recipe, char out[160])
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < recipe->hyper_count; i++)
        if (recipe->hypers[i].tunable && used < 120)
            used += (size_t)snprintf(out + used, 160 - used, "%s%s", used ? ", " : "",
                                     recipe->hypers[i].name);
    if (used == 0)
        (void)snprintf(out, 160, "nothing");
}

static const struct eddy_option *find_setting(const char *name)
{
    bool known = false;
    for (size_t i = 0; searchable[i] != NULL; i++)
        known = known || strcmp(searchable[i], name) == 0;
    for (size_t i = 0; known && i < eddy_train_option_count; i++)
        if (strcmp(eddy_train_option_table[i].name, name) == 0)
            return &eddy_train_option_table[i];
    return NULL;
}

/* The widest range of a name. */
static int find_range(const struct eddy_tune_plan *plan, const char *name,
                      struct eddy_tune_dimension *ret, struct eddy_err *err)
{
    const struct eddy_hyper *hyper = eddy_hyper_find(plan->recipe, name);
    const struct eddy_option *setting =
        plan->recipe->network ? find_setting(name) : NULL;
    const char *choices = NULL;
    char tunable[160];
    list_tunable(plan->recipe, tunable);
    *ret = (struct eddy_tune_dimension){.kind = EDDY_TUNE_CATEGORICAL};
    if (hyper != NULL && !hyper->tunable)
        return eddy_fail(err, EDDY_ECONFIG,
                         "%s of %s cannot be tuned%s; can be: %.100s", name,
                         plan->recipe->name,
                         hyper->serving ? ": it belongs to the campaign" : "", tunable);
    if (hyper == NULL && setting == NULL)
        return eddy_fail(err, EDDY_ECONFIG,
                         "%.60s is no hyper-parameter of %s that can be tuned; can be: "
                         "%.100s",
                         name, plan->recipe->name, tunable);
    (void)snprintf(ret->name, sizeof ret->name, "%s", name);
    if (hyper != NULL) {
        ret->min = hyper->min;
        ret->max = hyper->max;
        choices = hyper->choices;
        if (strcmp(hyper->kind, "integer") == 0)
            ret->kind = EDDY_TUNE_INTEGER;
        else if (strcmp(hyper->kind, "continuous") == 0)
            ret->kind = EDDY_TUNE_CONTINUOUS;
        else if (choices == NULL)
            choices = "true|false";
    } else {
        ret->min = setting->min;
        ret->max = setting->max;
        choices = setting->choices;
        if (setting->type == EDDY_OPTION_INT)
            ret->kind = EDDY_TUNE_INTEGER;
        else if (setting->type == EDDY_OPTION_FLOAT)
            ret->kind = EDDY_TUNE_CONTINUOUS;
        else if (choices == NULL)
            choices = "true|false";
    }
    while (ret->kind == EDDY_TUNE_CATEGORICAL && *choices &&
           ret->choice_count < EDDY_TUNE_CHOICES) {
        size_t size = strcspn(choices, "|");
        (void)snprintf(ret->choices[ret->choice_count++], EDDY_TUNE_TEXT, "%.*s",
                       (int)size, choices);
        choices += size + (choices[size] == '|');
    }
    return 0;
}

static int append(struct eddy_tune_plan *plan, const struct eddy_tune_dimension *range,
                  struct eddy_err *err)
{
    for (uint32_t d = 0; d < plan->space.count; d++)
        if (strcmp(plan->space.dimensions[d].name, range->name) == 0)
            return eddy_fail(err, EDDY_ECONFIG, "%s has two ranges", range->name);
    if (plan->space.count == EDDY_TUNE_DIMENSIONS)
        return eddy_fail(err, EDDY_ECONFIG, "more than %d hyper-parameters to tune",
                         EDDY_TUNE_DIMENSIONS);
    plan->space.dimensions[plan->space.count++] = *range;
    return 0;
}

static const char *kind_name(enum eddy_tune_kind kind)
{
    static const char *const names[] = {"an integer", "a continuous", "a categorical"};
    return names[kind];
}

static int add_numbers(struct eddy_tune_plan *plan, const char *name, double min,
                       double max, struct eddy_err *err)
{
    struct eddy_tune_dimension range;
    int r = find_range(plan, name, &range, err);
    if (r < 0)
        return r;
    if (range.kind == EDDY_TUNE_CATEGORICAL)
        return eddy_fail(err, EDDY_ECONFIG,
                         "%s is a categorical hyper-parameter: give its values", name);
    if (min > max || min < range.min || max > range.max)
        return eddy_fail(err, EDDY_ECONFIG,
                         "%s: %g to %g is not a range within %g to %g", name, min, max,
                         range.min, range.max);
    if (range.kind == EDDY_TUNE_INTEGER && (floor(min) < min || floor(max) < max))
        return eddy_fail(err, EDDY_ECONFIG, "%s: %g to %g: it takes whole numbers",
                         name, min, max);
    range.min = min;
    range.max = max;
    return append(plan, &range, err);
}

/* Keep the choices that are named. */
static int add_choice(struct eddy_tune_dimension *range,
                      const struct eddy_tune_dimension *all, struct eddy_span value,
                      struct eddy_err *err)
{
    for (uint32_t i = 0; i < all->choice_count; i++) {
        if (!eddy_span_eq_nocase(value, eddy_span_of(all->choices[i])))
            continue;
        for (uint32_t k = 0; k < range->choice_count; k++)
            if (strcmp(range->choices[k], all->choices[i]) == 0)
                return 0;
        memcpy(range->choices[range->choice_count++], all->choices[i], EDDY_TUNE_TEXT);
        return 0;
    }
    return eddy_fail(err, EDDY_ECONFIG, "%s does not take \"%.*s\"", all->name,
                     value.size > 40 ? 40 : (int)value.size, value.data);
}

/* ---- hpoConfig ------------------------------------------------------------------- */

/* A number, or a string that holds one. */
static bool read_number(const json_t *value, double *ret)
{
    if (json_is_number(value)) {
        *ret = json_number_value(value);
        return true;
    }
    return json_is_string(value) &&
           eddy_number_parse(eddy_span_of(json_string_value(value)), ret);
}

static int read_numeric(struct eddy_tune_plan *plan, const json_t *row,
                        enum eddy_tune_kind kind, struct eddy_err *err)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    struct eddy_tune_dimension range;
    double min, max;
    if (name == NULL || !read_number(json_object_get(row, "minValue"), &min) ||
        !read_number(json_object_get(row, "maxValue"), &max))
        return eddy_fail(err, EDDY_ECONFIG,
                         "a range needs name, minValue and maxValue%s%.60s",
                         name ? ": " : "", name ? name : "");
    int r = find_range(plan, name, &range, err);
    if (r == 0 && range.kind != kind)
        return eddy_fail(err, EDDY_ECONFIG,
                         "%s is %s hyper-parameter and stands under %s ones", name,
                         kind_name(range.kind), kind_name(kind));
    return r < 0 ? r : add_numbers(plan, name, min, max, err);
}

static int read_categorical(struct eddy_tune_plan *plan, const json_t *row,
                            struct eddy_err *err)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    const json_t *values = json_object_get(row, "values");
    struct eddy_tune_dimension all, range;
    if (name == NULL || json_array_size(values) == 0)
        return eddy_fail(err, EDDY_ECONFIG,
                         "a categorical range needs name and values%s%.60s",
                         name ? ": " : "", name ? name : "");
    int r = find_range(plan, name, &all, err);
    if (r == 0 && all.kind != EDDY_TUNE_CATEGORICAL)
        r = eddy_fail(err, EDDY_ECONFIG,
                      "%s is %s hyper-parameter and stands under categorical ones",
                      name, kind_name(all.kind));
    range = all;
    range.choice_count = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        const char *text = json_is_true(value)    ? "true"
                           : json_is_false(value) ? "false"
                                                  : json_string_value(value);
        r = add_choice(&range, &all, eddy_span_of(text ? text : "?"), err);
    }
    return r < 0 ? r : append(plan, &range, err);
}

static int read_ranges(struct eddy_tune_plan *plan, json_t *ranges,
                       struct eddy_err *err)
{
    const char *key;
    json_t *list;
    int r = 0;
    json_object_foreach(ranges, key, list)
    {
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
            const json_t *row = json_array_get(list, i);
            if (strcmp(key, "integerHyperParameterRanges") == 0)
                r = read_numeric(plan, row, EDDY_TUNE_INTEGER, err);
            else if (strcmp(key, "continuousHyperParameterRanges") == 0)
                r = read_numeric(plan, row, EDDY_TUNE_CONTINUOUS, err);
            else if (strcmp(key, "categoricalHyperParameterRanges") == 0)
                r = read_categorical(plan, row, err);
            else
                r = eddy_fail(err, EDDY_ECONFIG,
                              "algorithmHyperParameterRanges has no \"%.60s\"", key);
        }
        if (r < 0)
            break;
    }
    return r;
}

static int read_limit(const json_t *resources, const char *key, int64_t most,
                      int64_t *ret, struct eddy_err *err)
{
    const json_t *value = json_object_get(resources, key);
    double number;
    if (value == NULL)
        return 0;
    if (!read_number(value, &number) || number < 1 || number > (double)most ||
        floor(number) < number)
        return eddy_fail(err, EDDY_ECONFIG, "%s: a whole number from 1 to %lld", key,
                         (long long)most);
    *ret = (int64_t)number;
    return 0;
}

static int read_resources(struct eddy_tune_plan *plan, json_t *resources,
                          struct eddy_err *err)
{
    const char *key;
    json_t *value;
    if (resources != NULL && !json_is_object(resources))
        return eddy_fail(err, EDDY_ECONFIG,
                         "hpoResourceConfig is an object with maxNumberOfTrainingJobs "
                         "and maxParallelTrainingJobs");
    json_object_foreach(resources, key, value)
    {
        if (strcmp(key, "maxNumberOfTrainingJobs") != 0 &&
            strcmp(key, "maxParallelTrainingJobs") != 0)
            return eddy_fail(err, EDDY_ECONFIG,
                             "hpoResourceConfig has no \"%.60s\"; it has "
                             "maxNumberOfTrainingJobs and maxParallelTrainingJobs",
                             key);
    }
    int r = read_limit(resources, "maxNumberOfTrainingJobs", EDDY_TUNE_JOBS,
                       &plan->jobs, err);
    return r < 0 ? r
                 : read_limit(resources, "maxParallelTrainingJobs", EDDY_TUNE_PARALLEL,
                              &plan->parallel, err);
}

static int read_config(struct eddy_tune_plan *plan, json_t *config,
                       struct eddy_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(config, key, value)
    {
        if (strcmp(key, "algorithmHyperParameterRanges") != 0 &&
            strcmp(key, "hpoResourceConfig") != 0 && strcmp(key, "hpoObjective") != 0)
            return eddy_fail(err, EDDY_ECONFIG,
                             "hpoConfig has no \"%.60s\"; it has "
                             "algorithmHyperParameterRanges and hpoResourceConfig",
                             key);
    }
    plan->objective_given = json_object_get(config, "hpoObjective") != NULL;
    int r = read_ranges(plan, json_object_get(config, "algorithmHyperParameterRanges"),
                        err);
    return r < 0 ? r
                 : read_resources(plan, json_object_get(config, "hpoResourceConfig"),
                                  err);
}

int eddy_tune_plan_read(struct eddy_tune_plan *plan, struct eddy_span json,
                        const char *name, struct eddy_err *err)
{
    json_error_t where;
    struct eddy_err why = {0};
    json_t *root = json_loadb(json.data, json.size, JSON_REJECT_DUPLICATES, &where);
    json_t *config = root, *inner;
    if (root == NULL)
        return eddy_fail(err, EDDY_ECONFIG, "%.80s:%d: %.100s", name, where.line,
                         where.text);
    if ((inner = json_object_get(config, "solutionConfig")) != NULL)
        config = inner;
    if ((inner = json_object_get(config, "hpoConfig")) != NULL)
        config = inner;
    int r = json_is_object(config)
                ? read_config(plan, config, &why)
                : eddy_fail(&why, EDDY_ECONFIG, "hpoConfig is not an object");
    json_decref(root);
    return r < 0 ? eddy_fail(err, r, "%.60s: %s", name, why.text) : 0;
}

/* ---- the other ways -------------------------------------------------------------- */

int eddy_tune_plan_add(struct eddy_tune_plan *plan, const char *text,
                       struct eddy_err *err)
{
    struct eddy_tune_dimension all, range;
    const char *equals = strchr(text, '=');
    char name[EDDY_TUNE_TEXT];
    size_t size = equals ? (size_t)(equals - text) : 0;
    if (size == 0 || size >= sizeof name || equals[1] == '\0')
        return eddy_fail(err, EDDY_ECONFIG,
                         "--range %.80s: write NAME=MIN..MAX or NAME=A|B", text);
    memcpy(name, text, size);
    name[size] = '\0';
    int r = find_range(plan, name, &all, err);
    if (r < 0)
        return r;
    const char *values = equals + 1, *dots = strstr(values, "..");
    if (all.kind != EDDY_TUNE_CATEGORICAL) {
        double min, max;
        struct eddy_span low = {values, dots ? (size_t)(dots - values) : 0};
        if (dots == NULL || !eddy_number_parse(low, &min) ||
            !eddy_number_parse(eddy_span_of(dots + 2), &max))
            return eddy_fail(err, EDDY_ECONFIG,
                             "--range %.80s: write %s=MIN..MAX, within %g..%g", text,
                             name, all.min, all.max);
        return add_numbers(plan, name, min, max, err);
    }
    range = all;
    range.choice_count = 0;
    while (r == 0 && *values) {
        struct eddy_span value = {values, strcspn(values, "|")};
        r = add_choice(&range, &all, value, err);
        values += value.size + (values[value.size] == '|');
    }
    return r < 0 ? r : append(plan, &range, err);
}

int eddy_tune_plan_default(struct eddy_tune_plan *plan, struct eddy_err *err)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < plan->recipe->hyper_count; i++) {
        struct eddy_tune_dimension range;
        if (!plan->recipe->hypers[i].tunable)
            continue;
        r = find_range(plan, plan->recipe->hypers[i].name, &range, err);
        if (r == 0)
            r = append(plan, &range, err);
    }
    if (r == 0 && plan->space.count == 0)
        r = eddy_fail(err, EDDY_ECONFIG, "%s has no hyper-parameter that can be tuned",
                      plan->recipe->name);
    return r;
}

bool eddy_tune_plan_start(const struct eddy_tune_plan *plan,
                          double ret[EDDY_TUNE_DIMENSIONS])
{
    for (uint32_t d = 0; d < plan->space.count; d++) {
        const struct eddy_tune_dimension *dimension = &plan->space.dimensions[d];
        const struct eddy_hyper *hyper = eddy_hyper_find(plan->recipe, dimension->name);
        const char *text = hyper ? hyper->fallback : NULL;
        for (size_t i = 0; i < eddy_train_option_count; i++)
            if ((text == NULL || !plan->by_name) &&
                strcmp(eddy_train_option_table[i].name, dimension->name) == 0)
                text = eddy_train_option_table[i].fallback;
        if (text == NULL || !eddy_tune_parse(dimension, text, &ret[d]))
            return false;
    }
    return true;
}
