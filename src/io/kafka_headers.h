/* Layer: io.  Headers of a record that came from Kafka. */
#ifndef EDDY_IO_KAFKA_HEADERS_H
#define EDDY_IO_KAFKA_HEADERS_H

#include "io/sink.h"

/* The index-th header of a record read by eddy_reader_next or a worker; false: there are
 * not so many. Name and value are borrowed from the record. Thread: any. */
bool eddy_record_header(const struct eddy_record *record, size_t index,
                        const char **ret_name, struct eddy_span *ret_value);

#endif
