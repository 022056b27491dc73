/* Scoring kernel against OpenBLAS, and the cost of a step of the HRNN, in one run.
 *
 *   build/release/bench/bench_score [--items N] [--hidden N] [--batch N] [--top K]
 *                                   [--seconds S] [--core OPENBLAS_CORETYPE]
 *
 * All candidates run in turn, again and again until the time is over, on one thread; the
 * table shows medians of CPU time, so what else the machine does hits all alike or drops
 * out.
 *
 *   ours             eddy_score_topk: tiles of scores, threshold filter, selection
 *   ours, product    matmul_panels alone, tile by tile
 *   blas + select    one cblas_sgemm for all items (without the biases that ours adds),
 *                    then the same selection as ours over its scores
 *   blas, tiled      cblas_sgemm for 768 items at a time on a table transposed for it, so
 *                    that scores stay in the cache: the best use of BLAS we know
 *   blas + sort      one cblas_sgemm, then a partial sort by a heap of K
 *   step             eddy_hrnn_step for the batch (2 layers, minGRU, flat)
 *
 * OpenBLAS chooses its kernels when it is loaded, Debian's 0.3.21 often badly on new CPUs;
 * the program starts itself again with OPENBLAS_CORETYPE for the widest vectors, whatever
 * the environment says, unless --core names another. */
#include <cblas.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "core/score.h"

enum { SAMPLES_MAX = 4096, CASES = 8 };

static struct {
    uint32_t items, hidden, batch, top;
    double seconds;
    const char *core;
} opt = {10000, 128, 64, 25, 2.0, NULL};

static struct eddy_hrnn *hrnn;
static struct eddy_hrnn_scratch *step_scratch;
static struct eddy_score_scratch *score_scratch;
static struct eddy_step *steps;
static float **hidden;
static const float **queries;
static const uint32_t **no_excluded;
static uint32_t *no_counts, *counts;
static struct eddy_scored *lists;
static float *table;      /* (V, H) */
static float *transposed; /* (H, V) */
static float *dense;      /* (batch, H) queries */
static float *scores;     /* (batch, V) */
static struct eddy_topk *topks;
static volatile uint32_t sink;

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "bench_score: out of memory\n");
        _exit(1);
    }
    return memory;
}

static void run_ours(void)
{
    eddy_score_topk(hrnn, score_scratch, opt.batch, queries, opt.top, no_excluded,
                    no_counts, lists, counts);
}

static void run_product(void)
{
    const struct eddy_packed *items = eddy_hrnn_items(hrnn);
    for (uint32_t panel = 0; panel < items->panels; panel += 48) {
        uint32_t panels = items->panels - panel < 48 ? items->panels - panel : 48;
        eddy_hrnn_kernels(hrnn)->matmul_panels(items, panel, panels, opt.batch, dense,
                                               opt.hidden, scores, 768);
    }
}

static void begin_rows(void)
{
    for (uint32_t r = 0; r < opt.batch; r++)
        eddy_topk_begin(&topks[r], opt.top);
}

static void finish_rows(void)
{
    for (uint32_t r = 0; r < opt.batch; r++)
        counts[r] = eddy_topk_finish(&topks[r], eddy_hrnn_kernels(hrnn),
                                     lists + (size_t)r * opt.top);
}

static void sgemm_all(void)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)opt.batch, (int)opt.items,
                (int)opt.hidden, 1.0F, dense, (int)opt.hidden, table, (int)opt.hidden,
                0.0F, scores, (int)opt.items);
}

static void run_blas_select(void)
{
    sgemm_all();
    begin_rows();
    for (uint32_t r = 0; r < opt.batch; r++) {
        const float *row = scores + (size_t)r * opt.items;
        for (uint32_t i = 0; i < opt.items; i += EDDY_TOPK_TILE) {
            uint32_t n =
                opt.items - i < EDDY_TOPK_TILE ? opt.items - i : EDDY_TOPK_TILE;
            eddy_topk_push(&topks[r], eddy_hrnn_kernels(hrnn), row + i, n, i);
        }
    }
    finish_rows();
}

static void run_blas_tiled(void)
{
    begin_rows();
    for (uint32_t i = 0; i < opt.items; i += EDDY_TOPK_TILE) {
        uint32_t n = opt.items - i < EDDY_TOPK_TILE ? opt.items - i : EDDY_TOPK_TILE;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)opt.batch, (int)n,
                    (int)opt.hidden, 1.0F, dense, (int)opt.hidden, transposed + i,
                    (int)opt.items, 0.0F, scores, EDDY_TOPK_TILE);
        for (uint32_t r = 0; r < opt.batch; r++)
            eddy_topk_push(&topks[r], eddy_hrnn_kernels(hrnn),
                           scores + (size_t)r * EDDY_TOPK_TILE, n, i);
    }
    finish_rows();
}

/* The textbook way (std::partial_sort): a heap of the k best with the worst on top, which
 * each score is compared with. */
static void sink_top(const float *row, uint32_t *heap, uint32_t k, uint32_t top)
{
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= k)
            break;
        if (child + 1 < k && row[heap[child + 1]] < row[heap[child]])
            child++;
        if (row[heap[child]] >= row[top])
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = top;
}

static void partial_sort(const float *row, uint32_t *heap, uint32_t n, uint32_t k)
{
    for (uint32_t i = 0; i < k; i++)
        heap[i] = i;
    for (uint32_t i = 1; i < k; i++) {
        uint32_t held = heap[i], j = i;
        for (; j > 0 && row[heap[j - 1]] > row[held]; j--)
            heap[j] = heap[j - 1];
        heap[j] = held;
    }
    for (uint32_t i = k; i < n; i++) {
        if (row[i] > row[heap[0]])
            sink_top(row, heap, k, i);
    }
    for (uint32_t left = k; left > 1; left--) { /* worst to the end, falling order */
        uint32_t worst = heap[0], last = heap[left - 1];
        sink_top(row, heap, left - 1, last);
        heap[left - 1] = worst;
    }
}

static void run_blas_sort(void)
{
    static uint32_t *index;
    uint32_t k = opt.top < opt.items ? opt.top : opt.items;
    if (!index)
        index = must(calloc(k, sizeof(*index)));
    sgemm_all();
    for (uint32_t r = 0; r < opt.batch; r++) {
        partial_sort(scores + (size_t)r * opt.items, index, opt.items, k);
        sink = index[0];
    }
}

static void run_one_row(void)
{
    eddy_score_topk(hrnn, score_scratch, 1, queries, opt.top, no_excluded, no_counts,
                    lists, counts);
}

static void run_step(void)
{
    eddy_hrnn_step(hrnn, step_scratch, opt.batch, steps, hidden);
}

static void run_step_one(void)
{
    eddy_hrnn_step(hrnn, step_scratch, 1, steps, hidden);
}

static const struct {
    const char *name;
    void (*run)(void);
    bool scoring, single;
} cases[CASES] = {
    {"ours", run_ours, true, false},
    {"ours, product", run_product, true, false},
    {"blas + select", run_blas_select, true, false},
    {"blas, tiled", run_blas_tiled, true, false},
    {"blas + sort", run_blas_sort, true, false},
    {"ours, 1 row", run_one_row, true, true},
    {"step", run_step, false, false},
    {"step, 1 row", run_step_one, false, true},
};

static void prepare(void)
{
    static struct eddy_layout layout;
    struct eddy_shape shape = {.items = opt.items,
                               .hidden = opt.hidden,
                               .layers = 2,
                               .types = 2,
                               .cell = EDDY_CELL_MINGRU,
                               .mode = EDDY_MODE_FLAT};
    struct eddy_err err = {0};
    if (eddy_layout_init(&layout, &shape, &err)) {
        fprintf(stderr, "bench_score: %s\n", err.text);
        _exit(64);
    }
    float *block = must(eddy_params_new(&layout));
    for (size_t i = 0; i < layout.size; i++)
        block[i] = (float)eddy_draw_unit(1, i, 0, 0) * 0.2F - 0.1F;
    const size_t V = opt.items, H = opt.hidden, B = opt.batch;
    hrnn = must(eddy_hrnn_new(&layout, block, eddy_kernels_get()));
    step_scratch = must(eddy_hrnn_scratch_new(&shape, opt.batch));
    score_scratch = must(eddy_score_scratch_new(opt.batch, opt.top));
    steps = must(calloc(B, sizeof(*steps)));
    hidden = must(calloc(B, sizeof(*hidden)));
    queries = must(calloc(B, sizeof(*queries)));
    no_excluded = must(calloc(B, sizeof(*no_excluded)));
    no_counts = must(calloc(B, sizeof(*no_counts)));
    counts = must(calloc(B, sizeof(*counts)));
    lists = must(calloc(B * opt.top, sizeof(*lists)));
    topks = must(calloc(B, sizeof(*topks)));
    table = must(eddy_floats_new(V * H));
    transposed = must(eddy_floats_new(V * H));
    dense = must(eddy_floats_new(B * H));
    scores = must(eddy_floats_new(B * (V > 768 ? V : 768)));
    memcpy(table, eddy_global(&layout, block, EDDY_G_ITEM), V * H * sizeof(float));
    for (size_t i = 0; i < V * H; i++)
        transposed[i % H * V + i / H] = table[i];
    for (size_t r = 0; r < B; r++) {
        must(eddy_topk_init(&topks[r], opt.top) ? NULL : &topks[r]);
        hidden[r] = must(eddy_floats_new(eddy_hrnn_state_floats(&shape)));
        steps[r] = (struct eddy_step){.item = (uint32_t)(eddy_draw64(2, r, 0, 0) % V)};
        queries[r] = hidden[r] + eddy_hrnn_query_offset(&shape);
    }
    /* Some events, so that states and queries look like those of users. */
    for (int event = 0; event < 3; event++)
        run_step();
    for (size_t r = 0; r < B; r++)
        memcpy(dense + r * H, queries[r], H * sizeof(float));
    free(block);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(double *median_ns)
{
    static double samples[CASES][SAMPLES_MAX];
    int count = 0;
    for (int c = 0; c < CASES; c++)
        cases[c].run();
    uint64_t end = eddy_monotonic_ns() + (uint64_t)(opt.seconds * 1e9);
    while (count < SAMPLES_MAX && eddy_monotonic_ns() < end) {
        for (int c = 0; c < CASES; c++) {
            uint64_t start = eddy_thread_cpu_ns();
            cases[c].run();
            samples[c][count] = (double)(eddy_thread_cpu_ns() - start);
        }
        count++;
    }
    for (int c = 0; c < CASES; c++) {
        qsort(samples[c], (size_t)count, sizeof(double), compare);
        median_ns[c] = samples[c][count / 2];
    }
    printf("%d rounds\n", count);
}

static void report(const double *median_ns)
{
    double flops = 2.0 * opt.items * opt.hidden;
    printf("%-16s %12s %10s\n", "case", "ns per row", "GFLOP/s");
    for (int c = 0; c < CASES; c++) {
        double row_ns = median_ns[c] / (cases[c].single ? 1 : opt.batch);
        printf("%-16s %12.0f", cases[c].name, row_ns);
        if (cases[c].scoring)
            printf(" %10.1f", flops / row_ns);
        printf("\n");
    }
    printf(
        "rate of ours relative to: blas + select %.2f, blas tiled %.2f, blas + sort %.2f\n",
        median_ns[2] / median_ns[0], median_ns[3] / median_ns[0],
        median_ns[4] / median_ns[0]);
    printf("step relative to scoring (ours): %.2f\n", median_ns[6] / median_ns[0]);
}

/* Lists of ours and of BLAS must name the same items, else the comparison is void. BLAS'
 * last bits differ and it leaves out the biases, so its scores are only near. */
static void check_lists(void)
{
    const uint32_t K = opt.top;
    run_blas_tiled();
    struct eddy_scored *blas = must(calloc(K, sizeof(*blas)));
    memcpy(blas, lists, K * sizeof(*blas));
    run_ours();
    double worst = 0;
    for (uint32_t i = 0; i < counts[0]; i++) {
        double d = (double)(blas[i].score - lists[i].score);
        worst = d > worst ? d : -d > worst ? -d : worst;
    }
    printf(
        "largest difference of a score on the first list: %g (biases are within 0.1)\n",
        worst);
    free(blas);
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--core")) {
            opt.core = argv[i + 1];
            continue;
        }
        double value = strtod(argv[i + 1], NULL);
        if (!(value > 0 && value < 1e8))
            return false;
        if (!strcmp(argv[i], "--items"))
            opt.items = (uint32_t)value;
        else if (!strcmp(argv[i], "--hidden"))
            opt.hidden = (uint32_t)value;
        else if (!strcmp(argv[i], "--batch"))
            opt.batch = (uint32_t)value;
        else if (!strcmp(argv[i], "--top"))
            opt.top = (uint32_t)value;
        else if (!strcmp(argv[i], "--seconds"))
            opt.seconds = value;
        else
            return false;
    }
    return argc % 2 == 1 && opt.items && opt.hidden && opt.batch && opt.top;
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv)) {
        fprintf(stderr,
                "usage: bench_score [--items N] [--hidden N] [--batch N] [--top K] "
                "[--seconds S] [--core TYPE]\n");
        return 64;
    }
    const char *present = getenv("OPENBLAS_CORETYPE");
    const char *core = opt.core                      ? opt.core
                       : eddy_kernels_find("avx512") ? "SkylakeX"
                       : eddy_kernels_find("avx2")   ? "Haswell"
                                                     : present;
    if (core && (!present || strcmp(core, present)) &&
        !setenv("OPENBLAS_CORETYPE", core, 1) &&
        !setenv("OPENBLAS_NUM_THREADS", "1", 1))
        execv("/proc/self/exe", argv);
    openblas_set_num_threads(1);
    printf("%u items, H %u, batch %u, top %u; kernels %s; OpenBLAS core %s\n",
           opt.items, opt.hidden, opt.batch, opt.top, eddy_kernels_get()->name,
           openblas_get_corename());
    double median_ns[CASES];
    prepare();
    check_lists();
    measure(median_ns);
    report(median_ns);
    return 0;
}
