/* Sessions like the present one (V-SKNN, STAN, VSTAN: Ludewig et al., UMUAI 2020; Garg et
 * al., SIGIR 2019).
 *
 * The newest `candidates` sessions that share an item with the query are found by merging
 * the posting lists of its items, newest first: session numbers fall along each list, so
 * that the next candidate is the greatest head, and all lists that have it there give its
 * similarity at once. No map, no scores per session.
 *
 *   sim(n)   = sum over shared items of exp(-p / position_decay) [idf]
 *              / sqrt(events of n) * exp(-age(n) / age_decay)
 *   vote(j) += sim(n) exp(-(|distance of j to m| - 1) / distance_decay) side
 *
 * p: place of the item in the query, newest 0; m: where n has the newest shared item, last
 * occurrence; side: 1 after m, AT_OR_BEFORE at m (distance counts as 1) and before it: what
 * came before is wanted less often, but whoever comes back to things does so everywhere
 * (validation slices of four session and review sets). Votes are shares of their sum. Only
 * the QUERY_MAX newest different items of the query count, and of a long session what stands
 * within REACH of m.
 *
 * Everything is single floats, in an order that the store and the query fix. */
#include "core/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/vmath.h"

/* A neighbour further off than REACH counts less than 1e-3 of the nearest at the decays in
 * use, and long histories would cost a list its milliseconds. */
enum { QUERY_MAX = 20, REACH = 30 };
#define AT_OR_BEFORE 0.5f

struct eddy_neighbours_scratch {
    float *votes;      /* (items), zero between calls */
    uint32_t *touched; /* (items) */
    struct candidate *candidates;
    float *work;  /* (items) */
    float *order; /* (EDDY_NEIGHBOURS_CANDIDATES_MAX) */
    float fade[REACH + 1];
};
struct candidate {
    uint32_t session, shared; /* shared: newest shared item */
    float similarity;
};
struct query {
    const uint32_t *posting, *end; /* sessions of the item that are not merged yet */
    uint32_t item;
    float weight;
};

/* ---- the store -------------------------------------------------------------------- */

static int make_postings(struct eddy_sessions *store)
{
    uint64_t events = store->begin[store->count];
    uint32_t *last = malloc(((size_t)store->items + 1) * sizeof *last);

    store->posting_begin =
        calloc((size_t)store->items + 2, sizeof *store->posting_begin);
    store->postings = malloc((events + 1) * sizeof *store->postings);
    if (!last || !store->posting_begin || !store->postings) {
        free(last);
        return EDDY_ENOMEM;
    }
    /* Two passes, newest session first: count, then place. posting_begin[i + 1] is where
     * item i is written next, and its end when all is done. */
    for (int pass = 0; pass < 2; pass++) {
        memset(last, 0xff, ((size_t)store->items + 1) * sizeof *last);
        for (uint32_t s = store->count; s-- > 0;)
            for (uint64_t e = store->begin[s]; e < store->begin[s + 1]; e++) {
                uint32_t item = store->entries[e];
                if (last[item] == s)
                    continue;
                last[item] = s;
                if (pass == 0)
                    store->posting_begin[item + 2]++;
                else
                    store->postings[store->posting_begin[item + 1]++] = s;
            }
        for (uint32_t i = 0; pass == 0 && i < store->items; i++)
            store->posting_begin[i + 2] += store->posting_begin[i + 1];
    }
    free(last);
    return 0;
}

int eddy_sessions_init(struct eddy_sessions *store,
                       const struct eddy_session_view *views, uint32_t count,
                       uint32_t items, uint64_t events_max)
{
    uint64_t events = 0;
    uint32_t first = count, kept = 0;
    int64_t newest = INT64_MIN;

    while (first > 0) {
        uint32_t n = views[first - 1].count;
        if (n >= 2 && events + n > events_max)
            break;
        first--;
        if (n < 2)
            continue;
        events += n;
        kept++;
        newest = views[first].ts_ms > newest ? views[first].ts_ms : newest;
    }
    *store = (struct eddy_sessions){.items = items, .count = kept};
    store->begin = calloc((size_t)kept + 1, sizeof *store->begin);
    store->entries = malloc((events + 1) * sizeof *store->entries);
    store->age = malloc(((size_t)kept + 1) * sizeof *store->age);
    if (!store->begin || !store->entries || !store->age) {
        eddy_sessions_fini(store);
        return EDDY_ENOMEM;
    }
    for (uint32_t v = first, s = 0; v < count; v++) {
        const struct eddy_session_view *view = &views[v];
        if (view->count < 2)
            continue;
        double age_ms = (double)newest - (double)view->ts_ms;
        store->age[s] = (float)(age_ms / 86400e3);
        memcpy(store->entries + store->begin[s], view->items,
               view->count * sizeof *view->items);
        store->begin[s + 1] = store->begin[s] + view->count;
        s++;
    }
    if (make_postings(store) == 0)
        return 0;
    eddy_sessions_fini(store);
    return EDDY_ENOMEM;
}

int eddy_sessions_index(struct eddy_sessions *store, struct eddy_err *err)
{
    if (store->begin[0] != 0)
        return eddy_fail(err, EDDY_EFORMAT, "sessions: the first begins at %llu",
                         (unsigned long long)store->begin[0]);
    for (uint32_t s = 0; s < store->count; s++) {
        if (store->begin[s + 1] < store->begin[s])
            return eddy_fail(err, EDDY_EFORMAT, "sessions: session %u has no length",
                             s);
        if (!(store->age[s] >= 0.0f) || !isfinite(store->age[s]))
            return eddy_fail(err, EDDY_EFORMAT, "sessions: age of session %u is %g", s,
                             (double)store->age[s]);
    }
    for (uint64_t e = 0; e < store->begin[store->count]; e++)
        if (store->entries[e] >= store->items)
            return eddy_fail(err, EDDY_EFORMAT, "sessions: item %u of %u",
                             store->entries[e], store->items);
    if (make_postings(store) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "sessions: no memory for the index");
    return 0;
}

void eddy_sessions_fini(struct eddy_sessions *store)
{
    free(store->begin);
    free(store->entries);
    free(store->age);
    free(store->posting_begin);
    free(store->postings);
    *store = (struct eddy_sessions){0};
}

struct eddy_neighbours_scratch *eddy_neighbours_scratch_new(
    const struct eddy_sessions *s)
{
    struct eddy_neighbours_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL)
        return NULL;
    size_t room = EDDY_NEIGHBOURS_CANDIDATES_MAX;
    scratch->votes = calloc((size_t)s->items + 1, sizeof *scratch->votes);
    scratch->touched = malloc(((size_t)s->items + 1) * sizeof *scratch->touched);
    scratch->work = malloc(((size_t)s->items + 1) * sizeof *scratch->work);
    scratch->candidates = malloc(room * sizeof *scratch->candidates);
    scratch->order = malloc(room * sizeof *scratch->order);
    if (scratch->votes && scratch->touched && scratch->work && scratch->candidates &&
        scratch->order)
        return scratch;
    eddy_neighbours_scratch_free(scratch);
    return NULL;
}

void eddy_neighbours_scratch_free(struct eddy_neighbours_scratch *scratch)
{
    if (scratch == NULL)
        return;
    free(scratch->votes);
    free(scratch->touched);
    free(scratch->work);
    free(scratch->candidates);
    free(scratch->order);
    free(scratch);
}

/* ---- votes ------------------------------------------------------------------------ */

/* exp(-x / decay); decay 0: none. */
static float fade(float x, double decay)
{
    return decay > 0 ? eddy_expf(-x / (float)decay) : 1.0f;
}

/* The newest different items that the store has, newest first. */
static uint32_t make_queries(const struct eddy_sessions *store,
                             const struct eddy_neighbours_options *options,
                             const uint32_t *recent, uint32_t count,
                             struct query *queries)
{
    uint32_t made = 0;
    for (uint32_t p = 0; p < count && p < 2 * QUERY_MAX && made < QUERY_MAX; p++) {
        uint32_t item = recent[count - 1 - p], q = 0;
        if (item >= store->items)
            continue;
        while (q < made && queries[q].item != item)
            q++;
        const uint32_t *begin = store->postings + store->posting_begin[item];
        const uint32_t *end = store->postings + store->posting_begin[item + 1];
        if (q < made || begin == end)
            continue;
        float weight = fade((float)p, options->position_decay);
        if (options->idf)
            weight *= eddy_logf((float)(store->count + 1) / (float)(end - begin));
        queries[made++] = (struct query){begin, end, item, weight};
    }
    return made;
}

static uint32_t find_candidates(const struct eddy_sessions *store,
                                const struct eddy_neighbours_options *options,
                                struct eddy_neighbours_scratch *scratch,
                                struct query *queries, uint32_t query_count)
{
    uint32_t found = 0, wanted = options->candidates;
    if (wanted > EDDY_NEIGHBOURS_CANDIDATES_MAX)
        wanted = EDDY_NEIGHBOURS_CANDIDATES_MAX;
    while (found < wanted) {
        uint32_t newest = 0, any = UINT32_MAX;
        for (uint32_t q = 0; q < query_count; q++)
            if (queries[q].posting < queries[q].end &&
                (any == UINT32_MAX || *queries[q].posting > newest)) {
                newest = *queries[q].posting;
                any = q;
            }
        if (any == UINT32_MAX)
            break;
        float dot = 0.0f;
        uint32_t shared = UINT32_MAX;
        for (uint32_t q = 0; q < query_count; q++)
            if (queries[q].posting < queries[q].end && *queries[q].posting == newest) {
                dot += queries[q].weight;
                shared = shared == UINT32_MAX ? queries[q].item : shared;
                queries[q].posting++;
            }
        float events = (float)(store->begin[newest + 1] - store->begin[newest]);
        float similarity =
            dot / sqrtf(events) * fade(store->age[newest], options->age_decay_days);
        scratch->order[found] = similarity;
        scratch->candidates[found++] = (struct candidate){newest, shared, similarity};
    }
    return found;
}

/* The k-th greatest of n values, 1 <= k <= n; values are moved about (Hoare's find, in
 * Wirth's form). */
static float kth_greatest(float *values, uint32_t n, uint32_t k)
{
    int64_t low = 0, high = (int64_t)n - 1, wanted = (int64_t)k - 1;
    while (low < high) {
        float pivot = values[wanted];
        int64_t i = low, j = high;
        while (i <= j) {
            while (values[i] > pivot)
                i++;
            while (values[j] < pivot)
                j--;
            if (i > j)
                break;
            float swap = values[i];
            values[i++] = values[j];
            values[j--] = swap;
        }
        if (j < wanted)
            low = i;
        if (wanted < i)
            high = j;
    }
    return values[wanted];
}

/* One session's votes. */
static uint32_t vote(const struct eddy_sessions *store,
                     struct eddy_neighbours_scratch *scratch,
                     const struct candidate *candidate, uint32_t touched)
{
    const uint32_t *entries = store->entries + store->begin[candidate->session];
    uint32_t n = (uint32_t)(store->begin[candidate->session + 1] -
                            store->begin[candidate->session]);
    uint32_t middle = n - 1;
    while (entries[middle] != candidate->shared)
        middle--;
    uint32_t from = middle > REACH ? middle - REACH : 0;
    uint32_t to = n - middle > REACH ? middle + REACH : n;
    for (uint32_t e = from; e < to; e++) {
        uint32_t distance = e > middle ? e - middle : middle - e;
        float weight = candidate->similarity * scratch->fade[distance];
        if (e <= middle)
            weight *= AT_OR_BEFORE;
        float *votes = &scratch->votes[entries[e]];
        if (*votes == 0.0f && weight > 0.0f)
            scratch->touched[touched++] = entries[e];
        *votes += weight;
    }
    return touched;
}

static uint32_t hand_out(struct eddy_neighbours_scratch *scratch, uint32_t touched,
                         uint32_t *ret_items, float *ret_weights, uint32_t room)
{
    float total = 0.0f;
    uint32_t given = 0;
    for (uint32_t t = 0; t < touched; t++)
        total += scratch->votes[scratch->touched[t]];
    /* a little less than the share, so that rounding never makes their sum more than 1 */
    float scale = total > 0.0f ? 0.9999f / total : 0.0f;
    for (uint32_t t = 0; t < touched; t++) {
        uint32_t item = scratch->touched[t];
        float weight = scratch->votes[item] * scale;
        scratch->votes[item] = 0.0f;
        if (!(weight > 0.0f))
            continue;
        if (given < room) {
            ret_items[given] = item;
            ret_weights[given++] = weight;
        }
    }
    return given;
}

/* Only the `room` heaviest of the touched stay touched, in their order. */
static uint32_t make_room(struct eddy_neighbours_scratch *scratch, uint32_t touched,
                          uint32_t room)
{
    float *work = scratch->work;
    for (uint32_t t = 0; t < touched; t++)
        work[t] = scratch->votes[scratch->touched[t]];
    float least = kth_greatest(work, touched, room);
    uint32_t above = 0, kept = 0;
    for (uint32_t t = 0; t < touched; t++)
        above += scratch->votes[scratch->touched[t]] > least ? 1 : 0;
    uint32_t equal = room - above;
    for (uint32_t t = 0; t < touched; t++) {
        uint32_t item = scratch->touched[t];
        float value = scratch->votes[item];
        if (value > least || (value == least && equal > 0)) {
            equal -= value == least ? 1 : 0;
            scratch->touched[kept++] = item;
        } else {
            scratch->votes[item] = 0.0f;
        }
    }
    return kept;
}

uint32_t eddy_neighbours_vote(const struct eddy_sessions *store,
                              const struct eddy_neighbours_options *options,
                              struct eddy_neighbours_scratch *scratch,
                              const uint32_t *recent, uint32_t count,
                              uint32_t *ret_items, float *ret_weights, uint32_t room)
{
    struct query queries[QUERY_MAX];
    uint32_t query_count = make_queries(store, options, recent, count, queries);
    uint32_t found = find_candidates(store, options, scratch, queries, query_count);
    uint32_t voters = found < options->neighbours ? found : options->neighbours;
    if (voters == 0 || room == 0)
        return 0;

    scratch->fade[0] = 1.0f;
    for (uint32_t d = 1; d <= REACH; d++)
        scratch->fade[d] = fade((float)(d - 1), options->distance_decay);
    float least = kth_greatest(scratch->order, found, voters);
    uint32_t above = 0, touched = 0;
    for (uint32_t c = 0; c < found; c++)
        above += scratch->candidates[c].similarity > least ? 1 : 0;
    uint32_t equal = voters - above; /* of the just good enough, the newest */
    for (uint32_t c = 0; c < found; c++) {
        const struct candidate *candidate = &scratch->candidates[c];
        if (candidate->similarity < least ||
            (candidate->similarity == least && equal == 0))
            continue;
        equal -= candidate->similarity == least ? 1 : 0;
        touched = vote(store, scratch, candidate, touched);
    }
    if (touched > room)
        touched = make_room(scratch, touched, room);
    return hand_out(scratch, touched, ret_items, ret_weights, room);
}
