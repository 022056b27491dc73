/* Layer: core.  Parts of eddy_train: start values, Adam, validation. Private to training. */
#ifndef EDDY_CORE_TRAIN_PARTS_H
#define EDDY_CORE_TRAIN_PARTS_H

#include "core/exchange.h"
#include "core/train.h"
#include "core/train_items.h"
#include "core/train_network.h"

/* Fixed, so that sums of gradients have one order whatever the thread count. */
enum { EDDY_TRAIN_SHARDS = 4 };

/* Random start values of all tensors of a zeroed block. */
void eddy_train_start_values(const struct eddy_layout *layout, uint64_t seed,
                             float *params);

/* One step of the optimiser. */
struct eddy_adam_move {
    float rate, correction2, gradient_scale, average_gain;
};

/* Items of which a batch touches few (train_rows.c). items 0: every row moves at every
 * step. Otherwise all item rows of the gradients are zero between batches. */
struct eddy_rows {
    uint32_t items, hidden;
    size_t embedding, bias, dense; /* offsets; what is not of items begins at dense */
    uint32_t *list, count;         /* touched by the present batch */
    uint8_t *shards;               /* (items) bits of the shards that touch it */
    uint32_t *last;                /* (items) step at which the row stands */
};

struct eddy_adam {
    size_t size;                         /* floats of a block */
    float *gradients[EDDY_TRAIN_SHARDS]; /* summed into [0] by a step */
    float *m, *v, *average;              /* average NULL: no averaging */
    double *square_sums;                 /* per piece */
    uint64_t steps;
    double learning_rate, clip_norm, average_decay;
    uint32_t threads;
    struct eddy_rows rows;
};
/* sparse: batches touch few items, and say which before they read them. */
int eddy_adam_init(struct eddy_adam *adam, const struct eddy_layout *layout,
                   const float *params, const struct eddy_train_options *options,
                   bool sparse);
void eddy_adam_fini(struct eddy_adam *adam);
/* One step of params along the sum of the shards' gradients, clipped to clip_norm; the
 * average follows. Returns the norm before clipping; NaN leaves params as they were. */
double eddy_adam_step(struct eddy_adam *adam, float *params);

/* The rows of a sparse Adam. 0 or EDDY_ENOMEM. */
int eddy_rows_init(struct eddy_rows *rows, const struct eddy_layout *layout);
void eddy_rows_fini(struct eddy_rows *rows);
/* The batch that is to come will have gradients for the item in this shard. */
void eddy_rows_touch(struct eddy_rows *rows, uint32_t shard, uint32_t item);
/* The touched rows, or all of them, to the present step: before they are read. No effect
 * unless sparse. */
void eddy_rows_catch_up(struct eddy_adam *adam, float *params);
void eddy_rows_flush(struct eddy_adam *adam, float *params);
/* All rows stand at the present step (a checkpoint of a flushed run was loaded). */
void eddy_rows_restored(struct eddy_adam *adam);
/* Parts of eddy_adam_step, by pieces of the list of touched rows. */
uint32_t eddy_rows_pieces(const struct eddy_rows *rows);
double eddy_rows_sum(struct eddy_adam *adam, uint32_t piece);
void eddy_rows_move(struct eddy_adam *adam, const struct eddy_adam_move *move,
                    float *params, uint32_t piece);

/* A thread's memory. */
struct eddy_train_worker {
    struct eddy_net net;
    struct eddy_pack pack;
    uint32_t *stamp; /* (V) last serial that marked an item */
    uint32_t serial;
};
int eddy_train_worker_init(struct eddy_train_worker *worker,
                           const struct eddy_layout *layout, uint32_t rows_max,
                           uint32_t negatives);
void eddy_train_worker_fini(struct eddy_train_worker *worker);

/* NDCG@10 and HR@10 over the validation events: rank among all items but those that the
 * user has had before (the target itself always competes), ties counted against us. */
struct eddy_validation {
    const struct eddy_interactions *interactions;
    const struct eddy_histories *histories;
    struct eddy_net_view params;
    const struct eddy_features *users; /* NULL: none */
    struct eddy_train_worker *workers;
    uint32_t threads;
    const struct eddy_exchange *exchange; /* NULL: alone */
    double ndcg, hr;                      /* results */
};
/* 0, EDDY_ENOMEM, EDDY_EIO. */
int eddy_train_validate(struct eddy_validation *validation, struct eddy_err *err);

/* Where the last phase stands: its first epoch (0: searching) and its length. */
struct eddy_train_phase {
    uint32_t first, epochs;
};

/* All of a training run. Histories, layout, workers and Adam are made by train.c, epochs
 * run in train_epochs.c. */
struct eddy_trainer {
    const struct eddy_interactions *interactions;
    const struct eddy_train_options *options;
    struct eddy_selection selection;
    struct eddy_histories histories;
    struct eddy_layout layout;
    float *params; /* moving */
    float *best;   /* of the best epoch; after the last phase: before it */
    struct eddy_adam adam;
    struct eddy_train_worker *workers;
    uint32_t *order;                    /* train sequences, shuffled */
    uint32_t batch_users, batch_events; /* a batch ends at either */
    uint32_t negatives;
    double dropout, learning_rate; /* what is automatic is decided */
    struct eddy_sampler sampler;
    struct eddy_train_items items; /* what the network reads of them */
    /* of the present batch */
    const struct eddy_sequence *shard[EDDY_TRAIN_SHARDS][EDDY_PACK_SEQUENCES];
    uint32_t shard_count[EDDY_TRAIN_SHARDS];
    double shard_loss[EDDY_TRAIN_SHARDS];
    uint64_t key;
    float scale;
    struct eddy_train_progress progress;
    struct eddy_train_phase phase;
    double best_hr;
    double flops_before; /* of the run that a checkpoint goes on from */
    uint32_t kept_epoch; /* of the newest checkpoint of this run, 0: there is none */
    unsigned char identity[32]; /* of the run's data, for checkpoints */
    struct eddy_buf settings;   /* of the run, for checkpoints */
    bool finished;              /* the last phase ran: params are the result */
};

/* Histories of a selection for this run's options. 0 or EDDY_ENOMEM. */
int eddy_train_histories(struct eddy_trainer *trainer,
                         const struct eddy_selection *selection, struct eddy_err *err);
/* After histories have been made: which items have events in them. */
void eddy_train_know(struct eddy_trainer *trainer);
/* Histories of the last phase instead of those of the search. 0 or EDDY_ENOMEM. */
int eddy_train_all_histories(struct eddy_trainer *trainer, struct eddy_err *err);

/* Checkpoints (train_checkpoint.c); no effect without a keeper. Save: after an epoch, when
 * the keeper says that it is time; its errors. Load: takes over the keeper's bytes when
 * they fit, in every member of a group; EDDY_EUSAGE when a setting is another one,
 * EDDY_ENOMEM, EDDY_EIO. */
int eddy_train_checkpoint_save(struct eddy_trainer *trainer, struct eddy_err *err);
int eddy_train_checkpoint_load(struct eddy_trainer *trainer, struct eddy_err *err);

/* Start values from options->warm (train_warm.c); no effect without. EDDY_ECONFIG. */
int eddy_train_warm_start(struct eddy_trainer *trainer, struct eddy_err *err);
/* Says to trainer->items, made meanwhile, which items have such values. 0, EDDY_ENOMEM. */
int eddy_train_warm_keep(struct eddy_trainer *trainer);

/* Epochs until validation does not improve, then the last phase. */
int eddy_train_epochs(struct eddy_trainer *trainer, eddy_train_progress_fn progress,
                      void *context, struct eddy_err *err);

/* Of an epoch: its order, how many users of it make the next batch from `at` on, and what a
 * batch gives: loss and gradients by trainer->params in adam.gradients, all shards shared.
 * step: what is drawn in it; hides: ids of items. 0 or EDDY_EIO. */
void eddy_train_shuffle(struct eddy_trainer *trainer, uint32_t epoch);
uint32_t eddy_train_next_batch(const struct eddy_trainer *trainer, uint32_t at);
int eddy_train_compute(struct eddy_trainer *trainer, const uint32_t *users,
                       uint32_t count, uint64_t step, bool hides, double *ret_loss,
                       uint64_t *ret_targets, struct eddy_err *err);

/* What metadata says of items that nothing else is known of, learned by hiding ids while all
 * else stays as it is in params (train_tower.c); no effect without metadata or hidden ids.
 * *ret_stop: the callback asked for it. 0, EDDY_ENOMEM, EDDY_EIO, EDDY_EFATAL. */
int eddy_train_tower(struct eddy_trainer *trainer, eddy_train_progress_fn progress,
                     void *context, bool *ret_stop, struct eddy_err *err);

/* --- in a group (train_share.c); exchange NULL: alone --- */

/* Is this shard this member's to compute? */
bool eddy_train_owns(const struct eddy_exchange *exchange, uint32_t shard);
/* Losses and gradients of all shards to all members. 0 or EDDY_EIO. */
int eddy_train_share_shards(struct eddy_trainer *trainer, struct eddy_err *err);
/* `size` bytes of the first member to all. 0 or EDDY_EIO. */
int eddy_train_share(const struct eddy_exchange *exchange, void *bytes, size_t size,
                     struct eddy_err *err);
/* What the first member's *stop says to all. 0 or EDDY_EIO. */
int eddy_train_share_stop(const struct eddy_exchange *exchange, bool *stop,
                          struct eddy_err *err);
/* A member's part [first, end) of `count` tasks. */
void eddy_train_share_range(const struct eddy_exchange *exchange, uint32_t rank,
                            uint32_t count, uint32_t *ret_first, uint32_t *ret_end);

#endif
