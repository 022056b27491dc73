/* Layer: core.  Metadata as sparse rows of features: what the metadata tower g and the user
 * part of the query multiply (core/params.h). One vocabulary per dataset, made in training,
 * stored in the snapshot, applied to new items and users by the same code.
 *
 * Column kinds, decided from the values unless told: categorical (values split at '|'),
 * numeric (soft position between quantiles), text (hashed n-grams: words, and character
 * 2-grams inside Hangul, Han and Kana runs, 3-grams elsewhere), time (CREATION_TIMESTAMP: age
 * buckets are of no use to g; it is left to the rules of new items). */
#ifndef EDDY_CORE_FEATURES_H
#define EDDY_CORE_FEATURES_H

#include "core/catalog.h"

enum eddy_column_kind {
    EDDY_COLUMN_IGNORED,
    EDDY_COLUMN_CATEGORICAL,
    EDDY_COLUMN_NUMERIC,
    EDDY_COLUMN_TEXT
};
enum { EDDY_TEXT_BUCKETS = 4096, EDDY_NUMERIC_KNOTS = 16, EDDY_COLUMNS_MAX = 32 };

struct eddy_vocabulary; /* columns, their kinds, values, knots */
/* From the columns of a catalogue (items or users). A categorical value needs two rows to
 * get a feature of its own, rarer ones share one per column. No column: 0 features. */
int eddy_vocabulary_learn(const struct eddy_catalog *catalog,
                          struct eddy_vocabulary **ret, struct eddy_err *err);
void eddy_vocabulary_free(struct eddy_vocabulary *vocabulary);
uint32_t eddy_vocabulary_size(
    const struct eddy_vocabulary *vocabulary); /* M features */
/* JSON for the manifest, and back. EDDY_EFORMAT. */
void eddy_vocabulary_encode(const struct eddy_vocabulary *vocabulary,
                            struct eddy_buf *out);
int eddy_vocabulary_decode(struct eddy_span json, struct eddy_vocabulary **ret,
                           struct eddy_err *err);

/* Rows of a catalogue as sparse vectors; the weights of a column have Euclidean length 1. */
struct eddy_features {
    uint32_t rows, size; /* size: M */
    uint64_t *begin;     /* (rows + 1) */
    uint32_t *index;     /* < M */
    float *weight;
};
int eddy_features_apply(const struct eddy_vocabulary *vocabulary,
                        const struct eddy_catalog *catalog, struct eddy_features *ret);
void eddy_features_fini(struct eddy_features *features);
/* ret (H floats, added to) += sum of weight * table[index] for one row; table (M, H). */
void eddy_features_add(const struct eddy_features *features, uint32_t row,
                       const float *table, uint32_t hidden, float *ret);

#endif
