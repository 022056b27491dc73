/* Context columns -> vocabulary, and values -> features.
 *
 * A state keeps 32 bits of a value's hash. Of 4,096 values two share them once in 500
 * columns; then the more frequent one stands for both. A value of a numeric column belongs
 * to the last knot that is not above it, so a bucket holds a sixteenth of the rows. */
#include "core/context_index.h"

#include <math.h>
#include <stdlib.h>

#include "core/features_priv.h"
#include "core/text.h"

enum {
    SUPPORT = 5,     /* rows that a value needs */
    SAMPLE = 1 << 20 /* rows that quantiles are taken from, at most */
};

/* ---- learning ------------------------------------------------------------------------ */

struct value {
    uint32_t text; /* index in the column's catalogue of values */
    uint64_t rows;
};

/* What a column holds. */
struct census {
    struct eddy_map index; /* 32 bits of hash -> values */
    struct value *values;
    uint32_t count;
    uint64_t filled, numbers, kept; /* rows: with a value, a number, a frequent value */
    float *sample;
    uint32_t sample_count;
};

static void census_fini(struct census *census)
{
    eddy_map_fini(&census->index);
    free(census->values);
    free(census->sample);
}

static int by_number(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int by_rows(const void *a, const void *b)
{
    const struct value *x = a, *y = b;
    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

static void count_rows(struct census *census, const struct eddy_interactions *in,
                       uint32_t column)
{
    uint64_t stride = in->count / SAMPLE + 1;
    for (uint64_t i = 0; i < in->count; i++) {
        struct eddy_context_cell cell =
            in->cells[(uint64_t)in->rows[i].row * in->context_count + column];
        if (cell.text == 0)
            continue;
        census->filled++;
        if (!isnan(cell.number)) {
            census->numbers++;
            if (i % stride == 0)
                census->sample[census->sample_count++] = cell.number;
        }
        uint32_t at = eddy_map_get(&census->index, cell.text);
        if (at != EDDY_MAP_NONE)
            census->values[at].rows++;
    }
}

static int census_take(struct census *census, const struct eddy_interactions *in,
                       uint32_t column)
{
    const struct eddy_catalog *texts = in->context[column].values;
    uint32_t count = eddy_catalog_count(texts);
    *census = (struct census){.count = count};
    census->values = calloc((size_t)count + 1, sizeof *census->values);
    census->sample = malloc(((size_t)SAMPLE + 1) * sizeof *census->sample);
    int r = census->values && census->sample ? eddy_map_init(&census->index, count + 1)
                                             : EDDY_ENOMEM;
    for (uint32_t v = 0; r == 0 && v < count; v++) {
        struct eddy_context value = eddy_context_of(0, eddy_catalog_id(texts, v));
        census->values[v].text = v;
        if (eddy_map_get(&census->index, value.text) == EDDY_MAP_NONE)
            r = eddy_map_put(&census->index, value.text, v);
    }
    if (r < 0) {
        census_fini(census);
        return r;
    }
    count_rows(census, in, column);
    qsort(census->sample, census->sample_count, sizeof *census->sample, by_number);
    qsort(census->values, count, sizeof *census->values, by_rows);
    for (uint32_t v = 0; v < count && v < EDDY_CONTEXT_VALUES_MAX; v++)
        census->kept += census->values[v].rows >= SUPPORT ? census->values[v].rows : 0;
    return 0;
}

static uint32_t different_numbers(const struct census *census)
{
    uint32_t different = 0;
    for (uint32_t i = 0; i < census->sample_count; i++)
        different += i == 0 || census->sample[i] != census->sample[i - 1] ? 1 : 0;
    return different;
}

static enum eddy_column_kind kind_of(const struct census *census, uint64_t rows)
{
    if (census->filled == 0 ||
        (census->filled == rows && census->values[0].rows == rows))
        return EDDY_COLUMN_IGNORED;
    if (census->numbers == census->filled &&
        different_numbers(census) > EDDY_NUMBERS_DIFFERENT)
        return EDDY_COLUMN_NUMERIC;
    return 2 * census->kept < census->filled ? EDDY_COLUMN_IGNORED
                                             : EDDY_COLUMN_CATEGORICAL;
}

static int learn_values(const struct census *census, const struct eddy_catalog *texts,
                        struct eddy_column *column)
{
    uint32_t count = 0;
    while (count < census->count && count < EDDY_CONTEXT_VALUES_MAX &&
           census->values[count].rows >= SUPPORT)
        count++;
    int r = eddy_column_take_values(column, count);
    for (uint32_t v = 0; r == 0 && v < count; v++)
        r = eddy_column_add_value(column,
                                  eddy_catalog_id(texts, census->values[v].text));
    return r;
}

static void learn_knots(const struct census *census, struct eddy_column *column)
{
    uint32_t n = census->sample_count;
    for (uint32_t k = 0; n > 0 && k < EDDY_NUMERIC_KNOTS; k++)
        eddy_column_add_knot(
            column, (double)census->sample[(uint64_t)k * n / EDDY_NUMERIC_KNOTS]);
    if (n == 0)
        column->kind = EDDY_COLUMN_IGNORED;
}

static int learn_column(const struct eddy_interactions *in, uint32_t at,
                        const char *kinds, struct eddy_column *column)
{
    const struct eddy_context_column *from = &in->context[at];
    int forced =
        kinds ? eddy_features_forced_kind(kinds, eddy_span_of(from->name)) : -1;
    struct census census;
    int r;
    column->name = strdup(from->name);
    if (column->name == NULL || census_take(&census, in, at) < 0)
        return EDDY_ENOMEM;
    column->kind =
        forced >= 0 ? (enum eddy_column_kind)forced : kind_of(&census, in->count);
    r = 0;
    if (column->kind == EDDY_COLUMN_CATEGORICAL)
        r = learn_values(&census, from->values, column);
    else if (column->kind == EDDY_COLUMN_NUMERIC)
        learn_knots(&census, column);
    census_fini(&census);
    return r;
}

/* Every entry names a context column and a kind that context can have. */
static int check_kinds(const char *kinds, const struct eddy_interactions *in,
                       struct eddy_err *err)
{
    struct eddy_catalog *columns = eddy_catalog_new();
    bool made = columns != NULL;
    int r;
    for (uint32_t c = 0; c < in->context_count; c++) {
        struct eddy_span name = eddy_span_of(in->context[c].name);
        made = made && eddy_catalog_add_column(columns, name) != EDDY_ITEM_NONE;
    }
    r = made ? eddy_features_check_kinds(kinds, columns, err)
             : eddy_fail(err, EDDY_ENOMEM, "no memory for context columns");
    eddy_catalog_free(columns);
    for (uint32_t c = 0; r == 0 && c < in->context_count; c++)
        if (eddy_features_forced_kind(kinds, eddy_span_of(in->context[c].name)) ==
            EDDY_COLUMN_TEXT)
            r = eddy_fail(err, EDDY_ECONFIG,
                          "kinds of columns: context is no text: %s=categorical, "
                          "numeric or ignored",
                          in->context[c].name);
    return r;
}

int eddy_context_learn(const struct eddy_interactions *interactions, const char *kinds,
                       struct eddy_vocabulary **ret, struct eddy_err *err)
{
    *ret = NULL;
    if (interactions->context_count == 0)
        return 0;
    int r = kinds ? check_kinds(kinds, interactions, err) : 0;
    if (r < 0)
        return r;
    struct eddy_vocabulary *vocabulary = calloc(1, sizeof *vocabulary);
    r = vocabulary ? 0 : EDDY_ENOMEM;
    for (uint32_t c = 0; r == 0 && c < interactions->context_count; c++) {
        vocabulary->count = c + 1;
        r = learn_column(interactions, c, kinds, &vocabulary->columns[c]);
    }
    r = r ? r : eddy_vocabulary_finish(vocabulary);
    if (r < 0 || vocabulary->size == 0) {
        eddy_vocabulary_free(vocabulary);
        return r < 0 ? eddy_fail(err, r, "no memory for context columns") : 0;
    }
    *ret = vocabulary;
    return 0;
}

/* ---- values -> features ---------------------------------------------------------------- */

struct eddy_context_index {
    uint32_t count;
    struct place {
        uint32_t hash;
        const struct eddy_column *column;
        struct eddy_map by_text;
    } places[EDDY_CONTEXT_MAX];
};

static int index_column(struct place *place, const struct eddy_column *column)
{
    *place = (struct place){.hash = eddy_context_column(eddy_span_of(column->name)),
                            .column = column};
    int r = eddy_map_init(&place->by_text, column->value_count + 1);
    for (uint32_t v = 0; r == 0 && v < column->value_count; v++) {
        struct eddy_context value = eddy_context_of(0, eddy_span_of(column->values[v]));
        if (eddy_map_get(&place->by_text, value.text) == EDDY_MAP_NONE)
            r = eddy_map_put(&place->by_text, value.text, v);
    }
    return r;
}

int eddy_context_index_new(const struct eddy_vocabulary *vocabulary,
                           struct eddy_context_index **ret, struct eddy_err *err)
{
    bool good = vocabulary->count <= EDDY_CONTEXT_MAX && vocabulary->size < UINT16_MAX;
    for (uint32_t c = 0; good && c < vocabulary->count; c++)
        good = vocabulary->columns[c].kind != EDDY_COLUMN_TEXT;
    if (!good)
        return eddy_fail(err, EDDY_EFORMAT,
                         "context: more than %d columns, a text, or too many values",
                         EDDY_CONTEXT_MAX);
    struct eddy_context_index *index = calloc(1, sizeof *index);
    int r = index ? 0 : EDDY_ENOMEM;
    for (uint32_t c = 0; r == 0 && c < vocabulary->count; c++) {
        index->count = c + 1;
        r = index_column(&index->places[c], &vocabulary->columns[c]);
    }
    if (r < 0) {
        eddy_context_index_free(index);
        return eddy_fail(err, r, "no memory for context columns");
    }
    *ret = index;
    return 0;
}

void eddy_context_index_free(struct eddy_context_index *index)
{
    for (uint32_t c = 0; index != NULL && c < index->count; c++)
        eddy_map_fini(&index->places[c].by_text);
    free(index);
}

/* Feature of a value plus 1; 0: none. */
static uint16_t feature_of(const struct place *place, const struct eddy_context *value)
{
    const struct eddy_column *column = place->column;
    uint32_t at = 0;
    if (column->count == 0)
        return 0;
    if (column->kind == EDDY_COLUMN_CATEGORICAL) {
        at = eddy_map_get(&place->by_text, value->text);
        at = at == EDDY_MAP_NONE ? column->value_count : at;
    } else {
        if (isnan(value->number))
            return 0;
        while (at + 1 < column->knot_count &&
               column->knots[at + 1] <= (double)value->number)
            at++;
    }
    return (uint16_t)(column->first + at + 1);
}

struct eddy_context_row eddy_context_index_row(const struct eddy_context_index *index,
                                               const struct eddy_context *values,
                                               uint32_t count)
{
    struct eddy_context_row row = {{0}};
    for (uint32_t c = 0; index != NULL && c < index->count; c++)
        for (uint32_t i = 0; i < count; i++)
            if (values[i].column == index->places[c].hash)
                row.feature[c] = feature_of(&index->places[c], &values[i]);
    return row;
}

struct eddy_context_row eddy_context_index_interaction(
    const struct eddy_context_index *index,
    const struct eddy_interactions *interactions, const struct eddy_interaction *row)
{
    struct eddy_context values[EDDY_CONTEXT_MAX];
    if (index == NULL || interactions->context_count == 0)
        return (struct eddy_context_row){{0}};
    uint32_t count = eddy_interactions_context(interactions, row, values);
    return eddy_context_index_row(index, values, count);
}

void eddy_context_index_tell(const struct eddy_context_index *index,
                             const struct eddy_context *value, const char **ret_name,
                             const char **ret_text)
{
    *ret_name = *ret_text = NULL;
    for (uint32_t c = 0; index != NULL && c < index->count; c++) {
        const struct place *place = &index->places[c];
        if (place->hash != value->column)
            continue;
        *ret_name = place->column->name;
        uint32_t v = place->column->kind == EDDY_COLUMN_CATEGORICAL
                         ? eddy_map_get(&place->by_text, value->text)
                         : EDDY_MAP_NONE;
        if (v != EDDY_MAP_NONE)
            *ret_text = place->column->values[v];
    }
}

bool eddy_context_index_has(const struct eddy_context_index *index, uint32_t column)
{
    for (uint32_t c = 0; index != NULL && c < index->count; c++)
        if (index->places[c].hash == column && index->places[c].column->count > 0)
            return true;
    return false;
}

void eddy_context_add(const struct eddy_context_row *row, const float *table,
                      uint32_t hidden, float *ret)
{
    for (uint32_t c = 0; c < EDDY_CONTEXT_MAX; c++) {
        if (row->feature[c] == 0)
            continue;
        const float *from = table + (size_t)(row->feature[c] - 1) * hidden;
        for (uint32_t h = 0; h < hidden; h++)
            ret[h] += from[h];
    }
}
