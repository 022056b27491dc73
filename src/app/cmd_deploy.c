/* eddy deploy: a new model for a running deployment.
 *
 * A change of model is a record in the log, one per partition (src/README.md, "Snapshots"):
 * each partition switches at its own offset, and a replay switches at the same one. So the
 * order here is: check the snapshot, put it where workers look for it, then append the
 * records. Doing it again does no harm: the folder is there already, and a record that
 * names the snapshot a partition stands on changes nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/model.h"
#include "app/option_rows.h"
#include "app/progress.h"
#include "app/settings.h"
#include "app/tools.h"
#include "base/clock.h"
#include "core/kernel.h"
#include "io/kafka.h"

struct options {
    struct eddy_settings settings;
    const char *model;
    bool wait, quiet, json;
    int64_t timeout_ms;
};

/* clang-format off */
static const struct eddy_arg rows[] = {
    EDDY_MODEL_ROW(struct options),
    EDDY_SETTINGS_ROWS(struct options),
    {.name = "wait", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, wait),
     .help = "Wait until every partition stands on it."},
    {.name = "timeout", .type = EDDY_ARG_DURATION, .offset = offsetof(struct options, timeout_ms),
     .min = 1000, .max = 86400e3, .value = "TIME", .help = "How long --wait waits (default 5m)."},
    EDDY_JSON_ROW(struct options),
    EDDY_QUIET_ROW(struct options),
};
/* clang-format on */

static const struct eddy_args args = {
    .command = "deploy",
    .usage = "-m MODEL -c FILE [--wait [--timeout TIME]]",
    .about =
        "Checks the snapshot by its checksums, copies it to model.folder/<version> and\n"
        "appends one snapshot record, with the policy of the configuration\n"
        "(list.size, list.exclude_recent, list.lateness), to every partition of\n"
        "the events topic. Each partition switches when it comes to its record; states\n"
        "are re-encoded when their user has the next event.\n"
        "\n"
        "model.folder has to be the folder that the workers read: on several machines,\n"
        "copy it there first or share it. To go back, deploy the older model again.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "  eddy deploy -m model -c eddy.yaml\n"
                "  eddy deploy -m model -c eddy.yaml --wait --timeout 2m",
};

struct deploy {
    const struct options *options;
    struct eddy_config *config;
    struct eddy_kafka_admin *admin;
    struct eddy_producer *producer;
    struct eddy_store *store;
    struct eddy_arena *arena;
    char version[EDDY_SNAPSHOT_ID_SIZE];
    char folder[4096];
    bool copied;
    uint32_t partitions;
    uint64_t *ends; /* per partition: the record stands before this offset */
};

/* ---- the folder ------------------------------------------------------------------ */

static int copy_snapshot(struct deploy *deploy, struct eddy_err *err)
{
    static const char *const names[] = {"model.safetensors", "catalog.csv",
                                        "manifest.json"};
    struct eddy_file files[3];
    char path[4096];
    int r = 0;
    memset(files, 0, sizeof files);
    for (size_t i = 0; i < 3 && r == 0; i++) {
        if ((size_t)snprintf(path, sizeof path, "%s/%s", deploy->options->model,
                             names[i]) >= sizeof path)
            r = eddy_fail(err, EDDY_EUSAGE, "--model: the path is too long");
        else
            r = eddy_file_open(path, &files[i], err);
    }
    if (r == 0)
        r = eddy_make_folder(deploy->config->model.folder, err);
    if (r == 0)
        r = eddy_snapshot_save(deploy->folder, files[0].bytes, files[1].bytes,
                               files[2].bytes, err);
    for (size_t i = 0; i < 3; i++)
        eddy_file_close(&files[i]);
    deploy->copied = r == 0;
    return r;
}

/* Both ends are opened, which checks every sha256: what was read, and what stands there. */
static int place_snapshot(struct deploy *deploy, struct eddy_err *err)
{
    struct eddy_snapshot *snapshot = NULL;
    struct eddy_err there = {0};
    int r = eddy_model_open(deploy->options->model, &snapshot, err);
    if (r < 0)
        return r;
    memcpy(deploy->version, snapshot->manifest.version, sizeof deploy->version);
    eddy_snapshot_release(snapshot);
    if ((size_t)snprintf(deploy->folder, sizeof deploy->folder, "%s/%s",
                         deploy->config->model.folder,
                         deploy->version) >= sizeof deploy->folder)
        return eddy_fail(err, EDDY_ECONFIG, "model.folder: the path is too long");
    snapshot = eddy_tool_snapshot(deploy->config, deploy->version, &there);
    if (!snapshot) {
        r = copy_snapshot(deploy, err);
        if (r < 0)
            return r;
        snapshot = eddy_tool_snapshot(deploy->config, deploy->version, err);
    }
    if (!snapshot)
        return err ? err->code : EDDY_EIO;
    bool same = strcmp(snapshot->manifest.version, deploy->version) == 0;
    eddy_snapshot_release(snapshot);
    return same ? 0
                : eddy_fail(err, EDDY_EFORMAT, "%s holds another version; remove it",
                            deploy->folder);
}

/* ---- the records ----------------------------------------------------------------- */

static int append_records(struct deploy *deploy, struct eddy_err *err)
{
    const char *topic = deploy->config->kafka.events;
    struct eddy_event event = {.kind = EDDY_KIND_SNAPSHOT, .ts_ms = eddy_now_ms()};
    struct eddy_buf payload;
    eddy_buf_init(&payload, 0);
    memcpy(event.snapshot, deploy->version, sizeof event.snapshot);
    event.policy = eddy_config_policy(deploy->config);
    int r = eddy_event_check(&event, err);
    eddy_event_encode(&event, &payload);
    if (r == 0 && payload.failed)
        r = eddy_fail(err, EDDY_ENOMEM, "out of memory");
    for (uint32_t p = 0; p < deploy->partitions && r == 0; p++)
        r = eddy_producer_send(deploy->producer, topic, (int32_t)p,
                               (struct eddy_span){NULL, 0}, eddy_buf_span(&payload),
                               event.ts_ms, 10000, err);
    if (r == 0)
        r = eddy_producer_flush(deploy->producer, 60000, err);
    eddy_buf_fini(&payload);
    for (uint32_t p = 0; p < deploy->partitions && r == 0; p++) {
        uint64_t start = 0;
        r = eddy_kafka_admin_bounds(deploy->admin, topic, p, 10000, &start,
                                    &deploy->ends[p], err);
    }
    return r;
}

static int open_kafka(struct deploy *deploy, struct eddy_err *err)
{
    const struct eddy_kafka_options *kafka = &deploy->config->kafka;
    int r = eddy_kafka_admin_open(kafka, &deploy->admin, err);
    if (r == 0)
        r = eddy_kafka_admin_partitions(deploy->admin, kafka->events, 10000,
                                        &deploy->partitions, err);
    if (r == 0 && deploy->partitions == 0)
        r = eddy_fail(
            err, EDDY_EKAFKA,
            "topic %s does not exist; `eddy check -c FILE --create-topics` makes "
            "what is missing",
            kafka->events);
    if (r == 0)
        r = eddy_producer_open(kafka, "eddy-deploy", &deploy->producer, err);
    if (r < 0)
        return r;
    deploy->ends = calloc(deploy->partitions, sizeof *deploy->ends);
    return deploy->ends ? 0 : eddy_fail(err, EDDY_ENOMEM, "out of memory");
}

/* ---- waiting --------------------------------------------------------------------- */

/* How many partitions have come to their record. */
static int count_switched(struct deploy *deploy, uint32_t *ret_count,
                          uint32_t *ret_other, struct eddy_err *err)
{
    *ret_count = *ret_other = 0;
    for (uint32_t p = 0; p < deploy->partitions; p++) {
        struct eddy_position position;
        struct eddy_span value = {0};
        struct eddy_buf key;
        eddy_arena_reset(deploy->arena);
        eddy_buf_init(&key, 0);
        eddy_key_part(deploy->store, p, "offset", &key);
        int r = eddy_store_get(deploy->store, eddy_buf_span(&key), deploy->arena,
                               &value, err);
        eddy_buf_fini(&key);
        if (r < 0)
            return r;
        if (!value.data || eddy_position_decode(value, &position) < 0)
            continue;
        bool mine = strcmp(position.snapshot, deploy->version) == 0;
        if (mine || position.offset >= deploy->ends[p])
            (*ret_count)++;
        if (!mine && position.offset >= deploy->ends[p])
            (*ret_other)++;
    }
    return 0;
}

static int wait_for_switch(struct deploy *deploy, struct eddy_err *err)
{
    struct eddy_progress progress;
    struct eddy_err why = {0};
    uint64_t end_ns =
        eddy_monotonic_ns() + (uint64_t)deploy->options->timeout_ms * 1000000;
    uint32_t count = 0, other = 0;
    deploy->store = eddy_tool_store(deploy->config, "deploy", err);
    if (!deploy->store)
        return err ? err->code : EDDY_ENOMEM;
    eddy_progress_init(&progress, "waiting", "partitions", deploy->partitions,
                       deploy->options->quiet);
    for (;;) {
        why = (struct eddy_err){0};
        (void)count_switched(deploy, &count, &other, &why);
        if (count == deploy->partitions || eddy_monotonic_ns() > end_ns)
            break;
        eddy_progress_update(&progress, count, why.text);
        struct timespec pause = {0, 200000000};
        (void)nanosleep(&pause, NULL); /* asked again in any case */
    }
    eddy_progress_clear(&progress);
    if (other > 0)
        (void)fprintf(stderr,
                      "eddy deploy: %u partitions have passed on to another snapshot "
                      "already: someone else deploys too\n",
                      other);
    if (count == deploy->partitions)
        return 0;
    return eddy_fail(
        err, EDDY_EFULL,
        "only %u of %u partitions stand on %s%s%s; are all workers running? "
        "`eddy inspect offset -c FILE` shows which are behind",
        count, deploy->partitions, deploy->version, why.text[0] ? "; " : "", why.text);
}

static void print_result(const struct deploy *deploy)
{
    if (deploy->options->json) {
        (void)printf(
            "{\"version\":\"%s\",\"folder\":\"%s\",\"copied\":%s,\"topic\":\"%s\","
            "\"ends\":[",
            deploy->version, deploy->folder, deploy->copied ? "true" : "false",
            deploy->config->kafka.events);
        for (uint32_t p = 0; p < deploy->partitions; p++)
            (void)printf("%s%" PRIu64, p ? "," : "", deploy->ends[p]);
        (void)printf("]}\n");
        return;
    }
    (void)printf("snapshot %s %s %s\n", deploy->version,
                 deploy->copied ? "copied to" : "was there already:", deploy->folder);
    (void)printf("%u snapshot records confirmed by %s; each stands before offset:\n",
                 deploy->partitions, deploy->config->kafka.events);
    for (uint32_t p = 0; p < deploy->partitions; p++)
        (void)printf("%s%u:%" PRIu64 "%s", p % 8 ? "  " : "  ", p, deploy->ends[p],
                     p % 8 == 7 || p + 1 == deploy->partitions ? "\n" : "");
}

static int run(struct deploy *deploy, struct eddy_err *err)
{
    int r = place_snapshot(deploy, err);
    if (r == 0)
        r = open_kafka(deploy, err);
    if (r == 0)
        r = append_records(deploy, err);
    if (r < 0)
        return r;
    print_result(deploy);
    return deploy->options->wait ? wait_for_switch(deploy, err) : 0;
}

int eddy_cmd_deploy(int argc, char **argv)
{
    struct options options = {.timeout_ms = 300000};
    struct eddy_err err = {0};
    int code = 0;
    if (!eddy_args_parse(&args, argc, argv, &options, NULL, &code))
        return code;
    struct deploy deploy = {.options = &options};
    deploy.arena = eddy_arena_new(1 << 14, 1 << 20);
    deploy.config = eddy_settings_load(&options.settings, &err);
    if (deploy.config && !deploy.arena)
        (void)eddy_fail(&err, EDDY_ENOMEM, "out of memory");
    if (deploy.config && deploy.arena)
        (void)run(&deploy, &err);
    eddy_store_close(deploy.store);
    eddy_producer_close(deploy.producer);
    eddy_kafka_admin_close(deploy.admin);
    eddy_config_free(deploy.config);
    eddy_arena_free(deploy.arena);
    free(deploy.ends);
    if (err.code == EDDY_EFULL) { /* the wait ran out of time */
        (void)eddy_app_fail("deploy", &err);
        return EDDY_EXIT_TEMPORARY;
    }
    return err.code ? eddy_app_fail("deploy", &err) : EDDY_EXIT_OK;
}
