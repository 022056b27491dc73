#include "io/kafka_headers.h"

#include <librdkafka/rdkafka.h>

bool eddy_record_header(const struct eddy_record *record, size_t index,
                        const char **ret_name, struct eddy_span *ret_value)
{
    const rd_kafka_headers_t *headers = record->headers;
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    if (!headers || rd_kafka_header_get_all(headers, index, &name, &value, &size) !=
                        RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    *ret_name = name;
    *ret_value = (struct eddy_span){value, size};
    return true;
}
