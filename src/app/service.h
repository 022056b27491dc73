/* Layer: app.  HTTP side of `eddy run`: health, metrics, configuration, and with the role
 * `api` lists and states out of Redis. */
#ifndef EDDY_APP_SERVICE_H
#define EDDY_APP_SERVICE_H

#include <stdatomic.h>

#include "engine/config.h"
#include "engine/supervisor.h"
#include "io/http.h"

struct eddy_service;

/* Begin to listen at config->http.listen. config and registry are kept until stop;
 * supervisor comes later (eddy_service_set_supervisor), never without the role worker.
 * EDDY_ECONFIG, EDDY_ENOMEM. Thread: init. */
int eddy_service_start(const struct eddy_config *config, struct eddy_registry *registry,
                       struct eddy_service **ret, struct eddy_err *err);
/* Close the port, wait for its thread, free. NULL is fine. To be called before
 * eddy_supervisor_join. */
void eddy_service_stop(struct eddy_service *service);

/* Thread: loop, for the next three. */
void eddy_service_set_supervisor(struct eddy_service *service,
                                 struct eddy_supervisor *supervisor);
/* The main loop is alive: /livez fails when this was not called for ten seconds. */
void eddy_service_beat(struct eddy_service *service);
/* From now on /readyz says no: the process drains. */
void eddy_service_drain(struct eddy_service *service);

#endif
