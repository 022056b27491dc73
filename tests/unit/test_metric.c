/* Metrics: sums over blocks and threads, histogram edges and quantiles, exposition. */
#include "base/metric.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"
#include "check.h"

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void sums_cover_all_blocks_and_outlive_them(void)
{
    struct eddy_metrics *a = eddy_metrics_new(), *b = eddy_metrics_new();
    uint64_t before = eddy_metric_total(EDDY_M_TURNS);
    eddy_metric_add(a, EDDY_M_TURNS, 3);
    eddy_metric_add(b, EDDY_M_TURNS, 4);
    eddy_metric_set(a, EDDY_M_OUTBOX_USERS, 1.5);
    eddy_metric_set(b, EDDY_M_OUTBOX_USERS, 2);
    eddy_metric_observe_ns(a, EDDY_M_STAGE_LOAD, 5000);
    CHECK_INT(eddy_metric_total(EDDY_M_TURNS) - before, 7);
    CHECK_NEAR(eddy_metric_value(EDDY_M_OUTBOX_USERS), 3.5, 0);
    CHECK_INT(eddy_metric_total(EDDY_M_STAGE_LOAD), 1);
    eddy_metrics_free(a);
    CHECK_INT(eddy_metric_total(EDDY_M_TURNS) - before, 7);
    CHECK_NEAR(eddy_metric_value(EDDY_M_OUTBOX_USERS), 2, 0);
    CHECK_INT(eddy_metric_total(EDDY_M_STAGE_LOAD), 1);
    eddy_metrics_free(b);
    CHECK_NEAR(eddy_metric_value(EDDY_M_OUTBOX_USERS), 0, 0);
    eddy_metrics_free(NULL);
}

static void quantiles_lie_in_the_bucket_of_the_observation(void)
{
    CHECK_NEAR(eddy_metric_quantile_ns(EDDY_M_STAGE_APPLY, 0.5, NULL), 0, 0);
    struct eddy_metrics *metrics = eddy_metrics_new();
    /* Exactly at an edge: 1 us is in bucket 0, 1001 ns in bucket 1 (1 to 1.25 us). */
    eddy_metric_observe_ns(metrics, EDDY_M_STAGE_APPLY, 1000);
    CHECK_NEAR(eddy_metric_quantile_ns(EDDY_M_STAGE_APPLY, 1, NULL), 1000, 0);
    eddy_metric_observe_ns(metrics, EDDY_M_STAGE_APPLY, 1001);
    CHECK_NEAR(eddy_metric_quantile_ns(EDDY_M_STAGE_APPLY, 1, NULL), 1250, 0);
    CHECK_NEAR(eddy_metric_quantile_ns(EDDY_M_STAGE_APPLY, 0.5, NULL), 1000, 0);
    CHECK_NEAR(eddy_metric_quantile_ns(EDDY_M_STAGE_APPLY, 0, NULL), 0, 0);
    struct eddy_metric_histogram since;
    eddy_metric_sum_histogram(EDDY_M_STAGE_APPLY, &since);
    CHECK_NEAR(eddy_metric_quantile_ns(EDDY_M_STAGE_APPLY, 0.5, &since), 0, 0);
    /* 1 ms .. 100 ms evenly: every quantile within an eighth of the truth. */
    for (uint64_t us = 1000; us <= 100000; us++) {
        eddy_metric_observe_ns(metrics, EDDY_M_STAGE_SCORE, us * 1000);
    }
    for (double q = 0.05; q < 1; q += 0.05) {
        double want = (1000 + q * 99000) * 1000;
        CHECK_NEAR(eddy_metric_quantile_ns(EDDY_M_STAGE_SCORE, q, NULL), want,
                   want / 8);
    }
    eddy_metric_observe_ns(metrics, EDDY_M_STAGE_LIST, UINT64_MAX);
    eddy_metric_observe_ns(metrics, EDDY_M_STAGE_LIST, 0);
    CHECK(eddy_metric_quantile_ns(EDDY_M_STAGE_LIST, 1, NULL) > 3000e9);
    eddy_metrics_free(metrics);
}

static void exposition_has_each_family_once(void)
{
    struct eddy_buf out;
    eddy_buf_init(&out, 0);
    eddy_buf_putc(&out, '\n'); /* so that every line has one before it */
    eddy_metrics_print(&out);
    CHECK(!out.failed);
    for (const char *line = out.data; line[1]; line = strchr(line + 1, '\n')) {
        /* "# HELP name " and "# TYPE name ", or "name{labels} ": each only once. */
        const char *end = strchr(line[1] == '#' ? line + 8 : line, ' ');
        char head[320];
        (void)snprintf(head, sizeof head, "%.*s ", (int)(end - line), line);
        if (count_of(out.data, head) != 1) {
            CHECK_STR(head, "there once");
        }
    }
    CHECK_INT(count_of(out.data, "# TYPE eddy_events_discarded_total counter\n"), 1);
    CHECK_INT(count_of(out.data, "# HELP eddy_events_discarded_total "), 1);
    CHECK_INT(count_of(out.data, "eddy_stage_seconds_bucket{stage=\"load\",le=\""), 17);
    CHECK_INT(count_of(out.data, "\nprocess_resident_memory_bytes "), 1);
    CHECK_INT(count_of(out.data, "\neddy_build_info{version=\""), 1);
    CHECK(!strstr(out.data, "eddy_kafka_consumer_lag"));
    eddy_buf_fini(&out);
}

/* Value of the series in the exposition, NaN when it is not there. */
static double series(const char *name)
{
    struct eddy_buf out;
    char line[256];
    double value = (double)NAN;
    eddy_buf_init(&out, 0);
    eddy_metrics_print(&out);
    (void)snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(out.data, line);
    if (at) {
        value = strtod(at + strlen(line), NULL);
    }
    eddy_buf_fini(&out);
    return value;
}

static void buckets_shown_are_cumulative_and_exact_at_their_edges(void)
{
    struct eddy_metrics *metrics = eddy_metrics_new();
    static const char *const first =
        "eddy_redis_exchange_seconds_bucket{le=\"1.6e-05\"}";
    static const char *const ms = "eddy_redis_exchange_seconds_bucket{le=\"0.001024\"}";
    static const char *const all = "eddy_redis_exchange_seconds_bucket{le=\"+Inf\"}";
    eddy_metric_observe_ns(metrics, EDDY_M_REDIS_COMMAND, 16000);
    eddy_metric_observe_ns(metrics, EDDY_M_REDIS_COMMAND, 16001);
    eddy_metric_observe_ns(metrics, EDDY_M_REDIS_COMMAND, 1024000);
    eddy_metric_observe_ns(metrics, EDDY_M_REDIS_COMMAND, 1024001);
    eddy_metric_observe_ns(metrics, EDDY_M_REDIS_COMMAND, 60000000000);
    CHECK_NEAR(series(first), 1, 0);
    CHECK_NEAR(series(ms), 3, 0);
    CHECK_NEAR(series(all), 5, 0);
    CHECK_NEAR(series("eddy_redis_exchange_seconds_count"), 5, 0);
    CHECK_NEAR(series("eddy_redis_exchange_seconds_sum"), 60.002080002, 1e-9);
    eddy_metrics_free(metrics);
}

static void lag_series_exist_between_set_and_drop(void)
{
    struct eddy_metrics *a = eddy_metrics_new(), *b = eddy_metrics_new();
    static const char *const messages =
        "eddy_kafka_consumer_lag_messages{topic=\"eddy.events\",partition=\"7\"}";
    static const char *const seconds =
        "eddy_kafka_consumer_lag_seconds{topic=\"eddy.events\",partition=\"7\"}";
    CHECK(isnan(series(messages)));
    eddy_metric_set_lag(a, "eddy.events", 7, 12, 3500);
    CHECK_NEAR(series(messages), 12, 0);
    CHECK_NEAR(series(seconds), 3.5, 0);
    eddy_metric_set_lag(b, "eddy.events", 7, 5, 0); /* moved to another thread */
    eddy_metric_drop_lag(a, "eddy.events", 7);      /* is not a's any more */
    CHECK_NEAR(series(messages), 5, 0);
    for (uint32_t p = 0; p < 100; p++) {
        eddy_metric_set_lag(b, "we\"ird\\", p, p, -1);
    }
    CHECK_NEAR(
        series(
            "eddy_kafka_consumer_lag_messages{topic=\"we\\\"ird\\\\\",partition=\"99\"}"),
        99, 0);
    eddy_metric_drop_lag(b, "eddy.events", 7);
    CHECK(isnan(series(messages)));
    eddy_metrics_free(b);
    CHECK(isnan(series(
        "eddy_kafka_consumer_lag_messages{topic=\"we\\\"ird\\\\\",partition=\"99\"}")));
    eddy_metrics_free(a);
}

static void process_metrics_are_plausible(void)
{
    CHECK(series("process_resident_memory_bytes") > 1e5);
    CHECK(series("process_cpu_seconds_total") >= 0);
    CHECK(series("process_open_fds") >= 3);
    CHECK(series("process_threads") >= 1);
    CHECK(series("process_start_time_seconds") > 1.6e9);
    CHECK(series("process_virtual_memory_bytes") >
          series("process_resident_memory_bytes"));
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *count_in_thread(void *argument)
{
    uint32_t index = *(uint32_t *)argument;
    struct eddy_metrics *metrics = eddy_metrics_new();
    for (int i = 0; i < ROUNDS; i++) {
        eddy_metric_add(metrics, EDDY_M_EVENTS_APPLIED, 1);
        eddy_metric_observe_ns(metrics, EDDY_M_EVENT_TO_LIST, 1000u * (unsigned)i);
        eddy_metric_set(metrics, EDDY_M_PARTITIONS_OWNED, i);
        if (i % 1000 == 0) {
            eddy_metric_set_lag(metrics, "t", index, i, i);
        }
    }
    eddy_metrics_free(metrics);
    return NULL;
}

static void threads_count_while_others_read(void)
{
    pthread_t threads[THREADS];
    uint32_t index[THREADS];
    struct eddy_err err;
    struct eddy_buf out;
    uint64_t before = eddy_metric_total(EDDY_M_EVENTS_APPLIED);
    eddy_buf_init(&out, 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        index[i] = i;
        CHECK_INT(eddy_thread_start(&threads[i], EDDY_ROLE_WORKER, "counter",
                                    count_in_thread, &index[i], &err),
                  0);
    }
    uint64_t last = 0;
    for (int i = 0; i < 50; i++) { /* a counter never falls */
        uint64_t now = eddy_metric_total(EDDY_M_EVENTS_APPLIED);
        CHECK(now >= last);
        last = now;
        eddy_buf_clear(&out);
        eddy_metrics_print(&out);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    CHECK_INT(eddy_metric_total(EDDY_M_EVENTS_APPLIED) - before, THREADS * ROUNDS);
    CHECK_INT(eddy_metric_total(EDDY_M_EVENT_TO_LIST), THREADS * ROUNDS);
    CHECK_NEAR(eddy_metric_value(EDDY_M_PARTITIONS_OWNED), 0, 0);
    eddy_buf_fini(&out);
}

int main(void)
{
    RUN(sums_cover_all_blocks_and_outlive_them);
    RUN(quantiles_lie_in_the_bucket_of_the_observation);
    RUN(exposition_has_each_family_once);
    RUN(buckets_shown_are_cumulative_and_exact_at_their_edges);
    RUN(lag_series_exist_between_set_and_drop);
    RUN(process_metrics_are_plausible);
    RUN(threads_count_while_others_read);
    return check_done();
}
