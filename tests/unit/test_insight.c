#include "core/insight.h"

#include <stdlib.h>

#include "base/rng.h"
#include "torture.h"

enum { T0 = 1600041600 }; /* a midnight UTC */

/* A log written line by line, parsed and measured. */
struct log {
    struct eddy_buf csv;
    struct eddy_interactions data;
    struct eddy_insight in;
};

static struct log *log_new(void)
{
    struct log *log = calloc(1, sizeof *log);
    eddy_buf_init(&log->csv, 0);
    eddy_buf_puts(&log->csv, "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n");
    return log;
}

static void put(struct log *log, unsigned user, unsigned item, double after_s)
{
    eddy_buf_printf(&log->csv, "u%u,i%u,%.3f,view,\n", user, item, T0 + after_s);
}

static int measure(struct log *log, const struct eddy_insight_options *options)
{
    int r =
        eddy_interactions_parse(eddy_buf_span(&log->csv), "f", NULL, &log->data, NULL);
    return r < 0 ? r : eddy_insight(&log->data, options, &log->in, NULL);
}

static void log_free(struct log *log)
{
    eddy_interactions_fini(&log->data);
    eddy_buf_fini(&log->csv);
    free(log);
}

static const struct eddy_insight_options defaults = {.seed = 1};

static bool has(const struct log *log, const struct eddy_insight_table *table,
                const struct eddy_insight_table *items, const char *code)
{
    struct eddy_finding findings[EDDY_INSIGHT_FINDINGS];
    uint32_t count = eddy_insight_advise(&log->in, table, items, NULL, findings);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(findings[i].text[0] != 0 && findings[i].advice[0] != 0);
        CHECK(i == 0 || findings[i - 1].level >= findings[i].level);
        if (strcmp(findings[i].code, code) == 0)
            return true;
    }
    return false;
}

static void percentiles_are_of_nearest_rank_and_gini_of_the_textbook(void)
{
    uint64_t hundred[101], alike[4] = {7, 7, 7, 7}, one[5] = {0, 0, 0, 0, 0};
    uint64_t known[4] = {1, 2, 3, 4};
    struct eddy_spread spread;
    hundred[0] = 0; /* left out */
    for (uint64_t i = 1; i <= 100; i++)
        hundred[i] = 101 - i;
    eddy_spread_compute(hundred, 101, &spread);
    CHECK_INT(spread.count, 100);
    CHECK_INT(spread.min, 1);
    CHECK_INT(spread.p5, 5);
    CHECK_INT(spread.p50, 50);
    CHECK_INT(spread.p99, 99);
    CHECK_INT(spread.max, 100);
    CHECK_NEAR(spread.mean, 50.5, 1e-12);
    CHECK_NEAR(spread.top_1_percent, 100 / 5050., 1e-6);
    CHECK_NEAR(spread.top_10_percent, 955 / 5050., 1e-6);
    CHECK_NEAR(spread.ones, .01, 1e-12);
    CHECK_INT(spread.histogram[5], 32);
    eddy_spread_compute(alike, 4, &spread);
    CHECK_NEAR(spread.gini, 0, 1e-12);
    eddy_spread_compute(known, 4, &spread);
    CHECK_NEAR(spread.gini, .25, 1e-12); /* (2 * 30) / (4 * 10) - 5 / 4 */
    eddy_spread_compute(one, 5, &spread);
    CHECK_INT(spread.count, 0);
}

static void repeats_copies_ties_and_disorder_are_counted(void)
{
    struct log *log = log_new();
    put(log, 1, 1, 0);
    put(log, 1, 1, 10); /* repeat, directly after */
    put(log, 1, 2, 20);
    put(log, 1, 1, 30);  /* repeat */
    put(log, 2, 9, 100); /* later than the next two rows of its user */
    put(log, 2, 8, 50);
    put(log, 2, 8, 50);  /* a copy: tie, repeat, out of order */
    put(log, 3, 5, 1e9); /* the future */
    struct eddy_insight_options options = {.seed = 1, .now_ms = (T0 + 1000) * 1000LL};
    CHECK_INT(measure(log, &options), 0);
    CHECK_INT(log->in.events, 8);
    CHECK_INT(log->in.users, 3);
    CHECK_INT(log->in.items, 5);
    CHECK_INT(log->in.users_of_two, 2);
    CHECK_INT(log->in.repeats, 3);
    CHECK_INT(log->in.repeats_next, 2);
    CHECK_INT(log->in.pairs, 5);
    CHECK_NEAR(log->in.density, 5 / 15., 1e-12);
    CHECK_INT(log->in.duplicates, 1);
    CHECK_INT(log->in.ties, 1);
    CHECK_INT(log->in.out_of_order, 2);
    CHECK_INT(log->in.later_than_now, 1);
    CHECK_INT(log->in.one_event_users, 1);
    CHECK_INT(log->in.guests, 3);
    CHECK_INT(log->in.sittings, 3);
    CHECK(has(log, NULL, NULL, "few_events") && has(log, NULL, NULL, "few_users"));
    CHECK(has(log, NULL, NULL, "future") && has(log, NULL, NULL, "out_of_order"));
    CHECK(has(log, NULL, NULL, "anonymous"));
    log_free(log);
}

static void no_event_is_an_error_not_a_division(void)
{
    struct log *log = log_new();
    CHECK_INT(measure(log, &defaults), EDDY_EFORMAT);
    log_free(log);
}

static void positions_are_not_taken_for_times(void)
{
    struct log *log = log_new();
    for (unsigned u = 0; u < 30; u++)
        for (unsigned i = 0; i < 40; i++)
            eddy_buf_printf(&log->csv, "u%u,i%u,%u,,\n", u, (u * 7 + i * i) % 50, i);
    CHECK_INT(measure(log, &defaults), 0);
    CHECK(!log->in.has_times);
    CHECK_INT(log->in.drift_count, 0);
    CHECK_INT(log->in.robots, 0);
    CHECK_INT(log->in.series_count, 0);
    CHECK_INT(log->in.guests, 0);
    CHECK(has(log, NULL, NULL, "no_times"));
    CHECK(!has(log, NULL, NULL, "few_events"));
    log_free(log);
}

/* days of 200 events; the catalogue moves on by `step` items a day. */
static struct log *daily(unsigned days, unsigned items, unsigned step)
{
    struct log *log = log_new();
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 3);
    for (unsigned d = 0; d < days; d++)
        for (unsigned i = 0; i < 200; i++)
            put(log, eddy_rng_below(&rng, 40), d * step + eddy_rng_below(&rng, items),
                d * 86400. + i * 400);
    return log;
}

static void steady_popularity_drifts_as_chance_does(void)
{
    static const int64_t periods[] = {4 * 86400000LL, 86400000};
    struct eddy_insight_options options = {
        .seed = 1, .periods_ms = periods, .period_count = 2};
    struct log *log = daily(40, 30, 0);
    CHECK_INT(measure(log, &options), 0);
    CHECK_INT(log->in.drift_count, 2);
    for (uint32_t i = 0; i < log->in.drift_count; i++) {
        const struct eddy_drift *drift = &log->in.drift[i];
        CHECK_NEAR(drift->drift, drift->chance, .02);
        CHECK(drift->halves > drift->chance); /* from halves as large */
        CHECK(drift->drift > .02);            /* samples are finite */
    }
    int64_t due = -1, calm = -1;
    eddy_insight_retraining(&log->in, &due, &calm);
    CHECK_INT(due, 0);
    CHECK(has(log, NULL, NULL, "no_drift"));
    log_free(log);
}

static void a_catalogue_that_moves_on_drifts(void)
{
    static const int64_t periods[] = {2 * 86400000LL, 86400000};
    struct eddy_insight_options options = {
        .seed = 1, .periods_ms = periods, .period_count = 2};
    struct log *log = daily(40, 30, 30); /* every day other items */
    CHECK_INT(measure(log, &options), 0);
    CHECK_INT(log->in.drift_count, 2);
    for (uint32_t i = 0; i < log->in.drift_count; i++)
        if (log->in.drift[i].period_ms == 86400000)
            CHECK_NEAR(log->in.drift[i].drift, 1, 1e-9);
    int64_t due, calm;
    eddy_insight_retraining(&log->in, &due, &calm);
    CHECK_INT(due, 86400000);
    CHECK(has(log, NULL, NULL, "drift"));
    log_free(log);
}

static void the_same_seed_gives_the_same_figures(void)
{
    struct log *a = daily(20, 30, 2), *b = daily(20, 30, 2), *c = daily(20, 30, 2);
    struct eddy_insight_options other = {.seed = 2};
    CHECK_INT(measure(a, &defaults), 0);
    CHECK_INT(measure(b, &defaults), 0);
    CHECK_INT(measure(c, &other), 0);
    CHECK_MEM(&a->in, &b->in, sizeof a->in);
    CHECK(a->in.drift_count > 0 && a->in.drift[0].chance != c->in.drift[0].chance);
    CHECK(a->in.drift[0].drift == c->in.drift[0].drift);
    log_free(a);
    log_free(b);
    log_free(c);
}

static void order_is_told_from_company(void)
{
    struct log *cycle = log_new(), *mixed = log_new();
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 5);
    for (unsigned u = 0; u < 200; u++)
        for (unsigned i = 0; i < 30; i++) {
            put(cycle, u, (u + i) % 60, u * 100. + i);
            put(mixed, u, eddy_rng_below(&rng, 60), u * 100. + i);
        }
    CHECK_INT(measure(cycle, &defaults), 0);
    CHECK_INT(measure(mixed, &defaults), 0);
    CHECK_NEAR(cycle->in.order_hit_1, 1, 1e-12);
    CHECK(cycle->in.order_shuffled < .5);
    CHECK(has(cycle, NULL, NULL, "fixed_rules"));
    CHECK_NEAR(mixed->in.order_hit, mixed->in.order_shuffled, .03);
    CHECK_NEAR(mixed->in.order_popular, 10 / 60., .03);
    CHECK(has(mixed, NULL, NULL, "no_order"));
    log_free(cycle);
    log_free(mixed);
}

/* 300 events of one user, with gaps drawn by kind. */
static unsigned robot_of(int kind)
{
    struct eddy_interaction rows[300] = {{0}};
    struct eddy_rng rng;
    int64_t now = T0 * INT64_C(1000);
    eddy_rng_seed(&rng, 9);
    for (int i = 0; i < 300; i++) {
        double gap = -log(1 - eddy_rng_unit(&rng)) * 40; /* a person: exponential */
        if (kind == 0 && i % 20 == 0)
            gap = 86400; /* who comes back the next day */
        if (kind == 1)
            gap = .2;
        if (kind == 2)
            gap = 30 + eddy_rng_unit(&rng);
        if (kind == 3)
            gap = gap * 10; /* never stops for two days */
        if (kind == 4)
            gap = 60; /* to the second */
        now += (int64_t)(gap * 1000);
        rows[i].ts_ms = now;
    }
    return eddy_insight_robot(rows, 300);
}

static void robots_are_told_from_zealots(void)
{
    CHECK_INT(robot_of(0), 0);
    CHECK_INT(robot_of(1), EDDY_ROBOT_RATE);
    CHECK_INT(robot_of(2), EDDY_ROBOT_REGULAR);
    CHECK_INT(robot_of(3), EDDY_ROBOT_SLEEPLESS);
    CHECK_INT(robot_of(4), EDDY_ROBOT_REGULAR);
}

static void robots_of_a_log_are_listed_busiest_first(void)
{
    struct log *log = log_new();
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 4);
    for (unsigned u = 0; u < 100; u++)
        for (unsigned i = 0; i < 12; i++)
            put(log, u, eddy_rng_below(&rng, 80),
                u * 50000. + i * 4000. + 3000 * eddy_rng_unit(&rng));
    for (unsigned i = 0; i < 500; i++)
        put(log, 500, i % 80, i * 45.);
    for (unsigned i = 0; i < 900; i++)
        put(log, 501, i % 80, i * .1);
    CHECK_INT(measure(log, &defaults), 0);
    CHECK_INT(log->in.robots, 2);
    CHECK_INT(log->in.robot_events, 1400);
    CHECK_INT(log->in.robot_listed, 2);
    CHECK_INT(log->in.robot[0].events, 900);
    CHECK_INT(log->in.robot[0].reasons, EDDY_ROBOT_RATE);
    CHECK_INT(log->in.robot[1].reasons, EDDY_ROBOT_REGULAR);
    CHECK(has(log, NULL, NULL, "robots"));
    log_free(log);
}

static void columns_have_kind_and_completeness(void)
{
    struct eddy_buf csv;
    struct eddy_insight_table table;
    struct eddy_err err;
    struct eddy_catalog *known = eddy_catalog_new();
    eddy_buf_init(&csv, 0);
    eddy_buf_puts(&csv, "ITEM_ID,TITLE,GENRES,PRICE,STOCK,CREATION_TIMESTAMP,RARE\n");
    for (unsigned i = 0; i < 100; i++) {
        eddy_buf_printf(&csv, "i%u,the tale of %u,%s,%u.5,%u,%u,%s\n", i, i,
                        i % 2 ? "Drama|War" : "Comedy", i * 3, i % 3, T0 + i,
                        i < 60 ? "x" : "");
    }
    eddy_buf_puts(&csv, "i5,again,,,,,\nonly,three,fields\n");
    for (unsigned i = 0; i < 75; i++) {
        char id[16];
        int size = snprintf(id, sizeof id, "i%u", i);
        (void)eddy_catalog_add(known, (struct eddy_span){id, (size_t)size});
    }
    CHECK_INT(eddy_insight_table_parse(eddy_buf_span(&csv), "items.csv", "item_id",
                                       known, &table, NULL),
              0);
    CHECK_INT(table.rows, 101);
    CHECK_INT(table.broken, 1);
    CHECK_INT(table.ids, 100);
    CHECK_INT(table.repeated_ids, 1);
    CHECK_INT(table.without_events, 25);
    static const enum eddy_column_kind kinds[] = {
        EDDY_COLUMN_IGNORED,    EDDY_COLUMN_TEXT,        EDDY_COLUMN_CATEGORICAL,
        EDDY_COLUMN_NUMERIC,    EDDY_COLUMN_CATEGORICAL, EDDY_COLUMN_IGNORED,
        EDDY_COLUMN_CATEGORICAL};
    for (uint32_t c = 0; c < 7; c++)
        CHECK_INT(table.columns[c].kind, kinds[c]);
    CHECK_INT(table.columns[2].filled, 100);
    CHECK_INT(table.columns[2].distinct, 2);
    CHECK_NEAR(table.columns[3].max, 297.5, 1e-9);
    CHECK_INT(table.columns[6].filled, 60);
    struct log *log = daily(20, 30, 0);
    CHECK_INT(measure(log, &defaults), 0);
    CHECK(has(log, NULL, &table, "incomplete_column"));
    CHECK(has(log, NULL, &table, "cold_items"));
    CHECK(has(log, NULL, &table, "table_rows"));
    log_free(log);
    eddy_insight_table_fini(&table);
    CHECK_INT(eddy_insight_table_parse(eddy_span_of("A,B\n1,2\n"), "t.csv", "USER_ID",
                                       known, &table, &err),
              EDDY_EFORMAT);
    CHECK_STR(err.text,
              "t.csv:1: Input CSV is missing the following columns:[USER_ID]");
    eddy_catalog_free(known);
    eddy_buf_fini(&csv);
}

static void session_ids_in_place_of_users_are_seen(void)
{
    struct log *log = daily(20, 30, 0);
    struct eddy_insight_table table;
    struct eddy_buf csv;
    eddy_buf_init(&csv, 0);
    eddy_buf_puts(&csv, "USER_ID,ITEM_ID,TIMESTAMP,SESSION_ID\n");
    for (unsigned i = 0; i < 100; i++)
        eddy_buf_printf(&csv, "%s,i,%u,s\n", i < 10 ? "amy" : i < 50 ? "s" : "", T0);
    CHECK_INT(eddy_insight_table_parse(eddy_buf_span(&csv), "log.csv", "USER_ID", NULL,
                                       &table, NULL),
              0);
    CHECK_INT(table.anonymous, 90);
    CHECK_INT(measure(log, &defaults), 0);
    CHECK(has(log, &table, NULL, "anonymous"));
    CHECK(!has(log, NULL, NULL, "anonymous"));
    eddy_insight_table_fini(&table);
    eddy_buf_fini(&csv);
    log_free(log);
}

static struct log *torture_log;

static bool a_log_is_described(void)
{
    return eddy_insight(&torture_log->data, &defaults, &torture_log->in, NULL) == 0;
}

static bool a_table_is_described(void)
{
    struct eddy_insight_table table;
    if (eddy_insight_table_parse(eddy_span_of("ITEM_ID,A\nx,1\ny,2\nz,\n"), "t",
                                 "ITEM_ID", torture_log->data.items, &table, NULL) < 0)
        return false;
    eddy_insight_table_fini(&table);
    return true;
}

static void memory_that_runs_out_is_said(void)
{
    torture_log = daily(10, 30, 1);
    CHECK_INT(measure(torture_log, &defaults), 0);
    TORTURE(a_log_is_described);
    TORTURE(a_table_is_described);
    log_free(torture_log);
}

int main(void)
{
    RUN(percentiles_are_of_nearest_rank_and_gini_of_the_textbook);
    RUN(repeats_copies_ties_and_disorder_are_counted);
    RUN(no_event_is_an_error_not_a_division);
    RUN(positions_are_not_taken_for_times);
    RUN(steady_popularity_drifts_as_chance_does);
    RUN(a_catalogue_that_moves_on_drifts);
    RUN(the_same_seed_gives_the_same_figures);
    RUN(order_is_told_from_company);
    RUN(robots_are_told_from_zealots);
    RUN(robots_of_a_log_are_listed_busiest_first);
    RUN(columns_have_kind_and_completeness);
    RUN(session_ids_in_place_of_users_are_seen);
    RUN(memory_that_runs_out_is_said);
    return check_done();
}
