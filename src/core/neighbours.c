/* Sessions like the present one (V-SKNN, STAN, VSTAN: Ludewig et al., UMUAI 2020; Garg et
 * al., SIGIR 2019).
 *
 * The newest `candidates` sessions that share an item with the query are found a window of
 * WINDOW sessions at a time, from the newest session that any item of the query has left:
 * each item adds its weight to the sums of its sessions in the window, a bit per session
 * says who was added to. Session numbers fall along each list of postings, so no posting is
 * read twice; windows without sharers are leapt over; sums stay in the first-level cache.
 * A posting knows where its item stands in the session, so that a voter is entered at the
 * shared item, without a search.
 *
 *   sim(n)   = sum over shared items of exp(-p / position_decay) [idf]
 *              / sqrt(events of n) * exp(-age(n) / age_decay)
 *   vote(j) += sim(n) exp(-(|distance of j to m| - 1) / distance_decay) side
 *
 * p: place of the item in the query, newest 0; m: where n has the newest shared item, last
 * occurrence; side: 1 after m, AT_OR_BEFORE at m (distance counts as 1) and before it: what
 * came before is wanted less often, but whoever comes back to things does so everywhere
 * (validation slices of four session and review sets). Votes are shares of their sum. Only
 * the QUERY_MAX newest different items of the query count, and what weighs less than LEAST
 * of the most does not: items of the query, and what stands far from m (never more than
 * REACH). So a list of a long history costs no more than one of a short one.
 *
 * Everything is single floats, in an order that the store and the query fix. */
#include "core/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/vmath.h"

enum { QUERY_MAX = 20, REACH = 30, WINDOW = 4096, BINS = 2048, AHEAD = 8 };
#define AT_OR_BEFORE 0.5f
#define LEAST        1e-3f

struct eddy_neighbours_scratch {
    float *votes;      /* (items), zero between calls */
    uint32_t *touched; /* (items) */
    struct candidate *candidates;
    float *work;               /* (items) */
    float *order;              /* (EDDY_NEIGHBOURS_CANDIDATES_MAX) */
    uint32_t bins[BINS];       /* zero between calls */
    float fade[2 * REACH + 1]; /* by place - middle + REACH */
    /* The window: sums, where the newest shared item stands, who was added to. */
    float sums[WINDOW]; /* zero between windows */
    uint32_t places[WINDOW];
    uint64_t bits[WINDOW / 64]; /* zero between windows */
};
struct candidate {
    uint32_t session, place; /* place: of the newest shared item */
    float similarity;
};
struct query {
    const struct eddy_posting *posting, *end; /* sessions that are not summed yet */
    uint32_t item;
    float weight;
};

/* ---- the store -------------------------------------------------------------------- */

static int make_postings(struct eddy_sessions *store)
{
    uint64_t events = store->begin[store->count];
    uint32_t *last = malloc(((size_t)store->items + 1) * sizeof *last);

    store->root = malloc(((size_t)store->count + 1) * sizeof *store->root);
    store->posting_begin =
        calloc((size_t)store->items + 2, sizeof *store->posting_begin);
    store->postings = malloc((events + 1) * sizeof *store->postings);
    if (!last || !store->root || !store->posting_begin || !store->postings) {
        free(last);
        return EDDY_ENOMEM;
    }
    for (uint32_t s = 0; s < store->count; s++)
        store->root[s] = sqrtf((float)(store->begin[s + 1] - store->begin[s]));
    /* Two passes, newest session and its newest event first: count, then place.
     * posting_begin[i + 1] is where item i is written next, and its end when all is
     * done. */
    for (int pass = 0; pass < 2; pass++) {
        memset(last, 0xff, ((size_t)store->items + 1) * sizeof *last);
        for (uint32_t s = store->count; s-- > 0;)
            for (uint64_t e = store->begin[s + 1]; e-- > store->begin[s];) {
                uint32_t item = store->entries[e];
                if (last[item] == s)
                    continue;
                last[item] = s;
                if (pass == 0)
                    store->posting_begin[item + 2]++;
                else
                    store->postings[store->posting_begin[item + 1]++] =
                        (struct eddy_posting){s, (uint32_t)(e - store->begin[s])};
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
    free(store->root);
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

/* The newest different items that the store has and that weigh something beside the
 * heaviest, newest first. */
static uint32_t make_queries(const struct eddy_sessions *store,
                             const struct eddy_neighbours_options *options,
                             const uint32_t *recent, uint32_t count,
                             struct query *queries)
{
    uint32_t made = 0, kept = 0;
    float heaviest = 0.0f;
    for (uint32_t p = 0; p < count && p < 2 * QUERY_MAX && made < QUERY_MAX; p++) {
        uint32_t item = recent[count - 1 - p], q = 0;
        if (item >= store->items)
            continue;
        while (q < made && queries[q].item != item)
            q++;
        const struct eddy_posting *begin = store->postings + store->posting_begin[item];
        const struct eddy_posting *end =
            store->postings + store->posting_begin[item + 1];
        if (q < made || begin == end)
            continue;
        float weight = fade((float)p, options->position_decay);
        if (options->idf)
            weight *= eddy_logf((float)(store->count + 1) / (float)(end - begin));
        heaviest = weight > heaviest ? weight : heaviest;
        queries[made++] = (struct query){begin, end, item, weight};
    }
    for (uint32_t q = 0; q < made; q++)
        if (queries[q].weight >= heaviest * LEAST && queries[q].weight > 0.0f)
            queries[kept++] = queries[q];
    return kept;
}

/* Sums of the sessions from low on, oldest item of the query first: the newest leaves its
 * place. */
static void sum_window(struct eddy_neighbours_scratch *scratch, struct query *queries,
                       uint32_t query_count, uint32_t low)
{
    for (uint32_t q = query_count; q-- > 0;) {
        const struct eddy_posting *posting = queries[q].posting, *end = queries[q].end;
        const float weight = queries[q].weight;
        for (; posting < end && posting->session >= low; posting++) {
            uint32_t at = posting->session - low;
            scratch->sums[at] += weight;
            scratch->places[at] = posting->place;
            scratch->bits[at / 64] |= UINT64_C(1) << at % 64;
        }
        queries[q].posting = posting;
    }
}

/* The window's sessions become candidates, newest first, while there is room; it is clean
 * afterwards. The new number of candidates. */
static uint32_t read_window(const struct eddy_sessions *store, double age_decay,
                            struct eddy_neighbours_scratch *scratch, uint32_t low,
                            uint32_t found, uint32_t wanted)
{
    for (uint32_t word = WINDOW / 64; word-- > 0;) {
        uint64_t bits = scratch->bits[word];
        scratch->bits[word] = 0;
        while (bits != 0) {
            uint32_t bit = 63 - (uint32_t)__builtin_clzll(bits);
            uint32_t at = word * 64 + bit, session = low + at;
            bits ^= UINT64_C(1) << bit;
            if (found < wanted) {
                float similarity = scratch->sums[at] / store->root[session];
                if (age_decay > 0)
                    similarity *= fade(store->age[session], age_decay);
                scratch->order[found] = similarity;
                scratch->candidates[found++] =
                    (struct candidate){session, scratch->places[at], similarity};
            }
            scratch->sums[at] = 0.0f;
        }
    }
    return found;
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
        uint32_t newest = 0;
        bool any = false;
        for (uint32_t q = 0; q < query_count; q++) {
            const struct eddy_posting *posting = queries[q].posting;
            if (posting == queries[q].end)
                continue;
            any = true;
            newest = posting->session > newest ? posting->session : newest;
        }
        if (!any)
            break;
        uint32_t low = newest >= WINDOW ? newest - (WINDOW - 1) : 0;
        sum_window(scratch, queries, query_count, low);
        found =
            read_window(store, options->age_decay_days, scratch, low, found, wanted);
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

static uint32_t bin_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 20 & (BINS - 1);
}

/* The k-th greatest of n values >= 0, 1 <= k <= n, which are moved about: as numbers, the
 * bits of such floats are in their order, so counting the leading ones leaves few to
 * compare. */
static float kth_similarity(struct eddy_neighbours_scratch *scratch, uint32_t n,
                            uint32_t k)
{
    float *values = scratch->order;
    uint32_t bin = BINS - 1, in_bin = 0;
    for (uint32_t i = 0; i < n; i++)
        scratch->bins[bin_of(values[i])]++;
    for (; k > scratch->bins[bin]; bin--)
        k -= scratch->bins[bin];
    for (uint32_t i = 0; i < n; i++) {
        float value = values[i];
        values[in_bin] = value;
        in_bin += bin_of(value) == bin ? 1 : 0;
    }
    memset(scratch->bins, 0, sizeof scratch->bins);
    return kth_greatest(values, in_bin, k);
}

/* The `voters` candidates of greatest similarity come to the front, newest first; of the
 * just good enough, the newest. How many there are. */
static uint32_t choose_voters(struct eddy_neighbours_scratch *scratch, uint32_t found,
                              uint32_t voters)
{
    struct candidate *candidates = scratch->candidates;
    float least = kth_similarity(scratch, found, voters);
    uint32_t above = 0, chosen = 0;
    for (uint32_t c = 0; c < found; c++)
        above += candidates[c].similarity > least ? 1 : 0;
    uint32_t equal = voters - above;
    for (uint32_t c = 0; c < found; c++) {
        struct candidate candidate = candidates[c];
        bool just = candidate.similarity == least && equal > 0;
        equal -= just ? 1 : 0;
        candidates[chosen] = candidate;
        chosen += candidate.similarity > least || just ? 1 : 0;
    }
    return chosen;
}

/* Events of a session that its votes are from, as places of the store. */
struct stretch {
    uint64_t from, middle, to;
};
static struct stretch stretch_of(const struct eddy_sessions *store,
                                 const struct candidate *candidate, uint32_t reach)
{
    uint64_t begin = store->begin[candidate->session];
    uint64_t end = store->begin[candidate->session + 1];
    uint64_t middle = begin + candidate->place;
    return (struct stretch){
        .from = candidate->place > reach ? middle - reach : begin,
        .middle = middle,
        .to = end - middle > reach + 1 ? middle + reach + 1 : end,
    };
}

/* Votes of the candidates, the items touched counted. The voters' events lie anywhere in
 * the store: they are called for AHEAD voters before their turn. */
static uint32_t vote(const struct eddy_sessions *store,
                     struct eddy_neighbours_scratch *scratch, uint32_t voters,
                     uint32_t reach)
{
    const struct candidate *candidates = scratch->candidates;
    uint32_t touched = 0;
    for (uint32_t c = 0; c < voters; c++) {
        if (c + 2 * AHEAD < voters)
            __builtin_prefetch(store->begin + candidates[c + 2 * AHEAD].session);
        if (c + AHEAD < voters) {
            struct stretch next = stretch_of(store, &candidates[c + AHEAD], reach);
            __builtin_prefetch(store->entries + next.from);
            __builtin_prefetch(store->entries + next.to - 1);
        }
        struct stretch here = stretch_of(store, &candidates[c], reach);
        const float *fade = scratch->fade + REACH - (here.middle - here.from);
        for (uint64_t e = here.from; e < here.to; e++) {
            float weight = candidates[c].similarity * *fade++;
            uint32_t item = store->entries[e];
            scratch->touched[touched] = item; /* stays when it is the first vote */
            touched += scratch->votes[item] == 0.0f && weight > 0.0f ? 1 : 0;
            scratch->votes[item] += weight;
        }
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

/* What distances from the shared item count; the greatest that does. */
static uint32_t make_fade(struct eddy_neighbours_scratch *scratch, double decay)
{
    uint32_t reach = 1;
    scratch->fade[REACH] = AT_OR_BEFORE;
    for (uint32_t d = 1; d <= REACH; d++) {
        float near = fade((float)(d - 1), decay);
        scratch->fade[REACH - d] = near * AT_OR_BEFORE;
        scratch->fade[REACH + d] = near;
        reach = near >= LEAST ? d : reach;
    }
    return reach;
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

    uint32_t reach = make_fade(scratch, options->distance_decay);
    voters = choose_voters(scratch, found, voters);
    uint32_t touched = vote(store, scratch, voters, reach);
    if (touched > room)
        touched = make_room(scratch, touched, room);
    return hand_out(scratch, touched, ret_items, ret_weights, room);
}
