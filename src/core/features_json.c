/* A vocabulary as JSON for the manifest:
 *   {"columns": [{"name": "GENRES", "kind": "categorical", "values": ["Drama", ...]},
 *                {"name": "PRICE", "kind": "numeric", "knots": [0.5, ...]},
 *                {"name": "TITLE", "kind": "text", "buckets": [12, ...]},
 *                {"name": "CREATION_TIMESTAMP", "kind": "ignored"}]}
 * Features are numbered in this order: of a categorical column one per value and one for all
 * others, of a numeric one per knot, of a text one per bucket. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "core/features_priv.h"

/* ---- encode ------------------------------------------------------------------------- */

static void put_column(const struct eddy_column *column, struct eddy_buf *out)
{
    eddy_buf_puts(out, "{\"name\":");
    eddy_buf_put_json_string(out, eddy_span_of(column->name));
    eddy_buf_printf(out, ",\"kind\":\"%s\"", eddy_column_kind_name(column->kind));
    switch (column->kind) {
    case EDDY_COLUMN_CATEGORICAL:
        eddy_buf_puts(out, ",\"values\":[");
        for (uint32_t i = 0; i < column->value_count; i++) {
            eddy_buf_puts(out, i > 0 ? "," : "");
            eddy_buf_put_json_string(out, eddy_span_of(column->values[i]));
        }
        eddy_buf_putc(out, ']');
        break;
    case EDDY_COLUMN_NUMERIC:
        eddy_buf_puts(out, ",\"knots\":[");
        for (uint32_t i = 0; i < column->knot_count; i++)
            eddy_buf_printf(out, "%s%.17g", i > 0 ? "," : "", column->knots[i]);
        eddy_buf_putc(out, ']');
        break;
    case EDDY_COLUMN_TEXT:
        eddy_buf_puts(out, ",\"buckets\":[");
        for (uint32_t i = 0; i < column->bucket_count; i++)
            eddy_buf_printf(out, "%s%u", i > 0 ? "," : "", column->buckets[i]);
        eddy_buf_putc(out, ']');
        break;
    case EDDY_COLUMN_IGNORED: break;
    }
    eddy_buf_putc(out, '}');
}

void eddy_vocabulary_encode(const struct eddy_vocabulary *vocabulary,
                            struct eddy_buf *out)
{
    eddy_buf_puts(out, "{\"columns\":[");
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        eddy_buf_puts(out, i > 0 ? "," : "");
        put_column(&vocabulary->columns[i], out);
    }
    eddy_buf_puts(out, "]}");
}

static void put_named(const char *name, const struct eddy_vocabulary *vocabulary,
                      struct eddy_buf *out)
{
    if (vocabulary == NULL || out->failed)
        return;
    eddy_buf_printf(out, "%s\"%s\":", out->data[out->size - 1] == '{' ? "" : ",", name);
    eddy_vocabulary_encode(vocabulary, out);
}

void eddy_vocabularies_encode(const struct eddy_vocabularies *vocabularies,
                              struct eddy_buf *out)
{
    eddy_buf_putc(out, '{');
    put_named("items", vocabularies->items, out);
    put_named("users", vocabularies->users, out);
    put_named("context", vocabularies->context, out);
    eddy_buf_putc(out, '}');
}

/* ---- decode ------------------------------------------------------------------------- */

static int read_values(struct eddy_column *column, const json_t *values)
{
    size_t count = json_array_size(values);
    if (count > EDDY_VALUES_MAX)
        return EDDY_EFORMAT;
    int r = eddy_column_take_values(column, (uint32_t)count);
    for (size_t i = 0; r == 0 && i < count; i++) {
        const char *text = json_string_value(json_array_get(values, i));
        r = text ? eddy_column_add_value(column, eddy_span_of(text)) : EDDY_EFORMAT;
    }
    return r;
}

static int read_knots(struct eddy_column *column, const json_t *knots)
{
    size_t count = json_array_size(knots);
    if (count < 1 || count > EDDY_NUMERIC_KNOTS)
        return EDDY_EFORMAT;
    for (size_t i = 0; i < count; i++) {
        const json_t *knot = json_array_get(knots, i);
        column->knots[i] = json_number_value(knot);
        if (!json_is_number(knot) || !isfinite(column->knots[i]) ||
            (i > 0 && column->knots[i] <= column->knots[i - 1]))
            return EDDY_EFORMAT;
    }
    column->knot_count = (uint32_t)count;
    return 0;
}

static int read_buckets(struct eddy_column *column, const json_t *buckets)
{
    size_t count = json_array_size(buckets);
    if (count > EDDY_TEXT_BUCKETS)
        return EDDY_EFORMAT;
    column->buckets = calloc(count + 1, sizeof *column->buckets);
    if (column->buckets == NULL)
        return EDDY_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const json_t *bucket = json_array_get(buckets, i);
        json_int_t value = json_integer_value(bucket);
        if (!json_is_integer(bucket) || value < 0 || value >= EDDY_TEXT_BUCKETS ||
            (i > 0 && value <= column->buckets[i - 1]))
            return EDDY_EFORMAT;
        column->buckets[i] = (uint16_t)value;
    }
    column->bucket_count = (uint32_t)count;
    return 0;
}

static int read_column(struct eddy_column *column, const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *kind_name = json_string_value(json_object_get(json, "kind"));
    int kind = kind_name ? eddy_column_kind_find(eddy_span_of(kind_name)) : -1;
    if (name == NULL || kind < 0)
        return EDDY_EFORMAT;
    column->kind = (enum eddy_column_kind)kind;
    column->name = strdup(name);
    if (column->name == NULL)
        return EDDY_ENOMEM;
    switch (column->kind) {
    case EDDY_COLUMN_CATEGORICAL:
        return read_values(column, json_object_get(json, "values"));
    case EDDY_COLUMN_NUMERIC: return read_knots(column, json_object_get(json, "knots"));
    case EDDY_COLUMN_TEXT:
        return read_buckets(column, json_object_get(json, "buckets"));
    case EDDY_COLUMN_IGNORED: break;
    }
    return 0;
}

static int read_columns(struct eddy_vocabulary *vocabulary, const json_t *columns,
                        struct eddy_err *err)
{
    int r = json_is_array(columns) && json_array_size(columns) <= EDDY_COLUMNS_MAX
                ? 0
                : EDDY_EFORMAT;
    for (size_t i = 0; r == 0 && i < json_array_size(columns); i++) {
        vocabulary->count = (uint32_t)i + 1;
        r = read_column(&vocabulary->columns[i], json_array_get(columns, i));
    }
    r = r ? r : eddy_vocabulary_finish(vocabulary);
    if (r == EDDY_EFORMAT)
        return eddy_fail(err, r,
                         "features: column %u of metadata is none (name, kind, and "
                         "rising knots or buckets, or values): damaged or changed",
                         vocabulary->count);
    return r < 0 ? eddy_fail(err, r, "features: no memory") : 0;
}

static int read_vocabulary(const json_t *json, struct eddy_vocabulary **ret,
                           struct eddy_err *err)
{
    struct eddy_vocabulary *vocabulary = calloc(1, sizeof *vocabulary);
    int r = vocabulary ? read_columns(vocabulary, json_object_get(json, "columns"), err)
                       : eddy_fail(err, EDDY_ENOMEM, "features: no memory");
    if (r < 0) {
        eddy_vocabulary_free(vocabulary);
        return r;
    }
    *ret = vocabulary;
    return 0;
}

/* An object, to be released; NULL and *err when it is none. */
static json_t *load(struct eddy_span json, struct eddy_err *err)
{
    json_error_t error = {.text = "not an object"};
    json_t *root = json_loadb(json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(root))
        return root;
    (void)eddy_fail(err, EDDY_EFORMAT, "features: %s", error.text);
    json_decref(root);
    return NULL;
}

int eddy_vocabulary_decode(struct eddy_span json, struct eddy_vocabulary **ret,
                           struct eddy_err *err)
{
    json_t *root = load(json, err);
    int r = root ? read_vocabulary(root, ret, err) : EDDY_EFORMAT;
    json_decref(root);
    return r;
}

void eddy_vocabularies_free(struct eddy_vocabularies *vocabularies)
{
    eddy_vocabulary_free(vocabularies->items);
    eddy_vocabulary_free(vocabularies->users);
    eddy_vocabulary_free(vocabularies->context);
    *vocabularies = (struct eddy_vocabularies){NULL, NULL, NULL};
}

int eddy_vocabularies_decode(struct eddy_span json, struct eddy_vocabularies *ret,
                             struct eddy_err *err)
{
    struct eddy_vocabularies all = {NULL, NULL, NULL};
    struct eddy_vocabulary **const to[] = {&all.items, &all.users, &all.context};
    static const char *const names[] = {"items", "users", "context"};
    json_t *root = load(json, err);
    int r = root ? 0 : EDDY_EFORMAT;

    for (int i = 0; i < 3; i++) {
        const json_t *vocabulary = json_object_get(root, names[i]);
        if (r == 0 && vocabulary != NULL)
            r = read_vocabulary(vocabulary, to[i], err);
    }
    json_decref(root);
    if (r < 0)
        eddy_vocabularies_free(&all);
    *ret = all;
    return r;
}
