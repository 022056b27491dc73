/* From a log to all that a snapshot holds; the order of work is in build.h. */
#include "core/build.h"

#include <stdlib.h>
#include <string.h>

#include "core/build_parts.h"
#include "core/counting.h"
#include "core/metadata.h"
#include "core/stream_fit.h"

int eddy_build_no_network(const struct eddy_interactions *in,
                          const struct eddy_train_options *options,
                          struct eddy_train_result *ret, struct eddy_err *err)
{
    struct eddy_shape shape = {.items = eddy_catalog_count(in->items),
                               .types = in->type_count > 0 ? in->type_count : 1};
    *ret = (struct eddy_train_result){.best_ndcg = -1, .best_hr = -1};
    int rc = eddy_train_select(in, options, &ret->selection, err);
    if (rc == 0)
        rc = eddy_layout_init(&ret->layout, &shape, err);
    if (rc < 0)
        return rc;
    ret->params = eddy_params_new(&ret->layout);
    ret->popularity = eddy_count_shares(in);
    if (ret->params != NULL && ret->popularity != NULL)
        return 0;
    eddy_train_result_fini(ret);
    return eddy_fail(err, EDDY_ENOMEM, "no memory for %u items", shape.items);
}

/* Only what the head uses. */
static void trim_plan(struct eddy_build_plan *plan, const struct eddy_head *head)
{
    plan->related = eddy_head_uses(head, EDDY_HEAD_RELATED);
    plan->rules = eddy_head_uses(head, EDDY_HEAD_RULES);
    plan->sessions = eddy_head_uses(head, EDDY_HEAD_NEIGHBOURS);
}

/* Priors of no weight need no table. */
static void drop_priors(struct eddy_tables *tables, const struct eddy_head *head)
{
    for (uint32_t h = 0; h < tables->priors; h++)
        if (!eddy_head_uses_prior(head, h)) {
            free(tables->prior[h]);
            tables->prior[h] = NULL;
        }
}

/* No list's fit sees a score like this; finite, so that sums with it are numbers. */
static const float out_of_reach = -10000.0f;

/* The fit without the items that have no events, when metadata speaks for them. */
static int fit_without_cold(const struct eddy_build_cold *cold,
                            const struct eddy_build_options *options,
                            const struct eddy_layout *layout, float *params,
                            struct eddy_tables *tables,
                            const struct eddy_build_cases *cases,
                            struct eddy_head_fit_result *ret,
                            struct eddy_build_stand *stand, struct eddy_err *err)
{
    struct eddy_head_case *warm = malloc(((size_t)cases->count + 1) * sizeof *warm);
    float *bias = malloc(((size_t)cold->items + 1) * sizeof *bias);
    const float *own = eddy_global(layout, params, EDDY_G_ITEM_BIAS);
    int rc = warm && bias
                 ? 0
                 : eddy_fail(err, EDDY_ENOMEM, "no memory for %u cases", cases->count);
    if (rc == 0) {
        uint32_t count = eddy_build_cold_cases(cold, cases->cases, cases->count, warm);
        for (uint32_t i = 0; i < cold->items; i++)
            bias[i] = cold->is[i] ? out_of_reach : own[i];
        rc = eddy_head_fit(tables, eddy_global(layout, params, EDDY_G_ITEM), bias,
                           layout->shape.hidden, warm, count,
                           (uint32_t)options->train.threads, options->train.seed, ret,
                           err);
        eddy_build_cold_network(&ret->head);
        eddy_build_cold_priors(cold, tables);
        const struct eddy_build_lists lists = {layout,     params,       tables,
                                               &ret->head, cases->cases, cases->count};
        if (rc == 0 && eddy_build_cold_stand(cold, &lists, stand) < 0)
            rc = eddy_fail(err, EDDY_ENOMEM, "no memory for lists of %u cases",
                           cases->count);
    }
    free(warm);
    free(bias);
    return rc;
}

/* selection NULL: users as they stand. */
static int find_cases(const struct eddy_build_inputs *inputs,
                      const struct eddy_build_options *options,
                      const struct eddy_train_result *network,
                      const struct eddy_selection *selection,
                      const struct eddy_build_result *result,
                      struct eddy_build_cases *ret, struct eddy_err *err)
{
    const struct eddy_interactions *in = inputs->interactions;
    struct eddy_features users = {0};
    int rc = 0;
    if (result->vocabularies.users != NULL)
        rc = eddy_features_align(result->vocabularies.users, inputs->users, in->users,
                                 &users);
    if (rc < 0)
        return eddy_fail(err, rc, "no memory for the metadata of users");
    rc = eddy_build_cases_init(ret, in, selection, &options->train,
                               options->network ? network : NULL,
                               result->vocabularies.users ? &users : NULL,
                               result->context, err);
    eddy_features_fini(&users);
    return rc;
}

/* Items without events stand so in the lists that users get from the finished network: the
 * last phase moves the scores of others more than theirs, and who came lately is not who
 * has ever come. */
static int place_cold(const struct eddy_build_inputs *inputs,
                      const struct eddy_build_options *options,
                      const struct eddy_build_cold *cold,
                      const struct eddy_build_stand *stand,
                      struct eddy_build_result *ret, struct eddy_err *err)
{
    const struct eddy_layout *layout = &ret->network.layout;
    struct eddy_train_result finished = ret->network; /* borrowed */
    struct eddy_build_cases cases;
    finished.fitted = NULL;
    int rc = find_cases(inputs, options, &finished, NULL, ret, &cases, err);
    if (rc < 0)
        return rc;
    const struct eddy_build_lists lists = {layout,     finished.params, &ret->tables,
                                           &ret->head, cases.cases,     cases.count};
    float *place = malloc((2 + (size_t)layout->shape.hidden) * sizeof *place);
    rc = place ? eddy_build_cold_place(cold, &lists, stand, place) : EDDY_ENOMEM;
    if (rc == 0)
        rc =
            eddy_build_cold_items(cold, layout->shape.hidden, place, &ret->tables.cold);
    free(place);
    eddy_build_cases_fini(&cases);
    return rc == 0 ? 0
                   : eddy_fail(err, rc, "no memory for %u items", layout->shape.items);
}

static int keep_cold(const struct eddy_build_inputs *inputs,
                     const struct eddy_build_options *options,
                     const struct eddy_build_stand *stand,
                     struct eddy_build_result *ret, struct eddy_err *err)
{
    struct eddy_selection all = eddy_selection_all(&ret->network.selection);
    struct eddy_build_cold cold;
    int rc = 0;
    if (ret->vocabularies.items == NULL)
        return 0;
    if (eddy_build_cold_init(&cold, inputs->interactions, &all) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the head");
    eddy_build_cold_priors(&cold, &ret->tables);
    if (stand->places > 0 && cold.count > 0)
        rc = place_cold(inputs, options, &cold, stand, ret, err);
    eddy_build_cold_fini(&cold);
    return rc;
}

static int fit_head(const struct eddy_build_inputs *inputs,
                    const struct eddy_build_options *options,
                    const struct eddy_build_plan *plan,
                    const struct eddy_build_cases *cases, struct eddy_build_result *ret,
                    struct eddy_build_stand *stand, struct eddy_err *err)
{
    const struct eddy_train_result *network = &ret->network;
    const struct eddy_layout *layout = &network->layout;
    float *params = network->fitted ? network->fitted : network->params;
    struct eddy_head_fit_result fit;
    struct eddy_build_cold cold;
    struct eddy_tables tables;

    int rc = eddy_build_tables(plan, inputs->interactions, &network->selection, &tables,
                               err);
    if (rc < 0)
        return rc;
    eddy_build_say(&options->steps, "weights", EDDY_BUILD_FIT);
    bool has = layout->shape.hidden > 0;
    if (eddy_build_cold_init(&cold, inputs->interactions, &network->selection) < 0) {
        eddy_tables_fini(&tables);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u items",
                         layout->shape.items);
    }
    cold.learned = options->train.item_id_dropout > 0;
    if (ret->vocabularies.items != NULL && cold.count > 0)
        rc = fit_without_cold(&cold, options, layout, params, &tables, cases, &fit,
                              stand, err);
    else
        rc = eddy_head_fit(&tables,
                           has ? eddy_global(layout, params, EDDY_G_ITEM) : NULL,
                           has ? eddy_global(layout, params, EDDY_G_ITEM_BIAS) : NULL,
                           layout->shape.hidden, cases->cases, cases->count,
                           (uint32_t)options->train.threads, options->train.seed, &fit,
                           err);
    eddy_build_cold_fini(&cold);
    eddy_tables_fini(&tables);
    if (rc < 0)
        return rc;
    ret->head = fit.head;
    ret->plain_ndcg = fit.plain_ndcg;
    ret->plain_mrr = fit.plain_mrr;
    ret->head_ndcg = fit.ndcg;
    ret->head_mrr = fit.mrr;
    return 0;
}

/* Without validation events nothing can be fitted: rules and popularity, for models that
 * have nothing else. */
static struct eddy_head unfitted_head(bool network)
{
    struct eddy_head head = eddy_head_plain;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS && !network; b++) {
        head.network[b] = false;
        head.weight[b][EDDY_HEAD_RULES] = 1;
        head.prior[b][0] = 0.1f;
    }
    head.scale[EDDY_HEAD_RULES] = 100;
    return head;
}

static int make_tables(const struct eddy_build_inputs *inputs,
                       const struct eddy_build_options *options,
                       struct eddy_build_result *ret, struct eddy_err *err)
{
    const struct eddy_interactions *in = inputs->interactions;
    const struct eddy_selection *selection = &ret->network.selection;
    const uint32_t threads = (uint32_t)options->train.threads;
    struct eddy_build_stand stand = {.spread = 1};
    struct eddy_build_cases cases;
    struct eddy_build_plan plan =
        eddy_build_plan_defaults(in, selection, (uint32_t)options->train.session_gap_s,
                                 threads);

    plan.steps = &options->steps;
    eddy_build_say(plan.steps, "validation events", EDDY_BUILD_CASES);
    int rc = find_cases(inputs, options, &ret->network, selection, ret, &cases, err);
    if (rc < 0)
        return rc;
    ret->head = unfitted_head(options->network);
    if (cases.count >= EDDY_HEAD_FIT_CASES_MIN) {
        plan.part = EDDY_BUILD_CHOICE;
        rc = eddy_build_plan_choose(&plan, in, selection, &cases, threads, err);
        plan.part = EDDY_BUILD_FIT_TABLES;
        if (rc == 0)
            rc = fit_head(inputs, options, &plan, &cases, ret, &stand, err);
    }
    eddy_build_cases_fini(&cases);
    if (rc < 0)
        return rc;
    if (!eddy_head_is_plain(&ret->head)) {
        struct eddy_selection all = eddy_selection_all(selection);
        trim_plan(&plan, &ret->head);
        plan.part = EDDY_BUILD_TABLES;
        rc = eddy_build_tables(&plan, in, &all, &ret->tables, err);
    }
    if (rc == 0)
        rc = keep_cold(inputs, options, &stand, ret, err);
    if (rc == 0)
        drop_priors(&ret->tables, &ret->head);
    return rc;
}

/* Weights for streams with fresh tables, where freshness decides. */
static int make_stream_head(const struct eddy_build_inputs *inputs,
                            const struct eddy_build_options *options,
                            struct eddy_build_result *ret, struct eddy_err *err)
{
    const struct eddy_stream_fit_options fit = {
        .session_gap_s = (uint32_t)options->train.session_gap_s,
        .recent_events = (uint32_t)options->train.recent_events};
    struct eddy_stream_fit_result result;
    eddy_build_say(&options->steps, "weights for streams", EDDY_BUILD_STREAM);
    int rc = eddy_stream_fit(inputs->interactions, &fit, &result, err);
    if (rc == 0)
        ret->stream_head = result.head;
    return rc;
}

int eddy_build(const struct eddy_build_inputs *given,
               const struct eddy_build_options *options,
               eddy_train_progress_fn progress, void *context,
               struct eddy_build_result *ret, struct eddy_err *err)
{
    struct eddy_interactions interactions = *given->interactions; /* borrowed */
    struct eddy_build_inputs use = *given, *inputs = &use;
    if (!options->impressions)
        interactions.shown_begin = interactions.shown = NULL;
    use.interactions = &interactions;
    struct eddy_build_result result = {.head = eddy_head_plain};
    const struct eddy_exchange *group = options->train.exchange;
    /* of a group that trains together the first member makes what is saved */
    bool tables =
        (options->tables || !options->network) && (group == NULL || group->rank == 0);
    if (options->steps.begin != NULL)
        options->steps.begin(options->steps.context, "metadata and histories", 0, 0);
    int rc = options->network
                 ? eddy_metadata_train(inputs, options, progress, context, &result, err)
                 : eddy_build_no_network(inputs->interactions, &options->train,
                                         &result.network, err);
    if (rc == 0 && tables)
        rc = make_tables(inputs, options, &result, err);
    if (rc == 0 && tables && options->train.recency_mask) /* else nothing fades */
        rc = make_stream_head(inputs, options, &result, err);
    if (rc < 0)
        eddy_build_result_fini(&result);
    else
        *ret = result;
    return rc;
}

void eddy_build_result_fini(struct eddy_build_result *result)
{
    eddy_train_result_fini(&result->network);
    eddy_tables_fini(&result->tables);
    eddy_context_index_free(result->context);
    eddy_vocabularies_free(&result->vocabularies);
    *result = (struct eddy_build_result){.head = eddy_head_plain};
}
