/* Figures of a log: counts, spreads, time, repetition, sittings.
 *
 * One pass over rows in order (user, time, row) gives nearly everything; what needs items
 * side by side uses one stamp per item instead of a set per user. Drift, order and robots
 * are in files of their own (insight_drift.c, insight_order.c, insight_robots.c).
 *
 * "Guests" stand for anonymous users: a log has no mark for them, but an id that has one
 * event, or a single sitting of a few events, is for learning the same as a session id.
 * Users near the end of the log may come back later, so the figure is an upper bound.
 *
 * Time: O(n log n) in ties only; memory: 12 bytes per item, 8 per user, 4 per row. */
#include "core/insight.h"

#include <stdlib.h>
#include <string.h>

static const int64_t day_ms = 86400000, hour_ms = 3600000;

/* ---- spreads --------------------------------------------------------------------- */

static int by_count(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t percentile(const uint64_t *sorted, uint64_t n, double share)
{
    uint64_t rank = (uint64_t)(share * (double)n);
    if ((double)rank < share * (double)n)
        rank++;
    return sorted[rank == 0 ? 0 : rank - 1];
}

static void compute_curve(const uint64_t *sorted, uint64_t n, double total,
                          struct eddy_spread *ret)
{
    uint64_t taken = 0;
    double sum = 0;
    for (uint64_t k = 0; k < EDDY_INSIGHT_CURVE; k++) {
        uint64_t until = (n * k + 99) / 100; /* at least one of the top one percent */
        for (; taken < until; taken++)
            sum += (double)sorted[n - 1 - taken];
        ret->curve[k] = (float)(sum / total);
    }
    ret->top_1_percent = (double)ret->curve[1];
    ret->top_10_percent = (double)ret->curve[10];
}

void eddy_spread_compute(uint64_t *counts, uint32_t n, struct eddy_spread *ret)
{
    double total = 0, weighted = 0;
    uint64_t zeros = 0, ones = 0;
    *ret = (struct eddy_spread){0};
    qsort(counts, n, sizeof *counts, by_count);
    while (zeros < n && counts[zeros] == 0)
        zeros++;
    const uint64_t *sorted = counts + zeros;
    uint64_t m = n - zeros;
    if (m == 0)
        return;
    for (uint64_t i = 0; i < m; i++) {
        unsigned bucket = 63 - (unsigned)__builtin_clzll(sorted[i]);
        total += (double)sorted[i];
        weighted += (double)(i + 1) * (double)sorted[i];
        ones += sorted[i] == 1;
        ret->histogram[bucket < EDDY_INSIGHT_BUCKETS ? bucket
                                                     : EDDY_INSIGHT_BUCKETS - 1]++;
    }
    ret->count = m;
    ret->mean = total / (double)m;
    ret->gini = 2 * weighted / ((double)m * total) - ((double)m + 1) / (double)m;
    ret->ones = (double)ones / (double)m;
    ret->min = sorted[0];
    ret->p1 = percentile(sorted, m, .01);
    ret->p5 = percentile(sorted, m, .05);
    ret->p25 = percentile(sorted, m, .25);
    ret->p50 = percentile(sorted, m, .50);
    ret->p75 = percentile(sorted, m, .75);
    ret->p90 = percentile(sorted, m, .90);
    ret->p95 = percentile(sorted, m, .95);
    ret->p99 = percentile(sorted, m, .99);
    ret->max = sorted[m - 1];
    compute_curve(sorted, m, total, ret);
}

static int compute_spreads(const struct eddy_interactions *in,
                           struct eddy_insight *insight)
{
    uint32_t users = eddy_catalog_count(in->users);
    uint32_t items = eddy_catalog_count(in->items);
    uint32_t most = users > items ? users : items;
    uint64_t *counts = calloc((size_t)most + 1, sizeof *counts);
    if (counts == NULL)
        return EDDY_ENOMEM;
    for (uint32_t u = 0; u < users; u++) {
        counts[u] = in->user_begin[u + 1] - in->user_begin[u];
        insight->users_of_two += counts[u] >= 2;
        insight->one_event_users += counts[u] == 1;
    }
    eddy_spread_compute(counts, users, &insight->per_user);
    memset(counts, 0, ((size_t)most + 1) * sizeof *counts);
    for (uint64_t i = 0; i < in->count; i++)
        counts[in->rows[i].item]++;
    eddy_spread_compute(counts, items, &insight->per_item);
    insight->users = (uint32_t)insight->per_user.count;
    insight->items = (uint32_t)insight->per_item.count;
    free(counts);
    return 0;
}

/* ---- rows ------------------------------------------------------------------------ */

static void count_rows(const struct eddy_interactions *in, int64_t now_ms,
                       struct eddy_insight *insight)
{
    double sum = 0;
    insight->first_ms = INT64_MAX;
    insight->last_ms = INT64_MIN;
    for (uint64_t i = 0; i < in->count; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        insight->type_events[row->type]++;
        insight->later_than_now += now_ms > 0 && row->ts_ms > now_ms;
        if (row->ts_ms < insight->first_ms)
            insight->first_ms = row->ts_ms;
        if (row->ts_ms > insight->last_ms)
            insight->last_ms = row->ts_ms;
        if (!row->has_value)
            continue;
        double value = (double)row->value;
        if (insight->with_value++ == 0 || value < insight->value_min)
            insight->value_min = value;
        if (insight->with_value == 1 || value > insight->value_max)
            insight->value_max = value;
        sum += value;
    }
    insight->value_mean = insight->with_value ? sum / (double)insight->with_value : 0;
    for (int t = 0; t < 256; t++)
        insight->types += insight->type_events[t] > 0;
    /* Positions are read as seconds below 1e8 (core/interactions.c). */
    insight->has_times = insight->last_ms >= INT64_C(100000000) * 1000;
}

static int by_content(const void *a, const void *b)
{
    const struct eddy_interaction *x = a, *y = b;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    if (x->has_value != y->has_value)
        return x->has_value < y->has_value ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* Rows [begin, end) have one user and one time: how many repeat another of them? */
static uint64_t count_duplicates(const struct eddy_interactions *in, uint64_t begin,
                                 uint64_t end, struct eddy_interaction *scratch)
{
    uint64_t n = end - begin, found = 0;
    if (n < 2)
        return 0;
    memcpy(scratch, in->rows + begin, n * sizeof *scratch);
    qsort(scratch, n, sizeof *scratch, by_content);
    for (uint64_t i = 1; i < n; i++)
        found += by_content(&scratch[i - 1], &scratch[i]) == 0;
    return found;
}

/* Rows of a user that a later event precedes in the file: from the end, the smallest row
 * number of strictly later times. */
static uint64_t count_misplaced(const struct eddy_interaction *rows, uint64_t n)
{
    uint64_t found = 0;
    uint32_t smallest = UINT32_MAX;
    for (uint64_t end = n; end > 0;) {
        uint64_t begin = end;
        uint32_t here = smallest;
        while (begin > 0 && rows[begin - 1].ts_ms == rows[end - 1].ts_ms) {
            begin--;
            found += rows[begin].row > smallest;
            here = rows[begin].row < here ? rows[begin].row : here;
        }
        smallest = here;
        end = begin;
    }
    return found;
}

static int count_repetition(const struct eddy_interactions *in,
                            struct eddy_insight *insight)
{
    uint32_t users = eddy_catalog_count(in->users);
    uint32_t *had = calloc((size_t)eddy_catalog_count(in->items) + 1, sizeof *had);
    struct eddy_interaction *scratch =
        malloc((size_t)(insight->per_user.max + 1) * sizeof *scratch);
    if (had == NULL || scratch == NULL) {
        free(had);
        free(scratch);
        return EDDY_ENOMEM;
    }
    for (uint32_t u = 0; u < users; u++) {
        uint64_t begin = in->user_begin[u], end = in->user_begin[u + 1], run = begin;
        for (uint64_t i = begin; i < end; i++) {
            const struct eddy_interaction *row = &in->rows[i];
            bool repeat = had[row->item] == u + 1;
            insight->repeats += repeat;
            insight->repeats_next += repeat && row[-1].item == row->item;
            had[row->item] = u + 1;
            if (i > begin && row[-1].ts_ms == row->ts_ms) {
                insight->ties++;
            } else {
                insight->duplicates += count_duplicates(in, run, i, scratch);
                run = i;
            }
        }
        insight->duplicates += count_duplicates(in, run, end, scratch);
        insight->out_of_order += count_misplaced(in->rows + begin, end - begin);
    }
    insight->pairs = in->count - insight->repeats;
    insight->density =
        (double)insight->pairs / ((double)insight->users * (double)insight->items);
    free(had);
    free(scratch);
    return 0;
}

/* ---- sittings -------------------------------------------------------------------- */

/* Medians come from histograms with classes 6 % wide, below 64 exact. */
enum { CLASSES = 1200 };
static unsigned class_of(uint64_t value)
{
    if (value < 64)
        return (unsigned)value;
    unsigned top = 63 - (unsigned)__builtin_clzll(value);
    unsigned within = (unsigned)(value >> (top - 4)) & 15;
    return 64 + (top - 6) * 16 + within;
}
static double value_of(unsigned class)
{
    if (class < 64)
        return (double)class;
    unsigned top = 6 + (class - 64) / 16;
    return (double)(UINT64_C(1) << top) * (1 + ((class - 64) % 16 + .5) / 16);
}
static double median_of(const uint64_t histogram[CLASSES])
{
    uint64_t total = 0, sum = 0;
    for (unsigned c = 0; c < CLASSES; c++)
        total += histogram[c];
    for (unsigned c = 0; c < CLASSES && total > 0; c++)
        if ((sum += histogram[c]) * 2 >= total)
            return value_of(c);
    return 0;
}

static int count_sittings(const struct eddy_interactions *in,
                          struct eddy_insight *insight)
{
    uint32_t users = eddy_catalog_count(in->users);
    uint64_t *lengths = calloc(2 * CLASSES, sizeof *lengths);
    if (lengths == NULL)
        return EDDY_ENOMEM;
    uint64_t *gaps = lengths + CLASSES;
    for (uint32_t u = 0; u < users; u++) {
        uint64_t begin = in->user_begin[u], end = in->user_begin[u + 1];
        uint64_t length = 0, sittings = begin < end;
        for (uint64_t i = begin; i < end; i++) {
            int64_t gap = i > begin ? in->rows[i].ts_ms - in->rows[i - 1].ts_ms : 0;
            if (gap > (int64_t)EDDY_INSIGHT_SITTING_S * 1000) {
                lengths[class_of(length)]++;
                length = 0;
                sittings++;
            } else if (i > begin) {
                gaps[class_of((uint64_t)gap)]++;
            }
            length++;
        }
        if (length > 0)
            lengths[class_of(length)]++;
        insight->sittings += sittings;
        insight->guests +=
            end - begin == 1 || (insight->has_times && sittings == 1 &&
                                 end - begin <= EDDY_INSIGHT_GUEST_EVENTS);
    }
    insight->sitting_median_events = median_of(lengths);
    insight->gap_median_s = median_of(gaps) / 1000;
    free(lengths);
    return 0;
}

/* ---- events over time ------------------------------------------------------------ */

static int64_t floor_to(int64_t value, int64_t unit)
{
    return value - ((value % unit) + unit) % unit;
}

static int count_series(const struct eddy_interactions *in,
                        struct eddy_insight *insight)
{
    int64_t begin = floor_to(insight->first_ms, day_ms);
    int64_t days = (insight->last_ms - begin) / day_ms + 1;
    bool hourly = days <= 3;
    int64_t unit = hourly ? hour_ms : day_ms;
    int64_t units = hourly ? days * 24 : days;
    int64_t width = (units + EDDY_INSIGHT_SERIES - 1) / EDDY_INSIGHT_SERIES;
    uint8_t *busy = calloc((size_t)days, 1); /* of at most 110 years */
    uint32_t silence = 0;
    if (busy == NULL)
        return EDDY_ENOMEM;
    insight->series_ms = width * unit;
    insight->series_count = (uint32_t)((units + width - 1) / width);
    for (uint64_t i = 0; i < in->count; i++) {
        int64_t after = in->rows[i].ts_ms - begin;
        insight->series[after / insight->series_ms]++;
        busy[after / day_ms] = 1;
    }
    for (int64_t d = 0; d < days; d++) {
        silence = busy[d] ? 0 : silence + 1;
        insight->silent_days += !busy[d];
        if (silence > insight->longest_silence_days)
            insight->longest_silence_days = silence;
    }
    free(busy);
    return 0;
}

int eddy_insight(const struct eddy_interactions *interactions,
                 const struct eddy_insight_options *options, struct eddy_insight *ret,
                 struct eddy_err *err)
{
    int r;
    *ret = (struct eddy_insight){.events = interactions->count,
                                 .skipped = interactions->skipped};
    if (interactions->count == 0)
        return eddy_fail(err, EDDY_EFORMAT,
                         "no usable event in the file: there is nothing to describe");
    count_rows(interactions, options->now_ms, ret);
    eddy_insight_shown(interactions, ret);
    if ((r = compute_spreads(interactions, ret)) < 0 ||
        (r = count_repetition(interactions, ret)) < 0 ||
        (r = count_sittings(interactions, ret)) < 0 ||
        (r = eddy_insight_order(interactions, options->seed, ret)) < 0)
        goto fail;
    if (ret->has_times && ((r = count_series(interactions, ret)) < 0 ||
                           (r = eddy_insight_robots(interactions, ret)) < 0 ||
                           (r = eddy_insight_drift(interactions, options, ret)) < 0))
        goto fail;
    return 0;
fail:
    return eddy_fail(err, r, "no memory for the figures of %llu events",
                     (unsigned long long)interactions->count);
}
