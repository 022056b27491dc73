/* Layer: core.  Context columns as features: one per value of a categorical column, one per
 * quantile of a numeric one. The vocabulary is learned in training and stored in the snapshot
 * (core/features.h); the index finds features by the hashes that states and rows hold. */
#ifndef EDDY_CORE_CONTEXT_INDEX_H
#define EDDY_CORE_CONTEXT_INDEX_H

#include "core/context.h"
#include "core/features.h"
#include "core/interactions.h"

enum {
    EDDY_CONTEXT_VALUES_MAX = 4096 /* of a categorical column, the most frequent */
};

/* From the context columns of interactions. Numbers with more than 32 different values are
 * numeric, all else is categorical: a value needs 5 rows to get a feature of its own, rarer
 * and unknown ones share one. A column that says next to nothing (one value in all rows) or
 * names rather than describes (most rows have a rare value) is ignored.
 * kinds: as in eddy_vocabulary_learn, without text. *ret NULL: nothing to learn from.
 * EDDY_ECONFIG, EDDY_ENOMEM. */
int eddy_context_learn(const struct eddy_interactions *interactions, const char *kinds,
                       struct eddy_vocabulary **ret, struct eddy_err *err);

struct eddy_context_index;
/* vocabulary is borrowed for the index's life. EDDY_EFORMAT: it is none of contexts. */
int eddy_context_index_new(const struct eddy_vocabulary *vocabulary,
                           struct eddy_context_index **ret, struct eddy_err *err);
void eddy_context_index_free(struct eddy_context_index *index); /* NULL is allowed */
/* Features of an event's values; index NULL: none. Thread: any. */
struct eddy_context_row eddy_context_index_row(const struct eddy_context_index *index,
                                               const struct eddy_context *values,
                                               uint32_t count);
/* The same for a row of a file. */
struct eddy_context_row eddy_context_index_interaction(
    const struct eddy_context_index *index,
    const struct eddy_interactions *interactions, const struct eddy_interaction *row);
/* Whether the vocabulary has a column of this name. */
bool eddy_context_index_has(const struct eddy_context_index *index, uint32_t column);
/* What a value of a state was called: name of its column and its text, both of the vocabulary
 * and valid as long as the index. index NULL or a column that the vocabulary does not have:
 * *ret_name is NULL; a number, or a value that was too rare for a feature: *ret_text is. */
void eddy_context_index_tell(const struct eddy_context_index *index,
                             const struct eddy_context *value, const char **ret_name,
                             const char **ret_text);
/* ret (H floats, added to) += the features' rows of table (Mc, H), by column. */
void eddy_context_add(const struct eddy_context_row *row, const float *table,
                      uint32_t hidden, float *ret);

#endif
