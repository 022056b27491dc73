/* Epochs: batches of users, early stopping by validation, the last phase.
 *
 * A batch is dealt to EDDY_TRAIN_SHARDS shards, longest history to the lightest shard; each
 * shard is a pack with gradients of its own; threads take shards, sums are made in shard
 * order. So the result is a function of data, options and seed, not of the thread count.
 *
 * Search: a constant rate, the running average of the weights is validated after every
 * epoch, the best is kept. Last phase (`refit`): from the best weights on, all events are
 * targets, validation events included, for a fifth as many epochs more, while the rate
 * falls to zero in a straight line (the decay of a warm-up-stable-decay schedule, Hu et al.
 * 2024). So what the newest events say is in the model, and when to stop was still decided
 * by events that the weights had not seen. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "core/kernel.h"
#include "core/team.h"
#include "core/train_parts.h"

static const double last_phase_share = 0.22; /* of the best epoch's number */

static uint64_t sample_key(const struct eddy_trainer *trainer, uint32_t shard)
{
    return eddy_mix64(trainer->key, shard + 1);
}

/* Share of targets that are learned with the context of a request. */
static double request_share(const struct eddy_trainer *trainer)
{
    return trainer->options->context_index ? trainer->options->request_share : 0;
}

static void run_shard(void *context, uint32_t shard, uint32_t worker_at)
{
    struct eddy_trainer *trainer = context;
    struct eddy_train_worker *worker = &trainer->workers[worker_at];
    float *gradients = trainer->adam.gradients[shard];
    struct eddy_net *net = &worker->net;

    if (!eddy_train_owns(trainer->options->exchange, shard))
        return;
    size_t dense = trainer->adam.rows.items > 0 ? trainer->adam.rows.dense : 0;
    memset(gradients + dense, 0, (trainer->layout.size - dense) * sizeof *gradients);
    trainer->shard_loss[shard] = 0;
    if (trainer->shard_count[shard] == 0)
        return;
    eddy_pack_build(&worker->pack, trainer->layout.shape.mode, trainer->shard[shard],
                    trainer->shard_count[shard]);
    eddy_net_view_init(&net->params, &trainer->layout, trainer->params);
    eddy_net_view_init(&net->grads, &trainer->layout, gradients);
    eddy_train_items_view(&trainer->items, &net->params);
    net->bptt = (uint32_t)trainer->options->bptt;
    net->dropout = trainer->dropout;
    net->users = trainer->options->user_features;
    net->request_share = request_share(trainer);
    net->key = trainer->key;
    net->sampler = trainer->negatives > 0 ? &trainer->sampler : NULL;
    net->sample_key = sample_key(trainer, shard);
    net->loss = (enum eddy_loss)trainer->options->loss;
    net->bpreg = (float)trainer->options->bpreg;
    net->elu = (float)trainer->options->elu_param;
    eddy_net_forward(net, &worker->pack);
    trainer->shard_loss[shard] = eddy_net_loss(net, &worker->pack, trainer->scale);
    eddy_net_backward(net, &worker->pack);
    eddy_train_items_chain(&trainer->items, gradients);
}

/* To how many shards a batch of so many events is dealt, by the batch alone. With drawn
 * negatives every shard draws its own: few events each are not worth that. No shard may
 * get more than the fourth of the largest batch that packs have room for. */
static uint32_t shards_for(const struct eddy_trainer *trainer, uint64_t events)
{
    enum { SHARD_EVENTS = 256 };
    uint64_t room = trainer->batch_events / EDDY_TRAIN_SHARDS, shards, least;
    if (trainer->negatives == 0)
        return EDDY_TRAIN_SHARDS;
    shards = events / SHARD_EVENTS;
    least = room > 0 ? (events + room - 1) / room : EDDY_TRAIN_SHARDS;
    shards = shards > least ? shards : least;
    return shards < 1                   ? 1
           : shards > EDDY_TRAIN_SHARDS ? EDDY_TRAIN_SHARDS
                                        : (uint32_t)shards;
}

/* Longest first onto the lightest shard; returns the batch's targets. */
static uint64_t deal(struct eddy_trainer *trainer, const uint32_t *users,
                     uint32_t count)
{
    const struct eddy_sequence *sorted[EDDY_PACK_SEQUENCES];
    uint64_t load[EDDY_TRAIN_SHARDS] = {0}, targets = 0, events = 0;

    memset(trainer->shard_count, 0, sizeof trainer->shard_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct eddy_sequence *sequence = &trainer->histories.train[users[i]];
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1]->count < sequence->count; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = sequence;
        events += sequence->count;
        if ((trainer->options->user_features || request_share(trainer) > 0) &&
            sequence->start_weight > 0)
            targets++;
        for (uint32_t j = 0; j < sequence->count; j++)
            targets += sequence->targets[j] != EDDY_ITEM_NONE ? 1 : 0;
    }
    uint32_t shards = shards_for(trainer, events);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t lightest = 0;
        for (uint32_t s = 1; s < shards; s++)
            if (load[s] < load[lightest])
                lightest = s;
        trainer->shard[lightest][trainer->shard_count[lightest]++] = sorted[i];
        load[lightest] += sorted[i]->count;
    }
    return targets;
}

static void touch(struct eddy_trainer *trainer, uint32_t shard, uint32_t item)
{
    if (trainer->adam.rows.items > 0)
        eddy_rows_touch(&trainer->adam.rows, shard, item);
    if (trainer->items.reads != NULL)
        trainer->items.reads[item] = true;
}

/* Tells a sparse Adam, or the metadata of items, which items the batch reads and will have
 * gradients for, those of shards that other members of a group compute included, and brings
 * them to the present step. */
static void touch_items(struct eddy_trainer *trainer)
{
    struct eddy_adam *adam = &trainer->adam;
    uint32_t *drawn = trainer->workers[0].net.sample_items;

    if (adam->rows.items == 0 && trainer->items.reads == NULL)
        return;
    eddy_train_items_forget(&trainer->items);
    for (uint32_t s = 0; s < EDDY_TRAIN_SHARDS; s++) {
        if (trainer->shard_count[s] == 0)
            continue;
        for (uint32_t q = 0; q < trainer->shard_count[s]; q++) {
            const struct eddy_sequence *sequence = trainer->shard[s][q];
            for (uint32_t i = 0; i < sequence->count; i++) {
                touch(trainer, s, sequence->steps[i].item);
                if (sequence->targets[i] != EDDY_ITEM_NONE)
                    touch(trainer, s, sequence->targets[i]);
            }
        }
        eddy_sampler_draw(&trainer->sampler, sample_key(trainer, s), trainer->negatives,
                          drawn);
        for (uint32_t i = 0; i < trainer->negatives; i++)
            touch(trainer, s, drawn[i]);
    }
    eddy_rows_catch_up(adam, trainer->params);
}

/* What to do about it, and where the run can go on: a checkpoint is named only if there
 * is one, that of the last epoch whose numbers were good. */
static int not_a_number(const struct eddy_trainer *trainer, const char *what,
                        struct eddy_err *err)
{
    const struct eddy_train_keeper *keeper = trainer->options->keeper;
    char kept[120] = "";
    if (keeper != NULL && trainer->kept_epoch > 0)
        (void)snprintf(kept, sizeof kept,
                       "; what was learned up to epoch %u is kept%s%s",
                       trainer->kept_epoch, keeper->name ? " in " : "",
                       keeper->name ? keeper->name : "");
    return eddy_fail(err, EDDY_EFATAL,
                     "%s is not a number in epoch %u: lower learning_rate (now %g) or "
                     "clip_norm (now %g)%s",
                     what, trainer->progress.epoch, trainer->learning_rate,
                     trainer->options->clip_norm, kept);
}

int eddy_train_compute(struct eddy_trainer *trainer, const uint32_t *users,
                       uint32_t count, uint64_t step, bool hides, double *ret_loss,
                       uint64_t *ret_targets, struct eddy_err *err)
{
    *ret_targets = deal(trainer, users, count);
    *ret_loss = 0;
    trainer->scale = (float)(1.0 / (double)*ret_targets);
    trainer->key = eddy_mix64(trainer->options->seed, step);
    touch_items(trainer);
    eddy_train_items_batch(&trainer->items, trainer->params, hides, trainer->key);
    eddy_team_run((uint32_t)trainer->options->threads, EDDY_TRAIN_SHARDS, run_shard,
                  trainer);
    int r = eddy_train_share_shards(trainer, err);
    if (r < 0)
        return r;
    for (int s = 0; s < EDDY_TRAIN_SHARDS; s++)
        *ret_loss += trainer->shard_loss[s];
    return 0;
}

/* Adds the batch's loss and targets. */
static int run_batch(struct eddy_trainer *trainer, const uint32_t *users,
                     uint32_t count, double *loss, uint64_t *targets,
                     struct eddy_err *err)
{
    uint64_t batch_targets;
    double batch_loss;
    int r = eddy_train_compute(trainer, users, count, trainer->adam.steps, false,
                               &batch_loss, &batch_targets, err);
    if (r < 0)
        return r;
    double norm = eddy_adam_step(&trainer->adam, trainer->params);
    eddy_train_items_shrink(&trainer->items, trainer->adam.learning_rate,
                            trainer->params);
    if (!isfinite(batch_loss) || !isfinite(norm))
        return not_a_number(trainer, isfinite(batch_loss) ? "a gradient" : "the loss",
                            err);
    *loss += batch_loss;
    *targets += batch_targets;
    return 0;
}

void eddy_train_shuffle(struct eddy_trainer *trainer, uint32_t epoch)
{
    struct eddy_rng rng;
    uint32_t n = trainer->histories.train_count;
    eddy_rng_seed(&rng, eddy_mix64(trainer->options->seed, epoch));
    for (uint32_t i = 0; i < n; i++)
        trainer->order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t other = eddy_rng_below(&rng, i), swapped = trainer->order[i - 1];
        trainer->order[i - 1] = trainer->order[other];
        trainer->order[other] = swapped;
    }
}

/* How many users of the order from `at` on make the next batch. */
uint32_t eddy_train_next_batch(const struct eddy_trainer *trainer, uint32_t at)
{
    uint32_t count = 0, events = 0;
    while (at + count < trainer->histories.train_count &&
           count < trainer->batch_users) {
        events += trainer->histories.train[trainer->order[at + count]].count;
        if (count > 0 && events > trainer->batch_events)
            break;
        count++;
    }
    return count;
}

/* The rate at a point of the epoch. */
static double rate_at(const struct eddy_trainer *trainer, double fraction)
{
    double rate = trainer->learning_rate;
    if (trainer->phase.first == 0)
        return rate;
    double done = trainer->progress.epoch - trainer->phase.first + fraction;
    return rate * (1 - done / trainer->phase.epochs);
}

/* *ret_stop: the callback asked for it. */
static int run_epoch(struct eddy_trainer *trainer, eddy_train_progress_fn progress,
                     void *context, bool *ret_stop, struct eddy_err *err)
{
    struct eddy_train_progress *now = &trainer->progress;
    uint32_t n = trainer->histories.train_count;
    uint32_t count;
    uint64_t targets = 0, before = now->events;
    double loss = 0;

    eddy_train_shuffle(trainer, now->epoch);
    for (uint32_t at = 0; at < n && !*ret_stop; at += count) {
        count = eddy_train_next_batch(trainer, at);
        trainer->adam.learning_rate = rate_at(trainer, (double)at / n);
        int r = run_batch(trainer, trainer->order + at, count, &loss, &targets, err);
        if (r < 0)
            return r;
        now->loss = loss / (double)targets;
        now->events = before + targets;
        now->fraction = (double)(at + count) / (double)n;
        *ret_stop = progress != NULL && !progress(context, now);
        if ((r = eddy_train_share_stop(trainer->options->exchange, ret_stop, err)) < 0)
            return r;
    }
    eddy_rows_flush(&trainer->adam, trainer->params);
    return 0;
}

static float *weights(struct eddy_trainer *trainer)
{
    return trainer->adam.average ? trainer->adam.average : trainer->params;
}

static void keep(struct eddy_trainer *trainer)
{
    memcpy(trainer->best, weights(trainer), trainer->layout.size * sizeof(float));
    trainer->progress.best_epoch = trainer->progress.epoch;
}

static int validate(struct eddy_trainer *trainer, struct eddy_err *err)
{
    struct eddy_train_progress *now = &trainer->progress;
    struct eddy_validation validation = {
        .interactions = trainer->interactions,
        .histories = &trainer->histories,
        .workers = trainer->workers,
        .users = trainer->options->user_features,
        .threads = (uint32_t)trainer->options->threads,
        .exchange = trainer->options->exchange,
    };
    if (trainer->histories.validation_targets == 0) {
        keep(trainer);
        return 0;
    }
    eddy_net_view_init(&validation.params, &trainer->layout, weights(trainer));
    eddy_train_items_all(&trainer->items, weights(trainer));
    eddy_train_items_view(&trainer->items, &validation.params);
    int r = eddy_train_validate(&validation, err);
    if (r < 0)
        return r;
    now->validation_ndcg = validation.ndcg;
    now->validation_hr = validation.hr;
    if (validation.ndcg > now->best_ndcg) {
        now->best_ndcg = validation.ndcg;
        trainer->best_hr = validation.hr;
        keep(trainer);
    }
    return 0;
}

static bool out_of_patience(const struct eddy_trainer *trainer)
{
    const struct eddy_train_progress *now = &trainer->progress;
    uint32_t patience = (uint32_t)trainer->options->patience;
    return patience > 0 && now->epoch - now->best_epoch >= patience;
}

/* The last phase after a search whose best epoch is this one. */
static uint32_t last_phase_of(uint32_t best_epoch)
{
    uint32_t epochs = (uint32_t)ceil(last_phase_share * best_epoch);
    return epochs > 0 ? epochs : 1; /* nothing beat the weights that a warm start had */
}

static int search(struct eddy_trainer *trainer, eddy_train_progress_fn progress,
                  void *context, bool *ret_stop, struct eddy_err *err)
{
    struct eddy_train_progress *now = &trainer->progress;
    int r;

    now->epochs_most =
        now->epochs + (trainer->options->refit ? last_phase_of(now->epochs) : 0);
    now->may_end_early = trainer->histories.validation_targets > 0;
    if (trainer->options->warm != NULL && now->epoch == 0 &&
        (r = validate(trainer, err)) < 0) /* the old weights may be the best */
        return r;
    while (!*ret_stop && now->epoch < now->epochs && !out_of_patience(trainer)) {
        now->epoch++;
        now->epoch_done = false;
        r = run_epoch(trainer, progress, context, ret_stop, err);
        if (r < 0)
            return r;
        if (*ret_stop)
            break;
        if ((r = validate(trainer, err)) < 0)
            return r;
        now->epoch_done = true;
        *ret_stop = progress != NULL && !progress(context, now);
        if ((r = eddy_train_share_stop(trainer->options->exchange, ret_stop, err)) < 0)
            return r;
        if ((r = eddy_train_checkpoint_save(trainer, err)) < 0)
            return r;
    }
    if (now->best_epoch == 0)
        keep(trainer); /* stopped in the first epoch */
    return 0;
}

/* Mean query over the first histories: what an average moment asks for. */
static void mean_query(struct eddy_trainer *trainer, float *params, float *ret)
{
    struct eddy_train_worker *worker = &trainer->workers[0];
    struct eddy_net *net = &worker->net;
    const struct eddy_sequence *list[EDDY_PACK_SEQUENCES] = {NULL};
    uint32_t count = 0, rows = 0, n = trainer->histories.train_count;
    while (count < n && count < EDDY_PACK_SEQUENCES &&
           rows + trainer->histories.train[count].count <= net->rows_max) {
        list[count] = &trainer->histories.train[count];
        rows += list[count++]->count;
    }
    eddy_pack_build(&worker->pack, trainer->layout.shape.mode, list, count);
    eddy_net_view_init(&net->params, &trainer->layout, params);
    net->dropout = 0;
    eddy_net_forward(net, &worker->pack);
    for (uint32_t r = 0; r < rows; r++)
        net->vector->axpy(net->hidden, 1.0f / (float)rows,
                          net->x[net->layers] + (size_t)r * net->hidden, ret);
}

/* Params of training -> params that serve. */
static int complete_items(struct eddy_trainer *trainer, float *params,
                          struct eddy_err *err)
{
    float *query = eddy_floats_new(trainer->layout.shape.hidden);
    if (query == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the items' vectors");
    if (trainer->items.features == NULL && trainer->items.unknown > 0)
        mean_query(trainer, params, query);
    eddy_train_items_finish(&trainer->items, query, params);
    free(query);
    return 0;
}

int eddy_train_all_histories(struct eddy_trainer *trainer, struct eddy_err *err)
{
    struct eddy_selection all = eddy_selection_all(&trainer->selection);
    eddy_histories_fini(&trainer->histories);
    return eddy_train_histories(trainer, &all, err);
}

/* From the best weights, on all targets. Adam's moments go on from the last epoch: they
 * remember hundreds of steps, not which. */
static int begin_last_phase(struct eddy_trainer *trainer,
                            eddy_train_progress_fn progress, void *context,
                            bool *ret_stop, struct eddy_err *err)
{
    struct eddy_train_progress *now = &trainer->progress;
    memcpy(trainer->params, trainer->best, trainer->layout.size * sizeof(float));
    int r = eddy_train_tower(trainer, progress, context, ret_stop, err);
    if (r == 0)
        r = eddy_train_all_histories(trainer, err);
    if (r < 0)
        return r;
    float *best = trainer->params; /* with what metadata says; params: without */
    trainer->params = trainer->best;
    trainer->best = best;
    if ((r = complete_items(trainer, trainer->best, err)) < 0)
        return r;
    eddy_train_know(trainer);
    trainer->phase.first = now->epoch + 1;
    trainer->phase.epochs = last_phase_of(now->best_epoch);
    now->finishing = true;
    return 0;
}

static int finish(struct eddy_trainer *trainer, eddy_train_progress_fn progress,
                  void *context, bool *ret_stop, struct eddy_err *err)
{
    struct eddy_train_progress *now = &trainer->progress;
    int r;

    if (!now->finishing &&
        (r = begin_last_phase(trainer, progress, context, ret_stop, err)) < 0)
        return r;
    now->epochs = now->epochs_most = trainer->phase.first - 1 + trainer->phase.epochs;
    now->may_end_early = false;
    while (!*ret_stop && now->epoch < now->epochs) {
        now->epoch++;
        now->epoch_done = false;
        if ((r = run_epoch(trainer, progress, context, ret_stop, err)) < 0)
            return r;
        now->epoch_done = true;
        *ret_stop = *ret_stop || (progress != NULL && !progress(context, now));
        if ((r = eddy_train_share_stop(trainer->options->exchange, ret_stop, err)) < 0)
            return r;
        if ((r = eddy_train_checkpoint_save(trainer, err)) < 0)
            return r;
    }
    trainer->finished = true;
    return 0;
}

int eddy_train_epochs(struct eddy_trainer *trainer, eddy_train_progress_fn progress,
                      void *context, struct eddy_err *err)
{
    bool stop = false;
    int r;

    trainer->best_hr = -1;
    trainer->progress =
        (struct eddy_train_progress){.epochs = (uint32_t)trainer->options->epochs,
                                     .validation_ndcg = -1,
                                     .validation_hr = -1,
                                     .best_ndcg = -1};
    r = eddy_train_checkpoint_load(trainer, err);
    if (r == 0 && !trainer->progress.finishing)
        r = search(trainer, progress, context, &stop, err);
    if (r == 0 && !stop && trainer->options->refit)
        r = finish(trainer, progress, context, &stop, err);
    else if (r == 0 && !stop)
        memcpy(trainer->params, trainer->best, trainer->layout.size * sizeof(float));
    if (r == 0 && !stop) /* who stops it does not wait */
        r = eddy_train_tower(trainer, progress, context, &stop, err);
    if (r == 0 && !stop && !trainer->finished)
        memcpy(trainer->best, trainer->params, trainer->layout.size * sizeof(float));
    if (r == 0)
        r = complete_items(trainer, trainer->finished ? trainer->params : trainer->best,
                           err);
    return r;
}
