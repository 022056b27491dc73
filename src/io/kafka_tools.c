/* Kafka clients of the tools: admin questions, a producer, a reader. They share one habit:
 * librdkafka reports why nothing works (login, TLS, nobody listening) through its error
 * callback, long before a call times out; the last such reason is kept and becomes the
 * message of the call that failed. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "io/kafka.h"

struct last_error {
    int code; /* rd_kafka_resp_err_t, 0: none */
    char text[200];
};

static void remember(struct last_error *last, int code, const char *text)
{
    /* "all brokers down" follows the reason and says less. */
    if (last->code && code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    last->code = code;
    (void)snprintf(last->text, sizeof last->text, "%s", text ? text : "");
}

static int fail_with(struct last_error *last, const struct eddy_kafka_options *options,
                     int code, const char *text, struct eddy_err *err)
{
    if (last->code && (code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                       code == RD_KAFKA_RESP_ERR__TRANSPORT || code == 0))
        return eddy_kafka_fail(err, options, last->code, last->text);
    return eddy_kafka_fail(err, options, code ? code : RD_KAFKA_RESP_ERR__TIMED_OUT,
                           text);
}

/* ---- admin ---- */

struct eddy_kafka_admin {
    const struct eddy_kafka_options *options;
    rd_kafka_t *kafka;
    struct last_error last;
};

static void on_admin_error(rd_kafka_t *kafka, int code, const char *text, void *opaque)
{
    (void)kafka;
    remember(&((struct eddy_kafka_admin *)opaque)->last, code, text);
}

int eddy_kafka_admin_open(const struct eddy_kafka_options *options,
                          struct eddy_kafka_admin **ret, struct eddy_err *err)
{
    struct eddy_kafka_admin *admin = calloc(1, sizeof *admin);
    rd_kafka_conf_t *conf =
        eddy_kafka_conf_new(options, EDDY_KAFKA_ADMIN, "eddy-admin", err);
    char reason[200] = "";

    if (!conf || !admin) {
        free(admin);
        if (conf)
            rd_kafka_conf_destroy(conf);
        return conf ? eddy_fail(err, EDDY_ENOMEM, "no memory for a Kafka client")
                    : EDDY_ECONFIG;
    }
    rd_kafka_conf_set_error_cb(conf, on_admin_error);
    rd_kafka_conf_set_opaque(conf, admin);
    admin->options = options;
    /* A consumer object: its metadata requests never create a topic. */
    admin->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (!admin->kafka) {
        rd_kafka_conf_destroy(conf);
        free(admin);
        return eddy_fail(err, EDDY_ECONFIG, "Kafka client: %s", reason);
    }
    *ret = admin;
    return 0;
}

void eddy_kafka_admin_close(struct eddy_kafka_admin *admin)
{
    if (!admin)
        return;
    rd_kafka_destroy(admin->kafka);
    free(admin);
}

static int fail_admin(struct eddy_kafka_admin *admin, int code, struct eddy_err *err)
{
    (void)rd_kafka_poll(admin->kafka, 0);
    return fail_with(&admin->last, admin->options, code, NULL, err);
}

int eddy_kafka_admin_check(struct eddy_kafka_admin *admin, int timeout_ms,
                           struct eddy_buf *ret_report, struct eddy_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = 0;

    admin->last.code = 0;
    code = rd_kafka_metadata(admin->kafka, 0, NULL, &metadata, timeout_ms);
    if (code)
        return fail_admin(admin, code, err);
    if (ret_report)
        eddy_buf_printf(ret_report, "Kafka at %s: %d broker(s), asked %s\n",
                        admin->options->brokers, metadata->broker_cnt,
                        metadata->orig_broker_name);
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

int eddy_kafka_admin_partitions(struct eddy_kafka_admin *admin, const char *topic,
                                int timeout_ms, uint32_t *ret_count,
                                struct eddy_err *err)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(admin->kafka, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = 0;

    if (!handle)
        return eddy_fail(err, EDDY_ECONFIG, "\"%.100s\" is no name for a topic", topic);
    admin->last.code = 0;
    code = rd_kafka_metadata(admin->kafka, 0, handle, &metadata, timeout_ms);
    rd_kafka_topic_destroy(handle);
    if (code)
        return fail_admin(admin, code, err);
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : 0;
    if (code == 0 || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        *ret_count = code == 0 && metadata->topic_cnt == 1
                         ? (uint32_t)metadata->topics[0].partition_cnt
                         : 0;
        code = 0;
    }
    rd_kafka_metadata_destroy(metadata);
    return code ? fail_admin(admin, code, err) : 0;
}

/* The outcome of the one topic of a CreateTopics event. */
static rd_kafka_resp_err_t created(rd_kafka_event_t *event, char *ret_text, size_t size)
{
    const rd_kafka_CreateTopics_result_t *result =
        rd_kafka_event_CreateTopics_result(event);
    size_t count = 0;
    const rd_kafka_topic_result_t **topics =
        result ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);

    if (!code && count == 1) {
        code = rd_kafka_topic_result_error(topics[0]);
        text = rd_kafka_topic_result_error_string(topics[0]);
    }
    (void)snprintf(ret_text, size, "%s", code && text ? text : "");
    return code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? RD_KAFKA_RESP_ERR_NO_ERROR
                                                          : code;
}

static int request_topic(struct eddy_kafka_admin *admin, rd_kafka_NewTopic_t *topic,
                         int timeout_ms, struct eddy_err *err)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(admin->kafka, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->kafka);
    rd_kafka_event_t *event = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    char text[200] = "";

    (void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, NULL, 0);
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, NULL, 0);
    admin->last.code = 0;
    rd_kafka_CreateTopics(admin->kafka, &topic, 1, options, queue);
    event = rd_kafka_queue_poll(queue, timeout_ms + 500);
    if (event)
        code = created(event, text, sizeof text);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    (void)rd_kafka_poll(admin->kafka, 0);
    return code ? fail_with(&admin->last, admin->options, code, text, err) : 0;
}

int eddy_kafka_admin_create(struct eddy_kafka_admin *admin, const char *topic,
                            uint32_t partitions, int replication,
                            const char *const *config, int timeout_ms,
                            struct eddy_err *err)
{
    uint64_t end_ns = eddy_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    char reason[160] = "";
    uint32_t count = 0;
    rd_kafka_NewTopic_t *wanted = NULL;
    int rc = eddy_kafka_admin_partitions(admin, topic, timeout_ms, &count, err);

    if (rc || count)
        return rc;
    wanted = rd_kafka_NewTopic_new(topic, (int)partitions,
                                   replication > 0 ? replication : -1, reason,
                                   sizeof reason);
    if (!wanted)
        return eddy_fail(err, EDDY_ECONFIG, "topic %s: %s", topic, reason);
    for (; config && config[0]; config += 2)
        (void)rd_kafka_NewTopic_set_config(wanted, config[0], config[1]);
    rc = request_topic(admin, wanted, timeout_ms, err);
    rd_kafka_NewTopic_destroy(wanted);
    /* The answer may come before the broker that is asked next has heard of it. */
    while (rc == 0 && count == 0) {
        if (eddy_monotonic_ns() > end_ns)
            return eddy_fail(err, EDDY_EKAFKA,
                             "topic %s was created but no broker shows it within %d ms",
                             topic, timeout_ms);
        (void)rd_kafka_poll(admin->kafka, 50);
        rc = eddy_kafka_admin_partitions(admin, topic, timeout_ms, &count, err);
    }
    return rc;
}

int eddy_kafka_admin_bounds(struct eddy_kafka_admin *admin, const char *topic,
                            uint32_t partition, int timeout_ms, uint64_t *ret_start,
                            uint64_t *ret_end, struct eddy_err *err)
{
    int64_t start = 0, end = 0;
    rd_kafka_resp_err_t code = 0;

    admin->last.code = 0;
    code = rd_kafka_query_watermark_offsets(admin->kafka, topic, (int32_t)partition,
                                            &start, &end, timeout_ms);
    if (code)
        return fail_admin(admin, code, err);
    *ret_start = (uint64_t)start;
    *ret_end = (uint64_t)end;
    return 0;
}

/* ---- producer ---- */

struct eddy_producer {
    const struct eddy_kafka_options *options;
    rd_kafka_t *kafka;
    struct last_error last;   /* of the connection */
    struct last_error failed; /* of the first record that failed */
    uint64_t delivered_count, failed_count;
};

static void on_producer_error(rd_kafka_t *kafka, int code, const char *text,
                              void *opaque)
{
    (void)kafka;
    remember(&((struct eddy_producer *)opaque)->last, code, text);
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message,
                        void *opaque)
{
    struct eddy_producer *producer = opaque;

    (void)kafka;
    if (!message->err) {
        producer->delivered_count++;
        return;
    }
    if (producer->failed_count++ == 0)
        remember(&producer->failed, message->err, rd_kafka_err2str(message->err));
}

int eddy_producer_open(const struct eddy_kafka_options *options, const char *client,
                       struct eddy_producer **ret, struct eddy_err *err)
{
    struct eddy_producer *producer = calloc(1, sizeof *producer);
    rd_kafka_conf_t *conf =
        eddy_kafka_conf_new(options, EDDY_KAFKA_PRODUCER, client, err);
    char reason[200] = "";

    if (!conf || !producer) {
        free(producer);
        if (conf)
            rd_kafka_conf_destroy(conf);
        return conf ? eddy_fail(err, EDDY_ENOMEM, "no memory for a Kafka client")
                    : EDDY_ECONFIG;
    }
    rd_kafka_conf_set_error_cb(conf, on_producer_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, producer);
    producer->options = options;
    producer->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (!producer->kafka) {
        rd_kafka_conf_destroy(conf);
        free(producer);
        return eddy_fail(err, EDDY_ECONFIG, "Kafka client: %s", reason);
    }
    *ret = producer;
    return 0;
}

void eddy_producer_close(struct eddy_producer *producer)
{
    if (!producer)
        return;
    (void)rd_kafka_purge(producer->kafka, RD_KAFKA_PURGE_F_QUEUE |
                                              RD_KAFKA_PURGE_F_INFLIGHT |
                                              RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(producer->kafka);
    free(producer);
}

int eddy_producer_send(struct eddy_producer *producer, const char *topic,
                       int32_t partition, struct eddy_span key,
                       struct eddy_span payload, int64_t timestamp_ms, int timeout_ms,
                       struct eddy_err *err)
{
    uint64_t end_ns = eddy_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    rd_kafka_resp_err_t code = 0;

    for (;;) {
        code = rd_kafka_producev(
            producer->kafka, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_PARTITION(partition < 0 ? RD_KAFKA_PARTITION_UA : partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(key.data, key.size),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)payload.data, payload.size),
            RD_KAFKA_V_TIMESTAMP(timestamp_ms > 0 ? timestamp_ms : 0), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        if (eddy_monotonic_ns() > end_ns)
            return producer->last.code
                       ? eddy_kafka_fail(err, producer->options, producer->last.code,
                                         producer->last.text)
                       : eddy_fail(err, EDDY_EFULL,
                                   "Kafka has not taken the queued records for %d ms",
                                   timeout_ms);
        (void)rd_kafka_poll(producer->kafka, 10);
    }
    return code ? eddy_kafka_fail(err, producer->options, code, NULL) : 0;
}

void eddy_producer_poll(struct eddy_producer *producer, uint64_t *ret_delivered,
                        uint64_t *ret_failed)
{
    while (rd_kafka_poll(producer->kafka, 0) > 0) {
    }
    if (ret_delivered)
        *ret_delivered = producer->delivered_count;
    if (ret_failed)
        *ret_failed = producer->failed_count;
}

int eddy_producer_flush(struct eddy_producer *producer, int timeout_ms,
                        struct eddy_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(producer->kafka, timeout_ms);

    if (code)
        return fail_with(&producer->last, producer->options, code, NULL, err);
    if (producer->failed_count)
        return eddy_kafka_fail(err, producer->options, producer->failed.code,
                               producer->failed.text);
    return 0;
}

/* ---- reader ---- */

struct span_left { /* one partition's part of the read */
    int64_t next, end;
    bool done, started;
};

struct eddy_reader {
    const struct eddy_kafka_options *options;
    struct eddy_kafka_admin *admin;
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *message;
    struct last_error last;
    bool follow;
    uint32_t first, count; /* partitions */
    struct span_left *left;
    uint32_t left_count; /* partitions not done */
    uint64_t total;
};

enum { OPEN_TIMEOUT_MS = 10000 };

static void on_reader_error(rd_kafka_t *kafka, int code, const char *text, void *opaque)
{
    (void)kafka;
    remember(&((struct eddy_reader *)opaque)->last, code, text);
}

/* Where each partition's read begins and ends. */
static int plan(struct eddy_reader *reader, const char *topic, int32_t partition,
                uint64_t offset, struct eddy_err *err)
{
    uint32_t count = 0;
    int rc =
        eddy_kafka_admin_partitions(reader->admin, topic, OPEN_TIMEOUT_MS, &count, err);

    if (rc)
        return rc;
    if (count == 0)
        return eddy_fail(err, EDDY_EKAFKA, "topic %s does not exist at %s", topic,
                         reader->options->brokers);
    if (partition >= 0 && (uint32_t)partition >= count)
        return eddy_fail(err, EDDY_EKAFKA,
                         "topic %s has %" PRIu32 " partitions, not %d", topic, count,
                         (int)partition + 1);
    reader->first = partition < 0 ? 0 : (uint32_t)partition;
    reader->count = partition < 0 ? count : 1;
    reader->left = calloc(reader->count, sizeof *reader->left);
    if (!reader->left)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %" PRIu32 " partitions",
                         count);
    for (uint32_t i = 0; i < reader->count; i++) {
        uint64_t start = 0, end = 0;
        rc = eddy_kafka_admin_bounds(reader->admin, topic, reader->first + i,
                                     OPEN_TIMEOUT_MS, &start, &end, err);
        if (rc)
            return rc;
        if (offset == EDDY_READ_FROM_END)
            start = end;
        else if (offset != EDDY_READ_FROM_START && offset > start)
            start = offset;
        reader->left[i] = (struct span_left){
            .next = (int64_t)start, .end = (int64_t)end, .done = start >= end};
        reader->total += start < end ? end - start : 0;
        reader->left_count += start < end;
    }
    return 0;
}

static int start_reading(struct eddy_reader *reader, const char *topic,
                         struct eddy_err *err)
{
    rd_kafka_conf_t *conf =
        eddy_kafka_conf_new(reader->options, EDDY_KAFKA_READER, "eddy-reader", err);
    char reason[200] = "";

    if (!conf)
        return EDDY_ECONFIG;
    rd_kafka_conf_set_error_cb(conf, on_reader_error);
    rd_kafka_conf_set_opaque(conf, reader);
    reader->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (!reader->kafka) {
        rd_kafka_conf_destroy(conf);
        return eddy_fail(err, EDDY_ECONFIG, "Kafka client: %s", reason);
    }
    /* The simple consumer: no group, so no right on any group is needed. */
    reader->topic = rd_kafka_topic_new(reader->kafka, topic, NULL);
    reader->queue = rd_kafka_queue_new(reader->kafka);
    for (uint32_t i = 0; i < reader->count; i++) {
        if (!reader->follow && reader->left[i].done)
            continue;
        if (rd_kafka_consume_start_queue(reader->topic, (int32_t)(reader->first + i),
                                         reader->left[i].next, reader->queue))
            return eddy_kafka_fail(err, reader->options, rd_kafka_last_error(), NULL);
        reader->left[i].started = true;
    }
    return 0;
}

int eddy_reader_open(const struct eddy_kafka_options *options, const char *topic,
                     int32_t partition, uint64_t offset, bool follow,
                     struct eddy_reader **ret, struct eddy_err *err)
{
    struct eddy_reader *reader = calloc(1, sizeof *reader);
    int rc = 0;

    if (!reader)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a Kafka client");
    reader->options = options;
    reader->follow = follow;
    rc = eddy_kafka_admin_open(options, &reader->admin, err);
    if (rc == 0)
        rc = plan(reader, topic, partition, offset, err);
    if (rc == 0)
        rc = start_reading(reader, topic, err);
    if (rc) {
        eddy_reader_close(reader);
        return rc;
    }
    *ret = reader;
    return 0;
}

void eddy_reader_close(struct eddy_reader *reader)
{
    if (!reader)
        return;
    if (reader->message)
        rd_kafka_message_destroy(reader->message);
    for (uint32_t i = 0; reader->left && i < reader->count; i++)
        if (reader->left[i].started)
            (void)rd_kafka_consume_stop(reader->topic, (int32_t)(reader->first + i));
    if (reader->queue)
        rd_kafka_queue_destroy(reader->queue);
    if (reader->topic)
        rd_kafka_topic_destroy(reader->topic);
    if (reader->kafka)
        rd_kafka_destroy(reader->kafka);
    eddy_kafka_admin_close(reader->admin);
    free(reader->left);
    free(reader);
}

uint32_t eddy_reader_partitions(const struct eddy_reader *reader)
{
    return reader->count;
}

uint64_t eddy_reader_total(const struct eddy_reader *reader)
{
    return reader->total;
}

static void mark_done(struct eddy_reader *reader, struct span_left *left)
{
    if (!left->done)
        reader->left_count--;
    left->done = true;
}

/* One message of librdkafka: 1 a record for the caller, 0 nothing, or a failure. */
static int take(struct eddy_reader *reader, struct eddy_record *ret,
                struct eddy_err *err)
{
    const rd_kafka_message_t *message = reader->message;
    uint32_t i = (uint32_t)message->partition - reader->first;
    struct span_left *left = i < reader->count ? &reader->left[i] : NULL;
    rd_kafka_headers_t *headers = NULL;

    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        /* Behind the last record there may be control records: the end all the same. */
        if (left && message->offset >= left->end)
            mark_done(reader, left);
        return 0;
    }
    if (message->err)
        return eddy_kafka_fail(err, reader->options, message->err,
                               rd_kafka_message_errstr(message));
    if (!left || (!reader->follow && message->offset >= left->end)) {
        if (left)
            mark_done(reader, left);
        return 0;
    }
    left->next = message->offset + 1;
    if (left->next >= left->end)
        mark_done(reader, left);
    (void)rd_kafka_message_headers(message, &headers);
    *ret = (struct eddy_record){
        .partition = (uint32_t)message->partition,
        .offset = (uint64_t)message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = {message->key, message->key_len},
        .payload = {message->payload, message->len},
        .headers = headers,
    };
    return 1;
}

int eddy_reader_next(struct eddy_reader *reader, int timeout_ms,
                     struct eddy_record *ret, struct eddy_err *err)
{
    uint64_t end_ns = eddy_monotonic_ns() + (uint64_t)timeout_ms * 1000000;

    while (reader->follow || reader->left_count > 0) {
        uint64_t now_ns = eddy_monotonic_ns();
        int left_ms = now_ns < end_ns ? (int)((end_ns - now_ns) / 1000000) : 0;
        int rc = 0;
        if (reader->message)
            rd_kafka_message_destroy(reader->message);
        reader->message = rd_kafka_consume_queue(reader->queue, left_ms);
        if (reader->message)
            rc = take(reader, ret, err);
        if (rc)
            return rc;
        if (reader->message || left_ms > 0)
            continue;
        (void)rd_kafka_poll(reader->kafka, 0);
        return reader->follow ? 0
                              : fail_with(&reader->last, reader->options,
                                          RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
    }
    return 0;
}
