/* The stream head is fitted where freshness decides, and left out where it does not. */
#include "core/stream_fit.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "log_rows.h"
#include "torture.h"

static const struct eddy_stream_fit_options options = {.session_gap_s = 1800,
                                                       .recent_events = 20};

/* Sessions of three clicks. fresh: every hour other items are read, else the same all
 * the time. step_s: seconds between rows. */
static struct eddy_interactions rows_of(uint32_t count, bool fresh, double step_s,
                                        int64_t begin_s)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 3);
    for (uint32_t i = 0; i < count; i++) {
        double now = step_s * i;
        uint32_t era = fresh ? (uint32_t)(now / 3600) : 0;
        uint32_t pick = eddy_rng_below(&rng, 30);
        pick = pick * eddy_rng_below(&rng, 30) / 30;
        eddy_buf_printf(&csv, "u%u,i%u,%lld\n", i / 30 * 10 + i % 10, era * 30 + pick,
                        (long long)(begin_s + (int64_t)now));
    }
    return rows_of_csv(&csv, NULL);
}

/* News with lists: every row shows SHOWN other items of its hour; the user's next click is
 * one of those in seven of ten cases, or (never) none that he was shown. */
enum { SHOWN = 4 };
static struct eddy_interactions shown_rows_of(uint32_t count, bool taken)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP,IMPRESSION\n");
    uint32_t last[10][SHOWN] = {{0}};
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 4);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t era = i * 6 / 3600, slot = i % 10;
        uint32_t pick = eddy_rng_below(&rng, 30);
        bool again = false;
        for (uint32_t s = 0; s < SHOWN && i % 30 >= 10; s++)
            again = again || last[slot][s] == pick;
        if (taken && i % 30 >= 10 && eddy_rng_below(&rng, 10) < 7)
            pick = last[slot][eddy_rng_below(&rng, SHOWN)];
        else if (again && !taken)
            pick = (pick + 7) % 30;
        eddy_buf_printf(&csv, "u%u,i%u,%u,i%u", i / 30 * 10 + slot, era * 30 + pick,
                        1600000000 + i * 6, era * 30 + pick);
        for (uint32_t s = 0; s < SHOWN; s++) {
            last[slot][s] = (pick + 1 + eddy_rng_below(&rng, 29)) % 30;
            eddy_buf_printf(&csv, "|i%u", era * 30 + last[slot][s]);
        }
        eddy_buf_puts(&csv, "\n");
    }
    return rows_of_csv(&csv, NULL);
}

static struct eddy_stream_fit_result fit_of(uint32_t count, bool fresh, double step_s,
                                            int64_t begin_s)
{
    struct eddy_interactions in = rows_of(count, fresh, step_s, begin_s);
    struct eddy_stream_fit_result result;
    CHECK_INT(eddy_stream_fit(&in, &options, &result, NULL), 0);
    eddy_interactions_fini(&in);
    return result;
}

static void news_get_a_head_for_streams(void)
{
    struct eddy_stream_fit_result result = fit_of(40000, true, 6, 1600000000);
    CHECK_INT(result.head.refresh_s, 300);
    CHECK(result.live > result.frozen + 0.5);
    CHECK(result.cases > 1000);
    CHECK(!eddy_head_is_plain(&result.head.head));
    CHECK(result.head.counters.half_lives > 2);
    for (int b = 0; b < EDDY_HEAD_BUCKETS; b++)
        CHECK(!result.head.head.network[b]);
    struct eddy_stream_fit_result again = fit_of(40000, true, 6, 1600000000);
    CHECK(memcmp(&result.head.head.weight, &again.head.head.weight,
                 sizeof result.head.head.weight) == 0);
}

static void streams_weigh_what_was_shown_for_or_against(void)
{
    for (int taken = 0; taken < 2; taken++) {
        struct eddy_interactions in = shown_rows_of(20000, taken);
        struct eddy_stream_fit_result result;
        CHECK_INT(eddy_stream_fit(&in, &options, &result, NULL), 0);
        CHECK_INT(result.head.refresh_s, 300);
        float weight = result.head.head.weight[1][EDDY_HEAD_SHOWN];
        CHECK(taken ? weight > 0 : weight < 0);
        eddy_interactions_fini(&in);
    }
    struct eddy_stream_fit_result without = fit_of(20000, true, 6, 1600000000);
    CHECK(!eddy_head_uses(&without.head.head, EDDY_HEAD_SHOWN));
}

static void where_nothing_changes_there_is_none(void)
{
    struct eddy_stream_fit_result result = fit_of(40000, false, 6, 1600000000);
    CHECK_INT(result.head.refresh_s, 0);
    CHECK(result.cases > 1000);
    CHECK(result.live < result.frozen + 0.5);
}

static void positions_short_logs_and_few_rows_are_skipped(void)
{
    CHECK_INT(fit_of(20000, true, 1, 0).cases, 0);            /* positions */
    CHECK_INT(fit_of(20000, true, 1, 1600000000).cases, 0);   /* six hours */
    CHECK_INT(fit_of(3000, true, 60, 1600000000).cases, 0);   /* rows */
    CHECK_INT(fit_of(20000, true, 0, 1600000000).cases, 0);   /* one moment */
    CHECK_INT(fit_of(20000, true, 200, 1600000000).cases, 0); /* slow */
}

/* A whole run has thousands of allocations: a sample of them fails. */
static void memory_may_run_out(void)
{
    static const long sample[] = {0, 1, 2, 3, 5, 8, 13, 21, 34, 40, 50, 60, 70, 200};
    struct eddy_interactions in = rows_of(5000, true, 30, 1600000000);
    for (size_t i = 0; i < sizeof sample / sizeof *sample; i++) {
        struct eddy_stream_fit_result result;
        torture_arm(sample[i]);
        int r = eddy_stream_fit(&in, &options, &result, NULL);
        bool hit = atomic_load(&torture_hit);
        torture_arm(-1);
        CHECK(hit);
        CHECK_INT(r, EDDY_ENOMEM);
    }
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(news_get_a_head_for_streams);
    RUN(streams_weigh_what_was_shown_for_or_against);
    RUN(where_nothing_changes_there_is_none);
    RUN(positions_short_logs_and_few_rows_are_skipped);
    RUN(memory_may_run_out);
    return check_done();
}
