/* Training: epochs of shuffled batches, Adam, validation on the newest events by time,
 * early stopping (MODELS: 32 users, about 3,500 events per step).
 *
 * A batch is dealt to EDDY_TRAIN_SHARDS shards, longest history to the lightest shard; each
 * shard is a pack with gradients of its own; threads take shards, sums are made in shard
 * order. So the result is a function of data, options and seed, not of the thread count.
 * Memory: about 65 MB per thread at the defaults, 8 blocks of parameters, the histories. */
#include "core/train.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "core/team.h"
#include "core/train_parts.h"

enum {
    INTERACTIONS_MIN = 1000, /* Amazon's limits */
    USERS_MIN = 25,
    VALIDATION_MAX = 50000,
    BATCH_USERS = 32,           /* automatic batch: at least so many users, */
    BATCH_EVENTS = 3500,        /* more while events are fewer (MODELS: 3 to 5 k) */
    FULL_SOFTMAX_ITEMS = 20000, /* automatic negatives: none up to here (MODELS), */
    NEGATIVES = 2048,           /* then so many */
};

struct trainer {
    const struct eddy_interactions *interactions;
    const struct eddy_train_options *options;
    struct eddy_histories histories;
    struct eddy_layout layout;
    float *params, *best;
    struct eddy_adam adam;
    struct eddy_train_worker *workers;
    uint32_t *order;                    /* train sequences, shuffled */
    uint32_t batch_users, batch_events; /* a batch ends at either */
    uint32_t negatives;
    struct eddy_sampler sampler;
    /* of the present batch */
    const struct eddy_sequence *shard[EDDY_TRAIN_SHARDS][EDDY_PACK_SEQUENCES];
    uint32_t shard_count[EDDY_TRAIN_SHARDS];
    double shard_loss[EDDY_TRAIN_SHARDS];
    uint64_t key;
    float scale;
    struct eddy_train_progress progress;
};

static int check_amounts(const struct trainer *trainer, struct eddy_err *err)
{
    const struct eddy_interactions *in = trainer->interactions;
    uint32_t users = eddy_catalog_count(in->users), useful = 0;
    uint64_t holdout = (uint64_t)trainer->options->holdout;
    uint64_t targets =
        trainer->histories.train_targets + trainer->histories.validation_targets;

    for (uint32_t u = 0; u < users; u++)
        useful += in->user_begin[u + 1] - in->user_begin[u] >= 2 + holdout ? 1 : 0;
    if (!trainer->options->allow_small && trainer->histories.events < INTERACTIONS_MIN)
        return eddy_fail(err, EDDY_EFORMAT,
                         "Dataset has fewer than 1000 interactions after filtering by "
                         "event type: %llu. Give more data, or --set allow_small=true",
                         (unsigned long long)trainer->histories.events);
    if (!trainer->options->allow_small && useful < USERS_MIN)
        return eddy_fail(err, EDDY_EFORMAT,
                         "Dataset has fewer than 25 users with at least 2 interactions "
                         "each: %u. Give more data, or --set allow_small=true",
                         useful);
    if (trainer->histories.train_targets == 0)
        return eddy_fail(
            err, EDDY_EFORMAT,
            "no user has two interactions to learn from (%llu events, %llu "
            "pairs, all of them for validation); lower validation_fraction",
            (unsigned long long)trainer->histories.events, (unsigned long long)targets);
    return 0;
}

static int check_options(const struct eddy_train_options *options, struct eddy_err *err)
{
    if (options->batch_users < 0 || options->batch_users > EDDY_PACK_SEQUENCES ||
        options->history_events < 1 || options->epochs < 1 || options->bptt < 0 ||
        options->holdout < 0 || options->threads < 1 || options->threads > 64)
        return eddy_fail(
            err, EDDY_ECONFIG,
            "batch_users %lld (0..256), history_events %lld (>= 1), epochs "
            "%lld (>= 1), bptt %lld, holdout %lld (>= 0) or threads %lld "
            "(1..64) is out of range",
            (long long)options->batch_users, (long long)options->history_events,
            (long long)options->epochs, (long long)options->bptt,
            (long long)options->holdout, (long long)options->threads);
    if (!(options->learning_rate > 0) || !(options->dropout >= 0) ||
        !(options->dropout < 1) || !(options->average >= 0) || !(options->average < 1))
        return eddy_fail(
            err, EDDY_ECONFIG,
            "learning_rate %g (> 0), dropout %g or average %g (0 up to, not "
            "including 1) is out of range",
            options->learning_rate, options->dropout, options->average);
    return 0;
}

/* Events that a batch may have. */
static uint32_t batch_events_of(const struct eddy_train_options *options)
{
    int64_t users = options->batch_users > 0 ? options->batch_users : BATCH_USERS;
    return (uint32_t)(users * options->history_events);
}

/* Rows of the largest shard: dealing to the lightest exceeds the mean by one window. */
static uint32_t rows_max(const struct eddy_train_options *options)
{
    return batch_events_of(options) / EDDY_TRAIN_SHARDS +
           (uint32_t)options->history_events + 1;
}

static int prepare_histories(struct trainer *trainer, struct eddy_err *err)
{
    const struct eddy_train_options *options = trainer->options;
    struct eddy_history_options history = {
        .window = (uint32_t)options->history_events,
        .session_gap_s = (uint32_t)options->session_gap_s,
        .holdout = (uint32_t)options->holdout,
        .validation_fraction = options->validation_fraction,
        .validation_max = VALIDATION_MAX,
        .rows_max = rows_max(options),
    };
    int r =
        eddy_histories_init(&trainer->histories, trainer->interactions, &history, err);
    if (r < 0)
        return r;
    return check_amounts(trainer, err);
}

/* What is automatic, and the table of negatives. */
static int prepare_batches(struct trainer *trainer, uint32_t items)
{
    const struct eddy_train_options *options = trainer->options;
    const struct eddy_histories *histories = &trainer->histories;
    uint64_t users =
        BATCH_EVENTS * (uint64_t)histories->train_count / histories->train_targets;
    uint64_t *support;
    int r;

    users = users < BATCH_USERS           ? BATCH_USERS
            : users > EDDY_PACK_SEQUENCES ? EDDY_PACK_SEQUENCES
                                          : users;
    trainer->batch_users =
        options->batch_users > 0 ? (uint32_t)options->batch_users : (uint32_t)users;
    trainer->batch_events = batch_events_of(options);
    trainer->negatives = options->negatives >= 0       ? (uint32_t)options->negatives
                         : items <= FULL_SOFTMAX_ITEMS ? 0
                                                       : NEGATIVES;
    if (trainer->negatives == 0)
        return 0;
    support = calloc(items, sizeof *support);
    if (support == NULL)
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < histories->train_count; i++)
        for (uint32_t j = 0; j < histories->train[i].count; j++)
            support[histories->train[i].targets[j]]++;
    r = eddy_sampler_init(&trainer->sampler, support, items);
    free(support);
    return r;
}

static int prepare(struct trainer *trainer, struct eddy_err *err)
{
    const struct eddy_train_options *options = trainer->options;
    struct eddy_shape shape = {
        .items = eddy_catalog_count(trainer->interactions->items),
        .hidden = (uint32_t)options->hidden_dimension,
        .layers = (uint32_t)options->layers,
        .types = trainer->interactions->type_count,
        .cell = (enum eddy_cell)options->cell,
        .mode = (enum eddy_mode)options->mode,
    };
    uint32_t sequences = trainer->histories.train_count;
    bool complete;
    int r = eddy_layout_init(&trainer->layout, &shape, err);
    if (r < 0)
        return r;
    trainer->params = eddy_params_new(&trainer->layout);
    trainer->best = eddy_params_new(&trainer->layout);
    trainer->workers = calloc((size_t)options->threads, sizeof *trainer->workers);
    trainer->order = malloc(sequences * sizeof *trainer->order);
    complete = trainer->params && trainer->best && trainer->workers && trainer->order &&
               prepare_batches(trainer, shape.items) == 0;
    if (complete) {
        eddy_train_start_values(&trainer->layout, options->seed, trainer->params);
        complete = eddy_adam_init(&trainer->adam, &trainer->layout, trainer->params,
                                  options) == 0;
    }
    for (int64_t t = 0; complete && t < options->threads; t++)
        complete = eddy_train_worker_init(&trainer->workers[t], &trainer->layout,
                                          rows_max(options), trainer->negatives) == 0;
    if (!complete)
        return eddy_fail(err, EDDY_ENOMEM,
                         "no memory to train %u items at hidden_dimension %u: lower "
                         "hidden_dimension, batch_users or history_events",
                         shape.items, shape.hidden);
    return 0;
}

static void dispose(struct trainer *trainer)
{
    eddy_histories_fini(&trainer->histories);
    eddy_adam_fini(&trainer->adam);
    eddy_sampler_fini(&trainer->sampler);
    for (int64_t t = 0; trainer->workers && t < trainer->options->threads; t++)
        eddy_train_worker_fini(&trainer->workers[t]);
    free(trainer->workers);
    free(trainer->order);
    free(trainer->params);
    free(trainer->best);
}

static void run_shard(void *context, uint32_t shard, uint32_t worker_at)
{
    struct trainer *trainer = context;
    struct eddy_train_worker *worker = &trainer->workers[worker_at];
    float *gradients = trainer->adam.gradients[shard];
    struct eddy_net *net = &worker->net;

    memset(gradients, 0, trainer->layout.size * sizeof *gradients);
    trainer->shard_loss[shard] = 0;
    if (trainer->shard_count[shard] == 0)
        return;
    eddy_pack_build(&worker->pack, trainer->layout.shape.mode, trainer->shard[shard],
                    trainer->shard_count[shard]);
    eddy_net_view_init(&net->params, &trainer->layout, trainer->params);
    eddy_net_view_init(&net->grads, &trainer->layout, gradients);
    net->bptt = (uint32_t)trainer->options->bptt;
    net->dropout = trainer->options->dropout;
    net->key = trainer->key;
    net->sampler = trainer->negatives > 0 ? &trainer->sampler : NULL;
    net->sample_key = eddy_mix64(trainer->key, shard + 1);
    eddy_net_forward(net, &worker->pack);
    trainer->shard_loss[shard] = eddy_net_loss(net, &worker->pack, trainer->scale);
    eddy_net_backward(net, &worker->pack);
}

/* Longest first onto the lightest shard; returns the batch's targets. */
static uint64_t deal(struct trainer *trainer, const uint32_t *users, uint32_t count)
{
    const struct eddy_sequence *sorted[EDDY_PACK_SEQUENCES];
    uint64_t load[EDDY_TRAIN_SHARDS] = {0}, targets = 0;

    memset(trainer->shard_count, 0, sizeof trainer->shard_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct eddy_sequence *sequence = &trainer->histories.train[users[i]];
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1]->count < sequence->count; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = sequence;
        targets += sequence->count; /* each step of a training sequence has one */
    }
    for (uint32_t i = 0; i < count; i++) {
        int lightest = 0;
        for (int s = 1; s < EDDY_TRAIN_SHARDS; s++)
            if (load[s] < load[lightest])
                lightest = s;
        trainer->shard[lightest][trainer->shard_count[lightest]++] = sorted[i];
        load[lightest] += sorted[i]->count;
    }
    return targets;
}

/* Adds the batch's loss and targets. */
static int run_batch(struct trainer *trainer, const uint32_t *users, uint32_t count,
                     double *loss, uint64_t *targets, struct eddy_err *err)
{
    uint64_t batch_targets = deal(trainer, users, count);
    double batch_loss = 0;

    trainer->scale = (float)(1.0 / (double)batch_targets);
    trainer->key = eddy_mix64(trainer->options->seed, trainer->adam.steps);
    eddy_team_run((uint32_t)trainer->options->threads, EDDY_TRAIN_SHARDS, run_shard,
                  trainer);
    for (int s = 0; s < EDDY_TRAIN_SHARDS; s++)
        batch_loss += trainer->shard_loss[s];
    double norm = eddy_adam_step(&trainer->adam, trainer->params);
    if (!isfinite(batch_loss) || !isfinite(norm))
        return eddy_fail(
            err, EDDY_EFATAL,
            "%s is not a number in epoch %u: lower learning_rate (now %g) or "
            "clip_norm (now %g)",
            isfinite(batch_loss) ? "a gradient" : "the loss", trainer->progress.epoch,
            trainer->options->learning_rate, trainer->options->clip_norm);
    *loss += batch_loss;
    *targets += batch_targets;
    return 0;
}

static void shuffle(struct trainer *trainer, uint32_t epoch)
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
static uint32_t next_batch(const struct trainer *trainer, uint32_t at)
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

/* *ret_stop: the callback asked for it. */
static int run_epoch(struct trainer *trainer, eddy_train_progress_fn progress,
                     void *context, bool *ret_stop, struct eddy_err *err)
{
    struct eddy_train_progress *now = &trainer->progress;
    uint32_t n = trainer->histories.train_count;
    uint32_t count;
    uint64_t targets = 0, before = now->events;
    double loss = 0;

    shuffle(trainer, now->epoch);
    for (uint32_t at = 0; at < n && !*ret_stop; at += count) {
        count = next_batch(trainer, at);
        int r = run_batch(trainer, trainer->order + at, count, &loss, &targets, err);
        if (r < 0)
            return r;
        now->loss = loss / (double)targets;
        now->events = before + targets;
        now->fraction = (double)(at + count) / (double)n;
        *ret_stop = progress != NULL && !progress(context, now);
    }
    return 0;
}

static float *weights(struct trainer *trainer)
{
    return trainer->adam.average ? trainer->adam.average : trainer->params;
}

static void keep(struct trainer *trainer)
{
    memcpy(trainer->best, weights(trainer), trainer->layout.size * sizeof(float));
    trainer->progress.best_epoch = trainer->progress.epoch;
}

static int validate(struct trainer *trainer, double *best_hr, struct eddy_err *err)
{
    struct eddy_train_progress *now = &trainer->progress;
    struct eddy_validation validation = {
        .interactions = trainer->interactions,
        .histories = &trainer->histories,
        .workers = trainer->workers,
        .threads = (uint32_t)trainer->options->threads,
    };
    if (trainer->histories.validation_targets == 0) {
        keep(trainer);
        return 0;
    }
    eddy_net_view_init(&validation.params, &trainer->layout, weights(trainer));
    if (eddy_train_validate(&validation) < 0)
        return eddy_fail(err, EDDY_ENOMEM,
                         "no memory for the validation of %llu events",
                         (unsigned long long)trainer->histories.validation_targets);
    now->validation_ndcg = validation.ndcg;
    now->validation_hr = validation.hr;
    if (validation.ndcg > now->best_ndcg) {
        now->best_ndcg = validation.ndcg;
        *best_hr = validation.hr;
        keep(trainer);
    }
    return 0;
}

static int run_epochs(struct trainer *trainer, eddy_train_progress_fn progress,
                      void *context, double *best_hr, struct eddy_err *err)
{
    struct eddy_train_progress *now = &trainer->progress;
    uint32_t patience = (uint32_t)trainer->options->patience;
    bool stop = false;
    int r;

    *now = (struct eddy_train_progress){.epochs = (uint32_t)trainer->options->epochs,
                                        .validation_ndcg = -1,
                                        .validation_hr = -1,
                                        .best_ndcg = -1};
    while (!stop && now->epoch < now->epochs) {
        now->epoch++;
        now->epoch_done = false;
        if ((r = run_epoch(trainer, progress, context, &stop, err)) < 0)
            return r;
        if (stop)
            break;
        if ((r = validate(trainer, best_hr, err)) < 0)
            return r;
        now->epoch_done = true;
        stop = progress != NULL && !progress(context, now);
        if (patience > 0 && now->epoch - now->best_epoch >= patience)
            break;
    }
    if (now->best_epoch == 0)
        keep(trainer); /* stopped in the first epoch */
    return 0;
}

/* Share of users who have had the item, held-out events aside. */
static float *popularity_of(const struct trainer *trainer)
{
    const struct eddy_interactions *in = trainer->interactions;
    uint32_t items = eddy_catalog_count(in->items),
             users = eddy_catalog_count(in->users);
    uint64_t holdout = (uint64_t)trainer->options->holdout;
    float *popularity = calloc(items, sizeof *popularity);
    uint32_t *last_user = calloc(items, sizeof *last_user);

    if (popularity == NULL || last_user == NULL) {
        free(popularity);
        free(last_user);
        return NULL;
    }
    for (uint32_t u = 0; u < users; u++) {
        uint64_t begin = in->user_begin[u], end = in->user_begin[u + 1];
        end = end - begin > holdout ? end - holdout : begin;
        for (uint64_t i = begin; i < end; i++) {
            uint32_t item = in->rows[i].item;
            popularity[item] += last_user[item] == u + 1 ? 0.0f : 1.0f;
            last_user[item] = u + 1;
        }
    }
    for (uint32_t i = 0; i < items; i++)
        popularity[i] /= (float)users;
    free(last_user);
    return popularity;
}

int eddy_train(const struct eddy_interactions *interactions,
               const struct eddy_train_options *options,
               eddy_train_progress_fn progress, void *context,
               struct eddy_train_result *ret, struct eddy_err *err)
{
    struct trainer *trainer = calloc(1, sizeof *trainer);
    double best_hr = -1;
    int r;

    if (trainer == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory to train");
    unsigned float_mode = eddy_train_vector_begin();
    openblas_set_num_threads(1);
    trainer->interactions = interactions;
    trainer->options = options;
    if ((r = check_options(options, err)) < 0 ||
        (r = prepare_histories(trainer, err)) < 0 || (r = prepare(trainer, err)) < 0 ||
        (r = run_epochs(trainer, progress, context, &best_hr, err)) < 0)
        goto out;
    float *popularity = popularity_of(trainer);
    if (popularity == NULL) {
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for the popularity table");
        goto out;
    }
    *ret = (struct eddy_train_result){
        .layout = trainer->layout,
        .params = trainer->best,
        .popularity = popularity,
        .epochs = trainer->progress.epoch,
        .best_epoch = trainer->progress.best_epoch,
        .best_ndcg = trainer->progress.best_ndcg,
        .best_hr = best_hr,
        .loss = trainer->progress.loss,
        .events = trainer->progress.events,
        .validation_events = trainer->histories.validation_targets,
    };
    for (int64_t t = 0; t < options->threads; t++)
        ret->flops += trainer->workers[t].net.flops;
    trainer->best = NULL;
out:
    eddy_train_vector_end(float_mode);
    dispose(trainer);
    free(trainer);
    return r;
}

void eddy_train_result_fini(struct eddy_train_result *result)
{
    free(result->params);
    free(result->popularity);
    *result = (struct eddy_train_result){0};
}

int eddy_train_encode(const struct eddy_layout *layout, const float *params,
                      const struct eddy_step *steps, uint32_t n, float *ret_queries,
                      struct eddy_err *err)
{
    struct eddy_sequence sequence = {steps, NULL, n, 0};
    const struct eddy_sequence *sequences[1] = {&sequence};
    struct eddy_pack pack = {0};
    struct eddy_net net = {0};
    size_t hidden = layout->shape.hidden;
    int r = 0;

    openblas_set_num_threads(1);
    if (eddy_pack_init(&pack, n) < 0 || eddy_net_init(&net, layout, n, false, 0) < 0) {
        r = eddy_fail(err, EDDY_ENOMEM, "no memory to encode %u events", n);
        goto out;
    }
    /* The view is of parameters that forward only reads. */
    eddy_net_view_init(&net.params, layout, (float *)(uintptr_t)params);
    eddy_pack_build(&pack, layout->shape.mode, sequences, 1);
    eddy_net_forward(&net, &pack);
    for (uint32_t row = 0; row < n; row++)
        memcpy(ret_queries + pack.positions[row] * hidden,
               net.x[net.layers] + row * hidden, hidden * sizeof *ret_queries);
out:
    eddy_net_fini(&net);
    eddy_pack_fini(&pack);
    return r;
}
