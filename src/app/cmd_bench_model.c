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
    r = eddy_snapshot_encode(&manifest, &layout, params, popularity, catalog, &model,
                             &table, &text, err);
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

struct floor {
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

static void run_kernel(struct floor *floor)
{
    eddy_score_topk(floor->snapshot->hrnn, floor->scratch, floor->rows, floor->query,
                    floor->k, floor->excluded, floor->excluded_count, floor->best,
                    floor->counts);
}

static void run_sgemm(struct floor *floor)
{
    const struct eddy_snapshot *snapshot = floor->snapshot;
    const float *items = eddy_global(&snapshot->layout, snapshot->params, EDDY_G_ITEM);
    const float *bias =
        eddy_global(&snapshot->layout, snapshot->params, EDDY_G_ITEM_BIAS);
    for (uint32_t r = 0; r < floor->rows; r++)
        memcpy(floor->scores + (size_t)r * floor->items, bias,
               floor->items * sizeof *bias);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)floor->rows,
                (int)floor->items, (int)floor->hidden, 1.0F, floor->queries,
                (int)floor->hidden, items, (int)floor->hidden, 1.0F, floor->scores,
                (int)floor->items);
}

static void run_blas(struct floor *floor)
{
    run_sgemm(floor);
    for (uint32_t r = 0; r < floor->rows; r++)
        partial_sort(floor->scores + (size_t)r * floor->items, floor->items, floor->k,
                     floor->reference + (size_t)r * floor->k);
}

/* Best of rounds, CPU ns per row. */
static double time_of(struct floor *floor, void (*run)(struct floor *floor),
                      uint32_t rounds)
{
    uint64_t best = UINT64_MAX;
    run(floor);
    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t begin = eddy_thread_cpu_ns();
        run(floor);
        uint64_t spent = eddy_thread_cpu_ns() - begin;
        best = spent < best ? spent : best;
    }
    return (double)best / floor->rows;
}

static double agreement_of(const struct floor *floor)
{
    uint64_t same = 0;
    for (uint32_t r = 0; r < floor->rows; r++) {
        const struct eddy_scored *a = floor->best + (size_t)r * floor->k;
        const struct eddy_scored *b = floor->reference + (size_t)r * floor->k;
        for (uint32_t i = 0; i < floor->k; i++)
            for (uint32_t j = 0; j < floor->k; j++)
                same += a[i].item == b[j].item;
    }
    return (double)same / ((double)floor->rows * floor->k);
}

static int fill_floor(struct floor *floor)
{
    struct eddy_rng rng;
    size_t rows = floor->rows;
    floor->queries = calloc(rows * floor->hidden, sizeof *floor->queries);
    floor->scores = calloc(rows * floor->items, sizeof *floor->scores);
    floor->query = calloc(rows, sizeof *floor->query);
    floor->excluded = calloc(rows, sizeof *floor->excluded);
    floor->excluded_count = calloc(rows, sizeof *floor->excluded_count);
    floor->counts = calloc(rows, sizeof *floor->counts);
    floor->best = calloc(rows * floor->k, sizeof *floor->best);
    floor->reference = calloc(rows * floor->k, sizeof *floor->reference);
    floor->scratch = eddy_score_scratch_new(floor->rows, floor->k);
    if (!floor->queries || !floor->scores || !floor->query || !floor->excluded ||
        !floor->excluded_count || !floor->counts || !floor->best || !floor->reference ||
        !floor->scratch)
        return EDDY_ENOMEM;
    eddy_rng_seed(&rng, 7);
    for (size_t i = 0; i < rows * floor->hidden; i++)
        floor->queries[i] = (float)eddy_rng_normal(&rng);
    for (size_t r = 0; r < rows; r++)
        floor->query[r] = floor->queries + r * floor->hidden;
    return 0;
}

int eddy_bench_scoring(const struct eddy_snapshot *snapshot, uint32_t rows, uint32_t k,
                       uint32_t rounds, struct eddy_bench_floor *ret,
                       struct eddy_err *err)
{
    const struct eddy_shape *shape = &snapshot->manifest.shape;
    struct floor floor = {.snapshot = snapshot,
                          .rows = rows,
                          .k = k < shape->items ? k : shape->items,
                          .items = shape->items,
                          .hidden = shape->hidden};
    int r = fill_floor(&floor);
    if (r == 0) {
        ret->kernel_ns = time_of(&floor, run_kernel, rounds);
        ret->sgemm_ns = time_of(&floor, run_sgemm, rounds);
        ret->blas_ns = time_of(&floor, run_blas, rounds);
        ret->agreement = agreement_of(&floor);
    } else {
        (void)eddy_fail(err, r, "out of memory");
    }
    eddy_score_scratch_free(floor.scratch);
    free(floor.queries);
    free(floor.scores);
    free(floor.query);
    free(floor.excluded);
    free(floor.excluded_count);
    free(floor.counts);
    free(floor.best);
    free(floor.reference);
    return r;
}
