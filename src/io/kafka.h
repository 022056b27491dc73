/* Layer: io.  Kafka through librdkafka (2.0.2 is the floor): the options, one place that
 * turns them into a client configuration, and small clients for tools: admin questions, a
 * producer, a reader. The worker's own consumer and producer: io/kafka_in.h, kafka_out.h. */
#ifndef EDDY_IO_KAFKA_H
#define EDDY_IO_KAFKA_H

#include "base/buf.h"
#include "base/conf.h"
#include "io/sink.h"

struct eddy_kafka_options {
    char *brokers; /* "host:port,host:port" */
    char *events;  /* topic names; "" becomes <group>.events and so on (config.c) */
    char *lists;
    char *dead_letters;
    char *consumer_group; /* "" becomes the dataset group's name */
    char *instance;       /* static membership: worker n is INSTANCE-n; "": dynamic */
    char *assignment;     /* "group", "all", or partitions as "0,3,8-11" */
    struct eddy_pairs properties; /* kafka.* handed to librdkafka untouched */
};
extern const struct eddy_option eddy_kafka_option_table[];
extern const size_t eddy_kafka_option_count;

/* A configuration of librdkafka: brokers, client id, our defaults for the role, and the
 * user's properties on top. Owned: handed to rd_kafka_new or rd_kafka_conf_destroy.
 * NULL: EDDY_ECONFIG names the property and what librdkafka says about it. */
enum eddy_kafka_role {
    EDDY_KAFKA_CONSUMER, /* the worker's: own offsets, limits of STREAMING 2.3 */
    EDDY_KAFKA_READER,   /* a tool's: no group, reads to the end               */
    EDDY_KAFKA_PRODUCER, /* idempotent, murmur2_random                         */
    EDDY_KAFKA_ADMIN,
};
struct rd_kafka_conf_s;
struct rd_kafka_conf_s *eddy_kafka_conf_new(const struct eddy_kafka_options *options,
                                            enum eddy_kafka_role role,
                                            const char *client, struct eddy_err *err);

/* Record what librdkafka said (code: an rd_kafka_resp_err_t, detail: its text, may be NULL)
 * as a sentence that says what to look at. Returns EDDY_EKAFKA, or EDDY_EFATAL when the
 * client cannot go on. */
int eddy_kafka_fail(struct eddy_err *err, const struct eddy_kafka_options *options,
                    int code, const char *detail);

/* The partitions that options->assignment names, given the topic's count, into
 * ret_partitions (room for count). Returns how many; for "group" 0. EDDY_ECONFIG when the
 * text is not understood or names a partition that the topic lacks. */
int eddy_kafka_assignment(const struct eddy_kafka_options *options, uint32_t count,
                          uint32_t *ret_partitions, struct eddy_err *err);
bool eddy_kafka_uses_group(const struct eddy_kafka_options *options);

/* Admin questions. Options are borrowed for the object's life. Thread: one at a time.
 * Each call blocks at most timeout_ms and fails with EDDY_EKAFKA and a sentence that says
 * what to look at (no broker answers, authentication, authorization, no such topic). */
struct eddy_kafka_admin;
int eddy_kafka_admin_open(const struct eddy_kafka_options *options,
                          struct eddy_kafka_admin **ret, struct eddy_err *err);
void eddy_kafka_admin_close(struct eddy_kafka_admin *admin);
/* A broker answers. ret_report (may be NULL): one line on cluster and broker count. */
int eddy_kafka_admin_check(struct eddy_kafka_admin *admin, int timeout_ms,
                           struct eddy_buf *ret_report, struct eddy_err *err);
/* *ret_count 0: the topic does not exist (that is no error). */
int eddy_kafka_admin_partitions(struct eddy_kafka_admin *admin, const char *topic,
                                int timeout_ms, uint32_t *ret_count,
                                struct eddy_err *err);
/* Create a topic and wait until the metadata show it; an existing one is left alone.
 * replication <= 0: the broker's default. config: name, value, ..., NULL; may be NULL. */
int eddy_kafka_admin_create(struct eddy_kafka_admin *admin, const char *topic,
                            uint32_t partitions, int replication,
                            const char *const *config, int timeout_ms,
                            struct eddy_err *err);
/* First offset still in the log, and the next one to be written. */
int eddy_kafka_admin_bounds(struct eddy_kafka_admin *admin, const char *topic,
                            uint32_t partition, int timeout_ms, uint64_t *ret_start,
                            uint64_t *ret_end, struct eddy_err *err);

/* A plain idempotent producer for tools (eddy load, deploy, dlq, demo). One thread's. */
struct eddy_producer;
int eddy_producer_open(const struct eddy_kafka_options *options, const char *client,
                       struct eddy_producer **ret, struct eddy_err *err);
void eddy_producer_close(struct eddy_producer *producer); /* does not flush */
/* Queue one record; bytes are copied. partition < 0: by key with murmur2, as every
 * producer of an event topic must. payload.data NULL: tombstone. timestamp_ms <= 0: now.
 * Blocks while the local queue is full, at most timeout_ms, then EDDY_EFULL. */
int eddy_producer_send(struct eddy_producer *producer, const char *topic,
                       int32_t partition, struct eddy_span key,
                       struct eddy_span payload, int64_t timestamp_ms, int timeout_ms,
                       struct eddy_err *err);
/* Serve delivery reports without waiting; how many were confirmed and failed so far. */
void eddy_producer_poll(struct eddy_producer *producer, uint64_t *ret_delivered,
                        uint64_t *ret_failed);
/* Wait until every record is confirmed. EDDY_EKAFKA: time is up or a delivery failed (the
 * first failure's reason is the message). */
int eddy_producer_flush(struct eddy_producer *producer, int timeout_ms,
                        struct eddy_err *err);

/* A plain reader for tools (eddy replay, inspect, the demo's check). One thread's. */
struct eddy_reader;
enum { EDDY_READ_ALL = -1 };
#define EDDY_READ_FROM_START UINT64_MAX
#define EDDY_READ_FROM_END   (UINT64_MAX - 1)
/* partition EDDY_READ_ALL: every partition of the topic. offset applies to each. follow
 * false: the read ends where the log ended at open (records of open transactions and
 * control records are passed over); true: it goes on with what is appended. */
int eddy_reader_open(const struct eddy_kafka_options *options, const char *topic,
                     int32_t partition, uint64_t offset, bool follow,
                     struct eddy_reader **ret, struct eddy_err *err);
void eddy_reader_close(struct eddy_reader *reader);
/* 1: *ret is the next record, borrowed until the next call. 0: the end is reached, or with
 * follow nothing came within timeout_ms. EDDY_EKAFKA: without follow, nothing came within
 * timeout_ms although records are missing. Order holds per partition only. */
int eddy_reader_next(struct eddy_reader *reader, int timeout_ms,
                     struct eddy_record *ret, struct eddy_err *err);
/* Number of partitions that are read, and records still to come as of open (not follow). */
uint32_t eddy_reader_partitions(const struct eddy_reader *reader);
uint64_t eddy_reader_total(const struct eddy_reader *reader);

#endif
