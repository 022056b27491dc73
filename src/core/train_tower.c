/* What metadata says of items that nothing else is known of: F, w and b_cold of train_items.h.
 *
 * Ids are hidden by chance, as in DropoutNet (Volkovs et al. 2017), but not while the network
 * learns: known items would pay for what new ones gain (train_items.h). So this comes after
 * it. Everything that is not hidden stays what it is, the loss is that of training, and only
 * the tables of metadata move: by Adam of their own, at a rate that falls to zero, from a
 * ridge regression of known items (train_regress.c). That start ranks new items better than the
 * tables that have grown beside the ids; without the epoch after it known items would pay
 * more for their places. */
#include <math.h>
#include <stdlib.h>

#include "core/train_parts.h"

enum { BLOCKS = 3 };

struct tower {
    size_t at[BLOCKS]; /* in params */
    uint32_t count[BLOCKS];
    float *m, *v; /* of all of them */
    uint64_t steps;
};

static int tower_init(struct tower *tower, const struct eddy_layout *layout)
{
    static const enum eddy_global_tensor ids[BLOCKS] = {
        EDDY_G_ITEM_FEATURES, EDDY_G_ITEM_FEATURE_BIAS, EDDY_G_ITEM_COLD_BIAS};
    size_t all = 0;
    *tower = (struct tower){0};
    for (uint32_t b = 0; b < BLOCKS; b++) {
        tower->at[b] = layout->tensors[ids[b]].offset;
        tower->count[b] = layout->tensors[ids[b]].rows * layout->tensors[ids[b]].cols;
        all += tower->count[b];
    }
    tower->m = calloc(all, sizeof *tower->m);
    tower->v = calloc(all, sizeof *tower->v);
    return tower->m && tower->v ? 0 : EDDY_ENOMEM;
}

/* false: a gradient is not a number, nothing has moved. */
static bool step(struct tower *tower, struct eddy_trainer *trainer, double rate)
{
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    float *const *gradients = trainer->adam.gradients;
    double squares = 0, t = (double)++tower->steps;
    for (uint32_t b = 0; b < BLOCKS; b++) {
        for (uint32_t s = 1; s < EDDY_TRAIN_SHARDS; s++)
            vector->add(tower->count[b], gradients[s] + tower->at[b],
                        gradients[0] + tower->at[b]);
        squares += vector->square_sum(tower->count[b], gradients[0] + tower->at[b]);
    }
    if (!isfinite(squares))
        return false;
    float *m = tower->m, *v = tower->v;
    for (uint32_t b = 0; b < BLOCKS; b++) {
        uint32_t n = tower->count[b];
        vector->adam(n, (float)(rate / (1 - pow(0.9, t))),
                     (float)(1 / (1 - pow(0.999, t))), gradients[0] + tower->at[b], 1,
                     m, v, trainer->params + tower->at[b]);
        m += n;
        v += n;
    }
    eddy_train_items_shrink(&trainer->items, rate, trainer->params);
    return true;
}

/* One epoch. */
static int learn(struct tower *tower, struct eddy_trainer *trainer,
                 eddy_train_progress_fn progress, void *context, bool *ret_stop,
                 struct eddy_err *err)
{
    const uint32_t users = trainer->histories.train_count;
    uint32_t count;
    eddy_train_shuffle(trainer, trainer->progress.epoch + 1);
    for (uint32_t at = 0; at < users && !*ret_stop; at += count) {
        double rate = trainer->learning_rate * (1 - (double)at / users), loss;
        uint64_t targets;
        count = eddy_train_next_batch(trainer, at);
        int r = eddy_train_compute(trainer, trainer->order + at, count,
                                   trainer->adam.steps + tower->steps, true, &loss,
                                   &targets, err);
        if (r < 0)
            return r;
        if (!isfinite(loss) || !step(tower, trainer, rate))
            return eddy_fail(err, EDDY_EFATAL,
                             "what metadata says of new items is not a number: "
                             "lower learning_rate (now %g)",
                             trainer->learning_rate);
        *ret_stop = progress != NULL && !progress(context, &trainer->progress);
        r = eddy_train_share_stop(trainer->options->exchange, ret_stop, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* An older model's tables go on from where they are: this training may know few items. */
static bool has_learned(const struct eddy_trainer *trainer)
{
    return *eddy_global(&trainer->layout, trainer->params, EDDY_G_ITEM_COLD_BIAS) != 0;
}

int eddy_train_tower(struct eddy_trainer *trainer, eddy_train_progress_fn progress,
                     void *context, bool *ret_stop, struct eddy_err *err)
{
    struct eddy_train_items *items = &trainer->items;
    struct tower tower;
    if (items->features == NULL || items->dropout <= 0)
        return 0;
    int r = tower_init(&tower, &trainer->layout);
    if (r == 0)
        r = eddy_train_items_fix(items, trainer->params);
    if (r == 0) {
        trainer->progress.epoch_done = false;
        trainer->progress.metadata = true;
        /* Who wants it to stop says so again at the first batch. */
        if (progress != NULL)
            (void)progress(context, &trainer->progress);
        if (!has_learned(trainer))
            r = eddy_train_items_regress(items, trainer->params);
        if (r == 0)
            r = learn(&tower, trainer, progress, context, ret_stop, err);
        trainer->progress.metadata = false;
        eddy_train_items_let_go(items, trainer->params);
    }
    if (r == EDDY_ENOMEM)
        (void)eddy_fail(err, r, "no memory for what metadata says of %u items",
                        items->items);
    free(tower.m);
    free(tower.v);
    return r;
}
