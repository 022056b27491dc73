/* Counts of a log.
 *
 * SIMS counts users in common item by item: around every event on item j, the items within
 * the window are added up in one array of counters, once per user, so that memory stays at
 * two counters per item and thread, however many pairs there are. With the discount d, item i
 * is weighted common(j, i) / users(i)^d: 0 leaves the raw count (popular items win), 1 gives
 * the share of i's users who also have j near it. */
#include "core/counting.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/table_rows.h"
#include "core/team.h"
#include "core/text.h"

enum { TASK_ITEMS = 32 };

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

float *eddy_count_shares(const struct eddy_interactions *in)
{
    uint32_t items = eddy_catalog_count(in->items), users = 0;
    float *shares = malloc(((size_t)items + 1) * sizeof *shares);
    if (shares == NULL || eddy_count_users(in, shares) < 0) {
        free(shares);
        return NULL;
    }
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++)
        users += in->user_begin[u + 1] > in->user_begin[u] ? 1 : 0;
    for (uint32_t i = 0; i < items; i++)
        shares[i] /= (float)(users > 0 ? users : 1);
    return shares;
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
    const struct eddy_interactions *in;
    uint32_t items;
    uint64_t *begin;   /* (items + 1) into rows_of */
    uint64_t *rows_of; /* rows of each item, by user */
    float *users;      /* (items) distinct */
    struct eddy_table_rows rows;
    struct scratch {
        uint32_t *counts; /* (items) zero between rows */
        uint32_t *last;   /* (items) user counted last, plus 1; zero between rows */
        struct eddy_scored *entries;
    } * scratch;
    atomic_bool failed;
};

static int invert(struct sims *sims, struct eddy_err *err)
{
    const struct eddy_interactions *in = sims->in;
    int code = EDDY_ENOMEM;
    sims->begin = calloc((size_t)sims->items + 2, sizeof *sims->begin);
    sims->users = calloc((size_t)sims->items + 1, sizeof *sims->users);
    if (!sims->begin || !sims->users || eddy_count_users(in, sims->users) < 0)
        return code;
    sims->rows_of =
        eddy_spill_new(in->spill, (in->count + 1) * sizeof *sims->rows_of, &code, err);
    if (sims->rows_of == NULL)
        return code;
    for (uint64_t i = 0; i < in->count; i++)
        sims->begin[in->rows[i].item + 2]++;
    for (uint32_t i = 2; i <= sims->items + 1; i++)
        sims->begin[i] += sims->begin[i - 1];
    for (uint64_t i = 0; i < in->count; i++) /* begins, shifted by one, move to ends */
        sims->rows_of[sims->begin[in->rows[i].item + 1]++] = i;
    return 0;
}

/* Items within the window of one row of the user. */
static uint32_t count_around(struct sims *sims, uint64_t row, struct scratch *scratch,
                             uint32_t found)
{
    const struct eddy_interactions *in = sims->in;
    uint32_t user = in->rows[row].user, window = sims->options->window;
    uint64_t first = in->user_begin[user], end = in->user_begin[user + 1];
    first = row - first > window ? row - window : first;
    end = end - row > window + 1 ? row + window + 1 : end;
    for (uint64_t i = first; i < end; i++) {
        uint32_t other = in->rows[i].item;
        if (scratch->last[other] == user + 1)
            continue;
        scratch->last[other] = user + 1;
        if (scratch->counts[other]++ == 0)
            scratch->entries[found++].item = other;
    }
    return found;
}

static int sims_row(struct sims *sims, uint32_t item, struct scratch *scratch)
{
    uint32_t found = 0, kept = 0;
    for (uint64_t p = sims->begin[item]; p < sims->begin[item + 1]; p++)
        found = count_around(sims, sims->rows_of[p], scratch, found);
    for (uint32_t e = 0; e < found; e++) {
        uint32_t other = scratch->entries[e].item, common = scratch->counts[other];
        scratch->counts[other] = scratch->last[other] = 0;
        if (other == item || common < sims->options->common_min)
            continue;
        double weight =
            common / pow((double)sims->users[other], sims->options->discount);
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
        free(sims->scratch[t].last);
        free(sims->scratch[t].entries);
    }
    free(sims->scratch);
    free(sims->begin);
    eddy_spill_free(sims->rows_of);
    free(sims->users);
    eddy_table_rows_fini(&sims->rows);
}

int eddy_sims_fit(const struct eddy_interactions *in,
                  const struct eddy_sims_options *options, struct eddy_table *ret,
                  struct eddy_err *err)
{
    struct sims sims = {
        .options = options, .in = in, .items = eddy_catalog_count(in->items)};
    uint32_t threads = options->threads < 1 ? 1 : options->threads;
    int r = eddy_table_rows_init(&sims.rows, sims.items);
    sims.scratch = calloc(threads, sizeof *sims.scratch);
    if (sims.scratch == NULL)
        r = EDDY_ENOMEM;
    for (uint32_t t = 0; r == 0 && t < threads; t++) {
        sims.scratch[t].counts = calloc((size_t)sims.items + 1, sizeof(uint32_t));
        sims.scratch[t].entries =
            malloc(((size_t)sims.items + 1) * sizeof(struct eddy_scored));
        sims.scratch[t].last = calloc((size_t)sims.items + 1, sizeof(uint32_t));
        if (sims.scratch[t].counts == NULL || sims.scratch[t].last == NULL ||
            sims.scratch[t].entries == NULL)
            r = EDDY_ENOMEM;
    }
    if (r == 0)
        r = invert(&sims, err);
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
