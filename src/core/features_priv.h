/* Layer: core.  Between the files of features: columns, and how a text becomes hashes.
 * Private to core/features*.c. */
#ifndef EDDY_CORE_FEATURES_PRIV_H
#define EDDY_CORE_FEATURES_PRIV_H

#include "base/hash.h"
#include "core/features.h"

enum { EDDY_NUMBERS_DIFFERENT = 32 }; /* more different numbers than this are numeric */

struct eddy_column {
    char *name; /* owned */
    enum eddy_column_kind kind;
    uint32_t first, count; /* its features: [first, first + count) */
    /* categorical: value v has feature first + v, the last feature is that of all rare or
     * unknown values */
    char **values; /* owned, each of them too */
    uint32_t value_count;
    struct eddy_map value_index; /* eddy_hash64 -> v */
    /* numeric: a feature per knot */
    double knots[EDDY_NUMERIC_KNOTS];
    uint32_t knot_count;
    /* text: a feature per bucket in use, by rising bucket */
    uint16_t *buckets; /* owned */
    uint32_t bucket_count;
    uint32_t *bucket_index; /* owned; (EDDY_TEXT_BUCKETS) -> place, EDDY_ITEM_NONE */
};

struct eddy_vocabulary {
    struct eddy_column columns[EDDY_COLUMNS_MAX];
    uint32_t count;
    uint32_t size; /* M */
};

/* Room for `count` values, then one after the other (copied). 0 or EDDY_ENOMEM; what is there
 * is the vocabulary's to free. */
int eddy_column_take_values(struct eddy_column *column, uint32_t count);
int eddy_column_add_value(struct eddy_column *column, struct eddy_span value);
/* Quantiles in rising order; one that equals the last is left out. */
void eddy_column_add_knot(struct eddy_column *column, double knot);

/* After values, knots or buckets are filled in: indices, first, count, and size.
 * 0 or EDDY_ENOMEM. */
int eddy_vocabulary_finish(struct eddy_vocabulary *vocabulary);

/* The buckets of a text, each once, in the order of the text; at most EDDY_TEXT_ROW.
 * ret has room for them. Returns how many. */
uint32_t eddy_features_text(struct eddy_span text, uint16_t *ret);

/* "categorical" and so on. */
const char *eddy_column_kind_name(enum eddy_column_kind kind);

/* The kind that "COLUMN=KIND,..." gives to a column; -1: none. And whether every entry names
 * a column of the catalogue and a kind: EDDY_ECONFIG. */
int eddy_features_forced_kind(const char *kinds, struct eddy_span name);
int eddy_features_check_kinds(const char *kinds, const struct eddy_catalog *catalog,
                              struct eddy_err *err);

/* Without the blanks at both ends. */
struct eddy_span eddy_features_trim(struct eddy_span text);
/* Runs `each` over the values of a categorical cell: split at '|', blanks at their ends cut,
 * empty ones left out. */
void eddy_features_split(struct eddy_span cell,
                         void (*each)(void *context, struct eddy_span value),
                         void *context);

#endif
