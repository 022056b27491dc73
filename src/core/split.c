/* Splits of a log into what is trained on and what is asked (contract in split.h).
 *
 * Every rule looks at users, times and the order of the file alone. The two that draw
 * (solution: users, cold-items: items) permute things in order of first appearance the way
 * NumPy's RandomState(seed).permutation does, because the AWS workshop draws its items so:
 * with seed 42 the cold half of ML-1M is the workshop's own (PERSONALIZE 8.2), and a few
 * lines of Python outside can name the same users and items. */
#include "core/split.h"

#include <stdlib.h>

static const char *const names[EDDY_PROTOCOLS] = {
    "loo",         "sessions",   "successive", "aws-workshop", "solution-metrics",
    "prequential", "cold-items", "segments"};

const char *eddy_protocol_name(enum eddy_protocol protocol)
{
    return names[protocol];
}

bool eddy_protocol_asks_once(enum eddy_protocol protocol)
{
    return protocol == EDDY_PROTOCOL_LOO || protocol == EDDY_PROTOCOL_WORKSHOP ||
           protocol == EDDY_PROTOCOL_SOLUTION || protocol == EDDY_PROTOCOL_COLD_ITEMS ||
           protocol == EDDY_PROTOCOL_SEGMENTS;
}

struct eddy_split_options eddy_split_defaults(enum eddy_protocol protocol)
{
    return (struct eddy_split_options){
        .protocol = protocol, .from_ms = INT64_MIN, .fraction = 0.9, .seed = 42};
}

/* MT19937 (Matsumoto and Nishimura, 1998), seeded by one 32-bit word. */
enum { MT_WORDS = 624, MT_MIDDLE = 397 };
struct twister {
    uint32_t words[MT_WORDS];
    uint32_t at;
};

static void twister_seed(struct twister *twister, uint64_t seed)
{
    twister->words[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < MT_WORDS; i++) {
        uint32_t previous = twister->words[i - 1];
        twister->words[i] = 1812433253u * (previous ^ (previous >> 30)) + i;
    }
    twister->at = MT_WORDS;
}

static uint32_t twister_next(struct twister *twister)
{
    uint32_t *words = twister->words;
    if (twister->at == MT_WORDS) {
        for (uint32_t i = 0; i < MT_WORDS; i++) {
            uint32_t y =
                (words[i] & 0x80000000u) | (words[(i + 1) % MT_WORDS] & 0x7fffffffu);
            words[i] = words[(i + MT_MIDDLE) % MT_WORDS] ^ (y >> 1) ^
                       (y & 1 ? 0x9908b0dfu : 0);
        }
        twister->at = 0;
    }
    uint32_t y = words[twister->at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* Uniform in [0, max]: masked and drawn again, as NumPy does. */
static uint32_t twister_to(struct twister *twister, uint32_t max)
{
    uint32_t mask = max, value;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    do
        value = twister_next(twister) & mask;
    while (value > max);
    return value;
}

static void permute(uint32_t *values, uint32_t count, uint64_t seed)
{
    struct twister twister;
    twister_seed(&twister, seed);
    for (uint32_t i = count; i-- > 1;) {
        uint32_t j = twister_to(&twister, i), value = values[i];
        values[i] = values[j];
        values[j] = value;
    }
}

struct split {
    const struct eddy_interactions *in;
    const struct eddy_split_options *options;
    uint8_t *marks;
    uint32_t users;
    int64_t from_ms;
};

static void split_loo(struct split *split)
{
    const struct eddy_interactions *in = split->in;
    for (uint32_t u = 0; u < split->users; u++)
        if (in->user_begin[u + 1] - in->user_begin[u] >= 2)
            split->marks[in->user_begin[u + 1] - 1] = EDDY_MARK_ANSWER;
}

static void split_workshop(struct split *split)
{
    const struct eddy_interactions *in = split->in;
    for (uint32_t u = 0; u < split->users; u++) {
        uint64_t begin = in->user_begin[u], count = in->user_begin[u + 1] - begin;
        for (uint64_t i = 0; i < count; i++)
            if ((double)(i + 1) / (double)count > split->options->fraction)
                split->marks[begin + i] = EDDY_MARK_ANSWER;
    }
}

/* Events from from_ms on are asked, but for a user's first, which has nothing before it and
 * is history of the next. */
static void split_from(struct split *split, int64_t from_ms)
{
    const struct eddy_interactions *in = split->in;
    for (uint32_t u = 0; u < split->users; u++)
        for (uint64_t i = in->user_begin[u]; i < in->user_begin[u + 1]; i++)
            if (in->rows[i].ts_ms >= from_ms)
                split->marks[i] =
                    i == in->user_begin[u] ? EDDY_MARK_HISTORY : EDDY_MARK_ANSWER;
}

/* The time at place `at` of all times in order, byte by byte from the highest: a pass over
 * the rows counts the values that the next byte has among the times that begin as it does.
 * No memory, however long the log. */
static int64_t time_at(const struct eddy_interactions *in, uint64_t at)
{
    const uint64_t sign = UINT64_C(1)
                          << 63; /* without it, times are in order as bits */
    uint64_t known = 0, mask = 0;
    for (int shift = 56; shift >= 0; shift -= 8) {
        uint64_t counts[256] = {0}, byte = 0;
        for (uint64_t i = 0; i < in->count; i++) {
            uint64_t bits = (uint64_t)in->rows[i].ts_ms ^ sign;
            counts[bits >> shift & 255] += (bits & mask) == known;
        }
        while (at >= counts[byte])
            at -= counts[byte++];
        known |= byte << shift;
        mask |= UINT64_C(255) << shift;
    }
    return (int64_t)(known ^ sign);
}

static void split_successive(struct split *split)
{
    const struct eddy_interactions *in = split->in;
    split->from_ms = split->options->from_ms;
    if (split->from_ms == INT64_MIN && in->count > 0)
        split->from_ms =
            time_at(in, (uint64_t)(split->options->fraction * (double)(in->count - 1)));
    split_from(split, split->from_ms);
}

static int split_solution(struct split *split)
{
    const struct eddy_interactions *in = split->in;
    uint32_t *order = malloc(((size_t)split->users + 1) * sizeof *order);
    if (order == NULL)
        return EDDY_ENOMEM;
    for (uint32_t u = 0; u < split->users; u++)
        order[u] = u;
    permute(order, split->users, split->options->seed);
    for (uint32_t k = 0; k < split->users / 10; k++) {
        uint64_t begin = in->user_begin[order[k]], end = in->user_begin[order[k] + 1];
        uint64_t asked = (end - begin) / 10;
        memset(split->marks + begin, EDDY_MARK_HISTORY, end - begin);
        memset(split->marks + end - asked, EDDY_MARK_ANSWER, asked);
    }
    free(order);
    return 0;
}

/* Rounded down, as the service does with its tenth. */
static void split_segments(struct split *split)
{
    const struct eddy_interactions *in = split->in;
    for (uint32_t u = 0; u < split->users; u++) {
        uint64_t end = in->user_begin[u + 1], asked = (end - in->user_begin[u]) / 5;
        memset(split->marks + end - asked, EDDY_MARK_ANSWER, asked);
    }
}

struct item_place {
    uint32_t item, row;
};

static int compare_place(const void *a, const void *b)
{
    const struct item_place *x = a, *y = b;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Items that occur, in order of their first rows of the file. */
static uint32_t appearing(const struct eddy_interactions *in, uint32_t items,
                          struct item_place *ret)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < items; i++)
        ret[i] = (struct item_place){i, UINT32_MAX};
    for (uint64_t i = 0; i < in->count; i++) {
        struct item_place *place = &ret[in->rows[i].item];
        if (in->rows[i].row < place->row)
            place->row = in->rows[i].row;
    }
    qsort(ret, items, sizeof *ret, compare_place);
    while (count < items && ret[count].row != UINT32_MAX)
        count++;
    return count;
}

static int split_cold(struct split *split)
{
    const struct eddy_interactions *in = split->in;
    uint32_t items = eddy_catalog_count(in->items);
    struct item_place *places = malloc(((size_t)items + 1) * sizeof *places);
    uint32_t *order = malloc(((size_t)items + 1) * sizeof *order);
    bool *cold = calloc((size_t)items + 1, sizeof *cold);
    int r = EDDY_ENOMEM;
    if (places != NULL && order != NULL && cold != NULL) {
        uint32_t count = appearing(in, items, places);
        for (uint32_t i = 0; i < count; i++)
            order[i] = places[i].item;
        permute(order, count, split->options->seed);
        for (uint32_t i = 0; i < count / 2; i++)
            cold[order[i]] = true;
        for (uint64_t i = 0; i < in->count; i++)
            if (cold[in->rows[i].item])
                split->marks[i] = EDDY_MARK_ANSWER;
        r = 0;
    }
    free(places);
    free(order);
    free(cold);
    return r;
}

static int mark_all(struct split *split)
{
    switch (split->options->protocol) {
    case EDDY_PROTOCOL_LOO: split_loo(split); return 0;
    case EDDY_PROTOCOL_SESSIONS: split_from(split, INT64_MIN); return 0;
    case EDDY_PROTOCOL_SUCCESSIVE: split_successive(split); return 0;
    case EDDY_PROTOCOL_WORKSHOP: split_workshop(split); return 0;
    case EDDY_PROTOCOL_SOLUTION: return split_solution(split);
    case EDDY_PROTOCOL_SEGMENTS: split_segments(split); return 0;
    case EDDY_PROTOCOL_PREQUENTIAL:
        split->from_ms = split->options->from_ms;
        split_from(split, split->from_ms);
        return 0;
    default: return split_cold(split);
    }
}

/* Why a split asks nothing, and what to do about it. */
static const char *nothing_because(enum eddy_protocol protocol)
{
    switch (protocol) {
    case EDDY_PROTOCOL_LOO:
    case EDDY_PROTOCOL_SESSIONS: return "no user has two events";
    case EDDY_PROTOCOL_SUCCESSIVE:
    case EDDY_PROTOCOL_PREQUENTIAL:
        return "no user has an event from that time on with one before it: take an "
               "earlier --from";
    case EDDY_PROTOCOL_SOLUTION:
        return "it takes 10 users, and 10 events of one of those drawn";
    case EDDY_PROTOCOL_COLD_ITEMS: return "it takes two items";
    case EDDY_PROTOCOL_SEGMENTS: return "no user has five events";
    default: return "there are no events";
    }
}

/* marks: as many as rows, all EDDY_MARK_TRAIN; NULL: there was no memory for them. */
static int fill_marks(const struct eddy_interactions *interactions,
                      const struct eddy_split_options *options, uint8_t *marks,
                      int64_t *ret_from_ms, struct eddy_err *err)
{
    struct split split = {.in = interactions,
                          .options = options,
                          .marks = marks,
                          .users = eddy_catalog_count(interactions->users),
                          .from_ms = INT64_MIN};
    if (marks == NULL || mark_all(&split) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "no memory to split %llu events",
                         (unsigned long long)interactions->count);
    if (!memchr(marks, EDDY_MARK_ANSWER, (size_t)interactions->count))
        return eddy_fail(err, EDDY_EFORMAT, "protocol %s has nothing to ask: %s",
                         names[options->protocol], nothing_because(options->protocol));
    if (ret_from_ms != NULL)
        *ret_from_ms = split.from_ms;
    return 0;
}

int eddy_split(const struct eddy_interactions *interactions,
               const struct eddy_split_options *options, uint8_t **ret_marks,
               int64_t *ret_from_ms, struct eddy_err *err)
{
    uint8_t *marks = calloc((size_t)interactions->count + 1, 1);
    int r = fill_marks(interactions, options, marks, ret_from_ms, err);
    if (r < 0)
        free(marks);
    else
        *ret_marks = marks;
    return r;
}

/* Rows of `in` that are kept to `rows`, and where users begin to `begin`; the two may be
 * in's own. Returns how many. */
static uint64_t keep_rows(const struct eddy_interactions *in, const uint8_t *marks,
                          unsigned keep, struct eddy_interaction *rows, uint64_t *begin)
{
    uint32_t users = eddy_catalog_count(in->users);
    uint64_t count = 0, at = 0;
    for (uint32_t u = 0; u < users; u++) {
        uint64_t end = in->user_begin[u + 1];
        begin[u] = count;
        for (; at < end; at++)
            if (keep & EDDY_KEEP(marks[at]))
                rows[count++] = in->rows[at];
    }
    begin[users] = count;
    return count;
}

int eddy_interactions_view(const struct eddy_interactions *interactions,
                           const uint8_t *marks, unsigned keep,
                           struct eddy_interactions *ret, struct eddy_err *err)
{
    size_t users = (size_t)eddy_catalog_count(interactions->users) + 1;
    uint64_t kept = 0;
    for (uint64_t i = 0; i < interactions->count; i++)
        kept += (keep & EDDY_KEEP(marks[i])) != 0;
    *ret = *interactions;
    ret->rows = malloc((size_t)(kept + 1) * sizeof *ret->rows);
    ret->user_begin = malloc(users * sizeof *ret->user_begin);
    if (ret->rows == NULL || ret->user_begin == NULL) {
        eddy_interactions_view_fini(ret);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %llu events",
                         (unsigned long long)kept);
    }
    ret->count = keep_rows(interactions, marks, keep, ret->rows, ret->user_begin);
    return 0;
}

void eddy_interactions_view_fini(struct eddy_interactions *view)
{
    free(view->rows);
    free(view->user_begin);
    memset(view, 0, sizeof *view);
}

void eddy_interactions_filter(struct eddy_interactions *interactions,
                              const uint8_t *marks, unsigned keep)
{
    interactions->count = keep_rows(interactions, marks, keep, interactions->rows,
                                    interactions->user_begin);
}

int eddy_split_hold_out(struct eddy_interactions *interactions,
                        const struct eddy_split_options *options, int64_t *ret_from_ms,
                        uint64_t *ret_held_out, struct eddy_err *err)
{
    uint64_t before = interactions->count;
    if (options->protocol == EDDY_PROTOCOL_SESSIONS)
        return eddy_fail(
            err, EDDY_ECONFIG,
            "protocol sessions asks about a test file of its own: train on "
            "the other file, nothing of it is held out");
    if (options->protocol == EDDY_PROTOCOL_PREQUENTIAL && options->from_ms == INT64_MIN)
        return eddy_fail(err, EDDY_ECONFIG,
                         "holding out for prequential needs the time that it begins at "
                         "(--from)");
    int r = 0;
    uint8_t *marks = eddy_spill_new(interactions->spill, before + 1, &r, err);
    if (marks == NULL)
        return r;
    memset(marks, EDDY_MARK_TRAIN, before);
    r = fill_marks(interactions, options, marks, ret_from_ms, err);
    if (r == 0)
        eddy_interactions_filter(interactions, marks, EDDY_KEEP(EDDY_MARK_TRAIN));
    if (r == 0 && ret_held_out != NULL)
        *ret_held_out = before - interactions->count;
    eddy_spill_free(marks);
    return r;
}
