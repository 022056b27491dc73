/* The worker's consumer with explicit offsets, against the mock cluster. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "io/kafka_in.h"
#include "io/kafka_mock.h"

static struct eddy_kafka_mock *mock;
static char texts[7][64] = {"", "events", "lists", "letters", "group", "", "all"};
static char wait_name[] = "fetch.wait.max.ms", wait_value[] = "10";
static char *names[] = {wait_name}, *values[] = {wait_value};
static struct eddy_kafka_options options;
static struct eddy_kafka_in *in;

static void produce(int from, int count)
{
    struct eddy_producer *producer = NULL;
    struct eddy_err err = {0};

    CHECK_INT(eddy_producer_open(&options, "test", &producer, &err), 0);
    for (int i = from; i < from + count; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        CHECK_INT(eddy_producer_send(producer, "events", i % 2, eddy_span_of("k"),
                                     eddy_span_of(text), 1600000000000 + i, 5000, &err),
                  0);
    }
    CHECK_INT(eddy_producer_flush(producer, 10000, &err), 0);
    eddy_producer_close(producer);
}

/* Polls when the descriptor says so until count records came; the next offset of each
 * partition goes up one by one from next. */
static int take(int count, uint64_t next[2])
{
    int taken = 0;

    for (int i = 0; i < 100 && taken < count; i++) {
        struct pollfd ready = {.fd = eddy_kafka_in_fd(in), .events = POLLIN};
        uint64_t events = 0;
        uint32_t n = 0;
        if (poll(&ready, 1, 100) == 1)
            (void)!read(ready.fd, &events, sizeof events);
        while ((n = eddy_kafka_in_poll(in, 16)) > 0) {
            const struct eddy_record *records = eddy_kafka_in_records(in);
            for (uint32_t k = 0; k < n; k++) {
                CHECK_INT(records[k].offset, next[records[k].partition % 2]);
                next[records[k].partition % 2]++;
                CHECK(records[k].timestamp_ms >= 1600000000000);
                CHECK(records[k].headers == NULL);
            }
            taken += (int)n;
        }
    }
    return taken;
}

static void reading_begins_exactly_at_the_given_offsets(void)
{
    struct eddy_kafka_place places[] = {{0, 0}, {1, 30}};
    uint64_t next[2] = {0, 30}, end = 0, start = 9;
    struct eddy_err err = {0};

    produce(0, 100);
    CHECK_INT(eddy_kafka_in_assign(in, places, 2, &err), 0);
    CHECK_INT(take(70, next), 70);
    CHECK_INT(next[0], 50);
    CHECK_INT(next[1], 50);
    CHECK(eddy_kafka_in_end(in, 0, &end));
    CHECK_INT(end, 50);
    CHECK(eddy_kafka_in_bounds(in, 1, 5000, &start, &end));
    CHECK_INT(start, 0);
    CHECK_INT(end, 50);
}

static void a_new_assignment_drops_what_was_fetched_and_goes_back(void)
{
    struct eddy_kafka_place places[] = {{0, 40}, {1, 45}};
    uint64_t next[2] = {40, 45};
    struct eddy_err err = {0};

    CHECK_INT(eddy_kafka_in_assign(in, places, 2, &err), 0);
    CHECK_INT(take(15, next), 15);
    next[0] = 10;
    places[0].offset = 10;
    CHECK_INT(eddy_kafka_in_assign(in, places, 1, &err), 0);
    CHECK_INT(take(40, next), 40);
    CHECK_INT(next[0], 50);
}

static void nothing_assigned_means_nothing_read(void)
{
    uint64_t next[2] = {50, 50};
    struct eddy_err err = {0};

    CHECK_INT(eddy_kafka_in_assign(in, NULL, 0, &err), 0);
    produce(100, 10);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(eddy_kafka_in_poll(in, 16), 0);
        (void)poll(NULL, 0, 20);
    }
    struct eddy_kafka_place places[] = {{0, 50}, {1, 50}};
    CHECK_INT(eddy_kafka_in_assign(in, places, 2, &err), 0);
    CHECK_INT(take(10, next), 10);
    eddy_kafka_in_unassign(in);
    CHECK_INT(eddy_kafka_in_poll(in, 16), 0);
}

static void an_offset_that_the_log_lacks_is_news_not_a_jump(void)
{
    struct eddy_kafka_place places[] = {{0, 5000}, {1, 50}};
    struct eddy_kafka_news *news = eddy_kafka_in_news(in);
    uint64_t next[2] = {0, 50};
    struct eddy_err err = {0};

    news->lost_count = 0;
    CHECK_INT(eddy_kafka_in_assign(in, places, 2, &err), 0);
    CHECK_INT(take(5, next), 5); /* the other partition goes on */
    for (int i = 0; i < 200 && news->lost_count == 0; i++) {
        CHECK_INT(eddy_kafka_in_poll(in, 16), 0);
        (void)poll(NULL, 0, 20);
    }
    CHECK_INT(news->lost_count, 1);
    CHECK_INT(news->lost[0].partition, 0);
}

static void the_copy_of_the_offsets_reaches_the_group(void)
{
    struct eddy_kafka_place places[] = {{0, 7}, {1, 9}};

    eddy_kafka_in_commit(in, places, 2, true);
    eddy_kafka_in_commit(in, places, 0, true);
    CHECK_INT(eddy_kafka_in_news(in)->trouble.code, 0);
}

int main(void)
{
    struct eddy_err err = {0};

    if (eddy_kafka_mock_start(1, &mock, &err) ||
        eddy_kafka_mock_create(mock, "events", 2, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    (void)snprintf(texts[0], sizeof texts[0], "%s", eddy_kafka_mock_address(mock));
    options = (struct eddy_kafka_options){.brokers = texts[0],
                                          .events = texts[1],
                                          .lists = texts[2],
                                          .dead_letters = texts[3],
                                          .consumer_group = texts[4],
                                          .instance = texts[5],
                                          .assignment = texts[6],
                                          .properties = {names, values, 1}};
    CHECK_INT(eddy_kafka_in_open(&options, 0, &in, &err), 0);
    RUN(reading_begins_exactly_at_the_given_offsets);
    RUN(a_new_assignment_drops_what_was_fetched_and_goes_back);
    RUN(nothing_assigned_means_nothing_read);
    RUN(an_offset_that_the_log_lacks_is_news_not_a_jump);
    RUN(the_copy_of_the_offsets_reaches_the_group);
    eddy_kafka_in_close(in, true);
    eddy_kafka_mock_stop(mock);
    return check_done();
}
