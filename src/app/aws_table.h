/* Layer: app.  The operations of Amazon Personalize that are offered: what each takes (facts
 * of the service's public model) and who does it. */
#ifndef EDDY_APP_AWS_TABLE_H
#define EDDY_APP_AWS_TABLE_H

#include "app/control.h"

struct eddy_aws_operation {
    const char *name;
    const struct eddy_aws_member *members;
    size_t member_count;
    int (*run)(struct eddy_control_call *call);
    const struct eddy_control_kind *kind; /* of Describe and List, else NULL */
    bool silent;                          /* it has no output: an empty body */
};

/* The operation of that name, NULL: not offered. Static. Thread: any. */
const struct eddy_aws_operation *eddy_aws_operation_find(const char *name);

#endif
