/* Layer: core.  Cases for core/stream_fit.c: events of the newest part of a log, each with
 * what live tables said about its candidates at the last refresh before it. Private. */
#ifndef EDDY_CORE_STREAM_CASES_H
#define EDDY_CORE_STREAM_CASES_H

#include "core/stream_fit.h"

enum { EDDY_STREAM_RULES_MAX = 8, EDDY_STREAM_CANDIDATES = 320 };
#define EDDY_STREAM_RULES_DECAY 1.0f /* positions */
#define EDDY_STREAM_WIDTH       200

#define EDDY_STREAM_SHOWN_DECAY 2.0f /* lists */

/* Columns of a candidate: live priors, live rules (sums, before scale and logarithm), seen,
 * frozen priors, frozen rules of the longest memory, shown (if the log has impressions). */
struct eddy_stream_grid {
    uint32_t priors, rules;
    bool shown;
    struct eddy_counters_options prior_counters;
    struct eddy_counters_options rule_counters[EDDY_STREAM_RULES_MAX];
};
static inline uint32_t eddy_stream_columns(const struct eddy_stream_grid *grid)
{
    return 2 * grid->priors + grid->rules + 2 + grid->shown;
}

struct eddy_stream_case {
    uint32_t first, count; /* candidates: rows of values */
    uint32_t answer;       /* among them */
    uint32_t bucket;
    bool later; /* of the second half: weights are judged on it */
};
struct eddy_stream_cases {
    struct eddy_stream_case *cases;
    uint32_t count, capacity;
    float *values; /* (rows, columns) */
    size_t rows, row_capacity;
};
/* Half-lives that fit the pace of the log: rows per second, and its length. */
void eddy_stream_grid_make(double rows_per_s, double span_s,
                           struct eddy_stream_grid *ret);
/* Plays order[0..count): counts all rows, cases from `start` on. An answer that is no
 * candidate makes no case. 0 or EDDY_ENOMEM. eddy_stream_cases_fini either way. */
int eddy_stream_cases_collect(const struct eddy_interactions *interactions,
                              const uint64_t *order, uint64_t count, uint64_t start,
                              int64_t refresh_ms,
                              const struct eddy_stream_fit_options *options,
                              const struct eddy_stream_grid *grid,
                              struct eddy_stream_cases *ret);
void eddy_stream_cases_fini(struct eddy_stream_cases *cases);

#endif
