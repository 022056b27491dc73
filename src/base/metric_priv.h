/* Layer: base.  Between metric.c (counting) and metric_print.c (exposition). */
#ifndef EDDY_BASE_METRIC_PRIV_H
#define EDDY_BASE_METRIC_PRIV_H

#include "base/metric.h"

struct eddy_metric_row {
    enum eddy_metric_kind kind;
    const char *name;
    const char *label;
    const char *help;
};
extern const struct eddy_metric_row eddy_metric_rows[EDDY_METRIC_COUNT];

struct eddy_metric_lag {
    const char *topic;
    uint32_t partition;
    int64_t messages;
    int64_t ms;
};
/* A copy of all lag series in one allocation, in no order; returns their count. *ret is
 * owned: free. No memory: none. Thread: any. */
size_t eddy_metric_copy_lags(struct eddy_metric_lag **ret);

#endif
