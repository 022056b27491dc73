/* Precedence, derived names, and refusals of the daemon's configuration. */
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "engine/config.h"

static char folder[] = "/tmp/eddy-config-XXXXXX";
static char path[64];

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    if (!CHECK(file != NULL))
        return;
    (void)fputs(text, file);
    (void)fclose(file);
}

static void defaults_are_complete_and_names_follow_the_group(void)
{
    struct eddy_err err = {0};
    struct eddy_config *config = eddy_config_new(&err);

    CHECK_INT(eddy_config_set(config, "group", "shop", "--group", &err), 0);
    if (!CHECK_INT(eddy_config_finish(config, &err), 0))
        fprintf(stderr, "    message: %s\n", err.text);
    CHECK_STR(config->kafka.events, "shop.events");
    CHECK_STR(config->kafka.lists, "shop.lists");
    CHECK_STR(config->kafka.dead_letters, "shop.dlq");
    CHECK_STR(config->kafka.consumer_group, "shop");
    CHECK_STR(config->redis.address, "127.0.0.1:6379");
    CHECK_INT(config->worker.threads, 1);
    CHECK_INT(eddy_config_policy(config).list_size, 25);
    CHECK_INT(eddy_config_policy(config).lateness_s, 86400);
    CHECK(eddy_config_has_role(config, "worker"));
    CHECK(eddy_config_has_role(config, "api"));
    CHECK(!eddy_config_has_role(config, "work"));
    eddy_config_free(config);
}

static void the_command_line_beats_the_environment_beats_the_file(void)
{
    char worker[] = "EDDY_WORKER_THREADS=3", list[] = "EDDY_LIST_SIZE=30";
    char sasl[] = "EDDY_KAFKA_SASL_USERNAME=u";
    char *environment[] = {worker, list, sasl, NULL};
    struct eddy_err err = {0};
    struct eddy_config *config = eddy_config_new(&err);
    bool found = false;

    write_file("group: g1\nkafka:\n  events: mine\n  security.protocol: PLAINTEXT\n"
               "worker:\n  threads: 2\nlist:\n  size: 10\n  exclude_recent: true\n");
    CHECK_INT(eddy_config_set(config, "list.size", "40", "--list.size", &err), 0);
    CHECK_INT(eddy_config_load_environment(config, environment, &err), 0);
    if (!CHECK_INT(eddy_config_load_file(config, path, &err), 0))
        fprintf(stderr, "    message: %s\n", err.text);
    CHECK_INT(eddy_config_finish(config, &err), 0);
    CHECK_INT(config->worker.threads, 3);
    CHECK_INT(config->model.list_size, 40);
    CHECK(config->model.exclude_recent);
    CHECK_STR(config->kafka.events, "mine");
    CHECK_STR(config->kafka.lists, "g1.lists");
    for (size_t i = 0; i < config->kafka.properties.count; i++)
        found = found || strstr(config->kafka.properties.names[i], "sasl.username");
    CHECK(found);
    CHECK_INT(config->kafka.properties.count, 2);
    eddy_config_free(config);
}

static void mistakes_name_the_option_and_what_is_allowed(void)
{
    static const struct {
        const char *name, *value, *words;
    } cases[] = {
        {"group", "Shop", "lower-case"},
        {"group", "", "group"},
        {"roles", "worker,trainer", "trainer"},
        {"roles", "worker,", "roles"},
        {"worker.threads", "0", "worker.threads"},
        {"worker.threads", "many", "worker.threads"},
        {"worker.thread", "2", "worker.threads"},
        {"model.initial", "abc", "16"},
        {"kafka.assignment", "3-", "kafka.assignment"},
        {"log.level", "loud", "debug"},
        {"redis.timeout", "1ms", "redis.timeout"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_err err = {0};
        struct eddy_config *config = eddy_config_new(&err);
        char where[64];
        int rc = 0;
        (void)snprintf(where, sizeof where, "--%s", cases[i].name);
        rc = eddy_config_set(config, cases[i].name, cases[i].value, where, &err);
        if (rc == 0)
            rc = eddy_config_finish(config, &err);
        CHECK_INT(rc, EDDY_ECONFIG);
        if (!CHECK(strstr(err.text, cases[i].words) != NULL))
            fprintf(stderr, "    %s=%s: %s\n", cases[i].name, cases[i].value, err.text);
        eddy_config_free(config);
    }
}

static void a_mistake_in_the_file_names_file_and_line(void)
{
    struct eddy_err err = {0};
    struct eddy_config *config = eddy_config_new(&err);

    write_file("group: shop\nworker:\n  threads: 1000\n");
    CHECK_INT(eddy_config_load_file(config, path, &err), EDDY_ECONFIG);
    CHECK(strstr(err.text, path) != NULL);
    if (!CHECK(strstr(err.text, ":3") != NULL))
        fprintf(stderr, "    message: %s\n", err.text);
    eddy_config_free(config);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/eddy.yaml", folder);
    RUN(defaults_are_complete_and_names_follow_the_group);
    RUN(the_command_line_beats_the_environment_beats_the_file);
    RUN(mistakes_name_the_option_and_what_is_allowed);
    RUN(a_mistake_in_the_file_names_file_and_line);
    (void)unlink(path);
    (void)rmdir(folder);
    return check_done();
}
