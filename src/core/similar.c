/* Similar items.
 *
 * Interactions are a sparse matrix R of items x parts of histories (at most PART events of
 * a user in a row: items of one evening say more about each other than items of one year)
 * with entries 1 / sqrt(n_i n_p), n being the parts of the item and, up to a constant, the
 * items of the part: R R' is then the cosine of items as sets of parts. Metadata is the
 * sparse matrix F of core/features.h. Of both S S' the leading eigenvectors Q are found by
 * subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4: random start, ROUNDS
 * products, orthonormal columns in between), and an item's vector is its row of Q sqrt(L),
 * so that inner products are those of S S' without its noise.
 *
 * Both vectors are brought to length 1 and stand side by side with weights whose squares
 * add up to 1: that of the first, SHARE n / (n + COLD), grows with the number n of the
 * item's parts, so that a new item is found by its metadata and a well-known one mostly by
 * its users. Memory: (parts + 2 items) x dimension floats.
 *
 * Vectors smooth: they find what is alike. What is taken together is found better by
 * counting it, where there is enough to count (core/similar_near.c). A score is the sum of
 * the two, ALIKE times the product of vectors. */
#include "core/similar.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/similar_near.h"
#include "core/table_rows.h"
#include "core/team.h"

enum { ROUNDS = 5, OVERSAMPLE = 8, TASK_ITEMS = 128 };
/* Measured on the training part of ML-1M's workshop split, NDCG@25 of each user's last event
 * from the one before: PART 10 of 5 to whole histories (whole 0.090, 20 0.102, 10 0.101,
 * 5 0.098 with SHARE 0.7); SHARE 0.7 0.101, 0.9 0.121, 1 0.123, which leaves nothing to
 * metadata. */
enum { PART = 10 };
#define SHARE 0.9
#define COLD  5.0 /* Amazon calls an item with fewer than 5 interactions cold */
#define ALIKE 0.2f

/* OpenBLAS' LAPACK, column-major. */
void ssyev_(const char *job, const char *half, const int *n, float *a, const int *lda,
            float *values, float *work, const int *work_size, int *info);

/* Rows of items over some columns. */
struct sparse {
    uint32_t rows, columns;
    uint64_t *begin; /* (rows + 1) */
    uint32_t *index;
    float *weight;
};

static void sparse_fini(struct sparse *sparse)
{
    free(sparse->begin);
    eddy_spill_free(sparse->index);
    eddy_spill_free(sparse->weight);
}

/* to (columns, d) = S' from (rows, d), or the other way. */
static void multiply_transposed(const struct sparse *s, const float *from, uint32_t d,
                                float *to)
{
    memset(to, 0, (size_t)s->columns * d * sizeof *to);
    for (uint32_t r = 0; r < s->rows; r++)
        for (uint64_t e = s->begin[r]; e < s->begin[r + 1]; e++)
            cblas_saxpy((int)d, s->weight[e], from + (size_t)r * d, 1,
                        to + (size_t)s->index[e] * d, 1);
}

static void multiply(const struct sparse *s, const float *from, uint32_t d, float *to)
{
    memset(to, 0, (size_t)s->rows * d * sizeof *to);
    for (uint32_t r = 0; r < s->rows; r++)
        for (uint64_t e = s->begin[r]; e < s->begin[r + 1]; e++)
            cblas_saxpy((int)d, s->weight[e], from + (size_t)s->index[e] * d, 1,
                        to + (size_t)r * d, 1);
}

/* Eigenvectors of the symmetric m (d, d) into its rows, values rising. false: memory or no
 * convergence. */
static bool eigen(float *m, uint32_t d, float *values)
{
    int n = (int)d, size = 64 * n, info = 0;
    float *work = malloc((size_t)size * sizeof *work);
    if (work == NULL)
        return false;
    ssyev_("V", "L", &n, m, &n, values, work, &size, &info);
    free(work);
    return info == 0;
}

/* Columns of q (rows, d) become orthonormal by the eigenvectors of q'q; columns that hang
 * together with others become 0. m (d, d), values (d), copy (rows, d): scratch. */
static bool orthonormalise(float *q, uint32_t rows, uint32_t d, float *m, float *values,
                           float *copy)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)d, (int)d, (int)rows, 1,
                q, (int)d, q, (int)d, 0, m, (int)d);
    if (!eigen(m, d, values))
        return false;
    float floor = values[d - 1] * 1e-6f;
    for (uint32_t k = 0; k < d; k++) {
        float scale =
            values[k] > floor && values[k] > FLT_MIN ? 1 / sqrtf(values[k]) : 0;
        cblas_sscal((int)d, scale, m + (size_t)k * d, 1);
    }
    memcpy(copy, q, (size_t)rows * d * sizeof *copy);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)d, (int)d, 1,
                copy, (int)d, m, (int)d, 0, q, (int)d);
    return true;
}

/* q (rows, d): orthonormal, spanning the leading eigenvectors of S S' -> Q sqrt(L). */
static bool rotate(const struct sparse *s, float *q, uint32_t d, float *m,
                   float *values, float *copy, float *columns)
{
    multiply_transposed(s, q, d, columns);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)d, (int)d,
                (int)s->columns, 1, columns, (int)d, columns, (int)d, 0, m, (int)d);
    if (!eigen(m, d, values))
        return false;
    for (uint32_t k = 0; k < d; k++)
        cblas_sscal((int)d, values[k] > 0 ? sqrtf(values[k]) : 0, m + (size_t)k * d, 1);
    memcpy(copy, q, (size_t)s->rows * d * sizeof *copy);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)s->rows, (int)d, (int)d,
                1, copy, (int)d, m, (int)d, 0, q, (int)d);
    return true;
}

/* Rows of q to length 1, or 0. */
static void normalise(float *q, uint32_t rows, uint32_t d)
{
    for (uint32_t r = 0; r < rows; r++) {
        float length = cblas_snrm2((int)d, q + (size_t)r * d, 1);
        cblas_sscal((int)d, length > 1e-12f ? 1 / length : 0, q + (size_t)r * d, 1);
    }
}

/* Vectors of length 1 (rows, *ret_d); *ret_d is at least dimension and at most what the
 * matrix can have. Owned: free(). NULL: memory. */
static float *embed(const struct sparse *s, uint32_t dimension, uint64_t seed,
                    uint32_t *ret_d)
{
    uint32_t d = dimension + OVERSAMPLE;
    d = d > s->columns ? s->columns : d;
    size_t size = (size_t)s->rows * d;
    float *q = malloc((size + 1) * sizeof *q),
          *copy = malloc((size + 1) * sizeof *copy);
    float *columns = malloc(((size_t)s->columns * d + 1) * sizeof *columns);
    float *m = malloc(((size_t)d * d + d + 1) * sizeof *m);
    bool fine = q != NULL && copy != NULL && columns != NULL && m != NULL;
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (size_t i = 0; fine && i < (size_t)s->columns * d; i++)
        columns[i] = (float)eddy_rng_normal(&rng);
    for (int round = 0; fine && d > 0 && round < ROUNDS; round++) {
        if (round > 0)
            multiply_transposed(s, q, d, columns);
        multiply(s, columns, d, q);
        fine = orthonormalise(q, s->rows, d, m, m + (size_t)d * d, copy);
    }
    fine = fine && (d == 0 || rotate(s, q, d, m, m + (size_t)d * d, copy, columns));
    free(copy);
    free(columns);
    free(m);
    if (!fine) {
        free(q);
        return NULL;
    }
    normalise(q, s->rows, d);
    *ret_d = d;
    return q;
}

/* Parts of a user's history: at most PART events each, equally long. */
static uint32_t parts_of(uint64_t events)
{
    return (uint32_t)((events + PART - 1) / PART);
}

/* The part that the n-th of `events` events is in. */
static uint32_t part_of(uint64_t n, uint64_t events)
{
    return (uint32_t)(n * parts_of(events) / events);
}

/* Calls add for every item of every part, once. */
static void visit(const struct eddy_interactions *in, uint32_t *last,
                  void (*add)(void *context, uint32_t item, uint32_t part,
                              float weight),
                  void *context)
{
    uint32_t users = eddy_catalog_count(in->users), part = 0;
    for (uint32_t u = 0; u < users; u++) {
        uint64_t begin = in->user_begin[u], events = in->user_begin[u + 1] - begin;
        float own =
            events > 0 ? 1 / sqrtf((float)events / (float)parts_of(events) + 1) : 0;
        for (uint64_t i = 0; i < events; i++) {
            uint32_t item = in->rows[begin + i].item;
            uint32_t at = part + part_of(i, events);
            if (last[item] != at + 1)
                add(context, item, at, own);
            last[item] = at + 1;
        }
        part += parts_of(events);
    }
}

struct filling {
    struct sparse *s;
    float *counts; /* parts of each item */
};

static void count_one(void *context, uint32_t item, uint32_t part, float weight)
{
    struct filling *filling = context;
    (void)weight;
    filling->counts[item]++;
    filling->s->columns = part + 1;
}

static void place_one(void *context, uint32_t item, uint32_t part, float weight)
{
    struct filling *filling = context;
    uint64_t at = filling->s->begin[item + 1]++;
    filling->s->index[at] = part;
    filling->s->weight[at] = weight / sqrtf(filling->counts[item]);
}

/* Items x parts; *ret_counts: parts of each item, free(). */
static int interactions_matrix(const struct eddy_interactions *in, struct sparse *s,
                               float **ret_counts, struct eddy_err *err)
{
    size_t room = (size_t)in->count + 1;
    int code = EDDY_ENOMEM;
    uint32_t items = eddy_catalog_count(in->items);
    uint32_t *last = calloc((size_t)items + 1, sizeof *last);
    struct filling filling = {s, calloc((size_t)items + 1, sizeof(float))};
    *s = (struct sparse){.rows = items};
    s->begin = calloc((size_t)items + 2, sizeof *s->begin);
    if (last && filling.counts && s->begin)
        s->index = eddy_spill_new(in->spill, room * sizeof *s->index, &code, err);
    if (s->index != NULL)
        s->weight = eddy_spill_new(in->spill, room * sizeof *s->weight, &code, err);
    if (s->weight == NULL) {
        free(last);
        free(filling.counts);
        return code;
    }
    visit(in, last, count_one, &filling);
    for (uint32_t i = 0; i < items; i++)
        s->begin[i + 2] = s->begin[i + 1] + (uint64_t)filling.counts[i];
    memset(last, 0, ((size_t)items + 1) * sizeof *last);
    visit(in, last, place_one, &filling);
    free(last);
    *ret_counts = filling.counts;
    return 0;
}

/* Items x features; rows beyond the features' are empty. */
static int features_matrix(const struct eddy_features *features, uint32_t items,
                           struct sparse *s)
{
    uint32_t rows = features ? features->rows : 0;
    rows = rows > items ? items : rows;
    uint64_t count = rows > 0 ? features->begin[rows] : 0;
    *s = (struct sparse){.rows = items, .columns = features ? features->size : 0};
    s->begin = calloc((size_t)items + 1, sizeof *s->begin);
    s->index = eddy_spill_new(NULL, ((size_t)count + 1) * sizeof *s->index, NULL, NULL);
    s->weight =
        eddy_spill_new(NULL, ((size_t)count + 1) * sizeof *s->weight, NULL, NULL);
    if (!s->begin || !s->index || !s->weight)
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < items; i++)
        s->begin[i + 1] = i < rows ? features->begin[i + 1] : count;
    if (count > 0) {
        memcpy(s->index, features->index, count * sizeof *s->index);
        memcpy(s->weight, features->weight, count * sizeof *s->weight);
    }
    return 0;
}

/* ---- all pairs -------------------------------------------------------------------- */

struct pairs {
    const float *vectors; /* (items, d) */
    uint32_t items, d, width;
    struct eddy_table_rows rows;
    const struct eddy_near *near;
    struct eddy_near_scratch *scratch; /* per worker */
    float **scores;                    /* per worker: (TASK_ITEMS, items) */
    struct eddy_scored **entries;
    atomic_bool failed;
};

static void pairs_task(void *context, uint32_t task, uint32_t worker)
{
    struct pairs *pairs = context;
    uint32_t first = task * TASK_ITEMS, items = pairs->items, d = pairs->d;
    uint32_t count = items - first > TASK_ITEMS ? TASK_ITEMS : items - first;
    float *scores = pairs->scores[worker];
    struct eddy_scored *entries = pairs->entries[worker];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)items, (int)d,
                ALIKE, pairs->vectors + (size_t)first * d, (int)d, pairs->vectors,
                (int)d, 0, scores, (int)items);
    for (uint32_t r = 0; r < count; r++) {
        uint32_t kept = 0;
        eddy_near_add(pairs->near, &pairs->scratch[worker], first + r,
                      scores + (size_t)r * items);
        for (uint32_t i = 0; i < items; i++)
            if (scores[(size_t)r * items + i] > 1e-4f && i != first + r)
                entries[kept++] =
                    (struct eddy_scored){i, scores[(size_t)r * items + i]};
        if (eddy_table_rows_put(&pairs->rows, first + r, entries, kept, pairs->width) <
            0)
            atomic_store_explicit(&pairs->failed, true, memory_order_relaxed);
    }
}

static int all_pairs(const float *vectors, uint32_t items, uint32_t d,
                     const struct eddy_near *near,
                     const struct eddy_similar_options *options, struct eddy_table *ret)
{
    uint32_t threads = options->threads < 1 ? 1 : options->threads;
    struct pairs pairs = {.vectors = vectors,
                          .items = items,
                          .d = d,
                          .width = options->width,
                          .near = near};
    int r = eddy_table_rows_init(&pairs.rows, items);
    pairs.scores = calloc(threads, sizeof *pairs.scores);
    pairs.entries = calloc(threads, sizeof *pairs.entries);
    pairs.scratch = calloc(threads, sizeof *pairs.scratch);
    if (pairs.scores == NULL || pairs.entries == NULL || pairs.scratch == NULL)
        r = EDDY_ENOMEM;
    for (uint32_t t = 0; r == 0 && t < threads; t++) {
        pairs.scores[t] = malloc(TASK_ITEMS * ((size_t)items + 1) * sizeof(float));
        pairs.entries[t] = malloc(((size_t)items + 1) * sizeof(struct eddy_scored));
        if (pairs.scores[t] == NULL || pairs.entries[t] == NULL ||
            eddy_near_scratch_init(&pairs.scratch[t], items) < 0)
            r = EDDY_ENOMEM;
    }
    if (r == 0)
        eddy_team_run(threads, (items + TASK_ITEMS - 1) / TASK_ITEMS, pairs_task,
                      &pairs);
    if (atomic_load_explicit(&pairs.failed, memory_order_relaxed))
        r = EDDY_ENOMEM;
    if (r == 0)
        r = eddy_table_rows_finish(&pairs.rows, ret);
    for (uint32_t t = 0; pairs.scores && pairs.entries && pairs.scratch && t < threads;
         t++) {
        free(pairs.scores[t]);
        free(pairs.entries[t]);
        eddy_near_scratch_fini(&pairs.scratch[t]);
    }
    free(pairs.scores);
    free(pairs.entries);
    free(pairs.scratch);
    eddy_table_rows_fini(&pairs.rows);
    return r;
}

/* Both vectors side by side, weighted. Owned: free(). NULL: memory. */
static float *join(const float *ids, uint32_t d_ids, const float *metadata,
                   uint32_t d_metadata, const float *counts, uint32_t items)
{
    uint32_t d = d_ids + d_metadata;
    float *all = calloc((size_t)items * d + 1, sizeof *all);
    for (uint32_t i = 0; all != NULL && i < items; i++) {
        double n = (double)counts[i];
        double square = d_metadata > 0 ? SHARE * n / (n + COLD) : 1;
        float *vector = all + (size_t)i * d;
        cblas_saxpy((int)d_ids, (float)sqrt(square), ids + (size_t)i * d_ids, 1, vector,
                    1);
        cblas_saxpy((int)d_metadata, (float)sqrt(1 - square),
                    metadata + (size_t)i * d_metadata, 1, vector + d_ids, 1);
    }
    return all;
}

int eddy_similar_fit(const struct eddy_interactions *interactions,
                     const struct eddy_features *features,
                     const struct eddy_similar_options *options, struct eddy_table *ret,
                     struct eddy_err *err)
{
    uint32_t items = eddy_catalog_count(interactions->items), d_ids = 0, d_metadata = 0;
    struct sparse who = {0}, what = {0};
    struct eddy_near near = {0};
    float *counts = NULL, *ids = NULL, *metadata = NULL, *all = NULL;
    int r;

    openblas_set_num_threads(1);
    if ((r = eddy_near_init(&near, interactions, err)) < 0 ||
        (r = interactions_matrix(interactions, &who, &counts, err)) < 0)
        goto out;
    r = EDDY_ENOMEM;
    if (features_matrix(features, items, &what) < 0)
        goto out;
    ids = embed(&who, options->id_dimension, options->seed, &d_ids);
    metadata =
        embed(&what, options->metadata_dimension, options->seed + 1, &d_metadata);
    if (ids == NULL || metadata == NULL)
        goto out;
    all = join(ids, d_ids, metadata, d_metadata, counts, items);
    if (all != NULL)
        r = all_pairs(all, items, d_ids + d_metadata, &near, options, ret);
out:
    free(all);
    free(ids);
    free(metadata);
    free(counts);
    eddy_near_fini(&near);
    sparse_fini(&who);
    sparse_fini(&what);
    if (r == EDDY_ENOMEM)
        return eddy_fail(err, r, "no memory to compare %u items", items);
    return r;
}
