/* Layer: core.  Fitting the stream head: the newest part of a log is played as a stream with
 * refreshes, and weights are chosen that would have answered its events best from live
 * tables. */
#ifndef EDDY_CORE_STREAM_FIT_H
#define EDDY_CORE_STREAM_FIT_H

#include "core/interactions.h"
#include "core/live.h"

struct eddy_stream_fit_options {
    uint32_t refresh_s; /* 0: 300 */
    uint32_t session_gap_s;
    uint32_t recent_events;
};
struct eddy_stream_fit_result {
    struct eddy_stream_head head; /* refresh_s 0: none, live tables would not pay */
    uint32_t cases;
    /* Mean log-likelihood (nats per event) of later cases, with tables as old as the part
     * that was played, and with live ones. */
    double frozen, live;
};
/* Fits on the last tenth of the rows (at most 200,000), counting those before them (at
 * most 3 million). A stream
 * head comes out only where freshness decides, as with news: where live tables gain less
 * than half a nat on later cases, the head of the snapshot with its network serves streams
 * better. Quickly done where there is nothing to fit: times that are positions, a log of
 * less than a day, few rows, or a pace at which hardly
 * anything happens between refreshes. Deterministic. Thread: trainer. 0 or EDDY_ENOMEM. */
int eddy_stream_fit(const struct eddy_interactions *interactions,
                    const struct eddy_stream_fit_options *options,
                    struct eddy_stream_fit_result *ret, struct eddy_err *err);

#endif
