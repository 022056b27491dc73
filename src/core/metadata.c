/* Vocabularies and rows for a training run; queries of users for serving. */
#include "core/metadata.h"

#include <stdlib.h>

static int learn(const struct eddy_catalog *catalog, const char *kinds,
                 const struct eddy_catalog *ids, struct eddy_vocabulary **ret,
                 struct eddy_features *ret_features, struct eddy_err *err)
{
    int r;
    if (catalog == NULL || eddy_catalog_column_count(catalog) == 0)
        return 0;
    r = eddy_vocabulary_learn(catalog, kinds, ret, err);
    if (r == 0 && eddy_vocabulary_size(*ret) > EDDY_SHAPE_FEATURES_MAX)
        r = eddy_fail(err, EDDY_ECONFIG,
                      "metadata has %u different values and parts of texts, at most %d "
                      "can be learned: leave columns out",
                      eddy_vocabulary_size(*ret), EDDY_SHAPE_FEATURES_MAX);
    if (r == 0 && eddy_vocabulary_size(*ret) == 0) {
        eddy_vocabulary_free(*ret); /* nothing repeats: nothing to learn from */
        *ret = NULL;
    }
    if (r == 0 && *ret != NULL &&
        eddy_features_align(*ret, catalog, ids, ret_features) < 0)
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for the metadata of %u rows",
                      eddy_catalog_count(ids));
    return r;
}

static int learn_all(const struct eddy_build_inputs *inputs,
                     const struct eddy_build_options *options,
                     struct eddy_build_result *ret, struct eddy_features *ret_items,
                     struct eddy_features *ret_users, struct eddy_err *err)
{
    const struct eddy_interactions *in = inputs->interactions;
    struct eddy_vocabularies *all = &ret->vocabularies;
    int r = learn(options->item_metadata ? inputs->items : NULL, inputs->item_kinds,
                  in->items, &all->items, ret_items, err);
    if (r == 0)
        r = learn(options->user_metadata ? inputs->users : NULL, inputs->user_kinds,
                  in->users, &all->users, ret_users, err);
    if (r == 0 && options->context_metadata && options->train.context)
        r = eddy_context_learn(in, inputs->context_kinds, &all->context, err);
    if (r == 0 && all->context != NULL)
        r = eddy_context_index_new(all->context, &ret->context, err);
    return r;
}

/* Where the features were in an older model; NULL in *ret: there are none here. */
static int trace(const struct eddy_vocabulary *vocabulary,
                 const struct eddy_vocabulary *older, struct eddy_feature_origin **ret)
{
    if (vocabulary == NULL)
        return 0;
    *ret = malloc(((size_t)eddy_vocabulary_size(vocabulary) + 1) * sizeof **ret);
    if (*ret == NULL)
        return EDDY_ENOMEM;
    eddy_vocabulary_trace(vocabulary, older, *ret);
    return 0;
}

/* eddy_train from an older model whose tables are found again. */
static int train_on(const struct eddy_interactions *interactions,
                    const struct eddy_train_options *options,
                    const struct eddy_vocabularies *here,
                    eddy_train_progress_fn progress, void *context,
                    struct eddy_train_result *ret, struct eddy_err *err)
{
    const struct eddy_vocabularies *older = options->warm->vocabularies;
    struct eddy_feature_origin *origins[3] = {NULL, NULL, NULL};
    struct eddy_train_options with = *options;
    struct eddy_train_warm warm = *options->warm;
    int r = trace(here->items, older->items, &origins[0]);
    r = r ? r : trace(here->users, older->users, &origins[1]);
    r = r ? r : trace(here->context, older->context, &origins[2]);
    warm.item_features = origins[0];
    warm.user_features = origins[1];
    warm.context_features = origins[2];
    with.warm = &warm;
    r = r < 0 ? eddy_fail(err, r, "no memory for the features of the older model")
              : eddy_train(interactions, &with, progress, context, ret, err);
    for (int i = 0; i < 3; i++)
        free(origins[i]);
    return r;
}

int eddy_metadata_train(const struct eddy_build_inputs *inputs,
                        const struct eddy_build_options *options,
                        eddy_train_progress_fn progress, void *context,
                        struct eddy_build_result *ret, struct eddy_err *err)
{
    struct eddy_train_options with = options->train;
    struct eddy_features item_features = {0}, user_features = {0};
    int r = learn_all(inputs, options, ret, &item_features, &user_features, err);
    if (r == 0) {
        with.item_features = ret->vocabularies.items ? &item_features : NULL;
        with.user_features = ret->vocabularies.users ? &user_features : NULL;
        with.context_index = ret->context;
        if (ret->context != NULL)
            with.context_features = eddy_vocabulary_size(ret->vocabularies.context);
        r = with.warm != NULL && with.warm->vocabularies != NULL
                ? train_on(inputs->interactions, &with, &ret->vocabularies, progress,
                           context, &ret->network, err)
                : eddy_train(inputs->interactions, &with, progress, context,
                             &ret->network, err);
    }
    eddy_features_fini(&item_features);
    eddy_features_fini(&user_features);
    return r;
}

static void fill_queries(struct eddy_user_queries *queries,
                         const struct eddy_snapshot *snapshot,
                         const struct eddy_features *features)
{
    const float *table =
        eddy_global(&snapshot->layout, snapshot->params, EDDY_G_USER_FEATURES);
    for (uint32_t u = 0; u < queries->users; u++) {
        queries->known[u] = features->begin[u + 1] > features->begin[u];
        eddy_features_add(features, u, table, queries->hidden,
                          queries->rows + (size_t)u * queries->hidden);
    }
}

int eddy_user_queries_init(struct eddy_user_queries *queries,
                           const struct eddy_snapshot *snapshot,
                           const struct eddy_catalog *users,
                           const struct eddy_catalog *ids, struct eddy_err *err)
{
    struct eddy_features features = {0};
    uint32_t count = eddy_catalog_count(ids);
    size_t hidden = snapshot->layout.shape.hidden;
    int r = 0;
    *queries = (struct eddy_user_queries){
        .users = count,
        .hidden = (uint32_t)hidden,
        .rows = calloc((size_t)count * hidden + 1, sizeof *queries->rows),
        .known = calloc((size_t)count + 1, sizeof *queries->known),
        .start = eddy_global(&snapshot->layout, snapshot->params, EDDY_G_USER_START),
    };
    if (queries->rows == NULL || queries->known == NULL)
        r = EDDY_ENOMEM;
    if (r == 0 && snapshot->vocabularies.users != NULL)
        r = eddy_features_align(snapshot->vocabularies.users, users, ids, &features);
    if (r < 0) {
        eddy_user_queries_fini(queries);
        return eddy_fail(err, r, "no memory for the metadata of %u users", count);
    }
    if (snapshot->vocabularies.users != NULL)
        fill_queries(queries, snapshot, &features);
    eddy_features_fini(&features);
    return 0;
}

void eddy_user_queries_fini(struct eddy_user_queries *queries)
{
    free(queries->rows);
    free(queries->known);
    *queries = (struct eddy_user_queries){0};
}

int eddy_users_without_events(struct eddy_interactions *interactions,
                              const struct eddy_catalog *users, struct eddy_err *err)
{
    uint32_t before = eddy_catalog_count(interactions->users);
    size_t room = (size_t)before + eddy_catalog_count(users) + 1;
    uint64_t *begin = realloc(interactions->user_begin, room * sizeof *begin);
    if (begin == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u users",
                         eddy_catalog_count(users));
    interactions->user_begin = begin;
    for (uint32_t u = 0; u < eddy_catalog_count(users); u++) {
        uint32_t count = eddy_catalog_count(interactions->users);
        uint32_t index =
            eddy_catalog_add(interactions->users, eddy_catalog_id(users, u));
        if (index == EDDY_ITEM_NONE)
            return eddy_fail(err, EDDY_ENOMEM, "no memory for %u users",
                             eddy_catalog_count(users));
        if (index == count)
            begin[index + 1] = begin[index];
    }
    return 0;
}
