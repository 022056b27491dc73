/* Rows in file order, as the running system sees a log.
 *
 * A run is a stretch of rows of different users: their queries are answered together and
 * then their states moved together, which no answer can notice. The popularity table is
 * what users without a step get; it is refreshed when event time has moved on by the
 * refresh interval, from the rows before: a count per item in which an event of age a
 * weighs 2^(-a / half-life), on top of PRIOR_EVENTS events spread as the snapshot's
 * popularity says and ageing likewise. A model of trends has its list made anew instead. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/live.h"
#include "core/play.h"
#include "core/play_user.h"
#include "core/rank.h"
#include "core/team.h"
#include "core/trend.h"

enum {
    RUN_ROWS = 128,
    TASK_ROWS = 32,
    PRIOR_EVENTS = 1000, /* guess, not measured */
};

struct worker {
    struct eddy_hrnn_scratch *hrnn;
    struct eddy_ranker *ranker;
    struct eddy_scored *lists; /* (TASK_ROWS, k) */
    float *queries;            /* (TASK_ROWS, H) with metadata of users */
};

struct eddy_stream {
    struct eddy_stream_options options;
    uint64_t *order; /* rows of interactions in file order */
    uint64_t order_count, at;
    struct eddy_play_user *users; /* hidden NULL until the first step */
    uint32_t *run_of_user;        /* last run that the user was in */
    uint16_t *types;
    struct worker *workers;
    uint32_t run;
    atomic_bool failed;           /* memory ran out in a task */
    struct eddy_rank_model model; /* of the snapshot as it is */
    bool has_shown;
    struct eddy_live *live;   /* NULL: tables stay as they are */
    struct eddy_trend *trend; /* NULL: the model is none of trends */
    uint32_t appeared;        /* items of the rows so far: those below */
    /* the table */
    double *counts; /* (V), in units of the weight at reference_ms */
    float *popularity;
    struct eddy_scored *popular;
    uint32_t popular_count;
    int64_t reference_ms, newest_ms, next_refresh_ms;
    /* the present run */
    uint64_t rows[RUN_ROWS];
    bool wanted[RUN_ROWS];
    uint32_t row_count, counts_of[RUN_ROWS];
    struct eddy_scored *lists; /* (RUN_ROWS, k) */
};

static uint32_t items_of(const struct eddy_stream *stream)
{
    return stream->options.snapshot->layout.shape.items;
}

static const struct eddy_rank_model *model_of(const struct eddy_stream *stream)
{
    return stream->live    ? eddy_live_model(stream->live)
           : stream->trend ? eddy_trend_model(stream->trend)
                           : &stream->model;
}

/* Items that a list may hold. */
static uint32_t known_items(const struct eddy_stream *stream)
{
    return stream->live ? eddy_live_items(stream->live) : items_of(stream);
}

static double weight_at(const struct eddy_stream *stream, int64_t ts_ms)
{
    double age_s = (double)(ts_ms - stream->reference_ms) / 1000;
    return exp2(age_s / stream->options.half_life_s);
}

/* Keep the weights of new events in a range where sums are exact enough. */
static void rebase(struct eddy_stream *stream)
{
    double scale = 1 / weight_at(stream, stream->newest_ms);
    for (uint32_t i = 0; i < items_of(stream); i++)
        stream->counts[i] *= scale;
    stream->reference_ms = stream->newest_ms;
}

/* now_ms: the newest moment of a refresh that event time has passed. */
static int refresh(struct eddy_stream *stream, int64_t now_ms)
{
    rebase(stream);
    if (stream->trend)
        eddy_trend_refresh(stream->trend, now_ms);
    for (uint32_t i = 0; i < items_of(stream); i++)
        stream->popularity[i] = (float)stream->counts[i];
    stream->popular_count = eddy_play_popular(stream->popularity, items_of(stream),
                                              stream->options.k, stream->popular);
    uint32_t items =
        items_of(stream) > stream->appeared ? items_of(stream) : stream->appeared;
    return stream->live
               ? eddy_live_refresh(stream->live, stream->next_refresh_ms, items)
               : 0;
}

static void start_table(struct eddy_stream *stream)
{
    const float *popularity = stream->options.snapshot->popularity;
    double sum = 0;
    for (uint32_t i = 0; i < items_of(stream); i++)
        sum += (double)popularity[i];
    for (uint32_t i = 0; i < items_of(stream); i++)
        stream->counts[i] = sum > 0 ? PRIOR_EVENTS * (double)popularity[i] / sum : 0;
    stream->popular_count = eddy_play_popular(popularity, items_of(stream),
                                              stream->options.k, stream->popular);
    if (stream->order_count > 0) {
        int64_t ts_ms = stream->options.interactions->rows[stream->order[0]].ts_ms;
        stream->reference_ms = stream->newest_ms = ts_ms;
        stream->next_refresh_ms = ts_ms + stream->options.refresh_ms;
    }
}

struct place {
    uint32_t row;
    uint64_t index;
};

static int compare_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->row < y->row ? -1 : x->row > y->row;
}

static uint64_t *file_order(const struct eddy_interactions *in)
{
    size_t n = (size_t)in->count + 1;
    struct place *places = malloc(n * sizeof *places);
    uint64_t *order = malloc(n * sizeof *order);
    if (places == NULL || order == NULL) {
        free(places);
        free(order);
        return NULL;
    }
    for (uint64_t i = 0; i < in->count; i++)
        places[i] = (struct place){in->rows[i].row, i};
    qsort(places, (size_t)in->count, sizeof *places, compare_place);
    for (uint64_t i = 0; i < in->count; i++)
        order[i] = places[i].index;
    free(places);
    return order;
}

static bool allocate(struct eddy_stream *stream)
{
    const struct eddy_stream_options *options = &stream->options;
    const struct eddy_shape *shape = &options->snapshot->layout.shape;
    size_t users = (size_t)eddy_catalog_count(options->interactions->users) + 1;
    size_t k = (size_t)options->k + 1;
    stream->order = file_order(options->interactions);
    stream->users = calloc(users, sizeof *stream->users);
    stream->run_of_user = calloc(users, sizeof *stream->run_of_user);
    stream->types = eddy_play_types(options->snapshot, options->interactions);
    stream->workers = calloc(options->threads, sizeof *stream->workers);
    stream->counts = calloc(shape->items, sizeof *stream->counts);
    stream->popularity = calloc(shape->items, sizeof *stream->popularity);
    stream->popular = calloc(k, sizeof *stream->popular);
    stream->lists = calloc(RUN_ROWS * k, sizeof *stream->lists);
    if (!stream->order || !stream->users || !stream->run_of_user || !stream->types ||
        !stream->workers || !stream->counts || !stream->popularity ||
        !stream->popular || !stream->lists)
        return false;
    stream->model = eddy_rank_model_of(options->snapshot);
    if (options->refresh_ms > 0 && options->snapshot->stream_head.refresh_s > 0 &&
        eddy_live_new(options->snapshot,
                      eddy_catalog_count(options->interactions->items), &stream->live,
                      NULL) < 0)
        return false;
    if (options->refresh_ms > 0 && eddy_trend_interval_s(options->snapshot) > 0 &&
        eddy_trend_new(options->snapshot, &stream->trend, NULL) < 0)
        return false;
    stream->has_shown =
        eddy_play_has_shown(options->interactions, model_of(stream)->head);
    for (uint32_t t = 0; t < options->threads; t++) {
        stream->workers[t].hrnn = eddy_hrnn_scratch_new(shape, TASK_ROWS);
        stream->workers[t].ranker =
            eddy_ranker_new(model_of(stream), TASK_ROWS, options->k);
        stream->workers[t].queries =
            calloc((size_t)TASK_ROWS * shape->hidden, sizeof(float));
        stream->workers[t].lists = calloc(TASK_ROWS * k, sizeof *stream->lists);
        if (!stream->workers[t].hrnn || !stream->workers[t].ranker ||
            !stream->workers[t].lists || !stream->workers[t].queries)
            return false;
    }
    return true;
}

int eddy_stream_new(const struct eddy_stream_options *options, struct eddy_stream **ret,
                    struct eddy_err *err)
{
    struct eddy_stream *stream = calloc(1, sizeof *stream);
    if (stream != NULL) {
        stream->options = *options;
        stream->options.threads = options->threads < 1 ? 1 : options->threads;
        stream->order_count = options->interactions->count;
    }
    if (stream == NULL || !allocate(stream)) {
        eddy_stream_free(stream);
        return eddy_fail(err, EDDY_ENOMEM, "no memory to stream %llu events",
                         (unsigned long long)options->interactions->count);
    }
    start_table(stream);
    *ret = stream;
    return 0;
}

void eddy_stream_free(struct eddy_stream *stream)
{
    if (stream == NULL)
        return;
    uint32_t users = eddy_catalog_count(stream->options.interactions->users);
    for (uint32_t u = 0; stream->users && u < users; u++) {
        free(stream->users[u].hidden);
        free(stream->users[u].seen);
        free(stream->users[u].ring);
        free(stream->users[u].shown);
    }
    for (uint32_t t = 0; stream->workers && t < stream->options.threads; t++) {
        eddy_hrnn_scratch_free(stream->workers[t].hrnn);
        eddy_ranker_free(stream->workers[t].ranker);
        free(stream->workers[t].lists);
        free(stream->workers[t].queries);
    }
    eddy_live_free(stream->live);
    eddy_trend_free(stream->trend);
    free(stream->order);
    free(stream->users);
    free(stream->run_of_user);
    free(stream->types);
    free(stream->workers);
    free(stream->counts);
    free(stream->popularity);
    free(stream->popular);
    free(stream->lists);
    free(stream);
}

static struct eddy_play_user *user_of(struct eddy_stream *stream, uint32_t index)
{
    struct eddy_play_user *user = &stream->users[index];
    if (user->hidden == NULL) {
        uint32_t floats =
            eddy_hrnn_state_floats(&stream->options.snapshot->layout.shape);
        user->hidden = calloc((size_t)floats + 16, sizeof *user->hidden);
        user->previous_s = -1;
        user->keeps_seen = stream->options.exclude_seen;
    }
    return user;
}

/* The present list of one user who has no step yet. */
static uint32_t popular_list(const struct eddy_stream *stream, struct eddy_scored *ret)
{
    memcpy(ret, stream->popular, stream->popular_count * sizeof *ret);
    return stream->popular_count;
}

/* What is known of a user now. */
static struct eddy_rank_user rank_user(const struct eddy_stream *stream, uint32_t index,
                                       float *query, struct eddy_rank_room *room)
{
    struct eddy_play_user *user = &stream->users[index];
    const struct eddy_stream_options *options = &stream->options;
    uint32_t ring = options->snapshot->manifest.recent_events, count = 0;
    uint32_t known = known_items(stream);
    uint32_t first = user->ring_count > ring ? user->ring_count - ring : 0;
    for (uint32_t i = first; i < user->ring_count; i++)
        if (user->ring[i] < known)
            room->recent[count++] = user->ring[i];
    uint32_t shown = user->shown
                         ? eddy_rank_shown(user->shown, options->interactions->items,
                                           known, room->shown)
                         : 0;
    eddy_play_user_settle(user);
    return (struct eddy_rank_user){
        .recent = {room->recent, count, room->shown, shown},
        .query = eddy_play_user_query(user, options->snapshot, options->users, index,
                                      options->request, query),
        .excluded = user->seen,
        .excluded_count = options->exclude_seen ? user->seen_count : 0,
    };
}

/* Lists of what the worker's ranker holds: rows asked[0..) of the run. */
static void run_ranker(struct eddy_stream *stream, struct worker *worker,
                       const uint32_t *asked)
{
    size_t k = stream->options.k;
    uint32_t counts[TASK_ROWS];
    uint32_t n =
        eddy_ranker_run(worker->ranker, stream->options.k, worker->lists, counts);
    for (uint32_t j = 0; j < n; j++) {
        memcpy(stream->lists + asked[j] * k, worker->lists + j * k,
               counts[j] * sizeof *worker->lists);
        stream->counts_of[asked[j]] = counts[j];
    }
}

/* Lists of the wanted rows [first, end) of the run. */
static void make_lists(struct eddy_stream *stream, struct worker *worker,
                       uint32_t first, uint32_t end)
{
    const struct eddy_interaction *rows = stream->options.interactions->rows;
    struct eddy_rank_room room;
    uint32_t asked[TASK_ROWS] = {0}, n = 0;
    size_t k = stream->options.k;

    for (uint32_t i = first; i < end; i++) {
        if (!stream->wanted[i])
            continue;
        struct eddy_rank_user user =
            rank_user(stream, rows[stream->rows[i]].user,
                      worker->queries + (i - first) * model_of(stream)->hidden, &room);
        if (!eddy_rank_knows(model_of(stream), &user)) {
            stream->counts_of[i] = popular_list(stream, stream->lists + i * k);
            continue;
        }
        if (!eddy_ranker_add(worker->ranker, &user)) {
            run_ranker(stream, worker, asked);
            n = 0;
            (void)eddy_ranker_add(worker->ranker, &user); /* an empty one has room */
        }
        asked[n++] = i;
    }
    run_ranker(stream, worker, asked);
}

/* The event into the user's ring; an item that only the stream knows counts as seen. */
static int remember(const struct eddy_stream *stream, struct eddy_play_user *user,
                    const struct eddy_interaction *row)
{
    const struct eddy_manifest *manifest = &stream->options.snapshot->manifest;
    uint32_t room = manifest->recent_events;
    if (room < EDDY_RULES_WINDOW_MAX + 1)
        room = EDDY_RULES_WINDOW_MAX + 1;
    if (eddy_play_user_remember(user, row, room, manifest->session_gap_s) < 0)
        return EDDY_ENOMEM;
    if (stream->has_shown && user->shown == NULL)
        user->shown = calloc(1, sizeof *user->shown);
    if (stream->has_shown && user->shown == NULL)
        return EDDY_ENOMEM;
    if (stream->has_shown)
        eddy_play_user_show(user->shown, stream->options.interactions, row);
    return stream->live && row->item >= items_of(stream)
               ? eddy_play_user_see(user, row->item)
               : 0;
}

/* Rows of a task: lists of the wanted ones, then the steps. */
static void run_task(void *context, uint32_t task, uint32_t worker_at)
{
    struct eddy_stream *stream = context;
    struct worker *worker = &stream->workers[worker_at];
    const struct eddy_interactions *in = stream->options.interactions;
    uint32_t first = task * TASK_ROWS, end = first + TASK_ROWS, stepped = 0;
    struct eddy_step steps[TASK_ROWS];
    float *hidden[TASK_ROWS];

    if (end > stream->row_count)
        end = stream->row_count;
    make_lists(stream, worker, first, end);
    for (uint32_t i = first; i < end; i++) {
        const struct eddy_interaction *row = &in->rows[stream->rows[i]];
        struct eddy_play_user *user = user_of(stream, row->user);
        int r = EDDY_ENOMEM;
        if (user->hidden != NULL && remember(stream, user, row) == 0)
            r = eddy_play_user_step(user, stream->options.snapshot,
                                    stream->options.interactions, row, stream->types,
                                    &steps[stepped]);
        if (r < 0)
            atomic_store_explicit(&stream->failed, true, memory_order_relaxed);
        else if (r > 0)
            hidden[stepped++] = user->hidden;
    }
    if (stepped > 0)
        eddy_hrnn_step(stream->options.snapshot->hrnn, worker->hrnn, stepped, steps,
                       hidden);
}

/* Rows up to the next refresh, up to the first user who is in the run already. */
static void collect(struct eddy_stream *stream,
                    bool (*wants)(void *context, uint64_t row), void *context)
{
    const struct eddy_interactions *in = stream->options.interactions;
    stream->row_count = 0;
    stream->run++;
    while (stream->at < stream->order_count && stream->row_count < RUN_ROWS) {
        uint64_t row = stream->order[stream->at];
        uint32_t user = in->rows[row].user;
        bool due = stream->options.refresh_ms > 0 &&
                   in->rows[row].ts_ms >= stream->next_refresh_ms;
        if (stream->run_of_user[user] == stream->run || (due && stream->row_count > 0))
            return;
        if (due) {
            int64_t interval = stream->options.refresh_ms;
            int64_t past = in->rows[row].ts_ms - stream->next_refresh_ms;
            if (refresh(stream, stream->next_refresh_ms + past / interval * interval) <
                0)
                atomic_store_explicit(&stream->failed, true, memory_order_relaxed);
            stream->next_refresh_ms += (past / interval + 1) * interval;
        }
        stream->run_of_user[user] = stream->run;
        stream->wanted[stream->row_count] = wants(context, row);
        stream->rows[stream->row_count++] = row;
        stream->at++;
    }
}

/* The event into the live counters; his ring ends with it already. */
static int count_live(struct eddy_stream *stream, const struct eddy_interaction *row)
{
    const struct eddy_play_user *user = &stream->users[row->user];
    uint32_t before = user->ring_count - 1;
    uint32_t n = user->session_events - 1;
    n = n < before ? n : before;
    if (row->item >= stream->appeared)
        stream->appeared = row->item + 1;
    return eddy_live_add(stream->live, row->ts_ms, row->item, user->ring + before - n,
                         n);
}

static void count_rows(struct eddy_stream *stream)
{
    const struct eddy_interactions *in = stream->options.interactions;
    for (uint32_t i = 0; i < stream->row_count; i++) {
        const struct eddy_interaction *row = &in->rows[stream->rows[i]];
        if (stream->live && count_live(stream, row) < 0)
            atomic_store_explicit(&stream->failed, true, memory_order_relaxed);
        if (stream->trend && eddy_trend_add(stream->trend, row->ts_ms, row->item) < 0)
            atomic_store_explicit(&stream->failed, true, memory_order_relaxed);
        if (row->item < items_of(stream))
            stream->counts[row->item] += weight_at(stream, row->ts_ms);
        if (row->ts_ms > stream->newest_ms)
            stream->newest_ms = row->ts_ms;
        if ((double)(stream->newest_ms - stream->reference_ms) / 1000 >
            30 * stream->options.half_life_s)
            rebase(stream);
    }
}

int eddy_stream_next(struct eddy_stream *stream,
                     bool (*wants)(void *context, uint64_t row),
                     void (*list)(void *context, uint64_t row,
                                  const struct eddy_scored *list, uint32_t count),
                     void *context)
{
    collect(stream, wants, context);
    eddy_team_run(stream->options.threads,
                  (stream->row_count + TASK_ROWS - 1) / TASK_ROWS, run_task, stream);
    if (atomic_load_explicit(&stream->failed, memory_order_relaxed))
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < stream->row_count; i++)
        if (stream->wanted[i])
            list(context, stream->rows[i],
                 stream->lists + (size_t)i * stream->options.k, stream->counts_of[i]);
    count_rows(stream);
    return (int)stream->row_count;
}

uint32_t eddy_stream_list(struct eddy_stream *stream, uint32_t user,
                          struct eddy_scored *ret)
{
    struct eddy_ranker *ranker = stream->workers[0].ranker;
    struct eddy_rank_room room;
    uint32_t count = 0;
    struct eddy_rank_user known =
        rank_user(stream, user, stream->workers[0].queries, &room);
    if (!eddy_rank_knows(model_of(stream), &known))
        return popular_list(stream, ret);
    (void)eddy_ranker_add(ranker, &known); /* it is empty between calls */
    (void)eddy_ranker_run(ranker, stream->options.k, ret, &count);
    return count;
}
