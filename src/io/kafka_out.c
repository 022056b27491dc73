/* Lists and dead letters to Kafka.
 *
 * Every record carries a ticket (opaque) that says what it was: librdkafka hands it back
 * with the delivery report. Tickets are kept on a free list, so a steady load allocates none.
 *
 * What a failed delivery means is decided by the owner of the work: a list stays in the
 * outbox and is produced again (STREAMING 7.2: a broker that is behind on the metadata
 * answers "unknown topic" or "unknown partition" for a moment, and the library gives up on
 * these at once); a dead letter makes settle fail, which holds the commit back. Everything
 * else the library repeats by itself, for ever (message.timeout.ms=0): what waits here is
 * bounded by its queue and by the outbox.
 *
 * An idempotent producer can end for good: librdkafka before 2.3 loses count of its
 * sequence when a broker dies under load (its issue 4438, met by tests/e2e/test_exact.py
 * with 2.0.2) and refuses every record from then on. A new producer is all that it takes:
 * what was on its way is reported as failed, so its owners produce it again, as they would
 * after a restart of the process.
 *
 * Authorization errors are reported by the library per record; they are kept until a
 * delivery succeeds, so that readiness can show them. */
#include "io/kafka_out.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { RENEW_REPORTS_MS = 2000 };

struct ticket {
    struct ticket *next;
    uint64_t revision;
    uint32_t partition;
    bool letter;
};

struct producer {
    rd_kafka_t *kafka;
    rd_kafka_topic_t *lists, *letters;
};

struct kafka_out {
    struct eddy_sink base;
    const struct eddy_kafka_options *options;
    char *client;
    int fd;
    struct producer producer;
    bool broken; /* the producer has ended: poll opens another one */
    struct ticket *free_tickets;
    uint64_t letters_waiting;      /* handed over, no report yet */
    struct eddy_err letter_failed; /* first failure since the last settle */
    struct eddy_err trouble;       /* of the newest failed report or connection error */
    bool refused;
};

static struct kafka_out *of(struct eddy_sink *sink)
{
    return (struct kafka_out *)sink;
}

static bool is_refusal(int code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static struct ticket *take_ticket(struct kafka_out *out)
{
    struct ticket *ticket = out->free_tickets;

    if (!ticket)
        return calloc(1, sizeof *ticket);
    out->free_tickets = ticket->next;
    *ticket = (struct ticket){.next = NULL};
    return ticket;
}

static void give_ticket(struct kafka_out *out, struct ticket *ticket)
{
    ticket->next = out->free_tickets;
    out->free_tickets = ticket;
}

/* ---- reports ---- */

static void note_trouble(struct kafka_out *out, int code, const char *text)
{
    char fatal[200] = "";

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        /* What befell the producer as a whole says more than the code of one record. */
        (void)rd_kafka_fatal_error(out->producer.kafka, fatal, sizeof fatal);
        (void)eddy_fail(&out->trouble, EDDY_EKAFKA,
                        "Kafka producer is opened again after: %.180s", fatal);
        out->broken = true;
        return;
    }
    (void)eddy_kafka_fail(&out->trouble, out->options, code, text);
    if (is_refusal(code))
        out->refused = true;
}

static void on_error(rd_kafka_t *kafka, int code, const char *text, void *opaque)
{
    (void)kafka;
    /* "All brokers down" comes behind the reason and says less. */
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || of(opaque)->trouble.code == 0)
        note_trouble(of(opaque), code, text);
}

static void on_report(rd_kafka_t *kafka, const rd_kafka_message_t *message,
                      void *opaque)
{
    struct kafka_out *out = opaque;
    struct ticket *ticket = message->_private;
    int code = 0;

    (void)kafka;
    if (message->err) {
        note_trouble(out, message->err, NULL);
        code = out->trouble.code;
    } else {
        out->trouble.code = 0;
        out->refused = false;
    }
    if (ticket->letter) {
        out->letters_waiting--;
        if (code && !out->letter_failed.code)
            out->letter_failed = out->trouble;
    } else if (out->base.done) {
        out->base.done(out->base.done_context, ticket->partition,
                       (struct eddy_span){message->key, message->key_len},
                       ticket->revision, code);
    }
    give_ticket(out, ticket);
}

/* ---- the producer ---- */

/* On failure *ret may be half made; end_producer takes it. */
static int start_producer(struct kafka_out *out, struct producer *ret,
                          struct eddy_err *err)
{
    static const uint64_t one = 1;
    rd_kafka_queue_t *queue = NULL;
    char reason[200] = "";
    rd_kafka_conf_t *conf =
        eddy_kafka_conf_new(out->options, EDDY_KAFKA_PRODUCER, out->client, err);

    if (!conf)
        return EDDY_ECONFIG;
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_opaque(conf, out);
    ret->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (!ret->kafka) {
        rd_kafka_conf_destroy(conf);
        return eddy_fail(err, EDDY_ECONFIG, "Kafka producer: %s", reason);
    }
    ret->lists = rd_kafka_topic_new(ret->kafka, out->options->lists, NULL);
    ret->letters = rd_kafka_topic_new(ret->kafka, out->options->dead_letters, NULL);
    if (!ret->lists || !ret->letters)
        return eddy_fail(err, EDDY_ECONFIG, "kafka.lists or kafka.dead_letters: %s",
                         rd_kafka_err2str(rd_kafka_last_error()));
    queue = rd_kafka_queue_get_main(ret->kafka);
    rd_kafka_queue_io_event_enable(queue, out->fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);
    return 0;
}

/* What has not been reported yet is, as failed, within timeout_ms. */
static void end_producer(struct producer *producer, int timeout_ms)
{
    if (producer->kafka) {
        (void)rd_kafka_purge(producer->kafka,
                             RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(producer->kafka, timeout_ms);
    }
    if (producer->lists)
        rd_kafka_topic_destroy(producer->lists);
    if (producer->letters)
        rd_kafka_topic_destroy(producer->letters);
    if (producer->kafka)
        rd_kafka_destroy(producer->kafka);
}

/* A new producer in the place of one that has ended. */
static void renew(struct kafka_out *out)
{
    struct producer fresh = {0};
    struct eddy_err why = out->trouble, err = {0};

    if (start_producer(out, &fresh, &err)) {
        end_producer(&fresh, 0);
        out->trouble = err; /* the next poll tries again */
        return;
    }
    end_producer(&out->producer, RENEW_REPORTS_MS);
    out->producer = fresh;
    if (out->letters_waiting > 0 && !out->letter_failed.code)
        out->letter_failed = why;
    out->letters_waiting = 0;
    out->trouble = why;
    out->broken = false;
}

static void poll_out(struct eddy_sink *sink)
{
    struct kafka_out *out = of(sink);

    while (rd_kafka_poll(out->producer.kafka, 0) > 0) {
    }
    if (out->broken)
        renew(out);
}

/* ---- produce ---- */

static int fail_produce(struct kafka_out *out, int code, struct eddy_err *err)
{
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return eddy_fail(err, EDDY_EFULL,
                         "Kafka has not taken the queued records yet%s%s",
                         out->trouble.code ? ": " : "",
                         out->trouble.code ? out->trouble.text : "");
    note_trouble(out, code, NULL);
    /* A producer that has ended takes nothing; poll opens the next one. */
    return eddy_fail(err, out->broken ? EDDY_EFULL : out->trouble.code, "%s",
                     out->trouble.text);
}

static int publish(struct eddy_sink *sink, uint32_t partition, struct eddy_span user,
                   uint64_t revision, struct eddy_span list, struct eddy_err *err)
{
    struct kafka_out *out = of(sink);
    struct ticket *ticket = take_ticket(out);
    rd_kafka_resp_err_t code = 0;

    if (!ticket)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a record of the list topic");
    ticket->partition = partition;
    ticket->revision = revision;
    code = rd_kafka_producev(out->producer.kafka, RD_KAFKA_V_RKT(out->producer.lists),
                             RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_KEY(user.data, user.size),
                             RD_KAFKA_V_VALUE((void *)(uintptr_t)list.data, list.size),
                             RD_KAFKA_V_OPAQUE(ticket), RD_KAFKA_V_END);
    if (!code)
        return 0;
    give_ticket(out, ticket);
    return fail_produce(out, code, err);
}

static void add_header(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    (void)rd_kafka_header_add(headers, name, -1, value,
                              -1); /* fails on no memory only */
}

/* The original headers, untouched, and behind them where the record came from and why:
 * Kafka Connect's names (OPERATIONS), which dead-letter tools know, and our reason word. */
static rd_kafka_headers_t *make_headers(const struct kafka_out *out,
                                        const struct eddy_record *record, int code,
                                        const char *message)
{
    rd_kafka_headers_t *headers = record->headers
                                      ? rd_kafka_headers_copy(record->headers)
                                      : rd_kafka_headers_new(8);
    char number[24];

    if (!headers)
        return NULL;
    add_header(headers, "__connect.errors.topic", out->options->events);
    (void)snprintf(number, sizeof number, "%" PRIu32, record->partition);
    add_header(headers, "__connect.errors.partition", number);
    (void)snprintf(number, sizeof number, "%" PRIu64, record->offset);
    add_header(headers, "__connect.errors.offset", number);
    add_header(headers, "__connect.errors.connector.name",
               out->options->consumer_group);
    add_header(headers, "__connect.errors.stage", "VALUE_CONVERTER");
    add_header(headers, "__connect.errors.exception.class.name", eddy_err_reason(code));
    add_header(headers, "__connect.errors.exception.message", message ? message : "");
    add_header(headers, "eddy.reason", eddy_err_reason(code));
    return headers;
}

static int bury(struct eddy_sink *sink, const struct eddy_record *record, int code,
                const char *message, struct eddy_err *err)
{
    struct kafka_out *out = of(sink);
    struct ticket *ticket = take_ticket(out);
    rd_kafka_headers_t *headers = make_headers(out, record, code, message);
    rd_kafka_resp_err_t refused = 0;

    if (!ticket || !headers) {
        free(ticket);
        if (headers)
            rd_kafka_headers_destroy(headers);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a dead letter");
    }
    ticket->letter = true;
    refused = rd_kafka_producev(
        out->producer.kafka, RD_KAFKA_V_RKT(out->producer.letters),
        RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(record->key.data, record->key.size),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->payload.data, record->payload.size),
        RD_KAFKA_V_TIMESTAMP(record->timestamp_ms > 0 ? record->timestamp_ms : 0),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(ticket), RD_KAFKA_V_END);
    if (!refused) {
        out->letters_waiting++;
        return 0;
    }
    rd_kafka_headers_destroy(headers); /* still ours when producev fails */
    give_ticket(out, ticket);
    return fail_produce(out, refused, err);
}

static int settle(struct eddy_sink *sink, int timeout_ms, struct eddy_err *err)
{
    struct kafka_out *out = of(sink);
    uint64_t end_ns = eddy_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    struct eddy_err failed;

    while (out->letters_waiting > 0 && eddy_monotonic_ns() < end_ns)
        (void)rd_kafka_poll(out->producer.kafka, 5);
    failed = out->letter_failed;
    out->letter_failed.code = 0;
    if (failed.code)
        return eddy_fail(err, failed.code, "dead letter to %.60s: %.160s",
                         out->options->dead_letters, failed.text);
    if (out->letters_waiting > 0)
        return eddy_fail(err, EDDY_EKAFKA,
                         "dead letters to %.60s are not confirmed after %d ms%s%.100s",
                         out->options->dead_letters, timeout_ms,
                         out->trouble.code ? ": " : "",
                         out->trouble.code ? out->trouble.text : "");
    return 0;
}

/* ---- life ---- */

static void close_out(struct eddy_sink *sink)
{
    struct kafka_out *out = of(sink);

    out->base.done = NULL;
    end_producer(&out->producer, 100);
    if (out->fd >= 0)
        (void)close(out->fd);
    while (out->free_tickets) {
        struct ticket *ticket = out->free_tickets;
        out->free_tickets = ticket->next;
        free(ticket);
    }
    free(out->client);
    free(out);
}

static const struct eddy_sink_ops kafka_ops = {
    .close = close_out,
    .publish = publish,
    .bury = bury,
    .settle = settle,
    .poll = poll_out,
};

int eddy_kafka_out_open(const struct eddy_kafka_options *options, const char *client,
                        struct eddy_sink **ret, struct eddy_err *err)
{
    struct kafka_out *out = calloc(1, sizeof *out);
    int rc = 0;

    if (!out)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a Kafka producer");
    out->base.ops = &kafka_ops;
    out->options = options;
    out->client = strdup(client);
    out->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!out->client)
        rc = eddy_fail(err, EDDY_ENOMEM, "no memory for a Kafka producer");
    else if (out->fd < 0)
        rc = eddy_fail(err, EDDY_EIO, "no file descriptor for a Kafka producer");
    else
        rc = start_producer(out, &out->producer, err);
    if (rc) {
        close_out(&out->base);
        return rc;
    }
    *ret = &out->base;
    return 0;
}

int eddy_kafka_out_fd(const struct eddy_sink *sink)
{
    return ((const struct kafka_out *)sink)->fd;
}

bool eddy_kafka_out_flush(struct eddy_sink *sink, int timeout_ms)
{
    return rd_kafka_flush(of(sink)->producer.kafka, timeout_ms) ==
           RD_KAFKA_RESP_ERR_NO_ERROR;
}

void eddy_kafka_out_purge(struct eddy_sink *sink)
{
    (void)rd_kafka_purge(of(sink)->producer.kafka,
                         RD_KAFKA_PURGE_F_QUEUE); /* cannot fail so */
}

void eddy_kafka_out_break(struct eddy_sink *sink)
{
    (void)rd_kafka_test_fatal_error(of(sink)->producer.kafka,
                                    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                                    "as a test asked");
}

int eddy_kafka_out_health(const struct eddy_sink *sink, bool *ret_refused,
                          struct eddy_err *err)
{
    const struct kafka_out *out = (const struct kafka_out *)sink;

    *ret_refused = out->refused;
    if (out->trouble.code)
        *err = out->trouble;
    return out->trouble.code;
}
