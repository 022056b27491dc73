/* Layer: core.  Large arrays of training that need not be in memory: from who provides room
 * on disk (io/scratch.h), or from malloc. What is per event goes here (rows, histories);
 * what is per item or per user does not. */
#ifndef EDDY_CORE_SPILL_H
#define EDDY_CORE_SPILL_H

#include <stddef.h>
#include <stdint.h>

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

/* Sorts an array of eddy_spill_new, `count` elements of `size` bytes; compare tells any two
 * apart, so there is one order. In memory by qsort; on disk by runs of `run` elements (0: 64
 * MiB), which alone are in memory, merged into another array there. Takes the array over:
 * the sorted one (owned: eddy_spill_free), or NULL with *ret_code and err set: EDDY_ENOMEM,
 * EDDY_EIO. */
void *eddy_spill_sort(void *array, uint64_t count, size_t size, uint64_t run,
                      int (*compare)(const void *, const void *), int *ret_code,
                      struct eddy_err *err);

#endif
