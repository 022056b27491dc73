/* Layer: io.  librdkafka's mock cluster, for the demo and unit tests: brokers on loopback
 * ports of this process, 5 MiB per partition, no groups to be trusted, no admin requests
 * (STREAMING 2.5). Other processes may connect. Use explicit assignment with it, and
 * kafka.fetch.wait.max.ms=10: the mock does not wake a waiting fetch. */
#ifndef EDDY_IO_KAFKA_MOCK_H
#define EDDY_IO_KAFKA_MOCK_H

#include "eddy/error.h"

struct eddy_kafka_mock;
/* A cluster of its own in this process. Owned: eddy_kafka_mock_stop. 0, EDDY_EKAFKA. */
int eddy_kafka_mock_start(int brokers, struct eddy_kafka_mock **ret,
                          struct eddy_err *err);
void eddy_kafka_mock_stop(struct eddy_kafka_mock *mock);
/* "127.0.0.1:port,...", static for the object's life. */
const char *eddy_kafka_mock_address(const struct eddy_kafka_mock *mock);
int eddy_kafka_mock_create(struct eddy_kafka_mock *mock, const char *topic,
                           int partitions, struct eddy_err *err);
/* A broker (from 1) refuses connections, or answers again. */
void eddy_kafka_mock_set_up(struct eddy_kafka_mock *mock, int broker, int up);

#endif
