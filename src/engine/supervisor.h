/* Layer: engine.  The process's workers: waits for Kafka and Redis, checks eddy:meta, opens
 * the snapshot registry, starts the workers, ends them together. Has a thread of its own, so
 * that the caller's loop (signals, HTTP) never waits. */
#ifndef EDDY_ENGINE_SUPERVISOR_H
#define EDDY_ENGINE_SUPERVISOR_H

#include "engine/config.h"
#include "engine/health.h"
#include "io/registry.h"

struct eddy_supervisor;

/* Start in the background; config is kept until eddy_supervisor_join and must have passed
 * eddy_config_finish. registry is kept (the API shares it). on_end (may be NULL) is called
 * once, on the supervisor's thread, when everything has ended, by itself or by stop: the
 * caller then joins (uv_async_send fits). */
int eddy_supervisor_start(const struct eddy_config *config,
                          struct eddy_registry *registry, void (*on_end)(void *context),
                          void *context, struct eddy_supervisor **ret,
                          struct eddy_err *err);
/* Ask for a drained end. Thread: any; repeated calls are fine. */
void eddy_supervisor_stop(struct eddy_supervisor *supervisor);
/* Wait for the end and free. 0: drained; class RETRY: the drain ran out of time (exit 75);
 * EDDY_ECONFIG (78): the deployment's partition count or layout differs, or a property is
 * wrong; other FATAL: 70. */
int eddy_supervisor_join(struct eddy_supervisor *supervisor, struct eddy_err *err);

/* All checks over all workers: a check is ok when it is for every worker. Returns readiness.
 * Thread: any, until join. */
bool eddy_supervisor_health(struct eddy_supervisor *supervisor,
                            struct eddy_health_check ret_checks[EDDY_HEALTH_COUNT]);

#endif
