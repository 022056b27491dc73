/* Layer: io.  Where lists and dead letters go: a topic (io/kafka_out.c) or memory (the
 * simulator). Delivery is asynchronous; confirmations come back through poll. */
#ifndef EDDY_IO_SINK_H
#define EDDY_IO_SINK_H

#include <stdint.h>

#include "base/span.h"
#include "eddy/error.h"

/* One record of the log as a worker sees it. payload and key are borrowed until the turn
 * has ended. */
struct eddy_record {
    uint32_t partition;
    uint64_t offset;
    int64_t timestamp_ms; /* <= 0: none */
    struct eddy_span key;
    struct eddy_span payload; /* data NULL: tombstone */
    const void *headers;      /* adapter's own (rd_kafka_headers_t *), may be NULL */
};

struct eddy_sink;
/* Called from poll for every published list: code 0 when it stands in the topic. */
typedef void (*eddy_sink_done_fn)(void *context, uint32_t partition,
                                  struct eddy_span user, uint64_t revision, int code);

struct eddy_sink_ops {
    void (*close)(struct eddy_sink *sink);
    int (*publish)(struct eddy_sink *sink, uint32_t partition, struct eddy_span user,
                   uint64_t revision, struct eddy_span list, struct eddy_err *err);
    int (*bury)(struct eddy_sink *sink, const struct eddy_record *record, int code,
                const char *message, struct eddy_err *err);
    int (*settle)(struct eddy_sink *sink, int timeout_ms, struct eddy_err *err);
    void (*poll)(struct eddy_sink *sink);
};
struct eddy_sink { /* first member of every implementation */
    const struct eddy_sink_ops *ops;
    eddy_sink_done_fn done;
    void *done_context;
};

void eddy_sink_close(struct eddy_sink *sink);
void eddy_sink_on_done(struct eddy_sink *sink, eddy_sink_done_fn done, void *context);
/* Hand a list of input partition `partition` to the list topic, keyed by user. Copies. 0,
 * or EDDY_EFULL (try again after poll). */
int eddy_sink_publish(struct eddy_sink *sink, uint32_t partition, struct eddy_span user,
                      uint64_t revision, struct eddy_span list, struct eddy_err *err);
/* Hand a record that cannot be applied to the dead-letter topic, with its original key,
 * value, headers, timestamp, the __connect.errors.* headers and the reason of code. */
int eddy_sink_bury(struct eddy_sink *sink, const struct eddy_record *record, int code,
                   const char *message, struct eddy_err *err);
/* Wait until every dead letter handed over so far is confirmed. 0 or EDDY_EKAFKA. */
int eddy_sink_settle(struct eddy_sink *sink, int timeout_ms, struct eddy_err *err);
/* Serve confirmations; never blocks. */
void eddy_sink_poll(struct eddy_sink *sink);

#endif
