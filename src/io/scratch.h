/* Layer: io.  Room on disk for arrays that memory cannot hold (core/spill.h). */
#ifndef EDDY_IO_SCRATCH_H
#define EDDY_IO_SCRATCH_H

#include "core/spill.h"

/* Arrays are mapped files of `folder` without a name: when the process ends, however it
 * does, their room is free again. Room is taken before it is used, so a full disk is an
 * error at the start, never a crash later. Arrays below `threshold` bytes stay in memory.
 * folder: borrowed. EDDY_EIO: no such folder, or nothing can be written there. */
int eddy_scratch_init(struct eddy_spill *ret, const char *folder, size_t threshold,
                      struct eddy_err *err);

#endif
