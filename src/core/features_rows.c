/* Rows of a catalogue as sparse vectors over a vocabulary.
 *
 * The weights of a column in a row have length 1: two genres weigh 0.71 each, a number
 * between two knots weighs them by its distances, and no column speaks louder because it has
 * more to say. Those of a text have length TEXT: its many parts can name every item of a
 * catalogue, so that what is learned of them fits known items best and new ones least. */
#include <math.h>
#include <stdlib.h>

#include "core/features_priv.h"
#include "core/text.h"

/* On a part of ML-1M, held-out items at 1 % of warm NDCG@10: Recall@25 .031 with 1, .037 with
 * 0.3, .043 with 0.1, .048 with 0.05, .050 with 0.03, .049 without the titles. */
static const double text_length = 0.05;

/* Features under construction; those of the present column begin at `column_begin`. */
struct filling {
    struct eddy_features *features;
    uint64_t count, capacity, column_begin;
    const struct eddy_column *column;
    bool failed;
};

static void put(struct filling *filling, uint32_t index, float weight)
{
    struct eddy_features *features = filling->features;
    for (uint64_t i = filling->column_begin; i < filling->count; i++)
        if (features->index[i] == index)
            return;
    if (filling->count == filling->capacity) {
        uint64_t more = filling->capacity ? 2 * filling->capacity : 1024;
        uint32_t *indices = realloc(features->index, more * sizeof *indices);
        if (indices != NULL)
            features->index = indices;
        float *weights = realloc(features->weight, more * sizeof *weights);
        if (weights != NULL)
            features->weight = weights;
        if (indices == NULL || weights == NULL) {
            filling->failed = true;
            return;
        }
        filling->capacity = more;
    }
    features->index[filling->count] = index;
    features->weight[filling->count++] = weight;
}

static void put_value(void *context, struct eddy_span text)
{
    struct filling *filling = context;
    const struct eddy_column *column = filling->column;
    uint32_t value = eddy_map_get(&column->value_index, eddy_hash64(text));
    put(filling, column->first + (value == EDDY_MAP_NONE ? column->value_count : value),
        1);
}

static void put_number(struct filling *filling, double number)
{
    const struct eddy_column *column = filling->column;
    const double *knots = column->knots;
    uint32_t last = column->knot_count - 1, k = 0;
    while (k < last && number >= knots[k + 1])
        k++;
    double t = k < last && number > knots[k]
                   ? (number - knots[k]) / (knots[k + 1] - knots[k])
                   : 0;
    if (t < 1)
        put(filling, column->first + k, (float)(1 - t));
    if (t > 0)
        put(filling, column->first + k + 1, (float)t);
}

static void put_text(struct filling *filling, struct eddy_span text)
{
    const struct eddy_column *column = filling->column;
    uint16_t buckets[EDDY_TEXT_ROW];
    uint32_t count = eddy_features_text(text, buckets);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = column->bucket_index[buckets[i]];
        if (place != EDDY_ITEM_NONE)
            put(filling, column->first + place, 1);
    }
}

static void normalise(struct filling *filling)
{
    float *weight = filling->features->weight;
    double length = filling->column->kind == EDDY_COLUMN_TEXT ? text_length : 1;
    double squares = 0;
    for (uint64_t i = filling->column_begin; i < filling->count; i++)
        squares += (double)weight[i] * (double)weight[i];
    for (uint64_t i = filling->column_begin; i < filling->count; i++)
        weight[i] = (float)(length * (double)weight[i] / sqrt(squares));
}

static void put_cell(struct filling *filling, struct eddy_span cell)
{
    double number;
    filling->column_begin = filling->count;
    if (filling->column->count == 0)
        return;
    switch (filling->column->kind) {
    case EDDY_COLUMN_CATEGORICAL: eddy_features_split(cell, put_value, filling); break;
    case EDDY_COLUMN_NUMERIC:
        if (eddy_number_parse(eddy_features_trim(cell), &number))
            put_number(filling, number);
        break;
    case EDDY_COLUMN_TEXT: put_text(filling, cell); break;
    case EDDY_COLUMN_IGNORED: break;
    }
    normalise(filling);
}

/* Column of the catalogue for each of the vocabulary's, EDDY_ITEM_NONE where it has none. */
static void find_columns(const struct eddy_vocabulary *vocabulary,
                         const struct eddy_catalog *catalog, uint32_t *ret)
{
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        struct eddy_span name = eddy_span_of(vocabulary->columns[i].name);
        ret[i] = EDDY_ITEM_NONE;
        for (uint32_t c = 0; c < eddy_catalog_column_count(catalog); c++)
            if (eddy_span_eq(eddy_catalog_column_name(catalog, c), name))
                ret[i] = c;
    }
}

int eddy_features_align(const struct eddy_vocabulary *vocabulary,
                        const struct eddy_catalog *catalog,
                        const struct eddy_catalog *ids, struct eddy_features *ret)
{
    uint32_t rows = eddy_catalog_count(ids), columns[EDDY_COLUMNS_MAX];
    struct filling filling = {.features = ret};
    *ret = (struct eddy_features){.rows = rows, .size = vocabulary->size};
    ret->begin = calloc((size_t)rows + 1, sizeof *ret->begin);
    filling.failed = ret->begin == NULL;
    find_columns(vocabulary, catalog, columns);
    for (uint32_t row = 0; row < rows && !filling.failed; row++) {
        uint32_t from = ids == catalog
                            ? row
                            : eddy_catalog_find(catalog, eddy_catalog_id(ids, row));
        for (uint32_t i = 0; from != EDDY_ITEM_NONE && i < vocabulary->count; i++) {
            filling.column = &vocabulary->columns[i];
            if (columns[i] != EDDY_ITEM_NONE)
                put_cell(&filling, eddy_catalog_get(catalog, from, columns[i]));
        }
        ret->begin[row + 1] = filling.count;
    }
    if (!filling.failed)
        return 0;
    eddy_features_fini(ret);
    return EDDY_ENOMEM;
}

void eddy_features_fini(struct eddy_features *features)
{
    free(features->begin);
    free(features->index);
    free(features->weight);
    *features = (struct eddy_features){0};
}

void eddy_features_add(const struct eddy_features *features, uint32_t row,
                       const float *table, uint32_t hidden, float *ret)
{
    for (uint64_t i = features->begin[row]; i < features->begin[row + 1]; i++) {
        const float *values = table + (size_t)features->index[i] * hidden;
        float weight = features->weight[i];
        for (uint32_t h = 0; h < hidden; h++)
            ret[h] += weight * values[h];
    }
}
