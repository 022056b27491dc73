/* Counters with decay, and tables made of them.
 *
 * A decayed sum is kept in units of the weight of an event at a reference time: an event of
 * time t adds 2^((t - reference) / half-life), and reading divides by the same expression of
 * now. When time has moved on by REBASE half-lives all sums are brought to a new reference,
 * so that numbers stay small; at that moment, which is a function of the log and not of who
 * asks when, pairs too light to matter are dropped. So memory holds what is alive: with a
 * half-life of an hour the pairs of about fifteen hours.
 *
 * Pairs lie one behind the other in an array, found through a hash of (row, item); making a
 * table passes over the array twice (count, place) and sorts each row. */
#include "core/counters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/vmath.h"

enum { REBASE = 2, SLOTS_MIN = 1024 };
#define DROP_BELOW  1e-4 /* at a rebase */
#define TABLE_BELOW 1e-3 /* not worth a place in a table */
#define NO_PAIR     UINT32_MAX

struct pair {
    uint32_t row, item;
    double count;
};

struct decay { /* of one half-life */
    double half_life_ms;
    int64_t reference_ms;
};

struct eddy_counters {
    struct eddy_counters_options options;
    double distance_weight[EDDY_RULES_WINDOW_MAX];
    bool started;
    int64_t newest_ms;
    uint32_t items;
    struct decay rules, priors[EDDY_HALF_LIVES_MAX];
    double *support;                     /* (items) of rows of rules */
    double *counts[EDDY_HALF_LIVES_MAX]; /* (items) */
    double sum[EDDY_HALF_LIVES_MAX];
    struct pair *pairs;
    uint32_t pair_count, pair_capacity;
    uint32_t *slots; /* open addressing: index in pairs */
    uint32_t slot_mask;
};

static double factor(const struct decay *decay, int64_t ts_ms)
{
    return decay->half_life_ms > 0
               ? exp2((double)(ts_ms - decay->reference_ms) / decay->half_life_ms)
               : 1;
}

static bool is_far(const struct decay *decay, int64_t now_ms)
{
    return decay->half_life_ms > 0 &&
           (double)(now_ms - decay->reference_ms) > REBASE * decay->half_life_ms;
}

int eddy_counters_new(const struct eddy_counters_options *options,
                      struct eddy_counters **ret, struct eddy_err *err)
{
    if (options->window > EDDY_RULES_WINDOW_MAX ||
        options->half_lives > EDDY_HALF_LIVES_MAX)
        return eddy_fail(err, EDDY_ECONFIG,
                         "counters: window %u and %u half-lives, allowed are %d and %d",
                         options->window, options->half_lives, EDDY_RULES_WINDOW_MAX,
                         EDDY_HALF_LIVES_MAX);
    struct eddy_counters *counters = calloc(1, sizeof *counters);
    size_t items = (size_t)options->items + 1;
    if (counters == NULL)
        goto no_memory;
    counters->options = *options;
    counters->items = options->items;
    counters->rules.half_life_ms = 1000 * options->rules_half_life_s;
    counters->support = calloc(items, sizeof *counters->support);
    counters->slots = malloc(SLOTS_MIN * sizeof *counters->slots);
    bool complete = counters->support && counters->slots;
    for (uint32_t h = 0; h < options->half_lives; h++) {
        counters->priors[h].half_life_ms = 1000 * options->half_life_s[h];
        counters->counts[h] = calloc(items, sizeof *counters->counts[h]);
        complete = complete && counters->counts[h];
    }
    if (!complete)
        goto no_memory;
    memset(counters->slots, 0xff, SLOTS_MIN * sizeof *counters->slots);
    counters->slot_mask = SLOTS_MIN - 1;
    for (uint32_t d = 0; d < options->window; d++)
        counters->distance_weight[d] =
            options->distance_decay > 0 ? exp(-(double)d / options->distance_decay) : 1;
    *ret = counters;
    return 0;
no_memory:
    eddy_counters_free(counters);
    return eddy_fail(err, EDDY_ENOMEM, "no memory to count %u items", options->items);
}

void eddy_counters_free(struct eddy_counters *counters)
{
    if (counters == NULL)
        return;
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        free(counters->counts[h]);
    free(counters->support);
    free(counters->pairs);
    free(counters->slots);
    free(counters);
}

/* ---- pairs -------------------------------------------------------------------------- */

static uint32_t hash_of(uint32_t row, uint32_t item)
{
    uint64_t key = ((uint64_t)row << 32 | item) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(key >> 32 ^ key >> 15);
}

/* The slot of a pair, or the empty one where it belongs. */
static uint32_t *slot_of(struct eddy_counters *counters, uint32_t row, uint32_t item)
{
    uint32_t at = hash_of(row, item) & counters->slot_mask;
    for (;; at = (at + 1) & counters->slot_mask) {
        uint32_t index = counters->slots[at];
        if (index == NO_PAIR ||
            (counters->pairs[index].row == row && counters->pairs[index].item == item))
            return &counters->slots[at];
    }
}

static void fill_slots(struct eddy_counters *counters)
{
    memset(counters->slots, 0xff,
           ((size_t)counters->slot_mask + 1) * sizeof *counters->slots);
    for (uint32_t i = 0; i < counters->pair_count; i++)
        *slot_of(counters, counters->pairs[i].row, counters->pairs[i].item) = i;
}

/* Room for one more pair; the hash stays at most half full. */
static int make_room(struct eddy_counters *counters)
{
    if (counters->pair_count == counters->pair_capacity) {
        if (counters->pair_capacity > UINT32_MAX / 4)
            return EDDY_ENOMEM;
        uint32_t capacity = counters->pair_capacity ? 2 * counters->pair_capacity : 512;
        struct pair *grown = realloc(counters->pairs, (size_t)capacity * sizeof *grown);
        if (grown == NULL)
            return EDDY_ENOMEM;
        counters->pairs = grown;
        counters->pair_capacity = capacity;
    }
    if (2 * ((uint64_t)counters->pair_count + 1) > counters->slot_mask) {
        size_t slots = 2 * ((size_t)counters->slot_mask + 1);
        uint32_t *grown = malloc(slots * sizeof *grown);
        if (grown == NULL)
            return EDDY_ENOMEM;
        free(counters->slots);
        counters->slots = grown;
        counters->slot_mask = (uint32_t)(slots - 1);
        fill_slots(counters);
    }
    return 0;
}

static int add_pair(struct eddy_counters *counters, uint32_t row, uint32_t item,
                    double count)
{
    uint32_t *slot = slot_of(counters, row, item);
    if (*slot == NO_PAIR) {
        if (make_room(counters) < 0)
            return EDDY_ENOMEM;
        slot = slot_of(counters, row, item); /* make_room may have moved it */
        *slot = counters->pair_count++;
        counters->pairs[*slot] = (struct pair){row, item, 0};
    }
    counters->pairs[*slot].count += count;
    return 0;
}

static void rebase_rules(struct eddy_counters *counters, int64_t now_ms)
{
    double scale = 1 / factor(&counters->rules, now_ms);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < counters->pair_count; i++) {
        struct pair pair = counters->pairs[i];
        pair.count *= scale;
        if (pair.count >= DROP_BELOW)
            counters->pairs[kept++] = pair;
    }
    for (uint32_t i = 0; i < counters->items; i++)
        counters->support[i] *= scale;
    counters->pair_count = kept;
    counters->rules.reference_ms = now_ms;
    fill_slots(counters);
}

/* ---- events ------------------------------------------------------------------------- */

static int grow_doubles(double **values, size_t from, size_t to)
{
    double *grown = realloc(*values, to * sizeof *grown);
    if (grown == NULL)
        return EDDY_ENOMEM;
    memset(grown + from, 0, (to - from) * sizeof *grown);
    *values = grown;
    return 0;
}

static int know_item(struct eddy_counters *counters, uint32_t item)
{
    if (item < counters->items)
        return 0;
    size_t to = (size_t)item + 1 + item / 4;
    to = to > UINT32_MAX ? UINT32_MAX : to;
    int r = grow_doubles(&counters->support, counters->items, to);
    for (uint32_t h = 0; r == 0 && h < counters->options.half_lives; h++)
        r = grow_doubles(&counters->counts[h], counters->items, to);
    counters->items = r == 0 ? (uint32_t)to : counters->items;
    return r;
}

/* Brings the clock to ts_ms and the references near it. */
static void move_on(struct eddy_counters *counters, int64_t ts_ms)
{
    if (!counters->started) {
        counters->started = true;
        counters->newest_ms = counters->rules.reference_ms = ts_ms;
        for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
            counters->priors[h].reference_ms = ts_ms;
    }
    if (ts_ms <= counters->newest_ms)
        return;
    counters->newest_ms = ts_ms;
    if (is_far(&counters->rules, ts_ms))
        rebase_rules(counters, ts_ms);
    for (uint32_t h = 0; h < counters->options.half_lives; h++) {
        struct decay *decay = &counters->priors[h];
        if (!is_far(decay, ts_ms))
            continue;
        double scale = 1 / factor(decay, ts_ms);
        for (uint32_t i = 0; i < counters->items; i++)
            counters->counts[h][i] *= scale;
        counters->sum[h] *= scale;
        decay->reference_ms = ts_ms;
    }
}

int eddy_counters_add(struct eddy_counters *counters, int64_t ts_ms, uint32_t item,
                      const uint32_t *recent, uint32_t recent_count)
{
    int r = know_item(counters, item);
    move_on(counters, ts_ms);
    ts_ms = counters->newest_ms;
    for (uint32_t h = 0; r == 0 && h < counters->options.half_lives; h++) {
        double weight = factor(&counters->priors[h], ts_ms);
        counters->counts[h][item] += weight;
        counters->sum[h] += weight;
    }
    double weight = factor(&counters->rules, ts_ms);
    const double reverse = counters->options.reverse;
    for (uint32_t d = 0; d < counters->options.window && d < recent_count; d++) {
        uint32_t row = recent[recent_count - 1 - d];
        r = r ? r : know_item(counters, row);
        r = r ? r
              : add_pair(counters, row, item, weight * counters->distance_weight[d]);
        if (r < 0)
            return r;
        counters->support[row] += weight;
        if (reverse > 0) {
            r = add_pair(counters, item, row,
                         reverse * weight * counters->distance_weight[d]);
            counters->support[item] += reverse * weight;
        }
    }
    return r;
}

int eddy_counters_add_rows(struct eddy_counters *counters,
                           const struct eddy_interactions *interactions,
                           const uint64_t *order, uint64_t count,
                           uint32_t session_gap_s)
{
    const int64_t gap_ms =
        session_gap_s > 0 ? (int64_t)session_gap_s * 1000 : INT64_MAX;
    const struct eddy_interaction *rows = interactions->rows;
    int r = 0;
    for (uint64_t i = 0; r == 0 && i < count; i++) {
        uint32_t recent[EDDY_RULES_WINDOW_MAX], recent_count = 0;
        uint64_t at = order[i], begin = interactions->user_begin[rows[at].user];
        uint64_t first = at;
        while (first > begin && at - first < counters->options.window &&
               rows[first].ts_ms - rows[first - 1].ts_ms <= gap_ms)
            first--;
        for (uint64_t k = first; k < at; k++)
            recent[recent_count++] = rows[k].item;
        r = eddy_counters_add(counters, rows[at].ts_ms, rows[at].item, recent,
                              recent_count);
    }
    return r;
}

uint32_t eddy_counters_pairs(const struct eddy_counters *counters)
{
    return counters->pair_count;
}

/* ---- tables ------------------------------------------------------------------------- */

struct cell {
    uint32_t item;
    float weight;
};

static int by_weight(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static void sort_cells(struct cell *cells, size_t count)
{
    if (count > 16) {
        qsort(cells, count, sizeof *cells, by_weight);
        return;
    }
    for (size_t i = 1; i < count; i++) { /* most rows are short */
        struct cell cell = cells[i];
        size_t at = i;
        for (; at > 0 && by_weight(&cell, &cells[at - 1]) < 0; at--)
            cells[at] = cells[at - 1];
        cells[at] = cell;
    }
}

static bool is_alive(const struct pair *pair, uint32_t items, double below)
{
    return pair->row < items && pair->item < items && pair->count >= below;
}

/* Cells of all rows one behind the other; begin[r + 1] is where row r ends. */
static void place_cells(const struct eddy_counters *counters, double scale,
                        uint32_t items, uint64_t *begin, struct cell *cells)
{
    for (uint32_t i = 0; i < counters->pair_count; i++) {
        const struct pair *pair = &counters->pairs[i];
        if (!is_alive(pair, items, TABLE_BELOW / scale))
            continue;
        double support = counters->support[pair->row] * scale;
        double weight = pair->count * scale / (support + counters->options.shrink);
        cells[begin[pair->row]++] = (struct cell){pair->item, (float)weight};
    }
}

int eddy_counters_rules(struct eddy_counters *counters, int64_t now_ms, uint32_t items,
                        uint32_t width, struct eddy_table *ret)
{
    int64_t at_ms = now_ms > counters->newest_ms ? now_ms : counters->newest_ms;
    double scale = counters->started ? 1 / factor(&counters->rules, at_ms) : 1;
    uint64_t *begin = calloc((size_t)items + 1, sizeof *begin);
    struct cell *cells = malloc(((size_t)counters->pair_count + 1) * sizeof *cells);
    uint64_t total = 0, kept = 0;
    int r = EDDY_ENOMEM;
    if (begin == NULL || cells == NULL)
        goto out;
    for (uint32_t i = 0; i < counters->pair_count; i++) {
        const struct pair *pair = &counters->pairs[i];
        begin[pair->row < items ? pair->row : items] +=
            is_alive(pair, items, TABLE_BELOW / scale);
    }
    for (uint32_t row = 0; row < items; row++) { /* counts -> where rows begin */
        uint64_t n = begin[row];
        begin[row] = total;
        total += n;
        kept += n < width ? n : width;
    }
    place_cells(counters, scale, items, begin, cells);
    r = eddy_table_init(ret, items, kept);
    for (uint32_t row = 0; r == 0 && row < items; row++) {
        uint64_t first = row > 0 ? begin[row - 1] : 0, n = begin[row] - first;
        uint64_t to = ret->begin[row];
        sort_cells(cells + first, (size_t)n);
        n = n < width ? n : width;
        for (uint64_t i = 0; i < n; i++) {
            ret->index[to + i] = cells[first + i].item;
            ret->weight[to + i] = cells[first + i].weight;
        }
        ret->begin[row + 1] = to + n;
    }
out:
    free(begin);
    free(cells);
    return r;
}

void eddy_counters_prior(struct eddy_counters *counters, int64_t now_ms, uint32_t items,
                         uint32_t half_life, float *ret)
{
    const struct decay *decay = &counters->priors[half_life];
    int64_t at_ms = now_ms > counters->newest_ms ? now_ms : counters->newest_ms;
    double scale = counters->started ? 1 / factor(decay, at_ms) : 1;
    double sum = counters->sum[half_life] * scale + 0.5 * items;
    float nothing = eddy_logf((float)(0.5 / sum));
    for (uint32_t i = 0; i < items; i++) {
        double count = i < counters->items ? counters->counts[half_life][i] * scale : 0;
        ret[i] = count < 1e-6 ? nothing : eddy_logf((float)((count + 0.5) / sum));
    }
}
