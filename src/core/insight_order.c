/* Does order matter? Followers of each item are counted in one half of the users, and asked
 * in the other half: is the next item among the ten most frequent followers of the last
 * one? Then the same with every history shuffled first, which keeps what goes together and
 * destroys what follows what. The ratio of the two is the gain of order: 1 means that a
 * model of sequences has nothing to win over co-occurrence.
 *
 * At most two million transitions, users taken by a hash of their index; a repeated item
 * is no transition. One sort of 64-bit keys per half. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/insight.h"

enum { TRANSITIONS_MAX = 2000000, FOLLOWERS = 10 };

struct chain {
    const struct eddy_interactions *in;
    uint64_t seed, most_users; /* share of users taken: most_users of 2^32 */
    uint64_t *edges, *tests;   /* last << 32 | next */
    uint64_t edge_count, test_count;
    uint32_t *counts;    /* (V) events per item */
    uint32_t *followers; /* (V, FOLLOWERS), EDDY_ITEM_NONE: no more */
    uint32_t *scratch;   /* one history */
};

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Fill edges (users of even hash) and tests (odd). */
static void collect(struct chain *chain, bool shuffled)
{
    const struct eddy_interactions *in = chain->in;
    uint32_t users = eddy_catalog_count(in->users);
    chain->edge_count = chain->test_count = 0;
    for (uint32_t u = 0; u < users; u++) {
        uint64_t hash = eddy_draw64(chain->seed, u, 1, 0), n = 0;
        if ((hash >> 32) >= chain->most_users)
            continue;
        for (uint64_t i = in->user_begin[u]; i < in->user_begin[u + 1]; i++)
            chain->scratch[n++] = in->rows[i].item;
        for (uint64_t i = n; shuffled && i > 1; i--) {
            uint64_t j = eddy_draw64(chain->seed, u, 2, i) % i;
            uint32_t swap = chain->scratch[j];
            chain->scratch[j] = chain->scratch[i - 1];
            chain->scratch[i - 1] = swap;
        }
        for (uint64_t i = 1; i < n; i++) {
            uint64_t last = chain->scratch[i - 1], next = chain->scratch[i];
            if (last == next)
                continue;
            if (hash & 1)
                chain->tests[chain->test_count++] = last << 32 | next;
            else
                chain->edges[chain->edge_count++] = last << 32 | next;
        }
    }
}

/* Into the list of an item's followers, most frequent first; equal ones by popularity. */
static void enter(const struct chain *chain, uint32_t *items, uint32_t *weights,
                  uint32_t next, uint32_t weight)
{
    int at = FOLLOWERS;
    while (at > 0 && (items[at - 1] == EDDY_ITEM_NONE || weights[at - 1] < weight ||
                      (weights[at - 1] == weight &&
                       chain->counts[items[at - 1]] < chain->counts[next])))
        at--;
    if (at == FOLLOWERS)
        return;
    memmove(items + at + 1, items + at, (size_t)(FOLLOWERS - 1 - at) * sizeof *items);
    memmove(weights + at + 1, weights + at,
            (size_t)(FOLLOWERS - 1 - at) * sizeof *weights);
    items[at] = next;
    weights[at] = weight;
}

static void rank_followers(struct chain *chain)
{
    uint32_t items = eddy_catalog_count(chain->in->items), weights[FOLLOWERS] = {0};
    uint64_t last = UINT64_MAX;
    memset(chain->followers, 0xff, (size_t)items * FOLLOWERS * sizeof(uint32_t));
    qsort(chain->edges, chain->edge_count, sizeof *chain->edges, by_key);
    for (uint64_t i = 0, j; i < chain->edge_count; i = j) {
        uint64_t key = chain->edges[i];
        for (j = i + 1; j < chain->edge_count && chain->edges[j] == key; j++) {
        }
        if (key >> 32 != last)
            memset(weights, 0, sizeof weights);
        last = key >> 32;
        enter(chain, chain->followers + last * FOLLOWERS, weights, (uint32_t)key,
              (uint32_t)(j - i));
    }
}

/* Shares of tests whose item is the first, or among the ten. */
static void ask(const struct chain *chain, double *ret_first, double *ret_ten)
{
    uint64_t first = 0, ten = 0;
    for (uint64_t i = 0; i < chain->test_count; i++) {
        const uint32_t *list = chain->followers + (chain->tests[i] >> 32) * FOLLOWERS;
        uint32_t next = (uint32_t)chain->tests[i];
        for (int k = 0; k < FOLLOWERS; k++) {
            ten += list[k] == next;
            first += k == 0 && list[k] == next;
        }
    }
    *ret_first = (double)first / (double)chain->test_count;
    *ret_ten = (double)ten / (double)chain->test_count;
}

static double ask_popular(struct chain *chain)
{
    uint32_t items = eddy_catalog_count(chain->in->items);
    uint32_t best[FOLLOWERS], weights[FOLLOWERS] = {0};
    uint64_t hits = 0;
    memset(best, 0xff, sizeof best);
    for (uint32_t i = 0; i < items; i++)
        enter(chain, best, weights, i, chain->counts[i]);
    for (uint64_t i = 0; i < chain->test_count; i++)
        for (int k = 0; k < FOLLOWERS; k++)
            hits += best[k] == (uint32_t)chain->tests[i];
    return (double)hits / (double)chain->test_count;
}

static void fill(struct chain *chain, struct eddy_insight *insight)
{
    for (uint64_t i = 0; i < chain->in->count; i++)
        chain->counts[chain->in->rows[i].item]++;
    collect(chain, false);
    insight->order_events = chain->test_count;
    if (chain->test_count == 0 || chain->edge_count == 0) {
        insight->order_events = 0;
        return;
    }
    rank_followers(chain);
    ask(chain, &insight->order_hit_1, &insight->order_hit);
    insight->order_popular = ask_popular(chain);
    collect(chain, true);
    if (chain->test_count == 0)
        return;
    rank_followers(chain);
    ask(chain, &insight->order_shuffled_1, &insight->order_shuffled);
}

int eddy_insight_order(const struct eddy_interactions *interactions, uint64_t seed,
                       struct eddy_insight *insight)
{
    uint32_t items = eddy_catalog_count(interactions->items);
    struct chain chain = {
        .in = interactions, .seed = seed, .most_users = UINT64_C(1) << 32};
    if (interactions->count > TRANSITIONS_MAX)
        chain.most_users = (uint64_t)((double)chain.most_users * TRANSITIONS_MAX /
                                      (double)interactions->count);
    /* A sample of users may hold more than its share of events: room for all of them. */
    size_t room = interactions->count + 1;
    chain.edges = malloc(room * sizeof *chain.edges);
    chain.tests = malloc(room * sizeof *chain.tests);
    chain.counts = calloc((size_t)items + 1, sizeof *chain.counts);
    chain.followers = malloc(((size_t)items + 1) * FOLLOWERS * sizeof(uint32_t));
    chain.scratch = malloc((size_t)(insight->per_user.max + 1) * sizeof(uint32_t));
    int r =
        chain.edges && chain.tests && chain.counts && chain.followers && chain.scratch
            ? 0
            : EDDY_ENOMEM;
    if (r == 0)
        fill(&chain, insight);
    free(chain.edges);
    free(chain.tests);
    free(chain.counts);
    free(chain.followers);
    free(chain.scratch);
    return r;
}
