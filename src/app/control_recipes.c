/* Recipes are the program's own: nothing of them is in Redis. */
#include <stdio.h>

#include "app/control.h"
#include "app/recipe.h"

/* Recipes have no day of birth that could be told: the beginning of 2019, before anything
 * that was ever made of them. */
static const double recipe_born_s = 1546300800;

static void set_arn(json_t *object, const char *member, const char *kind,
                    const struct eddy_recipe *recipe)
{
    char arn[EDDY_ARN_SIZE];
    (void)snprintf(arn, sizeof arn, "arn:aws:personalize:::%s/%s", kind, recipe->name);
    (void)json_object_set_new(object, member, json_string(arn));
}

/* What List and Describe both show. */
static json_t *summary_of(const struct eddy_recipe *recipe)
{
    json_t *object = json_object();
    (void)json_object_set_new(object, "name", json_string(recipe->name));
    set_arn(object, "recipeArn", "recipe", recipe);
    (void)json_object_set_new(object, "status", json_string("ACTIVE"));
    (void)json_object_set_new(object, "creationDateTime", json_real(recipe_born_s));
    (void)json_object_set_new(object, "lastUpdatedDateTime", json_real(recipe_born_s));
    return object;
}

int eddy_control_describe_recipe(struct eddy_control_call *call)
{
    const char *arn = eddy_control_text(call, "recipeArn");
    const struct eddy_recipe *recipe =
        eddy_arn_is(arn, "recipe", 1) ? eddy_recipe_find(arn) : NULL;
    if (recipe == NULL)
        return eddy_aws_fail(&call->error, "ResourceNotFoundException",
                             "There is no recipe with ARN %s; recipes: %s", arn,
                             eddy_recipe_names());
    json_t *object = summary_of(recipe);
    set_arn(object, "algorithmArn", "algorithm", recipe);
    set_arn(object, "featureTransformationArn", "feature-transformation", recipe);
    (void)json_object_set_new(object, "description", json_string(recipe->about));
    (void)json_object_set_new(object, "recipeType",
                              json_string(eddy_recipe_type(recipe)));
    return json_object_set_new(call->output, "recipe", object) < 0
               ? eddy_aws_fail(&call->error, "InternalFailure", "out of memory")
               : 0;
}

/* The table does not change while the program runs: a token is the name of the last. */
int eddy_control_list_recipes(struct eddy_control_call *call)
{
    const json_t *most = json_object_get(call->input, "maxResults");
    const char *token = eddy_control_text(call, "nextToken");
    size_t limit = most ? (size_t)json_integer_value(most) : 100;
    const struct eddy_recipe *last = token ? eddy_recipe_find(token) : NULL;
    uint32_t at = last ? (uint32_t)(last - eddy_recipes) + 1 : 0;
    json_t *list = json_array();
    if (json_object_set_new(call->output, "recipes", list) < 0)
        return eddy_aws_fail(&call->error, "InternalFailure", "out of memory");
    if (token != NULL && (last == NULL || strcmp(last->name, token) != 0))
        return eddy_aws_fail(&call->error, "InvalidNextTokenException",
                             "The token is not valid: none of this list");
    if (eddy_control_text(call, "domain") != NULL)
        return 0; /* no recipe here is of a domain */
    for (; at < eddy_recipe_count && json_array_size(list) < limit; at++)
        (void)json_array_append_new(list, summary_of(&eddy_recipes[at]));
    if (at < eddy_recipe_count)
        (void)json_object_set_new(call->output, "nextToken",
                                  json_string(eddy_recipes[at - 1].name));
    return 0;
}
