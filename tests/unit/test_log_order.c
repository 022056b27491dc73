/* The newest rows of a log against a sort of all of them. */
#include "core/log_order.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "check.h"
#include "io/scratch.h"
#include "torture.h"

enum { ROWS = 700, USERS = 9 };

static struct eddy_interaction rows[ROWS];
static uint64_t user_begin[USERS + 1];

enum shape { ANY_TIME, RISING, FALLING, FEW_TIMES, ONE_TIME, NO_ROW_NUMBERS, SHAPES };

static int64_t time_of(enum shape shape, struct eddy_rng *rng, uint32_t i)
{
    switch (shape) {
    case RISING: return i / 3;
    case FALLING: return -(int64_t)i;
    case FEW_TIMES: return (int64_t)eddy_rng_below(rng, 5) - 2;
    case ONE_TIME: return 1600000000000;
    case NO_ROW_NUMBERS: return eddy_rng_below(rng, 9);
    default: return (int64_t)eddy_rng_next(rng);
    }
}

/* Row numbers are a permutation, or one for all. */
static struct eddy_interactions make_log(enum shape shape, uint32_t count)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, shape + 10 * count);
    for (uint32_t i = 0; i < count; i++)
        rows[i] =
            (struct eddy_interaction){.ts_ms = time_of(shape, &rng, i),
                                      .user = i * USERS / count,
                                      .item = eddy_rng_below(&rng, 4),
                                      .row = shape == NO_ROW_NUMBERS ? 0 : count - i};
    for (uint32_t i = count; i-- > 1;) {
        uint32_t j = eddy_rng_below(&rng, i + 1), row = rows[i].row;
        rows[i].row = rows[j].row;
        rows[j].row = row;
    }
    return (struct eddy_interactions){
        .rows = rows, .count = count, .user_begin = user_begin};
}

static bool has_odd_item(const void *context, const struct eddy_interactions *in,
                         uint64_t row)
{
    CHECK(context == rows);
    return in->rows[row].item % 2 == 1;
}

static int by_time(const void *a, const void *b)
{
    const struct eddy_interaction *x = &rows[*(const uint64_t *)a],
                                  *y = &rows[*(const uint64_t *)b];
    if (x->ts_ms != y->ts_ms)
        return x->ts_ms < y->ts_ms ? -1 : 1;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The slow way: every row in order, then those that are wanted, then the newest. */
static uint64_t sort_all(const struct eddy_interactions *in, uint64_t most, bool odd,
                         uint64_t *ret)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < in->count; i++)
        ret[i] = i;
    qsort(ret, in->count, sizeof *ret, by_time);
    for (uint64_t i = 0; i < in->count; i++)
        if (!odd || in->rows[ret[i]].item % 2 == 1)
            ret[kept++] = ret[i];
    uint64_t first = kept > most ? kept - most : 0;
    memmove(ret, ret + first, (kept - first) * sizeof *ret);
    return kept - first;
}

static void compare(const struct eddy_interactions *in, uint64_t most, bool odd)
{
    uint64_t want[ROWS], count = 99, wanted = sort_all(in, most, odd, want);
    struct eddy_err err = {0};
    int code = 0;
    uint64_t *order = eddy_log_newest(in, most, odd ? has_odd_item : NULL,
                                      odd ? rows : NULL, &count, &code, &err);
    if (!CHECK(order != NULL))
        return;
    CHECK_INT(code, 0);
    CHECK_INT(count, wanted);
    CHECK_MEM(order, want, wanted * sizeof *want);
    eddy_spill_free(order);
}

static void compare_all(const struct eddy_spill *spill)
{
    static const uint32_t counts[] = {1, 2, 3, 64, ROWS};
    for (int shape = 0; shape < SHAPES; shape++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            const uint32_t n = counts[c];
            const uint64_t most[] = {0, 1, 2, n / 3, n - 1, n, n + 1, UINT64_MAX};
            struct eddy_interactions in = make_log((enum shape)shape, n);
            in.spill = spill;
            for (size_t m = 0; m < sizeof most / sizeof *most; m++) {
                compare(&in, most[m], false);
                compare(&in, most[m], true);
            }
        }
}

static void the_newest_rows_are_the_end_of_a_sort_of_all(void)
{
    compare_all(NULL);
}

static void on_disk_the_order_is_the_same(void)
{
    char folder[] = "/tmp/eddy-test-order-XXXXXX";
    struct eddy_spill spill;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_INT(eddy_scratch_init(&spill, folder, 0, NULL), 0);
    compare_all(&spill);
    CHECK_INT(rmdir(folder), 0);
}

static void a_log_without_rows_has_an_order(void)
{
    struct eddy_interactions in = {.rows = rows};
    uint64_t count = 99;
    int code = 0;
    uint64_t *order = eddy_log_newest(&in, 5, NULL, NULL, &count, &code, NULL);
    CHECK(order != NULL);
    CHECK_INT(count, 0);
    eddy_spill_free(order);
}

static bool an_order_is_made(void)
{
    struct eddy_interactions in = make_log(ANY_TIME, 64);
    uint64_t count;
    int code = 0;
    uint64_t *order = eddy_log_newest(&in, 20, NULL, NULL, &count, &code, NULL);
    eddy_spill_free(order);
    return torture_made(code);
}

static void memory_may_run_out(void)
{
    TORTURE(an_order_is_made);
}

int main(void)
{
    RUN(the_newest_rows_are_the_end_of_a_sort_of_all);
    RUN(on_disk_the_order_is_the_same);
    RUN(a_log_without_rows_has_an_order);
    RUN(memory_may_run_out);
    return check_done();
}
