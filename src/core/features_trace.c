/* Features of a new vocabulary in an older one, for training that goes on (core/train.h):
 * a vocabulary is learned anew every time, since columns, values and quantiles change, but
 * what a table says of "GENRE is Drama" holds whatever number that has today.
 *
 * What the older vocabulary would have made of the new one's value decides: a value that it
 * does not know was one of its rare ones, a number between two of its knots was some of
 * both, an n-gram that it does not have was nothing. So a row of tables that are carried over
 * says of any item what the old tables said. (For context, whose numbers belong to one knot
 * each, the mixture of two is smoother than the old table was.) */
#include <string.h>

#include "core/features_priv.h"

static const struct eddy_column *find(const struct eddy_vocabulary *vocabulary,
                                      const struct eddy_column *like)
{
    for (uint32_t i = 0; vocabulary != NULL && i < vocabulary->count; i++) {
        const struct eddy_column *column = &vocabulary->columns[i];
        if (strcmp(column->name, like->name) == 0 && column->kind == like->kind &&
            column->count > 0)
            return column;
    }
    return NULL;
}

static struct eddy_feature_origin whole(uint32_t at)
{
    return (struct eddy_feature_origin){{at, at}, {1, 0}};
}

static struct eddy_feature_origin value_in(const struct eddy_column *old,
                                           const char *text)
{
    uint32_t value =
        text ? eddy_map_get(&old->value_index, eddy_hash64(eddy_span_of(text)))
             : EDDY_MAP_NONE;
    return whole(old->first + (value == EDDY_MAP_NONE ? old->value_count : value));
}

static struct eddy_feature_origin number_in(const struct eddy_column *old,
                                            double number)
{
    uint32_t last = old->knot_count - 1, k = 0;
    while (k < last && number >= old->knots[k + 1])
        k++;
    if (k == last || number <= old->knots[k])
        return whole(old->first + k);
    double t = (number - old->knots[k]) / (old->knots[k + 1] - old->knots[k]);
    return (struct eddy_feature_origin){{old->first + k, old->first + k + 1},
                                        {(float)(1 - t), (float)t}};
}

static struct eddy_feature_origin bucket_in(const struct eddy_column *old,
                                            uint16_t bucket)
{
    uint32_t place = old->bucket_index[bucket];
    return place == EDDY_ITEM_NONE ? (struct eddy_feature_origin){{0}, {0}}
                                   : whole(old->first + place);
}

void eddy_vocabulary_trace(const struct eddy_vocabulary *vocabulary,
                           const struct eddy_vocabulary *older,
                           struct eddy_feature_origin *ret)
{
    memset(ret, 0, vocabulary->size * sizeof *ret);
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        const struct eddy_column *column = &vocabulary->columns[i];
        const struct eddy_column *old = find(older, column);
        struct eddy_feature_origin *to = ret + column->first;
        for (uint32_t f = 0; old != NULL && f < column->count; f++)
            switch (column->kind) {
            case EDDY_COLUMN_CATEGORICAL: /* the last one: all rare values */
                to[f] =
                    value_in(old, f < column->value_count ? column->values[f] : NULL);
                break;
            case EDDY_COLUMN_NUMERIC: to[f] = number_in(old, column->knots[f]); break;
            case EDDY_COLUMN_TEXT: to[f] = bucket_in(old, column->buckets[f]); break;
            case EDDY_COLUMN_IGNORED: break;
            }
    }
}
