/* Queries from the held out events, segments from the rest, and who is in both.
 *
 * Everything is lists of pairs that are sorted once: (query, item) says which items a query
 * is about, (item, user) who had an item in the held out or in the training events. Queries
 * are answered in batches, so that memory holds the segments of one batch. */
#include "app/eval_segments.h"

#include <stdlib.h>
#include <string.h>

#include "app/progress.h"
#include "app/recipe.h"
#include "base/clock.h"

#define BATCH_BYTES (256.0 * 1024 * 1024)

const char *const eddy_segments_names[EDDY_SEGMENTS_WAYS] = {"model", "most-active",
                                                             "had-most"};

struct pair {
    uint32_t item, user;
};

/* Events by item, then user. */
struct pairs {
    struct pair *pairs;
    uint64_t *begin; /* (items + 1) */
};

struct asked {
    uint64_t first; /* into items of the work */
    uint32_t item_count;
};

struct work {
    struct eddy_segments *segments;
    struct eddy_interactions histories; /* a view: what is not asked */
    struct pairs held_out, training;
    uint32_t *items; /* of all queries */
    struct asked *asked;
    uint32_t *wanted; /* users of one query */
    size_t wanted_room;
    uint32_t *active; /* (users) most events first */
    uint32_t *events; /* (users) of training */
    uint32_t *had;    /* (users) zero between queries */
    uint32_t *touched;
};

/* ---- who had what ----------------------------------------------------------------- */

static int by_item(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return x->user < y->user ? -1 : x->user > y->user;
}

static int make_pairs(const struct eddy_segments *segments, unsigned keep,
                      struct pairs *ret)
{
    const struct eddy_interactions *in = segments->interactions;
    size_t items = (size_t)eddy_catalog_count(in->items) + 1;
    uint64_t count = 0;
    ret->pairs = malloc(((size_t)in->count + 1) * sizeof *ret->pairs);
    ret->begin = calloc(items + 1, sizeof *ret->begin);
    if (ret->pairs == NULL || ret->begin == NULL)
        return EDDY_ENOMEM;
    for (uint64_t i = 0; i < in->count; i++)
        if (keep & EDDY_KEEP(segments->marks[i])) {
            ret->pairs[count++] = (struct pair){in->rows[i].item, in->rows[i].user};
            ret->begin[in->rows[i].item + 1]++;
        }
    for (size_t i = 1; i < items; i++)
        ret->begin[i] += ret->begin[i - 1];
    qsort(ret->pairs, (size_t)count, sizeof *ret->pairs, by_item);
    return 0;
}

static bool has_events(const struct pairs *pairs, uint32_t item)
{
    return pairs->begin[item + 1] > pairs->begin[item];
}

/* ---- queries ---------------------------------------------------------------------- */

static int ask_items(struct work *work)
{
    struct eddy_segments *segments = work->segments;
    uint32_t items = eddy_catalog_count(segments->interactions->items);
    uint32_t known = segments->snapshot->layout.shape.items;
    work->items = malloc(((size_t)items + 1) * sizeof *work->items);
    work->asked = malloc(((size_t)items + 1) * sizeof *work->asked);
    if (work->items == NULL || work->asked == NULL)
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < items; i++) {
        if (!has_events(&work->held_out, i))
            continue;
        segments->unknown += i >= known;
        work->items[segments->count] = i;
        work->asked[segments->count] = (struct asked){segments->count, 1};
        segments->count++;
    }
    return 0;
}

/* One item's value of a column. */
struct cell {
    struct eddy_span value;
    uint32_t column, item;
};

static int by_value(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    size_t size = x->value.size < y->value.size ? x->value.size : y->value.size;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    int order = memcmp(x->value.data, y->value.data, size);
    if (order != 0)
        return order;
    if (x->value.size != y->value.size)
        return x->value.size < y->value.size ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static bool same_query(const struct cell *a, const struct cell *b)
{
    return a->column == b->column && eddy_span_eq(a->value, b->value);
}

/* The values of a categorical column, joined by |; cells NULL: only counted. */
static size_t put_cells(const struct eddy_catalog *catalog, uint32_t column,
                        struct cell *cells, size_t count)
{
    for (uint32_t i = 0; i < eddy_catalog_count(catalog); i++) {
        struct eddy_span cell = eddy_catalog_get(catalog, i, column);
        while (cell.size > 0) {
            const char *bar = memchr(cell.data, '|', cell.size);
            size_t size = bar ? (size_t)(bar - cell.data) : cell.size;
            if (size > 0 && cells != NULL)
                cells[count] = (struct cell){{cell.data, size}, column, i};
            count += size > 0;
            cell.data += bar ? size + 1 : size;
            cell.size -= bar ? size + 1 : size;
        }
    }
    return count;
}

static size_t all_cells(const struct eddy_snapshot *snapshot, struct cell *cells)
{
    const struct eddy_catalog *catalog = snapshot->catalog;
    size_t count = 0;
    for (uint32_t c = 0; c < eddy_catalog_column_count(catalog); c++)
        if (snapshot->vocabularies.items != NULL &&
            eddy_vocabulary_kind(snapshot->vocabularies.items,
                                 eddy_catalog_column_name(catalog, c)) ==
                EDDY_COLUMN_CATEGORICAL)
            count = put_cells(catalog, c, cells, count);
    return count;
}

/* Runs of sorted cells whose items somebody had in the held out events. */
static void ask_cells(struct work *work, const struct cell *cells, size_t count)
{
    struct eddy_segments *segments = work->segments;
    uint64_t filled = 0;
    for (size_t first = 0, end; first < count; first = end) {
        struct asked asked = {.first = filled};
        bool any = false;
        for (end = first; end < count && same_query(&cells[first], &cells[end]);
             end++) {
            if (end > first && cells[end].item == cells[end - 1].item)
                continue;
            any = any || has_events(&work->held_out, cells[end].item);
            work->items[filled + asked.item_count++] = cells[end].item;
        }
        if (!any)
            continue;
        filled += asked.item_count;
        work->asked[segments->count++] = asked;
    }
}

static int ask_attributes(struct work *work, struct eddy_err *err)
{
    const struct eddy_snapshot *snapshot = work->segments->snapshot;
    size_t count = all_cells(snapshot, NULL);
    if (count == 0)
        return eddy_fail(
            err, EDDY_EUSAGE,
            "the model's items have no categorical column, whose values "
            "segments could be asked for: train with -I ITEMS, or evaluate "
            "aws-item-affinity");
    struct cell *cells = malloc(count * sizeof *cells);
    work->items = malloc(count * sizeof *work->items);
    work->asked = malloc(count * sizeof *work->asked);
    bool complete = cells && work->items && work->asked;
    if (complete) {
        (void)all_cells(snapshot, cells);
        qsort(cells, count, sizeof *cells, by_value);
        ask_cells(work, cells, count);
    }
    free(cells);
    return complete ? 0 : EDDY_ENOMEM;
}

/* ---- judging ---------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The users who had one of the query's items in the held out events, rising. */
static int find_wanted(struct work *work, const struct asked *asked, size_t *ret)
{
    size_t room = 0, count = 0, kept = 0;
    for (uint32_t k = 0; k < asked->item_count; k++) {
        uint32_t item = work->items[asked->first + k];
        room += (size_t)(work->held_out.begin[item + 1] - work->held_out.begin[item]);
    }
    if (room > work->wanted_room) {
        free(work->wanted);
        work->wanted = malloc(room * sizeof *work->wanted);
        work->wanted_room = work->wanted ? room : 0;
        if (work->wanted == NULL)
            return EDDY_ENOMEM;
    }
    for (uint32_t k = 0; k < asked->item_count; k++) {
        uint32_t item = work->items[asked->first + k];
        for (uint64_t p = work->held_out.begin[item];
             p < work->held_out.begin[item + 1]; p++)
            work->wanted[count++] = work->held_out.pairs[p].user;
    }
    qsort(work->wanted, count, sizeof *work->wanted, by_number);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || work->wanted[kept - 1] != work->wanted[i])
            work->wanted[kept++] = work->wanted[i];
    *ret = kept;
    return 0;
}

/* The first `size` of best; who equals the first one outside is outside. */
static uint32_t in_segment(const struct eddy_segment_query *query, uint32_t size)
{
    uint32_t count = query->count < size ? (uint32_t)query->count : size;
    if (query->count <= size)
        return count;
    while (count > 0 &&
           !(query->best[count - 1].probability > query->best[size].probability))
        count--;
    return count;
}

static void judge(struct work *work, struct eddy_segments_way *way, size_t query,
                  size_t wanted, const struct eddy_segment_user *best, uint32_t count)
{
    struct eddy_user_score *score = &way->scores[query];
    uint32_t hits = 0;
    for (uint32_t i = 0; i < count; i++) {
        hits += bsearch(&best[i].user, work->wanted, wanted, sizeof *work->wanted,
                        by_number) != NULL;
        way->covered += !way->listed[best[i].user];
        way->listed[best[i].user] = 1;
    }
    score->queries = 1;
    score->sums[EDDY_HR][0] = hits;
    score->sums[EDDY_RECALL][0] = wanted > 0 ? (double)hits / (double)wanted : 0;
}

/* ---- without a model -------------------------------------------------------------- */

static int by_heap(const void *a, const void *b)
{
    const struct eddy_segment_user *x = a, *y = b;
    if (x->probability > y->probability || x->probability < y->probability)
        return x->probability > y->probability ? -1 : 1;
    return x->user < y->user ? -1 : x->user > y->user;
}

static int rank_active(struct work *work)
{
    uint32_t users = work->segments->user_count;
    struct eddy_segment_user *order = malloc(((size_t)users + 1) * sizeof *order);
    if (order == NULL)
        return EDDY_ENOMEM;
    for (uint32_t u = 0; u < users; u++) {
        work->events[u] = (uint32_t)(work->histories.user_begin[u + 1] -
                                     work->histories.user_begin[u]);
        order[u] = (struct eddy_segment_user){u, (float)work->events[u]};
    }
    qsort(order, users, sizeof *order, by_heap);
    for (uint32_t u = 0; u < users; u++)
        work->active[u] = order[u].user;
    free(order);
    return 0;
}

/* Who has most training events on the query's items; then the most active. */
static uint32_t had_most(struct work *work, const struct asked *asked,
                         struct eddy_segment_user *best)
{
    uint32_t size = work->segments->size, touched = 0, count = 0;
    for (uint32_t k = 0; k < asked->item_count; k++) {
        uint32_t item = work->items[asked->first + k];
        for (uint64_t p = work->training.begin[item];
             p < work->training.begin[item + 1]; p++) {
            uint32_t user = work->training.pairs[p].user;
            if (work->had[user]++ == 0)
                work->touched[touched++] = user;
        }
    }
    for (uint32_t t = 0; t < touched; t++) {
        uint32_t user = work->touched[t];
        double share = (double)work->events[user] / ((double)work->events[user] + 1);
        best[t] =
            (struct eddy_segment_user){user, (float)((double)work->had[user] + share)};
    }
    qsort(best, touched, sizeof *best, by_heap);
    count = touched < size ? touched : size;
    for (uint32_t u = 0; count < size && u < work->segments->user_count; u++)
        if (work->had[work->active[u]] == 0)
            best[count++] = (struct eddy_segment_user){work->active[u], 0};
    for (uint32_t t = 0; t < touched; t++)
        work->had[work->touched[t]] = 0;
    return count;
}

static int judge_baselines(struct work *work)
{
    struct eddy_segments *segments = work->segments;
    struct eddy_segment_user *best =
        malloc(((size_t)segments->user_count + 1) * sizeof *best);
    size_t wanted = 0;
    int r = best ? rank_active(work) : EDDY_ENOMEM;
    for (size_t q = 0; r == 0 && q < segments->count; q++) {
        if ((r = find_wanted(work, &work->asked[q], &wanted)) < 0)
            break;
        uint32_t count = had_most(work, &work->asked[q], best);
        judge(work, &segments->ways[EDDY_SEGMENTS_HAD], q, wanted, best, count);
        for (uint32_t i = 0; i < segments->size; i++)
            best[i].user = work->active[i];
        judge(work, &segments->ways[EDDY_SEGMENTS_ACTIVE], q, wanted, best,
              segments->size);
    }
    free(best);
    return r;
}

/* ---- the model -------------------------------------------------------------------- */

struct shown {
    struct eddy_progress progress;
    uint64_t done; /* users of batches before */
};

static void show_progress(void *context, uint64_t users_done)
{
    struct shown *shown = context;
    eddy_progress_update(&shown->progress, shown->done + users_done, "");
}

static int ask_batch(struct work *work, size_t first, size_t count, size_t keep,
                     struct eddy_segment_query *queries, struct shown *shown,
                     struct eddy_err *err)
{
    struct eddy_segments *segments = work->segments;
    uint32_t known = segments->snapshot->layout.shape.items;
    struct eddy_segment_options options = {
        .snapshot = segments->snapshot,
        .interactions = &work->histories,
        .users = segments->users,
        .threads = segments->threads,
        .keep = keep,
        .progress = show_progress,
        .context = shown,
    };
    for (size_t q = 0; q < count; q++) {
        const struct asked *asked = &work->asked[first + q];
        bool is_known = work->items[asked->first] < known;
        queries[q].items = work->items + asked->first;
        queries[q].item_count = is_known ? asked->item_count : 0;
    }
    int r = eddy_segment_users(&options, queries, count, err);
    for (size_t q = 0; r == 0 && q < count; q++) {
        size_t wanted = 0;
        r = find_wanted(work, &work->asked[first + q], &wanted);
        if (r < 0)
            break;
        segments->wanted += wanted;
        judge(work, &segments->ways[EDDY_SEGMENTS_MODEL], first + q, wanted,
              queries[q].best, in_segment(&queries[q], segments->size));
    }
    shown->done += segments->user_count;
    return r;
}

static int ask_model(struct work *work, struct eddy_err *err)
{
    struct eddy_segments *segments = work->segments;
    size_t keep = (size_t)segments->size + 1, batch = segments->count;
    if ((double)batch * (double)keep * sizeof(struct eddy_segment_user) > BATCH_BYTES)
        batch =
            (size_t)(BATCH_BYTES / ((double)keep * sizeof(struct eddy_segment_user)));
    batch = batch > 0 ? batch : 1;
    struct eddy_segment_query *queries = calloc(batch, sizeof *queries);
    struct eddy_segment_user *room = malloc(batch * keep * sizeof *room);
    struct shown shown = {.done = 0};
    int r = queries && room ? 0 : EDDY_ENOMEM;
    eddy_progress_init(&shown.progress, "asking the model", "users",
                       (segments->count + batch - 1) / batch * segments->user_count,
                       segments->quiet);
    for (size_t q = 0; r == 0 && q < batch; q++)
        queries[q].best = room + q * keep;
    for (size_t first = 0; r == 0 && first < segments->count; first += batch) {
        size_t left = segments->count - first;
        r = ask_batch(work, first, left < batch ? left : batch, keep, queries, &shown,
                      err);
    }
    eddy_progress_clear(&shown.progress);
    free(queries);
    free(room);
    return r;
}

/* ---- all of it -------------------------------------------------------------------- */

static int allocate(struct work *work)
{
    struct eddy_segments *segments = work->segments;
    size_t users = (size_t)segments->user_count + 1;
    bool complete = true;
    work->active = calloc(users, sizeof *work->active);
    work->events = calloc(users, sizeof *work->events);
    work->had = calloc(users, sizeof *work->had);
    work->touched = calloc(users, sizeof *work->touched);
    for (int w = 0; w < EDDY_SEGMENTS_WAYS; w++) {
        struct eddy_segments_way *way = &segments->ways[w];
        way->scores = calloc(segments->count + 1, sizeof *way->scores);
        way->listed = calloc(users, 1);
        complete = complete && way->scores && way->listed;
    }
    return complete && work->active && work->events && work->had && work->touched
               ? 0
               : EDDY_ENOMEM;
}

static int estimate(struct eddy_segments *segments)
{
    int r = 0;
    for (int w = 0; r == 0 && w < (segments->baselines ? EDDY_SEGMENTS_WAYS : 1); w++) {
        struct eddy_segments_way *way = &segments->ways[w];
        r = eddy_evaluate(way->scores, (uint32_t)segments->count, segments->resamples,
                          segments->seed, &way->evaluation);
        if (r == 0 && w > 0)
            r = eddy_evaluate_difference(segments->ways[0].scores, way->scores,
                                         (uint32_t)segments->count, segments->resamples,
                                         segments->seed, &way->difference);
    }
    return r;
}

static int ask(struct work *work, struct eddy_err *err)
{
    struct eddy_segments *segments = work->segments;
    unsigned training = EDDY_KEEP(EDDY_MARK_TRAIN) | EDDY_KEEP(EDDY_MARK_HISTORY);
    int r;
    if ((r = eddy_interactions_view(segments->interactions, segments->marks, training,
                                    &work->histories, err)) < 0 ||
        (r = make_pairs(segments, EDDY_KEEP(EDDY_MARK_ANSWER), &work->held_out)) < 0 ||
        (r = make_pairs(segments, training, &work->training)) < 0)
        return r;
    segments->answers =
        work->held_out.begin[eddy_catalog_count(segments->interactions->items)];
    r = segments->attributes ? ask_attributes(work, err) : ask_items(work);
    if (r == 0)
        r = allocate(work);
    if (r == 0)
        r = ask_model(work, err);
    if (r == 0 && segments->baselines)
        r = judge_baselines(work);
    return r < 0 ? r : estimate(segments);
}

int eddy_segments_ask(struct eddy_segments *segments, struct eddy_err *err)
{
    const char *recipe = segments->snapshot->manifest.recipe;
    const struct eddy_recipe *known = eddy_recipe_find(recipe);
    struct work work = {.segments = segments};
    uint64_t start_ns = eddy_monotonic_ns();
    if (known != NULL && !known->network)
        return eddy_fail(err, EDDY_EUSAGE,
                         "--protocol segments: a model of %s knows no users; evaluate "
                         "aws-item-affinity or aws-item-attribute-affinity",
                         known->name);
    segments->attributes = strcmp(recipe, "aws-item-attribute-affinity") == 0;
    segments->user_count = eddy_catalog_count(segments->interactions->users);
    segments->size = segments->user_count / 100 > 0 ? segments->user_count / 100 : 1;
    int r = ask(&work, err);
    segments->seconds = (double)(eddy_monotonic_ns() - start_ns) / 1e9;
    eddy_interactions_view_fini(&work.histories);
    free(work.held_out.pairs);
    free(work.held_out.begin);
    free(work.training.pairs);
    free(work.training.begin);
    free(work.items);
    free(work.asked);
    free(work.wanted);
    free(work.active);
    free(work.events);
    free(work.had);
    free(work.touched);
    return r == EDDY_ENOMEM
               ? eddy_fail(err, r, "no memory for %zu segments of %u users",
                           segments->count, segments->size)
               : r;
}

void eddy_segments_fini(struct eddy_segments *segments)
{
    for (int w = 0; w < EDDY_SEGMENTS_WAYS; w++) {
        free(segments->ways[w].scores);
        free(segments->ways[w].listed);
    }
}
