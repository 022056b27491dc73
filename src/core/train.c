/* Training as a whole: what is asked for is checked, histories, parameters and threads'
 * memory are made, epochs run (train_epochs.c), the result is handed over.
 * Memory: about 65 MB per thread at the defaults, 9 blocks of parameters (8 without
 * averaging), the histories. */
#include "core/train.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "core/counting.h"
#include "core/train_parts.h"

enum {
    INTERACTIONS_MIN = 1000, /* Amazon's limits */
    USERS_MIN = 25,
    VALIDATION_MAX = 50000,
    BATCH_USERS = 32,    /* automatic batch: at least so many users, */
    BATCH_EVENTS = 3500, /* more while events are fewer (MODELS: 3 to 5 k) */
    EPOCH_STEPS = 40,    /* fewer events when an epoch has fewer steps than this */
    FULL_SOFTMAX_ITEMS = 20000, /* automatic negatives: none up to here (MODELS), */
    NEGATIVES = 2048,           /* then so many */
};

static int check_amounts(const struct eddy_trainer *trainer, struct eddy_err *err)
{
    const struct eddy_interactions *in = trainer->interactions;
    const struct eddy_histories *histories = &trainer->histories;
    uint64_t events = 0,
             targets = histories->train_targets + histories->validation_targets;
    uint32_t useful = 0;

    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++) {
        uint64_t begin, cut, end, count = 0;
        eddy_selection_user(&trainer->selection, in, u, &begin, &cut, &end);
        for (uint64_t i = begin; i < end; i++)
            count +=
                eddy_selection_weight(&trainer->selection, &in->rows[i]) > 0 ? 1 : 0;
        events += count;
        useful += count >= 2 ? 1 : 0;
    }
    if (!trainer->options->allow_small && events < INTERACTIONS_MIN)
        return eddy_fail(err, EDDY_EFORMAT,
                         "Dataset has fewer than 1000 interactions after filtering by "
                         "event type: %llu. Give more data, or --set allow_small=true",
                         (unsigned long long)events);
    if (!trainer->options->allow_small && useful < USERS_MIN)
        return eddy_fail(err, EDDY_EFORMAT,
                         "Dataset has fewer than 25 users with at least 2 interactions "
                         "each: %u. Give more data, or --set allow_small=true",
                         useful);
    if (targets == 0)
        return eddy_fail(err, EDDY_EFORMAT,
                         "no user has two interactions to learn from (%llu events); a "
                         "network needs histories, aws-popularity-count does not",
                         (unsigned long long)events);
    if (histories->train_targets == 0)
        return eddy_fail(err, EDDY_EFORMAT,
                         "nothing is left to learn from: %llu events, %llu pairs, all "
                         "of them for validation; lower validation_fraction",
                         (unsigned long long)events, (unsigned long long)targets);
    return 0;
}

static int check_options(const struct eddy_train_options *options, struct eddy_err *err)
{
    if (options->batch_users < 0 || options->batch_users > EDDY_PACK_SEQUENCES ||
        options->history_events < 1 || options->epochs < 1 || options->bptt < 0 ||
        options->threads < 1 || options->threads > 64)
        return eddy_fail(
            err, EDDY_ECONFIG,
            "batch_users %lld (0..256), history_events %lld (>= 1), epochs "
            "%lld (>= 1), bptt %lld (>= 0) or threads %lld "
            "(1..64) is out of range",
            (long long)options->batch_users, (long long)options->history_events,
            (long long)options->epochs, (long long)options->bptt,
            (long long)options->threads);
    if (!(options->learning_rate >= 0) ||
        !(options->dropout >= 0 || options->dropout == -1) || !(options->dropout < 1) ||
        !(options->average >= 0) || !(options->average < 1))
        return eddy_fail(
            err, EDDY_ECONFIG,
            "learning_rate %g (>= 0), dropout %g (-1, or as average) or average %g (0 up "
            "to, not including 1) is out of range",
            options->learning_rate, options->dropout, options->average);
    if (options->exchange != NULL && options->exchange->ranks > EDDY_TRAIN_SHARDS)
        return eddy_fail(err, EDDY_ECONFIG,
                         "%u processes: a batch has %d parts; start 1, 2 or 4",
                         options->exchange->ranks, EDDY_TRAIN_SHARDS);
    if (options->loss == EDDY_LOSS_BPR_MAX && options->negatives == 0)
        return eddy_fail(err, EDDY_ECONFIG,
                         "loss bpr_max needs drawn items: set negatives to -1 or, say, "
                         "2048");
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

int eddy_train_histories(struct eddy_trainer *trainer,
                         const struct eddy_selection *selection, struct eddy_err *err)
{
    const struct eddy_train_options *options = trainer->options;
    struct eddy_history_options history = {
        .window = (uint32_t)options->history_events,
        .session_gap_s = (uint32_t)options->session_gap_s,
        .rows_max = rows_max(options),
        .context = options->context_index,
    };
    if (options->warm != NULL) {
        history.replays = true;
        history.old_ms = options->warm->newest_ms;
        history.replay = options->warm->replay;
        history.seed = options->seed;
    }
    return eddy_histories_init(&trainer->histories, trainer->interactions, selection,
                               &history, err);
}

int eddy_train_select(const struct eddy_interactions *interactions,
                      const struct eddy_train_options *options,
                      struct eddy_selection *ret, struct eddy_err *err)
{
    struct eddy_selection_options selection = {
        .validation_fraction = options->validation_fraction,
        .validation_max = VALIDATION_MAX,
        .weights = options->event_weights,
        .weight_count = options->event_weight_count,
        .recency = options->recency_mask,
        .seed = options->seed,
    };
    return eddy_selection_init(ret, interactions, &selection, err);
}

static int prepare_histories(struct eddy_trainer *trainer, struct eddy_err *err)
{
    int r = eddy_train_select(trainer->interactions, trainer->options,
                              &trainer->selection, err);
    if (r == 0)
        r = eddy_train_histories(trainer, &trainer->selection, err);
    return r < 0 ? r : check_amounts(trainer, err);
}

void eddy_train_know(struct eddy_trainer *trainer)
{
    eddy_train_items_know(&trainer->items, trainer->histories.train,
                          trainer->histories.train_count, trainer->options->seed,
                          trainer->params);
    for (uint32_t i = 0; trainer->negatives > 0 && i < trainer->items.items; i++)
        if (!trainer->items.known[i])
            trainer->sampler.births[i] = UINT32_MAX;
}

/* How often each item is a target, and when it was first seen. */
static int prepare_sampler(struct eddy_trainer *trainer, uint32_t items)
{
    const struct eddy_interactions *in = trainer->interactions;
    const struct eddy_histories *histories = &trainer->histories;
    uint64_t *support = calloc(items, sizeof *support);
    int r;

    if (support == NULL)
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < histories->train_count; i++)
        for (uint32_t j = 0; j < histories->train[i].count; j++)
            if (histories->train[i].targets[j] != EDDY_ITEM_NONE)
                support[histories->train[i].targets[j]]++;
    r = eddy_sampler_init(&trainer->sampler, support, items);
    free(support);
    if (r < 0 || trainer->selection.positions)
        return r;
    uint32_t *births = trainer->sampler.births;
    for (uint64_t i = 0; i < in->count; i++)
        births[in->rows[i].item] = UINT32_MAX;
    for (uint64_t i = 0; i < in->count; i++) {
        uint32_t second = (uint32_t)((in->rows[i].ts_ms - histories->first_ms) / 1000);
        if (second < births[in->rows[i].item])
            births[in->rows[i].item] = second;
    }
    return 0;
}

/* How little is known of an item: 0 from 300 events per item on, 1 up to 16, linear in the
 * logarithm between. */
static double sparsity_of(const struct eddy_trainer *trainer)
{
    static const double dense = 300, sparse = 16;
    double known = trainer->items.items - trainer->items.unknown;
    double events = (double)trainer->selection.events / (known > 0 ? known : 1);
    double share = log(dense / events) / log(dense / sparse);
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* Much is dropped where little is known: few events per item, and few in all. Measured on
 * validation slices of session logs with half a million events and more: what the sparsity
 * alone asks for takes twice the epochs to the same NDCG, or does not reach it. */
static double dropout_of(const struct eddy_trainer *trainer)
{
    static const double least = 0.2, most = 0.5;
    static const double few = 200e3, many = 2e6, floor_share = 0.3;
    if (trainer->options->dropout >= 0)
        return trainer->options->dropout;
    double share = log(many / (double)trainer->selection.events) / log(many / few);
    share = share < floor_share ? floor_share : share > 1 ? 1 : share;
    return least + (most - least) * sparsity_of(trainer) * share;
}

/* An epoch of few batches moves the weights little: the rate makes up for some of it, but
 * not where the data are sparse (measured: Beauty is best at the least rate). */
static double learning_rate_of(const struct eddy_trainer *trainer)
{
    static const double usual = 0.002, usual_steps = 200, least = 0.001, most = 0.005;
    double steps = ceil((double)trainer->histories.train_count / trainer->batch_users);
    double rate = usual * sqrt(usual_steps / steps);

    if (trainer->options->learning_rate > 0)
        return trainer->options->learning_rate;
    rate = rate < least ? least : rate > most ? most : rate;
    return least * pow(rate / least, 1 - sparsity_of(trainer));
}

/* What is automatic, and the table of negatives. */
static int prepare_batches(struct eddy_trainer *trainer, uint32_t items)
{
    const struct eddy_train_options *options = trainer->options;
    const struct eddy_histories *histories = &trainer->histories;
    uint64_t targets = histories->train_targets;
    uint64_t events =
        targets < BATCH_EVENTS * EPOCH_STEPS ? targets / EPOCH_STEPS : BATCH_EVENTS;
    uint64_t users = events * (uint64_t)histories->train_count / targets;

    users = users < BATCH_USERS           ? BATCH_USERS
            : users > EDDY_PACK_SEQUENCES ? EDDY_PACK_SEQUENCES
                                          : users;
    trainer->batch_users =
        options->batch_users > 0 ? (uint32_t)options->batch_users : (uint32_t)users;
    trainer->batch_events = batch_events_of(options);
    trainer->negatives =
        options->negatives >= 0 ? (uint32_t)options->negatives
        : items <= FULL_SOFTMAX_ITEMS && options->loss == EDDY_LOSS_SOFTMAX ? 0
                                                                            : NEGATIVES;
    return trainer->negatives > 0 ? prepare_sampler(trainer, items) : 0;
}

/* Batches have gradients for few items: those in them and those drawn. With metadata a
 * sparse Adam would save little beside it, and its rounding would be another. */
static bool touches_few(const struct eddy_trainer *trainer)
{
    return trainer->negatives > 0 && trainer->options->item_features == NULL;
}

/* The older model's E become e, also in the average, which is validated before the first
 * epoch and may turn out to be the best there is. */
static void resume_items(struct eddy_trainer *trainer)
{
    eddy_train_items_resume(&trainer->items, trainer->params);
    if (trainer->adam.average != NULL)
        memcpy(trainer->adam.average, trainer->params,
               trainer->layout.size * sizeof *trainer->params);
}

static int prepare(struct eddy_trainer *trainer, struct eddy_err *err)
{
    const struct eddy_train_options *options = trainer->options;
    struct eddy_shape shape = {
        .items = eddy_catalog_count(trainer->interactions->items),
        .hidden = (uint32_t)options->hidden_dimension,
        .layers = (uint32_t)options->layers,
        .types = trainer->interactions->type_count,
        .cell = (enum eddy_cell)options->cell,
        .mode = (enum eddy_mode)options->mode,
        .item_features = options->item_features ? options->item_features->size : 0,
        .user_features = options->user_features ? options->user_features->size : 0,
        .context_features = options->context_index ? options->context_features : 0,
    };
    uint32_t users = eddy_catalog_count(trainer->interactions->users);
    bool complete;
    int r = eddy_layout_init(&trainer->layout, &shape, err);
    if (r < 0)
        return r;
    trainer->params = eddy_params_new(&trainer->layout);
    trainer->best = eddy_params_new(&trainer->layout);
    trainer->workers = calloc((size_t)options->threads, sizeof *trainer->workers);
    trainer->order = malloc(((size_t)users + 1) * sizeof *trainer->order);
    complete = trainer->params && trainer->best && trainer->workers && trainer->order &&
               prepare_batches(trainer, shape.items) == 0;
    if (complete) {
        eddy_train_start_values(&trainer->layout, options->seed, trainer->params);
        if ((r = eddy_train_warm_start(trainer, err)) < 0)
            return r;
        complete =
            eddy_train_items_init(&trainer->items, &trainer->layout,
                                  options->item_features, options->item_id_dropout,
                                  (uint32_t)options->threads) == 0 &&
            (trainer->negatives == 0 ||
             eddy_train_items_read_few(&trainer->items) == 0) &&
            eddy_train_warm_keep(trainer) == 0 &&
            eddy_adam_init(&trainer->adam, &trainer->layout, trainer->params, options,
                           touches_few(trainer)) == 0;
    }
    if (complete) {
        eddy_train_know(trainer);
        if (options->warm != NULL && options->item_features != NULL)
            resume_items(trainer);
        trainer->dropout = dropout_of(trainer);
        trainer->learning_rate = learning_rate_of(trainer);
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

static void dispose(struct eddy_trainer *trainer)
{
    eddy_histories_fini(&trainer->histories);
    eddy_adam_fini(&trainer->adam);
    eddy_sampler_fini(&trainer->sampler);
    eddy_train_items_fini(&trainer->items);
    eddy_buf_fini(&trainer->settings);
    for (int64_t t = 0; trainer->workers && t < trainer->options->threads; t++)
        eddy_train_worker_fini(&trainer->workers[t]);
    free(trainer->workers);
    free(trainer->order);
    free(trainer->params);
    free(trainer->best);
}

/* Hands the trainer's memory over. */
static void give(struct eddy_trainer *trainer, float *popularity,
                 uint64_t validation_events, struct eddy_train_result *ret)
{
    *ret = (struct eddy_train_result){
        .layout = trainer->layout,
        .params = trainer->finished ? trainer->params : trainer->best,
        .fitted = trainer->finished ? trainer->best : NULL,
        .selection = trainer->selection,
        .popularity = popularity,
        .epochs = trainer->progress.epoch,
        .best_epoch = trainer->progress.best_epoch,
        .best_ndcg = trainer->progress.best_ndcg,
        .best_hr = trainer->best_hr,
        .loss = trainer->progress.loss,
        .events = trainer->progress.events,
        .validation_events = validation_events,
        .dropout = trainer->dropout,
        .learning_rate = trainer->learning_rate,
    };
    ret->flops = trainer->flops_before;
    for (int64_t t = 0; t < trainer->options->threads; t++)
        ret->flops += trainer->workers[t].net.flops;
    if (trainer->finished)
        trainer->params = NULL;
    trainer->best = NULL;
}

int eddy_train(const struct eddy_interactions *interactions,
               const struct eddy_train_options *options,
               eddy_train_progress_fn progress, void *context,
               struct eddy_train_result *ret, struct eddy_err *err)
{
    struct eddy_trainer *trainer = calloc(1, sizeof *trainer);
    uint64_t validation_events;
    int r;

    if (trainer == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory to train");
    unsigned float_mode = eddy_train_vector_begin();
    openblas_set_num_threads(1);
    trainer->interactions = interactions;
    trainer->options = options;
    if ((r = check_options(options, err)) < 0 ||
        (r = prepare_histories(trainer, err)) < 0 || (r = prepare(trainer, err)) < 0)
        goto out;
    validation_events = trainer->histories.validation_targets;
    if ((r = eddy_train_epochs(trainer, progress, context, err)) < 0)
        goto out;
    float *popularity = eddy_count_shares(interactions);
    if (popularity == NULL) {
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for the popularity table");
        goto out;
    }
    give(trainer, popularity, validation_events, ret);
out:
    eddy_train_vector_end(float_mode);
    dispose(trainer);
    free(trainer);
    return r;
}

void eddy_train_result_fini(struct eddy_train_result *result)
{
    free(result->params);
    free(result->fitted);
    free(result->popularity);
    *result = (struct eddy_train_result){0};
}

int eddy_train_encode(const struct eddy_layout *layout, const float *params,
                      const struct eddy_step *steps, uint32_t n, float *ret_queries,
                      struct eddy_err *err)
{
    struct eddy_sequence sequence = {.steps = steps, .count = n};
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
