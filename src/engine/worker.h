/* Layer: engine.  A worker: one thread with a libuv loop, a consumer, a producer, a store
 * and a path of its own. It shares nothing with other workers but the snapshot registry. */
#ifndef EDDY_ENGINE_WORKER_H
#define EDDY_ENGINE_WORKER_H

#include "engine/config.h"
#include "engine/health.h"
#include "engine/meta.h"
#include "io/registry.h"

struct eddy_worker;

struct eddy_worker_start {
    const struct eddy_config *config; /* kept until eddy_worker_join */
    struct eddy_registry *registry;   /* kept, shared */
    uint32_t index;                   /* 0.. */
    const struct eddy_meta *meta;     /* in force (copied): where partitions start */
    const uint32_t *assigned;         /* explicit assignment (copied), or NULL: group */
    uint32_t assigned_count;
    /* Called on the worker's thread when it is about to end by itself. */
    void (*on_end)(void *context, uint32_t index);
    void *context;
};

/* Starts the thread; it connects, joins and works on its own, and reports in its health.
 * 0, EDDY_ECONFIG (a kafka.* property), EDDY_ENOMEM. Thread: init or supervisor. */
int eddy_worker_start(const struct eddy_worker_start *start, struct eddy_worker **ret,
                      struct eddy_err *err);
/* Ask it to end: finish the turn, wait for confirmations, leave the group. Thread: any. */
void eddy_worker_stop(struct eddy_worker *worker);
/* Wait for the thread, free. 0: drained; class RETRY: the drain ran out of time; class
 * FATAL: why it had to end. */
int eddy_worker_join(struct eddy_worker *worker, struct eddy_err *err);
/* Valid until join. */
struct eddy_health *eddy_worker_health(struct eddy_worker *worker);

#endif
