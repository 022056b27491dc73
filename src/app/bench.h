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

/* Scoring alone: `rows` random queries at once, the best k kept of each. CPU time per list
 * in ns, the best of all rounds so far. */
struct eddy_bench_floor {
    double kernel_ns; /* eddy_score_topk, nothing else */
    double blas_ns;   /* cblas_sgemm into (rows, V), then partial sort of every row */
    double sgemm_ns;  /* the cblas_sgemm of it */
    double agreement; /* share of the kernel's items that are in blas' lists */
};
struct eddy_bench_scorer;
/* snapshot is kept. NULL: memory. Owned: eddy_bench_scorer_free. */
struct eddy_bench_scorer *eddy_bench_scorer_new(const struct eddy_snapshot *snapshot,
                                                uint32_t rows, uint32_t k);
void eddy_bench_scorer_free(struct eddy_bench_scorer *scorer);
/* Another round of each. Rounds are spread over the run, so that on a busy machine path
 * and kernel have the same chance of a quiet moment. */
void eddy_bench_scorer_round(struct eddy_bench_scorer *scorer,
                             struct eddy_bench_floor *floor);

enum { EDDY_BENCH_STAGES = 8 };
/* CPU time in ns of some events, or of one. */
struct eddy_bench_cost {
    double total, store; /* store: what load and commit spend inside the store */
    double stages[EDDY_BENCH_STAGES];
};

struct eddy_bench_result {
    struct eddy_shape shape;
    const char *store; /* static */
    uint64_t users, events, lists, list_bytes, turns, wall_ns;
    uint64_t *turn_ns; /* (turns) wall time of each, sorted by the report */
    const char *stage_names[EDDY_BENCH_STAGES];
    uint32_t stage_count;
    struct eddy_bench_cost sum;  /* over all events */
    struct eddy_bench_cost best; /* per event, of the cheapest slice of 4096 events */
    uint64_t resident_begin, resident_half, resident_end; /* bytes */
    struct eddy_bench_floor floor;
};
/* Epochs of a training on a drawn log. */
struct eddy_bench_training {
    struct eddy_shape shape;
    uint64_t users, log_events;
    uint32_t threads, epochs;
    uint64_t events;                        /* positions trained on, all epochs */
    double loss;                            /* of the last epoch */
    double seconds, cpu_seconds;            /* all epochs */
    double best_seconds, best_cpu_seconds;  /* of the cheapest */
    double flops_per_epoch, flops_per_s;    /* per s of CPU */
    double sgemm_flops_per_s;               /* of one core in the same run */
    uint64_t resident_begin, resident_peak; /* bytes; begin: with the log */
};
/* To stdout, for people or as one JSON object. */
void eddy_bench_training_print(const struct eddy_bench_training *result, bool json);

/* `eddy bench train`; argv[0] is "train". Returns eddy_exit. */
int eddy_bench_train(int argc, char **argv);

/* All figures and what they were taken on, as one object. New reference. */
json_t *eddy_bench_report(struct eddy_bench_result *result);
/* A report on stdout, as JSON. */
void eddy_bench_print_json(const json_t *report);
/* The same for people. */
void eddy_bench_print(const json_t *report);

#endif
