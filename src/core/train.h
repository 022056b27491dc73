/* Layer: core.  Training of the HRNN: packed histories, full softmax, Adam, OpenBLAS. */
#ifndef EDDY_CORE_TRAIN_H
#define EDDY_CORE_TRAIN_H

#include "core/interactions.h"
#include "core/snapshot.h"

struct eddy_train_options { /* names of --set; defaults in eddy_train_option_table */
    int64_t hidden_dimension, layers, bptt, epochs, patience, batch_users, history_events;
    int64_t cell, mode;
    double learning_rate, dropout, validation_fraction, clip_norm;
    int64_t session_gap_s, recent_events, threads;
    uint64_t seed;
};

/* Called after each epoch and about once a second; false stops after this epoch. */
struct eddy_train_progress {
    uint32_t epoch, epochs;
    double fraction; /* of this epoch */
    double loss, validation_ndcg, validation_hr, best_ndcg;
    double events_per_s, seconds, seconds_left;
    bool epoch_done;
};
typedef bool (*eddy_train_progress_fn)(void *context,
                                       const struct eddy_train_progress *progress);

struct eddy_train_result {
    struct eddy_layout layout;
    float *params;     /* best epoch by validation NDCG@10; free() */
    float *popularity; /* (V) share of users; free() */
    uint32_t best_epoch;
    double best_ndcg, best_hr, loss, seconds, cpu_seconds, flops_per_s;
};

/* Deterministic for a given seed, whatever the thread count. Thread: trainer.
 * EDDY_ECONFIG (option out of range), EDDY_EFORMAT (too little data, in Amazon's words),
 * EDDY_EFATAL (loss is NaN: says which setting to lower), EDDY_ENOMEM. */
int eddy_train(const struct eddy_interactions *data,
               const struct eddy_train_options *options, eddy_train_progress_fn progress,
               void *context, struct eddy_train_result *ret, struct eddy_err *err);
void eddy_train_result_fini(struct eddy_train_result *result);

/* Encode one history by the training code (tests: streaming equals training): queries
 * after every event, (n, H). */
int eddy_train_encode(const struct eddy_layout *layout, const float *params,
                      const struct eddy_step *steps, uint32_t n, float *ret_queries,
                      struct eddy_err *err);

/* OpenBLAS' kernels in use ("SkylakeX"), and whether they are older than the CPU
 * ("Prescott" on an AVX2 machine). See app/blas_core.h for the way out. */
const char *eddy_blas_core(void);
bool eddy_blas_core_is_poor(void);

#endif
