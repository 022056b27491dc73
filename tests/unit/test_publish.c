/* Lists until they are confirmed. */
#include "check.h"
#include "engine/publish.h"
#include "io/sink_mem.h"

#define S(text) eddy_span_of(text)

static struct eddy_topic *topic;
static struct eddy_sink *sink;
static struct eddy_publisher *publisher;

static void open_all(void)
{
    topic = eddy_topic_new();
    sink = eddy_sink_mem_open(topic);
    publisher = eddy_publisher_new(sink, NULL);
}

static void close_all(void)
{
    eddy_publisher_free(publisher);
    eddy_sink_close(sink);
    eddy_topic_free(topic);
}

static void put(const char *user, uint64_t revision, const char *list)
{
    struct eddy_err err = {0};
    CHECK_INT(eddy_publisher_put(publisher, 1, S(user), revision, S(list)), 0);
    CHECK_INT(eddy_publisher_send(publisher, &err), 0);
}

static void report(uint32_t count, int code)
{
    CHECK_INT(eddy_sink_mem_deliver(sink, count, code, false), count);
    eddy_sink_poll(sink);
}

/* What the path does once the store has said that the partition is still its own. */
static uint32_t retry_held(void)
{
    uint32_t partition = 0, count = 0;
    struct eddy_span user;
    struct eddy_err err = {0};
    while (eddy_publisher_has_held(publisher, &partition, &user)) {
        eddy_publisher_retry(publisher, partition);
        count++;
    }
    CHECK_INT(eddy_publisher_send(publisher, &err), 0);
    return count;
}

static const char *last_list(const char *user)
{
    struct eddy_topic_list list;
    return eddy_topic_find(topic, S(user), &list) ? list.list.data : "none";
}

static void list_is_unconfirmed_until_its_report(void)
{
    open_all();
    put("ann", 1, "A1");
    CHECK_INT(eddy_publisher_count(publisher, 1), 1);
    CHECK(eddy_publisher_has(publisher, 1, S("ann")));
    CHECK(!eddy_publisher_has(publisher, 2, S("ann")));
    report(1, 0);
    CHECK_INT(eddy_publisher_total(publisher), 0);
    CHECK_STR(last_list("ann"), "A1");
    close_all();
}

static void confirmation_of_an_older_list_does_not_confirm_the_newer(void)
{
    open_all();
    put("ann", 1, "A1");
    put("ann", 2, "A2");
    report(1, 0);
    CHECK_INT(eddy_publisher_total(publisher), 1);
    report(1, 0);
    CHECK_INT(eddy_publisher_total(publisher), 0);
    CHECK_STR(last_list("ann"), "A2");
    close_all();
}

static void failed_list_is_not_repeated_when_a_newer_one_follows(void)
{
    open_all();
    put("ann", 1, "A1");
    put("ann", 2, "A2");
    report(1, EDDY_EKAFKA);
    CHECK_INT(retry_held(), 0);
    CHECK_INT(eddy_publisher_health(publisher), EDDY_EKAFKA);
    report(1, 0);
    CHECK_INT(eddy_publisher_total(publisher), 0);
    CHECK_INT(eddy_publisher_health(publisher), 0);
    CHECK_STR(last_list("ann"), "A2");
    close_all();
}

static void failed_newest_list_is_repeated(void)
{
    open_all();
    put("ann", 1, "A1");
    put("ann", 2, "A2");
    report(1, 0);
    report(1, EDDY_EKAFKA);
    CHECK_STR(last_list("ann"), "A1");
    CHECK_INT(eddy_sink_mem_waiting(sink), 0); /* not before the owner was asked */
    CHECK_INT(retry_held(), 1);
    report(1, 0);
    CHECK_INT(eddy_publisher_total(publisher), 0);
    CHECK_STR(last_list("ann"), "A2");
    close_all();
}

static void newer_list_takes_the_place_of_a_failed_one(void)
{
    open_all();
    put("ann", 1, "A1");
    report(1, EDDY_EKAFKA);
    put("ann", 2, "A2");
    CHECK_INT(retry_held(), 0);
    CHECK_INT(eddy_sink_mem_waiting(sink), 1);
    report(1, 0);
    CHECK_STR(last_list("ann"), "A2");
    CHECK_INT(eddy_publisher_total(publisher), 0);
    close_all();
}

static void reports_of_before_a_drop_do_not_confirm_what_comes_after(void)
{
    open_all();
    put("ann", 9, "A9");
    eddy_publisher_drop(publisher, 1); /* the store lost its tail: replayed from 8 */
    CHECK_INT(eddy_publisher_total(publisher), 0);
    put("ann", 8, "A8");
    put("ann", 9, "A9");
    report(1, 0); /* of the first A9 */
    CHECK_INT(eddy_publisher_total(publisher), 1);
    report(1, 0);
    CHECK_INT(eddy_publisher_total(publisher), 1);
    report(1, EDDY_EKAFKA); /* the last one failed: the topic ends with A8 */
    CHECK_STR(last_list("ann"), "A8");
    CHECK_INT(retry_held(), 1);
    report(1, 0);
    CHECK_STR(last_list("ann"), "A9");
    CHECK_INT(eddy_publisher_total(publisher), 0);
    close_all();
}

static void reports_after_a_drop_are_nobodys(void)
{
    open_all();
    put("ann", 1, "A1");
    put("bob", 2, "B2");
    eddy_publisher_drop(publisher, 1);
    report(2, 0);
    CHECK_INT(eddy_publisher_total(publisher), 0);
    put("ann", 3, "A3");
    CHECK_INT(eddy_publisher_count(publisher, 1), 1);
    report(1, 0);
    CHECK_INT(eddy_publisher_total(publisher), 0);
    close_all();
}

static void full_sink_holds_the_rest(void)
{
    open_all();
    eddy_sink_mem_limit(sink, 2);
    put("a", 1, "A");
    put("b", 2, "B");
    put("c", 3, "C");
    put("d", 4, "D");
    CHECK_INT(eddy_sink_mem_waiting(sink), 2);
    CHECK_INT(eddy_publisher_total(publisher), 4);
    report(2, 0);
    CHECK_INT(retry_held(), 1); /* both are of one partition */
    report(2, 0);
    CHECK_INT(eddy_publisher_total(publisher), 0);
    CHECK_STR(last_list("d"), "D");
    close_all();
}

static void users_of_a_partition_are_listed(void)
{
    struct eddy_span users[3];
    open_all();
    put("a", 1, "A");
    put("b", 2, "B");
    CHECK_INT(eddy_publisher_put(publisher, 7, S("c"), 3, S("C")), 0);
    CHECK_INT(eddy_publisher_users(publisher, 1, users), 2);
    CHECK(eddy_span_eq(users[0], S("b")) && eddy_span_eq(users[1], S("a")));
    CHECK_INT(eddy_publisher_users(publisher, 7, users), 1);
    CHECK_INT(eddy_publisher_users(publisher, 1000, users), 0);
    close_all();
}

static void thousands_of_lists_come_and_go(void)
{
    char user[32];
    open_all();
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 3000; i++) {
            (void)snprintf(user, sizeof user, "user%u", i);
            put(user, round + 1, user);
        }
        CHECK_INT(eddy_publisher_total(publisher), 3000);
        report(3000, 0);
        CHECK_INT(eddy_publisher_total(publisher), 0);
    }
    CHECK_STR(last_list("user2999"), "user2999");
    close_all();
}

int main(void)
{
    RUN(list_is_unconfirmed_until_its_report);
    RUN(confirmation_of_an_older_list_does_not_confirm_the_newer);
    RUN(failed_list_is_not_repeated_when_a_newer_one_follows);
    RUN(failed_newest_list_is_repeated);
    RUN(newer_list_takes_the_place_of_a_failed_one);
    RUN(reports_of_before_a_drop_do_not_confirm_what_comes_after);
    RUN(reports_after_a_drop_are_nobodys);
    RUN(full_sink_holds_the_rest);
    RUN(users_of_a_partition_are_listed);
    RUN(thousands_of_lists_come_and_go);
    return check_done();
}
