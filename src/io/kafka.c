/* Options of the Kafka clients, and the one place that knows librdkafka's property names.
 *
 * Our defaults come first and the user's kafka.* on top, so that anything can be overruled;
 * what the protocol depends on (own offsets, idempotence, the partitioner) is checked after
 * that and refused with a reason. Where the values come from is said beside them. */
#include "io/kafka.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define FIELD(name) offsetof(struct eddy_kafka_options, name)
const struct eddy_option eddy_kafka_option_table[] = {
    {"kafka.brokers", EDDY_OPTION_TEXT, FIELD(brokers), "127.0.0.1:9092", 0, 0, NULL, 0,
     "Brokers to ask first, host:port separated by commas."},
    {"kafka.events", EDDY_OPTION_TEXT, FIELD(events), "", 0, 0, NULL, 0,
     "Topic of canonical events, keyed by user; empty: GROUP.events."},
    {"kafka.lists", EDDY_OPTION_TEXT, FIELD(lists), "", 0, 0, NULL, 0,
     "Compacted topic that gets every new list; empty: GROUP.lists."},
    {"kafka.dead_letters", EDDY_OPTION_TEXT, FIELD(dead_letters), "", 0, 0, NULL, 0,
     "Topic for records that cannot be applied; empty: GROUP.dlq."},
    {"kafka.consumer_group", EDDY_OPTION_TEXT, FIELD(consumer_group), "", 0, 0, NULL, 0,
     "Consumer group of the workers; empty: the dataset group's name."},
    {"kafka.instance", EDDY_OPTION_TEXT, FIELD(instance), "", 0, 0, NULL, 0,
     "Stable name of this process for static membership: a restart within "
     "session.timeout.ms moves no partition. Must be unique; empty: dynamic membership."},
    {"kafka.assignment", EDDY_OPTION_TEXT, FIELD(assignment), "group", 0, 0, NULL, 0,
     "Who owns which partition: group (Kafka's consumer group decides), all, or a list "
     "such as 0,3,8-11 for an explicit assignment."},
    {"kafka", EDDY_OPTION_PASS, FIELD(properties), NULL, 0, 0, NULL, 0,
     "Any property of librdkafka, e.g. kafka.security.protocol; its CONFIGURATION.md lists "
     "them."},
};
#undef FIELD
const size_t eddy_kafka_option_count =
    sizeof eddy_kafka_option_table / sizeof *eddy_kafka_option_table;

struct property {
    const char *name, *value;
};

static const struct property common[] = {
    {"socket.nagle.disable", "true"}, /* the default only from 2.10 on; costs latency */
    {"reconnect.backoff.max.ms", "1000"},
    {"topic.metadata.refresh.interval.ms", "30000"},
    {"log_level", "5"},
    {NULL, NULL},
};

/* STREAMING 2.3: below 2.2, when the local queue passes queued.min.messages, fetching
 * sleeps for up to a second; so that limit is out of reach and bytes bound the memory. */
static const struct property consumer[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"isolation.level", "read_committed"},
    {"partition.assignment.strategy", "range"},
    {"session.timeout.ms", "10000"},
    {"heartbeat.interval.ms", "1000"},
    {"max.poll.interval.ms", "300000"},
    {"queued.min.messages", "1000000"},
    {"queued.max.messages.kbytes", "65536"},
    {"fetch.wait.max.ms", "100"},
    {"fetch.min.bytes", "1"},
    {"fetch.message.max.bytes", "1048576"},
    {"fetch.error.backoff.ms", "50"},
    {"check.crcs", "true"},
    {NULL, NULL},
};

static const struct property reader[] = {
    {"enable.auto.commit", "false"},
    {"auto.offset.reset", "error"},
    {"isolation.level", "read_committed"},
    {"queued.min.messages", "1000000"},
    {"queued.max.messages.kbytes", "65536"},
    {"fetch.wait.max.ms", "100"},
    {"fetch.error.backoff.ms", "50"},
    {"enable.partition.eof", "true"},
    {NULL, NULL},
};

static const struct property producer[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"partitioner", "murmur2_random"},
    {"linger.ms", "2"},
    {"message.timeout.ms", "0"}, /* never give up: the outbox bounds what waits */
    /* A dead letter is as large as what came in; the topic's own limit decides. */
    {"message.max.bytes", "1000000000"},
    {"queue.buffering.max.messages", "100000"},
    {"queue.buffering.max.kbytes", "131072"},
    {NULL, NULL},
};

/* What the protocol stands on, whatever the user's file says. */
static const struct {
    enum eddy_kafka_role role;
    const char *name, *value, *why;
} fixed[] = {
    {EDDY_KAFKA_CONSUMER, "enable.auto.commit", "false",
     "eddy keeps its own offsets in Redis"},
    {EDDY_KAFKA_CONSUMER, "auto.offset.reset", "error",
     "a lost offset must be seen, not skipped"},
    {EDDY_KAFKA_PRODUCER, "enable.idempotence", "true", "order and no duplicates"},
    {EDDY_KAFKA_PRODUCER, "partitioner", "murmur2_random",
     "a user's partition is part of the state"},
};

/* May run on any thread of librdkafka: it only formats a line. */
static void on_log(const rd_kafka_t *kafka, int level, const char *facility,
                   const char *text)
{
    char fields[160];

    (void)level;
    (void)snprintf(fields, sizeof fields, "client=%s facility=%s", rd_kafka_name(kafka),
                   facility);
    eddy_log(EDDY_LOG_DEBUG, "librdkafka", fields, "%s", text);
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value,
               struct eddy_err *err)
{
    char reason[200] = "";

    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK)
        return 0;
    return eddy_fail(err, EDDY_ECONFIG, "kafka.%s: %s", name, reason);
}

static int set_all(rd_kafka_conf_t *conf, const struct property *properties,
                   struct eddy_err *err)
{
    int rc = 0;

    for (; rc == 0 && properties->name; properties++)
        rc = set(conf, properties->name, properties->value, err);
    return rc;
}

static int check_fixed(const rd_kafka_conf_t *conf, enum eddy_kafka_role role,
                       struct eddy_err *err)
{
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        char value[128] = "";
        size_t size = sizeof value;
        if (fixed[i].role != role)
            continue;
        if (rd_kafka_conf_get(conf, fixed[i].name, value, &size) != RD_KAFKA_CONF_OK ||
            strcmp(value, fixed[i].value) != 0)
            return eddy_fail(err, EDDY_ECONFIG, "kafka.%s=%s: must stay %s (%s)",
                             fixed[i].name, value, fixed[i].value, fixed[i].why);
    }
    return 0;
}

static int set_user(rd_kafka_conf_t *conf, const struct eddy_pairs *pairs,
                    struct eddy_err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < pairs->count; i++) {
        const char *name = pairs->names[i];
        if (strncmp(name, "kafka.", 6) == 0)
            name += 6;
        rc = set(conf, name, pairs->values[i], err);
    }
    return rc;
}

struct rd_kafka_conf_s *eddy_kafka_conf_new(const struct eddy_kafka_options *options,
                                            enum eddy_kafka_role role,
                                            const char *client, struct eddy_err *err)
{
    static const struct property none[] = {{NULL, NULL}};
    static const struct property *const of_role[] = {
        [EDDY_KAFKA_CONSUMER] = consumer,
        [EDDY_KAFKA_READER] = reader,
        [EDDY_KAFKA_PRODUCER] = producer,
        [EDDY_KAFKA_ADMIN] = none,
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int rc = set(conf, "bootstrap.servers", options->brokers, err);

    if (rc == 0)
        rc = set(conf, "client.id", client, err);
    if (rc == 0)
        rc = set_all(conf, common, err);
    if (rc == 0)
        rc = set_all(conf, of_role[role], err);
    if (rc == 0 && role == EDDY_KAFKA_CONSUMER)
        rc = set(conf, "group.id", options->consumer_group, err);
    if (rc == 0)
        rc = set_user(conf, &options->properties, err);
    if (rc == 0)
        rc = check_fixed(conf, role, err);
    if (rc) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    return conf;
}

int eddy_kafka_fail(struct eddy_err *err, const struct eddy_kafka_options *options,
                    int code, const char *detail)
{
    const char *text = detail && *detail ? detail : rd_kafka_err2str(code);

    switch (code) {
    case RD_KAFKA_RESP_ERR__FATAL:
        return eddy_fail(err, EDDY_EFATAL, "Kafka client cannot go on: %.180s", text);
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return eddy_fail(
            err, EDDY_EKAFKA,
            "Kafka refuses the login: check kafka.sasl.* (SCRAM on Kafka 4 "
            "needs librdkafka 2.6.1, this is %s): %.100s",
            rd_kafka_version_str(), text);
    case RD_KAFKA_RESP_ERR__SSL:
        return eddy_fail(err, EDDY_EKAFKA,
                         "TLS to Kafka fails: check kafka.ssl.ca.location and that the "
                         "certificate names the host: %.120s",
                         text);
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
        return eddy_fail(err, EDDY_EKAFKA,
                         "no broker of %.80s answers: start Kafka or set kafka.brokers "
                         "(%.100s)",
                         options->brokers, text);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return eddy_fail(
            err, EDDY_EKAFKA,
            "Kafka does not allow it: grant Read on %.40s and on group %.40s, "
            "Write on %.40s and %.40s (%.60s)",
            options->events, options->consumer_group, options->lists,
            options->dead_letters, text);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return eddy_fail(err, EDDY_EKAFKA,
                         "Kafka does not know the topic or partition yet: %.160s",
                         text);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return eddy_fail(err, EDDY_EKAFKA,
                         "record is larger than the topic takes: raise its "
                         "max.message.bytes, for dead letters above that of %.60s "
                         "(%.60s)",
                         options->events, text);
    default: return eddy_fail(err, EDDY_EKAFKA, "Kafka: %.200s", text);
    }
}

/* ---- assignment ---- */

bool eddy_kafka_uses_group(const struct eddy_kafka_options *options)
{
    return strcmp(options->assignment, "group") == 0;
}

static int fail_assignment(const struct eddy_kafka_options *options, const char *why,
                           struct eddy_err *err)
{
    return eddy_fail(
        err, EDDY_ECONFIG,
        "kafka.assignment \"%.80s\": %s; write group, all, or a list such as "
        "0,3,8-11",
        options->assignment, why);
}

/* One "3" or "8-11" at *at; moves *at behind it. */
static bool parse_range(const char **at, unsigned long *ret_first,
                        unsigned long *ret_last)
{
    char *end = NULL;

    if (**at < '0' || **at > '9')
        return false;
    *ret_first = *ret_last = strtoul(*at, &end, 10);
    if (*end == '-') {
        *at = end + 1;
        if (**at < '0' || **at > '9')
            return false;
        *ret_last = strtoul(*at, &end, 10);
    }
    *at = end;
    return *ret_first <= *ret_last;
}

int eddy_kafka_assignment(const struct eddy_kafka_options *options, uint32_t count,
                          uint32_t *ret_partitions, struct eddy_err *err)
{
    const char *at = options->assignment;
    unsigned long first = 0, last = 0;
    uint32_t used = 0;

    if (eddy_kafka_uses_group(options))
        return 0;
    if (strcmp(at, "all") == 0) {
        for (uint32_t p = 0; p < count; p++)
            ret_partitions[p] = p;
        return (int)count;
    }
    for (;;) {
        if (!parse_range(&at, &first, &last))
            return fail_assignment(options, "not understood", err);
        if (last >= count)
            return fail_assignment(options, "the topic has fewer partitions", err);
        for (unsigned long p = first; p <= last; p++) {
            for (uint32_t i = 0; i < used; i++)
                if (ret_partitions[i] == p)
                    return fail_assignment(options, "a partition stands there twice",
                                           err);
            ret_partitions[used++] = (uint32_t)p;
        }
        if (*at != ',')
            break;
        at++;
    }
    return *at ? fail_assignment(options, "not understood", err) : (int)used;
}
