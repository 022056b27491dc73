/* Exact top-k by threshold, buffer and selection.
 *
 * A candidate is one 64-bit key: the score mapped to an unsigned integer of the same
 * order, above the complement of the item index. Comparing keys is comparing (score
 * descending, item ascending): ties need no code, keys are all different, and the result
 * is a function of the set of scores alone.
 *
 * Items arrive with rising index, so a later item whose score only equals the k-th best
 * loses the tie: the filter may ask for strictly more than the threshold.
 *
 * The threshold comes from the maxima of about 4k groups of items. Maxima of different
 * groups are different items: what at least k maxima exceed, at least k items exceed. How
 * loose that bound is does not depend on the number of items seen: for independent scores
 * about 1.15 k items pass it (G (-ln(1 - k/G)) for G groups), against k for the true k-th
 * best, and it costs a vector maximum per 16 scores and a few counts over the maxima. It is
 * raised at tiles 1, 2, 4, 8 .., and where a tile lets many through.
 *
 * Rejected: a heap (one unpredictable walk per candidate, about 180 of them for 25 of
 * 10 000) and selections of the buffer (each as dear as filtering all the scores).
 * Selection remains for the end and for unkind input: equal scores, a rising sequence. */
#include "core/topk.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "eddy/error.h"

enum { LANES = 16, SLACK = 256 };

static uint32_t groups_of(uint32_t k)
{
    return (4 * k + 2 * LANES - 1) / LANES * LANES;
}

/* Between tiles the buffer holds at most that many. */
static uint32_t kept_max(uint32_t k)
{
    return 4 * k + SLACK;
}

int eddy_topk_init(struct eddy_topk *topk, uint32_t k_max)
{
    *topk = (struct eddy_topk){.k_max = k_max};
    topk->keys = calloc((size_t)kept_max(k_max) + EDDY_TOPK_TILE, sizeof(*topk->keys));
    topk->maxima = eddy_floats_new(groups_of(k_max));
    if (topk->keys && topk->maxima)
        return 0;
    eddy_topk_fini(topk);
    return EDDY_ENOMEM;
}

void eddy_topk_fini(struct eddy_topk *topk)
{
    free(topk->keys);
    free(topk->maxima);
    *topk = (struct eddy_topk){0};
}

void eddy_topk_begin(struct eddy_topk *topk, uint32_t k)
{
    topk->k = k;
    topk->groups = groups_of(k);
    topk->count = 0;
    topk->tiles = 0;
    topk->threshold = -INFINITY;
    for (uint32_t g = 0; g < topk->groups; g++)
        topk->maxima[g] = -INFINITY;
}

static uint64_t key_of(float score, uint32_t item)
{
    uint32_t bits;
    score += 0.0F; /* -0 becomes +0: they are equal as scores */
    memcpy(&bits, &score, sizeof(bits));
    bits = bits >> 31 ? ~bits : bits | 0x80000000U;
    return (uint64_t)bits << 32 | (uint32_t)~item;
}

static struct eddy_scored scored_of(uint64_t key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    struct eddy_scored scored = {.item = ~(uint32_t)key};
    bits = bits >> 31 ? bits & 0x7fffffffU : ~bits;
    memcpy(&scored.score, &bits, sizeof(bits));
    return scored;
}

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t held = *a;
    *a = *b;
    *b = held;
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* Shell's sort, falling (gaps: Ciura 2001): short for 25 keys, bearable for 500. */
static void sort_keys(uint64_t *keys, uint32_t count)
{
    static const uint8_t gaps[] = {132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof(gaps); g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            uint64_t key = keys[i];
            uint32_t j = i;
            for (; j >= gap && keys[j - gap] < key; j -= gap)
                keys[j] = keys[j - gap];
            keys[j] = key;
        }
    }
}

/* Hoare's selection: afterwards keys[k - 1] is the k-th largest and those before it are the
 * larger ones, in any order; 0 < k <= count. */
static void select_keys(uint64_t *keys, uint32_t count, uint32_t k)
{
    int64_t low = 0, high = (int64_t)count - 1, target = (int64_t)k - 1;
    while (low < high) {
        uint64_t pivot = median(keys[low], keys[(low + high) / 2], keys[high]);
        int64_t i = low, j = high;
        while (i <= j) {
            while (keys[i] > pivot)
                i++;
            while (keys[j] < pivot)
                j--;
            if (i <= j)
                swap(&keys[i++], &keys[j--]);
        }
        /* [low, j] >= pivot >= [i, high]; what lies between them is the pivot. */
        if (target <= j)
            high = j;
        else if (target >= i)
            low = i;
        else
            return;
    }
}

/* Cut the buffer to the k best and ask for more than the worst of them. */
static void cut(struct eddy_topk *topk)
{
    select_keys(topk->keys, topk->count, topk->k);
    topk->count = topk->k;
    topk->threshold = scored_of(topk->keys[topk->k - 1]).score;
}

void eddy_topk_push(struct eddy_topk *topk, const struct eddy_kernels *kernels,
                    const float *scores, uint32_t n, uint32_t first_item)
{
    uint16_t hits[EDDY_TOPK_TILE];
    if (topk->k == 0)
        return;
    uint32_t first_group = first_item % topk->groups / LANES * LANES;
    kernels->fold(topk->maxima, topk->groups, first_group, scores, n);
    topk->tiles++;
    bool raised = (topk->tiles & (topk->tiles - 1)) == 0;
    if (raised)
        topk->threshold =
            kernels->raise(topk->maxima, topk->groups, topk->k, topk->threshold);
    uint32_t count = kernels->above(scores, n, topk->threshold, hits);
    if (count > 4 * topk->k && !raised) {
        topk->threshold =
            kernels->raise(topk->maxima, topk->groups, topk->k, topk->threshold);
        count = kernels->above(scores, n, topk->threshold, hits);
    }
    for (uint32_t i = 0; i < count; i++)
        topk->keys[topk->count + i] = key_of(scores[hits[i]], first_item + hits[i]);
    topk->count += count;
    if (topk->count > kept_max(topk->k))
        cut(topk);
}

uint32_t eddy_topk_finish(struct eddy_topk *topk, const struct eddy_kernels *kernels,
                          struct eddy_scored *ret)
{
    uint64_t *keys = topk->keys;
    if (topk->k == 0)
        return 0;
    /* A last rise leaves hardly more than k, without unpredictable branches. */
    uint64_t limit =
        key_of(kernels->raise(topk->maxima, topk->groups, topk->k, topk->threshold),
               UINT32_MAX);
    uint32_t count = 0;
    for (uint32_t i = 0; i < topk->count; i++) {
        keys[count] = keys[i];
        count += keys[i] > limit;
    }
    topk->count = count;
    if (topk->count > 2 * topk->k)
        cut(topk);
    sort_keys(keys, topk->count);
    topk->count = topk->count < topk->k ? topk->count : topk->k;
    for (uint32_t i = 0; i < topk->count; i++)
        ret[i] = scored_of(keys[i]);
    return topk->count;
}
