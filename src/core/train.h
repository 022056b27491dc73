/* Layer: core.  Training of the HRNN: packed histories, full or sampled softmax, Adam,
 * OpenBLAS.
 * Takes no clock: who wants rates measures them from the progress calls. */
#ifndef EDDY_CORE_TRAIN_H
#define EDDY_CORE_TRAIN_H

#include <stdbool.h>

#include "base/conf.h"
#include "core/context_index.h"
#include "core/exchange.h"
#include "core/features.h"
#include "core/interactions.h"
#include "core/params.h"
#include "core/selection.h"
#include "core/step.h"

struct eddy_train_options { /* all but seed and threads: names of --set */
    int64_t hidden_dimension, layers, bptt, epochs, patience, history_events;
    int64_t batch_users; /* 0: as many as make some 3,500 events, 32 to 256 */
    int64_t negatives;   /* 0: full softmax; -1: full up to 20,000 items, else 2,048 */
    int64_t loss;        /* 0 softmax, 1 bpr_max */
    double bpreg, elu_param;
    int64_t cell; /* enum eddy_cell */
    int64_t mode; /* enum eddy_mode */
    double learning_rate, dropout, validation_fraction, clip_norm, average;
    double item_id_dropout; /* used with item_features */
    double request_share;   /* used with context_index */
    int64_t session_gap_s, recent_events;
    bool allow_small, recency_mask, refit;
    bool context; /* context columns are used */
    /* Not of --set: */
    const struct eddy_event_weight *event_weights; /* borrowed; NULL: all types alike */
    uint32_t event_weight_count;
    const struct eddy_features *item_features; /* V rows, borrowed; NULL: none */
    const struct eddy_features
        *user_features; /* a row per user, borrowed; NULL: none */
    const struct eddy_context_index
        *context_index;        /* of the interactions' columns, borrowed; NULL: none */
    uint32_t context_features; /* size of its vocabulary */
    int64_t threads;           /* 1..64 */
    uint64_t seed;
    const struct eddy_exchange *exchange;   /* borrowed; NULL: this process alone */
    const struct eddy_train_keeper *keeper; /* borrowed; NULL: no checkpoints */
    const struct eddy_train_warm *warm;     /* borrowed; NULL: start from nothing */
};

/* An older model to go on from, of the same hidden_dimension, layers, cell and mode. Nothing
 * in the loss holds weights to those of the older model (no L2 term to its vectors): what it
 * has learned is kept by learning from old events again for a sample of users (replay), and
 * by leaving items alone of which training sees nothing (core/train_items.h). Such a term
 * would hold back the items that do change, and needs a strength that nobody can tell. */
struct eddy_train_warm {
    const struct eddy_layout *layout;
    const float *params;
    const uint32_t *items; /* (items here) index there, EDDY_ITEM_NONE: not there */
    const uint16_t *types; /* (event types here) index there, UINT16_MAX: not there */
    int64_t newest_ms;     /* the newest event that it has learned from */
    double replay; /* share of users whose events up to then are learned from again */
    /* Its features, for eddy_metadata_train; NULL: it has none. */
    const struct eddy_vocabularies *vocabularies;
    /* (features here) where they are there; NULL: their tables begin with zeros. */
    const struct eddy_feature_origin *item_features, *user_features, *context_features;
};

/* What an interrupted run had done. */
struct eddy_train_past {
    uint32_t epoch;        /* done */
    uint64_t events;       /* positions trained on */
    struct eddy_span note; /* the caller's, borrowed */
};

/* Who keeps checkpoints. All calls come from the trainer's thread. A run that goes on from
 * its checkpoint gives the same bytes as one that was never interrupted, alone or in a
 * group. In a group only the first member has a keeper, which speaks for all. */
struct eddy_train_keeper {
    void *context;
    const char *name; /* of the file, for messages; borrowed */
    /* Settings of the caller that change the run: "name=value\n" each; NULL: none. */
    const char *settings;
    bool (*due)(void *context); /* after an epoch: is it time for one? */
    /* The bytes are the parts one after the other, borrowed during the call. 0: they are
     * safe; 1: they are not, and the training goes on; an error ends it. */
    int (*save)(void *context, const struct eddy_span *parts, uint32_t count,
                struct eddy_err *err);
    /* What the caller wants to find in `resumed`, borrowed until save; NULL: nothing. */
    struct eddy_span (*note)(void *context);
    struct eddy_span resume; /* bytes of an earlier save; empty: start anew */
    /* What became of them: where the run goes on, or NULL and why it starts anew. */
    void (*resumed)(void *context, const struct eddy_train_past *past,
                    const char *why_not);
};

/* Rows of the options that --set reaches; the ranges are those of the recipes. */
extern const struct eddy_option eddy_train_option_table[];
extern const size_t eddy_train_option_count;

/* The defaults of the table, 1 thread, seed 1. */
void eddy_train_options_init(struct eddy_train_options *options);

/* Called after every batch and after every epoch; false stops (the best epoch so far, or
 * the present weights when none has ended, become the result). */
struct eddy_train_progress {
    uint32_t epoch, epochs; /* epoch from 1 */
    double fraction;        /* of this epoch */
    uint64_t events;        /* positions trained on so far, all epochs */
    double loss;            /* mean of this epoch so far, nats per event */
    double validation_ndcg, validation_hr; /* of the last validated epoch; -1: none */
    double best_ndcg;                      /* -1: none */
    uint32_t best_epoch;
    bool epoch_done;
    bool finishing;       /* in the last phase: epochs is now its end */
    uint32_t epochs_most; /* the run has no more than these, the last phase counted */
    bool may_end_early;   /* it may have fewer: validation decides */
    bool metadata;        /* only what metadata says of new items is learned */
};
typedef bool (*eddy_train_progress_fn)(void *context,
                                       const struct eddy_train_progress *progress);

struct eddy_train_result {
    struct eddy_layout layout;
    float *params; /* after the last phase; without one the best epoch by validation
                      NDCG@10; freed by _fini */
    float *fitted; /* best epoch, before the last phase: it has never seen a validation
                      event; NULL: params are that; freed by _fini */
    struct eddy_selection selection; /* which rows were for what */
    float *popularity; /* (V) share of users who have the item; freed by _fini */
    uint32_t epochs, best_epoch;   /* run; kept */
    double best_ndcg, best_hr;     /* -1: nothing to validate on */
    double loss;                   /* of the last epoch */
    uint64_t events;               /* positions trained on, all epochs */
    uint64_t validation_events;    /* never targets in training */
    double dropout, learning_rate; /* used; the options' unless those are automatic */
    double flops;                  /* of matrix products, all epochs */
};

/* Deterministic for a given seed, whatever the thread count, on CPUs of one kind (the
 * vector width and OpenBLAS' kernels decide the order of sums). Thread: trainer; starts
 * threads - 1 more for the time of the call. Sets OpenBLAS to one thread.
 * EDDY_ECONFIG (option out of range), EDDY_EFORMAT (too little data, in Amazon's words),
 * EDDY_EFATAL (loss is NaN: says which setting to lower), EDDY_ENOMEM. */
int eddy_train(const struct eddy_interactions *interactions,
               const struct eddy_train_options *options,
               eddy_train_progress_fn progress, void *context,
               struct eddy_train_result *ret, struct eddy_err *err);
void eddy_train_result_fini(struct eddy_train_result *result);

/* The rows that eddy_train with these options takes for what. Errors: those of
 * eddy_selection_init. */
int eddy_train_select(const struct eddy_interactions *interactions,
                      const struct eddy_train_options *options,
                      struct eddy_selection *ret, struct eddy_err *err);

/* Encode one history by the training code (tests: streaming equals training): queries
 * after every event, (n, H). */
int eddy_train_encode(const struct eddy_layout *layout, const float *params,
                      const struct eddy_step *steps, uint32_t n, float *ret_queries,
                      struct eddy_err *err);

/* OpenBLAS' kernels in use ("SkylakeX"), and whether they are older than the CPU
 * ("Prescott" on an AVX2 machine). See app/blas_core.h for the way out. */
const char *eddy_blas_core(void);
bool eddy_blas_core_is_poor(void);
/* The core type that OPENBLAS_CORETYPE should name on this CPU, NULL: leave it alone. */
const char *eddy_blas_core_wanted(void);

#endif
