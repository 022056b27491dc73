/* Layer: app.  Long work of the control plane: dataset import jobs and solution versions. A
 * thread takes queued jobs one after the other, each under a lease in Redis, and lets
 * processes of this program do them (`eddy train`, `eddy eval`, ...). What ends in the middle
 * is taken up again by whoever gets the lease next. */
#ifndef EDDY_APP_JOBS_H
#define EDDY_APP_JOBS_H

#include "engine/config.h"

struct eddy_jobs;

/* Start the thread; config is kept. EDDY_ENOMEM. Thread: init. */
int eddy_jobs_start(const struct eddy_config *config, struct eddy_jobs **ret,
                    struct eddy_err *err);
/* There is something new: look at once instead of within a second. jobs: struct eddy_jobs.
 * Never blocks for longer than a look at a flag. Thread: any. */
void eddy_jobs_wake(void *jobs);
/* End the process that is at work, give its lease up, join, free. NULL is fine. The job
 * stays queued. Thread: that of start. */
void eddy_jobs_stop(struct eddy_jobs *jobs);

#endif
