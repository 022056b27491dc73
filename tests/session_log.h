/* Random sessions, one an hour, as the tables are made from them: for tests that compare a
 * table with a plain twin. */
#ifndef EDDY_TESTS_SESSION_LOG_H
#define EDDY_TESTS_SESSION_LOG_H

#include "base/rng.h"
#include "core/related.h"

enum { SESSION_LENGTH_MAX = 9 };

/* Fill events and views of `count` sessions of 1 to length_max items below `items`. */
static inline void make_session_log(uint64_t seed, uint32_t count, uint32_t length_max,
                                    uint32_t items,
                                    uint32_t events[][SESSION_LENGTH_MAX],
                                    struct eddy_session_view *views)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (uint32_t s = 0; s < count; s++) {
        uint32_t n = 1 + eddy_rng_below(&rng, length_max);
        for (uint32_t e = 0; e < n; e++)
            events[s][e] = eddy_rng_below(&rng, items);
        views[s] = (struct eddy_session_view){events[s], n, (int64_t)s * 3600000};
    }
}

#endif
