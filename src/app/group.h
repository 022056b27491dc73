/* Layer: app.  Training by several processes: what mpirun started, or this one alone. */
#ifndef EDDY_APP_GROUP_H
#define EDDY_APP_GROUP_H

#include <stdbool.h>

#include "core/exchange.h"

struct eddy_group {
    struct eddy_exchange exchange; /* .ranks 1: alone */
};

/* Join the group that mpirun has started, if it has. After eddy_blas_core_ensure. EDDY_EIO;
 * EDDY_EUSAGE when there is one and this program was built without EDDY_MPI. */
int eddy_group_start(struct eddy_group *group, struct eddy_err *err);
/* For eddy_train_options; NULL when alone. */
const struct eddy_exchange *eddy_group_exchange(const struct eddy_group *group);
/* Does this process write files and messages? */
bool eddy_group_leads(const struct eddy_group *group);
/* Leave. With a code other than 0 and others in the group all are ended, and this does not
 * return: say why first. Returns the code. */
int eddy_group_end(struct eddy_group *group, int code);

#endif
