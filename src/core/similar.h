/* Layer: core.  Items like an item, from who has it and from what its metadata says: two
 * vectors per item, each a truncated eigendecomposition, compared by cosine. */
#ifndef EDDY_CORE_SIMILAR_H
#define EDDY_CORE_SIMILAR_H

#include "core/features.h"
#include "core/interactions.h"
#include "core/table.h"

struct eddy_similar_options {
    uint32_t id_dimension;       /* of the vector from interactions */
    uint32_t metadata_dimension; /* of the vector from metadata */
    uint32_t width;              /* entries kept per row */
    uint32_t threads;
    uint64_t seed;
};
/* features: rows of the interactions' items, in index order (items beyond have none), NULL:
 * there is no metadata. An item that neither has interactions nor metadata has no
 * neighbours. Time: items^2 times the dimensions, in single floats. Thread: trainer.
 * EDDY_ENOMEM, EDDY_EIO. */
int eddy_similar_fit(const struct eddy_interactions *interactions,
                     const struct eddy_features *features,
                     const struct eddy_similar_options *options, struct eddy_table *ret,
                     struct eddy_err *err);

#endif
