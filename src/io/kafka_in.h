/* Layer: io.  The worker's consumer: batches from one queue, an assignment that the worker
 * sets with its own offsets, and news of the group told as plain facts. */
#ifndef EDDY_IO_KAFKA_IN_H
#define EDDY_IO_KAFKA_IN_H

#include "io/kafka.h"

struct eddy_kafka_in;
/* A partition and the next offset to read or to commit. */
struct eddy_kafka_place {
    uint32_t partition;
    uint64_t offset;
};

/* What a poll brought besides records. Facts stay until the worker has acted on them and
 * cleared them. */
struct eddy_kafka_news {
    bool revoked;  /* the group took the assignment: release all, then assign nothing */
    bool assigned; /* the group gave the target: acquire, then assign it */
    bool refused;  /* Kafka does not allow something (trouble says what); kept until
                      records arrive */
    struct eddy_err trouble; /* newest complaint, code 0: none; EDDY_EFATAL: this client
                                cannot go on */
    uint32_t lost_count;     /* partitions whose offset is not in the log (any more) */
    struct eddy_kafka_place lost[16];
};

/* index: of the worker, for client id and static membership. options is borrowed.
 * EDDY_ECONFIG: a kafka.* property. Thread: worker, for all that follows. */
int eddy_kafka_in_open(const struct eddy_kafka_options *options, uint32_t index,
                       struct eddy_kafka_in **ret, struct eddy_err *err);
/* Leaves the group (a static member stays in it until its session ends) and waits for that
 * when leave is set; else drops everything. */
void eddy_kafka_in_close(struct eddy_kafka_in *in, bool leave);
/* Readable when a poll would bring something: worth one read of 8 bytes. */
int eddy_kafka_in_fd(const struct eddy_kafka_in *in);

/* Join the group; the assignment comes as news. */
int eddy_kafka_in_subscribe(struct eddy_kafka_in *in, struct eddy_err *err);
/* Partitions that the group wants this worker to own; borrowed until the next poll. */
const uint32_t *eddy_kafka_in_target(const struct eddy_kafka_in *in,
                                     uint32_t *ret_count);
/* Read exactly these partitions from these offsets; offset 0 stands for the begin of the
 * log, wherever that is. count 0: read nothing. What was fetched before is dropped. It
 * also is the answer to news.assigned, eddy_kafka_in_unassign the one to news.revoked: the
 * group waits for them. */
int eddy_kafka_in_assign(struct eddy_kafka_in *in,
                         const struct eddy_kafka_place *places, uint32_t count,
                         struct eddy_err *err);
void eddy_kafka_in_unassign(struct eddy_kafka_in *in);

/* Take up to max records that are there already; never waits. Returns how many; each is
 * borrowed until eddy_kafka_in_done. Must be called at least every max.poll.interval.ms. */
uint32_t eddy_kafka_in_poll(struct eddy_kafka_in *in, uint32_t max);
const struct eddy_record *eddy_kafka_in_records(const struct eddy_kafka_in *in);
void eddy_kafka_in_done(struct eddy_kafka_in *in);
struct eddy_kafka_news *eddy_kafka_in_news(struct eddy_kafka_in *in);

/* Kafka's copy of the offsets, for lag tools. Without wait its outcome is not looked at. */
void eddy_kafka_in_commit(struct eddy_kafka_in *in,
                          const struct eddy_kafka_place *places, uint32_t count,
                          bool wait);
/* End of the log of a partition as of the last fetch; false: not known yet. */
bool eddy_kafka_in_end(struct eddy_kafka_in *in, uint32_t partition, uint64_t *ret_end);
/* First and next offset of the log, asked from the broker (waits up to timeout_ms). */
bool eddy_kafka_in_bounds(struct eddy_kafka_in *in, uint32_t partition, int timeout_ms,
                          uint64_t *ret_start, uint64_t *ret_end);

#endif
