/* Layer: io.  Settings of a topic, for `eddy check`. */
#ifndef EDDY_IO_KAFKA_SETTINGS_H
#define EDDY_IO_KAFKA_SETTINGS_H

#include "io/kafka.h"

enum { EDDY_SETTING_SIZE = 64 };

/* The values of count settings by name, "" for one that the broker does not have.
 * EDDY_EKAFKA: no answer, or the rights to describe settings are missing. Opens a
 * connection of its own. Blocks: at most timeout_ms. */
int eddy_kafka_topic_settings(const struct eddy_kafka_options *options,
                              const char *topic, const char *const *names, size_t count,
                              char (*ret_values)[EDDY_SETTING_SIZE], int timeout_ms,
                              struct eddy_err *err);

#endif
