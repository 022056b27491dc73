/* Weights of the stream head by conditional logit: the answer of a case against its other
 * candidates, a small ridge, Adam on the whole set. Rules are chosen from a grid of
 * half-lives by where the answers stand in the lists: the likelihood alone would prefer slow
 * tables, which are better on what is easy. A bucket of history
 * length gets weights of its own where it has the cases and gains by them. */
#include "core/stream_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log_order.h"
#include "core/stream_cases.h"

enum {
    ROWS_MIN = 5000,
    SLICE_MAX = 200000,
    COUNTED_MAX = 3000000, /* rows: what is older is forgotten, or as it was */
    REFRESHES_MAX = 300,
    PACE_MIN = 5, /* rows between refreshes: with fewer, tables hardly move */
    CASES_MIN = 300,
    POLISH_MIN = 1000,
    ROUNDS = 60,
    LIST = 20,
    USED_MAX = EDDY_HALF_LIVES_MAX + 3
};
#define DAY_MS      INT64_C(86400000)
#define RIDGE       1e-3
#define GAIN_NATS   0.5 /* below, a stream is served better by the snapshot's head */
#define GAIN_LEAST  1e-3
#define LEAST_STEP  2e-4
#define RULES_SCALE 300.0f /* of rules inside the logarithm: 100 to 3,000 do as well */

/* Which columns take part, and how the values of rules and seen become features. */
struct selection {
    uint32_t columns[USED_MAX], count;
    uint32_t rules_column;
};

struct fit {
    const struct eddy_stream_cases *cases;
    uint32_t columns;
    float *features; /* (rows, USED_MAX) of the present selection */
    double *scores;  /* of one case */
};

/* Values of the selection's columns as features. */
static void prepare(const struct fit *fit, const struct selection *selection)
{
    for (size_t i = 0; i < fit->cases->rows; i++) {
        const float *row = fit->cases->values + i * fit->columns;
        float *to = fit->features + i * USED_MAX;
        for (uint32_t u = 0; u < selection->count; u++) {
            uint32_t column = selection->columns[u];
            to[u] = column == selection->rules_column
                        ? log1pf(RULES_SCALE * row[column])
                        : row[column];
        }
    }
}

/* Log-likelihood of a case; adds its gradient unless that is NULL. */
static double score_case(const struct fit *fit, const struct eddy_stream_case *c,
                         const struct selection *selection, const double *weights,
                         double *gradient)
{
    const float *features = fit->features + (size_t)c->first * USED_MAX;
    double most = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        double score = 0;
        for (uint32_t u = 0; u < selection->count; u++)
            score += weights[u] * (double)features[(size_t)i * USED_MAX + u];
        fit->scores[i] = score;
        most = score > most ? score : most;
    }
    double answer = fit->scores[c->answer] - most;
    for (uint32_t i = 0; i < c->count; i++)
        sum += fit->scores[i] = exp(fit->scores[i] - most);
    for (uint32_t i = 0; gradient && i < c->count; i++) {
        double push = fit->scores[i] / sum - (i == c->answer ? 1 : 0);
        for (uint32_t u = 0; u < selection->count; u++)
            gradient[u] += push * (double)features[(size_t)i * USED_MAX + u];
    }
    return answer - log(sum);
}

/* What lists are judged by: a hit among the first 20, twice, and the reciprocal rank. */
static double gain_case(const struct fit *fit, const struct eddy_stream_case *c,
                        const struct selection *selection, const double *weights)
{
    const float *features = fit->features + (size_t)c->first * USED_MAX;
    uint32_t rank = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        double score = 0;
        for (uint32_t u = 0; u < selection->count; u++)
            score += weights[u] * (double)features[(size_t)i * USED_MAX + u];
        fit->scores[i] = score;
    }
    for (uint32_t i = 0; i < c->count && rank < LIST; i++)
        rank += fit->scores[i] > fit->scores[c->answer];
    return rank < LIST ? 2 + 1 / ((double)rank + 1) : 0;
}

static bool is_in(const struct eddy_stream_case *c, int bucket)
{
    return bucket < 0 || c->bucket == (uint32_t)bucket;
}

/* What a case is worth under the weights. */
typedef double value_fn(const struct fit *fit, const struct eddy_stream_case *c,
                        const struct selection *selection, const double *weights);

static double likelihood(const struct fit *fit, const struct eddy_stream_case *c,
                         const struct selection *selection, const double *weights)
{
    return score_case(fit, c, selection, weights, NULL);
}

/* Mean value of the cases (of a bucket, -1: all), of all times or the later ones. */
static double judge(const struct fit *fit, const struct selection *selection,
                    const double *weights, int bucket, bool all, value_fn *value)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < fit->cases->count; i++) {
        const struct eddy_stream_case *c = &fit->cases->cases[i];
        if ((all || c->later) && is_in(c, bucket)) {
            sum += value(fit, c, selection, weights);
            n++;
        }
    }
    return n > 0 ? sum / n : 0;
}

/* Moves weights from where they are; cases of the bucket, all or the earlier ones alone.
 * The ridge pulls towards `centre`. */
static void learn(const struct fit *fit, const struct selection *selection, int bucket,
                  bool all, const double *centre, double *weights)
{
    double first[USED_MAX] = {0}, second[USED_MAX] = {0};
    for (int round = 1; round <= ROUNDS; round++) {
        double gradient[USED_MAX] = {0};
        double rate = round > ROUNDS * 2 / 3 ? 0.02 : 0.1;
        uint32_t n = 0;
        for (uint32_t i = 0; i < fit->cases->count; i++) {
            const struct eddy_stream_case *c = &fit->cases->cases[i];
            if ((all || !c->later) && is_in(c, bucket)) {
                (void)score_case(fit, c, selection, weights, gradient);
                n++;
            }
        }
        for (uint32_t u = 0; u < selection->count && n > 0; u++) {
            double g = gradient[u] / n + RIDGE * (weights[u] - centre[u]);
            first[u] = 0.9 * first[u] + 0.1 * g;
            second[u] = 0.99 * second[u] + 0.01 * g * g;
            weights[u] -= rate * (first[u] / (1 - pow(0.9, round))) /
                          (sqrt(second[u] / (1 - pow(0.99, round))) + 1e-8);
            if (selection->columns[u] == selection->rules_column && weights[u] < 0)
                weights[u] = 0;
        }
    }
}

/* From the weights of the greatest likelihood to those of the best lists: each weight is
 * moved up and down by ever smaller steps while the lists of all cases get better. */
static double polish(const struct fit *fit, const struct selection *selection,
                     int bucket, double *weights)
{
    double best = judge(fit, selection, weights, bucket, true, gain_case);
    for (double step = 0.3; step > 0.05; step /= 2) {
        for (uint32_t u = 0; u < selection->count; u++) {
            double from = weights[u], size = step * (fabs(from) + 0.2);
            for (int side = -1; side <= 1; side += 2) {
                double before = weights[u];
                weights[u] = from + side * size;
                double value =
                    selection->columns[u] == selection->rules_column && weights[u] < 0
                        ? 0
                        : judge(fit, selection, weights, bucket, true, gain_case);
                if (value > best + LEAST_STEP)
                    best = value;
                else
                    weights[u] = before;
            }
        }
    }
    return best;
}

static struct selection live_selection(const struct eddy_stream_grid *grid,
                                       uint32_t rules, bool shown)
{
    struct selection selection = {.rules_column = UINT32_MAX};
    for (uint32_t h = 0; h < grid->priors; h++)
        selection.columns[selection.count++] = h;
    selection.columns[selection.count++] = grid->priors + grid->rules; /* seen */
    if (grid->rules > 0) {
        selection.rules_column = grid->priors + rules;
        selection.columns[selection.count++] = selection.rules_column;
    }
    if (shown)
        selection.columns[selection.count++] = eddy_stream_columns(grid) - 1;
    return selection;
}

/* Where the tables stopped when the part that is played began. */
static struct selection frozen_selection(const struct eddy_stream_grid *grid)
{
    struct selection selection = {.rules_column = UINT32_MAX};
    uint32_t from = grid->priors + grid->rules + 1;
    for (uint32_t h = 0; h < grid->priors; h++)
        selection.columns[selection.count++] = from + h;
    selection.columns[selection.count++] = from - 1;
    if (grid->rules > 0) {
        selection.rules_column = from + grid->priors;
        selection.columns[selection.count++] = selection.rules_column;
    }
    if (grid->shown)
        selection.columns[selection.count++] = eddy_stream_columns(grid) - 1;
    return selection;
}

static const double no_weights[USED_MAX];

/* The best setting of rules, with what was shown where that is better, and its likelihood
 * on later cases. A handful of weights is not
 * learned by heart, so settings are compared on all cases: half of them could not tell. */
static double choose(const struct fit *fit, const struct eddy_stream_grid *grid,
                     struct selection *ret, uint32_t *ret_rules)
{
    double best = -INFINITY, likely = 0;
    uint32_t settings = grid->rules > 0 ? grid->rules : 1;
    for (uint32_t i = 0; i < settings * (grid->shown ? 2 : 1); i++) {
        bool shown = i >= settings;
        struct selection selection = live_selection(grid, i % settings, shown);
        double weights[USED_MAX] = {0};
        prepare(fit, &selection);
        learn(fit, &selection, -1, false, no_weights, weights);
        double likelihoods = judge(fit, &selection, weights, -1, false, likelihood);
        double value = polish(fit, &selection, -1, weights);
        if (value > best + (shown ? GAIN_LEAST : 0)) {
            best = value;
            likely = likelihoods;
            *ret = selection;
            *ret_rules = i % settings;
        }
    }
    prepare(fit, ret);
    return likely;
}

static void put_weights(const struct selection *selection,
                        const struct eddy_stream_grid *grid, const double *weights,
                        uint32_t bucket, struct eddy_head *head)
{
    for (uint32_t u = 0; u < selection->count; u++) {
        float weight = (float)weights[u];
        if (selection->columns[u] == selection->rules_column)
            head->weight[bucket][EDDY_HEAD_RULES] = weight;
        else if (selection->columns[u] == grid->priors + grid->rules)
            head->weight[bucket][EDDY_HEAD_SEEN] = weight / logf(2);
        else if (selection->columns[u] >= grid->priors) /* a live one: shown is left */
            head->weight[bucket][EDDY_HEAD_SHOWN] = weight;
        else
            head->prior[bucket][selection->columns[u]] = weight;
    }
}

static uint32_t cases_of(const struct eddy_stream_cases *cases, uint32_t bucket)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < cases->count; i++)
        n += cases->cases[i].bucket == bucket;
    return n;
}

/* Weights of all buckets, on all cases. */
static void fill_head(const struct fit *fit, const struct eddy_stream_grid *grid,
                      const struct selection *selection, struct eddy_head *head)
{
    double early[USED_MAX] = {0}, all[USED_MAX] = {0};
    *head = eddy_head_plain;
    head->recent = 10;
    head->scale[EDDY_HEAD_RULES] = RULES_SCALE;
    head->decay[EDDY_HEAD_RULES] = EDDY_STREAM_RULES_DECAY;
    head->decay[EDDY_HEAD_SEEN] = 1e6f; /* seen is seen, however long ago */
    head->decay[EDDY_HEAD_SHOWN] = EDDY_STREAM_SHOWN_DECAY;
    learn(fit, selection, -1, false, no_weights, early);
    learn(fit, selection, -1, true, no_weights, all);
    (void)polish(fit, selection, -1, all);
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        double own[USED_MAX];
        head->network[b] = false;
        put_weights(selection, grid, all, b, head);
        if (cases_of(fit->cases, b) < CASES_MIN)
            continue;
        memcpy(own, early, sizeof own);
        learn(fit, selection, (int)b, false, early, own);
        if (judge(fit, selection, own, (int)b, false, gain_case) <
            judge(fit, selection, early, (int)b, false, gain_case) + GAIN_LEAST)
            memcpy(own, all, sizeof own);
        else
            learn(fit, selection, (int)b, true, all, own);
        if (cases_of(fit->cases, b) >= POLISH_MIN)
            (void)polish(fit, selection, (int)b, own);
        put_weights(selection, grid, own, b, head);
    }
}

static int fit_cases(const struct eddy_stream_cases *cases,
                     const struct eddy_stream_grid *grid, uint32_t refresh_s,
                     struct eddy_stream_fit_result *ret)
{
    struct fit fit = {.cases = cases, .columns = eddy_stream_columns(grid)};
    struct selection selection = {0}, frozen = frozen_selection(grid);
    double weights[USED_MAX] = {0};
    uint32_t rules = 0;
    fit.features = malloc(cases->rows * USED_MAX * sizeof *fit.features);
    fit.scores = malloc(EDDY_STREAM_CANDIDATES * sizeof *fit.scores);
    int r = fit.features && fit.scores ? 0 : EDDY_ENOMEM;
    if (r == 0) {
        prepare(&fit, &frozen);
        learn(&fit, &frozen, -1, false, no_weights, weights);
        ret->frozen = judge(&fit, &frozen, weights, -1, false, likelihood);
        ret->live = choose(&fit, grid, &selection, &rules);
    }
    if (r == 0 && ret->live >= ret->frozen + GAIN_NATS) {
        fill_head(&fit, grid, &selection, &ret->head.head);
        ret->head.refresh_s = refresh_s;
        ret->head.width = EDDY_STREAM_WIDTH;
        if (grid->rules > 0)
            ret->head.counters = grid->rule_counters[rules];
        ret->head.counters.half_lives = grid->priors;
        memcpy(ret->head.counters.half_life_s, grid->prior_counters.half_life_s,
               sizeof ret->head.counters.half_life_s);
    }
    free(fit.features);
    free(fit.scores);
    return r;
}

static int64_t oldest_ms(const struct eddy_interactions *in)
{
    int64_t oldest = INT64_MAX;
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++) {
        uint64_t first = in->user_begin[u]; /* by time within a user */
        if (first < in->user_begin[u + 1] && in->rows[first].ts_ms < oldest)
            oldest = in->rows[first].ts_ms;
    }
    return oldest;
}

int eddy_stream_fit(const struct eddy_interactions *interactions,
                    const struct eddy_stream_fit_options *options,
                    struct eddy_stream_fit_result *ret, struct eddy_err *err)
{
    const struct eddy_interaction *rows = interactions->rows;
    uint32_t refresh_s = options->refresh_s > 0 ? options->refresh_s : 300;
    uint64_t n = interactions->count, slice = n / 10 < SLICE_MAX ? n / 10 : SLICE_MAX;
    uint64_t counted;
    int r = 0;
    *ret = (struct eddy_stream_fit_result){.head = {.head = eddy_head_plain}};
    if (n < ROWS_MIN)
        return 0;
    uint64_t *order =
        eddy_log_newest(interactions, COUNTED_MAX, NULL, NULL, &counted, &r, err);
    if (order == NULL)
        return r;
    int64_t first_ms = oldest_ms(interactions);
    /* A few times far behind the rest must not decide how long the part is. */
    int64_t start_ms = rows[order[counted - slice]].ts_ms;
    int64_t end_ms = rows[order[counted - 1 - slice / 20]].ts_ms;
    int64_t refresh_ms = (end_ms - start_ms) / REFRESHES_MAX;
    struct eddy_stream_cases cases = {0};
    struct eddy_stream_grid grid;
    if (end_ms - first_ms < DAY_MS || end_ms <= start_ms || end_ms < 1000 * DAY_MS)
        goto out; /* positions have no pace */
    if ((double)slice * 1000 * refresh_s < PACE_MIN * (double)(end_ms - start_ms))
        goto out;
    refresh_ms =
        refresh_ms > (int64_t)refresh_s * 1000 ? refresh_ms : (int64_t)refresh_s * 1000;
    eddy_stream_grid_make((double)slice / ((double)(end_ms - start_ms) / 1000),
                          (double)(end_ms - first_ms) / 1000, &grid);
    grid.shown = interactions->shown_begin != NULL;
    r = grid.priors == 0
            ? 0
            : eddy_stream_cases_collect(interactions, order, counted, counted - slice,
                                        refresh_ms, options, &grid, &cases);
    ret->cases = cases.count;
    if (r == 0 && cases.count >= CASES_MIN)
        r = fit_cases(&cases, &grid, refresh_s, ret);
    eddy_stream_cases_fini(&cases);
out:
    eddy_spill_free(order);
    return r < 0 ? eddy_fail(err, EDDY_ENOMEM, "no memory to fit the stream head") : 0;
}
