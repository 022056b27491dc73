/* Layer: core.  What the members of a group that trains together need of each other. Who
 * starts the group (io/mpi.h, a test) provides it; without one training is alone.
 *
 * All members run the same program on the same data with the same options and seed. Each
 * computes some of the shards of a batch (core/train_parts.h) and some of the validation;
 * results are handed round and then summed by every member in the same fixed order, so all
 * have the same bits, those of a member alone. */
#ifndef EDDY_CORE_EXCHANGE_H
#define EDDY_CORE_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "eddy/error.h"

struct eddy_exchange {
    uint32_t rank, ranks; /* this member, of how many */
    /* `size` bytes of member `root` into those of every other; all members call it in the
     * same order. Thread: that of eddy_train. 0 or EDDY_EIO. */
    int (*broadcast)(void *context, uint32_t root, void *bytes, size_t size,
                     struct eddy_err *err);
    void *context;
};

#endif
