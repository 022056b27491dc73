/* The random model of `eddy bench`, and what scoring costs at least.
 *
 * The floor is what one would write first: cblas_sgemm of all queries with all items, then
 * a partial sort of every row. It moves V floats per row through memory once more than a
 * kernel that filters while scores are in registers has to.
 *
 * Budget at V = 10 000, H = 128: 2.56 MFLOP per list; one AVX2 core of 3 GHz does about 60
 * to 90 GFLOP/s in sgemm, so some 30 to 45 us per list and 10 kB of item matrix per us. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/bench.h"
#include "base/clock.h"
#include "base/rng.h"
#include "core/kernel.h"

static void fill_params(const struct eddy_layout *layout, float *params, uint64_t seed)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (uint32_t t = 0; t < layout->count; t++) {
        const struct eddy_tensor *tensor = &layout->tensors[t];
        size_t count = (size_t)tensor->rows * tensor->cols;
        float *at = params + tensor->offset;
        bool gain = strstr(tensor->name, "gain") != NULL;
        float scale = 1.0F / (float)(tensor->cols > 1 ? tensor->cols : 100);
        for (size_t i = 0; i < count; i++)
            at[i] = gain ? 1.0F : (float)eddy_rng_normal(&rng) * scale * 4.0F;
    }
}

static struct eddy_catalog *make_catalog(uint32_t items)
{
    struct eddy_catalog *catalog = eddy_catalog_new();
    for (uint32_t i = 0; catalog && i < items; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "item%u", i);
        if (eddy_catalog_add(catalog, eddy_span_of(id)) == EDDY_ITEM_NONE) {
            eddy_catalog_free(catalog);
            return NULL;
        }
    }
    return catalog;
}

static int describe(struct eddy_manifest *manifest, const struct eddy_shape *shape,
                    uint64_t seed)
{
    static const char *const types[] = {"", "click", "purchase"};
    *manifest = (struct eddy_manifest){.recipe = "bench",
                                       .shape = *shape,
                                       .session_gap_s = 1800,
                                       .recent_events = 100,
                                       .seed = seed};
    for (uint32_t t = 0; t < shape->types; t++)
        manifest->types[t] = strdup(t < 3 ? types[t] : "other");
    manifest->hyper_json = strdup("{}");
    manifest->data_json = strdup("{}");
    manifest->metrics_json = strdup("{}");
    return manifest->hyper_json && manifest->data_json && manifest->metrics_json
               ? 0
               : EDDY_ENOMEM;
}

int eddy_bench_snapshot(const struct eddy_shape *shape, uint64_t seed,
                        struct eddy_snapshot **ret, struct eddy_err *err)
{
    struct eddy_layout layout;
    struct eddy_manifest manifest = {0};
    struct eddy_buf model, table, text;
    float *params = NULL, *popularity = NULL;
    struct eddy_catalog *catalog = NULL;
    eddy_buf_init(&model, 0);
    eddy_buf_init(&table, 0);
    eddy_buf_init(&text, 0);
    int r = eddy_layout_init(&layout, shape, err);
    if (r < 0)
        goto out;
    r = eddy_fail(err, EDDY_ENOMEM, "out of memory");
    params = eddy_params_new(&layout);
    popularity = calloc(shape->items, sizeof *popularity);
    catalog = make_catalog(shape->items);
    if (!params || !popularity || !catalog || describe(&manifest, shape, seed) < 0)
        goto out;
    fill_params(&layout, params, seed);
    for (uint32_t i = 0; i < shape->items; i++)
        popularity[i] = 1.0F / (float)(i + 2);
    const struct eddy_snapshot_parts parts = {.layout = &layout,
                                              .params = params,
                                              .popularity = popularity,
                                              .catalog = catalog};
    r = eddy_snapshot_encode(&manifest, &parts, &model, &table, &text, err);
    if (r == 0) {
        const struct eddy_snapshot_files files = {
            eddy_buf_span(&model), eddy_buf_span(&table), eddy_buf_span(&text)};
        r = eddy_snapshot_decode(&files, eddy_kernels_get(), ret, err);
    }
    if (r == 0 && err)
        *err = (struct eddy_err){0};
out:
    free(params);
    free(popularity);
    eddy_catalog_free(catalog);
    eddy_manifest_fini(&manifest);
    eddy_buf_fini(&model);
    eddy_buf_fini(&table);
    eddy_buf_fini(&text);
    return r;
}

/* ---- the floor ------------------------------------------------------------------- */

struct eddy_bench_scorer {
    const struct eddy_snapshot *snapshot;
    uint32_t rows, k, items, hidden;
    float *queries, *scores; /* (rows, H), (rows, V) */
    const float **query;
    const uint32_t **excluded;
    uint32_t *excluded_count, *counts;
    struct eddy_scored *best, *reference; /* (rows, k) */
    struct eddy_score_scratch *scratch;
};

/* The k largest of one row by a heap of the smallest on top: what std::partial_sort does. */
static void partial_sort(const float *scores, uint32_t count, uint32_t k,
                         struct eddy_scored *heap)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        if (size == k && scores[i] <= heap[0].score)
            continue;
        if (size < k) {
            at = size++;
            for (; at > 0 && heap[(at - 1) / 2].score > scores[i]; at = (at - 1) / 2)
                heap[at] = heap[(at - 1) / 2];
        } else {
            for (;;) {
                uint32_t child = 2 * at + 1;
                if (child + 1 < k && heap[child + 1].score < heap[child].score)
                    child++;
                if (child >= k || heap[child].score >= scores[i])
                    break;
                heap[at] = heap[child];
                at = child;
            }
        }
        heap[at] = (struct eddy_scored){i, scores[i]};
    }
}

static void run_kernel(struct eddy_bench_scorer *scorer)
{
    eddy_score_topk(scorer->snapshot->hrnn, scorer->scratch, scorer->rows,
                    scorer->query, scorer->k, scorer->excluded, scorer->excluded_count,
                    scorer->best, scorer->counts);
}

static void run_sgemm(struct eddy_bench_scorer *scorer)
{
    const struct eddy_snapshot *snapshot = scorer->snapshot;
    const float *items = eddy_global(&snapshot->layout, snapshot->params, EDDY_G_ITEM);
    const float *bias =
        eddy_global(&snapshot->layout, snapshot->params, EDDY_G_ITEM_BIAS);
    for (uint32_t r = 0; r < scorer->rows; r++)
        memcpy(scorer->scores + (size_t)r * scorer->items, bias,
               scorer->items * sizeof *bias);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)scorer->rows,
                (int)scorer->items, (int)scorer->hidden, 1.0F, scorer->queries,
                (int)scorer->hidden, items, (int)scorer->hidden, 1.0F, scorer->scores,
                (int)scorer->items);
}

static void run_blas(struct eddy_bench_scorer *scorer)
{
    run_sgemm(scorer);
    for (uint32_t r = 0; r < scorer->rows; r++)
        partial_sort(scorer->scores + (size_t)r * scorer->items, scorer->items,
                     scorer->k, scorer->reference + (size_t)r * scorer->k);
}

/* CPU ns per row. Run once before: the first run finds the caches as the path left them,
 * and a kernel alone is to be compared at its best. */
static double time_of(struct eddy_bench_scorer *scorer,
                      void (*run)(struct eddy_bench_scorer *scorer))
{
    run(scorer);
    uint64_t begin = eddy_thread_cpu_ns();
    run(scorer);
    return (double)(eddy_thread_cpu_ns() - begin) / scorer->rows;
}

static void keep_best(double *best, double ns)
{
    if (*best == 0 || ns < *best)
        *best = ns;
}

static double agreement_of(const struct eddy_bench_scorer *scorer)
{
    uint64_t same = 0;
    for (uint32_t r = 0; r < scorer->rows; r++) {
        const struct eddy_scored *a = scorer->best + (size_t)r * scorer->k;
        const struct eddy_scored *b = scorer->reference + (size_t)r * scorer->k;
        for (uint32_t i = 0; i < scorer->k; i++)
            for (uint32_t j = 0; j < scorer->k; j++)
                same += a[i].item == b[j].item;
    }
    return (double)same / ((double)scorer->rows * scorer->k);
}

static int fill(struct eddy_bench_scorer *scorer)
{
    struct eddy_rng rng;
    size_t rows = scorer->rows;
    scorer->queries = calloc(rows * scorer->hidden, sizeof *scorer->queries);
    scorer->scores = calloc(rows * scorer->items, sizeof *scorer->scores);
    scorer->query = calloc(rows, sizeof *scorer->query);
    scorer->excluded = calloc(rows, sizeof *scorer->excluded);
    scorer->excluded_count = calloc(rows, sizeof *scorer->excluded_count);
    scorer->counts = calloc(rows, sizeof *scorer->counts);
    scorer->best = calloc(rows * scorer->k, sizeof *scorer->best);
    scorer->reference = calloc(rows * scorer->k, sizeof *scorer->reference);
    scorer->scratch = eddy_score_scratch_new(scorer->rows, scorer->k);
    if (!scorer->queries || !scorer->scores || !scorer->query || !scorer->excluded ||
        !scorer->excluded_count || !scorer->counts || !scorer->best ||
        !scorer->reference || !scorer->scratch)
        return EDDY_ENOMEM;
    eddy_rng_seed(&rng, 7);
    for (size_t i = 0; i < rows * scorer->hidden; i++)
        scorer->queries[i] = (float)eddy_rng_normal(&rng);
    for (size_t r = 0; r < rows; r++)
        scorer->query[r] = scorer->queries + r * scorer->hidden;
    return 0;
}

struct eddy_bench_scorer *eddy_bench_scorer_new(const struct eddy_snapshot *snapshot,
                                                uint32_t rows, uint32_t k)
{
    const struct eddy_shape *shape = &snapshot->manifest.shape;
    struct eddy_bench_scorer *scorer = calloc(1, sizeof *scorer);
    if (!scorer)
        return NULL;
    scorer->snapshot = snapshot;
    scorer->rows = rows;
    scorer->k = k < shape->items ? k : shape->items;
    scorer->items = shape->items;
    scorer->hidden = shape->hidden;
    if (fill(scorer) < 0) {
        eddy_bench_scorer_free(scorer);
        return NULL;
    }
    run_kernel(scorer); /* touches all memory before the first round counts */
    run_blas(scorer);
    return scorer;
}

void eddy_bench_scorer_round(struct eddy_bench_scorer *scorer,
                             struct eddy_bench_floor *floor)
{
    keep_best(&floor->kernel_ns, time_of(scorer, run_kernel));
    keep_best(&floor->sgemm_ns, time_of(scorer, run_sgemm));
    keep_best(&floor->blas_ns, time_of(scorer, run_blas));
    floor->agreement = agreement_of(scorer);
}

void eddy_bench_scorer_free(struct eddy_bench_scorer *scorer)
{
    if (!scorer)
        return;
    eddy_score_scratch_free(scorer->scratch);
    free(scorer->queries);
    free(scorer->scores);
    free(scorer->query);
    free(scorer->excluded);
    free(scorer->excluded_count);
    free(scorer->counts);
    free(scorer->best);
    free(scorer->reference);
    free(scorer);
}
