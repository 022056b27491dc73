#include "io/kafka_settings.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

/* What was asked for, out of all the settings of the topic. */
static void pick(const rd_kafka_ConfigResource_t *resource, const char *const *names,
                 size_t count, char (*ret_values)[EDDY_SETTING_SIZE])
{
    size_t entry_count = 0;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resource, &entry_count);
    for (size_t n = 0; n < count; n++) {
        ret_values[n][0] = 0;
        for (size_t e = 0; e < entry_count; e++) {
            const char *value = rd_kafka_ConfigEntry_value(entries[e]);
            if (value && strcmp(rd_kafka_ConfigEntry_name(entries[e]), names[n]) == 0)
                (void)snprintf(ret_values[n], EDDY_SETTING_SIZE, "%s", value);
        }
    }
}

static int take_answer(const struct eddy_kafka_options *options,
                       rd_kafka_event_t *event, const char *const *names, size_t count,
                       char (*ret_values)[EDDY_SETTING_SIZE], struct eddy_err *err)
{
    size_t resource_count = 0;
    if (!event)
        return eddy_kafka_fail(err, options, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
    if (rd_kafka_event_error(event))
        return eddy_kafka_fail(err, options, rd_kafka_event_error(event),
                               rd_kafka_event_error_string(event));
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &resource_count);
    if (resource_count != 1)
        return eddy_kafka_fail(err, options, RD_KAFKA_RESP_ERR__BAD_MSG, NULL);
    if (rd_kafka_ConfigResource_error(resources[0]))
        return eddy_kafka_fail(err, options,
                               rd_kafka_ConfigResource_error(resources[0]),
                               rd_kafka_ConfigResource_error_string(resources[0]));
    pick(resources[0], names, count, ret_values);
    return 0;
}

int eddy_kafka_topic_settings(const struct eddy_kafka_options *options,
                              const char *topic, const char *const *names, size_t count,
                              char (*ret_values)[EDDY_SETTING_SIZE], int timeout_ms,
                              struct eddy_err *err)
{
    char reason[200] = "";
    rd_kafka_conf_t *conf =
        eddy_kafka_conf_new(options, EDDY_KAFKA_ADMIN, "eddy-settings", err);
    if (!conf)
        return EDDY_ECONFIG;
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (!kafka) {
        rd_kafka_conf_destroy(conf);
        return eddy_fail(err, EDDY_ECONFIG, "Kafka client: %s", reason);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_AdminOptions_t *admin =
        rd_kafka_AdminOptions_new(kafka, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    (void)rd_kafka_AdminOptions_set_request_timeout(admin, timeout_ms, reason,
                                                    sizeof reason);
    rd_kafka_DescribeConfigs(kafka, &resource, 1, admin, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);
    int r = take_answer(options, event, names, count, ret_values, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_AdminOptions_destroy(admin);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(kafka);
    return r;
}
