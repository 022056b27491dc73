/* Layer: app.  What `eddy train` learns of event types and values: --event-type,
 * --event-value-threshold, --event-weight (Amazon's eventsConfig). */
#ifndef EDDY_APP_EVENT_OPTIONS_H
#define EDDY_APP_EVENT_OPTIONS_H

#include "app/args.h"
#include "base/buf.h"
#include "core/select.h"
#include "core/train.h"

/* Amazon's limits: 10 event types, 100 characters. */
enum { EDDY_EVENT_TYPES_MAX = 10, EDDY_EVENT_TYPE_SIZE = 101 };

struct eddy_event_options {
    struct eddy_event_weight weights[EDDY_EVENT_TYPES_MAX];
    uint32_t weight_count;
    bool has_threshold;
    double threshold; /* of the types that have none of their own */
    struct eddy_event_threshold thresholds[EDDY_EVENT_TYPES_MAX];
    uint32_t threshold_count;
    char weight_types[EDDY_EVENT_TYPES_MAX][EDDY_EVENT_TYPE_SIZE];
    char threshold_types[EDDY_EVENT_TYPES_MAX][EDDY_EVENT_TYPE_SIZE];
};

/* weights: rows "TYPE=W". thresholds: rows "N", of which the last counts, and "TYPE=N".
 * event_type: the only type to learn from, NULL: all. What is read points into ret. EDDY_EUSAGE. */
int eddy_event_options_read(struct eddy_event_options *ret,
                            const struct eddy_arg_list *weights,
                            const struct eddy_arg_list *thresholds,
                            const char *event_type, struct eddy_err *err);

/* Thresholds as lines of a checkpoint's settings. */
void eddy_event_options_put(const struct eddy_event_options *options,
                            struct eddy_buf *out);
/* Thresholds of types as members of a manifest's "data", each with a comma before it; none
 * where no type has one of its own. */
void eddy_event_options_encode(const struct eddy_event_options *options,
                               struct eddy_buf *out);

#endif
