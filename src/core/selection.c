/* Which interactions are for what.
 *
 * Validation. With real times: the newest share of events by (time, row), of whomever, as
 * the model will meet the future. Files without times carry positions (0, 1, 2, ...), where
 * "newest" would mean "the longest histories"; there a seeded sample of users is cut, each
 * at a random place among his last CUT_REACH events, so that short and long histories are
 * asked about as they are in service.
 *
 * Recency (recency_mask). How fast tastes drift is read off popularity: for each half-life
 * of a grid, counts of the training events, decayed to the cut, predict the validation
 * events; the half-life with the best mean log-likelihood wins, if it beats no decay by
 * enough to be no accident. What a network learns ages more slowly than what is popular, so
 * weights decay loss_lives times as slowly, and never so fast that more than half of the
 * data would be thrown away. */
#include "core/selection.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"

enum {
    CUT_REACH = 10,
    SAMPLED_USERS_MIN = 20,
};
static const int64_t SMALL_MS = 100000000LL * 1000; /* as interactions.h has it */
static const double loss_lives = 4;
#define LEAST_MEAN_WEIGHT 0.5

/* Seconds; the last: none. */
static const double half_lives[] = {3600,        4 * 3600,    86400,
                                    3 * 86400.0, 7 * 86400,   21 * 86400,
                                    60 * 86400,  180 * 86400, 365 * 86400.0};
enum { HALF_LIVES = sizeof half_lives / sizeof *half_lives };

/* (time, row) of an event. */
struct when {
    int64_t ts_ms;
    uint32_t row;
};

static int compare_when(const void *a, const void *b)
{
    const struct when *x = a, *y = b;
    if (x->ts_ms != y->ts_ms)
        return x->ts_ms < y->ts_ms ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Where a sampled user is cut: a place among his last events, the first one aside. */
static uint64_t sampled_cut(const struct eddy_selection *selection, uint32_t user,
                            uint64_t begin, uint64_t end)
{
    uint64_t reach = end - begin < CUT_REACH + 1 ? end - begin : CUT_REACH + 1;
    if (reach < 2 || eddy_draw64(selection->seed, user, 0, 0) >= selection->share)
        return end;
    return end - 1 - eddy_draw64(selection->seed, user, 1, 0) % (reach - 1);
}

static bool after_cut(const struct eddy_selection *selection,
                      const struct eddy_interaction *row)
{
    return row->ts_ms > selection->cut_ms ||
           (row->ts_ms == selection->cut_ms && row->row >= selection->cut_row);
}

void eddy_selection_user(const struct eddy_selection *selection,
                         const struct eddy_interactions *interactions, uint32_t user,
                         uint64_t *ret_begin, uint64_t *ret_cut, uint64_t *ret_end)
{
    uint64_t begin = interactions->user_begin[user];
    uint64_t end = interactions->user_begin[user + 1], cut = end;

    if (selection->positions)
        cut = sampled_cut(selection, user, begin, end);
    else
        while (cut > begin && after_cut(selection, &interactions->rows[cut - 1]))
            cut--;
    *ret_begin = begin;
    *ret_cut = cut;
    *ret_end = end;
}

enum eddy_part eddy_selection_part(const struct eddy_selection *selection,
                                   const struct eddy_interactions *interactions,
                                   uint64_t row)
{
    const struct eddy_interaction *event = &interactions->rows[row];
    uint64_t begin = interactions->user_begin[event->user];
    uint64_t end = interactions->user_begin[event->user + 1];
    bool after = selection->positions
                     ? row >= sampled_cut(selection, event->user, begin, end)
                     : after_cut(selection, event);
    return after ? EDDY_PART_VALIDATION : EDDY_PART_TRAINING;
}

float eddy_selection_weight(const struct eddy_selection *selection,
                            const struct eddy_interaction *row)
{
    float weight = selection->type_weight[row->type];
    if (selection->half_life_s > 0) {
        double age = (double)(selection->newest_ms - row->ts_ms) / 1000;
        weight *= (float)exp2(-(age > 0 ? age : 0) / selection->half_life_s);
    }
    return weight;
}

struct eddy_selection eddy_selection_all(const struct eddy_selection *selection)
{
    struct eddy_selection all = *selection;
    all.cut_ms = INT64_MAX;
    all.cut_row = UINT32_MAX;
    all.share = 0;
    return all;
}

/* Nine users in ten begin at the same time, or nine steps in ten are one second of a small
 * number: the file counts events, whatever it calls a time. */
static bool times_are_positions(const struct eddy_interactions *in)
{
    uint64_t steps = 0, units = 0, users = 0, together = 0;
    int64_t first = INT64_MAX, last = INT64_MIN;

    for (uint64_t i = 0; i < in->count; i++) {
        first = in->rows[i].ts_ms < first ? in->rows[i].ts_ms : first;
        last = in->rows[i].ts_ms > last ? in->rows[i].ts_ms : last;
    }
    for (uint64_t i = 0; i < in->count; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        if (i == in->user_begin[row->user]) {
            users++;
            together += row->ts_ms == first ? 1 : 0;
            continue;
        }
        steps++;
        units += row->ts_ms - in->rows[i - 1].ts_ms == 1000 ? 1 : 0;
    }
    return (users > 1 && 10 * together >= 9 * users) ||
           (first >= 0 && last < SMALL_MS && 10 * units >= 9 * steps);
}

/* A heap of the newest events, the oldest of them in front: `when` takes its place. */
static void replace_oldest(struct when *heap, uint64_t count, struct when when)
{
    uint64_t at = 0;
    for (uint64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare_when(&heap[child + 1], &heap[child]) < 0)
            child++;
        if (compare_when(&when, &heap[child]) <= 0)
            break;
        heap[at] = heap[child];
    }
    heap[at] = when;
}

/* The oldest of as many newest events as are wanted; only those are in memory. */
static int find_cut(struct eddy_selection *selection,
                    const struct eddy_interactions *in,
                    const struct eddy_selection_options *options)
{
    double wanted = options->validation_fraction * (double)selection->events;
    uint64_t count = wanted > 0 ? (uint64_t)wanted : 0;
    struct when *newest;

    if (count > options->validation_max)
        count = options->validation_max;
    if (count == 0)
        return 0;
    newest = malloc(count * sizeof *newest);
    if (newest == NULL)
        return EDDY_ENOMEM;
    for (uint64_t i = 0; i < count; i++)
        newest[i] = (struct when){INT64_MIN, 0};
    for (uint64_t i = 0; i < in->count; i++) {
        struct when when = {in->rows[i].ts_ms, in->rows[i].row};
        if (compare_when(&when, &newest[0]) > 0)
            replace_oldest(newest, count, when);
    }
    selection->cut_ms = newest[0].ts_ms;
    selection->cut_row = newest[0].row;
    free(newest);
    return 0;
}

/* How many users to sample for the wanted number of events. */
static void find_share(struct eddy_selection *selection,
                       const struct eddy_interactions *in,
                       const struct eddy_selection_options *options)
{
    double wanted = options->validation_fraction * (double)selection->events;
    double mean = 0, users = 0;

    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++) {
        uint64_t n = in->user_begin[u + 1] - in->user_begin[u];
        if (n < 2)
            continue;
        mean += ((double)(n - 1 < CUT_REACH ? n - 1 : CUT_REACH) + 1) / 2;
        users++;
    }
    if (!(wanted >= 1) || users == 0)
        return;
    if (wanted > (double)options->validation_max)
        wanted = (double)options->validation_max;
    double share = wanted / mean; /* mean: still the sum over users */
    share = share * users < SAMPLED_USERS_MIN ? SAMPLED_USERS_MIN / users : share;
    share = share > 0.5 ? 0.5 : share;
    selection->share = (uint64_t)(share * 18446744073709549568.0);
}

/* Mean log-likelihood of the validation events under popularity decayed to the cut;
 * counts: (items), zeroed. */
static double likelihood(const struct eddy_selection *selection,
                         const struct eddy_interactions *in, double half_life_s,
                         double *counts)
{
    uint32_t items = eddy_catalog_count(in->items);
    double total = 0, sum = 0, n = 0;

    for (uint64_t i = 0; i < in->count; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        if (eddy_selection_part(selection, in, i) != EDDY_PART_TRAINING)
            continue;
        double age = (double)(selection->cut_ms - row->ts_ms) / 1000;
        double weight = half_life_s > 0 ? exp2(-age / half_life_s) : 1;
        counts[row->item] += weight;
        total += weight;
    }
    for (uint64_t i = 0; i < in->count && total > 0; i++) {
        if (eddy_selection_part(selection, in, i) != EDDY_PART_VALIDATION)
            continue;
        sum += log(0.8 * counts[in->rows[i].item] / total + 0.2 / items);
        n++;
    }
    memset(counts, 0, items * sizeof *counts);
    return n > 0 ? sum / n : -HUGE_VAL;
}

static int find_half_life(struct eddy_selection *selection,
                          const struct eddy_interactions *in)
{
    static const double worth = 0.03; /* nats per event */
    uint32_t items = eddy_catalog_count(in->items);
    double *counts = calloc((size_t)items + 1, sizeof *counts);
    double best;

    if (counts == NULL)
        return EDDY_ENOMEM;
    best = likelihood(selection, in, 0, counts) + worth;
    for (int h = 0; h < HALF_LIVES; h++) {
        double value = likelihood(selection, in, half_lives[h], counts);
        if (value > best) {
            best = value;
            selection->popularity_half_life_s = half_lives[h];
        }
    }
    free(counts);
    return 0;
}

static double mean_weight(const struct eddy_selection *selection,
                          const struct eddy_interactions *in)
{
    double sum = 0;
    for (uint64_t i = 0; i < in->count; i++)
        sum += exp2(-(double)(selection->newest_ms - in->rows[i].ts_ms) / 1000 /
                    selection->half_life_s);
    return sum / (double)selection->events;
}

static void set_half_life(struct eddy_selection *selection,
                          const struct eddy_interactions *in)
{
    selection->half_life_s = loss_lives * selection->popularity_half_life_s;
    while (mean_weight(selection, in) < LEAST_MEAN_WEIGHT)
        selection->half_life_s *= 1.25;
}

static int set_weights(struct eddy_selection *selection,
                       const struct eddy_interactions *in,
                       const struct eddy_selection_options *options,
                       struct eddy_err *err)
{
    for (uint32_t t = 0; t < 256; t++) {
        selection->type_weight[t] = options->weight_count > 0 ? 0.0f : 1.0f;
    }
    for (uint32_t i = 0; i < options->weight_count; i++) {
        const struct eddy_event_weight *row = &options->weights[i];
        uint32_t t = 0;
        while (t < in->type_count && strcmp(in->types[t], row->type) != 0)
            t++;
        if (t == in->type_count)
            return eddy_fail(err, EDDY_ECONFIG,
                             "no interaction has the event type \"%s\" that training "
                             "is to learn from; check the EVENT_TYPE column",
                             row->type);
        selection->type_weight[t] = (float)row->weight;
    }
    return 0;
}

static void count_events(struct eddy_selection *selection,
                         const struct eddy_interactions *in)
{
    selection->events = in->count;
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++)
        selection->users += in->user_begin[u + 1] > in->user_begin[u] ? 1 : 0;
    for (uint64_t i = 0; i < in->count; i++)
        if (in->rows[i].ts_ms > selection->newest_ms)
            selection->newest_ms = in->rows[i].ts_ms;
}

int eddy_selection_init(struct eddy_selection *selection,
                        const struct eddy_interactions *interactions,
                        const struct eddy_selection_options *options,
                        struct eddy_err *err)
{
    int r;
    *selection = (struct eddy_selection){.cut_ms = INT64_MAX,
                                         .cut_row = UINT32_MAX,
                                         .recency = options->recency,
                                         .seed = options->seed,
                                         .newest_ms = INT64_MIN};
    if ((r = set_weights(selection, interactions, options, err)) < 0)
        return r;
    count_events(selection, interactions);
    selection->positions = times_are_positions(interactions);
    if (selection->positions)
        find_share(selection, interactions, options);
    else
        r = find_cut(selection, interactions, options);
    if (r == 0 && options->recency && !selection->positions)
        r = find_half_life(selection, interactions);
    if (r < 0)
        return eddy_fail(err, r, "no memory to cut the histories of %u users",
                         eddy_catalog_count(interactions->users));
    if (selection->popularity_half_life_s > 0)
        set_half_life(selection, interactions);
    return 0;
}
