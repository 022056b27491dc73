/* Layer: core.  Large arrays of training that need not be in memory: from who provides room
 * on disk (io/scratch.h), or from malloc. What is per event goes here (rows, histories);
 * what is per item or per user does not. */
#ifndef EDDY_CORE_SPILL_H
#define EDDY_CORE_SPILL_H

#include <stddef.h>

#include "eddy/error.h"

struct eddy_spill {
    size_t threshold; /* smaller ones come from malloc all the same */
    /* Room of `bytes`, page-aligned, that the kernel may write out and read back. NULL with
     * err set: EDDY_EIO, no room on disk. */
    void *(*map)(void *context, size_t bytes, struct eddy_err *err);
    void (*unmap)(void *context, void *memory, size_t bytes);
    void *context;
};

/* 16-byte aligned, contents undefined. spill: NULL for malloc; it outlives the memory.
 * NULL: EDDY_ENOMEM or EDDY_EIO, in *ret_code when given. Owned: eddy_spill_free. */
void *eddy_spill_new(const struct eddy_spill *spill, size_t bytes, int *ret_code,
                     struct eddy_err *err);
void eddy_spill_free(void *memory); /* NULL is allowed */

#endif
