/* Layer: base.  Counters, gauges and latency histograms, per thread and summed on read.
 * A thread owns one eddy_metrics block; readers sum all blocks. */
#ifndef EDDY_BASE_METRIC_H
#define EDDY_BASE_METRIC_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

enum eddy_metric_kind { EDDY_COUNTER, EDDY_GAUGE, EDDY_HISTOGRAM };

/* XX(id, kind, name, label, help): label is a ready `key="value"` text or "".
 * The one table of all metrics: deploy/README.md documents it, /metrics prints it. */
#include "base/metric_table.h"

enum eddy_metric_id {
#define XX(id, kind, name, label, help) EDDY_M_##id,
    EDDY_METRIC_TABLE(XX)
#undef XX
        EDDY_METRIC_COUNT
};

#define EDDY_HISTOGRAM_BUCKETS 128 /* log-linear: 4 per octave from 1 us to 50 min */

struct eddy_metrics; /* one thread's block; cache-line padded, relaxed atomics */

/* A zeroed block, registered with the process-wide list until freed; values of freed blocks stay in the
 * sums (gauges vanish). NULL when memory is out. */
struct eddy_metrics *eddy_metrics_new(void);
void eddy_metrics_free(struct eddy_metrics *metrics);

/* Owner's thread only, for the next five. Nothing is allocated or locked by add, set and
 * observe; id must be of the right kind. */
void eddy_metric_add(struct eddy_metrics *metrics, enum eddy_metric_id id, uint64_t n);
void eddy_metric_set(struct eddy_metrics *metrics, enum eddy_metric_id id,
                     double value);
void eddy_metric_observe_ns(struct eddy_metrics *metrics, enum eddy_metric_id id,
                            uint64_t ns);
/* Per-partition lag; a series exists between set and drop (or free). The last thread to set
 * a partition owns its series. The first set of a partition allocates; without memory the
 * series is missing. Locks: the metrics' own. */
void eddy_metric_set_lag(struct eddy_metrics *metrics, const char *topic,
                         uint32_t partition, int64_t messages, int64_t ms);
void eddy_metric_drop_lag(struct eddy_metrics *metrics, const char *topic,
                          uint32_t partition);

/* Sums over all blocks: counter or gauge, number of observations of a histogram.
 * Thread: any. */
double eddy_metric_value(enum eddy_metric_id id);
uint64_t eddy_metric_total(enum eddy_metric_id id);
/* A histogram as it stands: sum over all blocks, freed ones included. */
struct eddy_metric_histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t buckets[EDDY_HISTOGRAM_BUCKETS];
};
void eddy_metric_sum_histogram(enum eddy_metric_id id,
                               struct eddy_metric_histogram *ret);
/* q in [0,1] of a histogram in ns, by linear interpolation inside the bucket; 0 empty.
 * since (may be NULL): of what was observed after that copy was taken. */
double eddy_metric_quantile_ns(enum eddy_metric_id id, double q,
                               const struct eddy_metric_histogram *since);
/* Prometheus text exposition 0.0.4 of everything, process_* and eddy_build_info
 * included. */
void eddy_metrics_print(struct eddy_buf *out);

#endif
