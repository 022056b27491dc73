/* Metadata columns -> vocabularies: kinds of columns, values, knots, buckets. Rows:
 * features_rows.c; texts: features_text.c; as JSON: features_json.c.
 *
 * A column's kind is read off its values: numbers with many different values are numeric;
 * where most rows share a value with another row it is categorical; what is left, mostly
 * different in every row, is text. So a year of eighty different values is numeric, an age
 * group of seven categorical, a brand categorical, a title text. */
#include "core/features.h"

#include <stdlib.h>

#include "core/features_priv.h"
#include "core/text.h"

enum {
    CATEGORY_BYTES = 1000, /* a longer cell is text (Amazon's limit of categoricals) */
};

static const char *const kind_names[] = {"ignored", "categorical", "numeric", "text"};
enum { KINDS = sizeof kind_names / sizeof *kind_names };

const char *eddy_column_kind_name(enum eddy_column_kind kind)
{
    return kind_names[kind];
}

int eddy_column_kind_find(struct eddy_span name)
{
    for (int kind = 0; kind < KINDS; kind++)
        if (eddy_span_eq_nocase(name, eddy_span_of(kind_names[kind])))
            return kind;
    return -1;
}

struct eddy_span eddy_features_trim(struct eddy_span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = (struct eddy_span){text.data + 1, text.size - 1};
    while (text.size > 0 &&
           (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

void eddy_features_split(struct eddy_span cell,
                         void (*each)(void *context, struct eddy_span value),
                         void *context)
{
    size_t begin = 0;
    for (size_t i = 0; i <= cell.size; i++) {
        if (i < cell.size && cell.data[i] != '|')
            continue;
        struct eddy_span value =
            eddy_features_trim((struct eddy_span){cell.data + begin, i - begin});
        if (value.size > 0)
            each(context, value);
        begin = i + 1;
    }
}

/* ---- what a column holds --------------------------------------------------------------- */

struct value {
    struct eddy_span text;
    uint32_t rows, last_row;
};

/* All values of a column, split. */
struct census {
    struct eddy_map index; /* hash -> values */
    struct value *values;
    uint32_t count, capacity;
    uint32_t row;
    bool failed;
    double *numbers;
    uint32_t filled, number_count, different;
    size_t longest;
};

static void count_value(void *context, struct eddy_span text)
{
    struct census *census = context;
    uint64_t hash = eddy_hash64(text);
    uint32_t at = eddy_map_get(&census->index, hash);
    if (!eddy_utf8_is_valid(text))
        return; /* counts as unknown, here and when rows are made */
    if (at == EDDY_MAP_NONE) {
        if (census->count == census->capacity) {
            uint32_t more = census->capacity ? 2 * census->capacity : 64;
            struct value *grown = realloc(census->values, more * sizeof *grown);
            census->failed = census->failed || grown == NULL;
            if (grown == NULL)
                return;
            census->values = grown;
            census->capacity = more;
        }
        at = census->count;
        if (eddy_map_put(&census->index, hash, at) < 0) {
            census->failed = true;
            return;
        }
        census->values[census->count++] = (struct value){text, 0, EDDY_ITEM_NONE};
    }
    struct value *value = &census->values[at];
    if (value->last_row != census->row) {
        value->last_row = census->row;
        value->rows++;
    }
}

static void census_fini(struct census *census)
{
    eddy_map_fini(&census->index);
    free(census->values);
    free(census->numbers);
}

static int compare_numbers(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int census_take(struct census *census, const struct eddy_catalog *catalog,
                       uint32_t column)
{
    uint32_t rows = eddy_catalog_count(catalog);
    *census = (struct census){0};
    census->numbers = calloc((size_t)rows + 1, sizeof *census->numbers);
    if (census->numbers == NULL || eddy_map_init(&census->index, 64) < 0) {
        census_fini(census);
        return EDDY_ENOMEM;
    }
    for (census->row = 0; census->row < rows; census->row++) {
        struct eddy_span cell =
            eddy_features_trim(eddy_catalog_get(catalog, census->row, column));
        census->filled += cell.size > 0 ? 1 : 0;
        census->longest = cell.size > census->longest ? cell.size : census->longest;
        if (eddy_number_parse(cell, &census->numbers[census->number_count]))
            census->number_count++;
        if (cell.size <= CATEGORY_BYTES)
            eddy_features_split(cell, count_value, census);
    }
    qsort(census->numbers, census->number_count, sizeof *census->numbers,
          compare_numbers);
    for (uint32_t i = 0; i < census->number_count; i++)
        census->different +=
            i == 0 || census->numbers[i] != census->numbers[i - 1] ? 1 : 0;
    if (!census->failed)
        return 0;
    census_fini(census);
    return EDDY_ENOMEM;
}

struct sharing {
    const struct census *census;
    bool shared;
};

static void look_whether_shared(void *context, struct eddy_span text)
{
    struct sharing *sharing = context;
    uint32_t at = eddy_map_get(&sharing->census->index, eddy_hash64(text));
    if (at != EDDY_MAP_NONE && sharing->census->values[at].rows >= 2)
        sharing->shared = true;
}

static enum eddy_column_kind kind_of(const struct census *census,
                                     const struct eddy_catalog *catalog,
                                     uint32_t column)
{
    uint32_t rows = eddy_catalog_count(catalog), shared = 0;
    if (census->filled == 0 ||
        eddy_span_eq_nocase(eddy_catalog_column_name(catalog, column),
                            eddy_span_of("CREATION_TIMESTAMP")))
        return EDDY_COLUMN_IGNORED;
    if (census->number_count == census->filled)
        return census->different > EDDY_NUMBERS_DIFFERENT ? EDDY_COLUMN_NUMERIC
                                                          : EDDY_COLUMN_CATEGORICAL;
    if (census->longest > CATEGORY_BYTES)
        return EDDY_COLUMN_TEXT;
    for (uint32_t row = 0; row < rows; row++) {
        struct sharing sharing = {census, false};
        eddy_features_split(eddy_catalog_get(catalog, row, column), look_whether_shared,
                            &sharing);
        shared += sharing.shared ? 1 : 0;
    }
    return 2 * shared >= census->filled ? EDDY_COLUMN_CATEGORICAL : EDDY_COLUMN_TEXT;
}

/* ---- vocabularies ------------------------------------------------------------------------ */

static int compare_values(const void *a, const void *b)
{
    const struct value *x = a, *y = b;
    size_t size = x->text.size < y->text.size ? x->text.size : y->text.size;
    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    int r = memcmp(x->text.data, y->text.data, size);
    return r ? r : (x->text.size > y->text.size) - (x->text.size < y->text.size);
}

int eddy_column_take_values(struct eddy_column *column, uint32_t count)
{
    column->values = calloc((size_t)count + 1, sizeof *column->values);
    return column->values ? 0 : EDDY_ENOMEM;
}

int eddy_column_add_value(struct eddy_column *column, struct eddy_span value)
{
    char *copy = eddy_span_dup(value);
    if (copy == NULL)
        return EDDY_ENOMEM;
    column->values[column->value_count++] = copy;
    return 0;
}

void eddy_column_add_knot(struct eddy_column *column, double knot)
{
    if (column->knot_count == 0 || knot > column->knots[column->knot_count - 1])
        column->knots[column->knot_count++] = knot;
}

/* The values of two rows and more, most frequent first. */
static int learn_values(struct census *census, struct eddy_column *column)
{
    uint32_t count = 0;
    qsort(census->values, census->count, sizeof *census->values, compare_values);
    while (count < census->count && count < EDDY_VALUES_MAX &&
           census->values[count].rows >= 2)
        count++;
    int r = eddy_column_take_values(column, count);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = eddy_column_add_value(column, census->values[i].text);
    return r;
}

/* Quantiles, each once. */
static void learn_knots(const struct census *census, struct eddy_column *column)
{
    uint32_t n = census->number_count;
    for (uint32_t k = 0; n > 0 && k < EDDY_NUMERIC_KNOTS; k++) {
        uint64_t at = (uint64_t)k * (n - 1) / (EDDY_NUMERIC_KNOTS - 1);
        eddy_column_add_knot(column, census->numbers[at]);
    }
    if (n == 0)
        column->kind = EDDY_COLUMN_IGNORED;
}

/* The buckets of two rows and more. */
static int learn_buckets(const struct eddy_catalog *catalog, uint32_t at,
                         struct eddy_column *column)
{
    uint32_t *rows = calloc(EDDY_TEXT_BUCKETS, sizeof *rows);
    uint16_t buckets[EDDY_TEXT_ROW];
    column->buckets = calloc(EDDY_TEXT_BUCKETS, sizeof *column->buckets);
    if (rows == NULL || column->buckets == NULL) {
        free(rows);
        return EDDY_ENOMEM;
    }
    for (uint32_t row = 0; row < eddy_catalog_count(catalog); row++) {
        uint32_t count =
            eddy_features_text(eddy_catalog_get(catalog, row, at), buckets);
        for (uint32_t i = 0; i < count; i++)
            rows[buckets[i]]++;
    }
    for (uint32_t bucket = 0; bucket < EDDY_TEXT_BUCKETS; bucket++)
        if (rows[bucket] >= 2)
            column->buckets[column->bucket_count++] = (uint16_t)bucket;
    free(rows);
    return 0;
}

static int index_values(struct eddy_column *column)
{
    if (eddy_map_init(&column->value_index, column->value_count + 1) < 0)
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < column->value_count; i++)
        if (eddy_map_put(&column->value_index,
                         eddy_hash64(eddy_span_of(column->values[i])), i) < 0)
            return EDDY_ENOMEM;
    return 0;
}

static int index_buckets(struct eddy_column *column)
{
    column->bucket_index = malloc(EDDY_TEXT_BUCKETS * sizeof *column->bucket_index);
    if (column->bucket_index == NULL)
        return EDDY_ENOMEM;
    for (uint32_t b = 0; b < EDDY_TEXT_BUCKETS; b++)
        column->bucket_index[b] = EDDY_ITEM_NONE;
    for (uint32_t i = 0; i < column->bucket_count; i++)
        column->bucket_index[column->buckets[i]] = i;
    return 0;
}

int eddy_vocabulary_finish(struct eddy_vocabulary *vocabulary)
{
    vocabulary->size = 0;
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        struct eddy_column *column = &vocabulary->columns[i];
        int r = 0;
        column->first = vocabulary->size;
        switch (column->kind) {
        case EDDY_COLUMN_CATEGORICAL:
            column->count = column->value_count > 0 ? column->value_count + 1 : 0;
            r = index_values(column);
            break;
        case EDDY_COLUMN_NUMERIC: column->count = column->knot_count; break;
        case EDDY_COLUMN_TEXT:
            column->count = column->bucket_count;
            r = index_buckets(column);
            break;
        case EDDY_COLUMN_IGNORED: break;
        }
        if (r < 0)
            return r;
        vocabulary->size += column->count;
    }
    return 0;
}

int eddy_features_forced_kind(const char *kinds, struct eddy_span name)
{
    struct eddy_span rest = eddy_span_of(kinds);
    while (rest.size > 0) {
        const char *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma ? (size_t)(comma - rest.data) : rest.size;
        const char *equals = memchr(rest.data, '=', size);
        if (equals != NULL) {
            size_t before = (size_t)(equals - rest.data);
            struct eddy_span is =
                eddy_features_trim((struct eddy_span){rest.data, before});
            struct eddy_span kind =
                eddy_features_trim((struct eddy_span){equals + 1, size - before - 1});
            if (eddy_span_eq_nocase(is, name))
                return eddy_column_kind_find(kind);
        }
        size += comma ? 1 : 0;
        rest = (struct eddy_span){rest.data + size, rest.size - size};
    }
    return -1;
}

int eddy_features_check_kinds(const char *kinds, const struct eddy_catalog *catalog,
                              struct eddy_err *err)
{
    struct eddy_span rest = eddy_span_of(kinds);
    while (rest.size > 0) {
        const char *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma ? (size_t)(comma - rest.data) : rest.size;
        const char *equals = memchr(rest.data, '=', size);
        size_t before = equals ? (size_t)(equals - rest.data) : size;
        struct eddy_span name =
            eddy_features_trim((struct eddy_span){rest.data, before});
        bool known = false;
        for (uint32_t c = 0; c < eddy_catalog_column_count(catalog); c++)
            known = known ||
                    eddy_span_eq_nocase(name, eddy_catalog_column_name(catalog, c));
        if (!known)
            return eddy_fail(err, EDDY_ECONFIG,
                             "kinds of columns: there is no metadata column '%.*s'",
                             (int)name.size, name.data);
        if (equals == NULL || eddy_features_forced_kind(kinds, name) < 0)
            return eddy_fail(err, EDDY_ECONFIG,
                             "kinds of columns: '%.*s' needs one of categorical, "
                             "numeric, text, ignored: write %.*s=categorical",
                             (int)size, rest.data, (int)name.size, name.data);
        size += comma ? 1 : 0;
        rest = (struct eddy_span){rest.data + size, rest.size - size};
    }
    return 0;
}

static int learn_column(const struct eddy_catalog *catalog, uint32_t at,
                        const char *kinds, struct eddy_column *column)
{
    struct eddy_span name = eddy_catalog_column_name(catalog, at);
    int forced = kinds ? eddy_features_forced_kind(kinds, name) : -1;
    struct census census;
    int r;
    column->name = eddy_span_dup(name);
    if (column->name == NULL || census_take(&census, catalog, at) < 0)
        return EDDY_ENOMEM;
    column->kind =
        forced >= 0 ? (enum eddy_column_kind)forced : kind_of(&census, catalog, at);
    r = 0;
    if (column->kind == EDDY_COLUMN_CATEGORICAL)
        r = learn_values(&census, column);
    else if (column->kind == EDDY_COLUMN_NUMERIC)
        learn_knots(&census, column);
    else if (column->kind == EDDY_COLUMN_TEXT)
        r = learn_buckets(catalog, at, column);
    census_fini(&census);
    return r;
}

int eddy_vocabulary_learn(const struct eddy_catalog *catalog, const char *kinds,
                          struct eddy_vocabulary **ret, struct eddy_err *err)
{
    struct eddy_vocabulary *vocabulary = NULL;
    uint32_t columns = eddy_catalog_column_count(catalog);
    int r = kinds ? eddy_features_check_kinds(kinds, catalog, err) : 0;
    if (r < 0)
        return r;
    vocabulary = calloc(1, sizeof *vocabulary);
    r = vocabulary ? 0 : EDDY_ENOMEM;
    for (uint32_t c = 0; r == 0 && c < columns && c < EDDY_COLUMNS_MAX; c++) {
        vocabulary->count = c + 1;
        r = learn_column(catalog, c, kinds, &vocabulary->columns[c]);
    }
    r = r ? r : eddy_vocabulary_finish(vocabulary);
    if (r < 0) {
        eddy_vocabulary_free(vocabulary);
        return eddy_fail(err, r, "no memory for the metadata of %u rows",
                         eddy_catalog_count(catalog));
    }
    *ret = vocabulary;
    return 0;
}

void eddy_vocabulary_free(struct eddy_vocabulary *vocabulary)
{
    if (vocabulary == NULL)
        return;
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        struct eddy_column *column = &vocabulary->columns[i];
        for (uint32_t v = 0; v < column->value_count; v++)
            free(column->values[v]);
        free(column->values);
        free(column->name);
        free(column->buckets);
        free(column->bucket_index);
        eddy_map_fini(&column->value_index);
    }
    free(vocabulary);
}

uint32_t eddy_vocabulary_size(const struct eddy_vocabulary *vocabulary)
{
    return vocabulary->size;
}

enum eddy_column_kind eddy_vocabulary_kind(const struct eddy_vocabulary *vocabulary,
                                           struct eddy_span column)
{
    for (uint32_t i = 0; i < vocabulary->count; i++)
        if (eddy_span_eq(eddy_span_of(vocabulary->columns[i].name), column))
            return vocabulary->columns[i].kind;
    return EDDY_COLUMN_IGNORED;
}
