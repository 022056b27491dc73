/* Layer: io.  Snapshots of this process by version, shared by all workers: DIR/<version>/
 * is opened once, however many partitions stand on it. */
#ifndef EDDY_IO_REGISTRY_H
#define EDDY_IO_REGISTRY_H

#include "io/files.h"

struct eddy_registry;
/* folder: holds one sub-folder per version. Owned: eddy_registry_free. */
struct eddy_registry *eddy_registry_new(const char *folder,
                                        const struct eddy_kernels *kernels);
void eddy_registry_free(struct eddy_registry *registry);
/* A new reference to the snapshot of that version. EDDY_ENOMODEL says where it was looked
 * for; EDDY_EFORMAT when damaged. Thread: any (a lock of its own); opens a file the first
 * time. A snapshot that nobody holds is closed when a third one is opened. */
int eddy_registry_get(struct eddy_registry *registry, const char *version,
                      struct eddy_snapshot **ret, struct eddy_err *err);
/* Put a snapshot in directly (tests, simulator, replay); the registry takes a reference of
 * its own. 0 or EDDY_ENOMEM. Thread: any. */
int eddy_registry_put(struct eddy_registry *registry, struct eddy_snapshot *snapshot);

#endif
