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
enum {
    EDDY_TEXT_BUCKETS = 4096,  /* per text column */
    EDDY_TEXT_ROW = 128,       /* different n-grams of a text, its first, are read */
    EDDY_NUMERIC_KNOTS = 16,   /* per numeric column */
    EDDY_VALUES_MAX = 1 << 16, /* of a categorical column, the most frequent */
    EDDY_COLUMNS_MAX = 32      /* of a file, its first; who reads it says so */
};

/* A kind by its name in lower case ("text"); -1: there is none. */
int eddy_column_kind_find(struct eddy_span name);

struct eddy_vocabulary; /* columns, their kinds, values, knots */
/* From the columns of a catalogue (items or users). A categorical value or a hash of an
 * n-gram needs two rows to get a feature of its own; rarer values share one per column, rarer
 * n-grams have none (they would only name the item). No column, or nothing that repeats: 0
 * features. The first EDDY_COLUMNS_MAX columns count.
 * kinds: what the values do not decide, "COLUMN=KIND,..." with KIND categorical, numeric,
 * text or ignored; NULL: nothing. EDDY_ECONFIG: an unknown kind or column; EDDY_ENOMEM. */
int eddy_vocabulary_learn(const struct eddy_catalog *catalog, const char *kinds,
                          struct eddy_vocabulary **ret, struct eddy_err *err);
/* Thread: any for the const ones. */
void eddy_vocabulary_free(struct eddy_vocabulary *vocabulary);
uint32_t eddy_vocabulary_size(
    const struct eddy_vocabulary *vocabulary); /* M features */
/* Kind of a column by name, EDDY_COLUMN_IGNORED when it has none (messages, tests). */
enum eddy_column_kind eddy_vocabulary_kind(const struct eddy_vocabulary *vocabulary,
                                           struct eddy_span column);
/* Where a feature was in an older vocabulary: the sum of up to two of its features, with
 * weights; both 0: nowhere. */
struct eddy_feature_origin {
    uint32_t at[2];
    float weight[2];
};
/* ret: (size of vocabulary). Columns are found by name and kind. older may be NULL: all
 * nowhere. */
void eddy_vocabulary_trace(const struct eddy_vocabulary *vocabulary,
                           const struct eddy_vocabulary *older,
                           struct eddy_feature_origin *ret);
/* JSON for the manifest, and back. EDDY_EFORMAT. */
void eddy_vocabulary_encode(const struct eddy_vocabulary *vocabulary,
                            struct eddy_buf *out);
int eddy_vocabulary_decode(struct eddy_span json, struct eddy_vocabulary **ret,
                           struct eddy_err *err);
/* A manifest's "features": {"items": vocabulary, "users": vocabulary, "context": vocabulary},
 * of each as there is (NULL: none). Back: NULL where there is none; EDDY_EFORMAT, then all
 * are NULL. */
struct eddy_vocabularies {
    struct eddy_vocabulary *items, *users, *context;
};
void eddy_vocabularies_encode(const struct eddy_vocabularies *vocabularies,
                              struct eddy_buf *out);
int eddy_vocabularies_decode(struct eddy_span json, struct eddy_vocabularies *ret,
                             struct eddy_err *err);
void eddy_vocabularies_free(struct eddy_vocabularies *vocabularies);

/* Rows of a catalogue as sparse vectors; the weights of a column have Euclidean length 1,
 * those of a text 0.05. */
struct eddy_features {
    uint32_t rows, size; /* size: M */
    uint64_t *begin;     /* (rows + 1) */
    uint32_t *index;     /* < M */
    float *weight;
};
/* A row for each id of `ids` in its order (users or items in the order of the interactions,
 * or the catalogue itself), empty where `catalog` has no such id. Columns are found by name;
 * one that the catalogue lacks adds nothing. 0, EDDY_ENOMEM. */
int eddy_features_align(const struct eddy_vocabulary *vocabulary,
                        const struct eddy_catalog *catalog,
                        const struct eddy_catalog *ids, struct eddy_features *ret);
void eddy_features_fini(struct eddy_features *features);
/* ret (H floats, added to) += sum of weight * table[index] for one row; table (M, H). */
void eddy_features_add(const struct eddy_features *features, uint32_t row,
                       const float *table, uint32_t hidden, float *ret);

#endif
