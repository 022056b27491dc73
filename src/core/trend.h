/* Layer: core.  Trending-Now on a stream: the list of a model of trends as of now, from the
 * events of the last two intervals, where the model itself has that of its training
 * (core/counting.h). */
#ifndef EDDY_CORE_TREND_H
#define EDDY_CORE_TREND_H

#include "core/rank.h"

/* Seconds of the interval that a model of trends compares with the one before, from its
 * hyper-parameter trend_discovery_frequency; 0: the model is none. */
int64_t eddy_trend_interval_s(const struct eddy_snapshot *snapshot);

struct eddy_trend;
/* The list of training, until a refresh. The snapshot, a model of trends, must outlive ret.
 * EDDY_ENOMEM. Owned: eddy_trend_free. Thread: one at a time. */
int eddy_trend_new(const struct eddy_snapshot *snapshot, struct eddy_trend **ret,
                   struct eddy_err *err);
void eddy_trend_free(struct eddy_trend *trend); /* NULL is fine */
/* One event; items that the catalogue lacks are passed over. 0 or EDDY_ENOMEM. */
int eddy_trend_add(struct eddy_trend *trend, int64_t ts_ms, uint32_t item);
/* The list as of now_ms: an item's score is by how many events [now - interval, now) has more
 * than the interval before, at least 0, and below one half what training says of its users,
 * which orders equals. What no item of training has begins at 0. Nothing changes as long as
 * the first event is less than an interval ago: the service, too, has no list before. */
void eddy_trend_refresh(struct eddy_trend *trend, int64_t now_ms);
/* How to rank by the present list; contents change with every refresh, the struct does not. */
const struct eddy_rank_model *eddy_trend_model(const struct eddy_trend *trend);

#endif
