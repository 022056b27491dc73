#include "core/explore.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/topk.h"
#include "eddy/error.h"

/* BAND: candidates by score, at least twice as many as are asked for. BONUS and
 * TEMPERATURE are in spreads of their scores, so that any recipe's scores will do. */
enum { BAND = 256 };
static const double BONUS = 2, TEMPERATURE = 0.25;

struct eddy_explorer {
    double weight;
    uint64_t seed;
    uint32_t items, new_count;
    uint32_t *new_items; /* (new_count), rising */
    float *novelty;      /* (new_count) 1 / sqrt(1 + exposure) */
};

struct eddy_explorer *eddy_explorer_new(const struct eddy_explore_options *options)
{
    struct eddy_explorer *explorer = calloc(1, sizeof *explorer);
    if (explorer == NULL)
        return NULL;
    *explorer = (struct eddy_explorer){
        .weight = options->weight, .seed = options->seed, .items = options->items};
    explorer->new_items = malloc(((size_t)options->items + 1) * sizeof(uint32_t));
    explorer->novelty = malloc(((size_t)options->items + 1) * sizeof(float));
    if (explorer->new_items == NULL || explorer->novelty == NULL) {
        eddy_explorer_free(explorer);
        return NULL;
    }
    for (uint32_t i = 0; i < options->items; i++) {
        if (!options->is_new[i])
            continue;
        explorer->novelty[explorer->new_count] = 1 / sqrtf(1 + options->exposure[i]);
        explorer->new_items[explorer->new_count++] = i;
    }
    return explorer;
}

void eddy_explorer_free(struct eddy_explorer *explorer)
{
    if (explorer == NULL)
        return;
    free(explorer->new_items);
    free(explorer->novelty);
    free(explorer);
}

uint32_t eddy_explorer_new_items(const struct eddy_explorer *explorer)
{
    return explorer->new_count;
}

/* The best of n scores (an item is its place), best first; count, or EDDY_ENOMEM. */
static int best_of(const float *scores, uint32_t n, uint32_t k, struct eddy_scored *ret)
{
    const struct eddy_kernels *kernels = eddy_kernels_get();
    struct eddy_topk topk;
    if (eddy_topk_init(&topk, k) < 0)
        return EDDY_ENOMEM;
    eddy_topk_begin(&topk, k);
    for (uint32_t i = 0; i < n; i += EDDY_TOPK_TILE) {
        uint32_t tile = n - i < EDDY_TOPK_TILE ? n - i : EDDY_TOPK_TILE;
        eddy_topk_push(&topk, kernels, scores + i, tile, i);
    }
    uint32_t count = eddy_topk_finish(&topk, kernels, ret);
    eddy_topk_fini(&topk);
    return (int)count;
}

/* Standard deviation of the scores; 1 where they are all one, so that equals are drawn
 * evenly. */
static double spread_of(const struct eddy_scored *band, uint32_t count)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)band[i].score;
    for (uint32_t i = 0; i < count; i++) {
        double off = (double)band[i].score - sum / count;
        squares += off * off;
    }
    double spread = count > 0 ? sqrt(squares / count) : 0;
    return spread > 0 ? spread : 1;
}

/* Candidates: their utilities, and what is drawn by. */
struct field {
    uint32_t *item;
    double *utility; /* in units of T, the best one's is 0 */
    float *key;      /* utility + gumbel */
    uint32_t count;
    double t, best; /* T; the best utility in units of the scores */
};

static void add(struct field *field, uint32_t item, double utility)
{
    field->item[field->count] = item;
    field->utility[field->count++] = utility;
}

static int by_item(const void *a, const void *b)
{
    const struct eddy_scored *x = a, *y = b;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* The band and the new items, by item: each once. Sorts the band by item. */
static void gather(const struct eddy_explorer *explorer, const float *scores,
                   struct eddy_scored *band, uint32_t count, struct field *field)
{
    const double spread = spread_of(band, count);
    const double bonus = explorer->weight * BONUS * spread;
    uint32_t next = 0;
    qsort(band, count, sizeof *band, by_item);
    for (uint32_t n = 0; n < explorer->new_count; n++) {
        uint32_t item = explorer->new_items[n];
        for (; next < count && band[next].item < item; next++)
            add(field, band[next].item, (double)band[next].score);
        next += next < count && band[next].item == item;
        if (scores[item] > -INFINITY)
            add(field, item,
                (double)scores[item] + bonus * (double)explorer->novelty[n]);
    }
    for (; next < count; next++)
        add(field, band[next].item, (double)band[next].score);
    field->t = explorer->weight * TEMPERATURE * spread;
    field->best = -HUGE_VAL;
    for (uint32_t i = 0; i < field->count; i++)
        field->best = fmax(field->best, field->utility[i]);
    for (uint32_t i = 0; i < field->count; i++)
        field->utility[i] = (field->utility[i] - field->best) / field->t;
}

static double gumbel(uint64_t draw)
{
    double uniform = ((double)(draw >> 11) + 0.5) * 0x1p-53; /* inside (0, 1) */
    return -log(-log(uniform));
}

static double log_of_sum(double a, double b)
{
    double most = fmax(a, b);
    return most + log1p(exp(fmin(a, b) - most));
}

/* log of the sum over those who were not taken; the keys of the others are -infinity. */
static double log_of_rest(const struct field *field)
{
    double most = -HUGE_VAL, sum = 0;
    for (uint32_t i = 0; i < field->count; i++)
        if (field->key[i] > -INFINITY)
            most = fmax(most, field->utility[i]);
    for (uint32_t i = 0; i < field->count; i++)
        if (field->key[i] > -INFINITY)
            sum += exp(field->utility[i] - most);
    return most + log(sum);
}

/* From the last slot to the first, so that all sums grow and nothing cancels out: before a
 * slot there are those who were not taken, the slots behind it, and itself. */
static void find_propensities(const struct field *field,
                              const struct eddy_scored *taken, uint32_t count,
                              struct eddy_explored *ret)
{
    for (uint32_t i = 0; i < count; i++)
        field->key[taken[i].item] = -INFINITY;
    double left = count < field->count ? log_of_rest(field) : -HUGE_VAL;
    for (uint32_t i = count; i-- > 0;) {
        double own = field->utility[taken[i].item];
        left = log_of_sum(left, own);
        ret[i].propensity = exp(own - left);
    }
}

static int draw(const struct eddy_explorer *explorer, struct field *field,
                uint64_t user, uint64_t revision, uint32_t k, struct eddy_scored *room,
                struct eddy_explored *ret)
{
    for (uint32_t i = 0; i < field->count; i++)
        field->key[i] =
            (float)(field->utility[i] + gumbel(eddy_draw64(explorer->seed, user,
                                                           revision, field->item[i])));
    int count = best_of(field->key, field->count, k, room);
    for (int i = 0; i < count; i++)
        ret[i] = (struct eddy_explored){
            .item = field->item[room[i].item],
            .score = (float)(field->best + (double)room[i].score * field->t)};
    if (count > 0)
        find_propensities(field, room, (uint32_t)count, ret);
    return count;
}

int eddy_explorer_draw(const struct eddy_explorer *explorer, const float *scores,
                       uint64_t user, uint64_t revision, uint32_t k,
                       struct eddy_explored *ret)
{
    const uint32_t size = 2 * k < BAND ? BAND : 2 * k;
    const size_t most = (size_t)size + explorer->new_count;
    struct eddy_scored *band = malloc((size_t)size * sizeof *band);
    struct field field = {.item = malloc(most * sizeof *field.item),
                          .utility = malloc(most * sizeof *field.utility),
                          .key = malloc(most * sizeof *field.key)};
    int count = EDDY_ENOMEM;
    if (band && field.item && field.utility && field.key)
        count = best_of(scores, explorer->items, size, band);
    if (count >= 0 && explorer->weight > 0) {
        gather(explorer, scores, band, (uint32_t)count, &field);
        count = draw(explorer, &field, user, revision, k, band, ret);
    } else if (count >= 0) {
        count = count < (int)k ? count : (int)k;
        for (int i = 0; i < count; i++)
            ret[i] = (struct eddy_explored){band[i].item, band[i].score, 1.0};
    }
    free(band);
    free(field.item);
    free(field.utility);
    free(field.key);
    return count;
}
