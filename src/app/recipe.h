/* Layer: app.  The recipes by Amazon's names, their hyper-parameters with default, range and
 * whether they may be tuned (PERSONALIZE 3.2), and what each builds. */
#ifndef EDDY_APP_RECIPE_H
#define EDDY_APP_RECIPE_H

#include "core/counting_model.h"

enum eddy_recipe_kind {
    EDDY_RECIPE_PERSONALIZE, /* lists for users */
    EDDY_RECIPE_POPULAR,     /* one list for all */
    EDDY_RECIPE_RANKING,     /* reorders given items */
    EDDY_RECIPE_RELATED,     /* items for an item */
    EDDY_RECIPE_SEGMENT      /* users for an item or an attribute */
};

struct eddy_hyper {
    const char *name;     /* Amazon's: "hidden_dimension" */
    const char *fallback; /* default as text */
    const char *kind;     /* "integer", "continuous", "categorical", "boolean" */
    double min, max;      /* of numbers */
    const char *choices;  /* "currentTime|latestItem", NULL */
    bool tunable;
    bool serving; /* belongs to a campaign, training does not take it */
    const char *help;
};

struct eddy_recipe {
    const char *name; /* "aws-user-personalization" */
    enum eddy_recipe_kind kind;
    enum eddy_counting counting;                /* of a recipe without a network */
    bool network, item_metadata, user_metadata; /* what it trains on */
    bool tables;      /* closed form, rules, neighbours, priors */
    bool impressions; /* what was shown and not chosen */
    bool cold_only;   /* lists hold cold items alone */
    const struct eddy_hyper *hypers;
    uint32_t hyper_count;
    const char *about;
};
extern const struct eddy_recipe eddy_recipes[];
extern const uint32_t eddy_recipe_count;

/* "aws-hrnn", "hrnn", "arn:aws:personalize:::recipe/aws-hrnn"; NULL: unknown. */
const struct eddy_recipe *eddy_recipe_find(const char *name);
/* "aws-user-personalization, aws-hrnn, ...", static. */
const char *eddy_recipe_names(void);
/* Amazon's recipeType: "USER_PERSONALIZATION", static. */
const char *eddy_recipe_type(const struct eddy_recipe *recipe);
/* The hyper-parameter of a recipe, NULL: it has none of that name. */
const struct eddy_hyper *eddy_hyper_find(const struct eddy_recipe *recipe,
                                         const char *name);
/* "an integer from 32 to 256", "a number from 0 to 1", "true or false", "one of a, b":
 * what the hyper-parameter takes, appended to out. */
void eddy_hyper_put_range(const struct eddy_hyper *hyper, struct eddy_buf *out);
/* Whether text is a value that it takes. */
bool eddy_hyper_takes(const struct eddy_hyper *hyper, const char *text);

#endif
