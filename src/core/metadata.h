/* Layer: core.  Metadata between files, training and serving: training with it, and what users' metadata adds to their queries. */
#ifndef EDDY_CORE_METADATA_H
#define EDDY_CORE_METADATA_H

#include "core/build.h"
#include "core/snapshot.h"

/* eddy_train with the metadata of the inputs, of items, users and context as asked: fills
 * network, vocabularies and context of ret (others untouched), the latter two also when it
 * fails. Features in options->train are set here. Errors: those of eddy_train. */
int eddy_metadata_train(const struct eddy_build_inputs *inputs,
                        const struct eddy_build_options *options,
                        eddy_train_progress_fn progress, void *context,
                        struct eddy_build_result *ret, struct eddy_err *err);

/* What users' metadata adds to their queries, for core/play.h: a row of H floats per user,
 * and how many features he has (0: his row is zero and he has no list of his own before
 * his first event). */
struct eddy_user_queries {
    uint32_t users, hidden;
    float *rows;    /* (users, H) */
    uint8_t *known; /* (users) */
    const float
        *start; /* (H) query before the first event; borrowed from the snapshot */
};
/* users: catalogue of a users file; ids: the users asked about (interactions->users). A
 * snapshot without user metadata gives zero rows and nobody known. */
int eddy_user_queries_init(struct eddy_user_queries *queries,
                           const struct eddy_snapshot *snapshot,
                           const struct eddy_catalog *users,
                           const struct eddy_catalog *ids, struct eddy_err *err);
/* Users of the catalogue that have no row get an index behind those who have. 0, EDDY_ENOMEM
 * (then some may have one). */
int eddy_users_without_events(struct eddy_interactions *interactions,
                              const struct eddy_catalog *users, struct eddy_err *err);
void eddy_user_queries_fini(struct eddy_user_queries *queries);

#endif
