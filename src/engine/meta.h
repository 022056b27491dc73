/* Layer: engine.  PREFIX:meta: what a deployment agreed on when it first ran, and what its
 * states therefore depend on besides the log: partition count, partitioner, layout, and
 * the snapshot and policy on which partitions start before the log has named one. The first
 * writer wins; later configurations cannot change it, or a replay would not come out the
 * same.
 *
 *   {"initial":"<version or empty>","layout":1,"partitioner":"murmur2","partitions":64,
 *    "policy":{"exclude_recent":false,"lateness_s":86400,"list_size":25}} */
#ifndef EDDY_ENGINE_META_H
#define EDDY_ENGINE_META_H

#include "engine/config.h"
#include "io/store.h"

struct eddy_meta {
    uint32_t partitions;
    char
        initial[EDDY_SNAPSHOT_ID_SIZE]; /* "": the log has to name the first snapshot */
    struct eddy_policy policy;
};

/* What this configuration proposes. Thread: any. */
struct eddy_meta eddy_meta_of(const struct eddy_config *config, uint32_t partitions);

/* Write *meta if there is none yet; then *meta is what is in force. EDDY_ECONFIG with the
 * way out when the partition count, layout or partitioner differ (*meta untouched);
 * EDDY_ESTORE when Redis is away. Thread: the store's. */
int eddy_meta_settle(struct eddy_store *store, struct eddy_meta *meta,
                     struct eddy_err *err);

/* What is in force, without writing. *ret_found false: nothing has run yet. */
int eddy_meta_read(struct eddy_store *store, struct eddy_meta *ret, bool *ret_found,
                   struct eddy_err *err);

#endif
