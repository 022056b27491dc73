/* Counters against sums over the whole log, computed anew for every question. */
#include "core/counters.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "core/log_order.h"
#include "log_rows.h"
#include "torture.h"

enum { EVENTS = 600, ITEMS = 23, USERS = 7 };

struct event {
    int64_t ts_ms;
    uint32_t user, item;
};
static struct event events[EVENTS];

/* Times mostly rise; some step back, one jump is long. */
static void make_events(void)
{
    struct eddy_rng rng;
    int64_t now = 1500000000000;
    eddy_rng_seed(&rng, 11);
    for (int i = 0; i < EVENTS; i++) {
        now += (int64_t)(eddy_rng_next(&rng) % 60000);
        if (i == 400)
            now += 3 * 3600 * 1000;
        int64_t late = eddy_rng_next(&rng) % 10 == 0 ? 30000 : 0;
        uint32_t user = (uint32_t)(eddy_rng_next(&rng) % USERS);
        uint64_t pick = eddy_rng_next(&rng) % ITEMS * (eddy_rng_next(&rng) % ITEMS);
        events[i] = (struct event){now - late, user, (uint32_t)(pick % ITEMS)};
    }
}

static uint32_t recent_of(int at, uint32_t *ret, uint32_t room)
{
    uint32_t all[EVENTS], count = 0;
    for (int i = 0; i < at; i++)
        if (events[i].user == events[at].user)
            all[count++] = events[i].item;
    uint32_t n = count < room ? count : room;
    memcpy(ret, all + count - n, n * sizeof *ret);
    return n;
}

static const struct eddy_counters_options wide = {.items = 4,
                                                  .window = 4,
                                                  .distance_decay = 2,
                                                  .rules_half_life_s = 5400,
                                                  .shrink = 1.5,
                                                  .half_life_s = {600, 36000, 0},
                                                  .half_lives = 3};

static bool feed(struct eddy_counters *counters, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t recent[8], n = recent_of(i, recent, 8);
        if (eddy_counters_add(counters, events[i].ts_ms, events[i].item, recent, n) < 0)
            return false;
    }
    return true;
}

/* The time that an event counts at: never before one that came earlier. */
static int64_t time_of(int at)
{
    int64_t time = events[0].ts_ms;
    for (int i = 1; i <= at; i++)
        time = events[i].ts_ms > time ? events[i].ts_ms : time;
    return time;
}

static double decay(int at, int64_t now_ms, double half_life_s)
{
    double age_s = (double)(now_ms - time_of(at)) / 1000;
    return half_life_s > 0 ? exp2(-age_s / half_life_s) : 1;
}

static void rules_equal_sums_over_the_log(void)
{
    for (int half_life = 0; half_life < 3; half_life++) {
        struct eddy_counters_options options = wide;
        struct eddy_counters *counters;
        struct eddy_table table;
        static double count[ITEMS][ITEMS], support[ITEMS];
        memset(count, 0, sizeof count);
        memset(support, 0, sizeof support);
        options.rules_half_life_s = half_life ? wide.rules_half_life_s : 0;
        options.reverse = half_life == 2 ? 0.5 : 0;
        CHECK_INT(eddy_counters_new(&options, &counters, NULL), 0);
        CHECK(feed(counters, EVENTS));
        int64_t now = time_of(EVENTS - 1) + 1000000;
        for (int i = 0; i < EVENTS; i++) {
            uint32_t recent[4], n = recent_of(i, recent, 4);
            double weight = decay(i, now, options.rules_half_life_s);
            for (uint32_t d = 0; d < n; d++) {
                count[recent[n - 1 - d]][events[i].item] +=
                    weight * exp(-(double)d / 2);
                support[recent[n - 1 - d]] += weight;
                count[events[i].item][recent[n - 1 - d]] +=
                    options.reverse * weight * exp(-(double)d / 2);
                support[events[i].item] += options.reverse * weight;
            }
        }
        CHECK_INT(eddy_counters_rules(counters, now, ITEMS, ITEMS, &table), 0);
        CHECK_INT(eddy_table_check(&table, NULL), 0);
        for (uint32_t row = 0; row < ITEMS; row++) {
            uint64_t want = 0, n = table.begin[row + 1] - table.begin[row];
            for (uint32_t i = 0; i < ITEMS; i++)
                want += count[row][i] > 2e-3;
            CHECK(n >= want);
            for (uint64_t i = table.begin[row]; i < table.begin[row + 1]; i++)
                CHECK_NEAR(table.weight[i],
                           count[row][table.index[i]] / (support[row] + 1.5), 1e-4);
        }
        eddy_table_fini(&table);
        eddy_counters_free(counters);
    }
}

static void priors_equal_sums_over_the_log(void)
{
    struct eddy_counters *counters;
    float prior[ITEMS];
    CHECK_INT(eddy_counters_new(&wide, &counters, NULL), 0);
    CHECK(feed(counters, EVENTS));
    int64_t now = time_of(EVENTS - 1) + 7000;
    for (uint32_t h = 0; h < 3; h++) {
        double count[ITEMS] = {0}, sum = 0.5 * ITEMS;
        for (int i = 0; i < EVENTS; i++) {
            count[events[i].item] += decay(i, now, wide.half_life_s[h]);
            sum += decay(i, now, wide.half_life_s[h]);
        }
        eddy_counters_prior(counters, now, ITEMS, h, prior);
        for (int i = 0; i < ITEMS; i++)
            CHECK_NEAR(prior[i], log((count[i] + 0.5) / sum), 1e-5);
    }
    eddy_counters_free(counters);
}

/* Asking changes nothing: a snapshot's table is what a stream has at that moment. */
static void questions_leave_no_trace(void)
{
    struct eddy_counters *asked, *alone;
    struct eddy_table a, b;
    CHECK_INT(eddy_counters_new(&wide, &asked, NULL), 0);
    CHECK_INT(eddy_counters_new(&wide, &alone, NULL), 0);
    for (int i = 0; i < EVENTS; i++) {
        uint32_t recent[8], n = recent_of(i, recent, 8);
        CHECK_INT(eddy_counters_add(asked, events[i].ts_ms, events[i].item, recent, n),
                  0);
        CHECK_INT(eddy_counters_add(alone, events[i].ts_ms, events[i].item, recent, n),
                  0);
        if (i % 50 == 0) {
            CHECK_INT(eddy_counters_rules(asked, events[i].ts_ms, ITEMS, 3, &a), 0);
            eddy_table_fini(&a);
        }
    }
    int64_t now = time_of(EVENTS - 1);
    CHECK_INT(eddy_counters_rules(asked, now, ITEMS, 5, &a), 0);
    CHECK_INT(eddy_counters_rules(alone, now, ITEMS, 5, &b), 0);
    CHECK_INT(a.begin[ITEMS], b.begin[ITEMS]);
    for (uint32_t row = 0; row < ITEMS; row++)
        CHECK(a.begin[row + 1] - a.begin[row] <= 5);
    CHECK(memcmp(a.weight, b.weight, a.begin[ITEMS] * sizeof *a.weight) == 0);
    CHECK(memcmp(a.index, b.index, a.begin[ITEMS] * sizeof *a.index) == 0);
    eddy_table_fini(&a);
    eddy_table_fini(&b);
    eddy_counters_free(asked);
    eddy_counters_free(alone);
}

static void rows_of_a_file_equal_the_events_one_by_one(void)
{
    struct eddy_interactions in =
        rows_of_text("USER_ID,ITEM_ID,TIMESTAMP\n"
                     "u,a,1500000000\nv,c,1500000001\nu,b,1500000005\n"
                     "u,c,1500003000\nu,d,1500003001\nv,a,1500003002\n");
    struct eddy_counters *rows, *singly;
    struct eddy_table a, b;
    static const uint32_t items[] = {0, 1, 2, 1, 3, 0};
    static const uint32_t before[][2] = {{9}, {9}, {0}, {9}, {1}, {9}};
    CHECK_INT(eddy_counters_new(&wide, &rows, NULL), 0);
    CHECK_INT(eddy_counters_new(&wide, &singly, NULL), 0);
    uint64_t count = 0;
    int code = 0;
    uint64_t *order = eddy_log_newest(&in, 6, NULL, NULL, &count, &code, NULL);
    CHECK_INT(count, 6);
    CHECK_INT(eddy_counters_add_rows(rows, &in, order, count, 1800), 0);
    eddy_spill_free(order);
    for (int i = 0; i < 6; i++) {
        static const int64_t ts[] = {0, 1, 5, 3000, 3001, 3002};
        CHECK_INT(eddy_counters_add(singly, 1500000000000 + 1000 * ts[i], items[i],
                                    before[i], before[i][0] == 9 ? 0 : 1),
                  0);
    }
    CHECK_INT(eddy_counters_rules(rows, 1500003002000, 4, 9, &a), 0);
    CHECK_INT(eddy_counters_rules(singly, 1500003002000, 4, 9, &b), 0);
    CHECK_INT(a.begin[4], 2);
    CHECK_INT(b.begin[4], 2);
    CHECK(memcmp(a.weight, b.weight, 2 * sizeof *a.weight) == 0);
    CHECK(memcmp(a.index, b.index, 2 * sizeof *a.index) == 0);
    eddy_table_fini(&a);
    eddy_table_fini(&b);
    eddy_counters_free(rows);
    eddy_counters_free(singly);
    eddy_interactions_fini(&in);
}

static void options_out_of_range_are_refused(void)
{
    struct eddy_counters *counters;
    struct eddy_err err = {0};
    struct eddy_counters_options options = {.window = EDDY_RULES_WINDOW_MAX + 1};
    CHECK_INT(eddy_counters_new(&options, &counters, &err), EDDY_ECONFIG);
    options = (struct eddy_counters_options){.half_lives = EDDY_HALF_LIVES_MAX + 1};
    CHECK_INT(eddy_counters_new(&options, &counters, &err), EDDY_ECONFIG);
}

static bool events_are_counted(void)
{
    struct eddy_counters *counters;
    struct eddy_table table = {0};
    if (eddy_counters_new(&wide, &counters, NULL) < 0)
        return false;
    bool good = feed(counters, 200) &&
                eddy_counters_rules(counters, events[200].ts_ms, ITEMS, 5, &table) == 0;
    eddy_table_fini(&table);
    eddy_counters_free(counters);
    return good;
}

static void memory_may_run_out(void)
{
    TORTURE(events_are_counted);
}

int main(void)
{
    make_events();
    RUN(rules_equal_sums_over_the_log);
    RUN(priors_equal_sums_over_the_log);
    RUN(questions_leave_no_trace);
    RUN(rows_of_a_file_equal_the_events_one_by_one);
    RUN(options_out_of_range_are_refused);
    RUN(memory_may_run_out);
    return check_done();
}
