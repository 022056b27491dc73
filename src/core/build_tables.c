/* Which tables a log gets, and making them.
 *
 * Settings of closed form and rules come from a few candidates: on the sets that we have
 * (MODELS 2) what differs between candidates that are not listed is less than the noise of
 * a validation slice. What does matter, and is chosen: whether a session or a user's whole
 * history is the unit (film ratings come in bursts that mean nothing, clicks do not), how
 * strong the ridge is, how fast rules fade. Without recency (recency_mask false) nothing
 * fades: one prior counts every event alike, and rules have no half-life. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vmath.h"
#include "core/build_parts.h"
#include "core/log_order.h"
#include "core/team.h"

enum {
    RELATED_ITEMS_MAX = 15000, /* solved: a minute of two cores, 0.9 GB */
    TRIAL_ITEMS = 4000,
    TRIAL_CASES = 1500,
    WIDTH = 150, /* entries kept of a row */
    RULES_WINDOW = 10,
    RULES_ROWS_MAX = 4000000, /* newest rows counted: about 2 GB of pairs at worst */
    SESSIONS_EVENTS_MAX = 1000000,
    VIEW_MAX = 2000, /* events of a session that the closed form looks at */
    CHUNKS = 16,
    REACH = 20, /* newest events of a case that speak */
};

/* Pairs of items in sessions that the closed form adds up: some ten seconds of a core.
 * Sessions older than those that make so many are left out. */
#define RELATED_PAIRS_MAX 5e9

static const struct {
    double alpha, lambda, window_decay, popularity_power;
} closed_forms[] = {
    {0.2, 10, 2, 0},
    {0.2, 30, 8, 0},
    {0.05, 20, 4, 0.15},
};
enum { CLOSED_FORMS = sizeof closed_forms / sizeof *closed_forms };

static const double half_lives[] = {0, 30 * 86400.0, 7 * 86400, 86400, 6 * 3600, 3600};
_Static_assert(sizeof half_lives / sizeof *half_lives == EDDY_HALF_LIVES_MAX, "all");

/* First and last time of the rows before the cut. */
static void time_span(const struct eddy_interactions *in,
                      const struct eddy_selection *selection, int64_t *ret_first,
                      int64_t *ret_last)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++) {
        uint64_t begin, cut, end;
        eddy_selection_user(selection, in, u, &begin, &cut, &end);
        if (begin == cut)
            continue;
        if (in->rows[begin].ts_ms < first)
            first = in->rows[begin].ts_ms;
        if (in->rows[cut - 1].ts_ms > last)
            last = in->rows[cut - 1].ts_ms;
    }
    *ret_first = first > last ? 0 : first;
    *ret_last = first > last ? 0 : last;
}

struct eddy_build_plan eddy_build_plan_defaults(const struct eddy_interactions *in,
                                                const struct eddy_selection *selection,
                                                uint32_t session_gap_s,
                                                uint32_t threads)
{
    struct eddy_build_plan plan = {
        .related = true,
        .rules = true,
        .sessions = true,
        .closed_form = {.alpha = closed_forms[0].alpha,
                        .lambda = closed_forms[0].lambda,
                        .window_decay = closed_forms[0].window_decay,
                        .popularity_power = closed_forms[0].popularity_power,
                        .length_power = 1,
                        .window = 20,
                        .width = WIDTH,
                        .items_max = RELATED_ITEMS_MAX,
                        .threads = threads,
                        .spill = in->spill},
        .related_gap_s = session_gap_s,
        .related_pairs_max = RELATED_PAIRS_MAX,
        .counters = {.items = eddy_catalog_count(in->items),
                     .window = RULES_WINDOW,
                     .distance_decay = 3,
                     .shrink = 5},
        .rules_gap_s = session_gap_s,
        .rules_width = WIDTH,
        .rules_rows_max = RULES_ROWS_MAX,
        .sessions_events_max = SESSIONS_EVENTS_MAX,
    };
    int64_t first, last;
    time_span(in, selection, &first, &last);
    double span_s = (double)(last - first) / 1000;
    bool decays = selection->recency && !selection->positions;
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        if (half_lives[h] == 0 || (decays && half_lives[h] < span_s / 2))
            plan.counters.half_life_s[plan.counters.half_lives++] = half_lives[h];
    return plan;
}

/* ---- making them ------------------------------------------------------------------ */

static bool is_counted(const void *context, const struct eddy_interactions *in,
                       uint64_t row)
{
    const struct eddy_selection *selection = context;
    return eddy_selection_part(selection, in, row) == EDDY_PART_TRAINING &&
           eddy_selection_weight(selection, &in->rows[row]) > 0;
}

/* Rows before the cut in log order, the newest of them. */
static int count_rows(const struct eddy_build_plan *plan,
                      const struct eddy_interactions *in,
                      const struct eddy_selection *selection,
                      struct eddy_counters *counters, struct eddy_err *err)
{
    uint64_t count;
    int rc;
    uint64_t *order = eddy_log_newest(in, plan->rules_rows_max, is_counted, selection,
                                      &count, &rc, err);
    if (order == NULL)
        return rc;
    rc = eddy_counters_add_rows(counters, in, order, count, plan->rules_gap_s);
    eddy_spill_free(order);
    return rc < 0 ? eddy_fail(err, rc, "no memory to count %llu events",
                              (unsigned long long)count)
                  : 0;
}

/* Rules and priors. */
static int make_counts(const struct eddy_build_plan *plan,
                       const struct eddy_interactions *in,
                       const struct eddy_selection *selection, struct eddy_tables *ret,
                       struct eddy_err *err)
{
    struct eddy_counters_options options = plan->counters;
    struct eddy_counters *counters;
    int64_t first, now_ms;

    if (!plan->rules)
        options.window = 0;
    int rc = eddy_counters_new(&options, &counters, err);
    if (rc < 0)
        return rc;
    time_span(in, selection, &first, &now_ms);
    rc = count_rows(plan, in, selection, counters, err);
    if (rc < 0) {
        eddy_counters_free(counters);
        return rc;
    }
    if (rc == 0 && plan->rules)
        rc = eddy_counters_rules(counters, now_ms, ret->items, plan->rules_width,
                                 &ret->rules);
    for (uint32_t h = 0; rc == 0 && h < options.half_lives; h++) {
        ret->half_life_s[h] = options.half_life_s[h];
        ret->prior[h] = malloc(((size_t)ret->items + 1) * sizeof(float));
        rc = ret->prior[h] == NULL ? EDDY_ENOMEM : 0;
        if (rc == 0)
            eddy_counters_prior(counters, now_ms, ret->items, h, ret->prior[h]);
    }
    ret->priors = options.half_lives;
    eddy_counters_free(counters);
    return rc < 0 ? eddy_fail(err, rc, "no memory for tables of %u items", ret->items)
                  : 0;
}

/* The first of the newest sessions that are so many pairs together. */
static uint32_t newest_views(const struct eddy_build_views *views, double pairs_max)
{
    double pairs = 0;
    uint32_t first = views->count;
    while (first > 0) {
        double count = views->views[first - 1].count;
        pairs += count < VIEW_MAX ? count * count : (double)VIEW_MAX * VIEW_MAX;
        if (pairs > pairs_max)
            break;
        first--;
    }
    return first;
}

static const char *const part_tables[EDDY_BUILD_PARTS + 1] = {
    [EDDY_BUILD_CHOICE] = "settings",
    [EDDY_BUILD_FIT_TABLES] = "events before validation",
    [EDDY_BUILD_TABLES] = "all events",
};

void eddy_build_say(const struct eddy_build_steps *steps, const char *what,
                    enum eddy_build_part part)
{
    char text[96];
    const char *of = part_tables[part];
    if (steps == NULL || steps->begin == NULL)
        return;
    (void)snprintf(text, sizeof text, "tables: %s%s%s", what, of ? ", " : "",
                   of ? of : "");
    steps->begin(steps->context, text, (uint32_t)part, EDDY_BUILD_PARTS);
}

int eddy_build_tables(const struct eddy_build_plan *plan,
                      const struct eddy_interactions *in,
                      const struct eddy_selection *selection, struct eddy_tables *ret,
                      struct eddy_err *err)
{
    struct eddy_build_views views = {0};
    int rc = 0;

    *ret = (struct eddy_tables){.items = eddy_catalog_count(in->items)};
    if (plan->related || plan->sessions)
        eddy_build_say(plan->steps, plan->related ? "closed form" : "sessions",
                       plan->part);
    if (plan->related || plan->sessions)
        rc = eddy_build_views_init(&views, in, selection, plan->related_gap_s, err);
    if (rc == 0 && plan->sessions &&
        eddy_sessions_init(&ret->sessions, views.views, views.count, ret->items,
                           plan->sessions_events_max) < 0)
        rc = eddy_fail(err, EDDY_ENOMEM, "no memory for the sessions of %llu events",
                       (unsigned long long)in->count);
    if (rc == 0 && plan->related) {
        uint32_t first = newest_views(&views, plan->related_pairs_max);
        rc = eddy_related_fit(views.views + first, views.count - first, ret->items,
                              &plan->closed_form, &ret->related, err);
    }
    eddy_build_views_fini(&views);
    if (rc == 0 && (plan->rules || plan->counters.half_lives > 0)) {
        eddy_build_say(plan->steps, plan->rules ? "rules" : "popularity", plan->part);
        rc = make_counts(plan, in, selection, ret, err);
    }
    if (rc < 0)
        eddy_tables_fini(ret);
    return rc;
}

/* ---- choosing --------------------------------------------------------------------- */

struct trial {
    const struct eddy_table *table;
    const struct eddy_build_cases *cases;
    uint32_t items;
    float decay;
    float *sums;       /* (threads, items) zero between cases */
    uint32_t *touched; /* (threads, items) */
    double gain[CHUNKS];
};

static double try_case(const struct trial *trial, const struct eddy_head_case *one,
                       float *sums, uint32_t *touched)
{
    const struct eddy_table *table = trial->table;
    uint32_t count = 0, rank = 0;

    for (uint32_t p = 0; p < one->recent.count && p < REACH; p++) {
        uint32_t row = one->recent.items[one->recent.count - 1 - p];
        float share = eddy_expf(-(float)p / trial->decay);
        for (uint64_t e = table->begin[row]; e < table->begin[row + 1]; e++) {
            uint32_t item = table->index[e];
            if (sums[item] == 0.0f)
                touched[count++] = item;
            sums[item] += share * table->weight[e];
        }
    }
    if (!trial->cases->repeats)
        for (uint32_t i = 0; i < one->recent.count; i++)
            sums[one->recent.items[i]] = 0.0f;
    float answer = sums[one->answer];
    for (uint32_t t = 0; t < count; t++) {
        rank += sums[touched[t]] >= answer ? 1 : 0;
        sums[touched[t]] = 0.0f;
    }
    return answer > 0.0f && rank <= 20 ? 1 / log2(rank + 1.0) : 0;
}

static void try_chunk(void *context, uint32_t task, uint32_t worker)
{
    struct trial *trial = context;
    uint64_t count =
        trial->cases->count < TRIAL_CASES ? trial->cases->count : TRIAL_CASES;
    float *sums = trial->sums + (size_t)worker * trial->items;
    uint32_t *touched = trial->touched + (size_t)worker * trial->items;

    trial->gain[task] = 0;
    for (uint64_t c = count * task / CHUNKS; c < count * (task + 1) / CHUNKS; c++) {
        /* spread over all cases */
        uint64_t at = c * trial->cases->count / count;
        trial->gain[task] += try_case(trial, &trial->cases->cases[at], sums, touched);
    }
}

/* Sum of NDCG@20 over the cases, with the better of two decays. */
static int measure(const struct eddy_table *table, const struct eddy_build_cases *cases,
                   uint32_t threads, double *ret)
{
    static const float decays[] = {1.0f, 4.0f};
    size_t room = (size_t)table->items * threads + 1;
    struct trial trial = {.table = table, .cases = cases, .items = table->items};

    trial.sums = calloc(room, sizeof *trial.sums);
    trial.touched = malloc(room * sizeof *trial.touched);
    int rc = trial.sums && trial.touched ? 0 : EDDY_ENOMEM;
    *ret = 0;
    for (uint32_t d = 0; rc == 0 && d < 2; d++) {
        double sum = 0;
        trial.decay = decays[d];
        eddy_team_run(threads, CHUNKS, try_chunk, &trial);
        for (uint32_t c = 0; c < CHUNKS; c++)
            sum += trial.gain[c];
        *ret = sum > *ret ? sum : *ret;
    }
    free(trial.sums);
    free(trial.touched);
    return rc;
}

/* Quality of the one table (related or rules) of a plan; better: it beats *best. */
static int try_plan(const struct eddy_build_plan *plan,
                    const struct eddy_interactions *in,
                    const struct eddy_selection *selection,
                    const struct eddy_build_cases *cases, uint32_t threads,
                    double *best, bool *better, struct eddy_err *err)
{
    struct eddy_tables tables;
    double quality = 0;
    int rc = eddy_build_tables(plan, in, selection, &tables, err);
    if (rc < 0)
        return rc;
    rc = measure(plan->related ? &tables.related : &tables.rules, cases, threads,
                 &quality);
    eddy_tables_fini(&tables);
    *better = rc == 0 && quality > *best;
    if (*better)
        *best = quality;
    return rc < 0 ? eddy_fail(err, rc, "no memory to try settings of tables") : 0;
}

static int choose_related(struct eddy_build_plan *plan,
                          const struct eddy_interactions *in,
                          const struct eddy_selection *selection,
                          const struct eddy_build_cases *cases, uint32_t threads,
                          struct eddy_err *err)
{
    const uint32_t gap_s = plan->related_gap_s;
    struct eddy_build_plan one = *plan;
    double best = -1;
    bool better;
    int rc = 0;

    one.rules = one.sessions = false;
    one.counters.half_lives = 0;
    if (one.closed_form.items_max > TRIAL_ITEMS)
        one.closed_form.items_max = TRIAL_ITEMS;
    /* first the unit, with the first setting; then the other settings */
    for (uint32_t k = 0; k < CLOSED_FORMS + 1 && rc == 0; k++) {
        struct eddy_build_plan trial = one;
        uint32_t setting = k < 2 ? 0 : k - 1;
        if (k == 1 && gap_s == 0)
            continue;
        trial.closed_form.alpha = closed_forms[setting].alpha;
        trial.closed_form.lambda = closed_forms[setting].lambda;
        trial.closed_form.window_decay = closed_forms[setting].window_decay;
        trial.closed_form.popularity_power = closed_forms[setting].popularity_power;
        trial.related_gap_s = k == 0 ? gap_s : k == 1 ? 0 : plan->related_gap_s;
        rc = try_plan(&trial, in, selection, cases, threads, &best, &better, err);
        if (rc == 0 && better) {
            uint32_t items_max = plan->closed_form.items_max;
            plan->related_gap_s = trial.related_gap_s;
            plan->closed_form = trial.closed_form;
            plan->closed_form.items_max = items_max;
        }
    }
    return rc;
}

static int choose_rules(struct eddy_build_plan *plan,
                        const struct eddy_interactions *in,
                        const struct eddy_selection *selection,
                        const struct eddy_build_cases *cases, uint32_t threads,
                        struct eddy_err *err)
{
    const double drift_s = selection->popularity_half_life_s;
    const double lives[] = {drift_s, 4 * drift_s, 16 * drift_s};
    const uint32_t gap_s = plan->rules_gap_s;
    double best = -1;
    bool better;

    for (uint32_t k = 0; k < (drift_s > 0 ? 5 : 2); k++) {
        struct eddy_build_plan one = *plan;
        one.related = one.sessions = false;
        one.counters.half_lives = 0;
        one.rules_gap_s = k == 1 ? 0 : k == 0 ? gap_s : plan->rules_gap_s;
        if (k >= 2)
            one.counters.rules_half_life_s = lives[k - 2];
        int rc = try_plan(&one, in, selection, cases, threads, &best, &better, err);
        if (rc < 0)
            return rc;
        if (better) {
            plan->rules_gap_s = one.rules_gap_s;
            plan->counters.rules_half_life_s = one.counters.rules_half_life_s;
        }
    }
    return 0;
}

int eddy_build_plan_choose(struct eddy_build_plan *plan,
                           const struct eddy_interactions *in,
                           const struct eddy_selection *selection,
                           const struct eddy_build_cases *cases, uint32_t threads,
                           struct eddy_err *err)
{
    int rc = choose_rules(plan, in, selection, cases, threads, err);
    plan->related_gap_s = plan->rules_gap_s;
    if (rc == 0)
        rc = choose_related(plan, in, selection, cases, threads, err);
    return rc;
}
