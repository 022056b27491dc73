/* Layer: engine.  Fold a log from its beginning in memory, and digests that compare the
 * result with a live store: "state is a function of the log prefix", as a number. */
#ifndef EDDY_ENGINE_REPLAY_H
#define EDDY_ENGINE_REPLAY_H

#include "engine/path.h"
#include "io/store_mem.h"

/* The next record of the log: 1; 0 at its end; negative: error. Records of one partition
 * come in offset order. *ret stays valid until `keep` further calls were made, where keep
 * is EDDY_REPLAY_KEEP: they are folded in batches. */
enum { EDDY_REPLAY_KEEP = 512 };
typedef int (*eddy_replay_next_fn)(void *context, struct eddy_record *ret,
                                   struct eddy_err *err);

/* Fold everything that next gives, by the same path as a worker, into a store in memory.
 * A partition's log may begin later than 0 and may have holes. options: as a worker's;
 * partitions and the initial snapshot decide the result. *ret_store is left open on
 * *ret_memory: close it first, then free the memory. 0, or the first error, then neither
 * is set. */
int eddy_replay(const struct eddy_path_options *options, struct eddy_registry *registry,
                eddy_replay_next_fn next, void *context,
                struct eddy_memory **ret_memory, struct eddy_store **ret_store,
                struct eddy_err *err);

/* What a partition holds, as one number. Two stores agree on it when they hold the same
 * position and, for every user, the same state and list, byte for byte. */
struct eddy_digest {
    uint64_t offset;
    uint64_t users;
    uint64_t lists; /* users who have one */
    unsigned char sha256[32];
};

/* Digest of one partition, read without owning it: exact only while nobody commits.
 * A partition without a position has offset 0. 0, EDDY_ESTORE, EDDY_EFORMAT. */
int eddy_digest_partition(struct eddy_store *store, uint32_t partition,
                          struct eddy_digest *ret, struct eddy_err *err);
/* Digest over partitions 0..count-1 in order; offset is the sum of theirs. */
void eddy_digest_all(const struct eddy_digest *partitions, uint32_t count,
                     struct eddy_digest *ret);

#endif
