/* Rows to learn from. Percentiles of histories are by nearest rank on the sorted numbers of
 * those users who have a row: with p = 0.99 and 1 000 users the ten longest histories go,
 * unless the tenth has company of its length; ties stay together, on the kept side.
 *
 * Those of items count interactions, not items: with p = 0.9 go the most frequent items that
 * hold the last tenth of all interactions. Amazon's text can also be read as a tenth of the
 * items, but then the service's own figures for SIMS with its defaults could not be reached:
 * on ML-1M that tenth holds more than four tenths of the interactions, and half of all
 * users' last items with them (MRR@25 .10 instead of the published .18). */
#include "core/select.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/split.h"

enum { INTERACTIONS_MIN = 1000, USERS_MIN = 25 };

static int by_count(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Smallest and largest number of rows that stay. */
struct bounds {
    uint64_t low, high;
};

/* Numbers above 0 of counts, rising. Owned: free(). NULL: memory. */
static uint64_t *sort_counts(const uint64_t *counts, uint32_t n, uint32_t *ret_used)
{
    uint64_t *sorted = malloc(((size_t)n + 1) * sizeof *sorted);
    uint32_t used = 0;
    for (uint32_t i = 0; sorted != NULL && i < n; i++)
        if (counts[i] > 0)
            sorted[used++] = counts[i];
    if (sorted != NULL)
        qsort(sorted, used, sizeof *sorted, by_count);
    *ret_used = used;
    return sorted;
}

/* Percentiles of users. */
static int bounds_of_users(const uint64_t *counts, uint32_t n, double low, double high,
                           struct bounds *ret)
{
    uint32_t used;
    uint64_t *sorted = sort_counts(counts, n, &used);
    if (sorted == NULL)
        return EDDY_ENOMEM;
    *ret = (struct bounds){0, UINT64_MAX};
    if (used > 0 && low > 0)
        ret->low = sorted[(uint32_t)(low * (used - 1))];
    if (used > 0 && high < 1)
        ret->high = sorted[(uint32_t)(high * (used - 1))];
    free(sorted);
    return 0;
}

/* Percentiles of interactions. */
static int bounds_of_items(const uint64_t *counts, uint32_t n, double low, double high,
                           struct bounds *ret)
{
    uint32_t used;
    uint64_t *sorted = sort_counts(counts, n, &used), below = 0, total = 0;
    if (sorted == NULL)
        return EDDY_ENOMEM;
    *ret = (struct bounds){0, UINT64_MAX};
    for (uint32_t i = 0; i < used; i++)
        total += sorted[i];
    for (uint32_t i = 0; i < used;) {
        uint64_t count = sorted[i], upto = below;
        for (; i < used && sorted[i] == count; i++)
            upto += count;
        if ((double)upto <= low * (double)total)
            ret->low = count + 1;
        if (high < 1 && (double)below >= high * (double)total && count - 1 < ret->high)
            ret->high = count - 1;
        below = upto;
    }
    free(sorted);
    return 0;
}

/* The event types of the file, as far as a message has room for them. */
static int fail_no_type(const struct eddy_interactions *in, const char *wanted,
                        struct eddy_err *err)
{
    char known[120] = "none";
    size_t used = 0;
    for (uint32_t t = 1; t < in->type_count && used < sizeof known; t++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                 t > 1 ? ", " : "", in->types[t]);
    return eddy_fail(err, EDDY_ECONFIG,
                     "no row has the event type \"%.80s\"; the file has %s%s", wanted,
                     known, used >= sizeof known ? "..." : "");
}

/* Index of an event type of the file, EDDY_ITEM_NONE: no row has it. */
static uint32_t find_type(const struct eddy_interactions *in, const char *name)
{
    for (uint32_t t = 1; t < in->type_count; t++)
        if (eddy_span_eq(eddy_span_of(in->types[t]), eddy_span_of(name)))
            return t;
    return EDDY_ITEM_NONE;
}

/* The least value per type; -HUGE_VAL: rows without a value stay, too. */
static int find_least(const struct eddy_interactions *in,
                      const struct eddy_select_options *options, double *ret,
                      struct eddy_err *err)
{
    for (uint32_t t = 0; t < in->type_count; t++)
        ret[t] = options->has_threshold ? options->threshold : -HUGE_VAL;
    for (uint32_t i = 0; i < options->type_threshold_count; i++) {
        uint32_t type = find_type(in, options->type_thresholds[i].type);
        if (type == EDDY_ITEM_NONE)
            return fail_no_type(in, options->type_thresholds[i].type, err);
        ret[type] = options->type_thresholds[i].threshold;
    }
    return 0;
}

static int select_rows(struct eddy_interactions *in,
                       const struct eddy_select_options *options, uint8_t *marks,
                       struct eddy_select_counts *counts, struct eddy_err *err)
{
    double least[sizeof in->types / sizeof *in->types];
    uint32_t type = EDDY_ITEM_NONE;
    if (options->event_type != NULL) {
        type = find_type(in, options->event_type);
        if (type == EDDY_ITEM_NONE)
            return fail_no_type(in, options->event_type, err);
    }
    int r = find_least(in, options, least, err);
    if (r < 0)
        return r;
    for (uint64_t i = 0; i < in->count; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        bool drop_type = type != EDDY_ITEM_NONE && row->type != type;
        bool drop_value = !drop_type && least[row->type] > -HUGE_VAL &&
                          (!row->has_value || (double)row->value < least[row->type]);
        counts->by_type += drop_type;
        counts->by_value += drop_value;
        marks[i] = drop_type || drop_value ? EDDY_MARK_UNUSED : EDDY_MARK_TRAIN;
    }
    eddy_interactions_filter(in, marks, EDDY_KEEP(EDDY_MARK_TRAIN));
    return 0;
}

static int select_items(struct eddy_interactions *in,
                        const struct eddy_select_options *options, uint8_t *marks,
                        struct eddy_select_counts *ret)
{
    uint32_t items = eddy_catalog_count(in->items);
    uint64_t *counts = calloc((size_t)items + 1, sizeof *counts);
    struct bounds bounds;
    for (uint64_t i = 0; counts != NULL && i < in->count; i++)
        counts[in->rows[i].item]++;
    if (counts == NULL || bounds_of_items(counts, items, options->min_item_count,
                                          options->max_item_count, &bounds) < 0) {
        free(counts);
        return EDDY_ENOMEM;
    }
    for (uint32_t i = 0; i < items; i++) {
        ret->rare_items += counts[i] > 0 && counts[i] < bounds.low;
        ret->frequent_items += counts[i] > bounds.high;
    }
    for (uint64_t i = 0; i < in->count; i++) {
        uint64_t count = counts[in->rows[i].item];
        marks[i] = count < bounds.low || count > bounds.high ? EDDY_MARK_UNUSED
                                                             : EDDY_MARK_TRAIN;
    }
    free(counts);
    eddy_interactions_filter(in, marks, EDDY_KEEP(EDDY_MARK_TRAIN));
    return 0;
}

static int select_users(struct eddy_interactions *in,
                        const struct eddy_select_options *options, uint8_t *marks,
                        struct eddy_select_counts *ret)
{
    uint32_t users = eddy_catalog_count(in->users);
    uint64_t *counts = calloc((size_t)users + 1, sizeof *counts);
    struct bounds bounds;
    for (uint32_t u = 0; counts != NULL && u < users; u++)
        counts[u] = in->user_begin[u + 1] - in->user_begin[u];
    if (counts == NULL || bounds_of_users(counts, users, options->min_user_history,
                                          options->max_user_history, &bounds) < 0) {
        free(counts);
        return EDDY_ENOMEM;
    }
    for (uint32_t u = 0; u < users; u++) {
        bool is_short = counts[u] > 0 && counts[u] < bounds.low;
        bool is_long = counts[u] > bounds.high;
        ret->short_users += is_short;
        ret->long_users += is_long;
        memset(marks + in->user_begin[u],
               is_short || is_long ? EDDY_MARK_UNUSED : EDDY_MARK_TRAIN, counts[u]);
    }
    free(counts);
    eddy_interactions_filter(in, marks, EDDY_KEEP(EDDY_MARK_TRAIN));
    return 0;
}

static bool in_order(double low, double high)
{
    return low >= 0 && low <= high && high <= 1;
}

int eddy_select(struct eddy_interactions *interactions,
                const struct eddy_select_options *options,
                struct eddy_select_counts *ret, struct eddy_err *err)
{
    struct eddy_select_counts counts = {0};
    int r = 0;
    if (!in_order(options->min_user_history, options->max_user_history) ||
        !in_order(options->min_item_count, options->max_item_count))
        return eddy_fail(err, EDDY_ECONFIG,
                         "percentiles lie between 0 and 1, the smaller one first");
    uint8_t *marks =
        eddy_spill_new(interactions->spill, interactions->count + 1, &r, err);
    if (marks == NULL)
        return r;
    if (options->event_type != NULL || options->has_threshold ||
        options->type_threshold_count > 0)
        r = select_rows(interactions, options, marks, &counts, err);
    if (r == 0 && (options->min_item_count > 0 || options->max_item_count < 1))
        r = select_items(interactions, options, marks, &counts);
    if (r == 0 && (options->min_user_history > 0 || options->max_user_history < 1))
        r = select_users(interactions, options, marks, &counts);
    eddy_spill_free(marks);
    if (r == EDDY_ENOMEM)
        return eddy_fail(err, EDDY_ENOMEM, "no memory to sort users by their rows");
    if (r == 0)
        *ret = counts;
    return r;
}

int eddy_select_check(const struct eddy_interactions *interactions,
                      struct eddy_err *err)
{
    uint32_t users = eddy_catalog_count(interactions->users), useful = 0;
    for (uint32_t u = 0; u < users; u++)
        useful += interactions->user_begin[u + 1] - interactions->user_begin[u] >= 2;
    if (interactions->count < INTERACTIONS_MIN)
        return eddy_fail(err, EDDY_EFORMAT,
                         "Dataset has fewer than 1000 interactions after filtering by "
                         "event type: %llu. Give more data, or --set allow_small=true",
                         (unsigned long long)interactions->count);
    if (useful < USERS_MIN)
        return eddy_fail(err, EDDY_EFORMAT,
                         "Dataset has fewer than 25 users with at least 2 interactions "
                         "each: %u. Give more data, or --set allow_small=true",
                         useful);
    return 0;
}
