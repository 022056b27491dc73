/* Layer: engine.  All options of the daemon, gathered from the modules' tables.
 * Precedence: default < file < EDDY_* < command line, whatever the order of the calls. */
#ifndef EDDY_ENGINE_CONFIG_H
#define EDDY_ENGINE_CONFIG_H

#include "base/conf.h"
#include "core/event.h"
#include "io/kafka.h"
#include "io/store_redis.h"

enum { EDDY_WORKERS_MAX = 64 };

struct eddy_worker_options {
    int64_t threads;          /* worker threads */
    int64_t batch;            /* records taken from librdkafka at once */
    int64_t cache_users;      /* decoded states kept per thread */
    int64_t outbox_max;       /* unconfirmed users per partition before commits wait */
    int64_t drain_timeout_ms; /* from stop to giving up */
};
struct eddy_model_options {
    char *folder;  /* holds one sub-folder per snapshot version */
    char *initial; /* version (16 hex digits) where a new partition starts; "": none */
    int64_t list_size;
    bool exclude_recent;
    int64_t lateness_ms;
};
struct eddy_http_options {
    char *listen; /* "127.0.0.1:8080", "[::1]:8080", ":8080"; "": no HTTP */
};
struct eddy_api_options {
    char *folder;    /* imported data and trained versions */
    char *s3_root;   /* s3://bucket/key is FOLDER/bucket/key; "": no imports */
    char *account;   /* 12 digits, in ARNs */
    int64_t threads; /* of a training */
};
struct eddy_log_options {
    int64_t level;  /* enum eddy_log_level: "error|warn|info|debug" */
    int64_t format; /* 0 logfmt, 1 json */
};

struct eddy_config {
    char *group; /* dataset group: prefix of keys and topics, "eddy" */
    char *roles; /* "worker,api" */
    struct eddy_kafka_options kafka;
    struct eddy_redis_options redis;
    struct eddy_worker_options worker;
    struct eddy_model_options model;
    struct eddy_http_options http;
    struct eddy_api_options api;
    struct eddy_log_options log;
    struct eddy_conf *conf; /* for printing: eddy_conf_print(config->conf, ...) */
};

/* Everything at its default. NULL: memory. Owned: eddy_config_free. */
struct eddy_config *eddy_config_new(struct eddy_err *err);
void eddy_config_free(struct eddy_config *config);

/* A YAML file; EDDY_ECONFIG names file, line, key and what is allowed. */
int eddy_config_load_file(struct eddy_config *config, const char *path,
                          struct eddy_err *err);
/* EDDY_* of an environ-like array. */
int eddy_config_load_environment(struct eddy_config *config, char *const *environment,
                                 struct eddy_err *err);
/* One option from the command line: name "redis.address", where "--redis.address". */
int eddy_config_set(struct eddy_config *config, const char *name, const char *value,
                    const char *where, struct eddy_err *err);
/* After the last source: fill what follows from other options (topic names from the
 * group), check what single rows cannot say. EDDY_ECONFIG. */
int eddy_config_finish(struct eddy_config *config, struct eddy_err *err);

/* The policy that new partitions start with. */
struct eddy_policy eddy_config_policy(const struct eddy_config *config);
bool eddy_config_has_role(const struct eddy_config *config, const char *role);

#endif
