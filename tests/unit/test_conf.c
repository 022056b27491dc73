/* Option tables: every type, ranges, precedence, messages, printed forms. */
#include "base/conf.h"

#include <stdlib.h>
#include <unistd.h>

#include "check.h"

struct redis {
    char *address;
    char *password;
    int64_t timeout_ms;
    int64_t database;
};
struct worker {
    bool fast;
    double ratio;
    int64_t cache;
    int64_t level;
    char *name;
};
struct kafka {
    char *topic;
    struct eddy_pairs pass;
};

static const struct eddy_option redis_rows[] = {
    {"redis.address", EDDY_OPTION_TEXT, offsetof(struct redis, address),
     "127.0.0.1:6379", 0, 0, NULL, 0, "Where Redis listens."},
    {"redis.password", EDDY_OPTION_TEXT, offsetof(struct redis, password), "", 0, 0,
     NULL, EDDY_OPTION_SECRET, "Password of the user."},
    {"redis.timeout", EDDY_OPTION_DURATION, offsetof(struct redis, timeout_ms), "2s",
     10, 600000, NULL, 0, "Limit of one exchange."},
    {"redis.database", EDDY_OPTION_INT, offsetof(struct redis, database), "0", 0, 15,
     NULL, 0, "Number of the database."},
};
static const struct eddy_option worker_rows[] = {
    {"fast", EDDY_OPTION_BOOL, offsetof(struct worker, fast), "false", 0, 0, NULL, 0,
     "Whether to hurry."},
    {"worker.ratio", EDDY_OPTION_FLOAT, offsetof(struct worker, ratio), "0.1", 0, 1,
     NULL, 0, "A share."},
    {"worker.cache", EDDY_OPTION_SIZE, offsetof(struct worker, cache), "64MiB", 0, 0,
     NULL, 0, "Memory for states."},
    {"worker.level", EDDY_OPTION_CHOICE, offsetof(struct worker, level), "info", 0, 0,
     "error|warn|info", 0, "What to log | what not."},
    {"worker.name", EDDY_OPTION_TEXT, offsetof(struct worker, name), NULL, 0, 0, NULL,
     EDDY_OPTION_REQUIRED, "Name of this worker."},
};
static const struct eddy_option kafka_rows[] = {
    {"kafka.topic", EDDY_OPTION_TEXT, offsetof(struct kafka, topic), "eddy.events", 0,
     0, NULL, 0, "Topic of events."},
    {"kafka", EDDY_OPTION_PASS, offsetof(struct kafka, pass), NULL, 0, 0, NULL, 0,
     "Every other key is handed to librdkafka."},
};

static struct redis redis;
static struct worker worker;
static struct kafka kafka;
static const struct eddy_option_group groups[] = {
    {"Redis", redis_rows, sizeof redis_rows / sizeof redis_rows[0], &redis},
    {"Worker", worker_rows, sizeof worker_rows / sizeof worker_rows[0], &worker},
    {"Kafka", kafka_rows, sizeof kafka_rows / sizeof kafka_rows[0], &kafka},
};

static struct eddy_err err;

static struct eddy_conf *make(void)
{
    struct eddy_conf *conf = eddy_conf_new(groups, 3, &err);
    if (!CHECK(conf != NULL)) {
        fprintf(stderr, "    %s\n", err.text);
    }
    return conf;
}

static int set(struct eddy_conf *conf, const char *name, const char *value)
{
    return eddy_conf_set(conf, name, value, EDDY_FROM_FILE, "e.yaml:3", &err);
}

static void defaults_are_set_from_their_texts(void)
{
    struct eddy_conf *conf = make();
    CHECK_STR(redis.address, "127.0.0.1:6379");
    CHECK_STR(redis.password, "");
    CHECK_INT(redis.timeout_ms, 2000);
    CHECK_INT(worker.fast, false);
    CHECK_NEAR(worker.ratio, 0.1, 0);
    CHECK_INT(worker.cache, 64 << 20);
    CHECK_INT(worker.level, 2);
    CHECK_STR(worker.name, "");
    CHECK_INT(kafka.pass.count, 0);
    eddy_conf_free(conf);
    eddy_conf_free(NULL);
}

static void durations_and_sizes_are_read(void)
{
    static const struct {
        const char *text;
        int64_t duration_ms; /* -1: refused */
        int64_t size;
    } rows[] = {
        {"250ms", 250, -1},
        {"30s", 30000, -1},
        {"1.5s", 1500, -1},
        {"5m", 300000, -1},
        {"10ms", 10, -1},
        {"600s", 600000, -1},
        {"0.5ms", -1, -1},
        {"0", -1, 0},
        {"100", -1, 100},
        {"64KiB", -1, 65536},
        {"1.5 MiB", -1, 3 << 19},
        {"1GiB", -1, 1 << 30},
        {"2kB", -1, 2000},
        {"7B", -1, 7},
        {"1e3", -1, 1000},
        {"-1s", -1, -1},
        {" 1s", -1, -1},
        {"1 s", 1000, -1},
        {"1ss", -1, -1},
        {"s", -1, -1},
        {"", -1, -1},
        {"1e400s", -1, -1},
        {"nan", -1, -1},
        {"inf", -1, -1},
        {"0x10", -1, -1},
        {"1TiB", -1, INT64_C(1) << 40},
        {"99999TiB", -1, -1},
        {"0.5B", -1, -1},
        {"1KB", -1, -1},
        {"1S", -1, -1},
    };
    struct eddy_conf *conf = make();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = set(conf, "redis.timeout", rows[i].text);
        if (!CHECK_INT(code, rows[i].duration_ms < 0 ? EDDY_ECONFIG : 0) ||
            (code == 0 && !CHECK_INT(redis.timeout_ms, rows[i].duration_ms))) {
            fprintf(stderr, "    duration %s\n", rows[i].text);
        }
        code = set(conf, "worker.cache", rows[i].text);
        if (!CHECK_INT(code, rows[i].size < 0 ? EDDY_ECONFIG : 0) ||
            (code == 0 && !CHECK_INT(worker.cache, rows[i].size))) {
            fprintf(stderr, "    size %s\n", rows[i].text);
        }
    }
    eddy_conf_free(conf);
}

static void mistakes_say_what_is_allowed(void)
{
    static const struct {
        const char *name, *value, *want;
    } rows[] = {
        {"redis.database", "16", "\"16\" is out of range; allowed is 0 to 15"},
        {"redis.database", "-1", "\"-1\" is out of range; allowed is 0 to 15"},
        {"redis.database", "1x", "\"1x\" is not a whole number; allowed is 0 to 15"},
        {"redis.database", "", "\"\" is not a whole number; allowed is 0 to 15"},
        {"redis.database", "99999999999999999999",
         "\"99999999999999999999\" is not a whole number; allowed is 0 to 15"},
        {"redis.timeout", "5ms", "\"5ms\" is out of range; allowed is 10ms to 10m"},
        {"redis.timeout", "5",
         "\"5\" is not a duration; write a number with ms, s, m, h or d, such as 250ms or "
         "2h; allowed is 10ms to 10m"},
        {"worker.cache", "many",
         "\"many\" is not a size; write bytes, or a number with KiB, MiB, GiB, kB, MB or "
         "GB"},
        {"worker.ratio", "nan", "\"nan\" is not a number; allowed is 0 to 1"},
        {"worker.ratio", "1.0001", "\"1.0001\" is out of range; allowed is 0 to 1"},
        {"worker.level", "trace",
         "\"trace\" is not one of the choices; allowed is error, warn or info"},
        {"worker.level", "warn|info",
         "\"warn|info\" is not one of the choices; allowed is error, warn or info"},
        {"fast", "maybe", "\"maybe\" is not a truth value; allowed is true or false"},
        {"redis.adress", "x", "unknown; did you mean redis.address?"},
        {"database", "1", "unknown; did you mean redis.database?"},
        {"redis.password_fil", "1", "unknown; did you mean redis.password?"},
        {"redis.address_file", "x", "unknown; did you mean redis.address?"},
        {"redis.quorum", "1",
         "unknown, and none has a similar name; eddy run --print-config shows all"},
        {"redis", "1",
         "is a section, with redis.address, redis.password, redis.timeout, "
         "redis.database"},
        {"kafka", "1", "is a section, with kafka.topic"},
        {"redis.password_file", "/nonexistent/password",
         "/nonexistent/password cannot be read: No such file or directory"},
        {"redis.password_file", "/", "/ cannot be read: Is a directory"},
    };
    struct eddy_conf *conf = make();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char want[sizeof err.text];
        (void)snprintf(want, sizeof want, "e.yaml:3: key %s: %s", rows[i].name,
                       rows[i].want);
        CHECK_INT(set(conf, rows[i].name, rows[i].value), EDDY_ECONFIG);
        CHECK_STR(err.text, want);
    }
    CHECK_INT(eddy_conf_set(conf, "redis.adress", "x", EDDY_FROM_COMMAND_LINE,
                            "--redis.adress", &err),
              EDDY_ECONFIG);
    CHECK_STR(err.text, "--redis.adress: redis.adress is not an option; did you mean "
                        "redis.address?");
    /* Nothing moved. */
    CHECK_INT(redis.database, 0);
    CHECK_INT(redis.timeout_ms, 2000);
    CHECK_STR(redis.address, "127.0.0.1:6379");
    eddy_conf_free(conf);
}

static void a_lower_source_never_overwrites_a_higher_one(void)
{
    struct eddy_conf *conf = make();
    struct eddy_err *e = &err;
    CHECK_INT(eddy_conf_set(conf, "redis.database", "3", EDDY_FROM_COMMAND_LINE,
                            "--redis.database", e),
              0);
    CHECK_INT(set(conf, "redis.database", "4"), 0);
    CHECK_INT(redis.database, 3);
    CHECK_INT(eddy_conf_set(conf, "redis.database", "5", EDDY_FROM_COMMAND_LINE,
                            "--redis.database", e),
              0);
    CHECK_INT(redis.database, 5); /* of the same source the last one counts */
    CHECK_INT(set(conf, "redis.database", "99"), EDDY_ECONFIG); /* still checked */
    CHECK_INT(redis.database, 5);
    CHECK_INT(
        eddy_conf_set(conf, "kafka.a.b", "env", EDDY_FROM_ENVIRONMENT, "EDDY_X", e), 0);
    CHECK_INT(set(conf, "kafka.a.b", "file"), 0);
    CHECK_INT(kafka.pass.count, 1);
    CHECK_STR(kafka.pass.names[0], "a.b");
    CHECK_STR(kafka.pass.values[0], "env");
    eddy_conf_free(conf);
    CHECK(kafka.pass.names == NULL);
}

/* environ has no const, because it is older than const. */
static int set_environment(struct eddy_conf *conf, const char *const *environment)
{
    return eddy_conf_set_environment(conf, (char *const *)environment, &err);
}

static void environment_names_options_and_properties(void)
{
    char path[] = "/tmp/eddy-conf-XXXXXX";
    char file_variable[64];
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, "top secret\r\n", 12) == 12);
    (void)close(fd);
    (void)snprintf(file_variable, sizeof file_variable, "EDDY_REDIS_PASSWORD_FILE=%s",
                   path);
    const char *environment[] = {"PATH=/bin",
                                 "EDDY_REDIS_ADDRESS=r:1",
                                 "EDDY_FAST=true",
                                 "EDDY_=x",
                                 "EDDY=y",
                                 "EDDY_KAFKA_TOPIC=t",
                                 "EDDY_KAFKA_BOOTSTRAP_SERVERS=a:9092",
                                 "EDDY_KAFKA_PORT=tcp://10.0.0.1:9092",
                                 "EDDY_KAFKA_PORT_9092_TCP=tcp://10.0.0.1",
                                 "EDDY_KAFKA_SERVICE_HOST=10.0.0.1",
                                 "EDDY_REDIS_PORT=tcp://10.0.0.1:6379",
                                 "EDDY_DATA=/somewhere",
                                 file_variable,
                                 NULL};
    struct eddy_conf *conf = make();
    if (!CHECK_INT(set_environment(conf, environment), 0)) {
        fprintf(stderr, "    %s\n", err.text);
    }
    CHECK_STR(redis.address, "r:1");
    CHECK_STR(redis.password, "top secret");
    CHECK_INT(worker.fast, true);
    CHECK_STR(kafka.topic, "t");
    CHECK_INT(kafka.pass.count, 1);
    CHECK_STR(kafka.pass.names[0], "bootstrap.servers");
    CHECK_STR(kafka.pass.values[0], "a:9092");
    const char *slip[] = {"EDDY_REDIS_ADRESS=x", NULL};
    CHECK_INT(set_environment(conf, slip), EDDY_ECONFIG);
    CHECK_STR(err.text,
              "EDDY_REDIS_ADRESS: no such option; did you mean EDDY_REDIS_ADDRESS?");
    const char *bad[] = {"EDDY_REDIS_DATABASE=x", NULL};
    CHECK_INT(set_environment(conf, bad), EDDY_ECONFIG);
    CHECK_STR(err.text,
              "EDDY_REDIS_DATABASE: \"x\" is not a whole number; allowed is 0 "
              "to 15");
    eddy_conf_free(conf);
    (void)unlink(path);
}

static void required_options_are_asked_for(void)
{
    struct eddy_conf *conf = make();
    CHECK_INT(eddy_conf_check(conf, &err), EDDY_ECONFIG);
    CHECK_STR(err.text,
              "worker.name has no value; set it in the configuration file, as "
              "EDDY_WORKER_NAME in the environment or as --worker.name");
    CHECK_INT(set(conf, "worker.name", "w1"), 0);
    CHECK_INT(eddy_conf_check(conf, &err), 0);
    eddy_conf_free(conf);
}

static void print_shows_values_with_sources_and_masks_secrets(void)
{
    struct eddy_conf *conf = make();
    struct eddy_buf out;
    eddy_buf_init(&out, 0);
    CHECK_INT(set(conf, "redis.password", "hunter2"), 0);
    CHECK_INT(set(conf, "worker.name", "a: b # c"), 0);
    CHECK_INT(set(conf, "kafka.sasl.password", "hunter3"), 0);
    CHECK_INT(eddy_conf_set(conf, "kafka.acks", "all", EDDY_FROM_ENVIRONMENT,
                            "EDDY_KAFKA_ACKS", &err),
              0);
    eddy_conf_print(conf, &out);
    CHECK_STR(out.data, "redis:\n"
                        "  address: 127.0.0.1:6379  # default\n"
                        "  password: \"********\"  # file e.yaml:3\n"
                        "  timeout: 2s  # default\n"
                        "  database: 0  # default\n"
                        "fast: false  # default\n"
                        "worker:\n"
                        "  ratio: 0.1  # default\n"
                        "  cache: 64MiB  # default\n"
                        "  level: info  # default\n"
                        "  name: \"a: b # c\"  # file e.yaml:3\n"
                        "kafka:\n"
                        "  topic: eddy.events  # default\n"
                        "  sasl.password: \"********\"  # file e.yaml:3\n"
                        "  acks: all  # environment EDDY_KAFKA_ACKS\n");
    eddy_buf_clear(&out);
    eddy_conf_print_json(conf, &out);
    CHECK_STR(
        out.data,
        "{\"redis.address\":{\"value\":\"127.0.0.1:6379\",\"source\":\"default\"},"
        "\"redis.password\":{\"value\":\"********\",\"source\":\"file\"},"
        "\"redis.timeout\":{\"value\":\"2s\",\"source\":\"default\"},"
        "\"redis.database\":{\"value\":0,\"source\":\"default\"},"
        "\"fast\":{\"value\":false,\"source\":\"default\"},"
        "\"worker.ratio\":{\"value\":0.1,\"source\":\"default\"},"
        "\"worker.cache\":{\"value\":\"64MiB\",\"source\":\"default\"},"
        "\"worker.level\":{\"value\":\"info\",\"source\":\"default\"},"
        "\"worker.name\":{\"value\":\"a: b # c\",\"source\":\"file\"},"
        "\"kafka.topic\":{\"value\":\"eddy.events\",\"source\":\"default\"},"
        "\"kafka.sasl.password\":{\"value\":\"********\",\"source\":\"file\"},"
        "\"kafka.acks\":{\"value\":\"all\",\"source\":\"environment\"}}");
    eddy_buf_fini(&out);
    eddy_conf_free(conf);
}

static void secrets_stay_out_of_messages(void)
{
    static const struct eddy_option row = {
        "pin", EDDY_OPTION_INT, 0, "0", 0, 9999, NULL, EDDY_OPTION_SECRET, "A number."};
    int64_t pin;
    struct eddy_option_group group = {"Secrets", &row, 1, &pin};
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    CHECK_INT(set(conf, "pin", "123456"), EDDY_ECONFIG);
    CHECK_STR(err.text,
              "e.yaml:3: key pin: \"(secret)\" is out of range; allowed is 0 to 9999");
    eddy_conf_free(conf);
}

static void example_and_reference_are_made_from_the_rows(void)
{
    struct eddy_conf *conf = make();
    struct eddy_buf out;
    eddy_buf_init(&out, 0);
    eddy_conf_print_example(conf, &out);
    CHECK(strstr(out.data, "\nredis:\n  # Where Redis listens.\n"
                           "  #address: 127.0.0.1:6379\n") != NULL);
    CHECK(strstr(out.data, "  # Password of the user.\n"
                           "  # Or password_file: a file that holds it.\n"
                           "  #password: \"\"\n") != NULL);
    CHECK(strstr(out.data, "  # Allowed: 10ms to 10m.\n  #timeout: 2s\n") != NULL);
    CHECK(strstr(out.data, "  #name: \"\"  # required\n") != NULL);
    eddy_buf_clear(&out);
    eddy_conf_print_reference(conf, &out);
    CHECK(strstr(out.data, "### Redis\n\n| Option | Allowed | Default | Meaning |\n"
                           "|---|---|---|---|\n"
                           "| `redis.address` | text | `127.0.0.1:6379` | Where Redis "
                           "listens. |\n") != NULL);
    CHECK(strstr(out.data,
                 "| `worker.level` | error, warn or info | `info` | What to log "
                 "\\| what not. |\n") != NULL);
    CHECK(strstr(out.data, "| `kafka.*` |  |  | Every other") != NULL);
    eddy_buf_fini(&out);
    eddy_conf_free(conf);
}

static void a_default_that_is_not_allowed_is_found(void)
{
    static const struct eddy_option row = {"n", EDDY_OPTION_INT, 0, "7", 0, 5, NULL,
                                           0,   "A number."};
    int64_t n;
    struct eddy_option_group group = {"Wrong", &row, 1, &n};
    CHECK(eddy_conf_new(&group, 1, &err) == NULL);
    CHECK_INT(err.code, EDDY_EFATAL);
    CHECK_STR(err.text, "option n: default \"7\" is out of range; allowed is 0 to 5");
}

int main(void)
{
    RUN(defaults_are_set_from_their_texts);
    RUN(durations_and_sizes_are_read);
    RUN(mistakes_say_what_is_allowed);
    RUN(a_lower_source_never_overwrites_a_higher_one);
    RUN(environment_names_options_and_properties);
    RUN(required_options_are_asked_for);
    RUN(print_shows_values_with_sources_and_masks_secrets);
    RUN(secrets_stay_out_of_messages);
    RUN(example_and_reference_are_made_from_the_rows);
    RUN(a_default_that_is_not_allowed_is_found);
    return check_done();
}
