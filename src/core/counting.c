/* Counts of a log.
 *
 * SIMS counts users in common item by item: for item j, the items of all users of j are
 * added up in one array of counters, so that memory stays at a counter per item and thread,
 * however many pairs there are. With the discount d, item i is weighted
 * common(j, i) / users(i)^d: 0 leaves the raw count (popular items win), 1 gives the share
 * of i's users who also have j. */
#include "core/counting.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/table_rows.h"
#include "core/team.h"
#include "core/text.h"

enum { USER_EVENTS_MAX = 2000, TASK_ITEMS = 32 };

int eddy_count_users(const struct eddy_interactions *in, float *ret)
{
    uint32_t items = eddy_catalog_count(in->items),
             users = eddy_catalog_count(in->users);
    uint32_t *last_user = calloc((size_t)items + 1, sizeof *last_user);
    if (last_user == NULL)
        return EDDY_ENOMEM;
    memset(ret, 0, items * sizeof *ret);
    for (uint32_t u = 0; u < users; u++) {
        for (uint64_t i = in->user_begin[u]; i < in->user_begin[u + 1]; i++) {
            uint32_t item = in->rows[i].item;
            ret[item] += last_user[item] == u + 1 ? 0.0f : 1.0f;
            last_user[item] = u + 1;
        }
    }
    free(last_user);
    return 0;
}

static int64_t newest_ms(const struct eddy_interactions *in)
{
    int64_t newest = INT64_MIN;
    for (uint64_t i = 0; i < in->count; i++)
        newest = in->rows[i].ts_ms > newest ? in->rows[i].ts_ms : newest;
    return newest;
}

int eddy_count_trend(const struct eddy_interactions *in, int64_t interval_s, float *ret)
{
    uint32_t items = eddy_catalog_count(in->items);
    int64_t end = newest_ms(in), interval_ms = interval_s * 1000;
    int64_t *rise = calloc((size_t)items + 1, sizeof *rise);
    if (rise == NULL || eddy_count_users(in, ret) < 0) {
        free(rise);
        return EDDY_ENOMEM;
    }
    for (uint64_t i = 0; i < in->count; i++) {
        int64_t age = end - in->rows[i].ts_ms;
        if (age < interval_ms)
            rise[in->rows[i].item]++;
        else if (age < 2 * interval_ms)
            rise[in->rows[i].item]--;
    }
    float users = (float)eddy_catalog_count(in->users) + 1;
    for (uint32_t i = 0; i < items; i++)
        ret[i] = 0.5f * ret[i] / users + (rise[i] > 0 ? (float)rise[i] : 0.0f);
    free(rise);
    return 0;
}

/* CREATION_TIMESTAMP of an item, INT64_MIN: none or no time. */
static int64_t created_ms(const struct eddy_catalog *catalog, uint32_t item,
                          uint32_t column)
{
    struct eddy_span text =
        catalog ? eddy_catalog_get(catalog, item, column) : (struct eddy_span){"", 0};
    double number;
    int64_t ms;
    if (text.size == 0)
        return INT64_MIN;
    if (eddy_number_parse(text, &number))
        return eddy_time_from_number(number, &ms) ? ms : INT64_MIN;
    return eddy_time_parse_iso(text, &ms) ? ms : INT64_MIN;
}

static uint32_t creation_column(const struct eddy_catalog *catalog)
{
    uint32_t count = catalog ? eddy_catalog_column_count(catalog) : 0;
    for (uint32_t c = 0; c < count; c++)
        if (eddy_span_eq_nocase(eddy_catalog_column_name(catalog, c),
                                eddy_span_of("CREATION_TIMESTAMP")))
            return c;
    return EDDY_ITEM_NONE;
}

int eddy_count_cold(const struct eddy_interactions *in,
                    const struct eddy_catalog *catalog,
                    const struct eddy_cold_options *options, bool **ret,
                    uint32_t *ret_count)
{
    uint32_t items = eddy_catalog_count(in->items), column = creation_column(catalog);
    uint64_t *counts = calloc((size_t)items + 1, sizeof *counts);
    int64_t *first = malloc(((size_t)items + 1) * sizeof *first);
    bool *cold = calloc((size_t)items + 1, sizeof *cold);
    int64_t newest = newest_ms(in), reference = options->now_ms;
    if (counts == NULL || first == NULL || cold == NULL) {
        free(counts);
        free(first);
        free(cold);
        return EDDY_ENOMEM;
    }
    for (uint32_t i = 0; i < items; i++)
        first[i] = INT64_MAX;
    for (uint64_t i = 0; i < in->count; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        counts[row->item]++;
        if (row->ts_ms < first[row->item])
            first[row->item] = row->ts_ms;
    }
    for (uint32_t i = 0; i < items; i++) {
        int64_t created = created_ms(catalog, i, column);
        first[i] = created != INT64_MIN    ? created
                   : first[i] != INT64_MAX ? first[i]
                                           : newest;
        if (options->now_ms == INT64_MIN && first[i] > reference)
            reference = first[i];
    }
    *ret_count = 0;
    for (uint32_t i = 0; i < items; i++) {
        double days = ((double)reference - (double)first[i]) / 86400e3;
        cold[i] = counts[i] <= options->interactions_max && days <= options->days_max;
        *ret_count += cold[i];
    }
    free(counts);
    free(first);
    *ret = cold;
    return 0;
}

/* ---- SIMS ------------------------------------------------------------------------- */

struct sims {
    const struct eddy_sims_options *options;
    uint32_t items, users;
    uint64_t *user_begin, *item_begin;
    uint32_t *user_items, *item_users; /* distinct */
    struct eddy_table_rows rows;
    struct scratch {
        uint32_t *counts; /* (items) zero between rows */
        struct eddy_scored *entries;
    } * scratch;
    atomic_bool failed;
};

/* Distinct items of each user, and from them the users of each item. */
static int invert(struct sims *sims, const struct eddy_interactions *in)
{
    uint32_t *last_user = calloc((size_t)sims->items + 1, sizeof *last_user);
    sims->user_begin = calloc((size_t)sims->users + 1, sizeof *sims->user_begin);
    sims->item_begin = calloc((size_t)sims->items + 2, sizeof *sims->item_begin);
    sims->user_items = malloc(((size_t)in->count + 1) * sizeof *sims->user_items);
    sims->item_users = malloc(((size_t)in->count + 1) * sizeof *sims->item_users);
    if (!last_user || !sims->user_begin || !sims->item_begin || !sims->user_items ||
        !sims->item_users) {
        free(last_user);
        return EDDY_ENOMEM;
    }
    uint64_t at = 0;
    for (uint32_t u = 0; u < sims->users; u++) {
        uint64_t begin = in->user_begin[u], end = in->user_begin[u + 1];
        begin = end - begin > USER_EVENTS_MAX ? end - USER_EVENTS_MAX : begin;
        for (uint64_t i = begin; i < end; i++) {
            uint32_t item = in->rows[i].item;
            if (last_user[item] == u + 1)
                continue;
            last_user[item] = u + 1;
            sims->user_items[at++] = item;
            sims->item_begin[item + 2]++;
        }
        sims->user_begin[u + 1] = at;
    }
    for (uint32_t i = 2; i <= sims->items + 1; i++)
        sims->item_begin[i] += sims->item_begin[i - 1];
    for (uint32_t u = 0; u < sims->users;
         u++) /* begins, shifted by one, move to ends */
        for (uint64_t i = sims->user_begin[u]; i < sims->user_begin[u + 1]; i++)
            sims->item_users[sims->item_begin[sims->user_items[i] + 1]++] = u;
    free(last_user);
    return 0;
}

static int sims_row(struct sims *sims, uint32_t item, struct scratch *scratch)
{
    uint32_t found = 0;
    for (uint64_t p = sims->item_begin[item]; p < sims->item_begin[item + 1]; p++) {
        uint32_t user = sims->item_users[p];
        for (uint64_t i = sims->user_begin[user]; i < sims->user_begin[user + 1]; i++) {
            uint32_t other = sims->user_items[i];
            if (scratch->counts[other]++ == 0)
                scratch->entries[found++].item = other;
        }
    }
    uint32_t kept = 0;
    for (uint32_t e = 0; e < found; e++) {
        uint32_t other = scratch->entries[e].item, common = scratch->counts[other];
        scratch->counts[other] = 0;
        if (other == item || common < sims->options->common_min)
            continue;
        double users = (double)(sims->item_begin[other + 1] - sims->item_begin[other]);
        double weight = common / pow(users, sims->options->discount);
        scratch->entries[kept++] = (struct eddy_scored){other, (float)weight};
    }
    return eddy_table_rows_put(&sims->rows, item, scratch->entries, kept,
                               sims->options->width);
}

static void sims_task(void *context, uint32_t task, uint32_t worker)
{
    struct sims *sims = context;
    uint32_t first = task * TASK_ITEMS;
    uint32_t end = sims->items - first > TASK_ITEMS ? first + TASK_ITEMS : sims->items;
    for (uint32_t i = first; i < end; i++)
        if (sims_row(sims, i, &sims->scratch[worker]) < 0)
            atomic_store_explicit(&sims->failed, true, memory_order_relaxed);
}

static void sims_fini(struct sims *sims, uint32_t threads)
{
    for (uint32_t t = 0; sims->scratch != NULL && t < threads; t++) {
        free(sims->scratch[t].counts);
        free(sims->scratch[t].entries);
    }
    free(sims->scratch);
    free(sims->user_begin);
    free(sims->item_begin);
    free(sims->user_items);
    free(sims->item_users);
    eddy_table_rows_fini(&sims->rows);
}

int eddy_sims_fit(const struct eddy_interactions *in,
                  const struct eddy_sims_options *options, struct eddy_table *ret)
{
    struct sims sims = {.options = options,
                        .items = eddy_catalog_count(in->items),
                        .users = eddy_catalog_count(in->users)};
    uint32_t threads = options->threads < 1 ? 1 : options->threads;
    int r = eddy_table_rows_init(&sims.rows, sims.items);
    sims.scratch = calloc(threads, sizeof *sims.scratch);
    if (sims.scratch == NULL)
        r = EDDY_ENOMEM;
    for (uint32_t t = 0; r == 0 && t < threads; t++) {
        sims.scratch[t].counts = calloc((size_t)sims.items + 1, sizeof(uint32_t));
        sims.scratch[t].entries =
            malloc(((size_t)sims.items + 1) * sizeof(struct eddy_scored));
        if (sims.scratch[t].counts == NULL || sims.scratch[t].entries == NULL)
            r = EDDY_ENOMEM;
    }
    if (r == 0)
        r = invert(&sims, in);
    if (r == 0)
        eddy_team_run(threads, (sims.items + TASK_ITEMS - 1) / TASK_ITEMS, sims_task,
                      &sims);
    if (atomic_load_explicit(&sims.failed, memory_order_relaxed))
        r = EDDY_ENOMEM;
    if (r == 0)
        r = eddy_table_rows_finish(&sims.rows, ret);
    sims_fini(&sims, threads);
    return r;
}
