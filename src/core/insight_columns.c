/* A CSV file column by column: how complete, of what kind, how many different values.
 *
 * Kinds follow the rules of core/features.h as far as one pass can tell: a column whose
 * filled cells are numbers (19 in 20, more than 20 different ones) is numeric, one with
 * three words or more in most cells and mostly different values is text, the rest is
 * categorical. Names with a meaning of their own (ids, times) are no metadata.
 *
 * Different values are counted in a set of 64-bit hashes that stops growing at 65536. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "core/csv.h"
#include "core/insight.h"
#include "core/text.h"

enum { DISTINCT_MAX = 65536, NOWHERE = EDDY_CSV_COLUMNS_MAX };

struct scan {
    struct eddy_csv csv;
    const struct eddy_catalog *known;
    struct eddy_insight_table *table;
    struct eddy_map ids, *values; /* values: per column */
    uint64_t *numeric;            /* cells that are numbers, per column */
    uint32_t id_at, user_at, session_at;
};

static bool is_reserved(struct eddy_span name)
{
    static const char *const names[] = {"USER_ID",    "ITEM_ID",
                                        "TIMESTAMP",  "CREATION_TIMESTAMP",
                                        "SESSION_ID", "RECOMMENDATION_ID",
                                        "IMPRESSION", "EVENT_ATTRIBUTION_SOURCE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (eddy_span_eq_nocase(name, eddy_span_of(names[i])))
            return true;
    return false;
}

static uint64_t count_words(struct eddy_span text)
{
    uint64_t words = 0;
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        bool blank = text.data[i] == ' ' || text.data[i] == '\t' ||
                     text.data[i] == '\n' || text.data[i] == '|';
        words += !blank && !inside;
        inside = !blank;
    }
    return words;
}

static int see_cell(struct scan *scan, uint32_t c, struct eddy_span text)
{
    struct eddy_insight_column *column = &scan->table->columns[c];
    double number;
    if (text.size == 0)
        return 0;
    column->filled++;
    column->words += (double)count_words(text);
    if (eddy_number_parse(text, &number)) {
        if (scan->numeric[c]++ == 0)
            column->min = column->max = number;
        column->min = number < column->min ? number : column->min;
        column->max = number > column->max ? number : column->max;
    }
    if (scan->values[c].count >= DISTINCT_MAX)
        return 0;
    return eddy_map_put(&scan->values[c], eddy_hash64(text), 1);
}

static int see_id(struct scan *scan, struct eddy_span id)
{
    uint64_t hash = eddy_hash64(id);
    if (scan->known == NULL || id.size == 0)
        return 0;
    if (eddy_map_get(&scan->ids, hash) != EDDY_MAP_NONE) {
        scan->table->repeated_ids++;
        return 0;
    }
    scan->table->ids++;
    scan->table->without_events += eddy_catalog_find(scan->known, id) == EDDY_ITEM_NONE;
    return eddy_map_put(&scan->ids, hash, 1);
}

static int see_row(struct scan *scan)
{
    const struct eddy_span *fields = scan->csv.fields;
    int r = 0;
    if (scan->csv.count != scan->table->column_count) {
        scan->table->broken++;
        return 0;
    }
    scan->table->rows++;
    if (scan->session_at != NOWHERE && scan->user_at != NOWHERE &&
        fields[scan->session_at].size > 0)
        scan->table->anonymous +=
            fields[scan->user_at].size == 0 ||
            eddy_span_eq(fields[scan->user_at], fields[scan->session_at]);
    if (scan->id_at != NOWHERE)
        r = see_id(scan, fields[scan->id_at]);
    for (uint32_t c = 0; r == 0 && c < scan->csv.count; c++)
        if (c != scan->id_at)
            r = see_cell(scan, c, fields[c]);
    return r;
}

static int see_header(struct scan *scan, const char *id_column)
{
    struct eddy_insight_table *table = scan->table;
    uint32_t n = scan->csv.count;
    table->columns = calloc((size_t)n + 1, sizeof *table->columns);
    scan->values = calloc((size_t)n + 1, sizeof *scan->values);
    scan->numeric = calloc((size_t)n + 1, sizeof *scan->numeric);
    if (table->columns == NULL || scan->values == NULL || scan->numeric == NULL)
        return EDDY_ENOMEM;
    for (uint32_t c = 0; c < n; c++) {
        struct eddy_span name = scan->csv.fields[c];
        (void)snprintf(table->columns[c].name, sizeof table->columns[c].name, "%.*s",
                       name.size > 120 ? 120 : (int)name.size, name.data);
        if (eddy_span_eq_nocase(name, eddy_span_of(id_column)))
            scan->id_at = c;
        if (eddy_span_eq_nocase(name, eddy_span_of("USER_ID")))
            scan->user_at = c;
        if (eddy_span_eq_nocase(name, eddy_span_of("SESSION_ID")))
            scan->session_at = c;
        if (eddy_map_init(&scan->values[c], 16) < 0)
            return EDDY_ENOMEM;
        table->column_count = c + 1;
    }
    table->has_session = scan->session_at != NOWHERE;
    return eddy_map_init(&scan->ids, 1024);
}

static void decide(struct scan *scan)
{
    for (uint32_t c = 0; c < scan->table->column_count; c++) {
        struct eddy_insight_column *column = &scan->table->columns[c];
        double filled = (double)column->filled;
        column->distinct = scan->values[c].count;
        column->words = filled > 0 ? column->words / filled : 0;
        if (c == scan->id_at || is_reserved(eddy_span_of(column->name)))
            column->kind = EDDY_COLUMN_IGNORED;
        else if (filled > 0 && (double)scan->numeric[c] >= .95 * filled &&
                 column->distinct > 20)
            column->kind = EDDY_COLUMN_NUMERIC;
        else if (filled > 0 && column->words >= 3 &&
                 (double)column->distinct >= .5 * filled)
            column->kind = EDDY_COLUMN_TEXT;
        else
            column->kind = EDDY_COLUMN_CATEGORICAL;
    }
}

int eddy_insight_table_parse(struct eddy_span csv, const char *name,
                             const char *id_column, const struct eddy_catalog *known,
                             struct eddy_insight_table *ret, struct eddy_err *err)
{
    struct eddy_insight_table table = {0};
    struct scan scan = {.known = known,
                        .table = &table,
                        .id_at = NOWHERE,
                        .user_at = NOWHERE,
                        .session_at = NOWHERE};
    int r;
    (void)snprintf(table.name, sizeof table.name, "%s", name);
    eddy_csv_init(&scan.csv, csv, name);
    r = eddy_csv_next(&scan.csv, err);
    if (r == 0)
        r = eddy_fail(err, EDDY_EFORMAT, "%s: empty, a header with %s is needed", name,
                      id_column);
    if (r > 0 && (r = see_header(&scan, id_column)) == 0 && scan.id_at == NOWHERE)
        r = eddy_fail(err, EDDY_EFORMAT,
                      "%s:1: Input CSV is missing the following columns:[%s]", name,
                      id_column);
    while (r >= 0 && (r = eddy_csv_next(&scan.csv, NULL)) != 0) {
        if (r > 0)
            r = see_row(&scan);
        else if (r == EDDY_EFORMAT && table.broken++ < UINT64_MAX)
            r = 0;
    }
    if (r == 0)
        decide(&scan);
    for (uint32_t c = 0; scan.values != NULL && c < table.column_count; c++)
        eddy_map_fini(&scan.values[c]);
    free(scan.values);
    free(scan.numeric);
    eddy_map_fini(&scan.ids);
    eddy_csv_fini(&scan.csv);
    if (r < 0) {
        eddy_insight_table_fini(&table);
        return r == EDDY_ENOMEM
                   ? eddy_fail(err, r, "%s: no memory for its columns", name)
                   : r;
    }
    *ret = table;
    return 0;
}

void eddy_insight_table_fini(struct eddy_insight_table *table)
{
    free(table->columns);
    *table = (struct eddy_insight_table){0};
}
