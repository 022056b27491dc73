/* Drift: how far the popularity of items moves from one period to the next.
 *
 * For periods of several lengths the items' shares of a period are compared with those of
 * the period just before, by total variation (half the sum of absolute differences: the
 * share of the list that has to move). Two finite samples differ even when nothing moves,
 * so the same is done with the events of both periods thrown together and dealt out again
 * in the same numbers: `chance`, an exact null (a permutation test), whatever the sizes.
 * `halves` is the base line of Amazon's own diagnosis (aws-samples, data_science/diagnose):
 * random halves of one period. It comes from samples half as large, so it lies above
 * `chance` and is kept for comparison only.
 *
 * Per length: a counting sort of the events by period, then two counters per item. Periods
 * begin at midnight UTC of the first day. O(n) per length. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/insight.h"

static const int64_t day_ms = 86400000;
static const int64_t default_periods[] = {
    365 * INT64_C(86400000), 90 * INT64_C(86400000), 30 * INT64_C(86400000),
    7 * INT64_C(86400000),   INT64_C(86400000),      6 * INT64_C(3600000),
    3 * INT64_C(3600000),    INT64_C(3600000)};
enum {
    PERIODS_MAX = 1 << 20,
    PERIOD_EVENTS_MIN = 50, /* mean; below, chance is all there is (guess) */
};

struct shuffle {
    uint32_t *items; /* (n) of all events, by period */
    uint64_t *begin; /* (periods + 1) */
    uint32_t *pool;  /* (n) */
    uint32_t *a, *b; /* (V) counters, zero between calls */
    struct eddy_rng rng;
};

/* Total variation between two samples of items; the counters are zero again after it. */
static double distance(struct shuffle *s, const uint32_t *x, uint64_t nx,
                       const uint32_t *y, uint64_t ny)
{
    double sum = 0, fx = 1 / (double)nx, fy = 1 / (double)ny;
    for (uint64_t i = 0; i < nx; i++)
        s->a[x[i]]++;
    for (uint64_t i = 0; i < ny; i++)
        s->b[y[i]]++;
    for (uint64_t i = 0; i < nx + ny; i++) {
        uint32_t item = i < nx ? x[i] : y[i - nx];
        double difference = (double)s->a[item] * fx - (double)s->b[item] * fy;
        sum += difference < 0 ? -difference : difference;
        s->a[item] = s->b[item] = 0;
    }
    return sum / 2;
}

static void deal(struct shuffle *s, const uint32_t *items, uint64_t n)
{
    memcpy(s->pool, items, n * sizeof *items);
    for (uint64_t i = n; i > 1; i--) {
        uint64_t j = (uint64_t)(eddy_rng_unit(&s->rng) * (double)i);
        uint32_t swap = s->pool[j];
        s->pool[j] = s->pool[i - 1];
        s->pool[i - 1] = swap;
    }
}

static void measure(struct shuffle *s, uint64_t periods, struct eddy_drift *ret)
{
    double weight = 0, half_weight = 0;
    for (uint64_t p = 1; p < periods; p++) {
        uint64_t before = s->begin[p] - s->begin[p - 1];
        uint64_t now = s->begin[p + 1] - s->begin[p];
        const uint32_t *items = s->items + s->begin[p - 1];
        if (before == 0 || now == 0)
            continue;
        double w = (double)now;
        ret->drift += w * distance(s, items, before, items + before, now);
        deal(s, items, before + now);
        ret->chance += w * distance(s, s->pool, before, s->pool + before, now);
        weight += w;
        ret->periods++;
    }
    for (uint64_t p = 0; p < periods; p++) {
        uint64_t now = s->begin[p + 1] - s->begin[p];
        if (now < 2)
            continue;
        deal(s, s->items + s->begin[p], now);
        ret->halves += (double)now *
                       distance(s, s->pool, now / 2, s->pool + now / 2, now - now / 2);
        half_weight += (double)now;
    }
    if (ret->periods == 0)
        return;
    ret->drift /= weight;
    ret->chance /= weight;
    ret->halves /= half_weight;
    ret->events = weight / ret->periods;
}

/* Items of all events, period by period. */
static void sort_by_period(const struct eddy_interactions *in, int64_t origin_ms,
                           int64_t period_ms, uint64_t periods, struct shuffle *s)
{
    memset(s->begin, 0, (periods + 1) * sizeof *s->begin);
    for (uint64_t i = 0; i < in->count; i++)
        s->begin[(in->rows[i].ts_ms - origin_ms) / period_ms]++;
    uint64_t sum = 0;
    for (uint64_t p = 0; p <= periods; p++) { /* counts become ends */
        sum += p < periods ? s->begin[p] : 0;
        s->begin[p] = sum;
    }
    for (uint64_t i = in->count; i-- > 0;) { /* ends become begins */
        uint64_t p = (uint64_t)((in->rows[i].ts_ms - origin_ms) / period_ms);
        s->items[--s->begin[p]] = in->rows[i].item;
    }
}

static bool is_worth_it(const struct eddy_insight *insight, int64_t span_ms,
                        int64_t period_ms, bool asked)
{
    int64_t periods = period_ms > 0 ? span_ms / period_ms + 1 : 0;
    if (periods < 2 || periods >= PERIODS_MAX)
        return false;
    return asked || (span_ms >= 2 * period_ms &&
                     insight->events / (uint64_t)periods >= PERIOD_EVENTS_MIN);
}

int eddy_insight_drift(const struct eddy_interactions *interactions,
                       const struct eddy_insight_options *options,
                       struct eddy_insight *insight)
{
    const struct eddy_interactions *in = interactions;
    bool asked = options->periods_ms != NULL;
    const int64_t *list = asked ? options->periods_ms : default_periods;
    uint32_t count = asked ? options->period_count
                           : sizeof default_periods / sizeof *default_periods;
    uint32_t items = eddy_catalog_count(in->items);
    int64_t origin = insight->first_ms - insight->first_ms % day_ms;
    int64_t span = insight->last_ms - origin;
    struct shuffle s = {.items = malloc(in->count * sizeof *s.items),
                        .pool = malloc(in->count * sizeof *s.pool),
                        .a = calloc(items, sizeof *s.a),
                        .b = calloc(items, sizeof *s.b)};
    int r = s.items && s.pool && s.a && s.b ? 0 : EDDY_ENOMEM;

    eddy_rng_seed(&s.rng, options->seed);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        struct eddy_drift drift = {.period_ms = list[i]};
        if (!is_worth_it(insight, span, list[i], asked) ||
            insight->drift_count == EDDY_INSIGHT_DRIFTS)
            continue;
        uint64_t periods = (uint64_t)(span / list[i]) + 1;
        s.begin = malloc((periods + 1) * sizeof *s.begin);
        if (s.begin == NULL) {
            r = EDDY_ENOMEM;
            break;
        }
        sort_by_period(in, origin, list[i], periods, &s);
        measure(&s, periods, &drift);
        free(s.begin);
        if (drift.periods > 0)
            insight->drift[insight->drift_count++] = drift;
    }
    free(s.items);
    free(s.pool);
    free(s.a);
    free(s.b);
    return r;
}

void eddy_insight_retraining(const struct eddy_insight *insight, int64_t *ret_due_ms,
                             int64_t *ret_calm_ms)
{
    *ret_due_ms = *ret_calm_ms = 0;
    for (uint32_t i = 0; i < insight->drift_count; i++) {
        const struct eddy_drift *drift = &insight->drift[i];
        double beyond = drift->drift - drift->chance;
        /* Three points of the list, and a fifth above chance (guess, not measured). */
        if (beyond >= .03 && drift->drift >= 1.2 * drift->chance) {
            if (*ret_due_ms == 0 || drift->period_ms < *ret_due_ms)
                *ret_due_ms = drift->period_ms;
        }
    }
    for (uint32_t i = 0; i < insight->drift_count; i++) {
        int64_t period = insight->drift[i].period_ms;
        if (period < *ret_due_ms && period > *ret_calm_ms)
            *ret_calm_ms = period;
    }
}
