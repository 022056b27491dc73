/* Options and tool clients, against librdkafka's mock cluster. */
#include <stdlib.h>

#include "check.h"
#include "io/kafka.h"
#include "io/kafka_mock.h"
#include <librdkafka/rdkafka.h>

static struct eddy_kafka_mock *mock;
static char brokers[256];
static char texts[6][64] = {"events", "lists", "letters", "group", "", "group"};
static char wait_name[] = "fetch.wait.max.ms";
static char *names[] = {wait_name};
static char ten[] = "10";
static char *values[] = {ten};

static struct eddy_kafka_options make_options(void)
{
    return (struct eddy_kafka_options){.brokers = brokers,
                                       .events = texts[0],
                                       .lists = texts[1],
                                       .dead_letters = texts[2],
                                       .consumer_group = texts[3],
                                       .instance = texts[4],
                                       .assignment = texts[5],
                                       .properties = {names, values, 1}};
}

static void assignments_are_parsed_strictly(void)
{
    static const struct {
        const char *text;
        int want; /* count or code */
        uint32_t last;
    } cases[] = {
        {"group", 0, 0},
        {"all", 16, 15},
        {"0", 1, 0},
        {"0,3,8-11", 6, 11},
        {"15", 1, 15},
        {"16", EDDY_ECONFIG, 0},
        {"3-1", EDDY_ECONFIG, 0},
        {"1,1", EDDY_ECONFIG, 0},
        {"1-3,2", EDDY_ECONFIG, 0},
        {"1,", EDDY_ECONFIG, 0},
        {"", EDDY_ECONFIG, 0},
        {"x", EDDY_ECONFIG, 0},
        {"-1", EDDY_ECONFIG, 0},
        {"1;2", EDDY_ECONFIG, 0},
        {"99999999999999999999", EDDY_ECONFIG, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_kafka_options options = make_options();
        uint32_t partitions[16] = {0};
        char text[64];
        struct eddy_err err = {0};
        int got = 0;
        (void)snprintf(text, sizeof text, "%s", cases[i].text);
        options.assignment = text;
        got = eddy_kafka_assignment(&options, 16, partitions, &err);
        if (!CHECK_INT(got, cases[i].want))
            fprintf(stderr, "    for \"%s\"\n", cases[i].text);
        if (got > 0)
            CHECK_INT(partitions[got - 1], cases[i].last);
        if (got < 0)
            CHECK(strstr(err.text, "kafka.assignment") != NULL);
    }
}

static void properties_that_break_the_protocol_are_refused(void)
{
    static const struct {
        enum eddy_kafka_role role;
        char name[40], value[40];
        bool refused;
    } cases[] = {
        {EDDY_KAFKA_CONSUMER, "enable.auto.commit", "true", true},
        {EDDY_KAFKA_CONSUMER, "auto.offset.reset", "earliest", true},
        {EDDY_KAFKA_PRODUCER, "partitioner", "random", true},
        {EDDY_KAFKA_PRODUCER, "enable.idempotence", "false", true},
        {EDDY_KAFKA_PRODUCER, "no.such.property", "1", true},
        {EDDY_KAFKA_PRODUCER, "linger.ms", "many", true},
        {EDDY_KAFKA_PRODUCER, "linger.ms", "50", false},
        {EDDY_KAFKA_CONSUMER, "kafka.session.timeout.ms", "45000", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_kafka_options options = make_options();
        char name[40], value[40];
        char *name_list[] = {name}, *value_list[] = {value};
        struct eddy_err err = {0};
        struct rd_kafka_conf_s *conf = NULL;
        memcpy(name, cases[i].name, sizeof name);
        memcpy(value, cases[i].value, sizeof value);
        options.properties = (struct eddy_pairs){name_list, value_list, 1};
        conf = eddy_kafka_conf_new(&options, cases[i].role, "test", &err);
        CHECK_INT(conf == NULL, cases[i].refused);
        if (!conf)
            CHECK_INT(err.code, EDDY_ECONFIG);
        if (!conf && !CHECK(strstr(err.text, name) != NULL))
            fprintf(stderr, "    message: %s\n", err.text);
        if (conf)
            rd_kafka_conf_destroy(conf);
    }
}

static void records_come_back_from_every_partition(void)
{
    struct eddy_kafka_options options = make_options();
    struct eddy_producer *producer = NULL;
    struct eddy_reader *reader = NULL;
    struct eddy_record record;
    struct eddy_err err = {0};
    uint64_t delivered = 0, failed = 0, next[4] = {0};
    int records = 0, tombstones = 0, rc = 0;

    CHECK_INT(eddy_producer_open(&options, "test", &producer, &err), 0);
    for (int i = 0; i < 100; i++) {
        char key[16];
        struct eddy_span payload = {i % 10 ? "value" : NULL, i % 10 ? 5 : 0};
        (void)snprintf(key, sizeof key, "u%d", i);
        CHECK_INT(eddy_producer_send(producer, "events", -1, eddy_span_of(key), payload,
                                     1600000000000 + i, 5000, &err),
                  0);
    }
    if (!CHECK_INT(eddy_producer_flush(producer, 10000, &err), 0))
        fprintf(stderr, "    message: %s\n", err.text);
    eddy_producer_poll(producer, &delivered, &failed);
    CHECK_INT(delivered, 100);
    CHECK_INT(failed, 0);
    eddy_producer_close(producer);

    if (!CHECK_INT(eddy_reader_open(&options, "events", EDDY_READ_ALL,
                                    EDDY_READ_FROM_START, false, &reader, &err),
                   0)) {
        fprintf(stderr, "    message: %s\n", err.text);
        return;
    }
    CHECK_INT(eddy_reader_total(reader), 100);
    CHECK_INT(eddy_reader_partitions(reader), 4);
    while ((rc = eddy_reader_next(reader, 10000, &record, &err)) == 1) {
        CHECK(record.partition < 4);
        CHECK_INT(record.offset, next[record.partition]);
        next[record.partition]++;
        CHECK(record.key.size >= 2);
        CHECK(record.timestamp_ms >= 1600000000000);
        records++;
        tombstones += record.payload.data == NULL;
    }
    CHECK_INT(rc, 0);
    CHECK_INT(records, 100);
    CHECK_INT(tombstones, 10);
    eddy_reader_close(reader);
}

static void the_default_topic_count_and_bounds_are_known(void)
{
    struct eddy_kafka_options options = make_options();
    struct eddy_kafka_admin *admin = NULL;
    struct eddy_buf report;
    struct eddy_err err = {0};
    uint32_t count = 0;
    uint64_t start = 9, end = 9;

    eddy_buf_init(&report, 0);
    CHECK_INT(eddy_kafka_admin_open(&options, &admin, &err), 0);
    CHECK_INT(eddy_kafka_admin_check(admin, 5000, &report, &err), 0);
    CHECK(strstr(report.data, "1 broker") != NULL);
    CHECK_INT(eddy_kafka_admin_partitions(admin, "empty", 5000, &count, &err), 0);
    CHECK_INT(count, 2);
    CHECK_INT(eddy_kafka_admin_bounds(admin, "empty", 1, 5000, &start, &end, &err), 0);
    CHECK_INT(start, 0);
    CHECK_INT(end, 0);
    eddy_kafka_admin_close(admin);
    eddy_buf_fini(&report);
}

static void an_empty_topic_ends_at_once(void)
{
    struct eddy_kafka_options options = make_options();
    struct eddy_reader *reader = NULL;
    struct eddy_record record;
    struct eddy_err err = {0};

    CHECK_INT(eddy_reader_open(&options, "empty", EDDY_READ_ALL, EDDY_READ_FROM_START,
                               false, &reader, &err),
              0);
    CHECK_INT(eddy_reader_next(reader, 5000, &record, &err), 0);
    eddy_reader_close(reader);
    CHECK_INT(eddy_reader_open(&options, "empty", 7, 0, false, &reader, &err),
              EDDY_EKAFKA);
    CHECK(strstr(err.text, "2 partitions") != NULL);
}

static void a_broker_that_is_away_is_named(void)
{
    struct eddy_kafka_options options = make_options();
    char away[] = "127.0.0.1:1";
    struct eddy_kafka_admin *admin = NULL;
    struct eddy_err err = {0};

    options.brokers = away;
    CHECK_INT(eddy_kafka_admin_open(&options, &admin, &err), 0);
    CHECK_INT(eddy_kafka_admin_check(admin, 500, NULL, &err), EDDY_EKAFKA);
    CHECK(strstr(err.text, "127.0.0.1:1") != NULL);
    if (!CHECK(strstr(err.text, "kafka.brokers") != NULL))
        fprintf(stderr, "    message: %s\n", err.text);
    eddy_kafka_admin_close(admin);
}

int main(void)
{
    struct eddy_err err = {0};

    RUN(assignments_are_parsed_strictly);
    RUN(properties_that_break_the_protocol_are_refused);
    if (!CHECK_INT(eddy_kafka_mock_start(1, &mock, &err), 0))
        return 1;
    (void)snprintf(brokers, sizeof brokers, "%s", eddy_kafka_mock_address(mock));
    CHECK_INT(eddy_kafka_mock_create(mock, "events", 4, &err), 0);
    CHECK_INT(eddy_kafka_mock_create(mock, "empty", 2, &err), 0);
    RUN(the_default_topic_count_and_bounds_are_known);
    RUN(records_come_back_from_every_partition);
    RUN(an_empty_topic_ends_at_once);
    eddy_kafka_mock_stop(mock);
    RUN(a_broker_that_is_away_is_named);
    return check_done();
}
