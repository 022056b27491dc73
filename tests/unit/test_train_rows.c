/* Adam that walks only over touched rows ends where Adam over all rows does. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "core/train_parts.h"

enum { ITEMS = 300, STEPS = 400, TOUCHED = 12 };

struct pair {
    struct eddy_layout layout;
    struct eddy_train_options options;
    struct eddy_adam dense, sparse;
    float *dense_params, *sparse_params;
};

static void pair_init(struct pair *pair, double average)
{
    struct eddy_shape shape = {.items = ITEMS, .hidden = 9, .layers = 1, .types = 2};
    eddy_train_options_init(&pair->options);
    pair->options.average = average;
    pair->options.clip_norm = 0;
    pair->options.learning_rate = 0.01;
    pair->options.threads = 2;
    CHECK_INT(eddy_layout_init(&pair->layout, &shape, NULL), 0);
    pair->dense_params = eddy_params_new(&pair->layout);
    pair->sparse_params = eddy_params_new(&pair->layout);
    eddy_train_start_values(&pair->layout, 4, pair->dense_params);
    memcpy(pair->sparse_params, pair->dense_params, pair->layout.size * sizeof(float));
    CHECK_INT(eddy_adam_init(&pair->dense, &pair->layout, pair->dense_params,
                             &pair->options, false),
              0);
    CHECK_INT(eddy_adam_init(&pair->sparse, &pair->layout, pair->sparse_params,
                             &pair->options, true),
              0);
}

static void pair_fini(struct pair *pair)
{
    eddy_adam_fini(&pair->dense);
    eddy_adam_fini(&pair->sparse);
    free(pair->dense_params);
    free(pair->sparse_params);
}

static void add(struct pair *pair, uint32_t shard, size_t at, float g)
{
    pair->dense.gradients[shard][at] += g;
    pair->sparse.gradients[shard][at] += g;
}

/* One batch: gradients for some items, popular ones more often, and for the rest of the
 * block. */
static void step(struct pair *pair, struct eddy_rng *rng)
{
    size_t embedding = pair->layout.tensors[EDDY_G_ITEM].offset;
    size_t bias = pair->layout.tensors[EDDY_G_ITEM_BIAS].offset;
    size_t dense = pair->layout.tensors[EDDY_G_TYPE].offset;
    uint32_t items[EDDY_TRAIN_SHARDS][TOUCHED];

    for (int s = 0; s < EDDY_TRAIN_SHARDS; s++) {
        memset(pair->dense.gradients[s], 0, pair->layout.size * sizeof(float));
        memset(pair->sparse.gradients[s] + dense, 0,
               (pair->layout.size - dense) * sizeof(float));
        for (int i = 0; i < TOUCHED; i++) {
            uint32_t bound = 1 + eddy_rng_below(rng, ITEMS);
            items[s][i] = eddy_rng_below(rng, bound);
            eddy_rows_touch(&pair->sparse.rows, (uint32_t)s, items[s][i]);
        }
    }
    eddy_rows_catch_up(&pair->sparse, pair->sparse_params);
    for (uint32_t s = 0; s < EDDY_TRAIN_SHARDS; s++) {
        for (int i = 0; i < TOUCHED; i++) {
            for (uint32_t k = 0; k < 9; k++)
                add(pair, s, embedding + items[s][i] * 9 + k,
                    (float)eddy_rng_normal(rng));
            add(pair, s, bias + items[s][i], 0.3f);
        }
        for (size_t at = dense; at < pair->layout.size; at++)
            add(pair, s, at, (float)eddy_rng_normal(rng));
    }
    double one = eddy_adam_step(&pair->dense, pair->dense_params);
    double two = eddy_adam_step(&pair->sparse, pair->sparse_params);
    CHECK_NEAR(two, one, 1e-4 * one);
}

static double worst(const float *a, const float *b, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    return largest;
}

static void sparse_steps_end_where_dense_ones_do(void)
{
    struct pair pair;
    struct eddy_rng rng;
    pair_init(&pair, 0.95);
    eddy_rng_seed(&rng, 12);
    /* While bias corrections move fast the series is only about right. */
    for (int i = 0; i < STEPS; i++)
        step(&pair, &rng);
    eddy_rows_flush(&pair.sparse, pair.sparse_params);
    size_t n = pair.layout.size;
    double moved = 0.01 * STEPS; /* a parameter at most */
    CHECK(worst(pair.sparse_params, pair.dense_params, n) < 0.02 * moved);
    CHECK(worst(pair.sparse.average, pair.dense.average, n) < 0.02 * moved);
    CHECK(worst(pair.sparse.m, pair.dense.m, n) < 1e-5);
    CHECK(worst(pair.sparse.v, pair.dense.v, n) < 1e-5);
    /* A flush of what stands changes nothing. */
    float *before = eddy_params_new(&pair.layout);
    memcpy(before, pair.sparse_params, n * sizeof *before);
    eddy_rows_flush(&pair.sparse, pair.sparse_params);
    CHECK(memcmp(before, pair.sparse_params, n * sizeof *before) == 0);
    /* Item gradients are zero again. */
    for (int s = 0; s < EDDY_TRAIN_SHARDS; s++)
        for (size_t at = 0; at < pair.layout.tensors[EDDY_G_TYPE].offset; at++)
            if (pair.sparse.gradients[s][at] != 0)
                CHECK(!"a gradient is left over");
    free(before);
    pair_fini(&pair);
}

/* Late in training, where corrections are constant, the series is exact. */
static void missed_steps_are_made_up_for_exactly(void)
{
    struct pair pair;
    size_t at;
    pair_init(&pair, 0.9);
    at = pair.layout.tensors[EDDY_G_ITEM].offset + 5 * 9;
    pair.dense.steps = pair.sparse.steps = 50000;
    eddy_rows_restored(&pair.sparse);
    for (int i = 0; i < 40; i++) {
        for (int s = 0; s < EDDY_TRAIN_SHARDS; s++)
            memset(pair.dense.gradients[s], 0, pair.layout.size * sizeof(float));
        if (i == 0 || i == 3 || i == 25) {
            eddy_rows_touch(&pair.sparse.rows, 2, 5);
            eddy_rows_catch_up(&pair.sparse, pair.sparse_params);
            for (uint32_t k = 0; k < 9; k++)
                add(&pair, 2, at + k, 0.1f * (float)(k + 1) - 0.4f);
        }
        eddy_adam_step(&pair.dense, pair.dense_params);
        eddy_adam_step(&pair.sparse, pair.sparse_params);
    }
    eddy_rows_flush(&pair.sparse, pair.sparse_params);
    size_t n = pair.layout.size;
    CHECK(worst(pair.sparse_params, pair.dense_params, n) < 1e-5);
    CHECK(worst(pair.sparse.average, pair.dense.average, n) < 1e-5);
    pair_fini(&pair);
}

int main(void)
{
    RUN(sparse_steps_end_where_dense_ones_do);
    RUN(missed_steps_are_made_up_for_exactly);
    return check_done();
}
