/* The worker's consumer.
 *
 * One rule keeps it simple: librdkafka's idea of positions is never used. Offsets come from
 * the store, and every change (a rebalance, a gap, an error of the store) is answered by
 * rd_kafka_assign with explicit offsets, from the worker's thread, outside of callbacks.
 * That drops everything fetched under the old assignment (a new version of each partition's
 * queue), so seek, pause and resume, with which 2.0.2 can skip records (STREAMING 2.4, 8.2),
 * are not needed.
 *
 * The rebalance callback runs inside rd_kafka_consume_batch_queue and only notes what
 * happened; librdkafka waits for the assign call, heartbeats go on. (Its author: assign need
 * not be called from the callback, librdkafka issue 1323.) With the range assignor a revoke
 * always means all partitions.
 *
 * Records of a batch that were taken before a revoke in the same call are still in the
 * array: the path refuses them, because it does not own their partitions any more. */
#include "io/kafka_in.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct eddy_kafka_in {
    const struct eddy_kafka_options *options;
    rd_kafka_t *kafka;
    rd_kafka_queue_t *queue;
    int fd;
    bool closing;
    uint32_t *target;
    uint32_t target_count;
    struct eddy_kafka_news news;
    rd_kafka_message_t **messages;
    struct eddy_record *records;
    uint32_t room, message_count, record_count;
};

static bool is_refusal(int code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

static void note_trouble(struct eddy_kafka_in *in, int code, const char *text)
{
    char fatal[200] = "";

    if (in->news.trouble.code == EDDY_EFATAL)
        return;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        if (rd_kafka_fatal_error(in->kafka, fatal, sizeof fatal) ==
            RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
            (void)snprintf(fatal, sizeof fatal,
                           "another process uses the same kafka.instance (%s)",
                           in->options->instance);
        text = fatal;
    }
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && in->news.trouble.code)
        return; /* it comes behind the reason and says less */
    if (is_refusal(code))
        in->news.refused = true;
    (void)eddy_kafka_fail(&in->news.trouble, in->options, code, text);
}

static void on_error(rd_kafka_t *kafka, int code, const char *text, void *opaque)
{
    (void)kafka;
    note_trouble(opaque, code, text);
}

/* ---- group ---- */

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct eddy_kafka_in *in = opaque;
    uint32_t *target = NULL;

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !in->closing)
        target = calloc((size_t)partitions->cnt + 1, sizeof *target);
    if (!target) {
        in->news.revoked = true;
        in->news.assigned = false;
        in->target_count = 0;
        if (in->closing)
            (void)rd_kafka_assign(kafka, NULL);
        return;
    }
    for (int i = 0; i < partitions->cnt; i++)
        target[i] = (uint32_t)partitions->elems[i].partition;
    free(in->target);
    in->target = target;
    in->target_count = (uint32_t)partitions->cnt;
    in->news.assigned = true;
}

int eddy_kafka_in_subscribe(struct eddy_kafka_in *in, struct eddy_err *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code = 0;

    (void)rd_kafka_topic_partition_list_add(topics, in->options->events,
                                            RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(in->kafka, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code ? eddy_kafka_fail(err, in->options, code, NULL) : 0;
}

const uint32_t *eddy_kafka_in_target(const struct eddy_kafka_in *in,
                                     uint32_t *ret_count)
{
    *ret_count = in->target_count;
    return in->target;
}

static rd_kafka_topic_partition_list_t *make_list(const struct eddy_kafka_in *in,
                                                  const struct eddy_kafka_place *places,
                                                  uint32_t count)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)count + 1);

    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, in->options->events,
                                          (int32_t)places[i].partition)
            ->offset = (int64_t)places[i].offset;
    return list;
}

/* An empty list is not the same as NULL: in answer to an assignment only a list, in answer
 * to a revocation only NULL moves the group's state on (librdkafka 2.0.2, rdkafka_cgrp.c,
 * rd_kafka_cgrp_assign and rd_kafka_cgrp_unassign). */
int eddy_kafka_in_assign(struct eddy_kafka_in *in,
                         const struct eddy_kafka_place *places, uint32_t count,
                         struct eddy_err *err)
{
    rd_kafka_topic_partition_list_t *list = make_list(in, places, count);
    rd_kafka_resp_err_t code = 0;

    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset == 0)
            list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    code = rd_kafka_assign(in->kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? eddy_kafka_fail(err, in->options, code, NULL) : 0;
}

void eddy_kafka_in_unassign(struct eddy_kafka_in *in)
{
    (void)rd_kafka_assign(in->kafka, NULL); /* fails only when the client is closing */
}

/* ---- records ---- */

static void note_lost(struct eddy_kafka_in *in, const rd_kafka_message_t *message)
{
    const uint32_t max = sizeof in->news.lost / sizeof *in->news.lost;

    if (in->news.lost_count < max)
        in->news.lost[in->news.lost_count++] =
            (struct eddy_kafka_place){(uint32_t)message->partition,
                                      (uint64_t)message->offset};
}

/* A message that carries an error. */
static void note_message(struct eddy_kafka_in *in, const rd_kafka_message_t *message)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF: break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: note_lost(in, message); break;
    default: note_trouble(in, message->err, rd_kafka_message_errstr(message));
    }
}

static int make_room(struct eddy_kafka_in *in, uint32_t max)
{
    if (max <= in->room)
        return 0;
    free(in->messages);
    free(in->records);
    in->messages = calloc(max, sizeof *in->messages);
    in->records = calloc(max, sizeof *in->records);
    in->room = in->messages && in->records ? max : 0;
    return in->room ? 0 : EDDY_ENOMEM;
}

uint32_t eddy_kafka_in_poll(struct eddy_kafka_in *in, uint32_t max)
{
    ssize_t count = 0;

    eddy_kafka_in_done(in);
    if (make_room(in, max))
        return 0;
    /* Time-out 0: with any other the library waits until the array is full (2.2). */
    count = rd_kafka_consume_batch_queue(in->queue, 0, in->messages, max);
    in->message_count = count > 0 ? (uint32_t)count : 0;
    for (uint32_t i = 0; i < in->message_count; i++) {
        const rd_kafka_message_t *message = in->messages[i];
        rd_kafka_headers_t *headers = NULL;
        if (message->err) {
            note_message(in, message);
            continue;
        }
        (void)rd_kafka_message_headers(message, &headers);
        in->records[in->record_count++] = (struct eddy_record){
            .partition = (uint32_t)message->partition,
            .offset = (uint64_t)message->offset,
            .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
            .key = {message->key, message->key_len},
            .payload = {message->payload, message->len},
            .headers = headers,
        };
    }
    if (in->record_count) {
        in->news.refused = false;
        if (in->news.trouble.code != EDDY_EFATAL)
            in->news.trouble.code = 0;
    }
    return in->record_count;
}

const struct eddy_record *eddy_kafka_in_records(const struct eddy_kafka_in *in)
{
    return in->records;
}

void eddy_kafka_in_done(struct eddy_kafka_in *in)
{
    for (uint32_t i = 0; i < in->message_count; i++)
        rd_kafka_message_destroy(in->messages[i]);
    in->message_count = 0;
    in->record_count = 0;
}

struct eddy_kafka_news *eddy_kafka_in_news(struct eddy_kafka_in *in)
{
    return &in->news;
}

/* ---- offsets ---- */

void eddy_kafka_in_commit(struct eddy_kafka_in *in,
                          const struct eddy_kafka_place *places, uint32_t count,
                          bool wait)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    if (!count)
        return;
    list = make_list(in, places, count);
    (void)rd_kafka_commit(in->kafka, list, wait ? 0 : 1); /* a copy: it may fail */
    rd_kafka_topic_partition_list_destroy(list);
}

bool eddy_kafka_in_end(struct eddy_kafka_in *in, uint32_t partition, uint64_t *ret_end)
{
    int64_t start = -1, end = -1;

    if (rd_kafka_get_watermark_offsets(in->kafka, in->options->events,
                                       (int32_t)partition, &start, &end) ||
        end < 0)
        return false;
    *ret_end = (uint64_t)end;
    return true;
}

bool eddy_kafka_in_bounds(struct eddy_kafka_in *in, uint32_t partition, int timeout_ms,
                          uint64_t *ret_start, uint64_t *ret_end)
{
    int64_t start = -1, end = -1;

    if (rd_kafka_query_watermark_offsets(in->kafka, in->options->events,
                                         (int32_t)partition, &start, &end, timeout_ms))
        return false;
    *ret_start = (uint64_t)start;
    *ret_end = (uint64_t)end;
    return true;
}

/* ---- life ---- */

int eddy_kafka_in_fd(const struct eddy_kafka_in *in)
{
    return in->fd;
}

static rd_kafka_conf_t *make_conf(struct eddy_kafka_in *in, uint32_t index,
                                  struct eddy_err *err)
{
    char client[64], instance[200], reason[160] = "";
    rd_kafka_conf_t *conf = NULL;

    (void)snprintf(client, sizeof client, "eddy-in-%" PRIu32, index);
    conf = eddy_kafka_conf_new(in->options, EDDY_KAFKA_CONSUMER, client, err);
    if (!conf)
        return NULL;
    (void)snprintf(instance, sizeof instance, "%s-%" PRIu32, in->options->instance,
                   index);
    if (in->options->instance[0] &&
        rd_kafka_conf_set(conf, "group.instance.id", instance, reason, sizeof reason)) {
        rd_kafka_conf_destroy(conf);
        (void)eddy_fail(err, EDDY_ECONFIG, "kafka.instance: %s", reason);
        return NULL;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, in);
    return conf;
}

int eddy_kafka_in_open(const struct eddy_kafka_options *options, uint32_t index,
                       struct eddy_kafka_in **ret, struct eddy_err *err)
{
    static const uint64_t one = 1;
    struct eddy_kafka_in *in = calloc(1, sizeof *in);
    rd_kafka_conf_t *conf = NULL;
    char reason[200] = "";

    if (!in)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a Kafka consumer");
    in->options = options;
    in->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    conf = make_conf(in, index, err);
    if (!conf || in->fd < 0) {
        if (conf)
            rd_kafka_conf_destroy(conf);
        eddy_kafka_in_close(in, false);
        return conf
                   ? eddy_fail(err, EDDY_EIO, "no file descriptor for a Kafka consumer")
                   : EDDY_ECONFIG;
    }
    in->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (!in->kafka) {
        rd_kafka_conf_destroy(conf);
        eddy_kafka_in_close(in, false);
        return eddy_fail(err, EDDY_ECONFIG, "Kafka consumer: %s", reason);
    }
    (void)rd_kafka_poll_set_consumer(in->kafka); /* one queue for all that happens */
    in->queue = rd_kafka_queue_get_consumer(in->kafka);
    rd_kafka_queue_io_event_enable(in->queue, in->fd, &one, sizeof one);
    *ret = in;
    return 0;
}

void eddy_kafka_in_close(struct eddy_kafka_in *in, bool leave)
{
    if (!in)
        return;
    eddy_kafka_in_done(in);
    in->closing = true;
    if (in->queue) {
        rd_kafka_queue_io_event_enable(in->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(in->queue);
    }
    if (in->kafka && leave)
        (void)rd_kafka_consumer_close(in->kafka);
    if (in->kafka)
        rd_kafka_destroy_flags(in->kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    if (in->fd >= 0)
        (void)close(in->fd);
    free(in->target);
    free(in->messages);
    free(in->records);
    free(in);
}
