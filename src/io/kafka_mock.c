#include "io/kafka_mock.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

struct eddy_kafka_mock {
    rd_kafka_t *kafka; /* the client object whose threads serve the mock */
    rd_kafka_mock_cluster_t *cluster;
};

/* The mock's own chatter ("connection closed") is no news. */
static void on_log(const rd_kafka_t *kafka, int level, const char *facility,
                   const char *text)
{
    (void)kafka;
    (void)level;
    (void)facility;
    (void)text;
}

int eddy_kafka_mock_start(int brokers, struct eddy_kafka_mock **ret,
                          struct eddy_err *err)
{
    struct eddy_kafka_mock *mock = calloc(1, sizeof *mock);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char reason[160] = "";

    if (!mock) {
        rd_kafka_conf_destroy(conf);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a mock cluster");
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    mock->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (!mock->kafka) {
        rd_kafka_conf_destroy(conf);
        free(mock);
        return eddy_fail(err, EDDY_EKAFKA, "mock cluster: %s", reason);
    }
    mock->cluster = rd_kafka_mock_cluster_new(mock->kafka, brokers);
    if (!mock->cluster) {
        eddy_kafka_mock_stop(mock);
        return eddy_fail(err, EDDY_EKAFKA, "mock cluster of %d brokers does not start",
                         brokers);
    }
    *ret = mock;
    return 0;
}

void eddy_kafka_mock_stop(struct eddy_kafka_mock *mock)
{
    if (!mock)
        return;
    if (mock->cluster)
        rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->kafka);
    free(mock);
}

const char *eddy_kafka_mock_address(const struct eddy_kafka_mock *mock)
{
    return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

int eddy_kafka_mock_create(struct eddy_kafka_mock *mock, const char *topic,
                           int partitions, struct eddy_err *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1);

    return code ? eddy_fail(err, EDDY_EKAFKA, "mock topic %s: %s", topic,
                            rd_kafka_err2str(code))
                : 0;
}

void eddy_kafka_mock_set_up(struct eddy_kafka_mock *mock, int broker, int up)
{
    if (up)
        (void)rd_kafka_mock_broker_set_up(mock->cluster, broker);
    else
        (void)rd_kafka_mock_broker_set_down(mock->cluster, broker);
}
