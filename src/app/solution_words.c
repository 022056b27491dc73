#include "app/solution_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/event_options.h"
#include "app/recipe_options.h"
#include "app/tune_plan.h"
#include "core/text.h"

const struct eddy_recipe *eddy_solution_recipe(const json_t *solution)
{
    const char *arn = json_string_value(json_object_get(solution, "recipeArn"));
    return arn ? eddy_recipe_find(arn) : NULL;
}

/* What a parser of the command line said, without the name of its option. */
static int refuse(struct eddy_aws_error *error, const char *option,
                  const struct eddy_err *err)
{
    size_t size = strlen(option);
    const char *text =
        strncmp(err->text, option, size) == 0 ? err->text + size : err->text;
    return eddy_aws_fail(error, "InvalidInputException", "%s", text);
}

/* ---- hyper-parameters ------------------------------------------------------------- */

/* Append NAME=VALUE words of a map. -1: too many. */
static int put_map(const json_t *config, const char *member, struct eddy_words *sets,
                   struct eddy_aws_error *error)
{
    const char *name;
    json_t *value, *map = json_object_get(config, member);
    json_object_foreach(map, name, value)
    {
        if (strchr(name, '=') != NULL)
            return eddy_aws_fail(error, "InvalidInputException",
                                 "%s: \"%.60s\" is no hyper-parameter", member, name);
        eddy_words_printf(sets, "%s=%s", name, json_string_value(value));
    }
    return sets->failed || sets->count > EDDY_ARG_LIST_MAX
               ? eddy_aws_fail(error, "InvalidInputException",
                               "%s: more than %d hyper-parameters", member,
                               EDDY_ARG_LIST_MAX)
               : 0;
}

static int put_hypers(const json_t *config, const struct eddy_recipe *recipe,
                      struct eddy_words *words, struct eddy_aws_error *error)
{
    struct eddy_words sets = {.count = 0};
    struct eddy_recipe_options options;
    struct eddy_arg_list list = {.count = 0};
    struct eddy_err err = {0};
    int r = put_map(config, "algorithmHyperParameters", &sets, error);
    if (r == 0)
        r = put_map(config, "featureTransformationParameters", &sets, error);
    if (r == 0 && (list.count = sets.count) > 0)
        memcpy(list.values, sets.list, sets.count * sizeof *sets.list);
    if (r == 0 && (eddy_recipe_options_init(&options, recipe, true, &err) < 0 ||
                   eddy_recipe_options_set(&options, recipe, true, &list, &err) < 0))
        r = refuse(error, "--set ", &err);
    for (size_t i = 0; r == 0 && i < sets.count; i++)
        eddy_words_printf(words, "--set=%s", sets.list[i]);
    eddy_words_fini(&sets);
    return r;
}

/* ---- events ----------------------------------------------------------------------- */

/* Thresholds and weights as the command line has them. */
static int put_event(const json_t *event, struct eddy_words *thresholds,
                     struct eddy_words *weights, struct eddy_aws_error *error)
{
    const char *type = json_string_value(json_object_get(event, "eventType"));
    const json_t *least = json_object_get(event, "eventValueThreshold");
    const json_t *weight = json_object_get(event, "weight");
    if (type == NULL)
        return eddy_aws_fail(error, "InvalidInputException",
                             "eventsConfig: an event of eventParametersList has no "
                             "eventType");
    if (least != NULL)
        eddy_words_printf(thresholds, "%s=%.9g", type, json_number_value(least));
    if (weight != NULL)
        eddy_words_printf(weights, "%s=%.9g", type, json_number_value(weight));
    return 0;
}

static void fill_list(struct eddy_arg_list *list, const struct eddy_words *words)
{
    list->count = words->count < EDDY_ARG_LIST_MAX ? words->count : EDDY_ARG_LIST_MAX;
    for (size_t i = 0; i < list->count; i++)
        list->values[i] = words->list[i];
}

/* Check what has been gathered and put it into words. */
static int put_lists(const struct eddy_words *thresholds,
                     const struct eddy_words *weights, const char *event_type,
                     struct eddy_words *words, struct eddy_aws_error *error)
{
    struct eddy_event_options *options = malloc(sizeof *options);
    struct eddy_arg_list threshold_list = {.count = 0}, weight_list = {.count = 0};
    struct eddy_err err = {0};
    int r = 0;
    fill_list(&threshold_list, thresholds);
    fill_list(&weight_list, weights);
    if (options == NULL)
        r = eddy_aws_fail(error, "InternalFailure", "out of memory");
    else if (eddy_event_options_read(options, &weight_list, &threshold_list, event_type,
                                     &err) < 0)
        r = refuse(error, "--", &err);
    for (size_t i = 0; r == 0 && i < thresholds->count; i++)
        eddy_words_printf(words, "--event-value-threshold=%s", thresholds->list[i]);
    for (size_t i = 0; r == 0 && i < weights->count; i++)
        eddy_words_printf(words, "--event-weight=%s", weights->list[i]);
    free(options);
    return r;
}

static int put_events(const json_t *solution, const json_t *config,
                      struct eddy_words *words, struct eddy_aws_error *error)
{
    const char *type = json_string_value(json_object_get(solution, "eventType"));
    const char *least =
        json_string_value(json_object_get(config, "eventValueThreshold"));
    const json_t *events =
        json_object_get(json_object_get(config, "eventsConfig"), "eventParametersList");
    struct eddy_words thresholds = {.count = 0}, weights = {.count = 0};
    double number;
    int r = 0;
    if (type != NULL && type[0] == '\0')
        type = NULL;
    if (least != NULL && !eddy_number_parse(eddy_span_of(least), &number))
        return eddy_aws_fail(error, "InvalidInputException",
                             "eventValueThreshold: \"%.60s\" is not a number", least);
    if (least != NULL)
        eddy_words_add(&thresholds, least);
    for (size_t i = 0; r == 0 && i < json_array_size(events); i++)
        r = put_event(json_array_get(events, i), &thresholds, &weights, error);
    if (r == 0 && (thresholds.failed || weights.failed))
        r = eddy_aws_fail(error, "InvalidInputException", "eventsConfig: too long");
    if (r == 0)
        r = put_lists(&thresholds, &weights, type, words, error);
    if (r == 0 && type != NULL)
        eddy_words_printf(words, "--event-type=%s", type);
    eddy_words_fini(&thresholds);
    eddy_words_fini(&weights);
    return r;
}

int eddy_solution_words(const json_t *solution, struct eddy_words *words,
                        struct eddy_aws_error *error)
{
    const struct eddy_recipe *recipe = eddy_solution_recipe(solution);
    const json_t *config = json_object_get(solution, "solutionConfig");
    if (recipe == NULL)
        return eddy_aws_fail(error, "ResourceNotFoundException",
                             "There is no such recipe; recipes: %s",
                             eddy_recipe_names());
    int r = put_hypers(config, recipe, words, error);
    return r < 0 ? r : put_events(solution, config, words, error);
}

/* ---- HPO -------------------------------------------------------------------------- */

int eddy_solution_check_hpo(const json_t *solution, struct eddy_aws_error *error)
{
    const json_t *config =
        json_object_get(json_object_get(solution, "solutionConfig"), "hpoConfig");
    struct eddy_tune_plan *plan = calloc(1, sizeof *plan);
    char *text = config ? json_dumps(config, JSON_COMPACT) : strdup("{}");
    struct eddy_err err = {0};
    int r = plan && text ? 0 : eddy_aws_fail(error, "InternalFailure", "out of memory");
    if (r == 0) {
        plan->recipe = eddy_solution_recipe(solution);
        plan->by_name = true;
        int code = eddy_tune_plan_read(plan, eddy_span_of(text), "hpoConfig", &err);
        if (code == 0 && plan->space.count == 0)
            code = eddy_tune_plan_default(plan, &err);
        if (code < 0)
            r = refuse(error, "", &err);
    }
    free(text);
    free(plan);
    return r;
}
