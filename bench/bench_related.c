/* The closed form on made-up sessions: seconds, and FLOP/s beside cblas_sgemm of this run.
 *
 *   build/release/bench/bench_related [ITEMS [SESSIONS [THREADS]]]     (12000 200000 2)
 *
 * Sessions of about eight items walk about in a catalogue whose popularity falls like
 * 1 / rank^0.7, so that rows of S have the hundreds of entries that logs of that size give
 * them. Counted are the N^3 operations of factor and inverse alone; the time is that of the
 * whole fit. OpenBLAS chooses its kernels when it is loaded: set OPENBLAS_CORETYPE as
 * `eddy train` does if the first line says Prescott. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rng.h"
#include "core/related.h"
#include "core/train.h"

enum { LENGTH = 8, SQUARE = 1024 };

static double seconds_since(uint64_t start_ns)
{
    return (double)(eddy_monotonic_ns() - start_ns) / 1e9;
}

/* An item by popularity 1 / rank^0.7. */
static uint32_t draw(struct eddy_rng *rng, uint32_t items)
{
    double at = pow(eddy_rng_unit(rng), 1 / 0.3) * items;
    return at < items ? (uint32_t)at : items - 1;
}

static void make_sessions(uint32_t items, uint32_t count,
                          struct eddy_session_view *views, uint32_t *events)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 1);
    for (uint32_t s = 0; s < count; s++) {
        uint32_t *at = events + (size_t)s * LENGTH;
        uint32_t home = draw(&rng, items);
        for (uint32_t e = 0; e < LENGTH; e++)
            at[e] = eddy_rng_unit(&rng) < 0.8
                        ? (home + eddy_rng_below(&rng, 20)) % items
                        : draw(&rng, items);
        views[s] = (struct eddy_session_view){at, LENGTH, (int64_t)s * 1000};
    }
}

/* FLOP/s of square products of floats on so many threads. */
static double gemm_rate(uint32_t threads)
{
    size_t size = (size_t)SQUARE * SQUARE;
    float *a = calloc(size, sizeof *a), *b = calloc(size, sizeof *b);
    float *c = calloc(size, sizeof *c);
    uint32_t rounds = 0;
    if (!a || !b || !c)
        abort();
    openblas_set_num_threads((int)threads);
    uint64_t start_ns = eddy_monotonic_ns();
    do {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SQUARE, SQUARE, SQUARE,
                    1.0f, a, SQUARE, b, SQUARE, 0.0f, c, SQUARE);
        rounds++;
    } while (seconds_since(start_ns) < 1);
    double rate = 2.0 * SQUARE * SQUARE * SQUARE * rounds / seconds_since(start_ns);
    openblas_set_num_threads(1);
    free(a);
    free(b);
    free(c);
    return rate;
}

int main(int argc, char **argv)
{
    uint32_t items = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 12000;
    uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 200000;
    uint32_t threads = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 2;
    struct eddy_related_options options = {.alpha = 0.2,
                                           .lambda = 10,
                                           .window_decay = 2,
                                           .length_power = 1,
                                           .window = 20,
                                           .width = 150,
                                           .items_max = items,
                                           .threads = threads};
    struct eddy_session_view *views = malloc(count * sizeof *views);
    uint32_t *events = malloc((size_t)count * LENGTH * sizeof *events);
    struct eddy_table table;
    struct eddy_err err = {0};

    if (views == NULL || events == NULL)
        abort();
    make_sessions(items, count, views, events);
    printf("%u items, %u sessions of %d, %u threads, OpenBLAS kernels %s\n", items,
           count, LENGTH, threads, eddy_blas_core());
    double rate = gemm_rate(threads);
    uint64_t start_ns = eddy_monotonic_ns();
    if (eddy_related_fit(views, count, items, &options, &table, &err) < 0) {
        fprintf(stderr, "bench_related: %s\n", err.text);
        return 1;
    }
    double seconds = seconds_since(start_ns);
    double n = items, flops = n * n * n / seconds;
    printf("%.1f s, %llu entries; factor and inverse alone would be %.0f GFLOP/s, "
           "cblas_sgemm %.0f: %.0f %%\n",
           seconds, (unsigned long long)table.begin[items], flops / 1e9, rate / 1e9,
           100 * flops / rate);
    eddy_table_fini(&table);
    free(views);
    free(events);
    return 0;
}
