/* Layer: io.  The sink on Kafka: lists to the list topic, dead letters to theirs, through
 * one idempotent producer per worker, which keeps the order of each key. */
#ifndef EDDY_IO_KAFKA_OUT_H
#define EDDY_IO_KAFKA_OUT_H

#include "io/kafka.h"

/* options is borrowed for the sink's life. Reports come from eddy_sink_poll, and from
 * eddy_sink_settle while it waits. EDDY_ECONFIG: a kafka.* property. */
int eddy_kafka_out_open(const struct eddy_kafka_options *options, const char *client,
                        struct eddy_sink **ret, struct eddy_err *err);
/* Readable when reports wait: a worker polls it, reads it empty, calls eddy_sink_poll. */
int eddy_kafka_out_fd(const struct eddy_sink *sink);
/* Wait until everything handed over is reported: true, or the time is up. */
bool eddy_kafka_out_flush(struct eddy_sink *sink, int timeout_ms);
/* Give up what has not been sent yet; it is reported as failed. */
void eddy_kafka_out_purge(struct eddy_sink *sink);
/* The newest trouble with deliveries: 0 when the last report was a success, else EDDY_EKAFKA
 * with its sentence. *ret_refused: Kafka does not allow it (authorization);
 * stays until a delivery succeeds. */
int eddy_kafka_out_health(const struct eddy_sink *sink, bool *ret_refused,
                          struct eddy_err *err);
/* The producer ends for good, as when a broker has lost its sequence. Tests only. */
void eddy_kafka_out_break(struct eddy_sink *sink);

#endif
