/* eddy check: goes through everything that `eddy run` will need, from the configuration to
 * the snapshots that partitions stand on, and says of each thing whether it is well and, if
 * not, what to do. It writes nothing, except topics with --create-topics. */
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "app/option_rows.h"
#include "app/settings.h"
#include "app/stats.h"
#include "app/tools.h"
#include "core/kernel.h"
#include "io/kafka.h"
#include "io/kafka_settings.h"
#include "io/redis_check.h"

struct options {
    struct eddy_settings settings;
    const char *interactions;
    bool create_topics, json;
    int64_t partitions, replication, timeout_ms;
};

/* clang-format off */
static const struct eddy_arg rows[] = {
    EDDY_SETTINGS_ROWS(struct options),
    {.name = "create-topics", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, create_topics),
     .help = "Create the topics that are missing, with the right settings."},
    {.name = "partitions", .type = EDDY_ARG_INT, .offset = offsetof(struct options, partitions),
     .min = 1, .max = 10000, .value = "N",
     .help = "Of the events topic when it is created (default 64). It cannot be changed later: "
             "the count is part of the state."},
    {.name = "replication", .type = EDDY_ARG_INT, .offset = offsetof(struct options, replication),
     .min = 1, .max = 100, .value = "N", .help = "Of created topics (default: the broker's)."},
    {.name = "timeout", .type = EDDY_ARG_DURATION, .offset = offsetof(struct options, timeout_ms),
     .min = 100, .max = 600000, .value = "TIME", .help = "Per question to Kafka (default 10s)."},
    {.name = "interactions", .letter = 'i', .type = EDDY_ARG_TEXT, .offset = offsetof(struct options, interactions),
     .value = "FILE",
     .help = "Check nothing but this log (CSV): is it fit for personal lists? eddy stats tells more."},
    EDDY_JSON_ROW(struct options),
};
/* clang-format on */

static const struct eddy_args args = {
    .command = "check",
    .usage = "-c FILE [--create-topics [--partitions N] [--replication N]] [--json]",
    .about =
        "Checks configuration, Kafka, Redis and snapshots, one line each:\n"
        "ok, warn (works, but read this) or FAILED (with what to do).\n"
        "\n"
        "With -i the log of a file instead: too few events, users or events per item, mostly\n"
        "anonymous users, items that follow a fixed rule.\n"
        "\n"
        "Exit code: 0 no line FAILED, 78 configuration, 69 Kafka or Redis, 65 log, 1 other.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples =
        "  eddy check -c eddy.yaml\n"
        "  eddy check -c eddy.yaml --create-topics --partitions 64 --replication 3\n"
        "  eddy check -i interactions.csv",
};

enum verdict { OK, WARN, FAILED };

struct check {
    const struct options *options;
    struct eddy_config *config;
    struct eddy_kafka_admin *admin;
    struct eddy_store *store;
    struct eddy_arena *arena;
    uint32_t partitions; /* of the events topic, 0: not known */
    int exit;
    json_t *lines;
};

__attribute__((format(printf, 4, 5))) static void say(struct check *check,
                                                      enum verdict verdict,
                                                      const char *what, const char *fmt,
                                                      ...)
{
    static const char *const words[] = {"ok", "warn", "FAILED"};
    char text[512];
    va_list list;
    va_start(list, fmt);
    (void)vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    if (check->options->json)
        (void)json_array_append_new(check->lines,
                                    json_pack("{s:s, s:s, s:s}", "check", what,
                                              "result", words[verdict], "text", text));
    else
        (void)printf("%-7s %-14s %s\n", words[verdict], what, text);
}

static void fail(struct check *check, int code, const char *what, const char *text)
{
    say(check, FAILED, what, "%s", text);
    if (check->exit == EDDY_EXIT_OK)
        check->exit = code;
}

/* Lines of a report; those that begin with "warning: " are warnings. */
static void say_report(struct check *check, const char *what,
                       const struct eddy_buf *report)
{
    static const char warning[] = "warning: ";
    const char *at = report->data, *end = report->data + report->size;
    while (at && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((newline ? newline : end) - at);
        bool warn =
            size > sizeof warning && strncmp(at, warning, sizeof warning - 1) == 0;
        size_t skip = warn ? sizeof warning - 1 : 0;
        if (size > 0)
            say(check, warn ? WARN : OK, what, "%.*s", (int)(size - skip), at + skip);
        at = newline ? newline + 1 : NULL;
    }
}

/* ---- Kafka ----------------------------------------------------------------------- */

/* Settings of topics that eddy creates. The event log keeps what the broker is configured
 * to keep: its retention bounds how far a replay can go back. */
static const char *const events_config[] = {"cleanup.policy", "delete", NULL};
static const char *const lists_config[] = {"cleanup.policy", "compact", NULL};
/* Dead letters keep their original timestamps, so a bound by time would delete old events
 * on arrival; and they are as large as what came in, plus headers. */
static const char *const dead_config[] = {"cleanup.policy",
                                          "delete",
                                          "retention.ms",
                                          "-1",
                                          "retention.bytes",
                                          "1073741824",
                                          "max.message.bytes",
                                          "104857600",
                                          NULL};

static void check_topic(struct check *check, const char *topic, uint32_t partitions,
                        const char *const *config, uint32_t *ret_count)
{
    struct eddy_err err = {0};
    int timeout_ms = (int)check->options->timeout_ms;
    uint32_t count = 0;
    bool created = false;
    int r = eddy_kafka_admin_partitions(check->admin, topic, timeout_ms, &count, &err);
    if (r == 0 && count == 0 && check->options->create_topics) {
        r = eddy_kafka_admin_create(check->admin, topic, partitions,
                                    (int)check->options->replication, config,
                                    timeout_ms, &err);
        if (r == 0)
            r = eddy_kafka_admin_partitions(check->admin, topic, timeout_ms, &count,
                                            &err);
        created = true;
    }
    if (r < 0) {
        fail(check, EDDY_EXIT_UNAVAILABLE, "topic", err.text);
    } else if (count == 0) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "%s does not exist; --create-topics makes it (%s)", topic,
                       config[1]);
        fail(check, EDDY_EXIT_UNAVAILABLE, "topic", text);
    } else {
        say(check, OK, "topic", "%s: %u partitions%s", topic, count,
            created ? ", created" : "");
    }
    if (ret_count)
        *ret_count = count;
}

/* Settings that lose data or grow without end; the rights to see them are optional. */
static void check_settings(struct check *check, const char *topic, bool compacted)
{
    static const char *const names[] = {"cleanup.policy", "retention.ms"};
    char values[2][EDDY_SETTING_SIZE];
    struct eddy_err err = {0};
    int r = eddy_kafka_topic_settings(&check->config->kafka, topic, names, 2, values,
                                      (int)check->options->timeout_ms, &err);
    bool compacts = r == 0 && strstr(values[0], "compact") != NULL;
    if (r < 0)
        say(check, OK, "settings", "of %s are not visible to this user", topic);
    else if (compacts == compacted)
        say(check, OK, "settings", "%s: cleanup.policy %s, retention.ms %s", topic,
            values[0], values[1]);
    else if (compacted)
        say(check, WARN, "settings",
            "%s: cleanup.policy is %s: a list disappears after retention.ms (%s); set "
            "compact, so that every user's last list stays",
            topic, values[0], values[1]);
    else
        say(check, WARN, "settings",
            "%s: cleanup.policy is %s: compaction removes events, and a replay would come "
            "to other states; set delete",
            topic, values[0]);
}

static void check_log(struct check *check)
{
    struct eddy_err err = {0};
    const char *topic = check->config->kafka.events;
    uint64_t start = 0, end = 0;
    int r =
        eddy_kafka_admin_bounds(check->admin, topic, 0, (int)check->options->timeout_ms,
                                &start, &end, &err);
    if (r < 0)
        fail(check, EDDY_EXIT_UNAVAILABLE, "log", err.text);
    else
        say(check, OK, "log", "%s partition 0 holds offsets %" PRIu64 " to %" PRIu64,
            topic, start, end);
}

static void check_kafka(struct check *check)
{
    const struct eddy_kafka_options *kafka = &check->config->kafka;
    struct eddy_err err = {0};
    struct eddy_buf report;
    eddy_buf_init(&report, 0);
    int r = eddy_kafka_admin_open(kafka, &check->admin, &err);
    if (r < 0) {
        fail(check, r == EDDY_ECONFIG ? EDDY_EXIT_CONFIG : EDDY_EXIT_UNAVAILABLE,
             "kafka", err.text);
        goto out;
    }
    r = eddy_kafka_admin_check(check->admin, (int)check->options->timeout_ms, &report,
                               &err);
    if (r < 0) {
        fail(check, EDDY_EXIT_UNAVAILABLE, "kafka", err.text);
        goto out;
    }
    say_report(check, "kafka", &report);
    check_topic(check, kafka->events, (uint32_t)check->options->partitions,
                events_config, &check->partitions);
    uint32_t wanted =
        check->partitions ? check->partitions : (uint32_t)check->options->partitions;
    uint32_t lists = 0;
    check_topic(check, kafka->lists, wanted, lists_config, &lists);
    check_topic(check, kafka->dead_letters, 1, dead_config, NULL);
    if (check->partitions > 0) {
        check_settings(check, kafka->events, false);
        check_log(check);
    }
    if (lists > 0)
        check_settings(check, kafka->lists, true);
out:
    eddy_buf_fini(&report);
}

/* ---- Redis ----------------------------------------------------------------------- */

static void check_meta(struct check *check)
{
    struct eddy_err err = {0};
    uint32_t stored = 0;
    int r = eddy_tool_partitions(check->store, &stored, &err);
    if (r == EDDY_ECONFIG) {
        say(check, OK, "meta", "no state under the prefix \"%s\" yet: a first start",
            check->config->group);
    } else if (r < 0) {
        fail(check, EDDY_EXIT_UNAVAILABLE, "meta", err.text);
    } else if (check->partitions > 0 && stored != check->partitions) {
        char text[300];
        (void)snprintf(
            text, sizeof text,
            "the states were made with %u partitions, topic %s has %u: users would not "
            "meet their states; write the events, keyed by user, into a new topic and "
            "start a new group on it (deploy/README.md)",
            stored, check->config->kafka.events, check->partitions);
        fail(check, EDDY_EXIT_CONFIG, "meta", text);
    } else {
        say(check, OK, "meta", "%u partitions", stored);
    }
}

static void check_redis(struct check *check)
{
    struct eddy_err err = {0};
    struct eddy_buf report;
    eddy_buf_init(&report, 0);
    check->store = eddy_tool_store(check->config, "check", &err);
    int r =
        check->store ? eddy_store_redis_check(check->store, &report, &err) : err.code;
    if (r < 0) {
        fail(check, EDDY_EXIT_UNAVAILABLE, "redis", err.text);
        eddy_buf_fini(&report);
        return;
    }
    say_report(check, "redis", &report);
    eddy_buf_fini(&report);
    r = eddy_redis_check_permissions(&check->config->redis, check->config->group, &err);
    if (r < 0)
        fail(check, EDDY_EXIT_UNAVAILABLE, "redis", err.text);
    else
        say(check, OK, "redis", "the user \"%s\" may do what workers do",
            check->config->redis.user && check->config->redis.user[0]
                ? check->config->redis.user
                : "default");
    check_meta(check);
}

/* ---- snapshots ------------------------------------------------------------------- */

/* missing: how bad it is when the snapshot is not there; a damaged one is always bad. */
static void check_snapshot(struct check *check, const char *version, const char *why,
                           enum verdict missing)
{
    struct eddy_err err = {0};
    struct eddy_snapshot *snapshot = eddy_tool_snapshot(check->config, version, &err);
    if (!snapshot && missing == WARN && err.code == EDDY_ENOMODEL) {
        say(check, WARN, "snapshot",
            "%s (%s) is not in %s yet: `eddy deploy -m MODEL -c FILE` puts it there, until "
            "then its partitions wait",
            version, why, check->config->model.folder);
        return;
    }
    if (!snapshot) {
        fail(check, EDDY_EXIT_FAILED, "snapshot", err.text);
        return;
    }
    say(check, OK, "snapshot", "%s (%s): %u items, %u floats of state, %s kernels",
        version, why, snapshot->manifest.shape.items,
        eddy_hrnn_state_floats(&snapshot->manifest.shape), eddy_kernels_get()->name);
    eddy_snapshot_release(snapshot);
}

/* Distinct versions that partitions stand on: each has to be on this machine. */
static void check_positions(struct check *check)
{
    char seen[8][EDDY_SNAPSHOT_ID_SIZE];
    uint32_t count = 0;
    struct eddy_err err = {0};
    for (uint32_t p = 0; p < check->partitions; p++) {
        struct eddy_buf key;
        struct eddy_span value = {0};
        struct eddy_position position;
        uint32_t known = 0;
        eddy_arena_reset(check->arena);
        eddy_buf_init(&key, 0);
        eddy_key_part(check->store, p, "offset", &key);
        int r = eddy_store_get(check->store, eddy_buf_span(&key), check->arena, &value,
                               &err);
        eddy_buf_fini(&key);
        if (r < 0) {
            fail(check, EDDY_EXIT_UNAVAILABLE, "positions", err.text);
            return;
        }
        if (!value.data || eddy_position_decode(value, &position) < 0 ||
            !position.snapshot[0])
            continue;
        while (known < count && strcmp(seen[known], position.snapshot) != 0)
            known++;
        if (known == count && count < 8) {
            memcpy(seen[count++], position.snapshot, sizeof position.snapshot);
            check_snapshot(check, position.snapshot, "partitions stand on it", FAILED);
        }
    }
    if (count == 0 && !check->config->model.initial[0])
        say(check, WARN, "snapshot",
            "no partition has a snapshot yet and model.initial is not set: events are "
            "remembered, and lists begin with `eddy deploy -m MODEL -c FILE`");
}

static void check_models(struct check *check)
{
    const char *initial = check->config->model.initial;
    if (initial[0])
        check_snapshot(check, initial, "model.initial", WARN);
    if (check->store && check->partitions > 0 && check->exit != EDDY_EXIT_UNAVAILABLE)
        check_positions(check);
}

/* Is the log fit for what eddy does with it? Notes are left to `eddy stats`. */
static void check_interactions(struct check *check)
{
    struct eddy_finding findings[EDDY_INSIGHT_FINDINGS];
    struct eddy_err err = {0};
    uint32_t count = 0, told = 0;
    int r = eddy_stats_findings(check->options->interactions, findings, &count, &err);
    if (r < 0) {
        fail(check, r == EDDY_EIO ? EDDY_EXIT_IO : EDDY_EXIT_DATA, "log", err.text);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct eddy_finding *finding = &findings[i];
        bool stop = finding->level == EDDY_FINDING_STOP;
        if (finding->level == EDDY_FINDING_NOTE)
            continue;
        say(check, stop ? FAILED : WARN, finding->code, "%s %s", finding->text,
            finding->advice);
        if (stop && check->exit == EDDY_EXIT_OK)
            check->exit = EDDY_EXIT_DATA;
        told++;
    }
    if (told == 0)
        say(check, OK, "log", "%s is fit for personal lists",
            check->options->interactions);
}

static void check_deployment(struct check *check)
{
    struct eddy_err err = {0};
    check->arena = eddy_arena_new(1 << 16, 1 << 24);
    check->config = eddy_settings_load(&check->options->settings, &err);
    if (!check->config || !check->arena) {
        fail(check, err.code == EDDY_EUSAGE ? EDDY_EXIT_USAGE : EDDY_EXIT_CONFIG,
             "configuration", check->config ? "out of memory" : err.text);
        return;
    }
    say(check, OK, "configuration", "%s",
        check->options->settings.file ? check->options->settings.file
                                      : "defaults and environment");
    check_kafka(check);
    check_redis(check);
    check_models(check);
}

int eddy_cmd_check(int argc, char **argv)
{
    struct options options = {.partitions = 64, .timeout_ms = 10000};
    int code = 0;
    if (!eddy_args_parse(&args, argc, argv, &options, NULL, &code))
        return code;
    struct check check = {.options = &options, .lines = json_array()};
    if (options.interactions)
        check_interactions(&check);
    else
        check_deployment(&check);
    if (options.json) {
        (void)json_dumpf(check.lines, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    }
    eddy_store_close(check.store);
    eddy_kafka_admin_close(check.admin);
    eddy_config_free(check.config);
    eddy_arena_free(check.arena);
    json_decref(check.lines);
    return check.exit;
}
