/* Layer: app.  Parts of `eddy bench`: a random model, the scoring floor, the report. */
#ifndef EDDY_APP_BENCH_H
#define EDDY_APP_BENCH_H

#include <jansson.h>

#include "core/score.h"
#include "core/snapshot.h"
#include "engine/path.h"

/* A snapshot with random parameters (same seed, same snapshot) and items "item0".."itemN".
 * One reference. */
int eddy_bench_snapshot(const struct eddy_shape *shape, uint64_t seed,
                        struct eddy_snapshot **ret, struct eddy_err *err);

/* CPU time per list in ns, best of rounds, of scoring `rows` random queries at once and
 * keeping the best k each. */
struct eddy_bench_floor {
    double kernel_ns; /* eddy_score_topk, nothing else */
    double blas_ns;   /* cblas_sgemm into (rows, V), then partial sort of every row */
    double sgemm_ns;  /* the cblas_sgemm of it */
    double agreement; /* share of the kernel's items that are in blas' lists */
};
int eddy_bench_scoring(const struct eddy_snapshot *snapshot, uint32_t rows, uint32_t k,
                       uint32_t rounds, struct eddy_bench_floor *ret,
                       struct eddy_err *err);

struct eddy_bench_result {
    struct eddy_shape shape;
    const char *store; /* static */
    uint64_t users, events, lists, list_bytes, turns;
    uint64_t cpu_ns, wall_ns;
    uint64_t *turn_ns; /* (turns) wall time of each, sorted by the report */
    const struct eddy_stage_time *stages;
    uint32_t stage_count;
    uint64_t resident_begin, resident_half, resident_end; /* bytes */
    struct eddy_bench_floor floor;
};
/* All figures and what they were taken on, as one object. New reference. */
json_t *eddy_bench_report(struct eddy_bench_result *result);
/* The same for people, on stdout. */
void eddy_bench_print(const json_t *report);

#endif
