/* The daemon's configuration: one struct, one option table per module, one place for what a
 * single row cannot say. */
#include "engine/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/yaml.h"

#define FIELD(name) offsetof(struct eddy_config, name)
static const struct eddy_option general_table[] = {
    {"group", EDDY_OPTION_TEXT, FIELD(group), "eddy", 0, 0, NULL, 0,
     "Dataset group: the prefix of keys in Redis and of topic names; lower-case letters, "
     "digits, . _ -"},
    {"roles", EDDY_OPTION_TEXT, FIELD(roles), "worker,api", 0, 0, NULL, 0,
     "What this process does: worker, api, or both."},
};
#undef FIELD

#define FIELD(name) offsetof(struct eddy_worker_options, name)
static const struct eddy_option worker_table[] = {
    {"worker.threads", EDDY_OPTION_INT, FIELD(threads), "1", 1, EDDY_WORKERS_MAX, NULL,
     0,
     "Worker threads, each with its own consumer, store connections and state cache; at "
     "most one per core and per partition is of use."},
    {"worker.batch", EDDY_OPTION_INT, FIELD(batch), "512", 1, 4096, NULL, 0,
     "Records taken from Kafka's local queue at once."},
    {"worker.cache_users", EDDY_OPTION_INT, FIELD(cache_users), "16384", 1024,
     100000000, NULL, 0,
     "User states each thread keeps decoded; raise it while eddy_state_cache_total says "
     "miss and memory allows."},
    {"worker.outbox_max", EDDY_OPTION_INT, FIELD(outbox_max), "4096", 64, 1000000, NULL,
     0,
     "Lists of a partition that may wait for Kafka's confirmation before its commits "
     "wait."},
    {"worker.drain_timeout", EDDY_OPTION_DURATION, FIELD(drain_timeout_ms), "20s", 0,
     600000, NULL, 0,
     "How long a stop waits for confirmations; keep it below the service manager's limit."},
};
#undef FIELD

#define FIELD(name) offsetof(struct eddy_model_options, name)
static const struct eddy_option model_table[] = {
    {"model.folder", EDDY_OPTION_TEXT, FIELD(folder), "/var/lib/eddy/models", 0, 0,
     NULL, 0, "Holds one sub-folder per model version, as `eddy deploy` puts them."},
    {"model.initial", EDDY_OPTION_TEXT, FIELD(initial), "", 0, 0, NULL, 0,
     "Version (16 hex digits) that a new deployment's partitions begin with; empty: events "
     "are remembered, and lists begin with the first `eddy deploy`."},
};
static const struct eddy_option list_table[] = {
    {"list.size", EDDY_OPTION_INT, FIELD(list_size), "25", 1, 500, NULL, 0,
     "Items of a list; takes effect with the first start and with each deploy."},
    {"list.exclude_recent", EDDY_OPTION_BOOL, FIELD(exclude_recent), "false", 0, 0,
     NULL, 0, "Leave out items that the user has recent events with."},
    {"list.lateness", EDDY_OPTION_DURATION, FIELD(lateness_ms), "1d", 1000, 3.1536e10,
     NULL, 0, "Events older than the user's newest by more than this move no state."},
};
#undef FIELD

#define FIELD(name) offsetof(struct eddy_http_options, name)
static const struct eddy_option http_table[] = {
    {"http.listen", EDDY_OPTION_TEXT, FIELD(listen), "127.0.0.1:8080", 0, 0, NULL, 0,
     "Address of the HTTP server, host:port or :port for all interfaces; empty: none."},
};
#undef FIELD

#define FIELD(name) offsetof(struct eddy_api_options, name)
static const struct eddy_option api_table[] = {
    {"api.folder", EDDY_OPTION_TEXT, FIELD(folder), "/var/lib/eddy/api", 0, 0, NULL, 0,
     "What dataset import jobs keep and solution versions train; processes on several "
     "machines need one that all of them see."},
    {"api.s3_root", EDDY_OPTION_TEXT, FIELD(s3_root), "", 0, 0, NULL, 0,
     "Folder that stands for S3: s3://BUCKET/KEY of an import job is "
     "S3_ROOT/BUCKET/KEY; empty: imports are refused."},
    {"api.account", EDDY_OPTION_TEXT, FIELD(account), "000000000000", 0, 0, NULL, 0,
     "Account in ARNs, 12 digits; set it before the first resource is made."},
    {"api.threads", EDDY_OPTION_INT, FIELD(threads), "2", 1, 64, NULL, 0,
     "Threads of each training of a solution version; lower it where workers run on the "
     "same machine."},
};
#undef FIELD

#define FIELD(name) offsetof(struct eddy_log_options, name)
static const struct eddy_option log_table[] = {
    {"log.level", EDDY_OPTION_CHOICE, FIELD(level), "info", 0, 0,
     "error|warn|info|debug", 0, "Least important lines that are written."},
    {"log.format", EDDY_OPTION_CHOICE, FIELD(format), "logfmt", 0, 0, "logfmt|json", 0,
     "Form of a log line."},
};
#undef FIELD

#define ROWS(table) table, sizeof table / sizeof *table

struct config_with_groups {
    struct eddy_config config; /* first */
    struct eddy_option_group groups[9];
};

struct eddy_config *eddy_config_new(struct eddy_err *err)
{
    struct config_with_groups *both = calloc(1, sizeof *both);
    struct eddy_config *config = &both->config;

    if (!both) {
        (void)eddy_fail(err, EDDY_ENOMEM, "no memory for the configuration");
        return NULL;
    }
    both->groups[0] =
        (struct eddy_option_group){"General", ROWS(general_table), config};
    both->groups[1] =
        (struct eddy_option_group){"Kafka", eddy_kafka_option_table,
                                   eddy_kafka_option_count, &config->kafka};
    both->groups[2] =
        (struct eddy_option_group){"Redis", eddy_redis_option_table,
                                   eddy_redis_option_count, &config->redis};
    both->groups[3] =
        (struct eddy_option_group){"Worker", ROWS(worker_table), &config->worker};
    both->groups[4] =
        (struct eddy_option_group){"Model", ROWS(model_table), &config->model};
    both->groups[5] =
        (struct eddy_option_group){"Lists", ROWS(list_table), &config->model};
    both->groups[6] =
        (struct eddy_option_group){"HTTP", ROWS(http_table), &config->http};
    both->groups[7] = (struct eddy_option_group){"API", ROWS(api_table), &config->api};
    both->groups[8] = (struct eddy_option_group){"Log", ROWS(log_table), &config->log};
    config->conf = eddy_conf_new(both->groups, 9, err);
    if (!config->conf) {
        free(both);
        return NULL;
    }
    return config;
}

void eddy_config_free(struct eddy_config *config)
{
    if (!config)
        return;
    eddy_conf_free(config->conf);
    free((struct config_with_groups *)config);
}

int eddy_config_load_file(struct eddy_config *config, const char *path,
                          struct eddy_err *err)
{
    return eddy_yaml_load(path, config->conf, err);
}

int eddy_config_load_environment(struct eddy_config *config, char *const *environment,
                                 struct eddy_err *err)
{
    return eddy_conf_set_environment(config->conf, environment, err);
}

int eddy_config_set(struct eddy_config *config, const char *name, const char *value,
                    const char *where, struct eddy_err *err)
{
    return eddy_conf_set(config->conf, name, value, EDDY_FROM_COMMAND_LINE, where, err);
}

/* ---- what single rows cannot say ---- */

static bool is_group_name(const char *name)
{
    size_t size = strlen(name);

    if (size < 1 || size > 40)
        return false;
    for (; *name; name++)
        if (!(islower((unsigned char)*name) || isdigit((unsigned char)*name) ||
              strchr("._-", *name)))
            return false;
    return true;
}

static bool is_version(const char *text)
{
    return strlen(text) == EDDY_SNAPSHOT_ID_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == EDDY_SNAPSHOT_ID_SIZE - 1;
}

/* An empty topic or group name follows from the dataset group. */
static int derive(struct eddy_config *config, const char *option, const char *value,
                  const char *suffix, struct eddy_err *err)
{
    char name[64];

    if (value && *value)
        return 0;
    (void)snprintf(name, sizeof name, "%s%s", config->group, suffix);
    return eddy_conf_set(config->conf, option, name, EDDY_FROM_DEFAULT, "group", err);
}

static int check_roles(const struct eddy_config *config, struct eddy_err *err)
{
    const char *at = config->roles;

    for (;;) {
        size_t size = strcspn(at, ",");
        if (!(size == 6 && strncmp(at, "worker", 6) == 0) &&
            !(size == 3 && strncmp(at, "api", 3) == 0))
            return eddy_fail(err, EDDY_ECONFIG,
                             "roles \"%.80s\": \"%.*s\" is none; write worker, api or "
                             "worker,api",
                             config->roles, (int)(size < 40 ? size : 40), at);
        if (!at[size])
            return 0;
        at += size + 1;
    }
}

/* Syntax only: which partitions there are is known later. */
static int check_assignment(const struct eddy_config *config, struct eddy_err *err)
{
    enum { ANY = 65536 };
    uint32_t *partitions = NULL;
    int rc = 0;

    if (eddy_kafka_uses_group(&config->kafka))
        return 0;
    partitions = calloc(ANY, sizeof *partitions);
    if (!partitions)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for an assignment");
    rc = eddy_kafka_assignment(&config->kafka, ANY, partitions, err);
    free(partitions);
    return rc < 0 ? rc : 0;
}

int eddy_config_finish(struct eddy_config *config, struct eddy_err *err)
{
    int rc = 0;

    if (!is_group_name(config->group))
        return eddy_fail(
            err, EDDY_ECONFIG,
            "group \"%.60s\": 1 to 40 lower-case letters, digits, . _ - are "
            "allowed",
            config->group);
    rc = derive(config, "kafka.events", config->kafka.events, ".events", err);
    if (rc == 0)
        rc = derive(config, "kafka.lists", config->kafka.lists, ".lists", err);
    if (rc == 0)
        rc = derive(config, "kafka.dead_letters", config->kafka.dead_letters, ".dlq",
                    err);
    if (rc == 0)
        rc = derive(config, "kafka.consumer_group", config->kafka.consumer_group, "",
                    err);
    if (rc == 0)
        rc = eddy_conf_check(config->conf, err);
    if (rc == 0)
        rc = check_roles(config, err);
    if (rc == 0)
        rc = check_assignment(config, err);
    if (rc)
        return rc;
    if (strlen(config->api.account) != 12 ||
        strspn(config->api.account, "0123456789") != 12)
        return eddy_fail(err, EDDY_ECONFIG,
                         "api.account \"%.40s\": an account has 12 digits",
                         config->api.account);
    if (config->model.initial[0] && !is_version(config->model.initial))
        return eddy_fail(
            err, EDDY_ECONFIG,
            "model.initial \"%.40s\": a version is 16 digits of 0-9 and a-f, "
            "the name of a sub-folder of model.folder",
            config->model.initial);
    return 0;
}

struct eddy_policy eddy_config_policy(const struct eddy_config *config)
{
    return (struct eddy_policy){
        .list_size = (uint32_t)config->model.list_size,
        .exclude_recent = config->model.exclude_recent,
        .lateness_s = (uint32_t)(config->model.lateness_ms / 1000),
    };
}

bool eddy_config_has_role(const struct eddy_config *config, const char *role)
{
    size_t size = strlen(role);
    const char *at = config->roles;

    while (at) {
        if (strncmp(at, role, size) == 0 && (at[size] == '\0' || at[size] == ','))
            return true;
        at = strchr(at, ',');
        at += at != NULL;
    }
    return false;
}
