/* Cases of the head's fit with their candidates.
 *
 * A list shows tens of items of a catalogue of thousands, so the fit looks at those that
 * some source puts forward and at the answer: some 200 to 500 of each case. Weights that
 * order these order the top of the catalogue, because an item that no source puts forward
 * has no way up. For the same reason cases whose answer no source puts forward (an item new
 * or rare) have no part in the likelihood: no weights would bring it onto a list, and it
 * would take weight from the sources that bring the others: its logit is hopeless, which a
 * likelihood pays for with the network's weight: on Amazon Toys all of it.
 *
 * Values of every setting (decays, ways of neighbours) are computed once; what a scale does
 * to them is a matter of one pass (eddy_fit_cases_design). Memory: about 30 floats per
 * candidate, some 40 KB per case. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "base/vmath.h"
#include "core/head_fit_parts.h"
#include "core/team.h"
#include "core/topk.h"

enum {
    ROWS = 16,          /* cases whose scores are computed together */
    FROM_NETWORK = 100, /* candidates from each source, at most */
    FROM_FEATURE = 60,
    FROM_PRIOR = 30,
};

#define VOTES(candidates, neighbours, position, distance)                              \
    {                                                                                  \
        EDDY_HEAD_NEIGHBOURS, 1.0f,                                                    \
        {                                                                              \
            candidates, neighbours, position, 0, distance, true                        \
        }                                                                              \
    }
const struct eddy_head_setting eddy_head_settings[EDDY_HEAD_SETTINGS] = {
    {EDDY_HEAD_RELATED, 0.7f, {0}}, {EDDY_HEAD_RELATED, 1.5f, {0}},
    {EDDY_HEAD_RELATED, 4.0f, {0}}, {EDDY_HEAD_RELATED, 15.0f, {0}},
    {EDDY_HEAD_RULES, 0.7f, {0}},   {EDDY_HEAD_RULES, 1.5f, {0}},
    {EDDY_HEAD_RULES, 4.0f, {0}},   {EDDY_HEAD_RULES, 15.0f, {0}},
    VOTES(5000, 500, 1, 1),         VOTES(5000, 500, 4, 4),
    {EDDY_HEAD_SEEN, 1.0f, {0}},    {EDDY_HEAD_SEEN, 3.0f, {0}},
    {EDDY_HEAD_SEEN, 8.0f, {0}},    {EDDY_HEAD_SEEN, 30.0f, {0}},
    {EDDY_HEAD_SHOWN, 0.5f, {0}},   {EDDY_HEAD_SHOWN, 1.5f, {0}},
    {EDDY_HEAD_SHOWN, 5.0f, {0}},   {EDDY_HEAD_SHOWN, 50.0f, {0}},
};

struct source {
    struct eddy_fit_cases *set;
    const struct eddy_tables *tables;
    const float *embedding, *bias;
    uint32_t hidden;
    bool has_shown; /* some case has impressions */
    const struct eddy_head_case *cases;
    uint32_t *order;   /* of the cases, by draw */
    uint32_t *popular; /* (priors, FROM_PRIOR) */
    uint32_t popular_count;
    struct lane *lanes; /* (threads) */
    _Atomic bool failed;
};
struct lane {
    struct eddy_head head[EDDY_HEAD_SETTINGS];
    bool has[EDDY_HEAD_SETTINGS];
    struct eddy_head_scratch *scratch;
    struct eddy_topk topk;
    float *queries, *scores; /* (ROWS, H), (ROWS, V) */
    float *values;           /* (V) of one setting, zero between uses */
    uint32_t candidates[EDDY_FIT_CANDIDATES_MAX];
};

static bool has_feature(const struct source *source, enum eddy_head_feature feature)
{
    const struct eddy_tables *tables = source->tables;
    switch (feature) {
    case EDDY_HEAD_RELATED: return tables->related.items > 0;
    case EDDY_HEAD_RULES: return tables->rules.items > 0;
    case EDDY_HEAD_NEIGHBOURS: return tables->sessions.count > 0;
    case EDDY_HEAD_SHOWN: return source->has_shown;
    default: return true;
    }
}

static int by_item(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The heaviest values of a feature become candidates. */
static uint32_t add_heaviest(const struct eddy_addition *values, uint32_t count,
                             struct eddy_topk *topk, uint32_t *candidates, uint32_t n)
{
    const struct eddy_kernels *kernels = eddy_kernels_get();
    struct eddy_scored best[FROM_FEATURE];
    float tile[EDDY_TOPK_TILE];

    eddy_topk_begin(topk, FROM_FEATURE);
    for (uint32_t first = 0; first < count; first += EDDY_TOPK_TILE) {
        uint32_t m = count - first < EDDY_TOPK_TILE ? count - first : EDDY_TOPK_TILE;
        for (uint32_t i = 0; i < m; i++)
            tile[i] = values[first + i].value;
        eddy_topk_push(topk, kernels, tile, m, first);
    }
    uint32_t found = eddy_topk_finish(topk, kernels, best);
    for (uint32_t i = 0; i < found && n < EDDY_FIT_CANDIDATES_MAX; i++)
        candidates[n++] = values[best[i].item].item;
    return n;
}

static uint32_t add_network(struct source *source, struct lane *lane, uint32_t row,
                            uint32_t n)
{
    const struct eddy_kernels *kernels = eddy_kernels_get();
    struct eddy_scored best[FROM_NETWORK];
    uint32_t items = source->tables->items;
    const float *scores = lane->scores + (size_t)row * items;

    eddy_topk_begin(&lane->topk, FROM_NETWORK);
    for (uint32_t first = 0; first < items; first += EDDY_TOPK_TILE)
        eddy_topk_push(&lane->topk, kernels, scores + first,
                       items - first < EDDY_TOPK_TILE ? items - first : EDDY_TOPK_TILE,
                       first);
    uint32_t found = eddy_topk_finish(&lane->topk, kernels, best);
    for (uint32_t i = 0; i < found && n < EDDY_FIT_CANDIDATES_MAX; i++)
        lane->candidates[n++] = best[i].item;
    return n;
}

static uint32_t make_candidates(struct source *source, struct lane *lane,
                                const struct eddy_head_case *one, uint32_t row,
                                bool *ret_found)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < source->popular_count; i++)
        lane->candidates[n++] = source->popular[i];
    if (one->query != NULL && source->embedding != NULL)
        n = add_network(source, lane, row, n);
    for (uint32_t s = 0; s < EDDY_HEAD_SETTINGS; s++) {
        const struct eddy_addition *values;
        /* one decay of each feature finds what the others do, in another order */
        bool first = s == 0 ||
                     eddy_head_settings[s].feature != eddy_head_settings[s - 1].feature;
        if (!lane->has[s] || (!first && s % 2 == 1))
            continue;
        uint32_t count =
            eddy_head_feature_values(source->tables, &lane->head[s], lane->scratch,
                                     eddy_head_settings[s].feature, one->recent,
                                     &values);
        n = add_heaviest(values, count, &lane->topk, lane->candidates, n);
    }
    *ret_found = false;
    for (uint32_t i = 0; i < n; i++)
        *ret_found = *ret_found || lane->candidates[i] == one->answer;
    lane->candidates[n < EDDY_FIT_CANDIDATES_MAX ? n++ : n - 1] = one->answer;
    qsort(lane->candidates, n, sizeof *lane->candidates, by_item);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || lane->candidates[kept - 1] != lane->candidates[i])
            lane->candidates[kept++] = lane->candidates[i];
    return kept;
}

/* Values of one setting for the candidates of a case. */
static void fill_raw(struct source *source, struct lane *lane, uint32_t setting,
                     const struct eddy_head_case *one, struct eddy_fit_case *to)
{
    const struct eddy_addition *values;
    float *raw = to->raw + (size_t)setting * to->count;
    uint32_t count =
        eddy_head_feature_values(source->tables, &lane->head[setting], lane->scratch,
                                 eddy_head_settings[setting].feature, one->recent,
                                 &values);
    for (uint32_t i = 0; i < count; i++)
        lane->values[values[i].item] = values[i].value;
    for (uint32_t i = 0; i < to->count; i++)
        raw[i] = lane->values[to->items[i]];
    for (uint32_t i = 0; i < count; i++)
        lane->values[values[i].item] = 0.0f;
}

static bool fill_case(struct source *source, struct lane *lane, uint32_t index,
                      uint32_t row)
{
    const struct eddy_head_case *one = &source->cases[source->order[index]];
    struct eddy_fit_case *to = &source->set->cases[index];
    uint32_t n = make_candidates(source, lane, one, row, &to->found);

    to->items = malloc(n * sizeof *to->items);
    to->design = calloc((size_t)n * EDDY_DESIGN_DIMS, sizeof *to->design);
    to->raw = calloc((size_t)n * EDDY_HEAD_SETTINGS, sizeof *to->raw);
    if (!to->items || !to->design || !to->raw)
        return false;
    to->count = n;
    memcpy(to->items, lane->candidates, n * sizeof *to->items);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t item = to->items[i];
        if (item == one->answer)
            to->answer = i;
        if (one->query != NULL && source->embedding != NULL)
            to->design[i] = lane->scores[(size_t)row * source->tables->items + item];
        for (uint32_t h = 0; h < source->tables->priors; h++)
            to->design[(size_t)(EDDY_DESIGN_PRIOR + h) * n + i] =
                source->tables->prior[h][item];
    }
    for (uint32_t s = 0; s < EDDY_HEAD_SETTINGS; s++)
        if (lane->has[s])
            fill_raw(source, lane, s, one, to);
    return true;
}

/* ROWS cases: their scores by one product, then one after the other. */
static void fill_block(void *context, uint32_t task, uint32_t worker)
{
    struct source *source = context;
    struct lane *lane = &source->lanes[worker];
    uint32_t first = task * ROWS, H = source->hidden, V = source->tables->items;
    uint32_t rows = source->set->count - first;

    if (rows > ROWS)
        rows = ROWS;
    if (source->embedding != NULL) {
        memset(lane->queries, 0, sizeof(float) * ROWS * H);
        for (uint32_t r = 0; r < rows; r++) {
            const float *query = source->cases[source->order[first + r]].query;
            if (query != NULL)
                memcpy(lane->queries + (size_t)r * H, query, H * sizeof(float));
            memcpy(lane->scores + (size_t)r * V, source->bias, V * sizeof(float));
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)V, (int)H,
                    1.0f, lane->queries, (int)H, source->embedding, (int)H, 1.0f,
                    lane->scores, (int)V);
    }
    for (uint32_t r = 0; r < rows; r++)
        if (!fill_case(source, lane, first + r, r))
            source->failed = true;
}

static bool make_popular(struct source *source)
{
    const struct eddy_tables *tables = source->tables;
    const struct eddy_kernels *kernels = eddy_kernels_get();
    struct eddy_topk topk;
    struct eddy_scored best[FROM_PRIOR];

    source->popular = malloc(sizeof(uint32_t) * EDDY_HALF_LIVES_MAX * FROM_PRIOR);
    if (source->popular == NULL || eddy_topk_init(&topk, FROM_PRIOR) < 0)
        return false;
    for (uint32_t h = 0; h < tables->priors; h++) {
        eddy_topk_begin(&topk, FROM_PRIOR);
        for (uint32_t first = 0; first < tables->items; first += EDDY_TOPK_TILE)
            eddy_topk_push(&topk, kernels, tables->prior[h] + first,
                           tables->items - first < EDDY_TOPK_TILE
                               ? tables->items - first
                               : EDDY_TOPK_TILE,
                           first);
        uint32_t found = eddy_topk_finish(&topk, kernels, best);
        for (uint32_t i = 0; i < found; i++)
            source->popular[source->popular_count++] = best[i].item;
    }
    eddy_topk_fini(&topk);
    return true;
}

static bool lane_init(struct lane *lane, const struct source *source)
{
    size_t V = source->tables->items, H = source->hidden;
    bool ok = eddy_topk_init(&lane->topk, FROM_NETWORK) == 0;

    lane->values = calloc(V + 1, sizeof *lane->values);
    ok = ok && lane->values != NULL;
    if (source->embedding != NULL) {
        lane->queries = malloc((ROWS * H + 1) * sizeof *lane->queries);
        lane->scores = malloc((ROWS * V + 1) * sizeof *lane->scores);
        ok = ok && lane->queries && lane->scores;
    }
    lane->scratch = eddy_head_scratch_new(source->tables, &eddy_head_plain);
    ok = ok && lane->scratch != NULL;
    for (uint32_t s = 0; ok && s < EDDY_HEAD_SETTINGS; s++) {
        const struct eddy_head_setting *setting = &eddy_head_settings[s];
        if (!has_feature(source, setting->feature))
            continue;
        lane->head[s] = eddy_head_plain;
        lane->head[s].recent = EDDY_HEAD_RECENT_MAX;
        lane->head[s].decay[setting->feature] = setting->decay;
        lane->head[s].scale[setting->feature] = 1.0f;
        lane->head[s].weight[0][setting->feature] = 1.0f;
        if (setting->feature == EDDY_HEAD_NEIGHBOURS)
            lane->head[s].neighbours = setting->neighbours;
        lane->has[s] = true;
    }
    return ok;
}

static void lane_fini(struct lane *lane)
{
    eddy_head_scratch_free(lane->scratch);
    eddy_topk_fini(&lane->topk);
    free(lane->queries);
    free(lane->scores);
    free(lane->values);
}

/* A permutation of 0 .. count - 1 (Fisher, Yates). */
static uint32_t *make_order(uint32_t count, uint64_t seed)
{
    uint32_t *order = malloc(((size_t)count + 1) * sizeof *order);
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (uint32_t i = 0; order != NULL && i < count; i++) {
        uint32_t at = eddy_rng_below(&rng, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    return order;
}

int eddy_fit_cases_init(struct eddy_fit_cases *set, const struct eddy_tables *tables,
                        const float *embedding, const float *bias, uint32_t hidden,
                        const struct eddy_head_case *cases, uint32_t count,
                        uint32_t threads, uint64_t seed)
{
    struct source source = {.set = set,
                            .tables = tables,
                            .embedding = embedding,
                            .bias = bias,
                            .hidden = hidden,
                            .cases = cases};
    *set = (struct eddy_fit_cases){.count = count, .threads = threads};
    set->cases = calloc((size_t)count + 1, sizeof *set->cases);
    source.lanes = calloc(threads, sizeof *source.lanes);
    source.order = make_order(count, seed);
    bool ok = set->cases && source.lanes && source.order && make_popular(&source);
    for (uint32_t i = 0; i < count; i++)
        source.has_shown = source.has_shown || cases[i].recent.shown_count > 0;
    for (uint32_t t = 0; ok && t < threads; t++)
        ok = lane_init(&source.lanes[t], &source);
    for (uint32_t i = 0; ok && i < count; i++) {
        const struct eddy_head_case *one = &cases[source.order[i]];
        set->cases[i].bucket = eddy_head_bucket(one->recent.count);
        set->cases[i].fold = (uint32_t)(eddy_mix64(seed, one->user) & 1);
    }
    if (ok)
        eddy_team_run(threads, (count + ROWS - 1) / ROWS, fill_block, &source);
    ok = ok && !source.failed;
    set->available = embedding != NULL ? 1u << EDDY_DESIGN_NETWORK : 0;
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
        if (has_feature(&source, f))
            set->available |= 1u << (EDDY_DESIGN_FEATURE + f);
    for (uint32_t h = 0; h < tables->priors; h++)
        set->available |= 1u << (EDDY_DESIGN_PRIOR + h);
    for (uint32_t t = 0; source.lanes && t < threads; t++)
        lane_fini(&source.lanes[t]);
    free(source.lanes);
    free(source.popular);
    free(source.order);
    if (ok)
        return 0;
    eddy_fit_cases_fini(set);
    return EDDY_ENOMEM;
}

void eddy_fit_cases_fini(struct eddy_fit_cases *set)
{
    for (uint32_t i = 0; set->cases && i < set->count; i++) {
        free(set->cases[i].items);
        free(set->cases[i].design);
        free(set->cases[i].raw);
    }
    free(set->cases);
    *set = (struct eddy_fit_cases){0};
}

void eddy_fit_cases_design(struct eddy_fit_cases *set, uint32_t count, uint32_t setting,
                           float scale)
{
    uint32_t column = EDDY_DESIGN_FEATURE + eddy_head_settings[setting].feature;
    for (uint32_t i = 0; i < count && i < set->count; i++) {
        struct eddy_fit_case *one = &set->cases[i];
        const float *raw = one->raw + (size_t)setting * one->count;
        float *to = one->design + (size_t)column * one->count;
        for (uint32_t k = 0; k < one->count; k++)
            to[k] = raw[k] > 0.0f ? eddy_log1pf(scale * raw[k]) : 0.0f;
    }
}
