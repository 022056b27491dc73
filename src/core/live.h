/* Layer: core.  Tables that move with a log: what a running system has after each refresh.
 * Rules and priors come from counters fed with every event; related items and past sessions
 * stay the snapshot's. Items that the snapshot does not know join at a refresh, with no
 * embedding and a low bias, so that rules and priors can bring them into lists.
 *
 * Live tables are much fresher than a snapshot's, so they deserve other weights: a second
 * head, fitted by playing the newest part of the training log as a stream
 * (core/stream_fit.h). */
#ifndef EDDY_CORE_LIVE_H
#define EDDY_CORE_LIVE_H

#include "core/head.h"

/* In a snapshot beside the head. refresh_s 0: there is none. */
struct eddy_stream_head {
    uint32_t refresh_s; /* interval that it was fitted for */
    uint32_t width;     /* entries of a row of rules */
    struct eddy_head head;
    struct eddy_counters_options counters; /* items: not kept */
};

struct eddy_snapshot;
struct eddy_rank_model;
struct eddy_live;
/* For at most items_max items, those of the snapshot first. Needs a snapshot with a stream
 * head; it must outlive ret. EDDY_ENOMEM. Owned: eddy_live_free. Thread: one at a time. */
int eddy_live_new(const struct eddy_snapshot *snapshot, uint32_t items_max,
                  struct eddy_live **ret, struct eddy_err *err);
void eddy_live_free(struct eddy_live *live);
/* As eddy_counters_add. */
int eddy_live_add(struct eddy_live *live, int64_t ts_ms, uint32_t item,
                  const uint32_t *recent, uint32_t recent_count);
/* New tables, as of now_ms and of all events added so far, over the first `items` items.
 * Does nothing while so few events came that the tables would hardly differ. EDDY_ENOMEM:
 * the old tables stand. */
int eddy_live_refresh(struct eddy_live *live, int64_t now_ms, uint32_t items);
/* How to rank by the present tables; contents change with every refresh, the struct does
 * not. items: how many may be in lists. */
const struct eddy_rank_model *eddy_live_model(const struct eddy_live *live);
uint32_t eddy_live_items(const struct eddy_live *live);

#endif
