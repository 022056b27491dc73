/* The sink on topics: reports, dead letters, and the days when the broker says no. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "io/kafka_out.h"

static rd_kafka_t *mock_client;
static rd_kafka_mock_cluster_t *mock;
static char texts[8][64] = {"", "events", "lists", "letters", "group", "", "all"};
static struct eddy_kafka_options options;

static struct {
    int good, bad, last_code;
    uint64_t last_revision;
    uint32_t last_partition;
    char last_user[16];
} reports;

static void on_done(void *context, uint32_t partition, struct eddy_span user,
                    uint64_t revision, int code)
{
    (void)context;
    reports.good += code == 0;
    reports.bad += code != 0;
    reports.last_code = code;
    reports.last_revision = revision;
    reports.last_partition = partition;
    (void)snprintf(reports.last_user, sizeof reports.last_user, "%.*s", (int)user.size,
                   user.data);
}

static struct eddy_sink *open_sink(void)
{
    struct eddy_sink *sink = NULL;
    struct eddy_err err = {0};

    memset(&reports, 0, sizeof reports);
    if (!CHECK_INT(eddy_kafka_out_open(&options, "test", &sink, &err), 0)) {
        fprintf(stderr, "    message: %s\n", err.text);
        exit(99);
    }
    eddy_sink_on_done(sink, on_done, NULL);
    return sink;
}

/* With one more property of librdkafka. */
static struct eddy_sink *open_sink_with(const char *property, const char *text)
{
    char name[64], value[64];
    char *names[] = {name}, *values[] = {value};
    struct eddy_sink *sink = NULL;

    (void)snprintf(name, sizeof name, "%s", property);
    (void)snprintf(value, sizeof value, "%s", text);
    options.properties = (struct eddy_pairs){names, values, 1};
    sink = open_sink();
    options.properties = (struct eddy_pairs){NULL, NULL, 0};
    return sink;
}

/* After a refusal the library answers for the broker until its next metadata. */
static int publish_until_taken(struct eddy_sink *sink, struct eddy_err *err)
{
    int rc = EDDY_EKAFKA;

    for (int i = 0; rc && i < 200; i++) {
        rc = eddy_sink_publish(sink, 0, eddy_span_of("u"), 1, eddy_span_of("l"), err);
        if (rc)
            (void)poll(NULL, 0, 50);
    }
    return rc;
}

/* Poll the sink when its descriptor says so until count reports came. */
static bool wait_reports(struct eddy_sink *sink, int count)
{
    for (int i = 0; i < 200 && reports.good + reports.bad < count; i++) {
        struct pollfd ready = {.fd = eddy_kafka_out_fd(sink), .events = POLLIN};
        uint64_t events = 0;
        if (poll(&ready, 1, 100) == 1)
            (void)!read(ready.fd, &events, sizeof events);
        eddy_sink_poll(sink);
    }
    return reports.good + reports.bad >= count;
}

static void a_confirmed_list_is_reported_with_its_revision(void)
{
    struct eddy_sink *sink = open_sink();
    struct eddy_err err = {0};
    bool refused = true;

    CHECK_INT(eddy_sink_publish(sink, 7, eddy_span_of("u1"), 42, eddy_span_of("list"),
                                &err),
              0);
    CHECK(wait_reports(sink, 1));
    CHECK_INT(reports.good, 1);
    CHECK_INT(reports.last_revision, 42);
    CHECK_INT(reports.last_partition, 7);
    CHECK_STR(reports.last_user, "u1");
    CHECK_INT(eddy_kafka_out_health(sink, &refused, &err), 0);
    CHECK(!refused);
    CHECK(eddy_kafka_out_flush(sink, 1000));
    eddy_sink_close(sink);
}

static void a_producer_that_has_ended_is_replaced(void)
{
    struct eddy_sink *sink = open_sink();
    int fd = eddy_kafka_out_fd(sink);
    struct eddy_err err = {0};
    bool refused = true;

    CHECK_INT(eddy_sink_publish(sink, 0, eddy_span_of("u"), 1, eddy_span_of("l"), &err),
              0);
    CHECK(wait_reports(sink, 1));
    CHECK_INT(reports.good, 1);
    /* One more on its way: it must be reported, as confirmed or failed, not forgotten. */
    CHECK_INT(eddy_sink_publish(sink, 0, eddy_span_of("u"), 2, eddy_span_of("l"), &err),
              0);
    eddy_kafka_out_break(sink);
    CHECK_INT(eddy_sink_publish(sink, 0, eddy_span_of("u"), 3, eddy_span_of("l"), &err),
              EDDY_EFULL);
    CHECK(strstr(err.text, "as a test asked"));
    CHECK(wait_reports(sink, 2));
    eddy_sink_poll(sink);
    CHECK_INT(eddy_kafka_out_fd(sink), fd);
    CHECK_INT(publish_until_taken(sink, &err), 0);
    CHECK(wait_reports(sink, 3));
    CHECK(reports.good >= 2);
    CHECK_INT(reports.last_code, 0);
    CHECK_INT(eddy_kafka_out_health(sink, &refused, &err), 0);
    eddy_sink_close(sink);
}

static struct eddy_span header(const struct eddy_record *record, const char *name)
{
    const void *value = NULL;
    size_t size = 0;

    if (!record->headers ||
        rd_kafka_header_get_last(record->headers, name, &value, &size))
        return (struct eddy_span){NULL, 0};
    return (struct eddy_span){value, size};
}

static void a_dead_letter_keeps_what_it_was_and_says_why(void)
{
    struct eddy_sink *sink = open_sink();
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    struct eddy_record record = {.partition = 3,
                                 .offset = 99,
                                 .timestamp_ms = 1234567890123,
                                 .key = {"k\0y", 3},
                                 .payload = eddy_span_of("{bad")};
    struct eddy_reader *reader = NULL;
    struct eddy_err err = {0};

    (void)rd_kafka_header_add(headers, "trace", -1, "abc", 3);
    record.headers = headers;
    CHECK_INT(eddy_sink_bury(sink, &record, EDDY_EBADEVENT, "not a map", &err), 0);
    CHECK_INT(eddy_sink_settle(sink, 10000, &err), 0);
    CHECK_INT(reports.good, 0); /* letters are no lists */
    CHECK_INT(rd_kafka_header_cnt(headers), 1);
    rd_kafka_headers_destroy(headers);
    eddy_sink_close(sink);

    if (!CHECK_INT(eddy_reader_open(&options, "letters", EDDY_READ_ALL,
                                    EDDY_READ_FROM_START, false, &reader, &err),
                   0))
        return;
    CHECK_INT(eddy_reader_next(reader, 10000, &record, &err), 1);
    CHECK_INT(record.key.size, 3);
    CHECK(eddy_span_eq(record.payload, eddy_span_of("{bad")));
    CHECK_INT(record.timestamp_ms, 1234567890123);
    CHECK(eddy_span_eq(header(&record, "trace"), eddy_span_of("abc")));
    CHECK(eddy_span_eq(header(&record, "__connect.errors.topic"),
                       eddy_span_of("events")));
    CHECK(
        eddy_span_eq(header(&record, "__connect.errors.partition"), eddy_span_of("3")));
    CHECK(eddy_span_eq(header(&record, "__connect.errors.offset"), eddy_span_of("99")));
    CHECK(eddy_span_eq(header(&record, "__connect.errors.exception.message"),
                       eddy_span_of("not a map")));
    CHECK(eddy_span_eq(header(&record, "eddy.reason"), eddy_span_of("malformed")));
    eddy_reader_close(reader);
}

static void a_refusal_is_reported_kept_and_ends_with_a_success(void)
{
    struct eddy_sink *sink =
        open_sink_with("topic.metadata.refresh.interval.ms", "100");
    struct eddy_err err = {0};
    bool refused = false;

    rd_kafka_mock_push_request_errors(mock, 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_INT(eddy_sink_publish(sink, 0, eddy_span_of("u"), 1, eddy_span_of("l"), &err),
              0);
    CHECK(wait_reports(sink, 1));
    CHECK_INT(reports.last_code, EDDY_EKAFKA);
    CHECK_INT(eddy_kafka_out_health(sink, &refused, &err), EDDY_EKAFKA);
    CHECK(refused);
    if (!CHECK(strstr(err.text, "Write on lists") != NULL))
        fprintf(stderr, "    message: %s\n", err.text);
    CHECK_INT(publish_until_taken(sink, &err), 0);
    CHECK(wait_reports(sink, 2));
    CHECK_INT(reports.good, 1);
    CHECK_INT(eddy_kafka_out_health(sink, &refused, &err), 0);
    CHECK(!refused);
    eddy_sink_close(sink);
}

static void a_dead_letter_that_fails_makes_settle_fail_once(void)
{
    struct eddy_sink *sink =
        open_sink_with("topic.metadata.refresh.interval.ms", "100");
    struct eddy_record record = {.payload = eddy_span_of("x")};
    struct eddy_err err = {0};
    int rc = EDDY_EKAFKA;

    rd_kafka_mock_push_request_errors(mock, 0, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_INT(eddy_sink_bury(sink, &record, EDDY_EBADEVENT, "bad", &err), 0);
    CHECK_INT(eddy_sink_settle(sink, 10000, &err), EDDY_EKAFKA);
    CHECK(strstr(err.text, "letters") != NULL);
    CHECK_INT(eddy_sink_settle(sink, 10000, &err), 0);
    for (int i = 0; rc && i < 200; i++) {
        rc = eddy_sink_bury(sink, &record, EDDY_EBADEVENT, "bad", &err);
        if (rc)
            (void)poll(NULL, 0, 50);
    }
    CHECK_INT(rc, 0);
    CHECK_INT(eddy_sink_settle(sink, 10000, &err), 0);
    eddy_sink_close(sink);
}

static void a_full_queue_says_so_and_takes_records_again(void)
{
    struct eddy_sink *sink = open_sink_with("queue.buffering.max.messages", "5");
    struct eddy_err err = {0};
    int taken = 0, rc = 0;

    (void)rd_kafka_mock_broker_set_down(mock, 1);
    while (taken < 100 && (rc = eddy_sink_publish(sink, 0, eddy_span_of("u"), 1,
                                                  eddy_span_of("l"), &err)) == 0)
        taken++;
    CHECK_INT(rc, EDDY_EFULL);
    CHECK_INT(taken, 5);
    CHECK(!eddy_kafka_out_flush(sink, 50));
    CHECK_INT(eddy_sink_bury(sink, &(struct eddy_record){.offset = 1}, EDDY_EBADEVENT,
                             "", &err),
              EDDY_EFULL);
    (void)rd_kafka_mock_broker_set_up(mock, 1);
    CHECK(wait_reports(sink, 5));
    CHECK_INT(reports.good, 5);
    CHECK_INT(eddy_sink_publish(sink, 0, eddy_span_of("u"), 1, eddy_span_of("l"), &err),
              0);
    CHECK(wait_reports(sink, 6));
    eddy_sink_close(sink);
}

static void a_topic_that_does_not_exist_fails_the_delivery(void)
{
    struct eddy_sink *sink = NULL;
    struct eddy_err err = {0};
    char *lists = options.lists;
    bool refused = true;

    (void)snprintf(texts[7], sizeof texts[7], "absent");
    options.lists = texts[7];
    rd_kafka_mock_topic_set_error(mock, "absent",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    sink = open_sink_with("topic.metadata.propagation.max.ms", "100");
    int rc = eddy_sink_publish(sink, 0, eddy_span_of("u"), 1, eddy_span_of("l"), &err);
    if (rc == 0) {
        CHECK(wait_reports(sink, 1));
        CHECK_INT(reports.last_code, EDDY_EKAFKA);
    } else {
        CHECK_INT(rc, EDDY_EKAFKA); /* the metadata came before the record */
    }
    CHECK_INT(eddy_kafka_out_health(sink, &refused, &err), EDDY_EKAFKA);
    CHECK(!refused);
    eddy_sink_close(sink);
    options.lists = lists;
}

static void on_log(const rd_kafka_t *kafka, int level, const char *facility,
                   const char *text)
{
    (void)kafka;
    (void)level;
    (void)facility;
    (void)text;
}

int main(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char reason[160];

    rd_kafka_conf_set_log_cb(conf, on_log);
    mock_client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    mock = rd_kafka_mock_cluster_new(mock_client, 1);
    (void)snprintf(texts[0], sizeof texts[0], "%s",
                   rd_kafka_mock_cluster_bootstraps(mock));
    (void)rd_kafka_mock_topic_create(mock, "lists", 2, 1);
    (void)rd_kafka_mock_topic_create(mock, "letters", 1, 1);
    options = (struct eddy_kafka_options){.brokers = texts[0],
                                          .events = texts[1],
                                          .lists = texts[2],
                                          .dead_letters = texts[3],
                                          .consumer_group = texts[4],
                                          .instance = texts[5],
                                          .assignment = texts[6]};
    RUN(a_confirmed_list_is_reported_with_its_revision);
    RUN(a_producer_that_has_ended_is_replaced);
    RUN(a_dead_letter_keeps_what_it_was_and_says_why);
    RUN(a_refusal_is_reported_kept_and_ends_with_a_success);
    RUN(a_dead_letter_that_fails_makes_settle_fail_once);
    RUN(a_full_queue_says_so_and_takes_records_again);
    RUN(a_topic_that_does_not_exist_fails_the_delivery);
    rd_kafka_mock_cluster_destroy(mock);
    rd_kafka_destroy(mock_client);
    return check_done();
}
