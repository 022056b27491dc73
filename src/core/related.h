/* Layer: core.  Closed-form item-item models by one Cholesky factorisation (SLIST, WWW 2021;
 * EASE, WWW 2019; mathematics: MODELS 1.10). OpenBLAS' LAPACK; training only. */
#ifndef EDDY_CORE_RELATED_H
#define EDDY_CORE_RELATED_H

#include "core/interactions.h"
#include "core/table.h"

struct eddy_related_options {
    double alpha;  /* share of the co-occurrence part, 1 - alpha of the sequential */
    double lambda; /* ridge */
    double window_decay;     /* delta_train, positions */
    double age_half_life_s;  /* weight of old sessions; 0: all alike */
    double popularity_power; /* scores times support^-power; 0: none */
    double length_power; /* a session of n items counts n^-power in the co-occurrence
                                part; 0: all alike */
    bool zero_diagonal;  /* EASE's constraint: an item never speaks for itself */
    uint32_t window;     /* positions ahead that count; 0: all of the session */
    uint32_t width;      /* entries kept per row, 1..1000 */
    uint32_t items_max;  /* above: only the items_max with most support are solved */
    uint32_t threads;
    const struct eddy_spill *spill; /* room for what is per event; NULL: memory */
};
/* Sessions for the fit: item lists in order, with the time of the last event. */
struct eddy_session_view {
    const uint32_t *items;
    uint32_t count;
    int64_t ts_ms;
};
/* Table of items rows, each its `width` heaviest entries above 0. Memory: one matrix of
 * (solved items)^2 floats. Sets OpenBLAS to one thread. The bits do not depend on the
 * number of threads, but on the CPU kind (OpenBLAS' kernels). Thread: trainer.
 * EDDY_ECONFIG: an option out of range; EDDY_ENOMEM says how much was wanted; EDDY_EIO: no
 * room on disk; EDDY_EFATAL: lambda is too small for single floats. */
int eddy_related_fit(const struct eddy_session_view *sessions, uint32_t count,
                     uint32_t items, const struct eddy_related_options *options,
                     struct eddy_table *ret, struct eddy_err *err);

#endif
